"""Reads back a PDF as `pdf` writes it: a plain table of objects, none of them packed together."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import BadInput
from backends.perimeters.deliverables.pdf import Name, Ref

_TOKEN = re.compile(
    rb"\s*(<<|>>|\[|\]|/[^\s<>\[\]()/]*|\d+\s+\d+\s+R(?![A-Za-z])|[+-]?(?:\d+\.?\d*|\.\d+)|"
    rb"true|false|null|\(|<[0-9A-Fa-f\s]*>)"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_DEEPEST = 50


@dataclass(frozen=True)
class PdfFile:
    """Objects of a file by number."""

    path: Path
    content: bytes
    places: dict[int, int]
    trailer: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> PdfFile:
        """Read a file.

        Raises
        ------
        BadInput
            Not such a file, or not whole.
        """
        content = path.read_bytes()
        start = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", content)
        if not content.startswith(b"%PDF-") or start is None:
            raise BadInput(f"{path.name} is no whole PDF.", subject=path)
        table = re.compile(rb"xref\s+0\s+(\d+)\s+").match(content, int(start[1]))
        if table is None:
            raise BadInput(f"{path.name} has no plain table of objects.", subject=path)
        count, at = int(table[1]), table.end()
        lines = [content[at + 20 * n : at + 20 * n + 20] for n in range(count)]
        try:
            places = {n: int(line[:10]) for n, line in enumerate(lines) if line[17:18] == b"n"}
            head = content.index(b"trailer", at + 20 * count) + len(b"trailer")
            trailer, _ = _parsed(content, head)
        except (ValueError, IndexError) as error:
            raise BadInput(
                f"{path.name} has a broken table of objects.", subject=path, details=repr(error)
            ) from error
        return cls(path, content, places, trailer)

    def value(self, item: Any) -> Any:
        """Return what a reference stands for, or the item itself."""
        if not isinstance(item, Ref):
            return item
        head = b"%d 0 obj" % item
        at = self.places.get(int(item), -1)
        if at < 0 or not self.content.startswith(head, at):
            raise BadInput(f"Object {int(item)} of {self.path.name} is not there.")
        try:
            return _parsed(self.content, at + len(head))[0]
        except (ValueError, IndexError) as error:
            raise BadInput(
                f"Object {int(item)} of {self.path.name} cannot be read.", details=repr(error)
            ) from error

    def first_page(self) -> dict[str, Any]:
        """Return the entries of the first page."""
        pages = self.value(self.value(self.trailer["Root"])["Pages"])
        page: dict[str, Any] = self.value(self.value(pages["Kids"])[0])
        return page

    def stream(self, item: Ref) -> bytes:
        """Return the unpacked content of a stream object."""
        values = self.value(item)
        at = self.content.index(b"stream\n", self.places[int(item)]) + len(b"stream\n")
        return zlib.decompress(self.content[at : at + int(values["Length"])])


def _parsed(content: bytes, at: int, depth: int = 0) -> tuple[Any, int]:
    """Return the value that begins at a place, and where it ends."""
    found = _TOKEN.match(content, at)
    if found is None or depth > _DEEPEST:
        raise ValueError(f"no value at {at}")
    token, at = found[1], found.end()
    if token == b"<<":
        entries: dict[str, Any] = {}
        while True:
            key, at = _parsed(content, at, depth + 1)
            if key is _END_OF_DICT:
                return entries, at
            entries[str(key)], at = _parsed(content, at, depth + 1)
    if token == b"[":
        items: list[Any] = []
        while True:
            item, at = _parsed(content, at, depth + 1)
            if item is _END_OF_LIST:
                return items, at
            items.append(item)
    if token == b"(":
        return _text(content, at)
    return _simple(token), at


_END_OF_DICT, _END_OF_LIST = object(), object()


def _simple(token: bytes) -> Any:
    plain = {b">>": _END_OF_DICT, b"]": _END_OF_LIST, b"true": True, b"false": False, b"null": None}
    if token in plain:
        return plain[token]
    if token.startswith(b"/"):
        return Name(token[1:].decode())
    if token.startswith(b"<"):
        raw = bytes.fromhex(token[1:-1].decode())
        return raw[2:].decode("utf-16-be") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")
    if token.endswith(b"R"):
        return Ref(int(token.split()[0]))
    return float(token) if b"." in token else int(token)


def _text(content: bytes, at: int) -> tuple[str, int]:
    """Return a text in round brackets, which may be nested or escaped."""
    out: list[str] = []
    depth = 1
    while depth:
        letter = content[at : at + 1].decode("cp1252", "replace")
        if not letter:
            raise ValueError("a text without an end")
        at += 1
        if letter == "\\":
            following = content[at : at + 1].decode("cp1252", "replace")
            out.append(_ESCAPES.get(following, following))
            at += 1
            continue
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth:
            out.append(letter)
    return "".join(out), at
