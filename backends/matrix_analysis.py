"""What the matrices of a network say: of classes, of regions, over depth, over space.

Pure numpy over `MatrixEntry`; deviations are read in strips, so that memory follows a
strip and not the scene. Row = source stream, column = target stream.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.overlays import MatrixEntry, MatrixField, Placement

if TYPE_CHECKING:
    from backends.jobs import Progress

Float = NDArray[np.float64]
_STRIP_BYTES = 16 << 20


# -- aggregation -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ClassMatrices:
    """Mean matrices of classes at one site.

    Attributes
    ----------
    classes : tuple of int
        Label values that occur, from 1; 0 means unlabelled and is not among them.
    counts : int64 array of shape (classes,)
        Pixels of each.
    means : float array of shape (classes, n, n)
    """

    classes: tuple[int, ...]
    counts: NDArray[np.int64]
    means: Float

    @property
    def contrast(self) -> Float:
        """Mean of each class minus the mean of the classes (each counts once)."""
        return np.asarray(self.means - self.means.mean(axis=0))


def mean_matrix(
    entry: MatrixEntry, mask: NDArray[np.bool_] | None = None, progress: Progress | None = None
) -> Float:
    """Return the mean matrix over a mask, or over the scene; shape (n, n).

    Raises
    ------
    BadInput
        The mask is empty.
    """
    n = entry.static.shape[0]
    total, count = np.zeros((n, n)), 0
    for at, part in _strips(entry, progress):
        rows = part.reshape(-1, n, n) if mask is None else part[mask[at]]
        total += rows.sum(axis=0)
        count += len(rows)
    if count == 0:
        raise BadInput("There is no pixel in that area.", way_out="Draw it over the scene.")
    return np.asarray(entry.static + total / count)


def class_matrices(
    entry: MatrixEntry, labels: NDArray[Any], progress: Progress | None = None
) -> ClassMatrices:
    """Return the mean matrix of every class that occurs; 0 is unlabelled.

    Parameters
    ----------
    labels : integer array of shape (rows, cols)
        Of the same pixels as the matrices; see `on_grid`.
    """
    n = entry.static.shape[0]
    classes = _present(labels)
    size = int(classes.max()) + 1
    sums, counts = np.zeros((size, n * n)), np.zeros(size, np.int64)
    for at, part in _strips(entry, progress):
        here = labels[at].ravel()
        flat = part.reshape(-1, n * n)
        counts += np.bincount(here, minlength=size)
        for value in np.unique(here[here > 0]):
            sums[value] += flat[here == value].sum(axis=0)
    means = entry.static + (sums[classes] / counts[classes, None]).reshape(-1, n, n)
    return ClassMatrices(tuple(classes.tolist()), counts[classes], means)


def on_grid(values: NDArray[Any], placement: Placement, shape: tuple[int, int]) -> NDArray[Any]:
    """Return the scene's values at the pixels a matrix field keeps, shape ``shape``."""
    rows = (placement.row + np.arange(shape[0]) * placement.row_step).astype(int)
    cols = (placement.col + np.arange(shape[1]) * placement.col_step).astype(int)
    return np.asarray(values[np.ix_(rows, cols)])


# -- how well an entry tells a class -----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ClassRanking:
    """How well each entry alone ranks the pixels of a class above the others.

    Attributes
    ----------
    classes : tuple of int
        Every class with held-out pixels.
    auc : float array of shape (classes, n, n)
        0.5 is chance, 1 above all others, 0 below all others.
    counts : int64 array of shape (classes,)
        Held-out pixels of each.
    """

    classes: tuple[int, ...]
    auc: Float
    counts: NDArray[np.int64]


