"""Which reference a spectrum is most like, by several measures with weights of one's own.

Every measure is brought to 0 to 1, 1 for the same spectrum; the score is their weighted mean. The
scales are our own: nobody's are published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.regions import Region
from backends.scene import Scene
from backends.spectra.pixels import Floats
from backends.spectra.references import References
from backends.spectra.similarity import MEASURES

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.spectra.products import Product

Doubles = NDArray[np.float64]
_RIGHT_ANGLE = 0.78  # rad: half of one; beyond it spectra have nothing in common
_OTHER_UNIT = 20.0
_FEWEST = 3


@dataclass(frozen=True)
class Rule:
    """A measure, and how it is brought to 0 to 1.

    Attributes
    ----------
    measure : str
        Id in `similarity.MEASURES`.
    column : str
        Its name in the table.
    title, scale : str
        For people.
    default : float
        Weight where none is given.
    score : callable
        Of its values, and the length of the spectrum.
    """

    measure: str
    column: str
    title: str
    scale: str
    default: float
    score: Callable[[Doubles, float], Doubles]


RULES: dict[str, Rule] = {
    "angle": Rule(
        "spectral_angle", "spectral_angle", "Spectral angle", "1 less the angle / 0.78 rad", 1.0,
        lambda v, _: np.clip(1 - v / _RIGHT_ANGLE, 0, 1),
    ),
    "features": Rule(
        "spectral_feature_fit", "feature_fit", "Absorption features", "fit / (fit + 10)", 1.0,
        lambda v, _: v / (v + 10.0),
    ),
    "correlation": Rule(
        "spectral_correlation", "correlation", "Correlation", "above 0", 1.0,
        lambda v, _: np.clip(v, 0, 1),
    ),
    "divergence": Rule(
        "spectral_information_divergence", "divergence", "Information divergence",
        "1 / (1 + 10 × divergence)", 0.0, lambda v, _: 1.0 / (1.0 + 10.0 * v),
    ),
    "distance": Rule(
        "euclidean_distance", "distance", "Distance", "1 less the share of the spectrum's length",
        0.0, lambda v, length: np.clip(1 - v / length, 0, 1),
    ),
}  # fmt: skip


def weights_of(given: Mapping[str, Any] | None) -> dict[str, float]:
    """Return a weight for each of `RULES`.

    Raises
    ------
    WrongUse
        A name or number is none, one is negative, or all are 0.
    """
    out = {name: rule.default for name, rule in RULES.items()}
    for name, value in (given or {}).items():
        if name not in RULES:
            raise WrongUse(f"There is no measure {name}.", way_out=f"Weigh {', '.join(RULES)}.")
        try:
            out[name] = float(value)
        except (TypeError, ValueError):
            raise WrongUse(f"{value} is no weight.", way_out="Write angle=2.") from None
        if not (np.isfinite(out[name]) and out[name] >= 0):
            raise WrongUse(f"A weight is 0 or more, not {value}.")
    if sum(out.values()) <= 0:
        raise WrongUse("All weights are 0.", way_out="Give one of them a weight.")
    return out


def ranked(
    spectrum: Floats, references: References, weights: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the references by likeness to one spectrum, most alike first.

    Parameters
    ----------
    spectrum : float32 array of shape (bands of the references,)
        Bands without a value do not count.
    weights : mapping, optional
        See `weights_of`.

    Returns
    -------
    list of dict
        ``rank``, ``reference``, ``score`` and a column a measure; None where it cannot be told:
        features without wavelengths, the distance between different units.

    Raises
    ------
    BadInput
        The spectrum has values in fewer than three bands, or only measures that cannot be told
        have a weight.
    """
    wanted = weights_of(weights)
    row = np.asarray(spectrum, np.float32)
    known = np.isfinite(row)
    if known.sum() < _FEWEST or not row[known].any():
        raise BadInput("Nothing was measured there.", way_out="Take another pixel or region.")
    row, values = row[None, known], np.ascontiguousarray(references.values[:, known])
    nm = references.wavelength_nm[known]
    left_out = set() if np.isfinite(nm).all() else {"features"}
    if _other_unit(row, values):
        left_out.add("distance")
    found = {
        name: MEASURES[rule.measure].run(row, values, nm)[0].astype(np.float64)
        for name, rule in RULES.items()
        if name not in left_out
    }
    total = sum(wanted[name] for name in found)
    if total <= 0:
        raise BadInput(
            f"{' and '.join(RULES[n].title for n in sorted(left_out))} cannot be told here.",
            way_out="Give another measure a weight.",
        )
    length = float(np.linalg.norm(row))
    score = np.zeros(len(references.names))
    for name, value in found.items():
        score += wanted[name] / total * RULES[name].score(value, length)
    order = np.argsort(-np.nan_to_num(score, nan=-1.0), kind="stable")
    return [
        {
            "rank": rank, "reference": references.names[i], "score": round(float(score[i]), 4),
            **{
                rule.column: round(float(found[name][i]), 5) if name in found else None
                for name, rule in RULES.items()
            },
        }
        for rank, i in enumerate(order, 1)
    ]  # fmt: skip


def rank(
    scene: Scene,
    of: Sequence[tuple[int, int] | Region],
    references: References,
    weights: Mapping[str, Any] | None = None,
    *,
    progress: Progress | None = None,
) -> Product:
    """Return the ranking of references for pixels and regions, a table for all.

    Parameters
    ----------
    of : sequence of (row, col) or Region
    """
    from backends.spectra.products import Product

    rows = []
    for one, name in zip(of, _names(of), strict=True):
        found = ranked(spectrum_of(scene, one, references, progress), references, weights)
        rows += [{"of": name, **row} for row in found] if len(of) > 1 else found
    said = {
        "scene": scene.title, "of": _names(of),
        "weights": {k: v for k, v in weights_of(weights).items() if v}, "ranking": rows,
        "notes": list(references.notes),
    }  # fmt: skip
    return Product((), said, {"ranking": rows})


def _names(of: Sequence[tuple[int, int] | Region]) -> list[str]:
    return [o.name if isinstance(o, Region) else f"row {o[0]}, column {o[1]}" for o in of]


def spectrum_of(
    scene: Scene,
    of: tuple[int, int] | Region,
    references: References,
    progress: Progress | None = None,
) -> Floats:
    """Return the spectrum of a pixel, or the mean of a region, on the bands of references."""
    if isinstance(of, Region):
        from backends.spectra.region_figures import AreaMeasurer

        mean = AreaMeasurer(scene, progress).of_region(of).mean
        return np.asarray(mean[list(references.bands)], np.float32)
    return np.asarray(scene.spectrum(*of)[list(references.bands)], np.float32)


def _other_unit(row: Floats, values: Floats) -> bool:
    one, other = float(np.median(np.abs(row))), float(np.median(np.abs(values)))
    return min(one, other) <= 0 or max(one / other, other / one) > _OTHER_UNIT
