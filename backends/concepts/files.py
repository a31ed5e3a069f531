"""The concepts of an image as files: JSON, layers (GeoTIFF, NPY), the graph (GraphML)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from backends.concepts.decided import write_decided
from backends.concepts.describing import ConceptGraph, ImageConcepts
from backends.export import export
from backends.io.writers.atomic import replacing, write_text
from backends.scene import Scene

_NODE = (("name", "string"), ("level", "string"), ("activation", "double"), ("verified", "boolean"))
_EDGE = (("strength", "double"), ("back", "double"), ("lift", "double"), ("support", "int"))


def write_concepts(
    found: ImageConcepts,
    scene: Scene,
    folder: Path,
    stem: str,
    *,
    at: tuple[int, int] | None = None,
    most: int = 12,
    decision: dict[str, Any] | None = None,
) -> tuple[list[Path], dict[str, Any]]:
    """Write what is at a place, or the strongest of the image.

    Files: ``_concepts.json``, ``_concepts.tif`` (a band a concept, on the encoder's grid),
    ``_concepts.npy`` (the same values), ``_concepts.graphml``, and ``_decision.json``.

    Parameters
    ----------
    decision : dict, optional
        A record of `decided`.

    Returns
    -------
    list of Path, and what the JSON says
    """
    folder.mkdir(parents=True, exist_ok=True)
    levels = None if at is None else found.at(*at)
    shown = found.top(most) if levels is None else sum(levels.values(), ())
    numbers = [one.concept for one in shown]
    graph = found.graph()
    about: dict[str, Any] = {
        "image": found.scene_path,
        "encoder": found.dictionary.encoder["title"],
        "quality": found.quality.to_dict(),
        "quality_sentence": found.quality.sentence,
        "grid": {"shape": list(found.grid), "placement": vars(found.placement)},
        "concepts": [one.to_dict() for one in shown],
        "graph": graph.to_dict(),
        "notes": list(found.notes),
        "command": " ".join(found.command),
    }
    if levels is not None and at is not None:
        about["at"] = {"row": at[0], "col": at[1]}
    written: list[Path] = []
    if decision is not None:
        about["decision"] = decision
        written.append(write_decided(decision, folder, stem))
    if numbers:
        maps = found.maps(numbers)
        written.append(export(maps, folder / f"{stem}_concepts.tif", scene=scene))
        path = folder / f"{stem}_concepts.npy"
        with replacing(path) as inner, inner.open("wb") as stream:
            np.save(stream, np.asarray(maps.values, np.float32), allow_pickle=False)
        written.append(path)
    path = folder / f"{stem}_concepts.graphml"
    write_text(path, graphml(graph))
    written.append(path)
    path = folder / f"{stem}_concepts.json"
    about["written"] = [p.name for p in (*written, path)]
    write_text(path, json.dumps(about, indent=1, ensure_ascii=False, default=str) + "\n")
    return [*written, path], about


def graphml(graph: ConceptGraph) -> str:
    """Return a graph as GraphML, an edge from child to parent."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>',
             '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']  # fmt: skip
    for what, keys in (("node", _NODE), ("edge", _EDGE)):
        lines += [
            f'<key id="{name}" for="{what}" attr.name="{name}" attr.type="{kind}"/>'
            for name, kind in keys
        ]
    lines.append('<graph id="concepts" edgedefault="directed">')
    for node in graph.nodes:
        inside = "".join(_data(name, getattr(node, name)) for name, _ in _NODE)
        lines.append(f"<node id={quoteattr(str(node.concept))}>{inside}</node>")
    for edge in graph.edges:
        inside = "".join(_data(name, getattr(edge, name)) for name, _ in _EDGE)
        lines.append(f'<edge source="{edge.child}" target="{edge.parent}">{inside}</edge>')
    return "\n".join([*lines, "</graph>", "</graphml>", ""])


def _data(name: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'<data key="{name}">{escape(text)}</data>'
