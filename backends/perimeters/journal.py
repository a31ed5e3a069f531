"""Perimeter documents on disk: saved whole, and each change at once in a journal beside it.

A killed program loses nothing: opening the document again replays what the journal has.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from backends.errors import BadInput, ClearbandError
from backends.io.writers.atomic import write_text
from backends.perimeters.audit import AuditEntry
from backends.perimeters.document import PerimeterDocument
from backends.processes import is_alive, this_process

SUFFIX = ".perimeter"
LARGEST_BYTES = 512 << 20


def journal_of(path: Path) -> Path:
    """Return where the journal of a document lies."""
    return path.with_name(f".{path.name}.journal")


def save(document: PerimeterDocument, path: Path) -> None:
    """Write a document whole; it replaces the file in one step."""
    write_text(path, json.dumps(document.to_dict(), ensure_ascii=False))


def load(path: Path) -> tuple[PerimeterDocument, int]:
    """Read a document and what its journal has since; return how many changes that were.

    Raises
    ------
    BadInput
        Not such a file, or changed behind the trail's back.
    """
    document = _read(path)
    journal = journal_of(path)
    if not journal.is_file():
        return document, 0
    lines = journal.read_bytes().split(b"\n")
    taken = 0
    try:
        head = json.loads(lines[0])
        if (head["document"], head["after"]) != (document.id, document.trail.head):
            return document, 0  # of a version that was saved since
    except (ValueError, TypeError, KeyError):
        return document, 0
    for line in lines[1:]:
        try:
            values = json.loads(line)
        except ValueError:
            break  # the last line of a killed program may be half written
        try:
            document.replay(values["change"], AuditEntry(**values["entry"]))
        except (KeyError, TypeError, ClearbandError) as error:
            raise BadInput(
                f"The journal of {path.name} cannot be replayed after change {taken}.",
                subject=path,
                way_out="Move the journal away to open the saved version.",
                details=repr(error),
            ) from error
        taken += 1
    document.check_content()
    return document, taken


def was_left(path: Path) -> bool:
    """Tell whether a document was being worked on by a program that died."""
    try:
        with journal_of(path).open("rb") as stream:
            owner = json.loads(stream.readline(65536))["owner"]
        return not is_alive(owner)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _read(path: Path) -> PerimeterDocument:
    if not path.is_file():
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Check the name and the folder."
        )
    if path.stat().st_size > LARGEST_BYTES:
        raise BadInput(f"{path.name} is too large for a perimeter.", subject=path)
    try:
        values: Any = json.loads(path.read_bytes())
        if not isinstance(values, dict):
            raise ValueError("not an object")
    except (ValueError, OSError) as error:
        raise BadInput(
            f"{path.name} is no perimeter of Clearband.",
            subject=path,
            way_out=f"Give a file made by clearband perimeter make ({SUFFIX}).",
            details=repr(error),
        ) from error
    try:
        return PerimeterDocument.from_dict(values)
    except BadInput as error:
        error.subject = str(path)
        raise


class Journal:
    """Writes each change of a document to disk before the next one.

    Parameters
    ----------
    document : PerimeterDocument
    path : Path
        Of the document; it is saved now.
    """

    def __init__(self, document: PerimeterDocument, path: Path) -> None:
        self.document, self.path = document, path
        self._stream: IO[bytes] | None = None
        self.save()
        document.written.connect(self._write)

    def save(self) -> None:
        """Write the document whole and begin a new journal."""
        save(self.document, self.path)
        head = {
            "document": self.document.id, "after": self.document.trail.head,
            "owner": this_process(),
        }  # fmt: skip
        if self._stream is not None:
            self._stream.close()
        # Only after the document is safe: until then the old journal still counts.
        self._stream = journal_of(self.path).open("wb")
        self._line(head)

    def _write(self, change: dict[str, Any], entry: AuditEntry) -> None:
        self._line({"change": change, "entry": entry.to_dict()})

    def _line(self, values: dict[str, Any]) -> None:
        assert self._stream is not None
        try:
            self._stream.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise BadInput(
                f"The last change of {self.path.name} could not be put on disk.",
                subject=self.path,
                way_out="Free some space and save; the change is still here.",
                details=repr(error),
            ) from error

    def close(self) -> None:
        """Save and take the journal away."""
        self.document.written.disconnect(self._write)
        save(self.document, self.path)
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        journal_of(self.path).unlink(missing_ok=True)
