"""Jobs in processes: results, progress, cancelling, and every way a worker can end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import pytest

from backends.errors import BadInput, Cancelled, ClearbandError
from backends.jobs import Job, JobHandle, JobState, Progress, ProgressState
from backends.process_runner import ProcessRunner


def square(progress: Progress) -> np.ndarray:
    for _ in progress.track(range(4), unit="tiles"):
        progress.partial(os.getpid(), force=True)
    return np.arange(5) ** 2


def endless(progress: Progress) -> None:
    progress.note("working")
    while True:
        time.sleep(0.01)
        progress.check()


def deaf(progress: Progress) -> None:
    progress.note("working")
    time.sleep(60)


def refused(progress: Progress) -> None:
    raise BadInput("The cube is bent.", subject="cube.dat", way_out="Straighten it.")


def broken(progress: Progress) -> None:
    raise ZeroDivisionError("oh")


def killed(progress: Progress) -> None:
    progress.note("working")
    os.kill(os.getpid(), signal.SIGKILL)


def crashed(progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def left(progress: Progress) -> None:
    os._exit(7)


def stopped(progress: Progress) -> None:
    progress.note("working")
    os.kill(os.getpid(), signal.SIGSTOP)


def not_sendable(progress: Progress) -> Any:
    return lambda: None


@dataclass(frozen=True)
class Add:
    """A job with parameters, as a picklable record."""

    a: int
    b: int

    def __call__(self, progress: Progress) -> int:
        return self.a + self.b


@pytest.fixture
def runner() -> Iterator[ProcessRunner]:
    made = ProcessRunner()
    yield made
    made.shutdown()
    assert not [p for p in psutil.Process().children() if "job" in p.name()]


def submit(runner: ProcessRunner, run: Any) -> JobHandle[Any]:
    handle: JobHandle[Any] = JobHandle(Job("Square it", run))
    runner.submit(handle)
    return handle


def wait_for(handle: JobHandle[Any], note: str) -> None:
    deadline = time.monotonic() + 20
    while handle.progress.note != note:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_result_progress_and_partial_results(runner: ProcessRunner) -> None:
    handle: JobHandle[Any] = JobHandle(Job("Square it", square))
    states: list[ProgressState] = []
    parts: list[int] = []
    handle.progressed.connect(states.append)
    handle.partial.connect(parts.append)
    runner.submit(handle)
    np.testing.assert_array_equal(handle.wait(30), [0, 1, 4, 9, 16])
    assert handle.state is JobState.DONE
    assert (states[-1].done, states[-1].total, states[-1].unit) == (4, 4, "tiles")
    assert len(parts) == 4
    assert os.getpid() not in parts


def test_records_are_jobs(runner: ProcessRunner) -> None:
    assert submit(runner, Add(2, 3)).wait(30) == 5


def test_plain_errors_come_home(runner: ProcessRunner) -> None:
    handle = submit(runner, refused)
    with pytest.raises(BadInput) as caught:
        handle.wait(30)
    assert caught.value.sentence == "The cube is bent."
    assert caught.value.way_out == "Straighten it."
    assert caught.value.subject == "cube.dat"


def test_defects_become_one_sentence_with_details(runner: ProcessRunner) -> None:
    handle = submit(runner, broken)
    with pytest.raises(ClearbandError, match="unexpected problem"):
        handle.wait(30)
    assert "ZeroDivisionError" in handle.details
    assert "in broken" in handle.details


def test_cancel(runner: ProcessRunner) -> None:
    handle = submit(runner, endless)
    wait_for(handle, "working")
    started = time.monotonic()
    handle.cancel()
    with pytest.raises(Cancelled):
        handle.wait(10)
    assert time.monotonic() - started < 0.5


def count_up(progress: Progress) -> int:
    progress.keeps = True
    progress.start(100_000, "steps")
    while not progress.enough:
        time.sleep(0.005)
        progress.advance()
    return int(progress.done)


def test_pause_go_on_and_end_with_what_there_is(runner: ProcessRunner) -> None:
    handle = submit(runner, count_up)
    deadline = time.monotonic() + 20
    while handle.progress.done < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert handle.progress.keeps
    handle.pause()
    while not handle.progress.paused:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    before = handle.progress.done
    time.sleep(0.4)
    assert handle.progress.done == before
    # Both places are free while it waits.
    assert [h.wait(30) for h in (submit(runner, Add(1, 1)), submit(runner, Add(2, 2)))] == [2, 4]
    handle.resume()
    while handle.progress.done <= before:
        assert time.monotonic() < deadline + 40
        time.sleep(0.01)
    handle.finish()
    assert handle.wait(5) > before
    assert handle.seconds < time.monotonic() - handle.started_at - 0.3


def test_a_paused_worker_is_cancelled_at_once(runner: ProcessRunner) -> None:
    handle = submit(runner, endless)
    wait_for(handle, "working")
    handle.pause()
    while not handle.progress.paused:
        time.sleep(0.01)
    started = time.monotonic()
    handle.cancel()
    with pytest.raises(Cancelled):
        handle.wait(10)
    assert time.monotonic() - started < 0.9


def test_cancel_while_it_starts(runner: ProcessRunner) -> None:
    handle = submit(runner, endless)
    while handle.state is JobState.WAITING:
        time.sleep(0.001)
    handle.cancel()
    with pytest.raises(Cancelled):
        handle.wait(3)


def test_a_worker_that_does_not_listen_is_ended(runner: ProcessRunner) -> None:
    handle = submit(runner, deaf)
    wait_for(handle, "working")
    started = time.monotonic()
    handle.cancel()
    with pytest.raises(Cancelled):
        handle.wait(10)
    assert time.monotonic() - started < 1.0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("run", "words"),
    [
        (killed, "was ended by the system"),
        (crashed, r"crashed \(SIGSEGV\)"),
        (left, "ended early"),
    ],
)
def test_a_worker_that_dies(runner: ProcessRunner, run: Any, words: str) -> None:
    handle = submit(runner, run)
    with pytest.raises(ClearbandError, match=words):
        handle.wait(30)
    assert handle.state is JobState.FAILED
    assert "smaller region" in str(handle.error)
    # The runner is as good as before.
    assert submit(runner, Add(1, 1)).wait(30) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_frozen_worker_can_be_cancelled(runner: ProcessRunner) -> None:
    handle = submit(runner, stopped)
    wait_for(handle, "working")
    handle.cancel()
    with pytest.raises(Cancelled):
        handle.wait(5)


def test_what_cannot_be_sent(runner: ProcessRunner) -> None:
    with pytest.raises(ClearbandError, match="process of its own"):
        submit(runner, lambda progress: 1).wait(30)
    with pytest.raises(ClearbandError, match="cannot leave its process"):
        submit(runner, not_sendable).wait(30)


def test_shutdown_ends_what_runs() -> None:
    runner = ProcessRunner()
    running, waiting = submit(runner, deaf), submit(runner, deaf)
    third = submit(runner, deaf)
    started = time.monotonic()
    runner.shutdown()
    assert time.monotonic() - started < 5
    assert {h.state for h in (running, waiting, third)} == {JobState.CANCELLED}