def class_ranking(
    entry: MatrixEntry,
    labels: NDArray[Any],
    held_out: NDArray[np.bool_],
    *,
    most: int = 200_000,
    progress: Progress | None = None,
) -> ClassRanking:
    """Measure each entry as a score for each class, on held-out pixels only.

    Area under the ROC curve from mean ranks, so ties count half (Mann and Whitney).

    Parameters
    ----------
    labels : integer array of shape (rows, cols)
        0 is unlabelled and takes no part.
    held_out : bool array of shape (rows, cols)
        Pixels that neither taught nor chose the network.
    most : int
        Of more pixels, so many are drawn (from a fixed seed).

    Raises
    ------
    BadInput
        Fewer than two classes have held-out pixels.
    """
    from scipy.stats import rankdata

    where = np.flatnonzero((labels > 0) & held_out)
    if where.size > most:
        where = np.sort(np.random.default_rng(0).choice(where, most, replace=False))
    truth = labels.ravel()[where]
    classes, counts = np.unique(truth, return_counts=True)
    if classes.size < 2:
        raise BadInput(
            "Held-out labelled pixels are needed in at least two classes.",
            way_out="Load all labels of the scene; those the network learnt from do not count.",
        )
    n = entry.static.shape[0]
    found = np.empty((classes.size, n, n))
    flat = entry.deviation.reshape(-1, n, n)
    for source in range(n):
        for target in range(n):
            if progress is not None:
                progress.check()
            ranks = rankdata(flat[where, source, target].astype(np.float32))
            for number, value in enumerate(classes):
                mine = ranks[truth == value]
                others = truth.size - mine.size
                above = mine.sum() - mine.size * (mine.size + 1) / 2
                found[number, source, target] = above / (mine.size * others)
    return ClassRanking(tuple(classes.tolist()), found, counts)


# -- direction ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Asymmetry:
    """Both directions of pairs of streams, for a sample of pixels.

    Attributes
    ----------
    pairs : int64 array of shape (pairs, 2)
        i < j.
    forth, back : float arrays of shape (pixels, pairs)
        H[i, j] and H[j, i].
    """

    pairs: NDArray[np.int64]
    forth: Float
    back: Float

    @property
    def mean_difference(self) -> Float:
        """Mean of H[i, j] - H[j, i] of each pair."""
        return np.asarray((self.forth - self.back).mean(axis=0))


def asymmetry(entry: MatrixEntry, most: int = 400, seed: int = 0) -> Asymmetry:
    """Sample H[i, j] against H[j, i] for all pairs i < j."""
    n = entry.static.shape[0]
    flat = entry.deviation.reshape(-1, n, n)
    count = min(most, len(flat))
    picked = np.sort(np.random.default_rng(seed).choice(len(flat), count, replace=False))
    matrices = entry.static + flat[picked].astype(np.float64)
    i, j = np.triu_indices(n, 1)
    return Asymmetry(np.stack([i, j], axis=1), matrices[:, i, j], matrices[:, j, i])


# -- depth -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class DepthView:
    """What is left of the streams after each site on the way down.

    Attributes
    ----------
    sites : tuple of (layer, site)
    products : float array of shape (sites, n, n)
        ``H_1 H_2 ... H_l``: share of first stream i in stream j after site l.
    distance : float array of shape (sites,)
        ``||P_l - 1/n||`` (Frobenius): 0 all averaged, sqrt(n - 1) untouched.
    second : float array of shape (sites,)
        Magnitude of the second eigenvalue of the product.
    """

    sites: tuple[tuple[int, str], ...]
    products: Float
    distance: Float
    second: Float

    @property
    def gain(self) -> Float:
        """Largest row sum of each product, shape (sites,): 1 where nothing grows or dies."""
        return np.asarray(np.abs(self.products).sum(axis=2).max(axis=1))

    @property
    def retention(self) -> Float:
        """``distance`` as a part of the untouched, 0 to 1."""
        return np.asarray(self.distance / math.sqrt(self.products.shape[-1] - 1))


def depth_view(sites: Sequence[tuple[int, str]], matrices: NDArray[Any]) -> DepthView:
    """Multiply the matrices of one pixel, class or scene in the order they are applied.

    Parameters
    ----------
    sites : sequence of (layer, site)
    matrices : float array of shape (sites, n, n)
    """
    products = np.empty(np.shape(matrices), np.float64)
    reached = np.eye(matrices.shape[-1])
    for number, matrix in enumerate(matrices):
        reached = reached @ np.asarray(matrix, np.float64)
        products[number] = reached
    return DepthView(tuple(sites), products, distance(products), second_eigenvalue(products))


