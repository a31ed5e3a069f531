"""The state of the application: late answers are dropped, everything drawn can be undone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from psygnal import Signal

from backends.bands import BandTable
from backends.errors import BadInput
from backends.jobs import Job, JobHandle, JobState, Progress
from backends.overlays import ClassMap, Overlay, Provenance, ScoreMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Pin, Region, Workspace

SQUARE = np.array([[2.0, 2.0], [2.0, 8.0], [8.0, 8.0], [8.0, 2.0]])


class LaterRunner:
    """Keeps jobs until the test lets them go."""

    def __init__(self) -> None:
        self.kept: list[JobHandle[Any]] = []

    def submit(self, handle: JobHandle[Any]) -> None:
        self.kept.append(handle)

    def shutdown(self) -> None:
        for handle in self.kept:
            handle.execute()


def make_scene(name: str = "scene") -> Scene:
    info = SceneInfo(None, "picture", BandTable.build(3), title=name)
    return Scene(ArraySource(np.zeros((20, 30, 3), np.uint8)), info)


def score_on(scene: Scene) -> ScoreMap:
    return ScoreMap("Score", scene.id, Provenance("test"), values=np.zeros((20, 30)))


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    made = make_scene()
    workspace.add_scene(made)
    return made


def heard(signal: Any) -> list[tuple[Any, ...]]:
    """Return a list that fills with what a signal says."""
    calls: list[tuple[Any, ...]] = []
    signal.connect(lambda *args: calls.append(args))
    return calls


# -- scenes ----------------------------------------------------------------------------------


def test_the_newest_scene_is_active(workspace: Workspace, scene: Scene) -> None:
    active = heard(workspace.active_scene_changed)
    other = make_scene("other")
    workspace.add_scene(other)
    assert workspace.active_scene is other
    third = make_scene("third")
    workspace.add_scene(third, activate=False)
    assert workspace.active_scene is other
    workspace.remove_scene(other.id)
    assert workspace.active_scene is third
    assert active == [(other,), (third,)]
    with pytest.raises(BadInput, match="no longer open"):
        workspace.activate(other.id)


def test_closing_a_scene_takes_all_of_it(workspace: Workspace, scene: Scene) -> None:
    other = make_scene("other")
    workspace.add_scene(other)
    for owner in (scene, other):
        workspace.add_overlay(score_on(owner))
        workspace.add_region(Region("Square", owner.id, SQUARE))
        workspace.add_pin(Pin(owner.id, 1, 2, "Pin"))
        workspace.set_labels(owner.id, np.ones((20, 30)), {1: "One"})
    overlay = workspace.overlays_of(scene.id)[0]
    workspace.activate_overlay(overlay.id)
    removed = heard(workspace.overlay_removed)
    workspace.remove_scene(scene.id)
    assert removed == [(overlay,)]
    assert workspace.active_overlay is None
    assert {o.scene_id for o in workspace.overlays.values()} == {other.id}
    assert {r.scene_id for r in workspace.regions.values()} == {other.id}
    assert {p.scene_id for p in workspace.pins.values()} == {other.id}
    assert set(workspace.labels) == {other.id}
    assert scene.is_closed
    workspace.remove_scene(scene.id)  # twice is fine


def test_steps_on_a_closed_scene_are_forgotten(workspace: Workspace, scene: Scene) -> None:
    other = make_scene("other")
    workspace.add_scene(other)
    workspace.add_pin(Pin(other.id, 1, 2, "Kept"))
    workspace.add_pin(Pin(scene.id, 1, 2, "Gone"))
    workspace.remove_scene(scene.id)
    assert workspace.commands.undo() == "Add Kept"
    assert workspace.commands.undo() is None
    assert not workspace.pins


# -- overlays --------------------------------------------------------------------------------


def test_an_overlay_lands_only_on_its_scene(workspace: Workspace, scene: Scene) -> None:
    added = heard(workspace.overlay_added)
    stranger = make_scene("never opened")
    assert workspace.add_overlay(score_on(stranger)) is False
    assert not workspace.overlays
    assert added == []
    mine = score_on(scene)
    assert workspace.add_overlay(mine) is True
    assert added == [(mine,)]


def test_the_same_id_replaces(workspace: Workspace, scene: Scene) -> None:
    replaced = heard(workspace.overlay_replaced)
    first = replace(score_on(scene), partial=True)
    final = replace(first, partial=False)
    workspace.add_overlay(first)
    workspace.add_overlay(final)
    assert replaced == [(first, final)]
    assert workspace.overlays_of(scene.id) == [final]


# -- jobs ------------------------------------------------------------------------------------


def job_on(scene: Scene | None, value: Any, **more: Any) -> Job[Any]:
    scene_id = None if scene is None else scene.id
    return Job("Work", lambda progress: value, scene_id=scene_id, **more)


def test_results_arrive(workspace: Workspace, scene: Scene) -> None:
    got: list[Overlay] = []
    over = heard(workspace.job_finished)
    handle = workspace.submit(job_on(scene, score_on(scene)), on_result=got.append)
    assert [o.scene_id for o in got] == [scene.id]
    assert over == [(handle,)]


def test_a_result_for_a_closed_scene_is_dropped(scene: Scene) -> None:
    runner = LaterRunner()
    workspace = Workspace(runner)
    workspace.add_scene(scene)
    got: list[Any] = []
    handle = workspace.submit(job_on(scene, 1), on_result=got.append)
    workspace.remove_scene(scene.id)
    runner.shutdown()
    assert got == []
    assert handle.state is JobState.CANCELLED


def test_a_result_that_arrives_while_the_scene_closes_is_dropped() -> None:
    waiting: list[Callable[[], None]] = []
    workspace = Workspace(dispatch=waiting.append)
    scene = make_scene()
    workspace.add_scene(scene)
    got: list[Any] = []
    handle = workspace.submit(job_on(scene, 1), on_result=got.append)
    assert handle.state is JobState.DONE
    workspace.remove_scene(scene.id)
    for callback in waiting:
        callback()
    assert got == []


def test_generations_only_the_newest_answer_lands(scene: Scene) -> None:
    runner = LaterRunner()
    workspace = Workspace(runner)
    workspace.add_scene(scene)
    got: list[int] = []
    handles = [
        workspace.submit(job_on(scene, n, topic="hover"), on_result=got.append) for n in range(4)
    ]
    other = workspace.submit(job_on(scene, 99, topic="statistics"), on_result=got.append)
    runner.shutdown()
    assert got == [3, 99]
    assert [h.generation for h in handles] == [1, 2, 3, 4]
    assert all(h.state is JobState.CANCELLED for h in handles[:-1])
    assert other.state is JobState.DONE


def test_a_superseded_answer_that_was_already_done_is_dropped() -> None:
    waiting: list[Callable[[], None]] = []
    workspace = Workspace(dispatch=waiting.append)
    got: list[int] = []
    for number in range(3):
        workspace.submit(job_on(None, number, topic="t"), on_result=got.append)
    for callback in waiting:
        callback()
    assert got == [2]


def test_topics_of_different_scenes_do_not_meet(workspace: Workspace, scene: Scene) -> None:
    other = make_scene()
    workspace.add_scene(other)
    got: list[int] = []
    workspace.submit(job_on(scene, 1, topic="hover"), on_result=got.append)
    workspace.submit(job_on(other, 2, topic="hover"), on_result=got.append)
    assert got == [1, 2]


def test_partial_results(workspace: Workspace, scene: Scene) -> None:
    parts: list[str] = []

    def run(progress: Progress) -> str:
        progress.partial("half", force=True)
        return "all"

    workspace.submit(Job("Work", run, scene_id=scene.id), on_partial=parts.append)
    assert parts == ["half"]


def test_what_succeeded_is_in_the_run_log(workspace: Workspace, scene: Scene) -> None:
    def fail(progress: Progress) -> None:
        raise BadInput("No.")

    workspace.submit(job_on(scene, 1, command=("classify", "a b.dat", "--model", "svm")))
    workspace.submit(Job("Fail", fail, command=("classify", "c.dat")))
    assert [line.command[1] for line in workspace.run_log.lines] == ["a b.dat"]


def test_a_file_written_for_a_scene_closed_meanwhile_is_logged() -> None:
    waiting: list[Callable[[], None]] = []
    workspace = Workspace(dispatch=waiting.append)
    scene = make_scene()
    workspace.add_scene(scene)
    workspace.submit(job_on(scene, 1, command=("export", "a.dat")))
    workspace.remove_scene(scene.id)
    for callback in waiting:
        callback()
    assert len(workspace.run_log.lines) == 1


def test_the_list_of_jobs_stays_short(workspace: Workspace) -> None:
    for number in range(120):
        workspace.submit(job_on(None, number))
        workspace.submit(job_on(None, number, quiet=True))
    assert len(workspace.jobs) <= 51
    assert not [h for h in workspace.jobs if h.job.quiet]
    assert workspace.running_jobs() == []


def test_close_stops_and_empties(scene: Scene) -> None:
    runner = LaterRunner()
    workspace = Workspace(runner)
    workspace.add_scene(scene)
    handle = workspace.submit(job_on(None, 1))
    workspace.close()
    assert handle.state is JobState.CANCELLED
    assert scene.is_closed


# -- drawing ---------------------------------------------------------------------------------


def test_pins_can_be_undone(workspace: Workspace, scene: Scene) -> None:
    changed = heard(workspace.pins_changed)
    shown = heard(workspace.commands.shown)
    pin = Pin(scene.id, 3, 4, "Pin 1")
    workspace.add_pin(pin)
    assert list(workspace.pins.values()) == [pin]
    assert workspace.commands.undo() == "Add Pin 1"
    assert not workspace.pins
    assert shown[-1] == ((scene.id, 3, 4),)
    workspace.commands.redo()
    assert list(workspace.pins.values()) == [pin]
    workspace.remove_pin(pin.id)
    assert not workspace.pins
    workspace.commands.undo()
    assert list(workspace.pins.values()) == [pin]
    assert len(changed) == 5


def test_undo_puts_things_back_in_their_place(workspace: Workspace, scene: Scene) -> None:
    for number in range(4):
        workspace.add_pin(Pin(scene.id, number, 0, f"Pin {number}"))
    before = list(workspace.pins)
    workspace.remove_pin(before[1])
    workspace.commands.undo()
    assert list(workspace.pins) == before
    workspace.clear_pins()
    assert not workspace.pins
    workspace.commands.undo()
    assert list(workspace.pins) == before


def test_regions_can_be_undone(workspace: Workspace, scene: Scene) -> None:
    region = Region("Field", scene.id, SQUARE)
    workspace.add_region(region)
    workspace.change_region(region.id, name="Meadow", color=3)
    assert workspace.regions[region.id].name == "Meadow"
    assert workspace.commands.undo() == "Edit Meadow"
    assert workspace.regions[region.id] is region
    workspace.remove_region(region.id)
    assert workspace.commands.undo() == "Delete Field"
    assert list(workspace.regions) == [region.id]


def test_region_masks(scene: Scene) -> None:
    mask = Region("Field", scene.id, SQUARE).mask((20, 30))
    assert mask.shape == (20, 30)
    assert mask[5, 5]
    assert not mask[1, 1]
    assert 25 <= mask.sum() <= 49


def test_colours_of_the_key_are_shared(workspace: Workspace, scene: Scene) -> None:
    assert workspace.next_color() == 0
    workspace.add_pin(Pin(scene.id, 0, 0, "a", color=0))
    workspace.add_region(Region("b", scene.id, SQUARE, color=1))
    workspace.add_pin(Pin(scene.id, 0, 0, "c", color=3))
    assert workspace.next_color() == 2


def test_labels_can_be_undone(workspace: Workspace, scene: Scene) -> None:
    changed = heard(workspace.labels_changed)
    workspace.set_labels(scene.id, np.ones((20, 30)), {1: "One"}, source="a.tif")
    first = workspace.labels[scene.id]
    assert first.values.dtype == np.uint8
    workspace.set_labels(scene.id, np.full((20, 30), 2), {2: "Two"})
    workspace.commands.undo()
    assert workspace.labels[scene.id] is first
    workspace.commands.undo()
    assert scene.id not in workspace.labels
    assert changed == [(scene.id,)] * 4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((5, 5)), "5×5 pixels"),
        (np.full((20, 30), 256), "no class numbers"),
        (np.full((20, 30), -1), "no class numbers"),
        (np.full((20, 30), 1.5), "no class numbers"),
        (np.full((20, 30), np.nan), "no class numbers"),
    ],
)
def test_labels_that_do_not_fit(
    workspace: Workspace, scene: Scene, values: np.ndarray, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        workspace.set_labels(scene.id, values, {1: "One"})
    assert scene.id not in workspace.labels
    assert workspace.commands.undo_label is None


def test_an_empty_sheet_on_first_use(workspace: Workspace, scene: Scene) -> None:
    sheet = workspace.label_sheet(scene.id)
    assert sheet.values.shape == (20, 30)
    assert not sheet.values.any()
    assert workspace.label_sheet(scene.id) is sheet


def test_only_pixels_of_the_scene_can_be_selected(workspace: Workspace, scene: Scene) -> None:
    selected = heard(workspace.pixel_selected)
    for row, col in ((0, 0), (19, 29), (20, 0), (0, 30), (-1, 3)):
        workspace.select_pixel(scene.id, row, col)
    workspace.select_pixel("nobody", 1, 1)
    assert selected == [(scene.id, 0, 0), (scene.id, 19, 29)]


def test_overlay_of_another_kind_may_take_over(workspace: Workspace, scene: Scene) -> None:
    """A partial score may turn into a class map under the same id."""
    first = score_on(scene)
    labels = np.ones((20, 30), np.uint8)
    final = ClassMap(
        "Map", scene.id, Provenance("t"), labels=labels, class_names={1: "a"}, id=first.id
    )
    workspace.add_overlay(first)
    workspace.add_overlay(final)
    assert workspace.overlays[first.id] is final


def test_a_closed_workspace_is_let_go_whatever_two_threads_told_at_a_time() -> None:
    class Teller:
        told = Signal()

    thread_tells, main_tells = threading.Event(), threading.Event()
    here, there = Teller(), Teller()

    @there.told.connect
    def wait() -> None:
        thread_tells.set()
        main_tells.wait(5)

    thread = threading.Thread(target=there.told.emit)
    thread.start()
    assert thread_tells.wait(5)

    @here.told.connect
    def end_the_other() -> None:
        main_tells.set()
        thread.join(5)

    here.told.emit()
    # If psygnal should learn to forget by itself, our line for it can go.
    assert Signal.current_emitter() is not None
    Workspace().close()
    assert Signal.current_emitter() is None
