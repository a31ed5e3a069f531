"""The infrared log: what was flown, who looked, what was found, what was delivered.

No official form was at hand; it holds what position descriptions and tool parameters of the trade
ask for. The same facts stand as text for people and as JSON for programs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import shapely

from backends import __version__
from backends.perimeters.checks import run_checks
from backends.perimeters.clock import not_in_future, parsed, stamp
from backends.perimeters.comparison import Comparison, compare
from backends.perimeters.coordinates import WGS84, moved, name_of
from backends.perimeters.deliverables.options import DeliveryOptions
from backends.perimeters.deliverables.rows import DeliveredLine
from backends.perimeters.deliverables.shapefile import DAY
from backends.perimeters.deliverables.sheet import state_of, times_of
from backends.perimeters.heat import HeatClass
from backends.perimeters.schema import FIELDS

FORMAT = "clearband infrared log 1"


def log_facts(
    line: DeliveredLine, options: DeliveryOptions, crs: str, files: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Gather all facts of the log.

    Parameters
    ----------
    crs : str
        Of GeoPackage and shapefile.
    files : sequence of mapping
        ``name``, ``sha256``, ``bytes`` of each product.

    Raises
    ------
    BadInput
        The imagery was received in the future.
    """
    document, attributes = line.document, line.document.attributes
    received = ""
    if options.received:
        what = "The time at which the imagery was received"
        received = stamp(not_in_future(parsed(options.received, what), what))
    globe = moved(line.perimeter.geometry, line.crs, WGS84)
    compared = _compared(line)
    counts = {
        la.symbol.value: len(la.rows) for la in line.layers if isinstance(la.symbol, HeatClass)
    }
    signed = document.signature
    checks = run_checks(document, comparison=compared)
    return {
        "format": FORMAT,
        "document": document.id,
        "mark": line.mark,
        "state": document.state.value,
        "feature_status": document.state.status,
        "signature": signed.to_dict() if signed else None,
        "incident": attributes.get("IncidentName") or "",
        "irwin_id": attributes.get("IRWINID") or "",
        "local_incident_id": attributes.get("LocalIncidentID") or "",
        "imagery": {
            "file": document.image, "digest": document.image_digest, "utc": document.image_utc,
            "when": times_of(line, options), "received_utc": received,
            "platform": options.platform, "sensor": options.sensor, "pixel_m": document.pixel_m,
            "coverage": options.coverage or _coverage(line),
        },
        "interpreter": {
            k: attributes.get(k) or "" for k in ("ContactName", "ContactEmail", "ContactPhone")
        },
        "bounds_wgs84": [float(v) for v in globe.bounds],
        "acres": line.area.to_dict(),
        "interval_ac": document.origin.get("interval_ac"),
        "before": _before(line, compared),
        "objects": counts,
        "isolated": counts.get(HeatClass.ISOLATED.value, 0),
        "possible": counts.get(HeatClass.POSSIBLE.value, 0),
        "rule": dict(next(f for f in document.features if f.heat is HeatClass.PERIMETER).rule),
        "provenance": document.origin.get("provenance"),
        "notes": list(document.origin.get("notes") or ()),
        "checks": [c.to_dict() | {"waived": document.is_waived(c)} for c in checks],
        "waivers": [w.to_dict() for w in document.waivers.values()],
        "edits": _edits(line),
        "trail_head": document.trail.head,
        "crs": {"document": name_of(line.crs), "products": name_of(crs), "geojson_kmz": WGS84},
        "shapefile_names": {f.name: f.short for f in FIELDS} | {"PolygonDateTime (day)": DAY},
        "limitations": options.limitations,
        "software": f"Clearband {__version__}",
        "made_utc": line.made,
        "files": [dict(f) for f in files],
    }  # fmt: skip


