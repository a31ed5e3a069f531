"""How large classes are on the ground, from a map and a sample of the truth.

Counting the pixels of a map gives a biased area, because maps are wrong in places. The stratified
estimator corrects it with the confusion matrix and says how sure it is: Olofsson et al., "Good
practices for estimating area and assessing accuracy of land change", Remote Sensing of
Environment 148 (2014), equations 1 to 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

Doubles = NDArray[np.float64]
CONFIDENT = 1.96  # standard errors on each side of a 95 % interval


@dataclass(frozen=True, eq=False)
class AreaEstimate:
    """Accuracy and area of each class, with 95 % half-widths; all are shares of the mapped area.

    Attributes
    ----------
    proportion : float64 array of shape (classes, classes)
        Share of the area that is mapped as the row's class and is the column's (equation 4).
    mapped : float64 array of shape (classes,)
        Share that the map gives to the class.
    area, area_error : float64 arrays of shape (classes,)
        Equations 9 and 10.
    user, user_error, producer, producer_error : float64 arrays of shape (classes,)
        Equations 2, 3 and 6, 7; ``nan`` where the class does not occur.
    overall, overall_error : float
        Equations 1 and 5.
    """

    proportion: Doubles
    mapped: Doubles
    area: Doubles
    area_error: Doubles
    user: Doubles
    user_error: Doubles
    producer: Doubles
    producer_error: Doubles
    overall: float
    overall_error: float


def estimate_areas(counts: NDArray[np.int64], mapped: Doubles) -> AreaEstimate:
    """Estimate areas from a sample that was drawn at random within each mapped class.

    Parameters
    ----------
    counts : int array of shape (classes, classes)
        Sample pixels: a row a mapped class, a column a true one.
    mapped : float array of shape (classes,)
        Area of each mapped class, any unit.

    Raises
    ------
    BadInput
        A class that the map holds has fewer than two sample pixels.
    """
    n, size = counts.astype(np.float64), counts.sum(axis=1).astype(np.float64)
    weight = np.asarray(mapped, np.float64) / np.sum(mapped)
    poor = np.flatnonzero((weight > 0) & (size < 2))
    if poor.size:
        raise BadInput(
            f"{poor.size} mapped classes have fewer than two reference pixels.",
            way_out="Collect reference pixels in each class of the map.",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(size[:, None] > 0, n / size[:, None], 0.0)
        free = np.where(size > 1, 1 / (size - 1), 0.0)
        proportion = weight[:, None] * share
        area = proportion.sum(axis=0)
        user = np.where(size > 0, np.diagonal(share), np.nan)
        own = np.nan_to_num(user)
        user_variance = own * (1 - own) * free
        overall = float(np.trace(proportion))
        overall_variance = float((weight**2 * user_variance).sum())
        producer = np.where(area > 0, np.diagonal(proportion) / area, np.nan)
        # Equation 7, in shares instead of pixels.
        spread = weight[:, None] ** 2 * share * (1 - share) * free[:, None]
        others = spread.sum(axis=0) - np.diagonal(spread)
        variance = (
            weight**2 * (1 - producer) ** 2 * user_variance + producer**2 * others
        ) / area**2
        area_variance = ((weight[:, None] * proportion - proportion**2) * free[:, None]).sum(axis=0)
        errors = [
            CONFIDENT * np.sqrt(np.maximum(v, 0)) for v in (area_variance, user_variance, variance)
        ]
    return AreaEstimate(
        proportion, weight, area, errors[0], user, np.where(size > 0, errors[1], np.nan),
        producer, errors[2], overall, CONFIDENT * float(np.sqrt(overall_variance)),
    )  # fmt: skip