def depth_of(
    field: MatrixField,
    *,
    pixel: tuple[int, int] | None = None,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> DepthView:
    """Return the depth view of a pixel, or of the mean matrices of a mask or the scene."""
    chosen = in_order(field.entries)
    if pixel is not None:
        matrices = [e.matrix(*pixel).astype(np.float64) for e in chosen]
    else:
        matrices = [mean_matrix(e, mask, progress) for e in chosen]
    return depth_view([(e.layer, e.site) for e in chosen], np.stack(matrices))


def in_order(entries: Sequence[MatrixEntry]) -> list[MatrixEntry]:
    """Return entries in the order the network applies them: mixer before feed-forward."""
    return sorted(entries, key=lambda e: (e.layer, e.site != "mixer"))


def distance(matrices: Float) -> Float:
    """Return how far matrices (..., n, n) are from the plain average of all streams."""
    n = matrices.shape[-1]
    return np.asarray(np.sqrt(np.square(matrices - 1.0 / n).sum(axis=(-2, -1))))


def second_eigenvalue(matrices: Float) -> Float:
    """Return the second largest eigenvalue by magnitude of matrices (..., n, n)."""
    sizes = np.sort(np.abs(np.linalg.eigvals(matrices)), axis=-1)
    return np.asarray(sizes[..., -2])


def retention_map(
    field: MatrixField, upto: tuple[int, str], progress: Progress | None = None
) -> NDArray[np.float32]:
    """Return the part of the streams left after a site for every pixel, shape (rows, cols)."""
    chosen = in_order(field.entries)
    last = [(e.layer, e.site) for e in chosen].index(upto)
    rows, cols = field.shape
    n = len(field.group_names)
    out = np.empty((rows, cols), np.float32)
    for at, part in _strips(chosen[0], progress):
        product = chosen[0].static + part
        for entry in chosen[1 : last + 1]:
            product = product @ (entry.static + entry.deviation[at].astype(np.float64))
        out[at] = distance(product) / math.sqrt(n - 1)
    return out


# -- space -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Structure:
    """How much the maps of a site vary over the scene, and how smoothly.

    Attributes
    ----------
    variance : float array of shape (n, n)
        Over pixels, of each map.
    moran : float array of shape (n, n)
        Moran's I of each map with the four neighbours: 1 smooth, about 0 noise; NaN for a
        map that does not vary.
    """

    variance: Float
    moran: Float

    @property
    def score(self) -> tuple[float, float]:
        """Mean variance, and mean Moran's I of the maps that vary."""
        known = self.moran[np.isfinite(self.moran)]
        return float(self.variance.mean()), float(known.mean()) if known.size else 0.0


def structure(deviation: NDArray[Any], progress: Progress | None = None) -> Structure:
    """Measure the maps of a site; ``deviation`` has the shape (rows, cols, n, n)."""
    n = deviation.shape[-1]
    variance, moran = np.empty((n, n)), np.empty((n, n))
    for source in range(n):
        for target in range(n):
            if progress is not None:
                progress.check()
            plane = deviation[:, :, source, target].astype(np.float64)
            variance[source, target] = plane.var()
            moran[source, target] = morans_i(plane)
    return Structure(variance, moran)


def morans_i(plane: NDArray[Any]) -> float:
    """Return Moran's I of a map with rook neighbours of equal weight; NaN where it is flat.

    ``I = N / W * sum_ij w_ij z_i z_j / sum_i z_i^2`` (Moran 1950), W counting both ways.
    """
    z = np.asarray(plane, np.float64)
    z = z - z.mean()
    spread = float(np.square(z).sum())
    links = z[1:].size + z[:, 1:].size
    if spread <= 1e-20 * z.size or links == 0:
        return math.nan
    together = float((z[1:] * z[:-1]).sum() + (z[:, 1:] * z[:, :-1]).sum())
    return float(z.size / links * together / spread)


# -- shared ------------------------------------------------------------------------------------


def _strips(entry: MatrixEntry, progress: Progress | None) -> Iterator[tuple[slice, Float]]:
    rows, cols, n, _ = entry.deviation.shape
    step = max(1, _STRIP_BYTES // (8 * cols * n * n))
    for low in range(0, rows, step):
        if progress is not None:
            progress.check()
        at = slice(low, min(rows, low + step))
        yield at, entry.deviation[at].astype(np.float64)


def _present(labels: NDArray[Any]) -> NDArray[Any]:
    classes = np.unique(labels)
    classes = classes[classes > 0]
    if classes.size == 0:
        raise BadInput(
            "There are no labels on these pixels.", way_out="Load labels, or paint some."
        )
    return classes
