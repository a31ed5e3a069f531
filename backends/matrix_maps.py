"""Maps of matrix entries and streams: small pictures for the desk, full ones over the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import colorize
from backends.errors import BadInput
from backends.matrix_analysis import class_matrices
from backends.overlays import MatrixEntry, MatrixField, ScoreMap, StreamWeights

if TYPE_CHECKING:
    from backends.jobs import Progress


@dataclass(frozen=True, eq=False)
class GridPicture:
    """The maps of all entries of one matrix field, ready to draw.

    Attributes
    ----------
    layer, site : int, str
    tiles : uint8 array of shape (n, n, rows, cols, 3)
        First index source, second target.
    low, high : float arrays of shape (n, n)
        Smallest and largest value of each entry over the scene.
    shown : (low, high) arrays of shape (n, n)
        Values at the two ends of the colours.
    static : float array of shape (n, n)
    highest : int64 array of shape (n, n), or None
        Label value of the class with the highest mean in each entry.
    outlines : mapping of int to int array of shape (edges, 4)
        For each of those classes the edges of its pixels in a tile: row and column of their two
        ends, whole numbers are corners of pixels.
    """

    layer: int
    site: str
    tiles: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    shown: tuple[NDArray[np.float32], NDArray[np.float32]]
    static: NDArray[np.float32]
    highest: NDArray[np.int64] | None = None
    outlines: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def range_text(self) -> str:
        """Absolute range over all entries, in words."""
        return f"{self.low.min():.4f} to {self.high.max():.4f}"


def grid_picture(
    entry: MatrixEntry,
    *,
    scale: str = "stretch",
    side: int = 96,
    labels: NDArray[Any] | None = None,
    progress: Progress | None = None,
) -> GridPicture:
    """Draw every entry of one site.

    Parameters
    ----------
    scale : str
        ``"stretch"``: each map from its 5th to its 95th percentile. ``"fixed"``: 0 to 1
        for all. ``"deviation"``: difference from the static matrix, one symmetric range.
    side : int
        Longest side of a tile in pixels.
    labels : integer array of shape (rows, cols), optional
        Of the same pixels as the matrices, 0 is unlabelled: outlines the class with the highest
        mean of each entry, as in the source's figures.
    """
    rows, cols, n, _ = entry.deviation.shape
    step = max(1, max(rows, cols) // side)
    small = entry.deviation[::step, ::step].astype(np.float32)
    tiles = np.empty((n, n, *small.shape[:2], 3), np.uint8)
    low, high = np.empty((n, n), np.float32), np.empty((n, n), np.float32)
    ends = np.empty((n, n), np.float32), np.empty((n, n), np.float32)
    reach = float(np.percentile(np.abs(small), 98)) or 1e-6
    for source in range(n):
        for target in range(n):
            if progress is not None:
                progress.check()
            at = source, target
            whole = entry.deviation[:, :, source, target]
            base = float(entry.static[at])
            low[at], high[at] = base + float(whole.min()), base + float(whole.max())
            tiles[at], limits = _tile(small[:, :, source, target], base, scale, reach, 1.0)
            ends[0][at], ends[1][at] = limits
    static = np.asarray(entry.static, np.float32)
    highest, outlines = None, {}
    if labels is not None and (labels > 0).any():
        found = class_matrices(entry, labels, progress)
        highest = np.asarray(found.classes)[found.means.argmax(axis=0)]
        shown = labels[::step, ::step]
        outlines = {int(value): outline(shown == value) for value in np.unique(highest)}
    return GridPicture(entry.layer, entry.site, tiles, low, high, ends, static, highest, outlines)


@dataclass(frozen=True, eq=False)
class StreamPicture:
    """What feeds a site, or who receives its answer: one map a stream, ready to draw.

    Attributes
    ----------
    tiles : uint8 array of shape (n, rows, cols, 3)
    low, high, static : float arrays of shape (n,)
    shown : (low, high) arrays of shape (n,)
        Values at the two ends of the colours.
    """

    tiles: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    shown: tuple[NDArray[np.float32], NDArray[np.float32]]
    static: NDArray[np.float32]


# Largest value of each: a sigmoid, and twice a sigmoid.
TOPS = {"read": 1.0, "write": 2.0}


def stream_picture(
    weights: StreamWeights, what: str, *, scale: str = "stretch", side: int = 96
) -> StreamPicture:
    """Draw the weights of every stream.

    Parameters
    ----------
    what : str
        ``"read"`` or ``"write"``.
    scale : str
        As in `grid_picture`; ``"fixed"`` ends at the largest value there can be.
    """
    rows, cols, n = weights.deviation.shape
    step = max(1, max(rows, cols) // side)
    small = weights.deviation[::step, ::step].astype(np.float32)
    tiles = np.empty((n, *small.shape[:2], 3), np.uint8)
    low, high = np.empty(n, np.float32), np.empty(n, np.float32)
    ends = np.empty(n, np.float32), np.empty(n, np.float32)
    reach = float(np.percentile(np.abs(small), 98)) or 1e-6
    for stream in range(n):
        base, whole = float(weights.static[stream]), weights.deviation[:, :, stream]
        low[stream], high[stream] = base + float(whole.min()), base + float(whole.max())
        tiles[stream], limits = _tile(small[:, :, stream], base, scale, reach, TOPS[what])
        ends[0][stream], ends[1][stream] = limits
    return StreamPicture(tiles, low, high, ends, np.asarray(weights.static, np.float32))


def outline(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the edges between pixels in a mask and others, shape (edges, 4).

    Row and column of the two ends of each; whole numbers are corners of pixels.
    """
    inside = np.pad(mask, 1)
    flat = np.argwhere(inside[1:] != inside[:-1])  # above a pixel; the padding counts one column
    flat = flat[:, [0, 1, 0, 1]] + np.array([0, -1, 0, 0])
    upright = np.argwhere(inside[:, 1:] != inside[:, :-1])
    upright = upright[:, [0, 1, 0, 1]] + np.array([-1, 0, 0, 0])
    return np.concatenate([flat, upright]).astype(np.int64)


