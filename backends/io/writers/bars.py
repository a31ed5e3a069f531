"""Bars of several measures, a group a thing that was measured; drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backends.io.writers.page import INK, LINE, PAPER, LegendEntry, PageParts, compose

_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_BAR, _GAP, _NAME, _WIDE, _NUMBER = 16, 14, 230, 560, 70


def bars_figure(
    names: Sequence[str],
    measures: Sequence[tuple[str, Sequence[float | None]]],
    *,
    title: str = "",
    notes: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Draw lying bars with their numbers; what is not known says so.

    Parameters
    ----------
    names : sequence of str
        Of the groups, from above.
    measures : sequence of (name, values)
        A value a group; None where unknown. The axis covers 0, 1 and all values.

    Returns
    -------
    uint8 array of shape (rows, cols, 3)
    """
    from PIL import Image, ImageDraw

    from backends.io.writers.fonts import font_for

    known = [v for _, values in measures for v in values if v is not None]
    low, high = min(0.0, *known, 0.0), max(1.0, *known, 1.0)
    tall = len(measures) * _BAR + _GAP
    page = Image.new("RGB", (_NAME + _WIDE + _NUMBER, len(names) * tall + _GAP), PAPER)
    draw = ImageDraw.Draw(page)

    def at(value: float) -> float:
        return _NAME + _WIDE * (value - low) / (high - low)

    for line in np.unique([0.0, 0.5, 1.0]):
        draw.line([(at(line), 0), (at(line), page.height)], fill=LINE)
    for row, name in enumerate(names):
        top = _GAP + row * tall
        font, text = font_for(name, 14)
        draw.text((_NAME - 10 - font.getlength(text), top), text, fill=INK, font=font)
        for index, (_, values) in enumerate(measures):
            y, value = top + index * _BAR, values[row]
            font, text = font_for("n/a" if value is None else f"{value:.2f}", 12)
            if value is not None:
                ends = sorted((at(0.0), at(value)))
                box = (ends[0], y, ends[1], y + _BAR - 3)
                draw.rectangle(box, fill=_COLORS[index % len(_COLORS)])
            end = at(max(0.0, value or 0.0))
            draw.text((end + 6, y - 1), text, fill=INK, font=font)
    legend = [LegendEntry(_COLORS[i % len(_COLORS)], name) for i, (name, _) in enumerate(measures)]
    return compose(np.asarray(page), PageParts(title, legend, lines=list(notes)))
