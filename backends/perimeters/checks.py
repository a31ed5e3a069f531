"""What must be right before a line is signed: each check passes, or is waived with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from backends.perimeters.acreage import filled, polygons_of
from backends.perimeters.beside import Detection, outside
from backends.perimeters.clock import TOLERANCE, now, parsed, stamp
from backends.perimeters.comparison import (
    NEAR_PIXELS,
    Comparison,
    compare,
    containment,
    off_the_edge,
)
from backends.perimeters.document import PerimeterDocument

_REDUCTION_AC = 0.1
# A footprint of VIIRS.
_FOOTPRINT_M = 375.0


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    id, title : str
    passed : bool
    text : str
        What was found, with the figure that decided.
    where : shapely geometry or None
        Where to look.
    """

    id: str
    title: str
    passed: bool
    text: str
    where: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"id": self.id, "title": self.title, "passed": self.passed, "text": self.text}


def run_checks(
    document: PerimeterDocument,
    *,
    comparison: Comparison | None = None,
    contained: Any = None,
    hot_points: Any = None,
    known_names: Sequence[str] = (),
) -> list[Check]:
    """Run all checks that there is material for.

    Parameters
    ----------
    comparison : Comparison, optional
        With the previous line; made here where the document has one and none is given.
    contained : shapely lines, optional
        Contained line, in the document's coordinate system; default what lies beside it.
    hot_points : shapely points, optional
        Points that should lie inside, same system; satellite detections lie beside the document.
    known_names : sequence of str
        Names of fires the incident may be confused with (other spellings of its own); that of
        yesterday's line counts, too.
    """
    line = document.perimeter
    found = [_has_line(document), _valid(document), _duplicates(document)]
    before = document.beside.previous_name
    found += _names(document, [*known_names, *([before] if before else [])])
    found += _times(document)
    if comparison is None and document.previous is not None and not line.is_empty:
        comparison = compare(line, document.previous, document.crs, document.pixel_m)
    if comparison is not None:
        found += _beside(comparison)
    contained = document.beside.contained if contained is None else contained
    if contained is not None and not line.is_empty:
        found.append(_contained(document, contained))
    if hot_points is not None:
        found.append(_hot_points(document, hot_points))
    if document.beside.detections is not None and not line.is_empty:
        found += _detections(document, document.beside.detections)
    return found


def _has_line(document: PerimeterDocument) -> Check:
    there = not document.perimeter.is_empty
    text = "There is a heat perimeter." if there else "There is no heat perimeter."
    return Check("perimeter", "There is a perimeter", there, text)


def _valid(document: PerimeterDocument) -> Check:
    bad = [f for f in document.features if not f.geometry.is_valid]
    text = "All lines are sound."
    where = None
    if bad:
        text = f"{bad[0].heat.value}: {shapely.is_valid_reason(bad[0].geometry)}."
        where = bad[0].geometry
    return Check("geometry", "Lines do not cross themselves", not bad, text, where)


def _duplicates(document: PerimeterDocument) -> Check:
    seen: dict[bytes, Any] = {}
    twins = []
    for feature in document.features:
        key = shapely.to_wkb(shapely.normalize(feature.geometry))
        if key in seen:
            twins.append(feature)
        seen[key] = feature
    text = f"{len(twins)} objects are there twice." if twins else "No object is there twice."
    where = twins[0].geometry if twins else None
    return Check("duplicates", "No object is there twice", not twins, text, where)


def _names(document: PerimeterDocument, known: Sequence[str]) -> list[Check]:
    name = str(document.attributes.get("IncidentName") or "")
    tidy = " ".join(name.split())
    found = [Check("name", "The incident has a name", bool(tidy), f"IncidentName: {name or '–'}.")]
    if tidy:
        spelled = name == tidy and name.isprintable()
        text = "No hidden spaces in the name." if spelled else f"Hidden spaces in “{name}”."
        found.append(Check("spaces", "The name has no hidden spaces", spelled, text))
        others = [n for n in known if n != name and _folded(n) == _folded(name)]
        text = "The name is spelled as before."
        if others:
            text = f"It is spelled {name} here and {others[0]} before."
        found.append(Check("spelling", "The name is spelled as before", not others, text))
    key = document.attributes.get("IRWINID") or ""
    text = f"IRWINID: {key or 'missing; names alone do not tell fires apart'}."
    found.append(Check("irwin", "The incident has its IRWIN ID", bool(key), text))
    return found


