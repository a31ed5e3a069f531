"""A page of PDF (ISO 32000-1) with lines, areas and words: just what a map needs.

Layers are optional content groups; the place on Earth is put on the page by `geopdf`. Letters are
those of Helvetica in the encoding every reader has.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[int, int, int]
Points = NDArray[np.float64]
_FONTS = {"": "Helvetica", "bold": "Helvetica-Bold"}
_SPELLED = {"≥": ">=", "≤": "<=", "≈": "~"}
# Widths of Helvetica in thousandths of its size, codes 32 to 126 (Adobe's font metrics).
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_BOLD = 1.07  # the bold face is that much wider, about


class Name(str):
    """A name of PDF, without its slash."""

    __slots__ = ()


class Ref(int):
    """The number of an object."""

    __slots__ = ()


class Canvas:
    """What is drawn on a page; points (1/72 inch), the origin bottom left.

    Parameters
    ----------
    width, height : float
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.layers: list[str] = []
        self._parts: list[str] = []

    @property
    def content(self) -> bytes:
        """The content stream."""
        return "\n".join(self._parts).encode("latin-1")

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        """Draw on a layer that a reader can switch off."""
        if name not in self.layers:
            self.layers.append(name)
        self._parts.append(f"/OC /L{self.layers.index(name)} BDC")
        yield
        self._parts.append("EMC")

    @contextmanager
    def clipped(self, rings: Sequence[Points]) -> Iterator[None]:
        """Draw only inside rings (even-odd)."""
        self._parts += ["q", *(self._path(ring, closed=True) for ring in rings), "W* n"]
        yield
        self._parts.append("Q")

    def stroke(
        self, lines: Sequence[Points], colour: Rgb, width: float, dash: Sequence[float] = ()
    ) -> None:
        """Draw lines."""
        pattern = " ".join(f"{d:g}" for d in dash)
        self._parts += [
            f"q {_rgb(colour)} RG {width:g} w 1 j 1 J [{pattern}] 0 d",
            *(self._path(line, closed=False) for line in lines),
            "S Q",
        ]

    def fill(
        self, rings: Sequence[Points], colour: Rgb, outline: Rgb | None = None, width: float = 0.5
    ) -> None:
        """Fill rings (even-odd), with an outline where a colour is given for it."""
        edge = f"{_rgb(outline)} RG {width:g} w" if outline is not None else ""
        paths = [self._path(ring, closed=True) for ring in rings]
        self._parts += [f"q {_rgb(colour)} rg {edge}", *paths, "B* Q" if outline else "f* Q"]

    def dots(self, places: Sequence[tuple[float, float]], colour: Rgb, size: float) -> None:
        """Draw round dots: lines of no length with round ends."""
        marks = [f"{x:.2f} {y:.2f} m {x:.2f} {y:.2f} l" for x, y in places]
        self._parts += [f"q {_rgb(colour)} RG {size:g} w 1 J", *marks, "S Q"]

    def rectangle(self, x: float, y: float, w: float, h: float, colour: Rgb) -> None:
        """Fill a rectangle."""
        self._parts.append(f"q {_rgb(colour)} rg {x:.3f} {y:.3f} {w:.3f} {h:.3f} re f Q")

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 8.0,
        *,
        bold: bool = False,
        colour: Rgb = (0, 0, 0),
        align: str = "left",
        turn: tuple[float, float] = (1.0, 0.0),
        halo: bool = False,
    ) -> None:
        """Write one line; ``turn`` is cosine and sine of its direction."""
        shift = {"left": 0.0, "middle": 0.5, "right": 1.0}[align] * width_of(words, size, bold)
        c, s = turn
        x, y = x - shift * c, y - shift * s
        place = f"{c:.5f} {s:.5f} {-s:.5f} {c:.5f} {x:.2f} {y:.2f} Tm"
        font = f"/F{int(bold)} {size:g} Tf {place} ({_escaped(words)}) Tj"
        if halo:
            self._parts.append(f"q 1 1 1 RG 2 w 1 j BT 1 Tr {font} ET Q")
        self._parts.append(f"q {_rgb(colour)} rg BT 0 Tr {font} ET Q")

    def picture(self, x: float, y: float, w: float, h: float) -> None:
        """Place the picture of the page."""
        self._parts.append(f"q {w:.3f} 0 0 {h:.3f} {x:.3f} {y:.3f} cm /Picture Do Q")

    def see_through(self, amount: float) -> None:
        """Draw what follows with this opacity: 1, or the one of marks."""
        self._parts.append("/Solid gs" if amount >= 1 else "/Faint gs")

    @staticmethod
    def _path(points: Points, *, closed: bool) -> str:
        steps = [f"{x:.3f} {y:.3f} {'l' if n else 'm'}" for n, (x, y) in enumerate(points)]
        return " ".join(steps) + (" h" if closed else "")


