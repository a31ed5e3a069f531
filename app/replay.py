"""Doing again what a run log lists, through the same commands, in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from backends.errors import BadInput, Cancelled, ClearbandError, WrongUse
from backends.jobs import Progress
from backends.runlog import LogLine, parse_log

_NAMES_FILES = (
    "--out", "--labels", "--test-labels", "--checkpoint", "--weights", "--areas", "--library",
    "--reference", "--like",
)  # fmt: skip
_TWO_SCENES = (["spectra", "change"], ["spectra", "shift"])
# What makes files or tells facts; the window and the replay itself are not for a log.
ALLOWED = (
    "info",
    "models",
    "classify",
    "assess",
    "whitebox",
    "finetune",
    "fire",
    "spectra",
    "explain",
    "study",
    "concepts",
    "bottleneck",
    "export",
    "doctor",
)


def replay(path: Path, out: Path | None = None, progress: Progress | None = None) -> list[LogLine]:
    """Run every line of a run log and return the lines; nothing but our own commands.

    Parameters
    ----------
    path : Path
        A run log.
    out : Path, optional
        A folder for all results: what a line would write elsewhere goes there instead, by
        the last part of its name, and later lines find it there.
    progress : Progress, optional
        Counts the actions; asked before each whether to stop.

    Raises
    ------
    WrongUse
        A line is a command that a log may not hold; nothing was run then.
    ClearbandError
        A command failed; the sentence says which. Those before it are done.
    Cancelled
        The user stopped it. The command that ran left no half-written file.
    """
    from app.main import run

    lines = parse_log(path)
    for number, line in enumerate(lines, 1):
        if line.command[0] not in ALLOWED:
            raise WrongUse(
                f"Action {number} of {path.name} is '{line.command[0]}', which a log may not hold.",
                way_out=f"It may hold: {', '.join(ALLOWED)}.",
            )
    moved = _elsewhere(lines, out)
    if progress is not None:
        progress.start(len(lines), "actions", f"Replaying {path.name}")
    for number, line in enumerate(lines, 1):
        if progress is not None:
            progress.check()
        with _said(line.command):
            code = run(_rewritten(line.command, moved))
        if code == Cancelled.exit_code:
            raise Cancelled
        if code != 0:
            raise _failed(path, number, len(lines), line, code)
        if progress is not None:
            progress.advance()
    return lines


@contextmanager
def _said(command: Sequence[str]) -> Iterator[None]:
    """Let results record the line of the log that makes them, not this program's own command."""
    before = sys.argv
    sys.argv = [before[0] if before else "clearband", *command]
    try:
        yield
    finally:
        sys.argv = before


def _elsewhere(lines: Sequence[LogLine], out: Path | None) -> dict[str, str]:
    """Return where each thing that the log writes goes, by what the log calls it.

    Raises
    ------
    BadInput
        Two different results would get the same name.
    """
    moved: dict[str, str] = {}
    if out is None:
        return moved
    for line in lines:
        words = line.command
        for at, word in enumerate(words[:-1]):
            target = words[at + 1]
            if word != "--out" or target in moved:
                continue
            place = str(out / Path(target).name)
            if place in moved.values():
                raise BadInput(
                    f"Two results of the log are called {Path(target).name}.",
                    way_out="Replay it without another folder.",
                )
            moved[target] = place
    return moved


def _rewritten(command: Sequence[str], moved: Mapping[str, str]) -> list[str]:
    """Return a command that reads and writes where results have been moved to."""
    words = list(command)
    first = 2 if words[0] == "spectra" else 1  # the tool comes before the scene
    named = {first, first + 1} if words[:2] in _TWO_SCENES else {first}
    for at, word in enumerate(words):
        # Only what names a file; a model may be called like a folder.
        if at not in named and words[at - 1] not in _NAMES_FILES:
            continue
        whole = Path(word)
        home = next((p for p in (word, *map(str, whole.parents)) if p in moved), None)
        if home is not None:
            words[at] = str(Path(moved[home]) / whole.relative_to(home))
    return words


def _failed(path: Path, number: int, count: int, line: LogLine, code: int) -> ClearbandError:
    left = count - number
    rest = f" The {left} after it were not run." if left > 1 else ""
    rest = " The one after it was not run." if left == 1 else rest
    error = BadInput(
        f"Action {number} of {count} in {path.name} failed: {line.title or line.command[0]}.",
        way_out=f"The message above says why.{rest}",
    )
    error.exit_code = code if code > 0 else BadInput.exit_code
    return error
