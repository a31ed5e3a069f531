"""Classes without labels: k-means and ISODATA, strip by strip.

A sample gives the first centres; then every pass reads the scene once, gives each pixel its nearest
centre, and moves the centres to the means of their pixels (Lloyd 1982). ISODATA (Ball and Hall
1965, as in Tou and Gonzalez 1974) also drops, splits and merges clusters between passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.overlays import ClassMap
from backends.scene import Scene
from backends.spectra.pixels import strips, usable_bands
from backends.spectra.products import Maker, Product

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
METHODS = {"kmeans": "k-means", "isodata": "ISODATA"}
MOST_CLUSTERS = 255
_SAMPLE = 20_000
# So small a share of pixels that still change their cluster ends the passes.
SETTLED = 1e-3


@dataclass(frozen=True)
class IsodataLimits:
    """When ISODATA drops, splits and merges; None is chosen from the scene.

    Attributes
    ----------
    least, most : int
        Clusters.
    pixels : int
        A cluster with fewer is dropped.
    spread : float or None
        A cluster whose standard deviation is larger in a band is split there; default half of the
        largest standard deviation of a band over the scene.
    apart : float or None
        Centres closer than this are merged; default a quarter of the root of the total variance.
    """

    least: int = 2
    most: int = 20
    pixels: int = 25
    spread: float | None = None
    apart: float | None = None


@dataclass(frozen=True, eq=False)
class Clusters:
    """What was found.

    Attributes
    ----------
    labels : uint8 array of shape (rows, cols)
        1 for the largest cluster …, 0 where nothing was measured.
    centres : float64 array of shape (clusters, bands)
    counts : int64 array of shape (clusters,)
    spread : float64 array of shape (clusters,)
        Root mean square distance of the pixels to their centre.
    bands : tuple of int
    passes : int
    moved : float
        Share of pixels that changed their cluster in the last pass.
    limits : IsodataLimits or None
        With everything that was chosen.
    """

    labels: NDArray[np.uint8]
    centres: Doubles
    counts: NDArray[np.int64]
    spread: Doubles
    bands: tuple[int, ...]
    passes: int
    moved: float
    limits: IsodataLimits | None = None


def find_clusters(
    scene: Scene,
    count: int,
    method: str = "kmeans",
    *,
    bands: Sequence[int] | None = None,
    passes: int = 20,
    limits: IsodataLimits | None = None,
    start: Doubles | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Clusters:
    """Group the pixels of a scene by their spectra.

    Parameters
    ----------
    count : int
        Clusters; for ISODATA those to begin with.
    start : float array of shape (count, bands), optional
        First centres; default k-means++ (Arthur and Vassilvitskii 2007) on a sample.

    Raises
    ------
    WrongUse
        A number makes no sense.
    BadInput
        There are fewer different pixels than clusters.
    """
    if method not in METHODS:
        raise WrongUse(f"There is no method {method}.", way_out=f"Use {', '.join(METHODS)}.")
    if not 2 <= count <= MOST_CLUSTERS or passes < 1:
        raise WrongUse(
            f"Clusters can be 2 to {MOST_CLUSTERS}, passes 1 or more.", way_out="Change --count."
        )
    chosen = usable_bands(scene, bands)
    sample = _sample(scene, chosen)
    centres = _first(sample, count, seed) if start is None else np.asarray(start, np.float64)
    limits = _settled(limits, count, sample) if method == "isodata" else None
    rows, cols, _ = scene.shape
    labels = np.zeros(rows * cols, np.uint8)
    moved, done = 1.0, 0
    for turn in range(passes):
        note = f"Pass {turn + 1} of {passes}"
        wide = limits is not None
        found = _pass(scene, chosen, centres, labels, progress, note, variances=wide)
        done, moved = turn + 1, found.moved
        centres = np.where(found.counts[:, None] > 0, found.mean, centres)
        changed = limits is not None and turn < passes - 1
        if changed and limits is not None:
            before = len(centres)
            centres = _reshaped(centres, found, limits)
            changed = len(centres) != before
        if moved <= SETTLED and not changed:
            break
    # The map belongs to the centres that are given, so it is drawn with them.
    last = _pass(scene, chosen, centres, labels, progress, "Drawing the map")
    order = np.argsort(-last.counts, kind="stable")
    order = order[last.counts[order] > 0]
    lookup = np.zeros(len(centres) + 1, np.uint8)
    lookup[order + 1] = np.arange(1, len(order) + 1)
    return Clusters(
        lookup[labels].reshape(rows, cols), centres[order], last.counts[order],
        np.sqrt(last.squares[order] / last.counts[order]), chosen, done, moved, limits,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Found:
    counts: NDArray[np.int64]
    mean: Doubles
    variance: Doubles
    squares: Doubles
    moved: float


def _pass(
    scene: Scene,
    bands: tuple[int, ...],
    centres: Doubles,
    labels: NDArray[np.uint8],
    progress: Progress | None,
    note: str,
    *,
    variances: bool = False,
) -> _Found:
    """Give each pixel its nearest centre, write the number into ``labels``, and sum up."""
    from scipy.sparse import csr_array

    count, cols = len(centres), scene.shape[1]
    # Distances are taken from the mean of the centres: float32 keeps more of them so.
    shift = centres.mean(axis=0)
    near = (centres - shift).astype(np.float32)
    level = (near * near).sum(axis=1)
    counts = np.zeros(count, np.int64)
    sums, powers = np.zeros((count, len(bands))), np.zeros((count, len(bands)))
    squares, moved, total = np.zeros(count), 0, 0
    for strip in strips(scene, bands, progress=progress, note=note):
        at = slice(strip.window.row * cols, strip.window.row * cols + len(strip.values))
        x = strip.values - shift.astype(np.float32)
        distance = level - 2 * (x @ near.T)
        own = distance.argmin(axis=1)
        new = np.where(strip.valid, own + 1, 0).astype(np.uint8)
        moved += int(np.count_nonzero(new != labels[at]))
        labels[at] = new
        ok = strip.valid
        own, x = own[ok], x[ok]
        total += own.size
        counts += np.bincount(own, minlength=count)
        pick = csr_array(
            (np.ones(own.size), own, np.arange(own.size + 1)), shape=(own.size, count)
        ).T
        wide = x.astype(np.float64)
        sums += pick @ wide
        if variances:
            powers += pick @ (wide * wide)
        rest = np.einsum("ij,ij->i", x, x, dtype=np.float64) + distance[ok][
            np.arange(own.size), own
        ].astype(np.float64)
        squares += np.bincount(own, weights=np.maximum(rest, 0), minlength=count)
    if not total:
        raise BadInput(f"{scene.title} has no valid pixel.", way_out="Choose another scene.")
    many = np.maximum(counts, 1)[:, None]
    mean = sums / many
    return _Found(counts, mean + shift, powers / many - mean**2, squares, moved / total)


def _sample(scene: Scene, bands: tuple[int, ...]) -> Doubles:
    from backends.statistics import sample_pixels

    found = sample_pixels(scene, bands, size=_SAMPLE).astype(np.float64)
    return np.asarray(found[np.isfinite(found).all(axis=1)])


def _first(sample: Doubles, count: int, seed: int) -> Doubles:
    from sklearn.cluster import kmeans_plusplus

    if len(np.unique(sample, axis=0)) < count:
        raise BadInput(
            f"The scene has fewer than {count} different spectra.",
            way_out="Ask for fewer clusters.",
        )
    return np.asarray(kmeans_plusplus(sample, count, random_state=seed)[0])


def _settled(limits: IsodataLimits | None, count: int, sample: Doubles) -> IsodataLimits:
    """Fill in what was left open.

    Raises
    ------
    WrongUse
        Fewest and most clusters contradict each other or the count.
    """
    limits = limits or IsodataLimits(max(2, count // 2), min(MOST_CLUSTERS, 2 * count))
    if not 1 <= limits.least <= count <= limits.most <= MOST_CLUSTERS:
        raise WrongUse(
            f"{limits.least} to {limits.most} clusters do not go with {count} to begin with.",
            way_out="Fewest ≤ count ≤ most.",
        )
    variance = sample.var(axis=0)
    spread = float(0.5 * np.sqrt(variance.max())) if limits.spread is None else limits.spread
    apart = float(0.25 * np.sqrt(variance.sum())) if limits.apart is None else limits.apart
    return IsodataLimits(limits.least, limits.most, limits.pixels, spread, apart)


def _reshaped(centres: Doubles, found: _Found, limits: IsodataLimits) -> Doubles:
    """Drop small clusters, split wide ones, else merge close ones."""
    assert limits.spread is not None
    assert limits.apart is not None
    order = np.argsort(-found.counts, kind="stable")
    kept = [k for k in order if found.counts[k] >= limits.pixels]
    kept = kept if len(kept) >= limits.least else order[: limits.least].tolist()
    new: list[Doubles] = []
    room = limits.most - len(kept)
    for k in kept:
        deviation = np.sqrt(np.maximum(found.variance[k], 0))
        band = int(deviation.argmax())
        wide = deviation[band] > limits.spread and found.counts[k] > 2 * (limits.pixels + 1)
        if wide and room > 0:
            step = np.zeros(centres.shape[1])
            step[band] = deviation[band] / 2
            new += [centres[k] + step, centres[k] - step]
            room -= 1
        else:
            new.append(centres[k])
    if len(new) > len(kept):
        return np.stack(new)
    return _merged(centres[kept], found.counts[kept].astype(np.float64), limits)


def _merged(centres: Doubles, counts: Doubles, limits: IsodataLimits) -> Doubles:
    """Put the closest pairs together, each cluster once a pass."""
    assert limits.apart is not None
    pairs = sorted(
        (float(np.linalg.norm(centres[i] - centres[j])), i, j)
        for i, j in combinations(range(len(centres)), 2)
    )
    used: set[int] = set()
    joined: list[Doubles] = []
    left = len(centres)
    for distance, i, j in pairs:
        if distance >= limits.apart or left <= limits.least:
            break
        if i in used or j in used:
            continue
        used |= {i, j}
        total = max(counts[i] + counts[j], 1.0)
        joined.append((counts[i] * centres[i] + counts[j] * centres[j]) / total)
        left -= 1
    rest = [centre for k, centre in enumerate(centres) if k not in used]
    return np.stack([*rest, *joined])


def cluster(
    scene: Scene,
    count: int = 8,
    method: str = "kmeans",
    *,
    passes: int = 20,
    limits: IsodataLimits | None = None,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return the clusters of a scene as a class map, with size, spread and centre of each."""
    make = Maker(scene, method, command, count=count, passes=passes, seed=seed)
    found = find_clusters(
        scene, count, method, passes=passes, limits=limits, seed=seed, progress=progress
    )
    if found.limits is not None:
        used = found.limits
        make.parameters |= {
            "least": used.least, "most": used.most, "pixels": used.pixels,
            "spread": used.spread, "apart": used.apart,
        }  # fmt: skip
    if found.moved > SETTLED:
        make.notes.append(
            f"After {found.passes} passes {100 * found.moved:.1f} % of the pixels still changed "
            "their cluster; more passes may help."
        )
    if method == "kmeans" and len(found.counts) < count:
        make.notes.append(f"{count - len(found.counts)} clusters kept no pixel.")
    names = {i: f"Cluster {i}" for i in range(1, len(found.counts) + 1)}
    total = int(found.counts.sum())
    rows: list[dict[str, Any]] = [
        {
            "cluster": names[i + 1],
            "pixels": int(n),
            "share": round(n / total, 6),
            "spread": float(w),
        }
        for i, (n, w) in enumerate(zip(found.counts, found.spread, strict=True))
    ]
    nm = scene.bands.wavelengths()[list(found.bands)]
    curves: list[dict[str, Any]] = [
        {"band": b + 1, "wavelength_nm": None if np.isnan(w) else float(w),
         **{names[i + 1]: float(v) for i, v in enumerate(column)}}
        for b, w, column in zip(found.bands, nm, found.centres.T, strict=True)
    ]  # fmt: skip
    shown = ClassMap(
        f"Clusters ({METHODS[method]})", scene.id, make.provenance(), labels=found.labels,
        class_names=names,
    )  # fmt: skip
    done = make.summary(bands=len(found.bands), passes_run=found.passes, classes=rows)
    return Product((shown,), done, {"clusters": rows, "centres": curves})
