"""What every exported file says about itself: where it comes from, as plain text tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backends import __version__
from backends.overlays import Overlay, Provenance

PREFIX = "CLEARBAND_"
SOFTWARE = f"Clearband {__version__}"


def provenance_json(provenance: Provenance) -> str:
    """Return the provenance as one line of JSON."""
    return json.dumps(provenance.to_dict(), ensure_ascii=False, default=str)


def provenance_tags(overlay: Overlay) -> dict[str, str]:
    """Return tags for a raster: the main facts by name, and all of it as JSON."""
    made_by = overlay.provenance
    tags = {
        f"{PREFIX}KIND": overlay.kind,
        f"{PREFIX}TITLE": overlay.title,
        f"{PREFIX}METHOD": f"{made_by.method} {made_by.version}".strip(),
        f"{PREFIX}SCENE": made_by.scene_path,
        f"{PREFIX}COMMAND": made_by.command,
        f"{PREFIX}PROVENANCE": provenance_json(made_by),
    }
    if overlay.partial:
        tags[f"{PREFIX}PARTIAL"] = "yes"
    return {name: value for name, value in tags.items() if value}


def provenance_lines(provenance: Provenance) -> list[tuple[str, str]]:
    """Return the provenance as name and value for people, empty entries left out."""
    rows: list[tuple[str, Any]] = [
        ("Method", f"{provenance.method} {provenance.version}".strip()),
        ("Weights (SHA-256)", provenance.weights_digest),
        ("Scene", provenance.scene_path),
        ("Scene digest", provenance.scene_digest),
        ("Region", provenance.region),
        ("Device", provenance.device),
        ("Time taken", f"{provenance.seconds:.1f} s" if provenance.seconds else ""),
        ("Made", provenance.created_utc),
        ("Command", provenance.command),
        ("Parameters", plain(provenance.parameters)),
        ("Software", ", ".join(f"{k} {v}" for k, v in provenance.software.items())),
    ]
    return [(name, str(value)) for name, value in rows if value]


def headline(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the single figures as name and value for people; tables are left out."""
    rows = []
    for name, value in figures.items():
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            text = f"{value:.4f}" if isinstance(value, float) else str(value)
            rows.append((name.replace("_", " "), text))
    return rows


def plain(values: Any) -> str:
    """Return nested plain values as one readable line."""
    if isinstance(values, Mapping):
        return ", ".join(f"{name} {plain(value)}" for name, value in values.items())
    if isinstance(values, (list, tuple)):
        return " ".join(plain(value) for value in values)
    if isinstance(values, float):
        return f"{values:.6g}"
    return str(values)
