"""A probability to a proposal: hysteresis, closing in metres, outlines, classes of heat.

Our own procedure; its defaults are in metres and acres so that they mean the same at any pixel
size. Nothing in it is "verified": it proposes, a person signs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.perimeters.acreage import SQUARE_METRES_PER_ACRE, Acreage, acreage
from backends.perimeters.closing import closed, difference, dilated
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.probability import Source
from backends.perimeters.runs import Ints, RunMask, counts_within, overlapping, runs_of_rows
from backends.perimeters.settings import PerimeterSettings
from backends.perimeters.simplifying import Simplified, simplify
from backends.perimeters.tracing import trace
from backends.progress import Progress


@dataclass(frozen=True)
class Proposal:
    """What was drawn; a draft in every respect.

    Attributes
    ----------
    features : tuple of Feature
    crs : str
        Of the geometry, in metres.
    band : (geometry, geometry)
        Outer (p ≥ grow) and inner (p ≥ high) contour.
    area : Acreage or None
        None where nothing burns.
    interval_ac : (float, float)
        Gross geodesic acres of the inner and of the outer contour.
    pixel_m : float
    figures, notes : what was measured and what to know
    """

    features: tuple[Feature, ...]
    crs: str
    band: tuple[Any, Any]
    area: Acreage | None
    interval_ac: tuple[float, float]
    pixel_m: float
    settings: PerimeterSettings
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def perimeter(self) -> Any:
        """The outline; empty where nothing burns."""
        found = [f.geometry for f in self.features if f.heat is HeatClass.PERIMETER]
        return found[0] if found else shapely.MultiPolygon()

    def band_wkb(self) -> list[str]:
        """Return outer and inner contour as text to keep; none where they are one and the same."""
        outer, inner = self.band
        if outer.is_empty or outer.equals(inner):
            return []
        return [shapely.to_wkb(g, hex=True) for g in (outer, inner)]


@dataclass
class _Masks:
    grow: RunMask
    seed: RunMask
    high: RunMask
    nodata: RunMask
    hot: RunMask | None


def make_proposal(
    source: Source,
    settings: PerimeterSettings | None = None,
    *,
    temperature: Source | None = None,
    progress: Progress | None = None,
) -> Proposal:
    """Draw a proposal around a probability.

    Parameters
    ----------
    source : Source
        Probability of active fire, 0 to 1.
    temperature : Source, optional
        Brightness temperature near 4 µm in K on the same grid, for intense heat.

    Raises
    ------
    BadInput
        The values are no probability.
    """
    settings, progress = settings or PerimeterSettings(), progress or Progress()
    masks = _masks(source, settings, temperature, progress)
    return _Drawing(source, settings, progress).draw(masks)


def _masks(
    source: Source, s: PerimeterSettings, temperature: Source | None, progress: Progress
) -> _Masks:
    parts: dict[str, list[tuple[Ints, Ints, Ints]]] = {
        name: [] for name in ("grow", "seed", "high", "nodata", "hot")
    }
    progress.start(source.shape[0], "rows", "Reading the probability")
    warm = temperature.strips() if temperature is not None else None
    for row, p in source.strips():
        top, bottom = np.nanmax(p, initial=0.0), np.nanmin(p, initial=0.0)
        if top > 1.0001 or bottom < -0.0001:
            raise BadInput(
                f"The values run from {bottom:g} to {top:g}, but a probability runs from 0 to 1.",
                way_out="Give what to divide by, for example --scale 255, or another band.",
            )
        for name, level in (("grow", s.grow), ("seed", s.seed), ("high", s.high)):
            parts[name].append(runs_of_rows(p >= np.float32(level), row))
        parts["nodata"].append(runs_of_rows(np.isnan(p), row))
        if warm is not None:
            kelvin = next(warm)[1]
            _check_kelvin(kelvin)
            hot = (p >= np.float32(s.seed)) & (kelvin >= np.float32(s.intense_k))
            parts["hot"].append(runs_of_rows(hot, row))
        progress.advance(len(p))
    found = {name: RunMask.joined(listed, source.shape) for name, listed in parts.items()}
    hot_mask = found.pop("hot")
    return _Masks(**found, hot=hot_mask if temperature is not None else None)


def _check_kelvin(kelvin: NDArray[np.float32]) -> None:
    some = kelvin[np.isfinite(kelvin) & (kelvin > 0)]
    if some.size and not 150 <= float(np.median(some)) <= 1500:
        raise BadInput(
            f"The temperatures are about {float(np.median(some)):g}, which is no temperature in K.",
            way_out="Give brightness temperature near 4 µm in kelvin.",
        )


class _Drawing:
    """The steps after reading; all of them on runs."""

    def __init__(self, source: Source, settings: PerimeterSettings, progress: Progress) -> None:
        self.source, self.s, self.progress = source, settings, progress
        a, b, _, d, e, _ = source.affine
        self.pixel_m2 = abs(a * e - b * d)
        self.pixel_m = math.sqrt(self.pixel_m2)
        self.notes: list[str] = []
        self.figures: dict[str, Any] = {}

    def draw(self, masks: _Masks) -> Proposal:
        s = self.s
        self.progress.start(6, "steps", "Closing gaps")
        labels, seeded = self._seeded(masks)
        whole = closed(masks.grow.chosen(seeded[labels]), self._px(s.closing_m), self.progress)
        pieces, piece_of = whole.components(8)
        size = np.bincount(piece_of, weights=whole.lengths, minlength=pieces)
        large = size * self.pixel_m2 >= s.smallest_ac * SQUARE_METRES_PER_ACRE
        self.progress.advance()
        self.progress.note("Tracing the outline")
        line, made = self._outlines(whole.chosen(large[piece_of]))
        self.progress.advance()
        features: list[Feature] = []
        if line is not None:
            features.append(Feature(HeatClass.PERIMETER, line, self._perimeter_rule(made)))
        intense = self._intense(masks.hot)
        features += intense[0]
        self.progress.advance()
        scattered, gathered = self._scattered(masks.seed, intense[1])
        features += scattered
        self.progress.advance()
        features += self._isolated(whole.chosen(~large[piece_of]), whole, gathered)
        features += self._possible(masks.grow.chosen(~seeded[labels]))
        features += self._no_data(masks.nodata)
        self.progress.advance()
        band, interval = self._band(masks, line)
        self.progress.advance()
        area = None if line is None else acreage(line, self.source.crs, self.source.crs)
        return Proposal(
            tuple(features), self.source.crs, band, area, interval, self.pixel_m, s,
            self.figures, tuple(self.notes),
        )  # fmt: skip

    def _px(self, metres: float) -> float:
        return metres / self.pixel_m

    def _acres(self, pixels: float) -> float:
        return float(pixels * self.pixel_m2 / SQUARE_METRES_PER_ACRE)

    def _seeded(self, masks: _Masks) -> tuple[Ints, NDArray[np.bool_]]:
        count, labels = masks.grow.components(8)
        seeded = np.zeros(count, bool)
        seeded[labels[overlapping(masks.seed, masks.grow)[1]]] = True
        return labels, seeded

    def _outlines(self, mask: RunMask, *, holes: bool = True) -> tuple[Any, Simplified | None]:
        if not len(mask):
            return None, None
        hole_px = self.s.hole_ac * SQUARE_METRES_PER_ACRE / self.pixel_m2 if holes else 0.0
        traced = trace(mask, self.source.affine, smallest_hole_px=hole_px, progress=self.progress)
        made = simplify(
            traced.polygons, self.pixel_m, tolerance_px=self.s.simplify_px, progress=self.progress
        )
        return joined(made.polygons), made

    def _perimeter_rule(self, made: Simplified | None) -> dict[str, Any]:
        s = self.s
        rule: dict[str, Any] = {
            "method": "hysteresis and closing",
            "text": (
                f"p ≥ {s.grow:g} connected to p ≥ {s.seed:g}, gaps closed with a radius of "
                f"{s.closing_m:g} m, pieces of {s.smallest_ac:g} ac or more, holes below "
                f"{s.hole_ac:g} ac filled"
            ),
            "pixel_m": self.pixel_m,
            **{k: v for k, v in asdict(s).items() if k not in ("density", "most_points")},
        }
        if made is not None:
            rule["simplified"] = {
                "vertices_before": made.before,
                "vertices": made.after,
                "largest_area_change": made.area_change,
                "hausdorff_below_m": made.distance,
            }
            self.figures["simplified"] = rule["simplified"]
        return rule

    def _intense(self, hot: RunMask | None) -> tuple[list[Feature], RunMask]:
        s = self.s
        none = RunMask.empty(self.source.shape)
        if hot is None:
            self.notes.append("No temperature was given, so no intense heat is proposed.")
            return [], none
        pieces, piece_of = hot.components(8)
        size = np.bincount(piece_of, weights=hot.lengths, minlength=pieces)
        large = size * self.pixel_m2 >= s.intense_ac * SQUARE_METRES_PER_ACRE
        kept = hot.chosen(large[piece_of])
        text = f"p ≥ {s.seed:g} and {s.intense_k:g} K near 4 µm, {s.intense_ac:g} ac or more"
        rule = {"method": "intense", "text": text, "seed": s.seed, "kelvin": s.intense_k}
        return self._polygons(HeatClass.INTENSE, kept, rule), kept

    def _scattered(self, spots: RunMask, intense: RunMask) -> tuple[list[Feature], RunMask]:
        s = self.s
        gathered = closed(spots, self._px(s.scattered_m), self.progress)
        pieces, piece_of = gathered.components(8)
        size = np.bincount(piece_of, weights=gathered.lengths, minlength=pieces)
        hot = counts_within(spots, gathered, piece_of, pieces)
        many, spot_of = spots.components(8)
        first = np.zeros(many, np.int64)
        first[spot_of] = np.arange(len(spots))
        inside = gathered.at(spots.row[first], spots.start[first])
        count = np.bincount(piece_of[inside[inside >= 0]], minlength=pieces)
        part = hot / np.maximum(size, 1)
        good = (part >= s.density[0]) & (part <= s.density[1]) & (count >= 3)
        kept = gathered.chosen(good[piece_of]) if pieces else gathered
        if len(intense) and len(kept):
            kept = difference(kept, intense)
        text = (
            f"three or more spots of p ≥ {s.seed:g} gathered with a radius of {s.scattered_m:g} m, "
            f"{100 * s.density[0]:g} to {100 * s.density[1]:g} % of the area hot"
        )
        rule = {"method": "scattered", "text": text, "seed": s.seed, "radius_m": s.scattered_m}
        return self._polygons(HeatClass.SCATTERED, kept, rule), kept

    def _isolated(self, small: RunMask, whole: RunMask, gathered: RunMask) -> list[Feature]:
        s = self.s
        features = []
        rows, cols, pixels, label = _centres(small)
        if not len(rows):
            return []
        covered = gathered.at(np.rint(rows).astype(np.int64), np.rint(cols).astype(np.int64)) >= 0
        near = self._has_neighbours(small, label, whole)
        for r, c, n, shut, close in zip(rows, cols, pixels, covered, near, strict=True):
            if shut:
                continue  # it is one of the spots of scattered heat
            text = f"{int(n)} pixels ({self._acres(n):.3f} ac), less than {s.smallest_ac:g} ac"
            text += f", another within {s.isolated_m:g} m" if close else ""
            rule = {"method": "isolated", "text": text, "pixels": int(n), "alone": not close}
            features.append(Feature(HeatClass.ISOLATED, self._point(r, c), rule))
        return features

    def _has_neighbours(self, small: RunMask, label: Ints, whole: RunMask) -> NDArray[np.bool_]:
        """Tell of each small piece whether another piece lies within the distance."""
        reach = dilated(whole, self._px(self.s.isolated_m) / 2, self.progress)
        groups, group_of = reach.components(8)
        pieces, piece_of = whole.components(8)
        first = np.zeros(pieces, np.int64)
        first[piece_of] = np.arange(len(whole))
        group = group_of[reach.at(whole.row[first], whole.start[first])]
        crowd = np.bincount(group, minlength=groups)
        begin = np.zeros(int(label.max()) + 1, np.int64)
        begin[label] = np.arange(len(small))
        own = group_of[reach.at(small.row[begin], small.start[begin])]
        return np.asarray(crowd[own] > 1)

    def _possible(self, unsure: RunMask) -> list[Feature]:
        s = self.s
        rows, cols, pixels, _ = _centres(unsure)
        order = np.argsort(-pixels, kind="stable")[: s.most_points]
        if len(rows) > len(order):
            self.notes.append(
                f"Of {len(rows)} possible sources the {len(order)} largest are listed."
            )
        features = []
        for r, c, n in zip(rows[order], cols[order], pixels[order], strict=True):
            text = f"p between {s.grow:g} and {s.seed:g} over {int(n)} pixels, nowhere surer"
            rule = {"method": "possible", "text": text, "pixels": int(n)}
            features.append(Feature(HeatClass.POSSIBLE, self._point(r, c), rule))
        return features

    def _no_data(self, nodata: RunMask) -> list[Feature]:
        if not len(nodata):
            return []
        rule = {"method": "no data", "text": "pixels without a value"}
        return self._polygons(HeatClass.NO_DATA, nodata, rule)

    def _polygons(self, heat: HeatClass, mask: RunMask, rule: Mapping[str, Any]) -> list[Feature]:
        smallest = self.s.smallest_ac * SQUARE_METRES_PER_ACRE / self.pixel_m2
        pieces, piece_of = mask.components(8)
        size = np.bincount(piece_of, weights=mask.lengths, minlength=pieces)
        kept = mask.chosen((size >= smallest)[piece_of]) if pieces else mask
        shape, _ = self._outlines(kept)
        return [] if shape is None else [Feature(heat, shape, rule)]

    def _band(self, masks: _Masks, line: Any) -> tuple[tuple[Any, Any], tuple[float, float]]:
        """Contours of p ≥ grow, seeded or not, and of p ≥ high, closed like the line."""
        contours = []
        for mask in (masks.grow, masks.high):
            whole = closed(mask, self._px(self.s.closing_m), self.progress)
            smallest = self.s.smallest_ac * SQUARE_METRES_PER_ACRE / self.pixel_m2
            pieces, piece_of = whole.components(8)
            size = np.bincount(piece_of, weights=whole.lengths, minlength=pieces)
            keep = (size >= smallest)[piece_of] if pieces else np.zeros(0, bool)
            contours.append(self._outlines(whole.chosen(keep))[0] or shapely.MultiPolygon())
        outer, inner = contours
        sizes = [
            0.0 if g.is_empty else acreage(g, self.source.crs, self.source.crs).gross_ac
            for g in (inner, outer)
        ]
        return (outer, inner), (sizes[0], sizes[1])

    def _point(self, row: float, col: float) -> Any:
        a, b, c, d, e, f = self.source.affine
        x, y = float(col) + 0.5, float(row) + 0.5
        return shapely.Point(a * x + b * y + c, d * x + e * y + f)


def _centres(
    mask: RunMask,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], Ints]:
    """Return row, column and pixels of each 8-connected piece, and the piece of each run."""
    pieces, label = mask.components(8)
    if not pieces:
        none = np.zeros(0)
        return none, none, none, label
    n = mask.lengths.astype(float)
    size = np.bincount(label, weights=n, minlength=pieces)
    rows = np.bincount(label, weights=n * mask.row, minlength=pieces) / size
    middle = (mask.start + mask.stop - 1) / 2
    cols = np.bincount(label, weights=n * middle, minlength=pieces) / size
    return rows, cols, np.asarray(size, np.float64), label


def joined(polygons: NDArray[Any]) -> Any:
    """Return one valid (multi)polygon of pieces that do not overlap, exteriors anti-clockwise."""
    shape = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons.tolist())
    if not shape.is_valid:  # pieces simplified one by one may have come to overlap
        shape = shapely.union_all(shapely.make_valid(polygons))
    return shapely.orient_polygons(shape)
