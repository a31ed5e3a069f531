"""Mean and covariance of a scene in one streaming pass, and what follows from them.

Blocks are centred on the mean of the first one and multiplied by a symmetric rank-k
update (half the work of a full product). In float64 where the inverse is wanted: the
smallest variances of a real scene are below the rounding of float32 products of the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Scene
from backends.spectra.pixels import Floats, strips, usable_bands

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
# Directions with less than this share of the largest variance hold only rounding.
NEGLIGIBLE = 1e-11
_TOGETHER = 1 << 14  # spectra a product


@dataclass(frozen=True, eq=False)
class Background:
    """What the pixels of a scene are like on the whole.

    Attributes
    ----------
    bands : tuple of int
    count : int
        Valid pixels.
    mean : float64 array of shape (bands,)
    covariance : float64 array of shape (bands, bands)
        Divided by ``count - 1``.
    """

    bands: tuple[int, ...]
    count: int
    mean: Doubles
    covariance: Doubles

    def eigen(self) -> tuple[Doubles, Doubles]:
        """Return eigenvalues, largest first, and eigenvectors as columns."""
        values, vectors = np.linalg.eigh(self.covariance)
        return values[::-1].copy(), vectors[:, ::-1].copy()

    def whitening(self) -> tuple[Doubles, int]:
        """Return ``W`` with ``(x - mean) @ W`` white, shape (bands, kept), and what was left out.

        Directions whose variance is only rounding (bands that repeat each other) are left out.

        Raises
        ------
        BadInput
            There are not more pixels than bands, or no variance at all.
        """
        bands = len(self.bands)
        if self.count <= bands:
            raise BadInput(
                f"{self.count} pixels are too few to describe {bands} bands.",
                way_out="Take a larger area, or fewer bands or components.",
            )
        values, vectors = self.eigen()
        if values[0] <= 0:
            raise BadInput("All pixels are the same.", way_out="Choose another scene or area.")
        kept = values > NEGLIGIBLE * values[0]
        return vectors[:, kept] / np.sqrt(values[kept]), int(bands - kept.sum())

    @property
    def correlation_sum(self) -> Doubles:
        """Mean of ``x xᵀ`` over the pixels, not centred, shape (bands, bands)."""
        part = (self.count - 1) / self.count
        return np.asarray(self.covariance * part + np.outer(self.mean, self.mean))


class RunningCovariance:
    """Mean and covariance of what was added so far.

    Parameters
    ----------
    bands : int
    exact : bool
        Products in float64; float32 is twice as fast and enough for the leading directions.
    """

    def __init__(self, bands: int, *, exact: bool = True) -> None:
        self.exact = exact
        self.count = 0
        self._shift: Floats | None = None
        self._sum = np.zeros(bands)
        # Fortran order and one triangle: what the rank-k update fills.
        self._products = np.zeros((bands, bands), order="F")

    def add(self, values: Floats) -> None:
        """Add spectra, float32 of shape (pixels, bands); all must be finite."""
        from scipy.linalg.blas import dsyrk, ssyrk

        if not len(values):
            return
        if self._shift is None:
            self._shift = values.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.count += len(values)
        for low in range(0, len(values), _TOGETHER):
            centred = values[low : low + _TOGETHER] - self._shift
            self._sum += centred.sum(axis=0, dtype=np.float64)
            if self.exact:
                self._products += dsyrk(1.0, centred.astype(np.float64).T, lower=0)
            else:
                self._products += ssyrk(1.0, centred.T, lower=0)

    def result(self, bands: Sequence[int]) -> Background:
        """Return mean and covariance.

        Raises
        ------
        BadInput
            Fewer than two pixels were added.
        """
        if self.count < 2 or self._shift is None:
            raise BadInput(
                "There are fewer than two valid pixels.",
                way_out="Choose a larger area, or bands that hold values.",
            )
        upper = np.triu(self._products)
        full = upper + np.triu(upper, 1).T
        offset = self._sum / self.count
        covariance = (full - np.outer(self._sum, offset)) / (self.count - 1)
        return Background(tuple(bands), self.count, self._shift + offset, covariance)


def background_of(
    scene: Scene,
    bands: Sequence[int] | None = None,
    *,
    mask: NDArray[np.bool_] | None = None,
    exact: bool = True,
    progress: Progress | None = None,
) -> Background:
    """Return mean and covariance of the valid pixels of a scene.

    Parameters
    ----------
    bands : sequence of int, optional
        Default: `usable_bands`.
    mask : bool array of shape (rows, cols), optional
        Only these pixels.
    exact : bool
        See `RunningCovariance`.

    Raises
    ------
    BadInput
        Fewer than two valid pixels.
    """
    wanted = usable_bands(scene, bands)
    total = RunningCovariance(len(wanted), exact=exact)
    for strip in strips(scene, wanted, progress=progress, note="Mean and covariance"):
        keep = strip.valid
        if mask is not None:
            row = strip.window.row
            keep = keep & mask[row : row + strip.window.height].reshape(-1)
        total.add(strip.values if keep.all() else strip.values[keep])
    return total.result(wanted)


def noise_of(
    scene: Scene,
    bands: Sequence[int] | None = None,
    *,
    progress: Progress | None = None,
) -> Background:
    """Return the noise covariance from differences to the neighbour below right.

    Half the covariance of the differences (Green et al. 1988): what changes from one pixel to
    the next is taken for noise, which borders of fields are not.
    """
    wanted = usable_bands(scene, bands)
    total = RunningCovariance(len(wanted))
    cols = scene.shape[1]
    if scene.shape[0] < 2 or cols < 2:
        raise BadInput(
            "The noise is found from neighbouring pixels, and this scene has only one row or "
            "column.",
            way_out="Take PCA instead.",
        )
    above: tuple[Any, Any] | None = None
    for strip in strips(scene, wanted, progress=progress, note="Noise between neighbours"):
        values = strip.values.reshape(-1, cols, len(wanted))
        valid = strip.valid.reshape(-1, cols)
        if above is not None:
            values = np.concatenate([above[0][None], values])
            valid = np.concatenate([above[1][None], valid])
        both = valid[:-1, :-1] & valid[1:, 1:]
        total.add((values[:-1, :-1] - values[1:, 1:])[both])
        above = values[-1].copy(), valid[-1].copy()
    found = total.result(wanted)
    return Background(found.bands, found.count, found.mean * 0, found.covariance / 2)
