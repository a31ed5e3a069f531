"""One clock for everything that shows progress, so that the window is painted once a beat.

Beside an OpenGL canvas each repaint of any widget puts the whole window together anew.
Where that is done in software it takes 20 ms; two clocks would make it 40.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

from PyQt6 import sip
from PyQt6.QtCore import QCoreApplication, QEvent, QObject, QTimer

BEAT_MS = 250
# Curves are painted by Python, beside a training that wants it too: every 1.5 s is enough.
SLOW = 6


class Pulse(QObject):
    """Calls back with every beat while it is started; all pulses share one timer.

    Parameters
    ----------
    owner : QObject
        The widget it belongs to and ends with.
    callback : bound method
        Called on the window's thread.
    every : int
        Called with the first beat, then with each of this many; all that share a number are
        called, and so painted, together.
    """

    def __init__(self, owner: QObject, callback: Callable[[], None], every: int = 1) -> None:
        super().__init__(owner)
        self._callback = weakref.WeakMethod(callback)
        self._every = every
        self._on = self._fresh = False

    def start(self) -> None:
        """Call back from now on; twice is fine."""
        if not self._on:
            self._on = self._fresh = True
            _clock().add(self)

    def stop(self) -> None:
        """Rest."""
        self._on = False

    def isActive(self) -> bool:
        """Tell whether it calls back."""
        return self._on

    def beat(self, number: int = 0) -> None:
        """Call back once, if it is its turn."""
        callback = self._callback()
        if self._on and callback is not None and (self._fresh or number % self._every == 0):
            self._fresh = False
            callback()


class _Clock(QTimer):
    """The timer; it rests while no pulse is started."""

    def __init__(self, parent: QObject | None) -> None:
        super().__init__(parent)
        self._pulses: list[weakref.ref[Pulse]] = []
        self._count = 0
        self.setInterval(BEAT_MS)
        self.timeout.connect(self._on_beat)

    def add(self, pulse: Pulse) -> None:
        """Count a pulse in."""
        self._pulses.append(weakref.ref(pulse))
        if not self.isActive():
            self.start()

    def _on_beat(self) -> None:
        self._count += 1
        alive = [p for p in (ref() for ref in self._pulses) if p is not None]
        alive = [p for p in alive if not sip.isdeleted(p) and p.isActive()]
        for pulse in alive:
            pulse.beat(self._count)
        # New texts ask for a layout; done now, it is painted with them and not after them.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        self._pulses = [weakref.ref(p) for p in alive if p.isActive()]
        if not self._pulses:
            self.stop()


_clocks: list[_Clock] = []


def _clock() -> _Clock:
    if not _clocks or sip.isdeleted(_clocks[0]):
        _clocks[:] = [_Clock(QCoreApplication.instance())]
    return _clocks[0]
