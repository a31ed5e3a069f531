"""How far one picture lies beside another, by phase correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
UPSAMPLE = 20


def lies_at(mine: Doubles, theirs: Doubles) -> Doubles:
    """Return how far the second lies below and right of the first, in pixels, to 1/20.

    Guizar-Sicairos et al. 2008, as in skimage. Phase alone finds the place whatever the light;
    parts of a pixel it draws towards whole ones where the ground is smooth, plain correlation
    does not, which so has the last word where both agree within 1.5 pixels.
    """
    from skimage.registration import phase_cross_correlation

    taper = np.hanning(mine.shape[0])[:, None] * np.hanning(mine.shape[1])[None]
    pair = (mine * taper, theirs * taper)
    coarse = np.asarray(phase_cross_correlation(*pair, upsample_factor=UPSAMPLE)[0])
    fine = np.asarray(
        phase_cross_correlation(*pair, upsample_factor=UPSAMPLE, normalization=None)[0]
    )
    found = fine if np.abs(fine - coarse).max() <= 1.5 else coarse
    # skimage says how to move the second onto the first; we say where it lies.
    return -found.astype(np.float64)


def standardised(plane: NDArray[Any], least: float = 0.5) -> Doubles | None:
    """Return a part with mean 0 and deviation 1, holes at the mean; None if mostly empty."""
    known = np.isfinite(plane)
    if known.mean() < least:
        return None
    wide = plane.astype(np.float64)
    centred = np.where(known, wide - wide[known].mean(), 0.0)
    spread = centred.std()
    return centred / spread if spread > 0 else None


def correlation(mine: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Return the correlation of what both have values for; ``nan`` where that is nothing."""
    known = np.isfinite(mine) & np.isfinite(theirs)
    if known.sum() < 16:
        return float("nan")
    a, b = mine[known].astype(np.float64), theirs[known].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size > 0 else float("nan")
