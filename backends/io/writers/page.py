"""A picture with what it needs to be read: title, legend, scale bar, north arrow, origin.

Drawn with Pillow alone, the same for a layer, for the canvas and for a report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import table
from backends.palette import to_rgb

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

INK = (32, 33, 36)
FAINT = (95, 99, 104)
PAPER = (255, 255, 255)
LINE = (190, 193, 197)


@dataclass(frozen=True)
class LegendEntry:
    """A line of the legend.

    Attributes
    ----------
    color : str
        ``#rrggbb``.
    name : str
    value : str
        At the right, e.g. an area with its unit.
    """

    color: str
    name: str
    value: str = ""


@dataclass(frozen=True)
class ColorBar:
    """What the colours of a map of numbers stand for.

    Attributes
    ----------
    colormap : str
        Name in `backends.colormaps`.
    limits : (low, high)
    unit : str
    note : str
        For example that the colours are stretched.
    """

    colormap: str
    limits: tuple[float, float]
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class PageParts:
    """What stands around a picture; everything may be left out.

    Attributes
    ----------
    title : str
    legend : sequence of LegendEntry
    color_bar : ColorBar or None
    pixel_width : (width, unit) or None
        Size of one picture pixel, unit m, mm or µm: gives the scale bar.
    north : (row, col) or None
        Direction of north in the picture: gives the arrow.
    lines : sequence of str
        Small print below: where the picture comes from.
    """

    title: str = ""
    legend: Sequence[LegendEntry] = ()
    color_bar: ColorBar | None = None
    pixel_width: tuple[float, str] | None = None
    north: tuple[float, float] | None = None
    lines: Sequence[str] = ()


def compose(picture: NDArray[np.uint8], parts: PageParts) -> NDArray[np.uint8]:
    """Return a page with the picture and its parts, uint8 (rows, cols, 3).

    The picture keeps its pixels; one smaller than 480 is enlarged by a whole factor.

    Parameters
    ----------
    picture : uint8 array of shape (rows, cols, 3)
    parts : PageParts
    """
    from PIL import Image, ImageDraw

    factor = max(1, math.ceil(480 / max(picture.shape[:2])))
    if factor > 1:
        picture = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    rows, cols = picture.shape[:2]
    unit = max(1.0, max(rows, cols) / 1000)  # letters grow with the picture
    size, pad = round(15 * unit), round(16 * unit)
    pen = _Pen(size)
    beside = pen.legend_width(parts)
    width = pad + cols + (pad + beside if beside else 0) + pad
    head = pad + (round(size * 1.9) if parts.title else 0)
    foot_bar = round(size * 2.6) if parts.pixel_width or parts.north else 0
    small = _wrap(parts.lines, width - 2 * pad, pen)
    height = head + rows + foot_bar + round(len(small) * size * 1.25) + pad
    height = max(height, head + pen.legend_height(parts) + pad)
    page = Image.new("RGB", (width, height), PAPER)
    page.paste(Image.fromarray(np.ascontiguousarray(picture)), (pad, head))
    draw = ImageDraw.Draw(page)
    draw.rectangle((pad - 1, head - 1, pad + cols, head + rows), outline=LINE)
    if parts.title:
        pen.text(draw, (pad, pad // 2), _cut(parts.title, width - 2 * pad, pen, 1.3), INK, 1.3)
    if beside:
        pen.legend(draw, page, (pad + cols + pad, head), parts)
    bottom = head + rows
    if parts.pixel_width is not None:
        scale = (parts.pixel_width[0] / factor, parts.pixel_width[1])
        _scale_bar(draw, (pad, bottom + round(size * 0.8)), cols, scale, pen)
    if parts.north is not None:
        arrow = round(size * 0.9)
        _north_arrow(draw, (pad + cols - arrow, bottom + round(size * 1.4)), parts.north, arrow)
        pen.text(draw, (pad + cols - round(3.1 * arrow), bottom + round(size * 0.8)), "N", INK)
    top = bottom + foot_bar + round(size * 0.3)
    for number, line in enumerate(small):
        pen.text(draw, (pad, top + round(number * size * 1.25)), line, FAINT, 0.8)
    return np.asarray(page)


def scale_step(width: float, unit: str, pixels: int) -> tuple[float, str]:
    """Return the length of a scale bar in pixels, and what to write beside it.

    A round length (1, 2 or 5 times a power of ten) of at most a quarter of the picture.

    Parameters
    ----------
    width : float
        Of one pixel.
    unit : str
        ``"m"``, ``"mm"`` or ``"µm"``.
    pixels : int
        Width of the picture.
    """
    longest = width * pixels / 4
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(power * k for k in (1, 2, 5) if power * k <= longest * (1 + 1e-9))
    steps = {"µm": ("mm", 1000), "mm": ("m", 1000), "m": ("km", 1000)}
    shown, name = length, unit
    while name in steps and shown >= steps[name][1]:
        name, divisor = steps[name]
        shown /= divisor
    return length / width, f"{shown:g} {name}"


class _Pen:
    """Writes text, and draws the legend."""

    def __init__(self, size: int) -> None:
        self.size = size

    def text(
        self,
        draw: ImageDraw.ImageDraw,
        at: tuple[float, float],
        text: str,
        color: tuple[int, int, int],
        scale: float = 1.0,
    ) -> None:
        from backends.io.writers.fonts import font_for

        font, text = font_for(text, max(6, round(self.size * scale)))
        draw.text(at, text, fill=color, font=font)

    def width(self, text: str, scale: float = 1.0) -> int:
        from backends.io.writers.fonts import font_for

        font, text = font_for(text, max(6, round(self.size * scale)))
        return math.ceil(font.getlength(text))

    def legend_width(self, parts: PageParts) -> int:
        rows = [self.width(e.name) + self.width(e.value) + 4 * self.size for e in parts.legend]
        if parts.color_bar is not None:
            texts = [*_bar_texts(parts.color_bar), parts.color_bar.note]
            rows.append(max(self.width(t) for t in texts) + 3 * self.size)
        return min(max(rows, default=0), 40 * self.size)

    def legend_height(self, parts: PageParts) -> int:
        rows = len(parts.legend) * self.size * 1.7
        return round(rows + (self.size * 16 if parts.color_bar is not None else 0))

    def legend(
        self, draw: ImageDraw.ImageDraw, page: Image.Image, at: tuple[int, int], parts: PageParts
    ) -> None:
        x, y = at
        right = x + self.legend_width(parts)
        step, swatch = round(self.size * 1.7), self.size
        for entry in parts.legend:
            box = (x, y + round(self.size * 0.2), x + swatch, y + round(self.size * 0.2) + swatch)
            draw.rectangle(box, fill=to_rgb(entry.color), outline=FAINT)
            room = right - x - 2 * swatch - self.width(entry.value) - self.size
            self.text(draw, (x + 1.6 * swatch, y), _cut(entry.name, room, self), INK)
            if entry.value:
                self.text(draw, (right - self.width(entry.value), y), entry.value, FAINT)
            y += step
        if parts.color_bar is not None:
            self._color_bar(draw, page, (x, y), parts.color_bar)

    def _color_bar(
        self, draw: ImageDraw.ImageDraw, page: Image.Image, at: tuple[int, int], bar: ColorBar
    ) -> None:
        from PIL import Image

        x, y = at
        tall, wide = 10 * self.size, round(1.2 * self.size)
        colors = table(bar.colormap)[np.linspace(255, 0, tall).round().astype(int)]
        page.paste(Image.fromarray(np.repeat(colors[:, None], wide, axis=1)), (x, y))
        draw.rectangle((x, y, x + wide, y + tall), outline=FAINT)
        for number, text in enumerate(_bar_texts(bar)):
            top = y + round(number * tall / 2 - self.size * 0.6 * number)
            self.text(draw, (x + wide + self.size // 2, top - self.size // 4), text, INK)
        if bar.note:
            self.text(draw, (x, y + tall + self.size // 2), bar.note, FAINT, 0.85)


def _bar_texts(bar: ColorBar) -> tuple[str, str, str]:
    low, high = bar.limits
    unit = f" {bar.unit}" if bar.unit else ""
    middle = (low + high) / 2
    return f"{high:.4g}{unit}", f"{middle:.4g}{unit}", f"{low:.4g}{unit}"


def _scale_bar(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    cols: int,
    scale: tuple[float, str],
    pen: _Pen,
) -> None:
    length, label = scale_step(*scale, cols)
    x, y = at
    thick = max(3, pen.size // 3)
    draw.rectangle((x, y, x + round(length), y + thick), fill=INK)
    draw.rectangle((x + round(length / 2), y + 1, x + round(length) - 1, y + thick - 1), fill=PAPER)
    pen.text(draw, (x + round(length) + pen.size // 2, y - pen.size // 2), label, INK)


def _north_arrow(
    draw: ImageDraw.ImageDraw, middle: tuple[int, int], north: tuple[float, float], size: int
) -> None:
    up = np.array([north[1], north[0]], float)  # x, y
    side = np.array([-up[1], up[0]])
    at = np.array(middle, float)
    corners = (at + up * size, at - up * size * 0.8 + side * size * 0.6, at - up * size * 0.3)
    other = (at + up * size, at - up * size * 0.8 - side * size * 0.6, at - up * size * 0.3)
    draw.polygon([tuple(p) for p in corners], fill=INK)
    draw.polygon([tuple(p) for p in other], fill=PAPER, outline=INK)


def _cut(text: str, room: float, pen: _Pen, scale: float = 1.0) -> str:
    """Shorten a text to a width; the end is what is left out."""
    if pen.width(text, scale) <= room:
        return text
    while text and pen.width(text + "…", scale) > room:
        text = text[:-1]
    return text + "…"


def _wrap(lines: Sequence[str], room: float, pen: _Pen) -> list[str]:
    out = []
    for line in lines:
        current = ""
        for word in line.split():
            longer = f"{current} {word}".strip()
            if current and pen.width(longer, 0.8) > room:
                out.append(current)
                current = word
            else:
                current = longer
        out.append(_cut(current, room, pen, 0.8))
    return out
