"""Colours for numbers, where no window draws them: exports, reports, the command line.

Even steps of colour for even steps of value, readable without red-green vision
and in grey. Anchors of viridis and inferno (Smith, van der Walt and Firing,
CC0) and of a blue-white-red map whose lightness is symmetric about its middle.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.palette import to_rgb

_ANCHORS = {
    "gray": "#000000 #FFFFFF",
    "viridis": (
        "#440154 #48186A #472D7B #424086 #3B528B #33638D #2C728E #26818E #21908C "
        "#1F9F88 #28AE80 #3EBC74 #5DC963 #82D34C #ABDC32 #D5E21A #FDE725"
    ),
    "inferno": (
        "#000004 #0B0724 #210C4A #3C0965 #57106D #70196E #89226A #A32B61 #BB3755 "
        "#D14644 #E35932 #F1711E #F98D0A #FCAB0F #F9CA32 #F2E865 #FCFFA4"
    ),
    "diverging": (
        "#053061 #2166AC #4393C3 #92C5DE #D1E5F0 #F7F7F7 #FDDBC7 #F4A582 #D6604D #B2182B #67001F"
    ),
    # Dark in the middle and bright at both ends, as maps over dark pictures need it: blue to
    # light blue and red to yellow, as statistics are laid over brain scans.
    "cold_hot": (
        "#B8F0FF #6FC7FF #2F8FF0 #2358C4 #1B2F7A #16161D #6E1423 #B8232A #E8542A #FF9A2E #FFE26A"
    ),
}
NAMES = tuple(_ANCHORS)
# Their middle colour stands for "no effect".
TWO_SIDED = ("diverging", "cold_hot")
NO_VALUE = (128, 128, 128)


@cache
def table(name: str) -> NDArray[np.uint8]:
    """Return 256 colours, shape (256, 3).

    Raises
    ------
    BadInput
        No colour map has that name.
    """
    if name not in _ANCHORS:
        raise BadInput(
            f"There is no colour map called {name}.", way_out=f"Use one of: {', '.join(NAMES)}."
        )
    anchors = np.array([to_rgb(color) for color in _ANCHORS[name].split()], float)
    at = np.linspace(0, 1, len(anchors))
    steps = np.linspace(0, 1, 256)
    columns = [np.interp(steps, at, anchors[:, i]) for i in range(3)]
    out = np.stack(columns, axis=-1).round().astype(np.uint8)
    out.setflags(write=False)
    return out


def value_limits(
    values: NDArray[Any], centre: float | None = None, *, sample: int = 1_000_000
) -> tuple[float, float]:
    """Return what the ends of a colour map stand for: 2nd and 98th percentile of finite values.

    Parameters
    ----------
    centre : float, optional
        The limits lie equally far to both sides of it.
    sample : int
        Look at about so many values, evenly spread.
    """
    step = max(1, int((values.size / sample) ** 0.5))
    some = values[::step, ::step]
    some = some[np.isfinite(some)]
    if some.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(some, (2, 98)))
    if centre is not None:
        reach = max(abs(low - centre), abs(high - centre)) or 1.0
        return centre - reach, centre + reach
    return low, high if high > low else low + max(1e-6, abs(low) * 1e-3)


def colorize(
    values: NDArray[Any], limits: tuple[float, float], name: str = "viridis"
) -> NDArray[np.uint8]:
    """Return colours of shape (..., 3); what is no number becomes grey."""
    low, high = limits
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    hole = ~np.isfinite(scaled)
    scaled[hole] = 0
    colors: NDArray[np.uint8] = table(name)[np.clip(scaled.round(), 0, 255).astype(np.uint8)]
    colors[hole] = NO_VALUE
    return colors
