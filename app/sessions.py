"""The window's session: saved, opened, asked about before it is lost.

`app.autosave` keeps a copy on its own; this is what the File menu does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject
from PyQt6.QtWidgets import QFileDialog, QMessageBox

from app.actions import Action
from app.autosave import Autosaver
from app.frames import Frame, frame_of
from app.workbenches import WORKBENCHES
from backends.io.writers.atomic import write_text
from backends.jobs import Job, JobHandle, Progress
from backends.session import SUFFIX, SessionState, collect_state, load_session, save_session
from backends.session_records import LayerRecord, ViewRecord
from backends.session_restore import Opened, open_scenes, restore

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

FILES = f"Clearband sessions (*{SUFFIX})"


def collect(window: ClearbandWindow, absent: SessionState | None = None) -> SessionState:
    """Return the session of a window. Cheap: the window's thread does it.

    Parameters
    ----------
    absent : SessionState, optional
        What belongs to scenes that an opened session did not find.
    """
    canvas, workspace = window.canvas, window.workspace
    recipes = {}
    for scene_id in workspace.scenes:
        recipe = canvas.pictures.wanted(scene_id)
        if recipe is not None:
            recipes[scene_id] = recipe
    camera = window.viewer.scene.camera
    layers = {
        row.id: LayerRecord(visible=row.visible, opacity=row.opacity, choice=row.choice)
        for scene_id in workspace.scenes
        for row in canvas.board.rows(scene_id)
        if row.id in workspace.overlays
    }
    view = ViewRecord(
        center=[float(value) for value in camera.center],
        zoom=float(camera.zoom) if camera.zoom > 0 else None,
        layers=layers,
    )
    return collect_state(
        workspace, recipes=recipes, view=view, workbench=window.workbench, absent=absent
    )


class SessionKeeper(QObject):
    """Saves, opens and watches over the session of a window.

    Parameters
    ----------
    window : ClearbandWindow

    Attributes
    ----------
    path : Path or None
        Where the session was saved or opened last.
    unsaved : bool
        Whether something made by the user or a model is in no session file.
    absent : SessionState
        What belongs to scenes that the opened session did not find; saved again with the rest.
    """

    def __init__(self, window: ClearbandWindow) -> None:
        super().__init__(window)
        self._window = window
        self.path: Path | None = None
        self.unsaved = False
        self._changes = 0
        self.absent = SessionState()
        self._view: ViewRecord | None = None
        # Tests put their own answers here.
        self.ask: Callable[[str], str] = self._ask
        workspace = window.workspace
        for signal in (
            workspace.overlay_added,
            workspace.overlay_replaced,
            workspace.overlay_removed,
            workspace.regions_changed,
            workspace.pins_changed,
            workspace.measurements_changed,
            workspace.labels_changed,
        ):
            signal.connect(self._on_change)
        window.canvas.pictures.shown_changed.connect(self._on_shown)
        window.opener.takers.append(self.take)
        self.autosaver = Autosaver(window, self)
        self._add_actions()

    def close(self) -> None:
        """The window closes properly: no recovery is needed."""
        self.autosaver.close()

    # -- menu ----------------------------------------------------------------------------

    def _add_actions(self) -> None:
        window = self._window
        window.actions.add(
            Action(
                "file.open_session",
                "Open session…",
                self.ask_open,
                "File",
                group=40,
                help="Open a saved session in place of what is open.",
            ),
            Action(
                "file.save_session",
                "Save session",
                lambda: self.ask_save(),
                "File",
                "Ctrl+S",
                40,
                enabled=window.has_scene,
                help="Keep scenes, results, regions, pins, labels and the view in one file.",
            ),
            Action(
                "file.save_session_as",
                "Save session as…",
                lambda: self.ask_save_as(),
                "File",
                "Ctrl+Shift+S",
                40,
                enabled=window.has_scene,
            ),
            Action(
                "file.save_log",
                "Save run log…",
                self.ask_save_log,
                "File",
                group=50,
                help="Write what was done as commands; 'clearband replay' does it again.",
            ),
        )

    def ask_save(self, then: Callable[[], Any] | None = None) -> None:
        """Save where it was saved last, or ask where.

        Parameters
        ----------
        then : callable, optional
            Called when it is saved.
        """
        if self.path is None:
            self.ask_save_as(then)
        else:
            self.save(self.path, then)

    def ask_save_as(self, then: Callable[[], Any] | None = None) -> None:
        """Ask where to save."""
        name, _ = QFileDialog.getSaveFileName(
            self._window.qt_window, "Save session", self._proposal(SUFFIX), FILES
        )
        if name:
            self.save(Path(name), then)

    def ask_open(self) -> None:
        """Ask which session to open."""
        name, _ = QFileDialog.getOpenFileName(
            self._window.qt_window, "Open session", str(self._folder()), FILES
        )
        if name:
            self.open(Path(name))

    def ask_save_log(self) -> None:
        """Ask where to write the run log."""
        if not self._window.workspace.run_log.lines:
            self._window.tell("Nothing was done yet that a log could repeat.", "info")
            return
        name, _ = QFileDialog.getSaveFileName(
            self._window.qt_window, "Save run log", self._proposal(".log"), "Run logs (*.log)"
        )
        if name:
            self.save_log(Path(name))

    # -- doing it ------------------------------------------------------------------------

    def save(self, path: Path, then: Callable[[], Any] | None = None) -> JobHandle[Path]:
        """Save the session in a job; the old file stays until the new one is complete."""
        path = path if path.suffix else path.with_suffix(SUFFIX)
        state, changes = collect(self._window, self.absent), self._changes

        def run(progress: Progress) -> Path:
            return save_session(state, path, progress=progress)

        def done(written: Path) -> None:
            self.path = written
            # What was changed while it was being written is not in it.
            self.unsaved = self._changes != changes
            self._remember(written)
            self.autosaver.note_session(written)
            for note in state.notes:
                self._window.tell(note, "warning")
            self._window.tell(f"Session saved as {written.name}.", "info")
            if then is not None:
                then()

        job = Job(f"Save session {path.name}", run)
        return self._window.workspace.submit(job, on_result=done)

    def open(
        self, path: Path, done: Callable[[], None] | None = None, *, remember: bool = True
    ) -> JobHandle[tuple[Opened, dict[str, Frame]]] | None:
        """Open a session in a job, in place of what is open; None when the user thought better.

        Parameters
        ----------
        done : callable, optional
            Called when it is open.
        remember : bool
            False for a copy that is no file of the user's.
        """
        if not self.may_lose("Open another", lambda: self.open(path, done, remember=remember)):
            return None

        def run(progress: Progress) -> tuple[Opened, dict[str, Frame]]:
            state = load_session(path, progress=progress)
            opened = open_scenes(state, path, progress=progress)
            # Coordinate systems are looked up here, not on the window's thread.
            return opened, {scene.id: frame_of(scene) for scene in opened.scenes.values()}

        def take(result: tuple[Opened, dict[str, Frame]]) -> None:
            self._put(*result)
            self.unsaved = False
            if remember:
                self.path = path
                self._remember(path)
                self.autosaver.note_session(path)
            if done is not None:
                done()

        job = Job(f"Open session {path.name}", run)
        return self._window.workspace.submit(job, on_result=take)

    def take(self, path: Path) -> bool:
        """Open a dropped or named file if it is a session."""
        if path.suffix.lower() != SUFFIX:
            return False
        self.open(path)
        return True

    def save_log(self, path: Path) -> JobHandle[Path]:
        """Write the run log in a job."""
        text = self._window.workspace.run_log.text()

        def run(progress: Progress) -> Path:
            write_text(path, text)
            return path

        def done(written: Path) -> None:
            self._window.tell(f"Repeat it with: clearband replay {written.name}", "info")

        return self._window.workspace.submit(Job(f"Write {path.name}", run), on_result=done)

    def may_lose(self, deed: str, again: Callable[[], Any]) -> bool:
        """Ask before unsaved work is lost; True when it may be, or is nothing.

        Parameters
        ----------
        deed : str
            What is about to happen, for the button.
        again : callable
            Does the deed; called once the work is saved, when that is what the user wants.
        """
        if not self.unsaved or not self._has_work():
            return True
        answer = self.ask(deed)
        if answer == "save":
            self.ask_save(again)
            return False
        return answer == "lose"

    # -- inside --------------------------------------------------------------------------

    def _put(self, opened: Opened, frames: dict[str, Frame]) -> None:
        """Put an opened session on the canvas."""
        window, canvas = self._window, self._window.canvas
        state = opened.state
        known = {bench.id for bench in WORKBENCHES}
        if state.workbench in known and state.workbench != window.workbench:
            window.show_workbench(state.workbench)
        canvas.stage.frames.update(frames)
        self._view = state.view
        restored = restore(opened, window.workspace)
        for scene_id, recipe in restored.recipes.items():
            canvas.pictures.ask(scene_id, recipe)
        for overlay in window.workspace.overlays.values():
            record = state.view.layers.get(overlay.id)
            if record is not None:
                canvas.board.change(
                    overlay.scene_id,
                    overlay.id,
                    visible=record.visible,
                    opacity=record.opacity,
                    choice=record.choice,
                )
        self.absent = restored.absent
        for note in restored.notes:
            window.tell(note, "warning")

    def _on_shown(self, scene_id: str) -> None:
        """Look where the session looked, once its picture is there."""
        view, scene = self._view, self._window.workspace.active_scene
        if view is None or scene is None or scene.id != scene_id:
            return
        self._view = None
        camera = self._window.viewer.scene.camera
        if len(view.center) == len(camera.center):
            camera.center = tuple(view.center)
        if view.zoom is not None:
            camera.zoom = view.zoom

    def _on_change(self, *_: Any) -> None:
        self._changes += 1
        self.unsaved = True

    def _has_work(self) -> bool:
        workspace = self._window.workspace
        made = (workspace.overlays, workspace.regions, workspace.pins)
        return any(made) or any(sheet.class_names for sheet in workspace.labels.values())

    def _ask(self, deed: str) -> str:
        """Ask what to do about unsaved work: "save", "lose" or "stay"."""
        box = QMessageBox(self._window.qt_window)
        box.setWindowTitle("Session not saved")
        box.setText("Save the session first?")
        box.setInformativeText("Results, regions, pins and labels are in no session file yet.")
        save = box.addButton("Save", QMessageBox.ButtonRole.AcceptRole)
        lose = box.addButton(f"{deed} without saving", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton("Go on working", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(save)
        box.exec()
        clicked = box.clickedButton()
        return "save" if clicked is save else "lose" if clicked is lose else "stay"

    def _remember(self, path: Path) -> None:
        self._window.settings.remember(path)
        for told in self._window.opener.on_remembered:
            told()

    def _folder(self) -> Path:
        if self.path is not None:
            return self.path.parent
        recent = self._window.settings.recent
        return Path(recent[0]).parent if recent else Path.home()

    def _proposal(self, suffix: str) -> str:
        scene = self._window.workspace.active_scene
        if self.path is not None:
            return str(self.path.with_suffix(suffix))
        stem = "session" if scene is None or scene.info.path is None else scene.info.path.stem
        return str(self._folder() / f"{stem}{suffix}")


def save(window: ClearbandWindow, path: Path) -> JobHandle[Path]:
    """Save the session of a window in a job."""
    return window.sessions.save(path)


def open_session(window: ClearbandWindow, path: Path) -> None:
    """Open a session in a window, in place of what is open."""
    window.sessions.open(path)
