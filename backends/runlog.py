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
LARGEST_BYTES = 4 << 20
_MOST_BREAKS = 100  # line breaks within one command


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
        # One comment line whatever is in it: a second line would be taken for a command.
        about = " ".join(f"{self.when_utc} {self.title}".split())
        return f"# {about}\nclearband {shlex.join(self.command)}"


class RunLog:
    """Append-only list of actions, readable as a shell script."""

    added = Signal(LogLine)
    replaced = Signal()

    def __init__(self, lines: Iterable[LogLine] = ()) -> None:
        self.lines: list[LogLine] = list(lines)

    def add(self, title: str, command: Sequence[str]) -> LogLine:
        """Note an action that succeeded."""
        when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        line = LogLine(title, tuple(command), when)
        self.lines.append(line)
        self.added.emit(line)
        return line

    def replace(self, lines: Iterable[LogLine]) -> None:
        """Take another session's log in place of this one."""
        self.lines[:] = lines
        self.replaced.emit()

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
        if path.stat().st_size > LARGEST_BYTES:
            raise BadInput(f"{path.name} is too large to be a run log.", subject=path)
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Check the name and the folder."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path.name} cannot be read as a run log.", subject=path, details=repr(error)
        ) from error
    lines = text.split("\n")
    if lines[0].strip() != HEADER:
        raise BadInput(
            f"{path.name} is not a run log.",
            subject=path,
            way_out="Save one with File > Save run log.",
        )
    found: list[LogLine] = []
    title, when = "", ""
    started, pending = 0, ""
    for number, line in enumerate(lines[1:], start=2):
        # A quoted name may itself hold a line break.
        stripped = f"{pending}\n{line}" if pending else line.lstrip()
        if not stripped.strip():
            continue
        if not pending and stripped.startswith("#"):
            when, _, title = stripped[1:].strip().partition(" ")
            continue
        started = started if pending else number
        try:
            words = shlex.split(stripped)
        except ValueError:
            pending = stripped
            if pending.count("\n") > _MOST_BREAKS:
                break
            continue
        number, pending = started, ""
        if words[0] != "clearband" or len(words) < 2:
            raise BadInput(
                f"Line {number} of {path.name} is not a clearband command.", subject=path
            )
        found.append(LogLine(title, tuple(words[1:]), when))
        title, when = "", ""
    if pending:
        raise BadInput(f"Line {started} of {path.name} has an open quote.", subject=path)
    return found