def log_text(facts: Mapping[str, Any], line: DeliveredLine) -> str:
    """Return the log for people."""
    imagery, before = facts["imagery"], facts["before"]
    head = f"*** {facts['mark']} ***\n" if facts["mark"] else ""
    contact = ", ".join(v for v in facts["interpreter"].values() if v)
    rows: dict[str, str] = {
        "Incident": facts["incident"],
        "IRWIN ID": facts["irwin_id"],
        "Local incident number": facts["local_incident_id"],
        "State": state_of(line),
        "FeatureStatus": facts["feature_status"],
        "Imagery taken": imagery["when"],
        "Imagery received": imagery["received_utc"],
        "Platform and sensor": f"{imagery['platform']} {imagery['sensor']}".strip(),
        "Image": f"{imagery['file']}  {imagery['digest']}".strip(),
        "Interpreter": contact,
        "Cloud and coverage": imagery["coverage"],
        "Interpreted acres": line.area.text(),
        "How acres were found": line.area.method,
        "Interval": _interval(facts["interval_ac"]),
        "Previous acres": f"{before['acres']:,.1f} ac ({before['label']})" if before else "",
        "Growth": f"{before['growth_ac']:,.1f} ac" if before else "",
        "Reduction": f"{before['reduction_ac']:,.1f} ac" if before else "",
        "Isolated heat sources": str(facts["isolated"]),
        "Possible heat sources": str(facts["possible"]),
        "How the line was drawn": str(facts["rule"].get("text") or facts["rule"].get("method")),
        "Coordinate systems": f"{facts['crs']['products']}; GeoJSON and KMZ in WGS 84 degrees",
        "Edits": "; ".join(f"{k}: {v}" for k, v in facts["edits"].items()),
        "Audit trail ends in": facts["trail_head"],
        "Limitations": facts["limitations"],
        "Software": facts["software"],
        "Made": facts["made_utc"],
    }
    parts = [f"{head}INFRARED LOG", "", *(f"{k}: {v or 'not given'}" for k, v in rows.items())]
    parts += ["", "Checks", *(_check(c) for c in facts["checks"])]
    for waiver in facts["waivers"]:
        parts.append(f"  {waiver['check']} waived by {waiver['who']}: {waiver['reason']}")
    parts += ["", "Notes", *(f"  {n}" for n in facts["notes"] or ["none"])]
    parts += ["", "Files", *(f"  {f['sha256']}  {f['name']}" for f in facts["files"])]
    names = facts["shapefile_names"].items()
    parts += ["", "Names of attributes in the shapefile", *(f"  {k}: {v}" for k, v in names)]
    parts += [f"  Times are text in UTC; {DAY} is the day of the perimeter."]
    return "\n".join(parts) + "\n"


def _check(check: Mapping[str, Any]) -> str:
    word = "ok" if check["passed"] else ("waived" if check["waived"] else "OPEN")
    return f"  {word:6} {check['title']}: {check['text']}"


def _interval(values: Sequence[float] | None) -> str:
    if not values or values[0] == values[1]:  # rules know no probability
        return ""
    return f"{values[0]:,.1f} to {values[1]:,.1f} ac by the model's certainty, of the draft"


def _coverage(line: DeliveredLine) -> str:
    gaps = [r for la in line.layers if la.symbol is HeatClass.NO_DATA for r in la.rows]
    if not gaps:
        return "no gap in the imagery is drawn"
    near = sum(shapely.distance(r.geometry, line.perimeter.geometry) == 0 for r in gaps)
    return f"{len(gaps)} areas without data, {near} of them touch the perimeter"


def _compared(line: DeliveredLine) -> Comparison | None:
    document = line.document
    if document.previous is None or document.previous.is_empty:
        return None
    return compare(document.perimeter, document.previous, document.crs, document.pixel_m)


def _before(line: DeliveredLine, found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "label": line.document.previous_label, "acres": found.previous_ac,
        "growth_ac": found.growth_ac, "reduction_ac": found.reduction_ac,
        "shifted": found.shift.is_shifted,
    }  # fmt: skip


def _edits(line: DeliveredLine) -> dict[str, int]:
    return dict(Counter(f"{e.action} by {e.who or 'unknown'}" for e in line.document.trail.entries))
