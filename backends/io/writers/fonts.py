"""A font for drawn pictures that has the letters asked for.

Looked for among the files that come with the window's libraries (found without
importing them), then on the system; Pillow's own font is the last resort.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_SHIPPED = (
    ("vispy", "util/fonts/data/OpenSans-Regular.ttf"),
    ("napari_resources", "resources/fonts/M_PLUS_1p/MPLUS1p-Regular.ttf"),
)
_SYSTEM = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "arial.ttf",
    "msyh.ttc",
    "PingFang.ttc",
)
# What Pillow's own font lacks, said otherwise.
_PLAIN = str.maketrans({"µ": "u", "²": "2", "×": "x", "→": ">", "–": "-", "≥": ">=", "…": "..."})


def font_for(text: str, size: int) -> tuple[Font, str]:
    """Return a font that can write ``text``, and the text to write with it."""
    text = " ".join(text.split())  # a line break in a name must not break the line
    for file in _files():
        font = _load(file, size)
        if font is not None and all(_has(file, c) for c in set(text) if not c.isspace()):
            return font, text
    fallback = next((f for f in (_load(file, size) for file in _files()) if f), None)
    if fallback is not None:
        return fallback, text
    return ImageFont.load_default(size), text.translate(_PLAIN)


@cache
def _files() -> tuple[str, ...]:
    found = []
    for package, inside in _SHIPPED:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin and (Path(spec.origin).parent / inside).is_file():
            found.append(str(Path(spec.origin).parent / inside))
    # Pillow looks for plain names in the system's font folders.
    return (*found, *_SYSTEM)


@cache
def _load(file: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(file, size)
    except OSError:  # not on this machine
        return None


@cache
def _has(file: str, letter: str) -> bool:
    font = _load(file, 16)
    if font is None:
        return False
    # A missing letter is drawn as the font's box, the same for every one of them.
    return bytes(font.getmask(letter)) != bytes(font.getmask("\ufffe"))
