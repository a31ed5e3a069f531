"""Which bands a classifier uses, and how their values are brought to a common range."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.jobs import Progress
from backends.scene import Scene, Window

SAMPLE_PIXELS = 100_000
FLAT = 1e-12


@dataclass(frozen=True, eq=False)
class BandStretch:
    """Bands in use, with the values that become 0 and 1.

    In float32, not 8-bit steps as in the code of the predecessors.

    Attributes
    ----------
    bands : int64 array of shape (used,)
        Band numbers of the scene.
    low, high : float32 arrays of shape (used,)
        2nd and 98th percentile in physical units.
    wavelength_nm : float64 array of shape (used,) or None
    left_out : tuple of str
        Bands that were not used, with the reason.
    plain : bool
        Values stay as they were measured: for models that compare the shapes of spectra.
    """

    bands: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    wavelength_nm: NDArray[np.float64] | None
    left_out: tuple[str, ...] = ()
    plain: bool = False

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stretch physical values to 0..1 between the percentiles, clipped at -0.5 and 1.5.

        Parameters
        ----------
        values : float array of shape (..., used)
            ``nan`` (nothing measured) becomes 0.5, or 0 in values left ``plain``.
        """
        if self.plain:
            return np.nan_to_num(values.astype(np.float32), nan=0.0)
        out = np.subtract(values, self.low, dtype=np.float32)
        out /= self.high - self.low
        np.clip(out, -0.5, 1.5, out=out)
        out[np.isnan(out)] = 0.5
        return out


def fit_stretch(
    scene: Scene, *, low: float = 2.0, high: float = 98.0, progress: Progress | None = None
) -> BandStretch:
    """Find the usable bands of a scene and their percentiles, from at most 100,000 pixels.

    Bands that are marked bad, hold nothing or are constant are left out.

    Raises
    ------
    BadInput
        No band is usable.
    """
    good = np.flatnonzero(scene.bands.good_mask())
    bounds, usable = _bounds(scene, good, (low, high), progress)
    left_out = []
    if (bad := len(scene.bands) - good.size) > 0:
        left_out.append(f"{bad} marked bad")
    if (empty := int(np.count_nonzero(~usable))) > 0:
        left_out.append(f"{empty} empty or constant")
    if not usable.any():
        raise BadInput(
            f"{scene.title} has no usable band.",
            subject=scene.info.path,
            way_out="Check which bands are marked bad.",
        )
    bands = good[usable]
    nm = scene.bands.wavelengths()[bands]
    return BandStretch(
        bands.astype(np.int64),
        bounds[0, usable].astype(np.float32),
        bounds[1, usable].astype(np.float32),
        nm if np.isfinite(nm).all() else None,
        tuple(left_out),
    )


def stretch_anew(
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    *,
    progress: Progress | None = None,
) -> BandStretch:
    """Return a stretch with the percentiles of another scene.

    Light, haze and calibration differ between two recordings of one sensor; each band's own
    percentiles take most of that away. Where the scene has nothing to say of a band, the
    values it had are kept.

    Parameters
    ----------
    bands : int64 array
        Bands of the scene that play the part of ``stretch.bands``, see `match_bands`.
    """
    if stretch.plain:
        return stretch
    bounds, usable = _bounds(scene, bands.astype(np.intp), (2.0, 98.0), progress)
    low, high = (
        np.where(usable, new, old).astype(np.float32)
        for new, old in zip(bounds, (stretch.low, stretch.high), strict=True)
    )
    return replace(stretch, low=low, high=high)


def _bounds(
    scene: Scene,
    bands: NDArray[np.intp],
    percentiles: tuple[float, float],
    progress: Progress | None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return two percentiles of each band, shape (2, bands), and which bands are usable."""
    sample = _sample(scene, bands, progress)
    with np.errstate(all="ignore"):
        measured = np.isfinite(sample).mean(axis=0)
        filled = sample[:, measured > 0]
        bounds = np.full((2, bands.size), np.nan)
        if filled.size:
            bounds[:, measured > 0] = np.nanpercentile(filled, percentiles, axis=0)
    # A band whose values hardly ever exist cannot be compared between pixels.
    usable = (measured > 0.05) & (bounds[1] - bounds[0] > FLAT)
    return bounds, np.asarray(usable)


def match_bands(
    scene: Scene, bands: NDArray[np.int64], wavelength_nm: NDArray[np.float64] | None
) -> NDArray[np.int64]:
    """Find in a scene the bands a trained model was made with.

    By wavelength where the model knows its own (within 10 nm), else by number.

    Raises
    ------
    BadInput
        The scene lacks some of them; the sentence names the first.
    """
    if wavelength_nm is None:
        if bands.max() >= len(scene.bands):
            raise BadInput(
                f"The model was trained on {bands.max() + 1} bands, "
                f"{scene.title} has {len(scene.bands)}.",
                subject=scene.info.path,
                way_out="Train it anew on this scene.",
            )
        return bands
    if not scene.bands.has_wavelengths:
        raise BadInput(
            f"{scene.title} says no wavelengths, and the model finds its bands by them.",
            subject=scene.info.path,
            way_out="Open the scene with its header, or train a model on it.",
        )
    have = scene.bands.wavelengths()
    have = np.where(scene.bands.good_mask(), have, np.nan)
    if not np.isfinite(have).any():
        raise BadInput(f"Every band of {scene.title} is marked bad.", subject=scene.info.path)
    distance = np.abs(have[:, None] - wavelength_nm[None, :])
    nearest = np.nanargmin(np.where(np.isnan(distance), np.inf, distance), axis=0)
    gap = distance[nearest, np.arange(len(wavelength_nm))]
    missing = wavelength_nm[~(gap <= 10.0)]
    if missing.size:
        raise BadInput(
            f"{scene.title} has no band near {missing[0]:.0f} nm, which the model needs "
            f"({missing.size} of {len(wavelength_nm)} are missing).",
            subject=scene.info.path,
            way_out="Train it anew on this scene.",
        )
    return np.asarray(nearest, dtype=np.int64)


def _sample(
    scene: Scene, bands: NDArray[np.intp], progress: Progress | None
) -> NDArray[np.float32]:
    """Read an even grid of pixels; shape (pixels, bands)."""
    rows, cols, _ = scene.shape
    step = max(1, int(np.ceil(np.sqrt(rows * cols / SAMPLE_PIXELS))))
    strips = [Window(row, 0, 1, cols) for row in range(0, rows, step)]
    if step == 1:
        strips = list(scene.windows())
    taken = []
    for strip in strips:
        if progress is not None:
            progress.check()
        values = scene.read(strip, bands.tolist(), physical=True)
        taken.append(values[:, ::step].reshape(-1, bands.size))
    return np.concatenate(taken)