def width_of(words: str, size: float, bold: bool = False) -> float:
    """Return how wide a line of Helvetica is, in points (letters beyond ASCII as an average)."""
    codes = (ord(c) - 32 for c in plain_letters(words))
    total = sum(_WIDTHS[c] if 0 <= c < len(_WIDTHS) else 556 for c in codes)
    return total * size / 1000 * (_BOLD if bold else 1.0)


def plain_letters(words: str) -> str:
    """Return words in letters of Windows-1252; others lose accents or become question marks."""
    out = []
    for letter in words:
        spelled = _SPELLED.get(letter, letter)
        try:
            spelled.encode("cp1252")
        except UnicodeEncodeError:
            folded = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
            spelled = folded or "?"
        out.append(spelled)
    return "".join(out)


def write_pdf(
    path: Path,
    canvas: Canvas,
    *,
    about: Mapping[str, str],
    page: Mapping[str, Any],
    picture: NDArray[np.uint8] | None = None,
    faint: float = 0.35,
) -> None:
    """Write a document of one page.

    Parameters
    ----------
    about : mapping
        Title, Author, Subject, Keywords.
    page : mapping
        More entries of the page, for example its viewports.
    picture : uint8 array of shape (rows, cols, 3), optional
        What `Canvas.picture` places.
    faint : float
        Opacity of marks.
    """
    objects: list[bytes] = []

    def add(value: Any, stream: bytes | None = None) -> Ref:
        body = serialised(value)
        if stream is not None:
            body += b"\nstream\n" + stream + b"\nendstream"
        objects.append(body)
        return Ref(len(objects))

    groups = [add({"Type": Name("OCG"), "Name": name}) for name in canvas.layers]
    fonts = {
        f"F{n}": add({
            "Type": Name("Font"), "Subtype": Name("Type1"), "BaseFont": Name(face),
            "Encoding": Name("WinAnsiEncoding"),
        })
        for n, face in enumerate(_FONTS.values())
    }  # fmt: skip
    resources: dict[str, Any] = {
        "Font": fonts,
        "Properties": {f"L{n}": group for n, group in enumerate(groups)},
        "ExtGState": {"Faint": {"ca": faint, "CA": faint}, "Solid": {"ca": 1, "CA": 1}},
    }
    if picture is not None:
        packed = zlib.compress(np.ascontiguousarray(picture).tobytes())
        image = {
            "Type": Name("XObject"), "Subtype": Name("Image"), "Width": picture.shape[1],
            "Height": picture.shape[0], "ColorSpace": Name("DeviceRGB"), "BitsPerComponent": 8,
            "Filter": Name("FlateDecode"), "Length": len(packed),
        }  # fmt: skip
        resources["XObject"] = {"Picture": add(image, packed)}
    packed = zlib.compress(canvas.content)
    content = add({"Filter": Name("FlateDecode"), "Length": len(packed)}, packed)
    number = len(objects) + 1
    add({
        "Type": Name("Page"), "Parent": Ref(number + 1), "Contents": content,
        "MediaBox": [0, 0, canvas.width, canvas.height], "Resources": resources, **page,
    })  # fmt: skip
    pages = add({"Type": Name("Pages"), "Kids": [Ref(number)], "Count": 1})
    catalog: dict[str, Any] = {"Type": Name("Catalog"), "Pages": pages}
    if groups:
        order = {"Order": groups, "ON": groups, "ListMode": Name("AllPages")}
        catalog |= {"OCProperties": {"OCGs": groups, "D": order}, "PageMode": Name("UseOC")}
    root, info = add(catalog), add(dict(about))
    path.write_bytes(_file(objects, root, info))


def _file(objects: Sequence[bytes], root: Ref, info: Ref) -> bytes:
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    begin = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    trailer = serialised({"Size": len(objects) + 1, "Root": root, "Info": info})
    out += b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer, begin)
    return bytes(out)


def serialised(value: Any) -> bytes:
    """Return a value in the syntax of PDF: dicts, lists, names, references, numbers, texts."""
    if isinstance(value, Mapping):
        inside = b" ".join(b"/%s %s" % (k.encode(), serialised(v)) for k, v in value.items())
        return b"<< %s >>" % inside
    if isinstance(value, (list, tuple)):
        return b"[%s]" % b" ".join(serialised(v) for v in value)
    if isinstance(value, Name):
        return b"/%s" % value.encode()
    if isinstance(value, Ref):
        return b"%d 0 R" % value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".").encode() or b"0"
    text = str(value)
    if text.isascii():
        return b"(%s)" % _escaped(text).encode("latin-1")
    return b"<%s>" % (b"\xfe\xff" + text.encode("utf-16-be")).hex().encode()


def _escaped(words: str) -> str:
    inside = "".join("\\" + c if c in "()\\" else c for c in plain_letters(words))
    return (
        "".join(c if c.isprintable() or c == " " else " " for c in inside)
        .encode("cp1252", "replace")
        .decode("latin-1")
    )


def _rgb(colour: Rgb) -> str:
    return " ".join(f"{c / 255:.3f}" for c in colour)
