"""Today's line beside yesterday's: growth, reduction, a shift of the whole layer, containment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.perimeters.acreage import SQUARE_METRES_PER_ACRE, acreage, filled, geodesic_m2
from backends.perimeters.coordinates import WGS84, moved
from backends.perimeters.editing import clean

_MOST_POINTS = 6_000
_GRID = 512
SHIFT_PIXELS = 1.5  # beyond it a layer counts as shifted
NEAR_PIXELS = 1.5  # within it a contained line lies on the edge


@dataclass(frozen=True)
class Shift:
    """A displacement of the whole line.

    Attributes
    ----------
    dx_m, dy_m : float
        By which the new line lies off the previous one, east and north.
    on_line, on_line_after : float
        Part of the new line within three quarters of a pixel of the previous one, as it is
        and with the shift taken back.
    is_shifted : bool
        The shift is more than 1.5 pixels and taking it back explains the line better.
    """

    dx_m: float
    dy_m: float
    on_line: float
    on_line_after: float
    is_shifted: bool

    @property
    def length_m(self) -> float:
        """How far."""
        return math.hypot(self.dx_m, self.dy_m)


@dataclass(frozen=True)
class Comparison:
    """Differences of two perimeters.

    Attributes
    ----------
    growth, reduction : shapely geometry
        Where only the new one is, and where only the previous one was.
    growth_ac, reduction_ac, new_ac, previous_ac : float
        Geodesic; the last two gross of islands.
    shift : Shift
    """

    growth: Any
    reduction: Any
    growth_ac: float
    reduction_ac: float
    new_ac: float
    previous_ac: float
    shift: Shift

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, without geometry."""
        return {
            "new_ac": self.new_ac,
            "previous_ac": self.previous_ac,
            "growth_ac": self.growth_ac,
            "reduction_ac": self.reduction_ac,
            "shift": {
                "dx_m": self.shift.dx_m,
                "dy_m": self.shift.dy_m,
                "shifted": self.shift.is_shifted,
                "on_previous_line": self.shift.on_line,
                "on_previous_line_after": self.shift.on_line_after,
            },
        }


def of_one_place(new: Any, previous: Any, name: str, other: str) -> None:
    """Look whether two perimeters, in metres, may be of the same fire.

    Raises
    ------
    BadInput
        They lie far apart.
    """
    size = max(b - a for a, b in zip(new.bounds[:2], new.bounds[2:], strict=True))
    apart = float(shapely.distance(new, previous))
    if apart > max(size, 5_000.0):
        raise BadInput(
            f"{name} and {other} lie {apart / 1000:,.0f} km apart.",
            way_out="Compare perimeters of the same fire, and check their coordinate systems.",
        )


def compare(new: Any, previous: Any, crs: str, pixel_m: float) -> Comparison:
    """Compare two perimeters in the same coordinate system, in metres.

    Areas are compared with islands filled: one that burned out later is no growth of the line.

    Parameters
    ----------
    pixel_m : float
        Ground size of a pixel of the imagery: the scale a shift is judged on.
    """
    whole, before = filled(new), filled(previous)
    growth, reduction = clean(whole.difference(before)), clean(before.difference(whole))
    figures = [
        geodesic_m2(moved(g, crs, WGS84)) / SQUARE_METRES_PER_ACRE for g in (growth, reduction)
    ]
    sizes = [acreage(g, crs, crs).gross_ac for g in (new, previous)]
    return Comparison(
        growth, reduction, figures[0], figures[1], sizes[0], sizes[1],
        estimate_shift(whole, before, pixel_m),
    )  # fmt: skip


def estimate_shift(new: Any, previous: Any, pixel_m: float) -> Shift:
    """Estimate by which the whole new line lies off the previous one.

    The peak of the phase correlation of the two outlines starts a trimmed point-to-line ICP
    (translation only); what grew does not fit and is trimmed away.
    """
    points = _along(new, pixel_m)
    lines = previous.boundary
    shapely.prepare(lines)
    near = 0.75 * pixel_m
    as_it_is = _share(lines, points, near)
    starts = [np.zeros(2), _phase_peak(new, previous)]
    found = [_icp(lines, points, start, pixel_m) for start in starts]
    scores = [_share(lines, points - t, near) for t in found]
    best = int(np.argmax(scores))
    t, after = found[best], scores[best]
    shifted = math.hypot(*t) > SHIFT_PIXELS * pixel_m and after >= max(0.3, as_it_is + 0.1)
    return Shift(float(t[0]), float(t[1]), as_it_is, after, bool(shifted))


