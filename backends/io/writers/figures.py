"""Figures drawn with Pillow: spectra of clusters, and the grid of a network's matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.io.writers.page import FAINT, INK, LINE, PAPER, LegendEntry, PageParts, compose
from backends.palette import to_rgb

_WIDTH, _HEIGHT = 960, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 28, 16, 56
_LETTER = 15
_OUTLINE = "#FF2A2A"


@dataclass(frozen=True, eq=False)
class Line:
    """One spectrum of a figure.

    Attributes
    ----------
    values, spread : float arrays of shape (bands,)
    """

    name: str
    color: str
    values: NDArray[np.float64]
    spread: NDArray[np.float64]
    note: str = ""


def spectra_figure(
    lines: Sequence[Line],
    bands: BandTable,
    *,
    title: str = "",
    unit: str = "",
    notes: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Draw spectra with their spread; bad bands are gaps.

    Returns
    -------
    uint8 array of shape (rows, cols, 3)
    """
    from PIL import Image, ImageDraw

    nm = bands.wavelengths()
    x = nm if bands.has_wavelengths else np.arange(1, len(bands) + 1, dtype=float)
    order = np.argsort(x, kind="stable")
    good = bands.good_mask() & np.isfinite(x)
    shown = [v[good] for line in lines for v in _reach(line)]
    finite = np.concatenate([v[np.isfinite(v)] for v in shown] or [np.zeros(0)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    high = high if high > low else low + 1
    span = x[good] if good.any() else np.array([0.0, 1.0])
    ends = float(span.min()), float(span.max()) if np.ptp(span) else float(span.min()) + 1
    page = Image.new("RGB", (_WIDTH, _HEIGHT), PAPER)
    draw = ImageDraw.Draw(page, "RGBA")

    def at(value: float, wave: float) -> tuple[float, float]:
        across = (wave - ends[0]) / (ends[1] - ends[0])
        up = (value - low) / (high - low)
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        return _LEFT + across * (right - _LEFT), bottom - up * (bottom - _TOP)

    for value in _ticks(low, high):
        y = at(value, ends[0])[1]
        draw.line((_LEFT, y, _WIDTH - _RIGHT, y), fill=(*LINE, 120))
        _text(draw, (_LEFT - 8, y), f"{value:g}", align="right")
    for wave in _ticks(*ends):
        px = at(low, wave)[0]
        draw.line((px, _HEIGHT - _BOTTOM, px, _HEIGHT - _BOTTOM + 5), fill=FAINT)
        _text(draw, (px, _HEIGHT - _BOTTOM + 15), f"{wave:g}", align="middle")
    label = "Wavelength, nm" if bands.has_wavelengths else "Band"
    _text(draw, ((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 16), label, align="middle")
    _text(draw, (_LEFT + 6, _TOP + 4), unit or "value", align="left")
    for line in lines:
        color = to_rgb(line.color)
        for run in _runs(good, order):
            pieces = [i for i in run if np.isfinite(line.values[i])]
            if len(pieces) < 2:
                continue
            upper = [at(line.values[i] + _spread(line, i), x[i]) for i in pieces]
            lower = [at(line.values[i] - _spread(line, i), x[i]) for i in pieces]
            draw.polygon([*upper, *lower[::-1]], fill=(*color, 26))
            draw.line([at(line.values[i], x[i]) for i in pieces], fill=color, width=2)
    draw.line((_LEFT, _TOP, _LEFT, _HEIGHT - _BOTTOM), fill=FAINT)
    draw.line((_LEFT, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM), fill=FAINT)
    legend = [LegendEntry(line.color, line.name, line.note) for line in lines]
    return compose(np.asarray(page), PageParts(title, legend, lines=list(notes)))


@dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes
    ----------
    x, y : tuples of float
    """

    name: str
    color: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    note: str = ""


def curves_figure(
    curves: Sequence[Curve],
    labels: tuple[str, str],
    *,
    logarithmic: bool = False,
    title: str = "",
    notes: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Draw lines over numbers.

    Parameters
    ----------
    labels : (str, str)
        Of the axes across and up.
    logarithmic : bool
        Upwards; values at or below zero are left out.

    Returns
    -------
    uint8 array of shape (rows, cols, 3)
    """
    from PIL import Image, ImageDraw

    def height(value: float) -> float:
        return math.log10(value) if logarithmic else value

    shown = [
        [(x, height(y)) for x, y in zip(c.x, c.y, strict=True) if y > 0 or not logarithmic]
        for c in curves
    ]
    across = [x for points in shown for x, _ in points] or [0.0]
    up = [y for points in shown for _, y in points] or [0.0]
    first, last = min(across), max(across) if max(across) > min(across) else min(across) + 1
    low, high = min(up), max(up) if max(up) > min(up) else min(up) + 1
    page = Image.new("RGB", (_WIDTH, _HEIGHT), PAPER)
    draw = ImageDraw.Draw(page)
    right, bottom, top = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, _TOP + 24  # a line above for words

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - first) / (last - first) * (right - _LEFT),
            bottom - (y - low) / (high - low) * (bottom - top),
        )

    for value in _ticks(low, high):
        y = at(first, value)[1]
        draw.line((_LEFT, y, right, y), fill=LINE)
        said = f"{10**value:.2g}" if logarithmic else f"{value:g}"
        _text(draw, (_LEFT - 8, y), said, align="right")
    for value in _ticks(first, last):
        px = at(value, low)[0]
        draw.line((px, bottom, px, bottom + 5), fill=FAINT)
        _text(draw, (px, bottom + 15), f"{value:g}", align="middle")
    _text(draw, ((_LEFT + right) / 2, _HEIGHT - 16), labels[0], align="middle")
    _text(draw, (_LEFT, _TOP), labels[1], align="left")
    for curve, points in zip(curves, shown, strict=True):
        draw.line([at(*point) for point in points], fill=to_rgb(curve.color), width=3)
    draw.line((_LEFT, top, _LEFT, bottom), fill=FAINT)
    draw.line((_LEFT, bottom, right, bottom), fill=FAINT)
    legend = [LegendEntry(curve.color, curve.name, curve.note) for curve in curves]
    return compose(np.asarray(page), PageParts(title, legend, lines=list(notes)))


def grid_figure(
    tiles: NDArray[np.uint8],
    names: Sequence[str],
    texts: Sequence[Sequence[str]],
    *,
    row_names: Sequence[str] | None = None,
    outlines: Sequence[Sequence[NDArray[np.int64]]] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Draw m × n small maps with names on both axes and a text under each.

    Parameters
    ----------
    tiles : uint8 array of shape (m, n, rows, cols, 3)
        First index row of the figure (source), second its column (target).
    names : n texts
    texts : m × n texts
    row_names : m texts, optional
        Default ``names``.
    outlines : m × n arrays of shape (edges, 4), optional
        Drawn in red; row and column of both ends, whole numbers are corners of pixels.
    """
    from PIL import Image, ImageDraw

    m, n, rows, cols, _ = tiles.shape
    downwards = names if row_names is None else row_names
    factor = max(1, math.ceil(110 / max(rows, cols)))
    wide, high = cols * factor, rows * factor
    cell = (max(wide, 104) + 10, high + 28)
    left = 20 + 9 * max((len(name) for name in downwards), default=1)
    top = 28
    page = Image.new("RGB", (left + n * cell[0] + 8, top + m * cell[1] + 8), PAPER)
    draw = ImageDraw.Draw(page)
    arrow = "→ " if row_names is None else ""
    for j, name in enumerate(names):
        _text(draw, (left + j * cell[0] + wide / 2, 12), f"{arrow}{name}", align="middle")
    for i, name in enumerate(downwards):
        _text(draw, (left - 10, top + i * cell[1] + high / 2), name, align="right")
        for j in range(n):
            x, y = left + j * cell[0], top + i * cell[1]
            tile = Image.fromarray(np.ascontiguousarray(tiles[i, j]))
            page.paste(tile.resize((wide, high), Image.Resampling.NEAREST), (x, y))
            for r0, c0, r1, c1 in outlines[i][j].tolist() if outlines is not None else ():
                ends = (x + c0 * factor, y + r0 * factor, x + c1 * factor, y + r1 * factor)
                draw.line(ends, fill=_OUTLINE, width=2)
            _text(draw, (x, y + high + 11), texts[i][j], align="left", size=11)
    return compose(np.asarray(page), PageParts(title, lines=list(notes)))


def _reach(line: Line) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    spread = np.nan_to_num(line.spread)
    return line.values - spread, line.values, line.values + spread


def _spread(line: Line, band: int) -> float:
    value = float(line.spread[band])
    return value if math.isfinite(value) else 0.0


def _runs(good: NDArray[np.bool_], order: NDArray[np.intp]) -> list[list[int]]:
    """Return the bands between gaps, each run in the order of wavelengths."""
    runs: list[list[int]] = [[]]
    for band in order.tolist():
        if good[band]:
            runs[-1].append(band)
        elif runs[-1]:
            runs.append([])
    return runs


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round values between two ends."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _text(
    draw: object, at: tuple[float, float], text: str, *, align: str, size: int = _LETTER
) -> None:
    from backends.io.writers.fonts import font_for

    font, text = font_for(text, size)
    wide = font.getlength(text)
    x = at[0] - {"left": 0.0, "middle": wide / 2, "right": wide}[align]
    draw.text((x, at[1] - 0.62 * size), text, fill=INK, font=font)  # type: ignore[attr-defined]
