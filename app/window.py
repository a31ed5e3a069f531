"""Make the window and run it: what ``clearband [PATH…]`` does."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import resources
from app import lines_left
from app.bridge import plain_error
from app.first_look import FirstLook
from app.gl_guard import agree_on_window_system, guard_context
from app.main_window import ClearbandWindow
from app.settings import config_folder
from backends.jobs import Runner

if TYPE_CHECKING:
    import napari

__all__ = ["ClearbandWindow", "build", "run"]


def build(
    show: bool = True, *, viewer: napari.Viewer | None = None, runner: Runner | None = None
) -> ClearbandWindow:
    """Make the window.

    Parameters
    ----------
    viewer : napari.Viewer, optional
        Use this one (tests) instead of a new one.
    runner : Runner, optional
        Where jobs run; default threads.
    """
    if viewer is None:
        _prepare()
        import napari

        viewer = napari.Viewer(show=False, show_welcome_screen=False, title="Clearband")
    guard_context()
    # A worker's Python lets the window's thread in after 1 ms instead of 5.
    sys.setswitchinterval(0.001)
    window = ClearbandWindow(viewer, runner)
    # The window lives as long as the Qt window does.
    window.qt_window.clearband = window  # type: ignore[attr-defined]
    if show:
        window.show()
    return window


def run(paths: Sequence[str | Path] = (), demo: bool = False) -> int:
    """Open the window with some files and stay until it is closed."""
    _prepare()
    from napari._qt.qt_event_loop import get_qapp

    application = get_qapp(app_name="Clearband", icon=str(resources.path("icons", "clearband.svg")))
    window = build()
    _catch_everything(window)
    offer_what_was_left(window)
    window.open_paths(paths)
    # napari collects garbage with each layer that goes; modules need not be gone through each time.
    gc.freeze()
    # Kept in a name: signals hold what they call only weakly.
    look = FirstLook(window) if demo else None
    code = int(application.exec())
    del look
    return code


def offer_what_was_left(window: ClearbandWindow) -> None:
    """Offer what a crash left: the session, which brings its lines, or a line alone."""
    if window.sessions.autosaver.offer() is None:
        lines_left.offer(window)


def _prepare() -> None:
    """Settle what must be known before Qt and napari are imported."""
    agree_on_window_system()
    if "napari" not in sys.modules:  # our choices stay apart from those of a plain napari
        folder = config_folder()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("NAPARI_CONFIG", str(folder / "napari.yaml"))


def _catch_everything(window: ClearbandWindow) -> None:
    """No traceback reaches a terminal or a user: a sentence, and details on request."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.ask_to_close()
        elif (plain := plain_error(error)) is not None:
            window.notify(plain)
        else:
            window.notify_unexpected(error)

    def in_thread(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value
        if error is not None and not isinstance(error, SystemExit):
            window.workspace.dispatch(lambda: window.notify_unexpected(error))

    sys.excepthook = hook
    threading.excepthook = in_thread
