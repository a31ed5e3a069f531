"""What was done to a perimeter, by whom and when: a list that only grows, and shows tampering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from backends.errors import BadInput
from backends.perimeters.clock import stamp

GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditEntry:
    """One line of the trail.

    Attributes
    ----------
    number : int
        From 1.
    utc, who, action : str
    details : mapping
        Plain values.
    previous, digest : str
        SHA-256 of the entry before, and of this one with it.
    """

    number: int
    utc: str
    who: str
    action: str
    details: Mapping[str, Any] = field(default_factory=dict)
    previous: str = GENESIS
    digest: str = ""

    def computed(self) -> str:
        """Return the digest its content has."""
        values = {k: v for k, v in asdict(self).items() if k != "digest"}
        text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


class AuditTrail:
    """Entries chained by their digests; there is no way to take one out."""

    def __init__(self, entries: Iterable[AuditEntry] = ()) -> None:
        self._entries = list(entries)
        self.check()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> tuple[AuditEntry, ...]:
        """All lines, oldest first."""
        return tuple(self._entries)

    @property
    def head(self) -> str:
        """Digest of the last entry; whoever keeps it can tell a shortened trail."""
        return self._entries[-1].digest if self._entries else GENESIS

    def add(self, who: str, action: str, details: Mapping[str, Any] | None = None) -> AuditEntry:
        """Append a line."""
        entry = AuditEntry(len(self) + 1, stamp(), who, action, dict(details or {}), self.head)
        entry = AuditEntry(**{**asdict(entry), "digest": entry.computed()})
        self._entries.append(entry)
        return entry

    def take(self, entry: AuditEntry) -> None:
        """Append a line that was written before (from the journal).

        Raises
        ------
        BadInput
            It does not follow.
        """
        self._follows(entry, len(self) + 1, self.head)
        self._entries.append(entry)

    def check(self) -> None:
        """Look whether every line follows from the one before.

        Raises
        ------
        BadInput
            One was changed, taken out or put in.
        """
        before = GENESIS
        for number, entry in enumerate(self._entries, 1):
            self._follows(entry, number, before)
            before = entry.digest

    @staticmethod
    def _follows(entry: AuditEntry, number: int, before: str) -> None:
        sound = entry.number == number and entry.previous == before
        if not sound or entry.computed() != entry.digest:
            raise BadInput(
                f"The audit trail was changed after it was written, at line {number}.",
                way_out="Take the file from where it was delivered; don't rely on this one.",
            )

    @classmethod
    def of(cls, values: Iterable[Mapping[str, Any]]) -> AuditTrail:
        """Rebuild from plain values and check."""
        try:
            return cls(AuditEntry(**dict(v)) for v in values)
        except TypeError as error:
            raise BadInput("The audit trail cannot be read.", details=repr(error)) from error