def _folded(name: str) -> str:
    return "".join(name.split()).casefold()


def _times(document: PerimeterDocument) -> list[Check]:
    if not document.image_utc:
        return [
            Check("time", "The time of the image is known", False, "It isn't known when it was.")
        ]
    when = parsed(document.image_utc)
    late = when > now() + TOLERANCE
    text = f"The image was taken {stamp(when)}" + (", which is in the future." if late else ".")
    return [Check("time", "The time of the image is known", not late, text)]


def _beside(c: Comparison) -> list[Check]:
    shrinks = c.reduction_ac > _REDUCTION_AC
    shift = c.shift
    moved = "The line is not shifted"
    if shift.is_shifted:
        moved = f"The line lies {shift.length_m:.0f} m off ({shift.dx_m:+.1f} east, "
        moved += f"{shift.dy_m:+.1f} north)"
    share = f"; {100 * shift.on_line:.0f} % of it lie on the previous one."
    where = None if c.reduction.is_empty else c.reduction
    smaller = c.new_ac < c.previous_ac - 1e-6
    return [
        Check(
            "reduction", "The fire does not shrink", not shrinks,
            f"{c.reduction_ac:.1f} ac of the previous perimeter are outside.", where,
        ),
        Check("shift", "The layer is not shifted", not shift.is_shifted, moved + share),
        Check(
            "area", "The area does not fall", not smaller,
            f"{c.previous_ac:,.1f} ac before, {c.new_ac:,.1f} ac now.",
        ),
    ]  # fmt: skip


def _hot_points(document: PerimeterDocument, points: Any) -> Check:
    # A detection is a footprint of some hundred metres, not a point.
    near = document.perimeter.buffer(_FOOTPRINT_M)
    shapely.prepare(near)
    parts = shapely.get_parts(points)
    outside = parts[~shapely.covers(near, parts)]
    return Check(
        "detections", "Satellite detections lie inside", not len(outside),
        f"{len(outside)} of {len(parts)} detections lie more than 375 m outside the line.",
        None if not len(outside) else shapely.multipoints(outside),
    )  # fmt: skip


def _contained(document: PerimeterDocument, contained: Any) -> Check:
    line = document.perimeter
    near = NEAR_PIXELS * document.pixel_m
    off = off_the_edge(line, contained, near)
    share, _, _ = containment(line, contained, near)
    lies = off <= document.pixel_m
    edge = filled(line).boundary.buffer(near)
    return Check(
        "contained line", "Contained line lies on the edge", lies,
        f"{off:.0f} m of contained line lie off the edge; {100 * share:.0f} % of the outer line "
        "is contained.",
        None if lies else contained.difference(edge),
    )  # fmt: skip


def _detections(document: PerimeterDocument, detections: Sequence[Detection]) -> list[Check]:
    """Compare with satellite detections: what lies outside, and what nobody saw burn."""
    line, name = document.perimeter, document.beside.detections_label
    title, quiet = "Satellite detections lie inside", "Every piece was seen burning"
    now_ = [d for d in detections if d.is_of(document.image_utc)]
    if not now_:
        near = f"{len(detections)} near the line, none within 24 h of the image"
        said = near if detections else "none near the line"
        return [Check("detections", title, False, f"{name} has {said}.")]
    off, sure = outside(line, now_)
    low = len(now_) - len(sure)
    text = f"{len(off)} of {len(sure)} detections lie outside the line"
    text += f"; {low} of low confidence were left out." if low else "."
    where = shapely.union_all([d.footprint for d in off]) if off else None
    seen = shapely.union_all([d.footprint for d in now_]).buffer(_FOOTPRINT_M)
    shapely.prepare(seen)
    pieces = polygons_of(line)
    cold = [p for p in pieces if not seen.intersects(p)]
    edge = filled(line).boundary
    alone = edge.difference(seen).length / edge.length if edge.length else 0.0
    said = f"{len(cold)} of {len(pieces)} pieces have no detection within {_FOOTPRINT_M:.0f} m; "
    said += f"{100 * alone:.0f} % of the outer line has none so near."
    return [
        Check("detections", title, not off, text, where),
        Check("undetected", quiet, not cold, said, shapely.union_all(cold) if cold else None),
    ]
