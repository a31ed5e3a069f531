"""The main window: napari's canvas in the middle, Clearband's docks and menus around it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QEvent, QObject, QTimer
from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QMainWindow, QMessageBox, QWidget

import resources
from app.actions import Actions
from app.bridge import Bridge
from app.canvas import Canvas
from app.chrome import KeyGuard, WorkbenchBar, place_window, take_geometry, tokens
from app.collector import Collector
from app.fire_workbench import LineCanvas
from app.looking import Looking
from app.measuring import Measuring
from app.menus import add_all, add_recent
from app.napari_panels import NapariPanels
from app.opening import Opener
from app.pairing import Pairing
from app.samples import SAMPLES, downloads, sample
from app.sessions import SessionKeeper
from app.settings import load_settings, save_settings
from app.spectral_caching import SpectralCaching
from app.spectral_tools import CanvasSight
from app.status import StatusBar
from app.tools import Tools
from app.warm_up import import_what_comes_next
from app.watching import Watch
from app.workbenches import DockBook, workbench
from backends.errors import ClearbandError, NeedsChoice
from backends.jobs import Job, JobHandle, JobState, Runner, ThreadRunner
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.measuring.board import MeasureBoard
from widgets.pairs.board import PairBoard
from widgets.perimeter.board import LineBoard
from widgets.regions.wand_board import WandBoard
from widgets.toast import Toast, Toaster
from widgets.welcome import SampleCard, Welcome

if TYPE_CHECKING:
    import napari

# napari turns, swaps and tiles the axes with these: our pictures are flat, and an outline
# cannot be drawn on one that lies in space.
FLAT_KEYS = ("Control-Y", "Control-E", "Control-T", "Control-G", "Alt-Up", "Alt-Down")

log = logging.getLogger("clearband")


class ClearbandWindow(QObject):
    """The window and what belongs to it.

    Attributes
    ----------
    viewer : napari.Viewer
    workspace : Workspace
    canvas : Canvas
        Layers, boards, drawing, mouse.
    docks : dict of str to Dock
        Those loaded so far, by id.
    looking : Looking
        Magnification, what is in view, overview.
    tools : Tools
        What keys do to the active scene.
    actions : Actions
        Everything that menus, keys and the palette can do.
    opener : Opener
    sessions : SessionKeeper
        Saves and opens sessions, keeps a copy each minute.
    settings : Settings
    """

    def __init__(self, viewer: napari.Viewer, runner: Runner | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self.collector = Collector(self)
        self.settings = load_settings()
        self.qt_window: QMainWindow = viewer.window._qt_window
        self._closing = False
        center = self.qt_window.centralWidget()
        assert center is not None
        self._center: QWidget = center
        self.toaster = Toaster(center)
        self._bridge = Bridge(self.notify, self)
        self.workspace = Workspace(
            runner or ThreadRunner(), dispatch=self._bridge.main_thread_dispatch
        )
        self.canvas = Canvas(viewer, self.workspace, self.notify)
        self.opener = Opener(self.canvas, self.settings, self.tell, self.qt_window)
        self.spectra = SpectralCaching(self.workspace, self.settings, self.tell, self)
        self.canvas.click_pins = self._click_pins
        self.sight = CanvasSight(self.canvas)
        self.lines = LineBoard()
        self.line_canvas = LineCanvas(
            self.workspace, self.canvas.stage, self.canvas.board, self.lines
        )
        self.measures = MeasureBoard()
        self.measuring = Measuring(
            self.canvas, self.measures, viewer.window._qt_viewer.canvas.native
        )
        self.wand = WandBoard()
        self.canvas.click_takers.insert(
            0, lambda scene_id, row, col: self.wand.touch(scene_id, round(row), round(col))
        )
        self.pair = PairBoard()
        self.pairing = Pairing(self.canvas, self.pair, self.measures)
        boards = {
            "sight": self.sight,
            "wand": self.wand,
            "measures": self.measures,
            "pair": self.pair,
            "open_files": self.opener.ask_files,
            "lines": self.lines,
            "board": self.canvas.board,
            "pictures": self.canvas.pictures,
            "visible": self.canvas.visible_window,
            "do": lambda action_id: self.actions.run(action_id),
            "open_file": lambda path: self.opener.open_paths([path]),
        }
        self.book = DockBook(self.qt_window, self.workspace, boards)
        self.docks = self.book.docks
        self.workbench = workbench(self.settings.workbench).id
        self._layout_of: str | None = None
        self._dress()
        self.status = StatusBar(self.canvas)
        self.status.jobs_clicked.connect(lambda: self.toggle_dock("jobs"))
        self._put_status()
        self.actions = Actions(self.qt_window)
        self._put_away_napari_menus()
        self.bar = WorkbenchBar(self.show_workbench, self.qt_window)
        menu_bar = self.qt_window.menuBar()
        assert menu_bar is not None
        menu_bar.setNativeMenuBar(False)  # the workbenches stand in its corner on every system
        menu_bar.setCornerWidget(self.bar)
        self.bar.mark(self.workbench)
        self.tools = Tools(self)
        self.looking = Looking(self)
        add_all(self)
        self.sessions = SessionKeeper(self)
        self.actions.take_keys()
        self.opener.on_remembered.append(self._on_remembered)
        self.welcome = Welcome(
            self.settings.recent,
            [
                SampleCard(
                    s.id, s.title, s.about, workbench(s.workbench).title, s.terms, s.cost, s.licence
                )
                for s in (*SAMPLES, *downloads())
            ],
            center,
        )
        self._wire()
        self._warm_timer = QTimer(self)
        self._warm_timer.setSingleShot(True)
        self._warm_timer.timeout.connect(self._warm_up)
        self._cold: list[str] = []
        self._settle_timer = QTimer(self)
        self._settle_timer.setSingleShot(True)
        self._settle_timer.setInterval(1000)
        self._settle_timer.timeout.connect(self._keep_recent)
        self._show_welcome(True)

    # -- made once -----------------------------------------------------------------------

    def _dress(self) -> None:
        """Hide napari's own panels; they stay within reach in the View menu."""
        from napari.settings import get_settings

        chosen = get_settings()
        chosen.application.confirm_close_window = False
        chosen.application.save_window_geometry = False
        chosen.appearance.update_status_based_on_layer = False
        qt_viewer = self.viewer.window._qt_viewer
        self.panels = NapariPanels(self.viewer)
        qt_viewer.show_welcome_screen = False
        layout = self._center.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
        self.viewer.events.theme.connect(self._on_theme)
        self.viewer.theme = self.settings.theme
        self._on_theme()
        for key in FLAT_KEYS:
            self.viewer.bind_key(key, _leave_flat, overwrite=True)
        self.viewer.title = "Clearband"
        self.qt_window.setWindowIcon(QIcon(str(resources.path("icons", "clearband.svg"))))

    def _on_theme(self, event: Any = None) -> None:
        """Lay our few tokens over napari's sheet, which each change of theme sets anew."""
        sheet = self.qt_window.styleSheet()
        ours = tokens(self.viewer.theme)
        if ours not in sheet:
            self.qt_window.setStyleSheet(sheet + ours)

    def _put_status(self) -> None:
        """Stand in napari's status bar in the place of its own words."""
        bar = self.qt_window.statusBar()
        assert bar is not None
        for child in bar.findChildren(QWidget):
            if child.parent() is bar:
                child.hide()
        bar.addWidget(self.status, 1)
        bar.setSizeGripEnabled(False)

    def _put_away_napari_menus(self) -> None:
        window = self.viewer.window
        menu_bar = self.qt_window.menuBar()
        assert menu_bar is not None
        for name in ("file", "view", "layers", "plugins", "window", "help"):
            menu = getattr(window, f"{name}_menu")
            menu_bar.removeAction(menu.menuAction())
            self.actions.embed(f"View/napari/{name.title()}", menu)

    def _wire(self) -> None:
        workspace, welcome = self.workspace, self.welcome
        workspace.scene_added.connect(self._on_scene_added)
        workspace.scene_removed.connect(self._on_scene_removed)
        workspace.active_scene_changed.connect(self._on_active_scene)
        workspace.job_finished.connect(self._on_job_finished)
        workspace.commands.changed.connect(self.actions.refresh)
        welcome.open_clicked.connect(self.opener.ask_files)
        welcome.folder_clicked.connect(self.opener.ask_folder)
        welcome.recent_clicked.connect(lambda path: self.open_paths([path]))
        welcome.sample_clicked.connect(self.open_sample)
        self.watch = Watch(workspace, self.tell, lambda path: self.open_paths([path]), self)
        self._key_guard = KeyGuard(self)
        self.qt_window.setAcceptDrops(True)
        for target in (self.qt_window, self.viewer.window._qt_viewer, welcome):
            target.installEventFilter(self)

    # -- messages ------------------------------------------------------------------------

    def tell(self, text: str, kind: str = "info", **more: Any) -> Toast:
        """Show a message in the corner; see `widgets.toast.Toaster.show`."""
        return self.toaster.show(text, kind, **more)

    def notify(self, error: ClearbandError, details: str = "") -> Toast:
        """Show an error in one sentence; its details on request."""
        return self.tell(str(error), "error", details=details or error.details)

    def notify_unexpected(self, error: BaseException) -> None:
        """Say that something of ours broke; the traceback only in the details."""
        details = "".join(traceback.format_exception(error))
        log.error("unexpected problem\n%s", details)
        self.tell(
            "Something unexpected went wrong. Nothing that was open is lost; "
            "the details help us to mend it.",
            "error",
            details=details,
        )

    def _on_job_finished(self, handle: JobHandle[Any]) -> None:
        if handle.state is not JobState.FAILED or handle.error is None:
            return
        if isinstance(handle.error, NeedsChoice) and self.opener.choice_dialog is not None:
            return
        # A look under the mouse that failed is shown where the mouse is, not here.
        if not handle.job.quiet or handle.job.topic == "composite":
            self.notify(handle.error, handle.details)

    # -- scenes --------------------------------------------------------------------------

    def open_paths(self, paths: Sequence[str | Path]) -> list[JobHandle[Any]]:
        """Open files or folders, each in a job."""
        return list(self.opener.open_paths(paths))

    def open_sample(self, sample_id: str) -> JobHandle[Any]:
        """Open a sample at the workbench it belongs to."""
        self.show_workbench(sample(sample_id).workbench)
        return self.opener.open_sample(sample_id)

    def has_scene(self) -> bool:
        """Tell whether a scene is open."""
        return self.workspace.active_scene is not None

    def close_scene(self) -> None:
        """Close the active scene."""
        scene = self.workspace.active_scene
        if scene is not None:
            self.workspace.remove_scene(scene.id)

    def _on_scene_added(self, scene: Scene) -> None:
        if self._layout_of is None:
            self._show_welcome(False)
            self.show_workbench(self.workbench)

    def _on_scene_removed(self, scene_id: str) -> None:
        if not self.workspace.scenes:
            self._keep_layout()
            self._layout_of = None
            self.book.hide_all()
            self._show_welcome(True)

    def _on_active_scene(self, scene: Scene | None) -> None:
        self.viewer.title = f"{scene.title} – Clearband" if scene else "Clearband"

    def _show_welcome(self, on: bool) -> None:
        if on:
            self.welcome.set_recent(self.settings.recent)
            self.welcome.setGeometry(self._center.rect())
            self.welcome.show()
            self.welcome.raise_()
            for toast in self.toaster.toasts():
                toast.raise_()
        else:
            self.welcome.hide()

    # -- workbenches and docks -----------------------------------------------------------

    def show_workbench(self, workbench_id: str) -> None:
        """Turn to a workbench; its arrangement is as it was left."""
        self._keep_layout()
        self.workbench = workbench(workbench_id).id
        self.settings.workbench = self.workbench
        self.bar.mark(self.workbench)
        if self.workspace.scenes:
            self._cold.clear()
            self.book.show_workbench(self.workbench, self.settings.layouts.get(self.workbench))
            self._layout_of = self.workbench
        self._save_settings()

    def reset_layout(self) -> None:
        """Put the docks back where they are planned."""
        self.settings.layouts.pop(self.workbench, None)
        self.book.show_workbench(self.workbench)
        self._layout_of = self.workbench

    def show_dock(self, dock_id: str) -> None:
        """Show a dock and bring it to the front."""
        self.book.show(dock_id)

    def dock_is_shown(self, dock_id: str) -> bool:
        """Tell whether a dock is on the desk."""
        dock = self.docks.get(dock_id)
        return dock is not None and not dock.isHidden()

    def toggle_dock(self, dock_id: str) -> None:
        """Show a dock, or hide it."""
        if self.dock_is_shown(dock_id):
            self.docks[dock_id].hide()
        else:
            self.show_dock(dock_id)

    def _click_pins(self) -> bool:
        """A click pins while spectra are on the desk and no dock in front asks for a pixel."""
        if self.lines.tool or self.measures.tool or self.pair.tying:
            return False
        asking = ("explain", "concepts", "matrices", "clusters", "fire", "perimeter", "measure")
        inner = (self.docks.get(dock_id) for dock_id in asking)
        front = any(dock is not None and not dock.visibleRegion().isEmpty() for dock in inner)
        return self.dock_is_shown("spectrum") and not front

    def _keep_layout(self) -> None:
        if self._layout_of is not None:
            self.settings.layouts = {
                **self.settings.layouts,
                self._layout_of: self.book.layout(),
            }

    def _warm_up(self) -> None:
        """Make the docks of the workbench while nobody waits, one at a time."""
        if self._closing:
            return
        if self._cold:
            self.book.load(self._cold.pop(0))
            self._warm_timer.start(30)
            return

        self.workspace.submit(Job("Get ready", lambda _: import_what_comes_next(), quiet=True))

    # -- looks and help ------------------------------------------------------------------

    def toggle_theme(self) -> None:
        """Change between dark and light."""
        self.settings.theme = "light" if self.settings.theme == "dark" else "dark"
        self.viewer.theme = self.settings.theme
        self._save_settings()

    def toggle_full_screen(self) -> None:
        """Fill the screen, or not."""
        self.viewer.window._toggle_fullscreen()

    def show_palette(self) -> None:
        """Open the command palette with our own entries first."""
        commands = self.viewer.window._qt_window._command_palette._list.all_commands
        commands.sort(key=lambda c: not c.id.startswith("clearband:"))
        self.viewer.window._toggle_command_palette()

    # -- life ----------------------------------------------------------------------------

    def show(self) -> None:
        """Show the window where it was last time."""
        place_window(self.qt_window, self.settings.geometry)
        self.qt_window.show()
        bench = workbench(self.workbench)
        self._cold = [d for d in bench.docks if d not in self.docks]
        self._warm_timer.start(200)

    def ask_to_close(self) -> None:
        """Close, after asking when jobs are running."""
        self.qt_window.close()

    def close(self) -> None:
        """Close without asking: jobs stop, files are let go, threads end."""
        self._shut_down()
        self.viewer.close()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take dropped files, keep the welcome page in size, ask before closing."""
        if event is None or self._closing:
            return False
        kind = event.type()
        if kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop):
            return self._on_drag(event)
        if watched is self.qt_window and kind == QEvent.Type.Close:
            if not self._may_close():
                event.ignore()
                return True
            self._shut_down()
        return False

    def _on_drag(self, event: Any) -> bool:
        urls = [u for u in event.mimeData().urls() if u.isLocalFile()]
        if not urls:
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self.open_paths([u.toLocalFile() for u in urls])
        return True

    def _may_close(self) -> bool:
        running = self.workspace.running_jobs()
        if not running:
            return self.sessions.may_lose("Close", self.ask_to_close)
        names = "\n".join(f"•  {handle.job.title}" for handle in running[:8])
        box = QMessageBox(self.qt_window)
        box.setWindowTitle("Jobs are running")
        box.setText("Stop what is running and close?")
        box.setInformativeText(names)
        stop = box.addButton("Stop and close", QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton("Go on working", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.exec()
        if box.clickedButton() is not stop:
            return False
        return self.sessions.may_lose("Close", self.ask_to_close)

    def _shut_down(self) -> None:
        if self._closing:
            return
        self._closing = True
        self.collector.stop()
        self._keep_layout()
        self.settings.geometry = take_geometry(self.qt_window)
        self._save_settings()
        self._warm_timer.stop()
        self._settle_timer.stop()
        self.watch.stop()
        self.spectra.stop()
        self.sessions.close()
        self._key_guard.stop()
        for target in (self.qt_window, self.viewer.window._qt_viewer, self.welcome):
            target.removeEventFilter(self)
        self.looking.close()
        self.sight.close()
        self.measuring.close()
        self.pairing.close()
        self.canvas.close()
        self.workspace.close()
        self.workspace.jobs.clear()  # what they would have told is of no use any more
        self._bridge.close()
        self.actions.close()
        self.viewer._layer_slicer.shutdown()

    def _on_remembered(self) -> None:
        self._settle_timer.start()

    def _keep_recent(self) -> None:
        """Write down what was opened, once its picture is there."""
        if self._closing:
            return
        add_recent(self)
        kept = self.settings.model_copy(deep=True)
        job = Job("Keep settings", lambda _: save_settings(kept), topic="settings", quiet=True)
        self.workspace.submit(job)

    def _save_settings(self) -> None:
        try:
            save_settings(self.settings)
        except ClearbandError as error:
            log.warning("settings not saved: %s", error)


def _leave_flat(viewer: Any) -> None:
    """Do nothing at one of napari's `FLAT_KEYS`."""
