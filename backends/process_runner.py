"""Runs each job in a process of its own: what may crash, leak or eat memory cannot hurt the rest.

For readers of hostile files and native libraries of doubtful manners. The job
must be picklable (a function of a module, or a frozen dataclass with
``__call__``). The process is started fresh ("spawn"), so it inherits nothing of
the window.

The worker is our own code: its messages are trusted, the files it reads are not.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from typing import Any

from backends.errors import Cancelled, ClearbandError
from backends.jobs import MOST_PAUSED, Job, JobHandle, JobState, Places, Progress

# How long a worker may take to notice that it was cancelled before it is ended.
GRACE_S = 0.4
_POLL_S = 0.05


class ProcessRunner:
    """Runs jobs in processes, at most ``workers`` at a time.

    Parameters
    ----------
    workers : int
    """

    def __init__(self, workers: int = 2) -> None:
        self._places = Places(workers)
        self._pool = ThreadPoolExecutor(
            workers + MOST_PAUSED, thread_name_prefix="clearband-process"
        )
        self._live: set[JobHandle[Any]] = set()
        self._lock = threading.Lock()

    def submit(self, handle: JobHandle[Any]) -> None:
        """Queue it."""
        with self._lock:
            self._live.add(handle)
        self._pool.submit(self._run, handle)

    def shutdown(self) -> None:
        """Cancel everything and wait until no process is left."""
        with self._lock:
            live = list(self._live)
        for handle in live:
            handle.cancel()
        self._pool.shutdown(wait=True)

    def _run(self, handle: JobHandle[Any]) -> None:
        try:
            self._places.run(handle, lambda progress: _elsewhere(handle, progress))
        finally:
            with self._lock:
                self._live.discard(handle)


def _elsewhere(handle: JobHandle[Any], progress: Progress) -> Any:
    """Run a job in a fresh process and return its result, or raise what went wrong there."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_work, args=(handle.job, theirs), name=f"clearband job {handle.number}", daemon=True
    )
    try:
        _start(process, handle.job)
        theirs.close()  # so that the end of the worker is the end of the pipe
        return _listen(handle, progress, process, ours)
    finally:
        ours.close()
        theirs.close()
        _end(process)


def _start(process: Any, job: Job[Any]) -> None:
    try:
        process.start()
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ClearbandError(
            f"{job.title} cannot run in a process of its own.",
            way_out="It can run in the window instead.",
            details=repr(error),
        ) from error
    except OSError as error:
        raise ClearbandError(
            f"No further process could be started for: {job.title}.",
            way_out="Close other programs and try again.",
            details=repr(error),
        ) from error


def _listen(handle: JobHandle[Any], progress: Progress, process: Any, pipe: Connection) -> Any:
    over = threading.Event()
    guard = threading.Thread(
        target=_guard,
        args=(progress, process, pipe, over),
        name=f"clearband-guard-{handle.number}",
        daemon=True,
    )
    guard.start()
    try:
        while True:
            # What the worker said before it ended comes first.
            if pipe not in wait([pipe, process.sentinel]):
                raise EOFError
            kind, content = pipe.recv()
            if kind == "progress":
                progress.follow(content)
            elif kind == "partial":
                progress.partial(content, force=True)
            elif kind == "done":
                return content
            elif kind == "cancelled":
                raise Cancelled
            else:
                error, details = content
                error.details = details or error.details
                raise error
    except (EOFError, OSError):
        progress.check()
        process.join(GRACE_S)
        raise _died(handle.job, process.exitcode) from None
    finally:
        over.set()
        guard.join()


def _guard(progress: Progress, process: Any, pipe: Connection, over: threading.Event) -> None:
    """Pass on what the user asks for, and end a worker that does not stop."""
    token = progress.token
    told = {"pause": False, "finish": False}
    try:
        while not over.wait(_POLL_S):
            if token.cancelled:
                pipe.send("cancel")
                if not over.wait(GRACE_S):
                    process.kill()
                return
            if token.paused != told["pause"]:
                told["pause"] = not told["pause"]
                pipe.send("pause" if told["pause"] else "resume")
            if token.enough and not told["finish"]:
                told["finish"] = True
                pipe.send("finish")
    except OSError:  # it is gone already
        return


def _end(process: Any) -> None:
    """Make sure that the process is gone."""
    if process.pid is None:
        return
    process.join(_POLL_S)
    for stop in (process.terminate, process.kill):
        if process.is_alive():
            stop()
            process.join(GRACE_S)
    if not process.is_alive():
        process.close()


def _died(job: Job[Any], code: int | None) -> ClearbandError:
    reason = "ended early"
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        # The kernel sends SIGKILL to whoever eats all memory.
        reason = "was ended by the system" if name == "SIGKILL" else f"crashed ({name})"
    return ClearbandError(
        f"{job.title} stopped: the process that worked on it {reason}.",
        way_out="Nothing that was open is lost. If memory was short, try a smaller region.",
        details=f"exit code {code}",
    )


def _work(job: Job[Any], pipe: Connection) -> None:
    """What the process does: run the job, report, leave."""
    # Ctrl-C in a terminal reaches the whole group; the window decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    handle: JobHandle[Any] = JobHandle(job)
    sending = threading.Lock()

    def send(kind: str, content: Any = None) -> None:
        with sending:
            pipe.send((kind, content))

    threading.Thread(target=_watch, args=(pipe, handle), daemon=True).start()
    handle.progressed.connect(lambda state: send("progress", state))
    handle.partial.connect(lambda part: send("partial", part))
    handle.execute()
    if handle.state is JobState.CANCELLED:
        send("cancelled")
    elif handle.error is not None:
        send("failed", (handle.error, handle.details))
    else:
        try:
            send("done", handle.result)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            problem = ClearbandError(
                f"The result of {job.title} cannot leave its process.", details=repr(error)
            )
            send("failed", (problem, repr(error)))


def _watch(pipe: Connection, handle: JobHandle[Any]) -> None:
    """Do as the other side says; when it is gone, nobody needs the result."""
    asked: dict[str, Callable[[], None]] = {
        "cancel": handle.cancel,
        "pause": handle.pause,
        "resume": handle.resume,
        "finish": handle.finish,
    }
    try:
        while True:
            asked[pipe.recv()]()
    except (EOFError, OSError):
        handle.cancel()
        time.sleep(GRACE_S)
        os._exit(1)
