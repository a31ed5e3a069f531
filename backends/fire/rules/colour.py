"""Rule J: flames by their colour, for pictures of visible light.

Source: the numbers collected in petrusmassabki/fire-color-segmentation, 8 bits a channel. They
find flames one can see; at night, in smoke and on the AMS's visible bands they find nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.fire.fields import Fields
from backends.fire.verdicts import All, Check, Node

Array = NDArray[Any]


def _rgb(fields: Fields) -> tuple[Array, Array, Array]:
    assert fields.rgb is not None
    planes = fields.rgb.astype(np.float32)
    return planes[..., 0], planes[..., 1], planes[..., 2]


def _saturation(r: Array, g: Array, b: Array) -> Array:
    """Return HSV saturation, 0 to 255."""
    top, bottom = np.maximum(np.maximum(r, g), b), np.minimum(np.minimum(r, g), b)
    return np.asarray(np.where(top > 0, 255 * (top - bottom) / np.maximum(top, 1), 0))


def chen(fields: Fields, *, red: float = 115.0, saturation: float = 175.0) -> Node:
    """Chen: red over green over blue, and the more saturated, the darker."""
    r, g, b = _rgb(fields)
    return All(
        Check("red", r, ">", red, 25),
        Check("red over green", r - g, ">=", 0, 25),
        Check("green over blue", g - b, ">", 0, 25),
        Check("saturation", _saturation(r, g, b), ">=", (255 - r) * saturation / red, 25),
    )


def horng(fields: Fields) -> Node:
    """Horng: hue 0 to 60°, saturated and bright (OpenCV counts hue in steps of 2°)."""
    r, g, b = _rgb(fields)
    top = np.maximum(np.maximum(r, g), b)
    span = np.maximum(top - np.minimum(np.minimum(r, g), b), 1e-6)
    hue = np.where(
        top == r, (g - b) / span % 6, np.where(top == g, (b - r) / span + 2, (r - g) / span + 4)
    )
    return All(
        Check("hue", hue * 30, "<=", 30, 10),
        Check("saturation", _saturation(r, g, b), ">=", 55, 25),
        Check("brightness", top, ">=", 120, 25),
    )


def luma(rgb: Array) -> tuple[Array, Array, Array]:
    """Return Y, Cb, Cr (ITU-R 601, 8 bits)."""
    r, g, b = (rgb[..., i].astype(np.float32) for i in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return y, 128 + 0.564 * (b - y), 128 + 0.713 * (r - y)


def luma_means(rgb: Array) -> Mapping[str, float]:
    """Return the means of Y, Cb and Cr that the rule of Çelik and Demirel compares with."""
    return {name: float(v.mean()) for name, v in zip(("y", "cb", "cr"), luma(rgb), strict=True)}


def celik_demirel(fields: Fields, *, apart: float = 40.0) -> Node:
    """Çelik and Demirel: Y and Cr over Cb, brighter and redder than the picture's mean.

    The polygon in the plane of Cb and Cr that the source adds is left out: its corners could
    not be had.
    """
    assert fields.rgb is not None
    y, cb, cr = luma(fields.rgb)
    means = fields.means or luma_means(fields.rgb)
    return All(
        Check("Y over Cb", y - cb, ">", 0, 25),
        Check("Cr over Cb", cr - cb, ">", 0, 25),
        Check("Cr and Cb apart", np.abs(cr - cb), ">=", apart, 25),
        Check("Y over the mean", y, ">", means["y"], 25),
        Check("Cr over the mean", cr, ">", means["cr"], 25),
        Check("Cb under the mean", cb, "<", means["cb"], 25),
    )
