"""How many pure materials a scene holds, and which pixels are nearest to pure.

All work on spectra of shape (pixels, bands); a large scene is thinned evenly first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
Indices = NDArray[np.intp]
MOST_PIXELS = 200_000
_SKEWERS = 2000


@dataclass(frozen=True, eq=False)
class Endmembers:
    """Spectra taken for pure.

    Attributes
    ----------
    method : str
    bands : tuple of int
    spectra : float64 array of shape (endmembers, bands)
    pixels : int array of shape (endmembers, 2)
        Row and column each was found at.
    """

    method: str
    bands: tuple[int, ...]
    spectra: Doubles
    pixels: Indices


def vca(values: Doubles, count: int, *, seed: int = 0) -> Indices:
    """Return pixels found by vertex component analysis (Nascimento and Bioucas-Dias 2005).

    Pixels are projected onto a random direction at right angles to those found so far; the
    farthest is the next. In high noise the projective step gives way to plain PCA.

    Parameters
    ----------
    values : float64 array of shape (pixels, bands)
    count : int

    Returns
    -------
    int array of shape (count,)
    """
    pixels, bands = values.shape
    _check_count(count, pixels, bands)
    random = np.random.default_rng(seed)
    mean = values.mean(axis=0)
    centred = values - mean
    along = _leading(centred, count)
    power = float((values**2).sum() / pixels)
    signal = float(((centred @ along) ** 2).sum() / pixels + mean @ mean)
    ratio = (signal - count / bands * power) / max(power - signal, 1e-300)
    decibel = 10 * np.log10(ratio) if ratio > 0 else -np.inf
    if decibel < 15 + 10 * np.log10(count):
        small = (centred @ along)[:, : count - 1]
        height = float(np.sqrt((small**2).sum(axis=1).max()))
        points = np.concatenate([small, np.full((pixels, 1), height)], axis=1)
    else:
        along = _leading(values, count)
        small = values @ along
        middle = small.mean(axis=0)
        scale = small @ middle
        points = small / np.where(np.abs(scale) > 1e-12, scale, 1e-12)[:, None]
    found = np.zeros(count, np.intp)
    corners = np.zeros((count, count))
    corners[-1, 0] = 1
    for i in range(count):
        direction = random.standard_normal(count)
        direction -= corners @ np.linalg.pinv(corners) @ direction
        direction /= np.linalg.norm(direction)
        found[i] = np.abs(points @ direction).argmax()
        corners[:, i] = points[found[i]]
    return found


def n_findr(values: Doubles, count: int, *, seed: int = 0) -> Indices:
    """Return the pixels that span the largest simplex (Winter 1999).

    Begins with `vca`; a corner moves to the pixel that makes the volume largest, which is linear
    in that corner, so that every pixel is tried by one matrix product.
    """
    pixels, bands = values.shape
    _check_count(count, pixels, bands)
    small = (values - values.mean(axis=0)) @ _leading(values - values.mean(axis=0), count - 1)
    points = np.concatenate([np.ones((pixels, 1)), small], axis=1)
    found = vca(values, count, seed=seed)
    for _ in range(3 * count):
        moved = False
        for corner in range(count):
            matrix = points[found]
            volume = abs(np.linalg.det(matrix))
            cofactors = _cofactors(matrix, corner)
            volumes = np.abs(points @ cofactors)
            best = int(volumes.argmax())
            if volumes[best] > volume * (1 + 1e-9) and best not in found:
                found[corner] = best
                moved = True
        if not moved:
            break
    return found


def ppi(values: Doubles, count: int, *, seed: int = 0, skewers: int = _SKEWERS) -> Indices:
    """Return the pixels most often at the end of random directions (Boardman 1993).

    Of pixels that are alike (within 0.02 rad) only the one hit most often is kept.
    """
    pixels, bands = values.shape
    _check_count(count, pixels, bands)
    random = np.random.default_rng(seed)
    centred = values - values.mean(axis=0)
    # Among all bands noise makes the ends; the leading directions hold the mixtures.
    centred = centred @ _leading(centred, count)
    hits = np.zeros(pixels, np.int64)
    for low in range(0, skewers, 64):
        along = centred @ random.standard_normal((count, min(64, skewers - low)))
        hits += np.bincount(along.argmax(axis=0), minlength=pixels)
        hits += np.bincount(along.argmin(axis=0), minlength=pixels)
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    found: list[int] = []
    for apart in (0.02, 0.0):
        for pixel in np.argsort(-hits, kind="stable"):
            if len(found) == count:
                break
            near = unit[found] @ unit[pixel] if found else np.zeros(0)
            if pixel not in found and (apart == 0.0 or (near < np.cos(apart)).all()):
                found.append(int(pixel))
    return np.asarray(found, np.intp)


def hysime(values: Doubles) -> int:
    """Return the number of materials by HySime (Bioucas-Dias and Nascimento 2008).

    Noise is what a linear regression on all other bands leaves; directions in which the signal
    outweighs twice the noise are counted.
    """
    pixels, bands = values.shape
    if pixels <= bands:
        raise BadInput(
            f"{pixels} pixels are too few for {bands} bands to count materials.",
            way_out="Say how many endmembers there are, or take a larger area.",
        )
    products = values.T @ values
    ridge = 1e-6 * np.trace(products) / bands * 1e-4
    inverse = np.linalg.inv(products + ridge * np.eye(bands))
    # Residual of regressing a band on the rest: column of the inverse over its diagonal.
    noise = values @ inverse / np.diag(inverse)
    noise_correlation = np.diag((noise**2).mean(axis=0))
    signal = values - noise
    signal_correlation = signal.T @ signal / pixels
    _, directions = np.linalg.eigh(signal_correlation)
    noise_correlation += np.trace(signal_correlation) / bands / 1e5 * np.eye(bands)
    power = np.einsum("ij,ik,kj->j", directions, products / pixels, directions)
    disturbed = np.einsum("ij,ik,kj->j", directions, noise_correlation, directions)
    return int((2 * disturbed < power).sum())


def hfc(values: Doubles, false_alarms: float = 1e-3) -> int:
    """Return the number of materials by Harsanyi, Farrand and Chang (1993).

    Eigenvalues of correlation and covariance differ where a source adds a mean; a test at the
    given rate of false alarms counts them.
    """
    from scipy.stats import norm

    pixels, _ = values.shape
    correlation = np.linalg.eigvalsh(values.T @ values / pixels)[::-1]
    covariance = np.linalg.eigvalsh(np.cov(values, rowvar=False, bias=True))[::-1]
    deviation = np.sqrt(2 / pixels * (correlation**2 + covariance**2))
    return int((correlation - covariance > norm.isf(false_alarms) * deviation).sum())


FINDERS: dict[str, tuple[str, Callable[..., Indices]]] = {
    "vca": ("Vertex component analysis", vca),
    "n_findr": ("N-FINDR", n_findr),
    "ppi": ("Pixel purity", ppi),
}


def thinned(
    scene: Scene,
    bands: tuple[int, ...],
    *,
    most: int = MOST_PIXELS,
    progress: Progress | None = None,
) -> tuple[Doubles, Indices]:
    """Return valid spectra spread evenly over a scene, and their rows and columns.

    Returns
    -------
    values : float64 array of shape (pixels, bands)
    places : int array of shape (pixels, 2)
    """
    rows, cols, _ = scene.shape
    step = max(1, int(np.ceil(np.sqrt(rows * cols / most))))
    parts: list[NDArray[np.float32]] = []
    places: list[Indices] = []
    if progress is not None:
        progress.start(len(range(0, rows, step)), "rows", "Reading pixels")
    columns = np.arange(0, cols, step)
    for row in range(0, rows, step):
        if progress is not None:
            progress.check()
            progress.advance()
        line = scene.read(Window(row, 0, 1, cols), bands, physical=True)[0, ::step]
        valid = np.isfinite(line).all(axis=1)
        parts.append(line[valid])
        places.append(np.stack([np.full(int(valid.sum()), row), columns[valid]], axis=1))
    values = np.concatenate(parts).astype(np.float64)
    if not len(values):
        raise BadInput(f"{scene.title} has no pixel with a value in every band chosen.")
    return values, np.concatenate(places).astype(np.intp)


def find_endmembers(
    scene: Scene,
    bands: tuple[int, ...],
    count: int | None = None,
    method: str = "vca",
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Endmembers:
    """Find endmembers in a scene.

    Parameters
    ----------
    count : int, optional
        Default: what HySime says.

    Raises
    ------
    WrongUse
        No such method, or a count that cannot be.
    """
    if method not in FINDERS:
        raise WrongUse(f"There is no method {method}.", way_out=f"Use {', '.join(FINDERS)}.")
    values, places = thinned(scene, bands, progress=progress)
    wanted = max(2, hysime(values)) if count is None else count
    found = FINDERS[method][1](values, wanted, seed=seed)
    return Endmembers(method, bands, values[found], places[found])


def _check_count(count: int, pixels: int, bands: int) -> None:
    if not 2 <= count <= min(pixels, bands):
        raise WrongUse(
            f"{count} endmembers cannot be found in {pixels} pixels of {bands} bands.",
            way_out=f"Choose 2 to {min(pixels, bands)}.",
        )


def _leading(values: Doubles, count: int) -> Doubles:
    """Return the ``count`` leading directions of ``values`` as columns."""
    _, vectors = np.linalg.eigh(values.T @ values)
    return np.asarray(vectors[:, ::-1][:, :count])


def _cofactors(matrix: Doubles, row: int) -> Doubles:
    """Return the vector whose product with a new row is the determinant with that row."""
    out = np.empty(len(matrix))
    others = np.delete(matrix, row, axis=0)
    for col in range(len(matrix)):
        minor = np.delete(others, col, axis=1)
        out[col] = (-1) ** (row + col) * (np.linalg.det(minor) if minor.size else 1.0)
    return out
