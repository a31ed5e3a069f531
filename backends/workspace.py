"""The state of the application: scenes, overlays, regions, pins, jobs, selection.

Evented (psygnal) and Qt-free; the only thing widgets are given. Everything is
changed on one thread: the window's, or the only one on the command line.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from backends.commands import Command, CommandStack
from backends.errors import BadInput
from backends.jobs import InlineRunner, Job, JobHandle, JobState, Runner
from backends.measuring.lengths import Measurement
from backends.overlays import Heatmap, Overlay
from backends.pairs.shifting import Offset, move_to, moved_notes, offset_of
from backends.regions import Region
from backends.runlog import RunLog
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.spectra.library import SpectralLibrary

T = TypeVar("T")


@dataclass(frozen=True)
class Pin:
    """A pixel whose spectrum stays on the plot."""

    scene_id: str
    row: int
    col: int
    name: str
    color: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(eq=False)
class LabelSheet:
    """Training labels painted on, or loaded for, one scene.

    Attributes
    ----------
    values : uint8 array of shape (rows, cols)
        0 is unlabelled.
    class_names : dict of int to str
    source : str
        The file they came from; empty when painted.
    """

    scene_id: str
    values: NDArray[np.uint8]
    class_names: dict[int, str]
    source: str = ""


@dataclass(frozen=True, eq=False)
class OpenLibrary:
    """A library of reference spectra, and what of it stands beside the scene's spectra.

    Attributes
    ----------
    shown : tuple of int
        Numbers of the spectra that are drawn.
    scale : float
        Their values are drawn times this.
    """

    library: SpectralLibrary
    shown: tuple[int, ...] = ()
    scale: float = 1.0


class Workspace:
    """Everything that is open, and how it changes.

    Parameters
    ----------
    runner : Runner, optional
        Where jobs run; default inline.
    dispatch : callable, optional
        Moves a callback to the thread the workspace lives on.
    """

    scene_added = Signal(Scene)
    scene_removed = Signal(str)
    active_scene_changed = Signal(object)
    overlay_added = Signal(Overlay)
    overlay_replaced = Signal(Overlay, Overlay)
    overlay_removed = Signal(Overlay)
    active_overlay_changed = Signal(object)
    regions_changed = Signal()
    pins_changed = Signal()
    measurements_changed = Signal()
    labels_changed = Signal(str)
    cursor_moved = Signal(str, int, int)
    cursor_left = Signal()
    pixel_selected = Signal(str, int, int)
    scene_info_changed = Signal(str)
    library_added = Signal(object)
    libraries_changed = Signal()
    job_submitted = Signal(JobHandle)
    job_finished = Signal(JobHandle)

    def __init__(
        self,
        runner: Runner | None = None,
        dispatch: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self.runner: Runner = runner or InlineRunner()
        self.dispatch = dispatch or (lambda callback: callback())
        self.scenes: dict[str, Scene] = {}
        self.overlays: dict[str, Overlay] = {}
        # Of volumes, by the overlay that shows one of them: the map of each slice, from 0.
        self.slice_maps: dict[str, dict[int, Heatmap]] = {}
        self.regions: dict[str, Region] = {}
        self.pins: dict[str, Pin] = {}
        self.measurements: dict[str, Measurement] = {}
        self.labels: dict[str, LabelSheet] = {}
        self.libraries: list[OpenLibrary] = []
        self.jobs: list[JobHandle[Any]] = []
        self._next_settings: dict[tuple[str, str], dict[str, Any]] = {}
        self.commands = CommandStack()
        self.run_log = RunLog()
        self._active: str | None = None
        self._active_overlay: str | None = None
        self._generations: dict[tuple[str, str | None], int] = {}
        self._thread = threading.get_ident()

    # -- scenes --------------------------------------------------------------------------

    @property
    def active_scene(self) -> Scene | None:
        """The scene the docks speak of."""
        return self.scenes.get(self._active) if self._active else None

    def add_scene(self, scene: Scene, *, activate: bool = True) -> None:
        """Take a scene in; it becomes the active one."""
        self.scenes[scene.id] = scene
        self.scene_added.emit(scene)
        if activate:
            self.activate(scene.id)

    def activate(self, scene_id: str | None) -> None:
        """Make a scene the active one."""
        if scene_id is not None and scene_id not in self.scenes:
            raise BadInput("That scene is no longer open.")
        if scene_id != self._active:
            self._active = scene_id
            self.active_scene_changed.emit(self.active_scene)

    def move_scene(self, scene_id: str, offset: Offset, how: str) -> None:
        """Move a scene to an offset from where its file has it, in map units (undoable).

        Parameters
        ----------
        how : str
            What says so, for the run log: ``"by a tie"``.

        Raises
        ------
        BadInput
            It has no map coordinates.
        """
        scene = self.scenes[scene_id]
        before = offset_of(scene)

        def put(where: Offset) -> None:
            if scene_id in self.scenes:
                move_to(scene, where)
                self.scene_info_changed.emit(scene_id)

        move_to(scene, offset)  # refuses before anything is remembered
        label = f"Move {scene.title} {how}"
        self.commands.do(
            Command(label, lambda: put(offset), lambda: put(before), (scene_id, None, None))
        )

    def remove_scene(self, scene_id: str) -> None:
        """Close a scene with all that belongs to it; its running jobs are cancelled."""
        scene = self.scenes.get(scene_id)
        if scene is None:
            return
        for handle in self.jobs:
            if handle.job.scene_id == scene_id and not handle.state.is_final:
                handle.cancel()
        for overlay in [o for o in self.overlays.values() if o.scene_id == scene_id]:
            self.remove_overlay(overlay.id)
        if self._forget(self.regions, scene_id):
            self.regions_changed.emit()
        if self._forget(self.pins, scene_id):
            self.pins_changed.emit()
        if self._forget(self.measurements, scene_id):
            self.measurements_changed.emit()
        self.labels.pop(scene_id, None)
        # A step that can no longer be seen would make Ctrl+Z look broken.
        self.commands.drop(lambda c: isinstance(c.where, tuple) and c.where[:1] == (scene_id,))
        del self.scenes[scene_id]
        if self._active == scene_id:
            self.activate(next(reversed(self.scenes), None))
        self.scene_removed.emit(scene_id)
        scene.close()

    # -- overlays ------------------------------------------------------------------------

    @property
    def active_overlay(self) -> Overlay | None:
        """The overlay the docks speak of."""
        return self.overlays.get(self._active_overlay) if self._active_overlay else None

    def add_overlay(self, overlay: Overlay) -> bool:
        """Lay an overlay over its scene; False (and nothing happens) when that is closed."""
        if overlay.scene_id not in self.scenes:
            return False
        told = moved_notes(self.scenes[overlay.scene_id])
        if told and not set(told) <= set(overlay.provenance.notes):
            made = overlay.provenance
            overlay = replace(overlay, provenance=replace(made, notes=(*made.notes, *told)))
        previous = self.overlays.get(overlay.id)
        self.overlays[overlay.id] = overlay
        if previous is None:
            self.overlay_added.emit(overlay)
        else:
            self.overlay_replaced.emit(previous, overlay)
        return True

    def remove_overlay(self, overlay_id: str) -> None:
        """Take an overlay away."""
        self.slice_maps.pop(overlay_id, None)
        overlay = self.overlays.pop(overlay_id, None)
        if overlay is None:
            return
        if self._active_overlay == overlay_id:
            self.activate_overlay(None)
        self.overlay_removed.emit(overlay)

    def keep_slice_map(self, number: int, heatmap: Heatmap) -> None:
        """Keep the heatmap of a slice, from 0, that may not be the one on the screen."""
        self.slice_maps.setdefault(heatmap.id, {})[number] = heatmap

    def activate_overlay(self, overlay_id: str | None) -> None:
        """Make an overlay the active one."""
        if overlay_id != self._active_overlay:
            self._active_overlay = overlay_id
            self.active_overlay_changed.emit(self.active_overlay)

    def overlays_of(self, scene_id: str) -> list[Overlay]:
        """Return the overlays of a scene, oldest first."""
        return [o for o in self.overlays.values() if o.scene_id == scene_id]

    # -- libraries of reference spectra --------------------------------------------------

    def add_library(self, library: SpectralLibrary) -> None:
        """Take in a library of reference spectra; one that is open is only offered again."""
        known = [o.library.digest for o in self.libraries if o.library.path == library.path]
        if library.path is None or library.digest not in known:
            self.libraries.append(OpenLibrary(library))
        self.library_added.emit(library)

    def draw_library(self, place: int, shown: Sequence[int], scale: float = 1.0) -> None:
        """Say which spectra of the library at a place in `libraries` are drawn."""
        opened = self.libraries[place]
        self.libraries[place] = replace(opened, shown=tuple(shown), scale=scale)
        self.libraries_changed.emit()

    def set_libraries(self, libraries: Sequence[OpenLibrary]) -> None:
        """Have these libraries open and no others."""
        self.libraries[:] = libraries
        self.libraries_changed.emit()

    # -- what the user draws: every change can be undone ---------------------------------

    def add_region(self, region: Region) -> None:
        """Add a region (undoable)."""
        self._edit(self.regions, {region.id: region}, f"Draw {region.name}", self.regions_changed)

    def change_region(self, region_id: str, **changes: Any) -> None:
        """Rename, recolour or reshape a region (undoable)."""
        region = replace(self.regions[region_id], **changes)
        self._edit(self.regions, {region_id: region}, f"Edit {region.name}", self.regions_changed)

    def remove_region(self, region_id: str) -> None:
        """Delete a region (undoable)."""
        name = self.regions[region_id].name
        self._edit(self.regions, {region_id: None}, f"Delete {name}", self.regions_changed)

    def pin_here(self, scene_id: str, row: int, col: int) -> Pin:
        """Pin the spectrum of a pixel, named and coloured after those there are (undoable)."""
        numbers = [0, *(_number(p.name) for p in self.pins.values() if p.scene_id == scene_id)]
        name = f"Pin {max(numbers) + 1} ({row}, {col})"
        pin = Pin(scene_id, row, col, name, self.next_color())
        self.add_pin(pin)
        return pin

    def add_pin(self, pin: Pin) -> None:
        """Pin a spectrum (undoable)."""
        self._edit(self.pins, {pin.id: pin}, f"Add {pin.name}", self.pins_changed)

    def change_pin(self, pin_id: str, **changes: Any) -> None:
        """Rename or recolour a pin (undoable)."""
        pin = replace(self.pins[pin_id], **changes)
        self._edit(self.pins, {pin_id: pin}, f"Edit {pin.name}", self.pins_changed)

    def remove_pin(self, pin_id: str) -> None:
        """Take a pin away (undoable)."""
        name = self.pins[pin_id].name
        self._edit(self.pins, {pin_id: None}, f"Remove {name}", self.pins_changed)

    def clear_pins(self) -> None:
        """Take all pins away (undoable)."""
        if self.pins:
            gone = dict.fromkeys(self.pins)
            self._edit(self.pins, gone, "Remove all pins", self.pins_changed)

    def add_measurement(self, measurement: Measurement) -> None:
        """Keep what was measured (undoable)."""
        self._edit(
            self.measurements, {measurement.id: measurement}, f"Measure {measurement.name}",
            self.measurements_changed,
        )  # fmt: skip

    def remove_measurements(self, ids: Sequence[str]) -> None:
        """Delete measurements in one step (undoable)."""
        if ids:
            label = f"Delete {len(ids)} measurements"
            if len(ids) == 1:
                label = f"Delete {self.measurements[ids[0]].name}"
            self._edit(self.measurements, dict.fromkeys(ids), label, self.measurements_changed)

    def next_color(self) -> int:
        """Return the first number of the colour key that nothing drawn uses."""
        drawn = (self.pins, self.regions, self.measurements)
        used = {item.color for table in drawn for item in table.values()}
        return next(number for number in range(len(used) + 1) if number not in used)

    def label_sheet(self, scene_id: str) -> LabelSheet:
        """Return the labels of a scene, made empty when there are none yet."""
        if scene_id not in self.labels:
            rows, cols, _ = self.scenes[scene_id].shape
            sheet = LabelSheet(scene_id, np.zeros((rows, cols), np.uint8), {})
            self.labels[scene_id] = sheet
        return self.labels[scene_id]

    def set_labels(
        self, scene_id: str, values: NDArray[Any], class_names: Mapping[int, str], source: str = ""
    ) -> None:
        """Replace the labels of a scene (undoable).

        Raises
        ------
        BadInput
            The labels have another size than the scene, or are no whole numbers 0 to 255.
        """
        scene = self.scenes[scene_id]
        if values.shape != scene.shape[:2]:
            raise BadInput(
                f"The labels are {values.shape[0]}×{values.shape[1]} pixels, "
                f"{scene.title} is {scene.shape[0]}×{scene.shape[1]}.",
                subject=source or None,
                way_out="Choose the label file that belongs to this scene.",
            )
        with np.errstate(invalid="ignore"):
            small = values.astype(np.uint8)
        if not np.array_equal(small, values):
            raise BadInput(
                "The labels hold values that are no class numbers from 0 to 255.",
                subject=source or None,
                way_out="Number the classes from 1 and give unlabelled pixels 0.",
            )
        sheet = LabelSheet(scene_id, small, dict(class_names), source)
        before = self.labels.get(scene_id)

        def put(new: LabelSheet | None) -> None:
            if scene_id not in self.scenes:
                return
            if new is None:
                self.labels.pop(scene_id, None)
            else:
                self.labels[scene_id] = new
            self.labels_changed.emit(scene_id)

        self.commands.do(
            Command("Load labels", lambda: put(sheet), lambda: put(before), (scene_id, None, None))
        )

    def set_next_settings(
        self, scene_id: str, model_id: str, settings: Mapping[str, Any] | None
    ) -> None:
        """Say what the next training of a model on a scene is to use; None forgets it."""
        self._next_settings.pop((scene_id, model_id), None)
        if settings:
            self._next_settings[scene_id, model_id] = dict(settings)
        self.labels_changed.emit(scene_id)  # whoever offers the training tells it anew

    def next_settings(self, scene_id: str, model_id: str) -> dict[str, Any]:
        """Return what the next training of a model on a scene is to use beside its defaults."""
        return dict(self._next_settings.get((scene_id, model_id), {}))

    def select_pixel(self, scene_id: str, row: int, col: int) -> None:
        """Say that the user clicked a pixel; docks that show one pixel follow."""
        scene = self.scenes.get(scene_id)
        if scene and 0 <= row < scene.shape[0] and 0 <= col < scene.shape[1]:
            self.pixel_selected.emit(scene_id, row, col)

    # -- jobs ----------------------------------------------------------------------------

    def submit(
        self,
        job: Job[T],
        on_result: Callable[[T], None] | None = None,
        on_partial: Callable[[Any], None] | None = None,
    ) -> JobHandle[T]:
        """Run a job; its result arrives on the workspace's thread, or not at all.

        A result is dropped when its scene was closed meanwhile, or when a newer job with
        the same topic was submitted for the scene (that one is cancelled, too).
        """
        key = (job.topic, job.scene_id)
        generation = 0
        if job.topic:
            generation = self._generations.get(key, 0) + 1
            self._generations[key] = generation
            for earlier in self.jobs:
                if (earlier.job.topic, earlier.job.scene_id) == key:
                    earlier.cancel()
        handle: JobHandle[T] = JobHandle(job, generation)
        self.jobs.append(handle)

        def current() -> bool:
            if job.scene_id is not None and job.scene_id not in self.scenes:
                return False
            return not job.topic or self._generations[key] == generation

        def finish() -> None:
            if job.quiet or handle.state is not JobState.FAILED:
                self._trim_jobs()
            if handle.state is JobState.DONE:
                # A file that was written is there, even when its scene was closed meanwhile.
                if job.command and (current() or not job.topic):
                    self.run_log.add(job.title, job.command)
                if on_result is not None and current():
                    on_result(handle.result)  # type: ignore[arg-type]
            self.job_finished.emit(handle)

        def show_part(part: Any) -> None:
            if on_partial is not None and current() and not handle.state.is_final:
                on_partial(part)

        handle.finished.connect(lambda _: self.dispatch(finish))
        if on_partial is not None:
            handle.partial.connect(lambda part: self.dispatch(lambda: show_part(part)))
        self.job_submitted.emit(handle)
        self.runner.submit(handle)
        return handle

    def running_jobs(self) -> list[JobHandle[Any]]:
        """Return jobs a person would wait for that are not over."""
        return [h for h in self.jobs if not h.state.is_final and not h.job.quiet]

    def close(self) -> None:
        """Stop every job and close every scene."""
        for handle in self.jobs:
            handle.cancel()
        self.runner.shutdown()
        for scene_id in list(self.scenes):
            self.remove_scene(scene_id)
        # psygnal remembers who emits, for all threads in one place: where two did so at a time
        # the earlier one stays there, and with it whatever it would have told.
        Signal._current_emitter = None

    def _trim_jobs(self, keep: int = 50) -> None:
        """Forget quiet jobs that are over, and all but the newest of the others."""
        over = [h for h in self.jobs if h.state.is_final and not h.job.quiet]
        old = set(map(id, over[: max(0, len(over) - keep)]))
        self.jobs = [
            h for h in self.jobs if not h.state.is_final or not (h.job.quiet or id(h) in old)
        ]

    def _edit(
        self, table: dict[str, Any], changes: Mapping[str, Any], label: str, signal: Any
    ) -> None:
        before = {key: table.get(key) for key in changes}
        order = {key: place for place, key in enumerate(table)}

        def put(values: Mapping[str, Any]) -> None:
            for key, value in values.items():
                if value is None:
                    table.pop(key, None)
                elif value.scene_id in self.scenes:
                    table[key] = value
            # What comes back takes its old place in the list; the sort keeps the rest.
            rows = sorted(table.items(), key=lambda row: order.get(row[0], len(order)))
            table.clear()
            table.update(rows)
            signal.emit()

        some: Any = next(v for v in (*changes.values(), *before.values()) if v is not None)
        where = (some.scene_id, getattr(some, "row", None), getattr(some, "col", None))
        self.commands.do(Command(label, lambda: put(changes), lambda: put(before), where))

    @staticmethod
    def _forget(table: dict[str, Any], scene_id: str) -> bool:
        mine = [key for key, value in table.items() if value.scene_id == scene_id]
        for key in mine:
            del table[key]
        return bool(mine)


def _number(name: str) -> int:
    """Return the number in a pin's own name; 0 where the user gave it another."""
    words = name.split()
    return int(words[1]) if len(words) > 1 and words[0] == "Pin" and words[1].isdigit() else 0
