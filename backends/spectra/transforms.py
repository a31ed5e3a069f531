"""Linear transforms of spectra: PCA, MNF, ICA, and back again without what was dropped.

One pass finds the statistics, a second projects; a component is a map. Signs are fixed so
that the largest weight of every component is positive, else they would flip by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.scene import Scene
from backends.spectra import on_gpu
from backends.spectra.background import (
    NEGLIGIBLE,
    Background,
    background_of,
    dark_noise,
    noise_of,
)
from backends.spectra.pixels import Floats, cached, strips

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
METHODS = {"pca": "Principal components", "mnf": "Minimum noise fraction", "ica": "Independent"}
_ICA_PIXELS = 100_000


@dataclass(frozen=True, eq=False)
class Transform:
    """A linear transform ``(x - mean) @ forward``.

    Attributes
    ----------
    method : str
        ``"pca"``, ``"mnf"`` or ``"ica"``.
    bands : tuple of int
    mean : float64 array of shape (bands,)
    forward : float64 array of shape (bands, components)
    backward : float64 array of shape (components, bands)
    strength : float64 array of shape (components,)
        PCA: variance. MNF: signal-to-noise ratio (variance over noise, less 1). ICA: kurtosis.
    total : float
        PCA: variance of all components, also those not kept; else 0.
    every : float64 array
        Strength of all components, also those not kept.
    """

    method: str
    bands: tuple[int, ...]
    mean: Doubles
    forward: Doubles
    backward: Doubles
    strength: Doubles
    total: float = 0.0
    every: Doubles = field(default_factory=lambda: np.empty(0))

    @property
    def count(self) -> int:
        """Number of components."""
        return int(self.forward.shape[1])

    def project(self, values: Floats, into: Floats | None = None) -> Floats:
        """Return components, float32 of shape (pixels, components).

        Parameters
        ----------
        into : float32 array of shape (components, pixels), optional
            Where to put them.
        """
        out = np.empty((self.count, len(values)), np.float32) if into is None else into
        mean, weights = self.mean.astype(np.float32), self.forward.T.astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for part in cached(values):
                np.matmul(weights, (values[part] - mean).T, out=out[:, part])
        return out.T

    def restore(self, components: Floats, keep: Sequence[int] | None = None) -> Floats:
        """Return spectra made of some components only, float32 of shape (pixels, bands)."""
        chosen = list(range(self.count)) if keep is None else list(keep)
        if any(not 0 <= c < self.count for c in chosen):
            raise WrongUse(
                f"There are {self.count} components.", way_out=f"Name 1 to {self.count}."
            )
        back = components[:, chosen] @ self.backward[chosen].astype(np.float32)
        return np.asarray(back + self.mean.astype(np.float32), np.float32)


def pca(background: Background, components: int | None = None) -> Transform:
    """Return principal components of a background's covariance.

    Raises
    ------
    BadInput
        All pixels are the same.
    """
    values, vectors = background.eigen()
    if values[0] <= 0:
        raise BadInput("All pixels are the same.", way_out="Choose another scene or area.")
    count = _count(components, len(values))
    vectors = _signed(vectors[:, :count])
    return Transform(
        "pca", background.bands, background.mean, vectors, vectors.T,
        np.maximum(values[:count], 0), float(np.maximum(values, 0).sum()), np.maximum(values, 0),
    )  # fmt: skip


def mnf(background: Background, noise: Background, components: int | None = None) -> Transform:
    """Return minimum noise fractions (Green et al. 1988): by signal-to-noise, best first.

    Raises
    ------
    BadInput
        The noise has no variance, or statistics are of different bands.
    """
    if background.bands != noise.bands:
        raise BadInput("Signal and noise are of different bands.")
    white, _ = noise.whitening()
    values, vectors = np.linalg.eigh(white.T @ background.covariance @ white)
    order = np.argsort(values)[::-1]
    count = _count(components, len(order))
    every = np.maximum(values[order] - 1.0, 0)
    order = order[:count]
    forward = _signed(white @ vectors[:, order])
    # Of all ways back the one of least error: Σ F (Fᵀ Σ F)⁻¹, whose middle is diagonal here.
    spread = np.maximum(values[order], 1e-300)
    backward = (background.covariance @ forward / spread).T
    return Transform(
        "mnf", background.bands, background.mean, forward, backward, every[:count], every=every
    )


def ica(scene: Scene, background: Background, components: int, *, seed: int = 0) -> Transform:
    """Return independent components (FastICA, Hyvärinen 1999) of a sample of the pixels.

    Most peaked first. At most 100,000 pixels are looked at.
    """
    from sklearn.decomposition import FastICA

    from backends.statistics import sample_pixels

    sample = sample_pixels(scene, background.bands, size=_ICA_PIXELS)
    sample = sample[np.isfinite(sample).all(axis=1)]
    first = pca(background, components)
    kept = first.strength > NEGLIGIBLE * first.strength[0]
    scale = 1.0 / np.sqrt(first.strength[kept])
    white = first.project(sample)[:, kept] * scale
    model = FastICA(whiten=False, random_state=seed, max_iter=400, tol=1e-3)
    sources = model.fit_transform(white.astype(np.float64))
    kurtosis = (sources**4).mean(axis=0) / (sources**2).mean(axis=0) ** 2 - 3.0
    order = np.argsort(-np.abs(kurtosis))
    turn = model.components_[order].T
    forward = _signed(first.forward[:, kept] * scale @ turn)
    spread = np.einsum("ij,jk,ki->i", forward.T, background.covariance, forward)
    backward = (background.covariance @ forward / spread).T
    return Transform(
        "ica", background.bands, background.mean, forward, backward, kurtosis[order],
        every=kurtosis[order],
    )  # fmt: skip


def transform_of(
    scene: Scene,
    method: str,
    components: int | None = 10,
    *,
    bands: Sequence[int] | None = None,
    seed: int = 0,
    dark: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> Transform:
    """Find a transform from a scene's statistics; one pass, two for MNF.

    Parameters
    ----------
    dark : bool array of shape (rows, cols), optional
        For MNF: pixels of an even, dark ground, whose spread is taken for noise; else differences
        between neighbours are.

    Raises
    ------
    WrongUse
        No such method, or a dark ground for another than MNF.
    BadInput
        The dark ground has too few pixels.
    """
    if dark is not None and method != "mnf":
        raise WrongUse("A dark ground says what noise is; only MNF asks for that.")
    if method not in METHODS:
        raise WrongUse(f"There is no transform {method}.", way_out=f"Use {', '.join(METHODS)}.")
    found = background_of(scene, bands, exact=method == "mnf", progress=progress)
    if method == "pca":
        return pca(found, components)
    if method == "mnf" and dark is not None:
        return mnf(found, dark_noise(scene, dark, found.bands, progress=progress), components)
    if method == "mnf":
        return mnf(found, noise_of(scene, found.bands, progress=progress), components)
    return ica(scene, found, _count(components, len(found.bands)), seed=seed)


def component_maps(
    scene: Scene, transform: Transform, *, progress: Progress | None = None
) -> Floats:
    """Return every component as a map, float32 of shape (components, rows, cols), holes ``nan``."""
    title = METHODS[transform.method]
    device = on_gpu.device_for(scene, transform.bands)
    if device is not None:
        score = on_gpu.projection(transform.forward.T, transform.mean, device)
        return on_gpu.mapped(
            scene, transform.bands, device, transform.count, score, progress=progress, note=title
        )
    rows, cols, _ = scene.shape
    out = np.empty((transform.count, rows * cols), np.float32)
    for strip in strips(scene, transform.bands, progress=progress, note=title, check=False):
        low = strip.window.row * cols
        transform.project(strip.values, out[:, low : low + len(strip.values)])
        strip.empty(out[:, low : low + len(strip.values)])
    return out.reshape(transform.count, rows, cols)


def _count(components: int | None, most: int) -> int:
    if components is not None and components < 1:
        raise WrongUse("At least one component is needed.")
    return most if components is None else min(components, most)


def _signed(vectors: Doubles) -> Doubles:
    largest = np.abs(vectors).argmax(axis=0)
    sign = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return np.asarray(vectors * np.where(sign == 0, 1, sign))
