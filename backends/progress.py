"""What a running job reports to, and by which it is told to pause, to end or to stop.

The window or the command line raises a flag of the `CancelToken`; the job looks at it
whenever it calls `Progress.check`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any, TypeVar

from backends.errors import Cancelled

T = TypeVar("T")


class CancelToken:
    """Flags one thread raises and another looks at: stop, hold on, that is enough."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._enough = threading.Event()

    def cancel(self) -> None:
        """Ask for the end, whatever becomes of the work."""
        self._cancelled.set()
        self._going.set()

    def pause(self) -> None:
        """Ask to wait where it is."""
        self._going.clear()

    def resume(self) -> None:
        """Ask to go on."""
        self._going.set()

    def finish(self) -> None:
        """Ask to end soon and to hand over what there is; a paused job goes on for that."""
        self._enough.set()
        self._going.set()

    @property
    def cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._cancelled.is_set()

    @property
    def paused(self) -> bool:
        """Whether it is to wait."""
        return not self._going.is_set() and not self.cancelled

    @property
    def enough(self) -> bool:
        """Whether what there is will do."""
        return self._enough.is_set()

    def wait(self) -> None:
        """Block while paused."""
        # In short turns: a pause that crosses a cancel must not wait for ever.
        while self.paused:
            self._going.wait(0.2)


@dataclass(frozen=True)
class ProgressState:
    """A snapshot of how far a job is.

    Attributes
    ----------
    total : float or None
        None while the amount is unknown.
    done : float
    unit : str
        What is counted, plural: ``"tiles"``, ``"epochs"``, ``"rows"``.
    seconds : float
        Since the job started.
        Pauses are not counted.
    note : str
        What it is doing now.
    paused : bool
        It waits until it is told to go on.
    keeps : bool
        It can be ended early without losing what it has done.
    """

    total: float | None = None
    done: float = 0.0
    unit: str = ""
    seconds: float = 0.0
    note: str = ""
    paused: bool = False
    keeps: bool = False

    @property
    def fraction(self) -> float | None:
        """Part done, 0 to 1, or None while unknown."""
        return None if not self.total else min(1.0, self.done / self.total)

    @property
    def rate(self) -> float | None:
        """Units a second."""
        return self.done / self.seconds if self.done and self.seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time left."""
        if not self.total or not self.rate:
            return None
        return max(0.0, self.total - self.done) / self.rate


class Progress:
    """What a running job reports to, and asks whether it should stop.

    Parameters
    ----------
    token : CancelToken, optional
    on_change : callable, optional
        Called with a `ProgressState`, at most every 50 ms.
    on_partial : callable, optional
        Called with partial results, at most every 200 ms (the last one always).
    on_hold : callable, optional
        Called with True when a pause begins and with False when it ends.

    Attributes
    ----------
    keeps : bool
        Set by a job that looks at `enough`, while ending early makes sense.
    paused_seconds : float
        Spent in pauses so far; whoever times work takes them off.
    """

    def __init__(
        self,
        token: CancelToken | None = None,
        on_change: Callable[[ProgressState], None] | None = None,
        on_partial: Callable[[Any], None] | None = None,
        on_hold: Callable[[bool], None] | None = None,
    ) -> None:
        self.token = token or CancelToken()
        self._on_change = on_change
        self._on_partial = on_partial
        self._on_hold = on_hold
        self._counting_since = time.monotonic()
        self._last_change = 0.0
        self._untold = False
        self._last_partial = 0.0
        self._lock = threading.Lock()
        self.total: float | None = None
        self.done = 0.0
        self.unit = ""
        self.text = ""
        self.keeps = False
        self.paused_seconds = 0.0
        self._waits = False
        self._waits_since = 0.0

    def start(self, total: float | None, unit: str = "", note: str = "") -> None:
        """Begin to count: how many, of what. May be called again for the next stage."""
        self.total, self.unit, self.done = total, unit, 0.0
        self._counting_since = time.monotonic()
        self.text = note or self.text
        self._tell(force=True)

    def advance(self, n: float = 1.0) -> None:
        """Count ``n`` more as done, and stop here if asked to."""
        with self._lock:
            self.done += n
        self._tell(force=self.total is not None and self.done >= self.total)
        self.check()

    def note(self, text: str) -> None:
        """Say what is being done now."""
        self.text = text
        self._tell(force=True)

    @property
    def is_watched(self) -> bool:
        """Whether anybody takes partial results."""
        return self._on_partial is not None

    def partial(self, result: Any, *, force: bool = False) -> None:
        """Hand over what is known so far; may be dropped when they come too fast."""
        self.partial_from(lambda: result, force=force)

    def partial_from(self, make: Callable[[], Any], *, force: bool = False) -> None:
        """Hand over what is known so far; it is made only if it is taken."""
        now = time.monotonic()
        if self._on_partial is not None and (force or now - self._last_partial >= 0.2):
            self._last_partial = now
            self._on_partial(make())

    def follow(self, state: ProgressState) -> None:
        """Take over what another process reports of the same job."""
        self.total, self.done, self.unit = state.total, state.done, state.unit
        self.text, self.keeps = state.note, state.keeps
        self._counting_since = time.monotonic() - state.seconds
        if self._waits != state.paused:
            self._hold(state.paused)
        self._tell(force=True)

    def check(self) -> None:
        """Wait here while paused; raise `Cancelled` if asked to stop. Poll every 100 ms."""
        if self.token.paused:
            self._wait()
        if self.token.cancelled:
            raise Cancelled
        if self._untold:
            self._tell()

    @property
    def enough(self) -> bool:
        """Whether a job that `keeps` what it has should end and hand it over."""
        return self.token.enough

    def not_counted(self, seconds: float) -> None:
        """Leave some seconds just gone out of rate and time left."""
        self._counting_since += seconds
        self.paused_seconds += seconds

    def _wait(self) -> None:
        began = time.monotonic()
        self._hold(True)
        self._tell(force=True)
        self.token.wait()
        self._counting_since += time.monotonic() - began
        self._hold(False)
        self._tell(force=True)

    def over(self) -> None:
        """End a pause that the job did not outlive."""
        if self._waits:
            self._hold(False)

    def _hold(self, begins: bool) -> None:
        now = time.monotonic()
        if not begins:
            self.paused_seconds += now - self._waits_since
        self._waits, self._waits_since = begins, now
        if self._on_hold is not None:
            self._on_hold(begins)

    def track(self, items: Iterable[T], total: int | None = None, unit: str = "") -> Iterator[T]:
        """Iterate and count."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        self.start(total, unit)
        for item in items:
            self.check()
            yield item
            self.advance()

    @property
    def state(self) -> ProgressState:
        """How far the job is now."""
        seconds = time.monotonic() - self._counting_since
        return ProgressState(
            self.total, self.done, self.unit, seconds, self.text, self._waits, self.keeps
        )

    def _tell(self, *, force: bool = False) -> None:
        now = time.monotonic()
        self._untold = not (force or now - self._last_change >= 0.05)
        if self._on_change is not None and not self._untold:
            self._last_change = now
            self._on_change(self.state)
