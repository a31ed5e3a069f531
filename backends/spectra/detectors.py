"""What stands out, and what is looked for: RX anomalies, matched filter, ACE, CEM.

``x`` is a spectrum, ``t`` a target, ``μ`` and ``C`` the background's mean and covariance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.scene import Scene
from backends.spectra import on_gpu
from backends.spectra.background import NEGLIGIBLE, Background, background_of
from backends.spectra.pixels import TOGETHER, Augmented, Floats, strips

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
_ROWS = 40  # of a triangular factor in one product


def rx_scores(values: Floats, background: Background) -> Floats:
    """Return ``(x-μ)ᵀ C⁻¹ (x-μ)`` (Reed and Yu 1990), float32 of shape (pixels,)."""
    return _Rx(background)(values)


class _Rx:
    """RX scores of many spectra; for one thread."""

    def __init__(self, background: Background) -> None:
        white, self.left_out = background.whitening()
        self.kept = white.shape[1]
        # Turned so that the factor is triangular: half of the products are not needed. In
        # float64: sums of white coordinates cancel, and float32 would lose the fifth digit.
        self.factor = factor = np.asarray(np.linalg.qr(white.T, mode="r"))
        self._augmented = Augmented(factor.shape[1], np.float64)
        self._factor = np.zeros((self.kept, self._augmented.width))
        self._factor[:, : factor.shape[1]] = factor
        self._factor[:, factor.shape[1]] = -factor @ background.mean

    def __call__(self, values: Floats) -> Floats:
        out = np.empty(len(values), np.float32)
        for low in range(0, len(values), TOGETHER):
            part = self._augmented(values[low : low + TOGETHER]).T
            score = np.zeros(part.shape[1])
            for top in range(0, self.kept, _ROWS):
                white = self._factor[top : top + _ROWS, top:] @ part[top:]
                score += np.einsum("ij,ij->j", white, white)
            out[low : low + TOGETHER] = score
        return out


class _LeadingRx:
    """RX scores by the first principal components alone."""

    def __init__(self, background: Background, components: int) -> None:
        from backends.spectra.transforms import pca

        self._transform = pca(background, components)
        strength = self._transform.strength
        self._known = strength > NEGLIGIBLE * strength[0]
        self.kept = int(self._known.sum())
        background.check_enough(len(strength))
        self._scale = (1 / np.sqrt(strength[self._known])).astype(np.float32)
        self.factor = (self._transform.forward[:, self._known] * self._scale).T

    def __call__(self, values: Floats) -> Floats:
        white = self._transform.project(values)[:, self._known] * self._scale
        return np.asarray(np.einsum("ij,ij->i", white, white), np.float32)


def threshold_for(false_alarms: float, dimensions: int) -> float:
    """Return the RX score that a share of Gaussian background pixels passes.

    χ² with as many degrees of freedom as bands: real backgrounds have heavier tails, so more
    pixels pass than stated.

    Raises
    ------
    WrongUse
        The share is not between 0 and 1.
    """
    from scipy.stats import chi2

    if not 0 < false_alarms < 1:
        raise WrongUse("The share of false alarms lies between 0 and 1.", way_out="Try 0.001.")
    return float(chi2.isf(false_alarms, dimensions))


def rx_map(
    scene: Scene,
    background: Background,
    *,
    components: int | None = None,
    progress: Progress | None = None,
) -> tuple[Floats, int]:
    """Return the scene's RX scores, shape (rows, cols), holes ``nan``, and the dimensions used.

    Parameters
    ----------
    components : int, optional
        Score the first principal components only, which fewer pixels can describe.
    """
    score = _Rx(background) if components is None else _LeadingRx(background, components)
    title = "RX anomalies"
    device = on_gpu.device_for(scene, background.bands)
    if device is not None:
        length = on_gpu.squared_length(score.factor, background.mean, device)
        found = on_gpu.mapped(
            scene, background.bands, device, 1, length, progress=progress, note=title
        )
        return found[0], score.kept
    return _map(scene, background.bands, score, progress, title), score.kept


def window_of(scene: Scene, text: str) -> tuple[int, int]:
    """Return a window ``"3,15"`` (pixels) or ``"90m,450m"`` (metres) in odd numbers of pixels.

    Raises
    ------
    WrongUse
        It is not two lengths.
    BadInput
        Metres, and the scene doesn't know the size of its pixels.
    """
    parts = [part.strip() for part in text.split(",")]
    try:
        if len(parts) != 2:
            raise ValueError(text)
        in_metres = all(part.endswith("m") for part in parts)
        lengths = [float(part.removesuffix("m")) for part in parts]
        if any(part.endswith("m") for part in parts) != in_metres:
            raise ValueError(text)
    except ValueError as error:
        raise WrongUse(f"{text} is no window.", way_out="Give 3,15 or 90m,450m.") from error
    if not in_metres:
        inner, outer = (round(length) for length in lengths)
        return inner, outer
    area = scene.pixel_area_m2()
    if area is None:
        raise BadInput(
            f"{scene.title} does not know the size of its pixels.",
            way_out="Give the window in pixels: 3,15.",
        )
    inner, outer = (2 * round((length / area**0.5 - 1) / 2) + 1 for length in lengths)
    return max(1, inner), outer


def local_rx_map(
    scene: Scene,
    window: tuple[int, int],
    *,
    bands: tuple[int, ...] | None = None,
    components: int | None = None,
    progress: Progress | None = None,
) -> Floats:
    """Return RX scores against the ring around each pixel, shape (rows, cols).

    Parameters
    ----------
    window : (inner, outer)
        Sides in pixels, odd; the ring lies between. At the border the window is moved inside.
    components : int, optional
        Score the first principal components only, which needs fewer pixels in the ring.

    Raises
    ------
    BadInput
        The ring holds too few pixels for so many bands, or the scene is smaller than it.
    """
    from backends.spectra.transforms import component_maps, pca

    inner, outer = window
    if inner % 2 == 0 or outer % 2 == 0 or not 0 < inner < outer:
        raise WrongUse("A window has two odd sides, the inner one smaller.", way_out="Try 3,15.")
    rows, cols, _ = scene.shape
    if outer > min(rows, cols):
        raise BadInput(f"A window of {outer} pixels is larger than {scene.title}.")
    found = background_of(scene, bands, progress=progress)
    ring = outer**2 - inner**2
    dimensions = min(components or len(found.bands), len(found.bands))
    if ring <= dimensions:
        raise BadInput(
            f"The ring around a pixel holds {ring} pixels, too few for {dimensions} bands.",
            way_out=f"Take a larger window, or --components {max(1, ring // 4)}.",
        )
    # Turned so that columns are uncorrelated; the score does not change, rounding does.
    cube = component_maps(scene, pca(found, dimensions), progress=progress)
    turned = np.moveaxis(cube.astype(np.float64), 0, 2)
    out = np.full((rows, cols), np.nan, np.float32)
    if progress is not None:
        progress.start(rows, "rows", "RX against surroundings")
    for row in range(rows):
        if progress is not None:
            progress.check()
        out[row] = _local_row(turned, row, inner, outer)
        if progress is not None:
            progress.advance()
    return out


def _local_row(cube: Doubles, row: int, inner: int, outer: int) -> NDArray[Any]:
    rows, cols, _ = cube.shape
    top = min(max(row - outer // 2, 0), rows - outer)
    keep = np.ones((outer, outer), bool)
    out = np.full(cols, np.nan, np.float32)
    for col in range(cols):
        if not np.isfinite(cube[row, col]).all():
            continue
        left = min(max(col - outer // 2, 0), cols - outer)
        keep[:] = True
        r0, c0 = row - inner // 2 - top, col - inner // 2 - left
        keep[max(r0, 0) : max(r0 + inner, 0), max(c0, 0) : max(c0 + inner, 0)] = False
        ring = cube[top : top + outer, left : left + outer][keep]
        ring = ring[np.isfinite(ring).all(axis=1)]
        if len(ring) <= cube.shape[2]:
            continue
        mean = ring.mean(axis=0)
        centred = ring - mean
        covariance = centred.T @ centred / (len(ring) - 1)
        away = cube[row, col] - mean
        try:
            out[col] = away @ np.linalg.solve(covariance, away)
        except np.linalg.LinAlgError:
            continue
    return out


def matched_filter(values: Floats, target: Doubles, background: Background) -> Floats:
    """Return ``(t-μ)ᵀC⁻¹(x-μ) / (t-μ)ᵀC⁻¹(t-μ)``: 1 at the target, 0 at the mean."""
    weights, strength = _aimed(target, background)
    return _line(values, weights / strength, background.mean)


def ace(values: Floats, target: Doubles, background: Background) -> Floats:
    """Return the adaptive coherence estimator, 0 to 1 (Kraut and Scharf 1999).

    ``((t-μ)ᵀC⁻¹(x-μ))² / ((t-μ)ᵀC⁻¹(t-μ) · (x-μ)ᵀC⁻¹(x-μ))``
    """
    weights, strength = _aimed(target, background)
    aligned = _line(values, weights, background.mean).astype(np.float64)
    own = rx_scores(values, background).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(own > 0, aligned**2 / (strength * own), 0), np.float32)


def cem(values: Floats, target: Doubles, background: Background) -> Floats:
    """Return constrained energy minimisation ``tᵀR⁻¹x / tᵀR⁻¹t``: 1 at the target."""
    background.check_enough()
    weights = np.linalg.lstsq(background.correlation_sum, target, rcond=1e-12)[0]
    strength = float(weights @ target)
    if strength <= 0:
        raise BadInput("The target spectrum is empty.", way_out="Choose another one.")
    return _line(values, np.asarray(weights / strength), np.zeros(len(target)))


TARGET_DETECTORS: dict[str, tuple[str, Callable[[Floats, Doubles, Background], Floats]]] = {
    "matched_filter": ("Matched filter", matched_filter),
    "ace": ("ACE", ace),
    "cem": ("CEM", cem),
}


def target_map(
    scene: Scene,
    method: str,
    target: Doubles,
    background: Background,
    *,
    progress: Progress | None = None,
) -> Floats:
    """Return a detector's values for a target, shape (rows, cols), holes ``nan``.

    Parameters
    ----------
    target : float64 array of shape (bands of the background,)

    Raises
    ------
    WrongUse
        No such detector.
    """
    if method not in TARGET_DETECTORS:
        raise WrongUse(
            f"There is no detector {method}.", way_out=f"Use {', '.join(TARGET_DETECTORS)}."
        )
    title, run = TARGET_DETECTORS[method]
    return _map(scene, background.bands, lambda v: run(v, target, background), progress, title)


def _map(
    scene: Scene,
    bands: tuple[int, ...],
    score: Callable[[Floats], Floats],
    progress: Progress | None,
    note: str,
) -> Floats:
    rows, cols, _ = scene.shape
    out = np.empty(rows * cols, np.float32)
    for strip in strips(scene, bands, progress=progress, note=note, check=False):
        low = strip.window.row * cols
        with np.errstate(over="ignore", invalid="ignore"):
            out[low : low + len(strip.values)] = strip.empty(score(strip.values))
    return out.reshape(rows, cols)


def _aimed(target: Doubles, background: Background) -> tuple[Doubles, float]:
    """Return ``C⁻¹(t-μ)`` and ``(t-μ)ᵀC⁻¹(t-μ)``."""
    white, _ = background.whitening()
    away = white.T @ (np.asarray(target, np.float64) - background.mean)
    strength = float(away @ away)
    if strength <= 0:
        raise BadInput(
            "The target is the mean of the scene.", way_out="Choose a spectrum that differs."
        )
    return white @ away, strength


def _line(values: Floats, weights: Doubles, mean: Doubles) -> Floats:
    # One product a pixel: float64 costs little and keeps small targets apart from rounding.
    out = np.empty(len(values), np.float32)
    offset = float(weights @ mean)
    for low in range(0, len(values), TOGETHER):
        part = values[low : low + TOGETHER].astype(np.float64)
        out[low : low + TOGETHER] = part @ weights - offset
    return out
