"""Spectra made comparable: continuum removal, derivative, smoothing, normalisations.

All take and return float32 spectra of shape (spectra, bands) on rising wavelengths.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

Floats = NDArray[np.float32]
Wavelengths = NDArray[np.float64]


def continuum(values: Floats, wavelength_nm: Wavelengths) -> Floats:
    """Return the upper convex hull over each spectrum (Clark and Roush 1984).

    All spectra walk at once from one corner of their hulls to the next, the steepest way.

    Raises
    ------
    BadInput
        Wavelengths are unknown or do not rise.
    """
    nm = _rising(wavelength_nm)
    count, bands = values.shape
    hull = np.array(values, np.float64)
    at = np.zeros(count, np.intp)
    rows = np.arange(count)
    exact = values.astype(np.float64)
    while rows.size:
        here = exact[rows, at[rows]]
        ahead = nm[None, :] - nm[at[rows]][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(ahead > 0, (exact[rows] - here[:, None]) / ahead, -np.inf)
        # The farthest of equally steep ones, so that flat hulls take one step.
        best = bands - 1 - np.argmax(slope[:, ::-1], axis=1)
        steep = slope[np.arange(rows.size), best]
        inside = (ahead > 0) & (np.arange(bands)[None] <= best[:, None])
        line = here[:, None] + steep[:, None] * ahead
        hull[rows] = np.where(inside, line, hull[rows])
        at[rows] = best
        rows = rows[best < bands - 1]
    return hull.astype(np.float32)


def continuum_removed(values: Floats, wavelength_nm: Wavelengths) -> Floats:
    """Return spectra divided by their continuum, at most 1; 1 where the hull is not positive."""
    hull = continuum(values, wavelength_nm)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.where(hull > 0, values / hull, np.float32(1))
    return np.asarray(np.minimum(out, 1), np.float32)


def first_derivative(values: Floats, wavelength_nm: Wavelengths) -> Floats:
    """Return the slope a nm, by central differences on uneven steps."""
    nm = _rising(wavelength_nm)
    return np.asarray(np.gradient(values.astype(np.float64), nm, axis=1), np.float32)


def savitzky_golay(values: Floats, window: int = 7, order: int = 2) -> Floats:
    """Return smoothed spectra (Savitzky and Golay 1964), steps taken as even.

    Raises
    ------
    BadInput
        The window is even, not above ``order``, or wider than the spectrum.
    """
    from scipy.signal import savgol_filter

    if window % 2 == 0 or window <= order or window > values.shape[1]:
        raise BadInput(
            f"A smoothing window of {window} bands does not go with {values.shape[1]} bands and "
            f"order {order}.",
            way_out="Take an odd number above the order, at most the number of bands.",
        )
    return np.asarray(savgol_filter(values, window, order, axis=1), np.float32)


def unit_length(values: Floats) -> Floats:
    """Return spectra of length 1: what the spectral angle looks at."""
    length = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(values / np.where(length > 0, length, 1), np.float32)


def unit_area(values: Floats) -> Floats:
    """Return spectra whose values sum to 1."""
    total = values.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.asarray(values / np.where(total != 0, total, 1), np.float32)


def standard_normal(values: Floats) -> Floats:
    """Return spectra of mean 0 and deviation 1 (standard normal variate)."""
    spread = values.std(axis=1, keepdims=True)
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.where(spread > 0, spread, 1), np.float32)


SHAPES: dict[str, tuple[str, Callable[[Floats, Wavelengths], Floats]]] = {
    "continuum_removed": ("Continuum removed", continuum_removed),
    "first_derivative": ("First derivative", first_derivative),
    "savitzky_golay": ("Smoothed (Savitzky-Golay)", lambda v, _: savitzky_golay(v)),
    "unit_length": ("Length 1", lambda v, _: unit_length(v)),
    "unit_area": ("Sum 1", lambda v, _: unit_area(v)),
    "standard_normal": ("Mean 0, deviation 1", lambda v, _: standard_normal(v)),
}


def _rising(wavelength_nm: Wavelengths) -> Wavelengths:
    nm = np.asarray(wavelength_nm, np.float64)
    if not np.isfinite(nm).all():
        raise BadInput(
            "This needs the wavelength of every band, and some are unknown.",
            way_out="Open the scene with --option wavelengths=FILE.",
        )
    if nm.size > 1 and not (np.diff(nm) > 0).all():
        raise BadInput(
            "This needs wavelengths that rise from band to band.",
            way_out="Order the bands by wavelength, without repeats.",
        )
    return nm
