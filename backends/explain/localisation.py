"""Does a map lie where somebody says the thing is? Precision and coverage, always both.

Coverage alone (LocAcc of 2601.12826) is 1 for a map that is hot everywhere; precision alone
is 1 for a single pixel inside.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.explain.similarity import overlap, stretched, top


@dataclass(frozen=True)
class Localisation:
    """A map against a mask. All but ``pointing`` are 0 to 1.

    Attributes
    ----------
    pointing : bool
        Whether the hottest pixel is inside (pointing game, Zhang 2018).
    mass : float
        Part of the positive sum that is inside; 0 where nothing is positive.
    rank : float
        Part of the |mask| hottest pixels that is inside: at the mask's own area, where
        precision and coverage are the same number.
    rank_iou : float
        Intersection over union at the mask's own area.
    precision : float
        Part of the hot pixels (at least ``threshold`` of the range) that is inside.
    coverage : float
        Part of the mask that is hot; LocAcc of 2601.12826 at 0.5.
    iou : float
        Of hot pixels and mask.
    hot : float
        Part of the image that is hot: the coverage a blind map of this area would have.
    area : float
        Part of the image that is mask: the precision a blind map would have.
    threshold : float
    """

    pointing: bool
    mass: float
    rank: float
    rank_iou: float
    precision: float
    coverage: float
    iou: float
    hot: float
    area: float
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def localise(
    values: NDArray[Any], mask: NDArray[Any], *, threshold: float = 0.5, name: str = ""
) -> Localisation:
    """Compare a map with a mask of the same size.

    Parameters
    ----------
    values : float array of shape (rows, cols)
    mask : array of the same shape
        Inside where it is not 0.
    threshold : float
        Of the map stretched to 0 … 1 (its positive part, as the study does).
    name : str
        Of the mask, for messages.

    Raises
    ------
    BadInput
        Another size, an empty mask, or one that covers everything.
    """
    called = name or "The mask"
    if mask.shape != values.shape:
        sizes = (" × ".join(str(n) for n in a.shape) for a in (mask, values))
        raise BadInput(
            "{} is {} pixels, the map {}.".format(called, *sizes),
            way_out="Draw or load a mask of this very image.",
        )
    inside = np.asarray(mask) != 0
    count = int(inside.sum())
    if count == 0:
        raise BadInput(f"{called} is empty.", way_out="Mark the place that should matter.")
    if count == inside.size:
        raise BadInput(
            f"{called} covers the whole image; every map lies inside.",
            way_out="Mark only the place that should matter.",
        )
    positive = np.maximum(np.asarray(values, np.float64), 0)
    total = float(positive.sum())
    hot = stretched(positive) >= threshold
    hits = int((hot & inside).sum())
    hottest = top(values, count)
    return Localisation(
        pointing=bool(inside.ravel()[int(np.argmax(values))]),
        mass=float(positive[inside].sum()) / total if total > 0 else 0.0,
        rank=int((hottest & inside).sum()) / count,
        rank_iou=overlap(hottest, inside),
        precision=hits / max(1, int(hot.sum())),
        coverage=hits / count,
        iou=overlap(hot, inside),
        hot=float(hot.mean()),
        area=count / inside.size,
        threshold=threshold,
    )
