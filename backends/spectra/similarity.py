"""How alike spectra are: measures between pixels and references, as matrix products.

All take float32 spectra of shape (pixels, bands) and references of shape (references,
bands), and return float32 of shape (pixels, references). Pixels of nothing but zeros have
no direction and get ``nan``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.scene import Scene
from backends.spectra import on_gpu
from backends.spectra.pixels import Floats, cached, strips
from backends.spectra.shaping import continuum_removed

if TYPE_CHECKING:
    from backends.jobs import Progress

Measured = NDArray[np.float32]
# Above this cosine float32 loses digits of the angle, so those few pixels are done again.
_NEARLY_ONE = 0.9985
_FEW = 8
_BANDS_TOGETHER = 64


@dataclass(frozen=True)
class Measure:
    """A measure a person can choose.

    Attributes
    ----------
    id, title : str
    unit : str
    alike : str
        ``"small"`` or ``"large"``: which values mean alike.
    run : callable
        ``(values, references, wavelength_nm) -> (pixels, references)``.
    """

    id: str
    title: str
    unit: str
    alike: str
    run: Callable[[Floats, Floats, NDArray[np.float64]], Measured]


def spectral_angle(values: Floats, references: Floats) -> Measured:
    """Return the angle between spectra in radians (Kruse et al. 1993), 0 = same shape."""
    exact = references.astype(np.float64)
    exact /= _nonzero(np.linalg.norm(exact, axis=1))[:, None]
    refs = exact.astype(np.float32)
    out = np.empty((len(refs), len(values)), np.float32)
    for at in cached(values):
        part = values[at]
        cosine = _products(part, refs)
        cosine /= _nonzero(np.sqrt(_squares(part)))
        near = np.flatnonzero(cosine.max(axis=0) > _NEARLY_ONE)
        np.minimum(np.maximum(cosine, -1, out=cosine), 1, out=cosine)
        angle = np.arccos(cosine, out=out[:, at])
        if near.size:
            angle[:, near] = _small_angles(part if near.size == len(part) else part[near], exact)
    return out.T


def _products(values: Floats, references: Floats) -> Floats:
    """Return ``references @ values.T`` with a quarter of the rounding that one product has.

    That adds band to band; one product a reference has many partial sums, and takes no longer
    for a few.
    """
    out = np.zeros((len(references), len(values)), np.float32)
    if len(references) <= _FEW and values.flags.c_contiguous:
        for i, reference in enumerate(references):
            np.matmul(values, reference, out=out[i])
        return out
    for low in range(0, values.shape[1], _BANDS_TOGETHER):
        few, part = (x[:, low : low + _BANDS_TOGETHER] for x in (references, values))
        out += few @ part.T
    return out


def _squares(values: Floats) -> Floats:
    """Return the sum of squares of each pixel."""
    if values.flags.c_contiguous:
        return np.asarray(np.vecdot(values, values))
    return np.asarray((values * values) @ np.ones(values.shape[1], np.float32))


def _small_angles(values: Floats, references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles (references, pixels) in float64; ``references`` have unit length."""
    wide = values.astype(np.float64)
    length = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    cosine = references @ wide.T / _nonzero(length)
    return np.asarray(np.arccos(np.minimum(np.maximum(cosine, -1), 1)))


def spectral_information_divergence(values: Floats, references: Floats) -> Measured:
    """Return the symmetric relative entropy of spectra taken as chances (Chang 2000).

    Values at or below zero, which have no logarithm, count as a millionth of the spectrum's sum.
    """
    one, log_one = _chances(values)
    other, log_other = _chances(references)
    own = (one * log_one).sum(axis=1)[:, None] + (other * log_other).sum(axis=1)[None]
    return np.asarray(np.maximum(own - one @ log_other.T - log_one @ other.T, 0), np.float32)


def spectral_correlation(values: Floats, references: Floats) -> Measured:
    """Return Pearson's correlation of spectra, −1 to 1."""
    one, other = _unit(_centred(values)), _unit(_centred(references))
    return np.asarray(np.clip(one @ other.T, -1.0, 1.0), np.float32)


