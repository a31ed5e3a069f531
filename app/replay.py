"""Doing again what a run log lists, through the same commands, in this process."""

from __future__ import annotations

from pathlib import Path

from backends.errors import BadInput, WrongUse
from backends.runlog import LogLine, parse_log

# What makes files; the window and the replay itself are not for a log.
ALLOWED = ("info", "models", "classify", "export", "doctor")


def replay(path: Path) -> list[LogLine]:
    """Run every line of a run log and return the lines; nothing but our own commands.

    Raises
    ------
    WrongUse
        A line is a command that a log may not hold; nothing was run then.
    BadInput
        A command failed; the sentence says which. Those before it are done.
    """
    from app.cli.root import invoke

    lines = parse_log(path)
    for line in lines:
        if line.command[0] not in ALLOWED:
            raise WrongUse(
                f"A run log may not hold '{line.command[0]}'.",
                way_out=f"It may hold: {', '.join(ALLOWED)}.",
            )
    for number, line in enumerate(lines, 1):
        code = invoke(line.command)
        if code != 0:
            raise BadInput(
                f"Action {number} of {path.name} failed ({line.command[0]}, code {code}).",
                way_out="The message above says why; the actions before it are done.",
            )
    return lines
