"""The run log: every action that made something, as a command line that makes it again."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from backends.errors import BadInput

HEADER = "# clearband run log 1"


@dataclass(frozen=True)
class LogLine:
    """One action.

    Attributes
    ----------
    title : str
        In words.
    command : tuple of str
        Arguments of ``clearband``.
    when_utc : str
    """

    title: str
    command: tuple[str, ...]
    when_utc: str

    def text(self) -> str:
        """Return the comment and the command as they stand in the file."""
        title = " ".join(self.title.split())
        return f"# {self.when_utc} {title}\nclearband {shlex.join(self.command)}"


class RunLog:
    """Append-only list of actions, readable as a shell script."""

    added = Signal(LogLine)

    def __init__(self, lines: Iterable[LogLine] = ()) -> None:
        self.lines: list[LogLine] = list(lines)

    def add(self, title: str, command: Sequence[str]) -> LogLine:
        """Note an action that succeeded."""
        when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        line = LogLine(title, tuple(command), when)
        self.lines.append(line)
        self.added.emit(line)
        return line

    def text(self) -> str:
        """Return the whole log."""
        return "\n".join([HEADER, *(line.text() for line in self.lines)]) + "\n"


def parse_log(path: Path) -> list[LogLine]:
    """Read a run log.

    Raises
    ------
    BadInput
        Not a run log, or a line that is no ``clearband`` command.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path.name} cannot be read as a run log.", subject=path, details=repr(error)
        ) from error
    lines = text.splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise BadInput(
            f"{path.name} is not a run log.",
            subject=path,
            way_out="Save one with File > Save run log.",
        )
    found: list[LogLine] = []
    title, when = "", ""
    for number, line in enumerate(lines[1:], start=2):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped.startswith("#"):
            when, _, title = stripped[1:].strip().partition(" ")
            continue
        try:
            words = shlex.split(stripped)
        except ValueError as error:
            raise BadInput(f"Line {number} of {path.name} has an open quote.") from error
        if words[0] != "clearband" or len(words) < 2:
            raise BadInput(f"Line {number} of {path.name} is not a clearband command.")
        found.append(LogLine(title, tuple(words[1:]), when))
        title, when = "", ""
    return found
