"""Mean and covariance of a scene in one streaming pass, and what follows from them.

Blocks are centred on the mean of the first one and multiplied with themselves, which numpy
does as a symmetric rank-k update (half the work of a full product). In float64 where the
inverse is wanted: the smallest variances of a real scene are below the rounding of float32
products of the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Scene
from backends.spectra import on_gpu
from backends.spectra.pixels import TOGETHER, Augmented, Floats, strips, usable_bands

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
# Directions with less than this share of the largest variance hold only rounding.
NEGLIGIBLE = 1e-11


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
        self.check_enough()
        values, vectors = self.eigen()
        if values[0] <= 0:
            raise BadInput("All pixels are the same.", way_out="Choose another scene or area.")
        kept = values > NEGLIGIBLE * values[0]
        return vectors[:, kept] / np.sqrt(values[kept]), int(len(self.bands) - kept.sum())

    def check_enough(self, dimensions: int | None = None) -> None:
        """Refuse what has no inverse: not more pixels than bands, or than ``dimensions``.

        Raises
        ------
        BadInput
            So it is.
        """
        wanted = len(self.bands) if dimensions is None else dimensions
        if self.count <= wanted:
            what = "bands" if dimensions is None else "components"
            raise BadInput(
                f"{self.count} pixels are too few to describe {wanted} {what}.",
                way_out="Take a larger area, or fewer bands or components.",
            )

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
        self._augmented = Augmented(bands, np.float64 if exact else np.float32)
        self._products = np.zeros((self._augmented.width,) * 2)

    def add(self, values: Floats) -> None:
        """Add spectra, float32 of shape (pixels, bands), but for those that aren't finite."""
        if not len(values):
            return
        for low in range(0, len(values), TOGETHER):
            part = values[low : low + TOGETHER]
            if not self._added(part):
                self._added(part[np.isfinite(part).all(axis=1)])

    def _added(self, values: Floats) -> bool:
        """Add spectra if all are finite, and return whether they were."""
        if not len(values):
            return True
        shift = values.mean(axis=0) if self._shift is None else self._shift
        with np.errstate(over="ignore", invalid="ignore"):
            centred = self._augmented(values, shift)
            products = centred.T @ centred
        # What isn't finite in a spectrum isn't in its square: no search through the spectra.
        if not np.isfinite(products).all():
            return False
        self._shift = shift
        self.count += len(values)
        self._products += products
        return True

    def result(self, bands: Sequence[int]) -> Background:
        """Return mean and covariance.

        Raises
        ------
        BadInput
            Fewer than two pixels were added.
        """
        count = self._augmented.bands
        shift = np.zeros(count) if self._shift is None else self._shift
        products = self._products[:count]
        return _of_sums(
            bands, self.count, shift, self._products[count, :count], products[:, :count]
        )


def _of_sums(
    bands: Sequence[int], count: int, shift: NDArray[Any], total: Doubles, products: Doubles
) -> Background:
    """Return mean and covariance from sums over pixels from which ``shift`` was taken away."""
    if count < 2:
        raise BadInput(
            "There are fewer than two valid pixels.",
            way_out="Choose a larger area, or bands that hold values.",
        )
    offset = total / count
    covariance = (products - np.outer(total, offset)) / (count - 1)
    return Background(tuple(bands), count, shift + offset, covariance)


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
    device = on_gpu.device_for(scene, wanted) if mask is None else None
    if device is not None:
        sums = on_gpu.covariance_sums(scene, wanted, device, exact=exact, progress=progress)
        return _of_sums(wanted, *sums)
    total = RunningCovariance(len(wanted), exact=exact)
    for strip in strips(scene, wanted, progress=progress, note="Mean and covariance", check=False):
        if mask is None:
            total.add(strip.chosen)
            continue
        row = strip.window.row
        keep = strip.valid & mask[row : row + strip.window.height].reshape(-1)
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
            _add_differences(total, *above, values[:1], valid[:1])
        _add_differences(total, values[:-1], valid[:-1], values[1:], valid[1:])
        above = values[-1:].copy(order="K"), valid[-1:].copy()
    found = total.result(wanted)
    return Background(found.bands, found.count, found.mean * 0, found.covariance / 2)


def dark_noise(
    scene: Scene,
    dark: NDArray[np.bool_],
    bands: Sequence[int] | None = None,
    *,
    progress: Progress | None = None,
) -> Background:
    """Return the noise covariance as the spread over an even, dark ground.

    Where nothing but the instrument differs from pixel to pixel, as over deep water or a shutter,
    that spread is its noise.

    Raises
    ------
    BadInput
        The ground lies elsewhere, or has not more pixels than there are bands.
    """
    wanted = usable_bands(scene, bands)
    if dark.shape != scene.shape[:2] or not dark.any():
        raise BadInput(
            f"The dark ground holds no pixel of {scene.title}.", way_out="Draw it on the image."
        )
    found = background_of(scene, wanted, mask=dark, progress=progress)
    if found.count <= len(wanted):
        raise BadInput(
            f"The dark ground has {found.count} pixels, too few for the noise of {len(wanted)} "
            "bands.",
            way_out=f"Take one of more than {len(wanted)} pixels, or differences of neighbours.",
        )
    return Background(found.bands, found.count, found.mean * 0, found.covariance)


def _add_differences(
    total: RunningCovariance,
    above: Any,
    above_valid: NDArray[np.bool_],
    below: Any,
    below_valid: NDArray[np.bool_],
) -> None:
    """Add by what pixels differ from the ones in the row below and a column further right."""
    both = (above_valid[:, :-1] & below_valid[:, 1:]).reshape(-1)
    apart = (above[:, :-1] - below[:, 1:]).reshape(len(both), above.shape[2])
    total.add(apart if both.all() else apart[both])
