"""What every command shares: running a job with a progress bar, printing, stopping."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from backends.errors import Cancelled, ClearbandError, WrongUse
from backends.jobs import CancelToken, Job, JobHandle, JobState, ProgressState

T = TypeVar("T")


def run_job(job: Job[T], *, quiet: bool = False) -> T:
    """Run a job here with a progress bar.

    Ctrl-C stops it, a second one at once; Ctrl-\\ ends a training with what it has learnt;
    Ctrl-Z pauses, and the shell's ``fg`` goes on: that time is not counted.

    Raises
    ------
    Cancelled, ClearbandError
    """
    handle: JobHandle[T] = JobHandle(job)
    with _stopping(handle.token), _ending(handle), _standing_still(handle), _bar(handle, quiet):
        handle.execute()
    if handle.state is JobState.FAILED and handle.error is not None:
        handle.error.details = handle.details
        raise handle.error
    return handle.wait(0)


def emit(values: Any, *, as_json: bool, text: str) -> None:
    """Print the answer: JSON for programs, text for people."""
    print(json_text(values) if as_json else text)


def json_text(values: Any) -> str:
    """Return values as JSON; what it has no word for (``nan``, infinity) becomes null."""
    plain = json.loads(json.dumps(values, default=str), parse_constant=lambda _: None)
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)


def report_error(error: BaseException, *, as_json: bool) -> int:
    """Say in one sentence what went wrong and return the exit code."""
    if isinstance(error, (Cancelled, KeyboardInterrupt)):
        sentence, code, details = "Cancelled; no half-written file was left.", 130, ""
    elif isinstance(error, ClearbandError):
        sentence, code, details = str(error), error.exit_code, error.details
    else:
        raise error
    if as_json:
        print(json.dumps({"error": sentence, "exit_code": code}, ensure_ascii=False))
    print(f"clearband: {sentence}", file=sys.stderr)
    if details and code != 130 and "--details" in sys.argv:
        print(details, file=sys.stderr)
    return code


def pairs(values: list[str] | None, what: str) -> dict[str, Any]:
    """Turn ``["key=value", …]`` into a mapping; numbers and true/false become such."""
    out: dict[str, Any] = {}
    for item in values or []:
        key, sign, value = item.partition("=")
        if not sign or not key:
            raise WrongUse(f"{what} must look like name=value, not {item}.")
        out[key.strip()] = plain_value(value.strip())
    return out


def plain_value(text: str) -> Any:
    """Return a number, true/false or the text itself."""
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def table(rows: Mapping[str, Any]) -> str:
    """Return names and values as aligned lines."""
    width = max((len(name) for name in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


@contextmanager
def _stopping(token: CancelToken) -> Iterator[None]:
    """Turn the first Ctrl-C into a polite request."""

    def ask(number: int, frame: Any) -> None:
        if token.cancelled:
            raise KeyboardInterrupt
        token.cancel()
        print("\nStopping …", file=sys.stderr)

    with _on_signal("SIGINT", ask):
        yield


@contextmanager
def _ending(handle: JobHandle[Any]) -> Iterator[None]:
    """Let Ctrl-\\ end a training with what it has (Ctrl-Break on Windows)."""

    def ask(number: int, frame: Any) -> None:
        if handle.progress.keeps:
            handle.finish()
            print("\nEnding; what was learnt is kept …", file=sys.stderr)
        else:
            print("\nThere is nothing to keep yet; Ctrl-C stops.", file=sys.stderr)

    with _on_signal("SIGBREAK" if sys.platform == "win32" else "SIGQUIT", ask):
        yield


@contextmanager
def _standing_still(handle: JobHandle[Any]) -> Iterator[None]:
    """Take the time between Ctrl-Z and ``fg`` off rate and time left."""

    def stand(number: int, frame: Any) -> None:
        print("\nPaused; 'fg' goes on.", file=sys.stderr)
        began = time.monotonic()
        os.kill(os.getpid(), signal.SIGSTOP)
        handle.not_counted(time.monotonic() - began)

    with _on_signal("SIGTSTP", stand):
        yield


@contextmanager
def _on_signal(name: str, act: Callable[[int, Any], None]) -> Iterator[None]:
    """Do something at a signal, where the system has it."""
    number = getattr(signal, name, None)
    if number is None:
        yield
        return
    try:
        before = signal.signal(number, act)
    except ValueError:  # not the main thread: nobody presses keys here
        yield
        return
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def _bar(handle: JobHandle[Any], quiet: bool) -> Iterator[None]:
    """Draw progress on the error stream while a person watches."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total} {task.fields[unit]}"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(handle.job.title, total=None, unit="")

        def show(state: ProgressState) -> None:
            progress.update(
                task,
                total=state.total,
                completed=state.done,
                description=state.note or handle.job.title,
                unit=state.unit,
            )

        handle.progressed.connect(show)
        yield