def euclidean_distance(values: Floats, references: Floats) -> Measured:
    """Return the distance between spectra, in the unit of the values."""
    shift = references.mean(axis=0)
    one, other = values - shift, references - shift
    squares = (
        np.einsum("ij,ij->i", one, one)[:, None]
        + np.einsum("ij,ij->i", other, other)[None]
        - 2.0 * (one @ other.T)
    )
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)


def spectral_feature_fit(
    values: Floats, references: Floats, wavelength_nm: NDArray[np.float64]
) -> Measured:
    """Return how well absorption features fit: scale ÷ RMS error (Clark et al. 1990).

    Continua are removed from both; the reference's depths are scaled to the pixel's by least
    squares. Large = the features are there, deep, and of the same shape; 0 where they would
    have to be turned upside down.
    """
    depth = 1.0 - continuum_removed(values, wavelength_nm)
    wanted = 1.0 - continuum_removed(references, wavelength_nm)
    squares = np.maximum(np.einsum("ij,ij->i", wanted, wanted), 1e-12)
    scale = depth @ wanted.T / squares
    own = np.einsum("ij,ij->i", depth, depth)[:, None]
    error = np.maximum(own - scale**2 * squares, 0) / values.shape[1]
    fit = np.where(scale > 0, scale / np.maximum(np.sqrt(error), 1e-4), 0.0)
    return np.asarray(fit, np.float32)


MEASURES: dict[str, Measure] = {
    m.id: m
    for m in (
        Measure("spectral_angle", "Spectral angle", "rad", "small",
                lambda v, r, _: spectral_angle(v, r)),
        Measure("spectral_information_divergence", "Spectral information divergence", "", "small",
                lambda v, r, _: spectral_information_divergence(v, r)),
        Measure("spectral_correlation", "Spectral correlation", "", "large",
                lambda v, r, _: spectral_correlation(v, r)),
        Measure("euclidean_distance", "Euclidean distance", "", "small",
                lambda v, r, _: euclidean_distance(v, r)),
        Measure("spectral_feature_fit", "Spectral feature fit", "", "large",
                spectral_feature_fit),
    )
}  # fmt: skip


def measured_strips(
    scene: Scene,
    bands: Sequence[int],
    references: Floats,
    measure: Measure,
    wavelength_nm: NDArray[np.float64],
    *,
    progress: Progress | None = None,
) -> Iterator[tuple[slice, Measured]]:
    """Yield which pixels, and their measures, float32 (references, pixels), holes ``nan``.

    Angles are computed on a GPU where that pays.
    """
    device = on_gpu.device_for(scene, bands) if measure.id == "spectral_angle" else None
    if device is not None:
        score = on_gpu.angles(references, device)
        yield from on_gpu.scored_blocks(
            scene, bands, device, score, progress=progress, note=measure.title
        )
        return
    for strip in strips(scene, bands, progress=progress, note=measure.title):
        first = strip.window.row * scene.shape[1]
        part = measure.run(strip.values, references, wavelength_nm).T
        yield slice(first, first + len(strip.values)), strip.empty(part)


def _nonzero(lengths: NDArray[Any]) -> NDArray[Any]:
    lengths[lengths == 0] = np.nan
    return lengths


def _unit(values: Floats) -> Floats:
    length = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    length[length == 0] = np.nan
    return np.asarray(values / length[:, None].astype(np.float32), np.float32)


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean(axis=1, keepdims=True), np.float32)


def _chances(values: Floats) -> tuple[Floats, Floats]:
    total = np.maximum(values, 0).sum(axis=1, keepdims=True)
    total[total <= 0] = np.nan
    chance = np.maximum(values / total, 1e-6)
    chance /= chance.sum(axis=1, keepdims=True)
    return np.asarray(chance, np.float32), np.asarray(np.log(chance), np.float32)
