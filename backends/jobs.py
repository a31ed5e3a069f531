"""One way to run anything long: the same in the window, on the command line, on a cluster.

A `Job` says what to do; a runner says where. The job polls `Progress.check` and so
can be stopped; the window only subscribes to the `JobHandle`.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from psygnal import Signal

from backends.errors import Cancelled, ClearbandError
from backends.progress import CancelToken, Progress, ProgressState

__all__ = [
    "CancelToken",
    "InlineRunner",
    "Job",
    "JobHandle",
    "JobState",
    "Progress",
    "ProgressState",
    "Runner",
    "ThreadRunner",
]

T = TypeVar("T")
_numbers = itertools.count(1)
# Threads that may sleep in a paused job beside those that work.
MOST_PAUSED = 30


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
    in_view : bool
        Makes what the screen shows; neither waits for other short reads nor delays them.
    """

    title: str
    run: Callable[[Progress], T]
    scene_id: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    topic: str = ""
    quiet: bool = False
    in_view: bool = False


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
    moves them to its own. ``held`` says that a pause begins (True) or is over.
    """

    progressed = Signal(ProgressState)
    partial = Signal(object)
    held = Signal(bool)
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
        self._report: Progress | None = None
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
        self._tell_the_end()

    def pause(self) -> None:
        """Ask the job to wait where it is; the time does not count."""
        if not self.state.is_final:
            self.token.pause()

    def resume(self) -> None:
        """Let a paused job go on."""
        self.token.resume()

    def finish(self) -> None:
        """Ask a job whose progress ``keeps`` what it has to end with that."""
        self.token.finish()

    def not_counted(self, seconds: float) -> None:
        """Leave seconds in which the whole program stood still out of all times."""
        if self._report is not None:
            self._report.not_counted(seconds)

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
        progress = Progress(self.token, self._on_progress, self.partial.emit, self.held.emit)
        self._report = progress
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
            progress.over()
            self._report = None  # it knows the job: let go of each other
            self.seconds = time.monotonic() - self.started_at - progress.paused_seconds
            self._over.set()
            self._tell_the_end()

    def _tell_the_end(self) -> None:
        """Say that it is over, and let go of who listened.

        psygnal keeps the signal that was last emitted where threads emit at once, and with it
        all who listened to it: a closed window, for one.
        """
        self.finished.emit(self)
        for signal in (self.progressed, self.partial, self.held, self.finished):
            signal.disconnect()

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


class Places:
    """How many jobs may run at a time; one that is paused lends its place to the next.

    It takes the place back at once when it goes on, so that for a while one more may run:
    waiting for a free one, it could not be cancelled.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = threading.Condition()

    def take(self) -> None:
        """Wait for a place."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0)
            self._free -= 1

    def give(self) -> None:
        """Leave a place to the next."""
        with self._changed:
            self._free += 1
            self._changed.notify()

    def lend(self, begins: bool) -> None:
        """Follow the ``held`` signal of a job that has a place."""
        if begins:
            self.give()
        else:
            with self._changed:
                self._free -= 1

    def run(self, handle: JobHandle[Any], run: Callable[[Progress], Any] | None = None) -> None:
        """Execute a job in a place."""
        self.take()
        handle.held.connect(self.lend)
        try:
            handle.execute(run)
        finally:
            handle.held.disconnect(self.lend)
            self.give()


class ThreadRunner:
    """Runs jobs on a few threads: the window.

    Short reads (``quiet`` jobs) have a thread of their own so that a training
    never delays the spectrum under the mouse; so have those that fill the screen.
    """

    def __init__(self, workers: int = 2) -> None:
        self._places = Places(workers)
        self._pool = ThreadPoolExecutor(workers + MOST_PAUSED, thread_name_prefix="clearband-job")
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="clearband-read")
        self._views = ThreadPoolExecutor(2, thread_name_prefix="clearband-view")
        self._live: set[JobHandle[Any]] = set()
        self._over = False
        self._lock = threading.Lock()

    def submit(self, handle: JobHandle[Any]) -> None:
        """Queue it."""
        with self._lock:
            over = self._over
            if not over:
                self._live.add(handle)
        if over:  # a window that closes may still ask; nobody would see the answer
            handle.cancel()
            return
        pool = self._quick if handle.job.quiet else self._pool
        (self._views if handle.job.in_view else pool).submit(self._run, handle)

    def _run(self, handle: JobHandle[Any]) -> None:
        try:
            if handle.job.quiet:
                handle.execute()
            else:
                self._places.run(handle)
        finally:
            with self._lock:
                self._live.discard(handle)

    def shutdown(self) -> None:
        """Cancel everything and wait until the threads are idle."""
        with self._lock:
            self._over = True
            live = list(self._live)
        for handle in live:
            handle.cancel()
        self._pool.shutdown(wait=True)
        self._quick.shutdown(wait=True)
        self._views.shutdown(wait=True)


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
