"""A copy of the session each minute, and what a crash left behind offered at the next start.

Each running window has a lock (which process, since when) and, once something
changed, a session beside it. Closing properly removes both. A lock whose
process is gone means a crash: its session is offered.
"""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, QTimer

from app.settings import config_folder
from backends.errors import ClearbandError
from backends.io.writers.atomic import sweep, write_text
from backends.jobs import Job, JobHandle, JobState, Progress, ThreadRunner
from backends.processes import is_alive, this_machine, this_process

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow
    from app.sessions import SessionKeeper

MINUTE_MS = 60_000
# What nobody asked for in a month is not wanted.
KEPT_DAYS = 30
log = logging.getLogger("clearband")


@dataclass(frozen=True)
class Leftover:
    """The session of a window that did not close properly.

    Attributes
    ----------
    lock, session : Path
    saved_at : float
        Seconds since 1970.
    original : str
        The session file it was working on; empty for none.
    """

    lock: Path
    session: Path
    saved_at: float
    original: str

    @property
    def minutes(self) -> int:
        """How old it is."""
        return max(0, round((time.time() - self.saved_at) / 60))


def recovery_folder() -> Path:
    """Return the folder of locks and autosaved sessions."""
    return config_folder() / "recovery"


def leftovers(folder: Path | None = None) -> list[Leftover]:
    """Return what crashed windows of this machine left, newest first.

    Locks without a session, and sessions that are too old, are cleared away.
    """
    folder = folder or recovery_folder()
    found: list[Leftover] = []
    if not folder.is_dir():
        return found
    sweep(folder)
    for lock in sorted(folder.glob("*.lock")):
        owner = _read(lock)
        if is_alive(owner):
            continue
        session = lock.with_suffix(".clearband")
        try:
            saved_at = session.stat().st_mtime
        except OSError:
            _remove(lock)
            continue
        if time.time() - saved_at > KEPT_DAYS * 86400:
            _remove(session)
            _remove(lock)
            continue
        found.append(Leftover(lock, session, saved_at, str(owner.get("session", ""))))
    return sorted(found, key=lambda left: -left.saved_at)


class Autosaver(QObject):
    """Saves a copy of a window's session each minute in which something changed.

    It has a thread of its own: neither a long training nor a quick look waits for it.

    Parameters
    ----------
    window : ClearbandWindow
    keeper : SessionKeeper
    every_ms : int
    """

    def __init__(
        self, window: ClearbandWindow, keeper: SessionKeeper, every_ms: int = MINUTE_MS
    ) -> None:
        super().__init__(window)
        self._window, self._keeper = window, keeper
        self._changed = False
        self._handle: JobHandle[Any] | None = None
        self._runner: ThreadRunner | None = None
        self._complained = False
        self._session = ""
        name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.lock = recovery_folder() / f"{name}.lock"
        self.file = self.lock.with_suffix(".clearband")
        workspace = window.workspace
        for signal in (
            workspace.scene_added,
            workspace.scene_removed,
            workspace.overlay_added,
            workspace.overlay_replaced,
            workspace.overlay_removed,
            workspace.regions_changed,
            workspace.pins_changed,
            workspace.measurements_changed,
            workspace.labels_changed,
            workspace.library_added,
            workspace.libraries_changed,
            workspace.run_log.added,
            window.canvas.pictures.asked,
            window.canvas.board.row_changed,
        ):
            signal.connect(self._note_change)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.save_now)
        self._timer.start(every_ms)

    def note_session(self, path: Path) -> None:
        """Remember which session file the window works on."""
        self._session = str(path)
        if self.lock.exists():
            self._write_lock()

    def save_now(self) -> JobHandle[Any] | None:
        """Save a copy if something changed; None when there is nothing to do."""
        busy = self._handle is not None and not self._handle.state.is_final
        if busy or not self._changed:
            return None
        if not self._window.workspace.scenes:
            self._changed = False
            self._clear()
            return None
        from app.sessions import collect
        from backends.session import save_session

        state = collect(self._window, self._keeper.absent)
        file, first = self.file, not self.lock.exists()

        def run(progress: Progress) -> Path:
            if first:
                self._write_lock()
            return save_session(state, file, compress=False, progress=progress)

        self._changed = False
        self._runner = self._runner or ThreadRunner(1)
        handle: JobHandle[Any] = JobHandle(Job("Keep a copy of the session", run, quiet=True))
        handle.finished.connect(
            lambda done: self._window.workspace.dispatch(lambda: self._after(done))
        )
        self._handle = handle
        self._runner.submit(handle)
        return handle

    def offer(self) -> Leftover | None:
        """Offer the newest session that a crash left; None when there is none."""
        found = leftovers()
        if not found:
            return None
        newest = found[0]
        what = Path(newest.original).name if newest.original else "the session"
        ago = "a moment ago" if newest.minutes < 1 else f"{newest.minutes} min ago"
        if newest.minutes >= 120:
            ago = f"{newest.minutes // 60} h ago"
        self._window.tell(
            f"Clearband did not close properly last time; {what} was kept {ago}.",
            "warning",
            actions=[
                ("Restore", lambda: self.recover(newest)),
                ("Discard", lambda: discard(newest)),
            ],
        )
        return newest

    def recover(self, left: Leftover) -> None:
        """Open what a crash left; its file becomes this window's own copy."""
        try:
            self.lock.parent.mkdir(parents=True, exist_ok=True)
            self._write_lock()
            os.replace(left.session, self.file)
            _remove(left.lock)
        except OSError as error:
            self._window.notify(
                ClearbandError("The kept session is no longer there.", details=repr(error))
            )
            return

        def done() -> None:
            # It is in no file of the user's, and the next save goes where the last one went.
            self._keeper.path = Path(left.original) if left.original else None
            self._keeper.unsaved = True
            self._session = left.original

        self._keeper.open(self.file, done, remember=False)

    def close(self) -> None:
        """The window closes properly: nothing is left to recover."""
        self._timer.stop()
        if self._runner is not None:
            self._runner.shutdown()
        self._clear()

    def _note_change(self, *_: Any) -> None:
        self._changed = True

    def _after(self, handle: JobHandle[Any]) -> None:
        if handle.state is JobState.DONE:
            self._complained = False
        elif handle.state is JobState.FAILED:
            self._changed = True
            log.warning("autosave: %s", handle.details)
            if not self._complained and handle.error is not None:
                self._complained = True
                self._window.tell(
                    f"No copy of the session is being kept: {handle.error}",
                    "warning",
                    details=handle.details,
                )

    def _write_lock(self) -> None:
        facts = {**this_process(), "session": self._session}
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.lock, json.dumps(facts))

    def _clear(self) -> None:
        _remove(self.file)
        _remove(self.lock)


def discard(left: Leftover) -> None:
    """Throw away what a crash left."""
    _remove(left.session)
    _remove(left.lock)


def _read(lock: Path) -> dict[str, Any]:
    try:
        values = json.loads(lock.read_text(encoding="utf-8")[:65536])
    except (OSError, ValueError):
        return {"machine": this_machine()}  # half-written in the crash: its process is gone
    return values if isinstance(values, dict) else {"machine": this_machine()}


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s could not be removed: %r", path.name, error)
