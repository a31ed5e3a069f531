"""Maps of matrix entries: small pictures for the grid, full ones to lay over the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import colorize
from backends.overlays import MatrixEntry, MatrixField, ScoreMap

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
    """

    layer: int
    site: str
    tiles: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    shown: tuple[NDArray[np.float32], NDArray[np.float32]]
    static: NDArray[np.float32]

    @property
    def range_text(self) -> str:
        """Absolute range over all entries, in words."""
        return f"{self.low.min():.4f} to {self.high.max():.4f}"


def grid_picture(
    entry: MatrixEntry, *, scale: str = "stretch", side: int = 96, progress: Progress | None = None
) -> GridPicture:
    """Draw every entry of one site.

    Parameters
    ----------
    scale : str
        ``"stretch"``: each map from its 5th to its 95th percentile. ``"fixed"``: 0 to 1
        for all. ``"deviation"``: difference from the static matrix, one symmetric range.
    side : int
        Longest side of a tile in pixels.
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
            whole = entry.deviation[:, :, source, target]
            base = float(entry.static[source, target])
            low[source, target] = base + float(whole.min())
            high[source, target] = base + float(whole.max())
            values = small[:, :, source, target]
            if scale == "deviation":
                limits, name = (-reach, reach), "diverging"
            elif scale == "fixed":
                values, limits, name = values + base, (0.0, 1.0), "viridis"
            else:
                values, name = values + base, "viridis"
                at = [float(v) for v in np.percentile(values, (5, 95))]
                limits = (at[0], at[1] if at[1] > at[0] else at[0] + 1e-6)
            tiles[source, target] = colorize(values, limits, name)
            ends[0][source, target], ends[1][source, target] = limits
    static = np.asarray(entry.static, np.float32)
    return GridPicture(entry.layer, entry.site, tiles, low, high, ends, static)


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