def _tile(
    deviation: NDArray[np.float32], base: float, scale: str, reach: float, top: float
) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Return the colours of one map and the values at their ends."""
    if scale == "deviation":
        limits, values, name = (-reach, reach), deviation, "diverging"
    elif scale == "fixed":
        limits, values, name = (0.0, top), deviation + base, "viridis"
    else:
        values, name = deviation + base, "viridis"
        at = [float(v) for v in np.percentile(values, (5, 95))]
        limits = (at[0], at[1] if at[1] > at[0] else at[0] + 1e-6)
    return colorize(values, limits, name), limits


STREAM_TITLES = {"read": "feeds the site", "write": "receives its answer"}


def stream_map(field: MatrixField, layer: int, site: str, what: str, stream: int) -> ScoreMap:
    """Return how much of one stream feeds a site, or how much of its answer it receives.

    Parameters
    ----------
    what : str
        ``"read"`` or ``"write"``.

    Raises
    ------
    BadInput
        Results of an older version did not keep it.
    """
    kept = field.entry(layer, site).weights().get(what)
    if kept is None:
        raise BadInput(
            f"{field.title} did not keep what feeds a site.", way_out="Make the map again."
        )
    return ScoreMap(
        f"{field.group_names[stream]} {STREAM_TITLES[what]} (layer {layer}, {site})",
        field.scene_id,
        field.provenance,
        placement=field.placement,
        id=f"{field.id}-stream",
        values=kept.map(stream),
        unit="weight",
        centre=float(kept.static[stream]),
    )


def entry_map(field: MatrixField, layer: int, site: str, source: int, target: int) -> ScoreMap:
    """Return one entry over the image as an overlay; its centre is the static value.

    The overlay keeps one identity a field, so that choosing another entry replaces it.
    """
    entry = field.entry(layer, site)
    names = field.group_names
    return ScoreMap(
        f"{names[source]} → {names[target]} (layer {layer}, {site})",
        field.scene_id,
        field.provenance,
        placement=field.placement,
        id=f"{field.id}-entry",
        values=entry.map(source, target),
        unit="share",
        centre=float(entry.static[source, target]),
    )
