"""The window's session: saved, opened, kept each minute, offered after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PyQt6.QtCore import Qt

from app import autosave
from app.autosave import leftovers, recovery_folder
from app.sessions import collect, open_session, save
from backends.composite import Recipe
from backends.overlays import ClassMap, Provenance, ScoreMap
from backends.processes import this_machine
from backends.scene import Scene
from backends.session import load_session
from backends.workspace import Pin, Region

NM = "{450, 550, 650, 860, 1600, 2200}"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def field(tmp_path: Path, write_envi: Callable[..., Path]) -> Path:
    cube = np.random.default_rng(0).integers(0, 4000, (40, 60, 6)).astype(np.uint16)
    return write_envi(tmp_path / "field.dat", cube, wavelength=NM)


@pytest.fixture
def write_envi() -> Callable[..., Path]:
    from tests.app.conftest import write_envi

    return write_envi  # type: ignore[no-any-return]


@pytest.fixture
def opened(window: Any, field: Path, qtbot: Any) -> Scene:
    """The field, open in the window with its picture."""
    window.open_paths([field])
    qtbot.waitUntil(lambda: window.workspace.active_scene is not None, timeout=10_000)
    scene = window.workspace.active_scene
    assert isinstance(scene, Scene)
    wait_for_picture(qtbot, window, scene)
    return scene


def wait_for_picture(qtbot: Any, window: Any, scene: Scene) -> None:
    def there() -> bool:
        shown = window.canvas.pictures.shown(scene.id)
        return shown is not None and not shown.coarse

    qtbot.waitUntil(there, timeout=10_000)


def class_map(scene: Scene) -> ClassMap:
    labels = np.ones(scene.shape[:2], np.uint8)
    return ClassMap(
        "Map", scene.id, Provenance("svm"), labels=labels, class_names={1: "Water"}, id="map"
    )


def saved(qtbot: Any, window: Any, path: Path) -> Path:
    handle = save(window, path)
    qtbot.waitUntil(lambda: window.sessions.path is not None, timeout=10_000)
    assert handle.error is None
    return path


def back(qtbot: Any, window: Any, path: Path) -> Scene:
    before = set(window.workspace.scenes)
    open_session(window, path)
    qtbot.waitUntil(lambda: bool(set(window.workspace.scenes) - before), timeout=10_000)
    scene = window.workspace.active_scene
    assert isinstance(scene, Scene)
    wait_for_picture(qtbot, window, scene)
    return scene


def toasts(window: Any) -> list[str]:
    return [toast.text for toast in window.toaster.toasts()]


def test_the_window_comes_back_as_it_was(
    window: Any, opened: Scene, qtbot: Any, tmp_path: Path
) -> None:
    workspace, canvas = window.workspace, window.canvas
    workspace.add_overlay(class_map(opened))
    score = ScoreMap("S", opened.id, Provenance("x"), values=np.ones((40, 60)), id="score")
    workspace.add_overlay(score)
    canvas.board.change(opened.id, "map", opacity=0.25)
    canvas.board.change(opened.id, "score", visible=False)
    ring = np.array([[2.0, 2.0], [2.0, 20.0], [20.0, 20.0]])
    workspace.add_region(Region("Field", opened.id, ring, 1))
    workspace.add_pin(Pin(opened.id, 3, 4, "Pin 1", 2))
    labels = np.zeros((40, 60), np.uint8)
    labels[:5] = 1
    workspace.set_labels(opened.id, labels, {1: "Water"})
    recipe = Recipe("three", "Three bands", (5, 3, 1), "minmax")
    canvas.pictures.ask(opened.id, recipe)
    qtbot.waitUntil(lambda: canvas.pictures.shown(opened.id).recipe.id == "three")
    window.show_workbench("fire")
    camera = window.viewer.scene.camera
    camera.center, camera.zoom = (0.0, 12.0, 34.0), 7.5
    path = saved(qtbot, window, tmp_path / "work.clearband")
    assert window.sessions.unsaved is False
    window.show_workbench("pathology")
    camera.center, camera.zoom = (0.0, 1.0, 1.0), 1.0

    scene = back(qtbot, window, path)
    assert opened.is_closed
    assert scene.id != opened.id
    qtbot.waitUntil(lambda: window.canvas.pictures.shown(scene.id).recipe.id == "three")
    assert canvas.pictures.wanted(scene.id) == recipe
    assert canvas.board.row(scene.id, "map").opacity == 0.25
    assert canvas.board.row(scene.id, "score").visible is False
    assert canvas.overlays.layers("map")[0].opacity == 0.25
    assert canvas.overlays.layers("score")[0].visible is False
    assert [r.name for r in workspace.regions.values()] == ["Field"]
    assert [p.name for p in workspace.pins.values()] == ["Pin 1"]
    np.testing.assert_array_equal(workspace.labels[scene.id].values, labels)
    assert window.workbench == "fire"
    assert tuple(camera.center)[-2:] == (12.0, 34.0)
    assert camera.zoom == 7.5
    assert window.sessions.unsaved is False
    assert workspace.commands.undo_label is None


def test_libraries_come_back_drawn_and_without_a_dialog(
    window: Any, opened: Scene, qtbot: Any, tmp_path: Path
) -> None:
    library = tmp_path / "rocks.csv"
    library.write_text(
        "band,wavelength_nm,good,moss\n"
        + "".join(f"b{n},{400 + 10 * n},1,{n / 200}\n" for n in range(200))
    )
    window.open_paths([library])
    window.show_dock("spectrum")
    curves = window.docks["spectrum"].inner.library
    qtbot.waitUntil(lambda: curves.dialog is not None, timeout=10_000)
    curves.dialog.list.item(0).setCheckState(Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: bool(curves.curves), timeout=10_000)
    curves.dialog.close()
    curves.dialog = None
    path = saved(qtbot, window, tmp_path / "work.clearband")
    back(qtbot, window, path)
    qtbot.waitUntil(lambda: bool(curves.curves), timeout=10_000)
    assert [curve.name for curve in curves.curves.values()] == ["moss"]
    assert curves.dialog is None

    library.unlink()
    back(qtbot, window, path)
    assert any("spectral library rocks is missing" in text for text in toasts(window))
    assert not curves.curves


def test_a_session_opens_like_any_file(
    window: Any, opened: Scene, qtbot: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.clearband"
    bad.write_bytes(b"PK nothing")
    open_session(window, bad)
    qtbot.waitUntil(lambda: any("bad.clearband" in text for text in toasts(window)), timeout=10_000)
    assert window.workspace.active_scene is opened  # a damaged one costs a sentence
    path = saved(qtbot, window, tmp_path / "work")
    assert window.sessions.path == tmp_path / "work.clearband"
    window.close_scene()
    assert not window.workspace.scenes
    window.open_paths([path.with_suffix(".clearband")])
    qtbot.waitUntil(lambda: bool(window.workspace.scenes), timeout=10_000)
    assert str(tmp_path / "work.clearband") == window.settings.recent[0]


def test_what_is_missing_is_said(window: Any, opened: Scene, qtbot: Any, tmp_path: Path) -> None:
    window.workspace.add_overlay(class_map(opened))
    path = saved(qtbot, window, tmp_path / "work.clearband")
    window.close_scene()
    for suffix in (".dat", ".hdr"):
        (tmp_path / f"field{suffix}").rename(tmp_path / f"hidden{suffix}")
    window.sessions.unsaved = False
    open_session(window, path)
    qtbot.waitUntil(lambda: any("is missing" in text for text in toasts(window)), timeout=10_000)
    # Saving again keeps what belongs to the missing scene.
    assert [o.title for o in collect(window, window.sessions.absent).overlays] == ["Map"]


# -- asking ----------------------------------------------------------------------------------


def test_only_unsaved_work_is_asked_about(
    window: Any, opened: Scene, qtbot: Any, tmp_path: Path
) -> None:
    asked: list[str] = []
    answers = ["stay", "lose"]
    window.sessions.ask = lambda deed: asked.append(deed) or answers[len(asked) - 1]
    again: list[bool] = []
    assert window.sessions.may_lose("Close", lambda: again.append(True))
    assert asked == []  # a scene alone is no work
    window.workspace.add_pin(Pin(opened.id, 1, 1, "Pin"))
    assert not window.sessions.may_lose("Close", lambda: again.append(True))
    assert window.sessions.may_lose("Close", lambda: again.append(True))
    assert asked == ["Close", "Close"]
    saved(qtbot, window, tmp_path / "work.clearband")
    assert window.sessions.may_lose("Close", lambda: again.append(True))
    assert again == []
    assert len(asked) == 2
    # Save first, then do it.
    window.workspace.add_pin(Pin(opened.id, 2, 2, "Second"))
    window.sessions.ask = lambda deed: "save"
    assert not window.sessions.may_lose("Close", lambda: again.append(True))
    qtbot.waitUntil(lambda: again == [True], timeout=10_000)
    assert len(load_session(tmp_path / "work.clearband").pins) == 2
    # What changes while it is being written is not in it.
    handle = save(window, tmp_path / "work.clearband")
    window.workspace.add_pin(Pin(opened.id, 3, 3, "Third"))
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=10_000)
    qtbot.wait(50)
    assert window.sessions.unsaved is True


def test_the_menu_has_it_and_the_run_log_is_written(
    window: Any, qtbot: Any, tmp_path: Path
) -> None:
    for name in ("open_session", "save_session", "save_session_as", "save_log"):
        assert f"file.{name}" in window.actions.table
    assert window.sessions.autosaver.offer() is None  # no crash, no offer
    window.workspace.run_log.add("Look", ("info", "a b.dat"))
    handle = window.sessions.save_log(tmp_path / "run.log")
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=5000)
    assert "clearband info 'a b.dat'" in (tmp_path / "run.log").read_text()


# -- autosave --------------------------------------------------------------------------------


def keep(window: Any, qtbot: Any) -> Any:
    handle = window.sessions.autosaver.save_now()
    if handle is not None:
        qtbot.waitUntil(lambda: handle.state.is_final, timeout=10_000)
        assert handle.error is None
    return handle


def test_a_copy_is_kept_when_something_changed(window: Any, opened: Scene, qtbot: Any) -> None:
    autosaver = window.sessions.autosaver
    assert keep(window, qtbot) is not None
    assert autosaver.file.is_file()
    assert autosaver.lock.is_file()
    assert keep(window, qtbot) is None  # nothing changed since
    window.workspace.add_pin(Pin(opened.id, 1, 1, "Pin"))
    assert keep(window, qtbot) is not None
    assert [p.name for p in load_session(autosaver.file).pins] == ["Pin"]
    assert not window.workspace.running_jobs()  # nobody sees it
    assert leftovers() == []  # this window is alive
    window.close_scene()
    assert keep(window, qtbot) is None  # nothing open, nothing kept
    assert not autosaver.file.exists()
    assert not autosaver.lock.exists()


def test_a_copy_that_cannot_be_kept_is_said_once(
    window: Any, opened: Scene, qtbot: Any, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    (own_home / "recovery").write_text("a file where the folder should be")
    for _ in range(2):
        window.workspace.add_pin(Pin(opened.id, 1, 1, "Pin"))
        handle = window.sessions.autosaver.save_now()
        qtbot.waitUntil(lambda handle=handle: handle.state.is_final, timeout=5000)
        qtbot.wait(50)
    told = [text for text in toasts(window) if "No copy of the session" in text]
    assert len(told) == 1
    (own_home / "recovery").unlink()


def crashed(file: Path, **facts: Any) -> Path:
    """Make what a crashed window leaves: a copy and a lock of a process that is gone."""
    folder = recovery_folder()
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / f"crash-{len(list(folder.iterdir()))}.lock"
    gone = next(n for n in range(400_000, 10, -1) if not psutil.pid_exists(n))
    values = {"pid": gone, "since": 1.0, "machine": this_machine(), "session": "", **facts}
    lock.write_text(json.dumps(values))
    lock.with_suffix(".clearband").write_bytes(file.read_bytes())
    return lock


@pytest.fixture
def session_file(window: Any, opened: Scene, qtbot: Any, tmp_path: Path) -> Path:
    window.workspace.add_overlay(class_map(opened))
    path = saved(qtbot, window, tmp_path / "work.clearband")
    window.close_scene()
    window.sessions.path, window.sessions.unsaved = None, False
    return path


def test_a_crash_is_offered_and_restored(window: Any, session_file: Path, qtbot: Any) -> None:
    lock = crashed(session_file, session="/data/forest.clearband")
    autosaver = window.sessions.autosaver
    left = autosaver.offer()
    assert left is not None
    told = next(text for text in toasts(window) if "did not close properly" in text)
    assert "forest.clearband" in told
    autosaver.recover(left)
    qtbot.waitUntil(lambda: bool(window.workspace.overlays), timeout=10_000)
    assert not lock.exists()
    assert autosaver.file.is_file()  # it is this window's copy now
    assert window.sessions.path == Path("/data/forest.clearband")
    assert window.sessions.unsaved is True
    assert autosaver.offer() is None


def test_a_crash_can_be_discarded(tmp_path: Path) -> None:
    (tmp_path / "any.clearband").write_bytes(b"a session")
    lock = crashed(tmp_path / "any.clearband")
    (left,) = leftovers()
    autosave.discard(left)
    assert not lock.exists()
    assert leftovers() == []


def test_whose_a_lock_is(tmp_path: Path) -> None:
    session_file = tmp_path / "any.clearband"
    session_file.write_bytes(b"a session")
    me = psutil.Process()
    alive = crashed(session_file, pid=me.pid, since=me.create_time())
    reused = crashed(session_file, pid=me.pid, since=me.create_time() - 5000)
    elsewhere = crashed(session_file, machine="another")
    half = crashed(session_file)
    half.write_text('{"pid": 12')
    old = crashed(session_file)
    stale = time.time() - 40 * 86400
    os.utime(old.with_suffix(".clearband"), (stale, stale))
    empty = recovery_folder() / "empty.lock"
    empty.write_text("{}")
    found = {left.lock for left in leftovers()}
    assert found == {reused, half}
    assert alive.exists()
    assert elsewhere.exists()
    assert not old.exists()
    assert not old.with_suffix(".clearband").exists()


CRASH = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from app.window import build
from qtpy.QtWidgets import QApplication
from backends.overlays import ClassMap, Provenance

window = build(show=True)
window.open_paths([sys.argv[1]])
def live(true):
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        QApplication.processEvents()
        time.sleep(0.01)
live(lambda: window.workspace.active_scene is not None)
scene = window.workspace.active_scene
labels = np.ones(scene.shape[:2], np.uint8)
window.workspace.add_overlay(
    ClassMap("Hours of work", scene.id, Provenance("x"), labels=labels, class_names={1: "a"})
)
handle = window.sessions.autosaver.save_now()
live(lambda: handle.state.is_final)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_real_window_killed(window: Any, field: Path, qtbot: Any, own_home: Path) -> None:
    """``kill -9`` on a working window; the next one brings its work back."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CLEARBAND_HOME": str(own_home)}
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(field)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = window.sessions.autosaver.offer()
    assert left is not None
    window.sessions.autosaver.recover(left)
    qtbot.waitUntil(lambda: bool(window.workspace.overlays), timeout=10_000)
    titles = [overlay.title for overlay in window.workspace.overlays.values()]
    assert titles == ["Hours of work"]
    assert window.sessions.autosaver.file.is_file()
    window.sessions.close()  # closing properly leaves nothing to recover
    assert list(recovery_folder().iterdir()) == []
