"""Jobs: cancelled soon, not chatty, and plain when they fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from backends.errors import BadInput, Cancelled, ClearbandError
from backends.jobs import (
    CancelToken,
    InlineRunner,
    Job,
    JobHandle,
    JobState,
    Progress,
    ProgressState,
    ThreadRunner,
)


@pytest.fixture
def threads() -> Iterator[ThreadRunner]:
    runner = ThreadRunner()
    yield runner
    runner.shutdown()


def submit(runner: Any, run: Any, **more: Any) -> JobHandle[Any]:
    handle: JobHandle[Any] = JobHandle(Job("Count the trees", run, **more))
    runner.submit(handle)
    return handle


def working(started: threading.Event) -> Any:
    def run(progress: Progress) -> None:
        started.set()
        while True:
            time.sleep(0.02)
            progress.check()

    return run


# -- progress --------------------------------------------------------------------------------


def test_progress_is_throttled_and_tells_the_end() -> None:
    told: list[ProgressState] = []
    progress = Progress(on_change=told.append)
    started = time.monotonic()
    for _ in progress.track(range(20_000), unit="tiles"):
        pass
    seconds = time.monotonic() - started
    assert len(told) <= 3 + seconds / 0.05
    assert told[0].done == 0
    assert (told[-1].done, told[-1].total, told[-1].unit) == (20_000, 20_000, "tiles")


def test_what_nobody_takes_is_not_made() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    Progress().partial_from(make, force=True)
    assert not made
    parts: list[int] = []
    progress = Progress(on_partial=parts.append)
    for _ in range(50):
        progress.partial_from(make)
    progress.partial_from(make, force=True)
    assert made == parts == [0, 1]


def test_partial_results_are_throttled_unless_forced() -> None:
    parts: list[int] = []
    progress = Progress(on_partial=parts.append)
    for number in range(100):
        progress.partial(number)
    assert parts == [0]
    progress.partial("last", force=True)
    assert parts == [0, "last"]


def test_rate_and_time_left() -> None:
    state = ProgressState(total=100, done=25, seconds=5)
    assert state.fraction == 0.25
    assert state.rate == 5
    assert state.seconds_left == 15
    unknown = ProgressState(total=None, done=25, seconds=5)
    assert unknown.fraction is None
    assert unknown.seconds_left is None
    assert ProgressState(total=100).seconds_left is None
    assert ProgressState(total=10, done=30, seconds=1).fraction == 1.0


def test_each_stage_counts_anew() -> None:
    progress = Progress()
    progress.start(10, "rows", "Reading")
    progress.advance(10)
    progress.start(5, "epochs")
    assert (progress.done, progress.state.unit, progress.state.note) == (0, "epochs", "Reading")


def test_counting_from_several_threads() -> None:
    progress = Progress()
    progress.start(None)

    def count() -> None:
        for _ in range(2000):
            progress.advance()

    workers = [threading.Thread(target=count) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert progress.done == 8000


def test_following_another_process() -> None:
    told: list[ProgressState] = []
    progress = Progress(on_change=told.append)
    progress.follow(ProgressState(10, 4, "tiles", 2.0, "Predicting"))
    assert (told[0].total, told[0].done, told[0].unit, told[0].note) == (
        10,
        4,
        "tiles",
        "Predicting",
    )
    assert told[0].seconds == pytest.approx(2.0, abs=0.1)


def test_check_and_advance_stop() -> None:
    token = CancelToken()
    progress = Progress(token)
    progress.check()
    token.cancel()
    for stop in (progress.check, progress.advance, lambda: list(progress.track([1]))):
        with pytest.raises(Cancelled):
            stop()


# -- life ------------------------------------------------------------------------------------


def test_inline() -> None:
    handle = submit(InlineRunner(), lambda progress: 7)
    assert handle.state is JobState.DONE
    assert handle.wait(0) == 7
    assert handle.seconds >= 0


def test_cancel_within_half_a_second(threads: ThreadRunner) -> None:
    started = threading.Event()
    over = threading.Event()
    handle = submit(threads, working(started))
    handle.finished.connect(lambda _: over.set())
    assert started.wait(5)
    asked = time.monotonic()
    handle.cancel()
    assert over.wait(5)
    assert time.monotonic() - asked < 0.5
    assert handle.state is JobState.CANCELLED
    with pytest.raises(Cancelled):
        handle.wait(0)


def test_a_waiting_job_is_over_when_cancelled(threads: ThreadRunner) -> None:
    """Nobody should wait for a training to end to get rid of a job behind it."""
    events = [threading.Event() for _ in range(2)]
    busy = [submit(threads, working(event)) for event in events]
    for event in events:
        assert event.wait(5)
    ran: list[bool] = []
    told: list[JobState] = []
    behind = JobHandle(Job("Behind", lambda progress: ran.append(True)))
    behind.finished.connect(lambda handle: told.append(handle.state))
    threads.submit(behind)
    behind.cancel()
    assert behind.state is JobState.CANCELLED
    with pytest.raises(Cancelled):
        behind.wait(0)
    for handle in busy:
        handle.cancel()
    threads.shutdown()
    assert ran == []
    assert told == [JobState.CANCELLED]


def test_cancel_after_the_end_changes_nothing() -> None:
    handle = submit(InlineRunner(), lambda progress: 7)
    handle.cancel()
    assert handle.state is JobState.DONE


def test_quick_reads_pass_long_jobs(threads: ThreadRunner) -> None:
    events = [threading.Event() for _ in range(2)]
    for event in events:
        submit(threads, working(event))
        assert event.wait(5)
    assert submit(threads, lambda progress: "spectrum", quiet=True).wait(5) == "spectrum"


def test_shutdown_stops_everything() -> None:
    runner = ThreadRunner()
    events = [threading.Event() for _ in range(2)]
    handles = [submit(runner, working(event)) for event in events]
    handles += [submit(runner, working(threading.Event())) for _ in range(5)]
    for event in events:
        assert event.wait(5)
    started = time.monotonic()
    runner.shutdown()
    assert time.monotonic() - started < 1
    assert {h.state for h in handles} == {JobState.CANCELLED}


def test_wait_gives_up() -> None:
    handle: JobHandle[int] = JobHandle(Job("Slow", lambda progress: 1))
    with pytest.raises(TimeoutError):
        handle.wait(0.01)


def test_signals_carry_progress_and_parts() -> None:
    states: list[ProgressState] = []
    parts: list[str] = []

    def run(progress: Progress) -> None:
        progress.start(2, "bands")
        progress.advance()
        progress.partial("half", force=True)
        progress.advance()

    handle: JobHandle[None] = JobHandle(Job("Work", run))
    handle.progressed.connect(states.append)
    handle.partial.connect(parts.append)
    InlineRunner().submit(handle)
    assert states[-1].done == 2
    assert handle.progress is states[-1]
    assert parts == ["half"]


# -- failing ---------------------------------------------------------------------------------


def test_plain_errors_stay_as_they_are() -> None:
    def run(progress: Progress) -> None:
        raise BadInput("The header is bent.", subject="a.hdr", way_out="Straighten it.")

    handle = submit(InlineRunner(), run)
    assert handle.state is JobState.FAILED
    with pytest.raises(BadInput, match=r"a\.hdr: The header is bent\. Straighten it\."):
        handle.wait(0)


def test_a_defect_is_one_plain_sentence() -> None:
    def run(progress: Progress) -> None:
        raise KeyError("tensor")

    handle = submit(InlineRunner(), run)
    assert handle.error is not None
    assert "unexpected problem" in str(handle.error)
    assert "KeyError" not in str(handle.error)
    assert "Traceback" in handle.details
    assert "tensor" in handle.error.details


def test_short_memory_is_said() -> None:
    def run(progress: Progress) -> None:
        raise MemoryError

    handle = submit(InlineRunner(), run)
    assert "not enough memory to count the trees" in str(handle.error)


def test_a_second_ctrl_c_goes_through() -> None:
    def run(progress: Progress) -> None:
        raise KeyboardInterrupt

    handle: JobHandle[None] = JobHandle(Job("Work", run))
    with pytest.raises(KeyboardInterrupt):
        handle.execute()
    assert handle.state is JobState.CANCELLED


def test_errors_are_errors_of_ours() -> None:
    assert issubclass(BadInput, ClearbandError)
    assert not issubclass(Cancelled, ClearbandError)
    assert (BadInput("x").exit_code, Cancelled().exit_code) == (3, 130)


# -- pauses ----------------------------------------------------------------------------------


def counting(progress: Progress) -> float:
    progress.start(200, "steps")
    for _ in range(200):
        time.sleep(0.01)
        progress.advance()
    return progress.paused_seconds


def held(handle: JobHandle[Any]) -> None:
    deadline = time.monotonic() + 5
    while not handle.progress.paused:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_pause_stops_the_work_and_is_not_counted(threads: ThreadRunner) -> None:
    handle = submit(threads, counting)
    while handle.progress.done < 10:
        time.sleep(0.005)
    handle.pause()
    held(handle)
    before = handle.progress
    time.sleep(0.6)
    assert handle.progress == before, "nothing moves while it waits"
    rate = before.rate
    handle.resume()
    while handle.progress.done < before.done + 10:
        time.sleep(0.005)
    now = handle.progress
    assert not now.paused
    # With the pause in it the rate would have fallen to about a quarter.
    assert rate is not None
    assert now.rate is not None
    assert now.rate > 0.6 * rate
    assert handle.wait(10) > 0.55
    assert handle.seconds < 4


def test_a_paused_job_is_cancelled_at_once(threads: ThreadRunner) -> None:
    started = threading.Event()
    handle = submit(threads, working(started))
    handle.pause()
    held(handle)
    asked = time.monotonic()
    handle.cancel()
    with pytest.raises(Cancelled):
        handle.wait(5)
    assert time.monotonic() - asked < 0.5


def test_paused_jobs_leave_their_places_to_others(threads: ThreadRunner) -> None:
    paused = [submit(threads, working(threading.Event())) for _ in range(4)]
    for handle in paused[:2]:
        handle.pause()
        held(handle)
    for handle in paused[2:]:
        handle.pause()
        held(handle)
    assert submit(threads, lambda progress: 5).wait(5) == 5
    for handle in paused:
        handle.cancel()
        with pytest.raises(Cancelled):
            handle.wait(5)
    # The places are back, and no more than there were: two run, the third waits.
    starts = [threading.Event() for _ in range(3)]
    again = [submit(threads, working(start)) for start in starts]
    assert starts[0].wait(5)
    assert starts[1].wait(5)
    assert not starts[2].wait(0.3)
    assert again[2].state is JobState.WAITING


def test_closing_ends_paused_jobs() -> None:
    runner = ThreadRunner()
    handles = [submit(runner, working(threading.Event())) for _ in range(2)]
    for handle in handles:
        handle.pause()
        held(handle)
    asked = time.monotonic()
    runner.shutdown()
    assert time.monotonic() - asked < 1
    assert {h.state for h in handles} == {JobState.CANCELLED}


def test_what_is_asked_of_a_closed_runner_is_over_at_once() -> None:
    runner = ThreadRunner()
    runner.shutdown()
    handle = JobHandle(Job("too late", lambda progress: 1))
    runner.submit(handle)
    assert handle.state is JobState.CANCELLED


def test_enough_ends_a_pause_and_is_seen() -> None:
    token = CancelToken()
    token.pause()
    token.finish()
    progress = Progress(token)
    progress.check()
    assert progress.enough
    token.cancel()
    token.pause()
    assert not token.paused, "what is to stop does not wait"


def test_who_listened_to_a_job_is_let_go_when_it_is_over(threads: ThreadRunner) -> None:
    import gc
    import weakref

    class Window:
        def look(self, _: object) -> None:
            pass

    window = Window()
    handle = submit(threads, counting_briefly)
    other = submit(threads, counting_briefly)
    for job in (handle, other):
        job.progressed.connect(lambda state, w=window: w.look(state))
        job.finished.connect(lambda state, w=window: w.look(state))
    handle.wait(5)
    other.wait(5)
    threads.shutdown()
    alive = weakref.ref(window)
    del window, job
    gc.collect()
    assert alive() is None, "the handles are still there, the window is not"


def counting_briefly(progress: Progress) -> None:
    for _ in progress.track(range(5)):
        time.sleep(0.03)