def containment(perimeter: Any, contained: Any, tolerance_m: float) -> tuple[float, Any, Any]:
    """Return the contained share of the outer line, 0 to 1, its contained and its other part.

    Parameters
    ----------
    contained : shapely lines
    tolerance_m : float
        How far a contained line may lie off the edge and still count.
    """
    edge = filled(perimeter).boundary
    if contained is None or contained.is_empty or edge.length == 0:
        return 0.0, shapely.LineString(), edge
    near = contained.buffer(tolerance_m, cap_style="flat")
    open_ = edge.difference(near)
    return float(1 - open_.length / edge.length), edge.intersection(near), open_


def off_the_edge(perimeter: Any, contained: Any, tolerance_m: float) -> float:
    """Return metres of contained line that do not lie on the outer edge."""
    if contained is None or contained.is_empty:
        return 0.0
    return float(contained.difference(filled(perimeter).boundary.buffer(tolerance_m)).length)


def _along(shape: Any, step: float) -> NDArray[np.float64]:
    edge = shape.boundary
    step = max(step, edge.length / _MOST_POINTS)
    lines = [edge] if edge.geom_type == "LineString" else list(edge.geoms)
    places = [
        shapely.line_interpolate_point(line, np.arange(0, line.length, step)) for line in lines
    ]
    return np.asarray(shapely.get_coordinates(np.concatenate(places)), np.float64)


def _share(lines: Any, points: NDArray[np.float64], distance: float) -> float:
    return float(shapely.dwithin(lines, shapely.points(points), distance).mean())


def _icp(
    lines: Any, points: NDArray[np.float64], start: NDArray[np.float64], pixel_m: float
) -> NDArray[np.float64]:
    """Move points onto lines by translation; only the better half of them has a say."""
    t = np.array(start, float)
    chosen = points[:: max(1, len(points) // 2000)]
    for _ in range(30):
        here = chosen - t
        foot = shapely.get_coordinates(shapely.shortest_line(lines, shapely.points(here)))[::2]
        off = here - foot
        away = np.hypot(off[:, 0], off[:, 1])
        keep = away <= max(float(np.quantile(away, 0.6)), 0.5 * pixel_m)
        some = keep & (away > 1e-9)
        if not some.any():
            break
        normal = off[some] / away[some, None]
        square = normal.T @ normal + 1e-9 * np.eye(2)
        step = np.linalg.solve(square, normal.T @ away[some]) * some.sum() / keep.sum()
        t += step
        if math.hypot(*step) < 0.01 * pixel_m:
            break
    return t


def _phase_peak(new: Any, previous: Any) -> NDArray[np.float64]:
    """Return the displacement at the peak of the phase correlation of two outlines."""
    from affine import Affine
    from rasterio.features import rasterize
    from scipy.ndimage import gaussian_filter

    box = np.asarray(shapely.union(shapely.box(*new.bounds), shapely.box(*previous.bounds)).bounds)
    side = 1.3 * max(box[2] - box[0], box[3] - box[1], 1e-6)
    cell = side / _GRID
    place = Affine(cell, 0, box[0] - 0.15 * side / 1.3, 0, -cell, box[3] + 0.15 * side / 1.3)
    pictures = [
        gaussian_filter(
            rasterize(
                [g.boundary], out_shape=(_GRID, _GRID), transform=place, dtype="uint8"
            ).astype(np.float32),
            0.7,
        )
        for g in (new, previous)
    ]
    first, second = (np.fft.rfft2(p) for p in pictures)
    cross = first * np.conj(second)
    # Half-whitened: full whitening lets the noise of a thin outline win.
    surface = np.fft.irfft2(cross / np.sqrt(np.abs(cross) + 1e-6), s=(_GRID, _GRID))
    row, col = np.unravel_index(int(surface.argmax()), surface.shape)
    rows, cols = (int(v) - _GRID if v > _GRID // 2 else int(v) for v in (row, col))
    return np.array([cols * cell, -rows * cell], float)
