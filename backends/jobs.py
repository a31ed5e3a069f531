"""One way to run anything long: the same in the window, on the command line, on a cluster.

A `Job` says what to do; a runner says where. The job polls `Progress.check` and so
can be stopped; the window only subscribes to the `JobHandle`.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from psygnal import Signal

from backends.errors import Cancelled, ClearbandError

T = TypeVar("T")
_numbers = itertools.count(1)


class CancelToken:
    """A flag one thread raises and another looks at."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask for the end."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()


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
    note : str
        What it is doing now.
    """

    total: float | None = None
    done: float = 0.0
    unit: str = ""
    seconds: float = 0.0
    note: str = ""

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
    """

    def __init__(
        self,
        token: CancelToken | None = None,
        on_change: Callable[[ProgressState], None] | None = None,
        on_partial: Callable[[Any], None] | None = None,
    ) -> None:
        self.token = token or CancelToken()
        self._on_change = on_change
        self._on_partial = on_partial
        self._started = time.monotonic()
        self._counting_since = self._started
        self._last_change = 0.0
        self._untold = False
        self._last_partial = 0.0
        self._lock = threading.Lock()
        self.total: float | None = None
        self.done = 0.0
        self.unit = ""
        self.text = ""

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

    def partial(self, result: Any, *, force: bool = False) -> None:
        """Hand over what is known so far; may be dropped when they come too fast."""
        now = time.monotonic()
        if self._on_partial is not None and (force or now - self._last_partial >= 0.2):
            self._last_partial = now
            self._on_partial(result)

    def follow(self, state: ProgressState) -> None:
        """Take over what another process reports of the same job."""
        self.total, self.done, self.unit, self.text = (
            state.total,
            state.done,
            state.unit,
            state.note,
        )
        self._counting_since = time.monotonic() - state.seconds
        self._tell(force=True)

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop. Poll at least every 100 ms."""
        if self.token.cancelled:
            raise Cancelled
        if self._untold:
            self._tell()

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
        return ProgressState(self.total, self.done, self.unit, seconds, self.text)

    def _tell(self, *, force: bool = False) -> None:
        now = time.monotonic()
        self._untold = not (force or now - self._last_change >= 0.05)
        if self._on_change is not None and not self._untold:
            self._last_change = now
            self._on_change(self.state)


@dataclass(frozen=True)
class Job(Generic[T]):
    """Something to run.

    Attributes
    ----------
    title : str
        For people: ``"Classify demo scene with es_mhc"``.
    run : callable
        Takes a `Progress`, returns the result. For a process runner it must be picklable.
    scene_id : str or None
        The scene the result belongs to; it is dropped when that scene is gone.
    parameters : dict
        What was asked, by name.
    command : tuple of str
        The command line that does the same, without the program's name.
    topic : str
        Jobs with the same topic and scene supersede each other: only the
        newest may deliver. Empty means every one delivers.
    quiet : bool
        Not listed for the user (hover reads, thumbnails).
    """

    title: str
    run: Callable[[Progress], T]
    scene_id: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    topic: str = ""
    quiet: bool = False


class JobState(Enum):
    """The life of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class JobHandle(Generic[T]):
    """A submitted job: its state, progress and result.

    The signals are emitted on whichever thread runs the job; the window
    moves them to its own.
    """

    progressed = Signal(ProgressState)
    partial = Signal(object)
    finished = Signal(object)

    def __init__(self, job: Job[T], generation: int = 0) -> None:
        self.number = next(_numbers)
        self.job = job
        self.generation = generation
        self.token = CancelToken()
        self.state = JobState.WAITING
        self.progress = ProgressState()
        self.result: T | None = None
        self.error: ClearbandError | None = None
        self.details = ""
        self.started_at: float | None = None
        self.seconds = 0.0
        self._over = threading.Event()
        self._claim = threading.Lock()

    def cancel(self) -> None:
        """Ask the job to stop; one that still waits for its turn is over at once."""
        self.token.cancel()
        with self._claim:
            if self.state is not JobState.WAITING:
                return
            self.state = JobState.CANCELLED
        self._over.set()
        self.finished.emit(self)

    def wait(self, timeout: float | None = None) -> T:
        """Block until it is over and return the result, or raise what went wrong."""
        if not self._over.wait(timeout):
            raise TimeoutError(self.job.title)
        if self.state is JobState.CANCELLED:
            raise Cancelled
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]

    def execute(self, run: Callable[[Progress], T] | None = None) -> None:
        """Run the job here and now; errors become a plain `ClearbandError`.

        Parameters
        ----------
        run : callable, optional
            What to call instead of ``job.run``: how a runner sends it elsewhere.
        """
        with self._claim:
            if self.state is not JobState.WAITING:
                return
            self.state = JobState.RUNNING
        self.started_at = time.monotonic()
        progress = Progress(self.token, self._on_progress, self.partial.emit)
        try:
            progress.check()
            self.result = (run or self.job.run)(progress)
            self.state = JobState.DONE
        except Cancelled:
            self.state = JobState.CANCELLED
        except ClearbandError as error:
            self._fail(error)
        except MemoryError as error:
            self._fail(
                ClearbandError(
                    f"There was not enough memory to {_lower(self.job.title)}.",
                    way_out="Close other scenes or choose a smaller region.",
                    details=repr(error),
                )
            )
        except Exception as error:  # a defect of ours must not take the window down
            self._fail(
                ClearbandError(
                    f"{self.job.title} stopped because of an unexpected problem.",
                    way_out="Nothing that was open is lost; the details help us to mend it.",
                    details=f"{type(error).__name__}: {error}",
                )
            )
            self.details = traceback.format_exc()
        except BaseException:  # Ctrl-C twice: over, and on its way up
            self.state = JobState.CANCELLED
            raise
        finally:
            self.seconds = time.monotonic() - self.started_at
            self._over.set()
            self.finished.emit(self)

    def _fail(self, error: ClearbandError) -> None:
        self.error = error
        self.details = error.details or traceback.format_exc()
        self.state = JobState.FAILED

    def _on_progress(self, state: ProgressState) -> None:
        self.progress = state
        self.progressed.emit(state)


class Runner(Protocol):
    """Where jobs run. A job never knows which."""

    def submit(self, handle: JobHandle[Any]) -> None:
        """Run it, now or later."""
        ...

    def shutdown(self) -> None:
        """Cancel what runs and wait for it."""
        ...


class InlineRunner:
    """Runs a job at once, in the caller's thread: command line and tests."""

    def submit(self, handle: JobHandle[Any]) -> None:
        """Run it now."""
        handle.execute()

    def shutdown(self) -> None:
        """Nothing runs."""


class ThreadRunner:
    """Runs jobs on a few threads: the window.

    Short reads (``quiet`` jobs) have a thread of their own so that a training
    never delays the spectrum under the mouse.
    """

    def __init__(self, workers: int = 2) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="clearband-job")
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="clearband-read")
        self._live: set[JobHandle[Any]] = set()
        self._lock = threading.Lock()

    def submit(self, handle: JobHandle[Any]) -> None:
        """Queue it."""
        with self._lock:
            self._live.add(handle)
        (self._quick if handle.job.quiet else self._pool).submit(self._run, handle)

    def _run(self, handle: JobHandle[Any]) -> None:
        try:
            handle.execute()
        finally:
            with self._lock:
                self._live.discard(handle)

    def shutdown(self) -> None:
        """Cancel everything and wait until the threads are idle."""
        with self._lock:
            live = list(self._live)
        for handle in live:
            handle.cancel()
        self._pool.shutdown(wait=True)
        self._quick.shutdown(wait=True)


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
