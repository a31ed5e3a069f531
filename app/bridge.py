"""From worker threads to the window's thread, and from many events to one a frame."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from psygnal import EmitLoopError
from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from backends.errors import ClearbandError

FRAME_MS = 16
log = logging.getLogger("clearband")


class Bridge(QObject):
    """Runs callbacks on the thread it was made on, in the order they came.

    Parameters
    ----------
    on_error : callable
        Told of a `ClearbandError` that a callback raised. Anything else is a defect and
        goes the way of all unexpected errors.
    """

    _queued = pyqtSignal(object)

    def __init__(
        self, on_error: Callable[[ClearbandError], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._on_error = on_error
        self._open = True
        self._queued.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def main_thread_dispatch(self, callback: Callable[[], None]) -> None:
        """Run a callback on the window's thread, soon. Safe from every thread."""
        if self._open:
            try:
                self._queued.emit(callback)
            except RuntimeError:  # the window is gone: nobody waits for the answer
                self._open = False

    def close(self) -> None:
        """Let nothing through any more."""
        self._open = False

    def _run(self, callback: Callable[[], None]) -> None:
        if not self._open:
            return
        try:
            callback()
        except (ClearbandError, EmitLoopError) as error:
            plain = plain_error(error)
            if plain is None:
                raise
            self._on_error(plain)


def plain_error(error: BaseException) -> ClearbandError | None:
    """Return the sentence for the user inside an error, also one that a signal wrapped."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ClearbandError):
        seen = seen.__cause__ if isinstance(seen, EmitLoopError) else None
    return seen


class Latest(QObject):
    """Calls a function with the newest arguments only, at most once in ``interval`` ms.

    The first call of a burst is made at once, so that a click answers immediately.
    """

    def __init__(
        self,
        function: Callable[..., None],
        interval: int = FRAME_MS,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._function = function
        self._waiting: tuple[Any, ...] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(interval)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._flush)

    def __call__(self, *args: Any) -> None:
        if self._timer.isActive():
            self._waiting = args
            return
        self._timer.start()
        self._function(*args)

    def drop(self) -> None:
        """Forget a call that has not been made yet."""
        self._waiting = None

    def _flush(self) -> None:
        if self._waiting is not None:
            args, self._waiting = self._waiting, None
            self._timer.start()
            self._function(*args)
