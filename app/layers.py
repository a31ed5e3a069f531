"""The one place where overlays become napari layers, and layers become overlays again.

Layers lie in scene pixels with a scale in metres or µm, so that the scale bar
is right; colours come from the shared palettes, so that screen, legend and
export agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.followed import Followed
from app.frames import Frame
from app.heatmap_layers import line_layers, put_lines
from app.map_levels import MapSource, large, levels, put_values
from app.overlay_looks import (
    LINE,
    colormap_name,
    colors_of,
    continuous,
    direct_colors,
    faded,
    fades,
    later,
    limits,
    picture,
    plane,
)
from backends.errors import BadInput
from backends.overlays import (
    ClassMap,
    ClusterField,
    ConceptMaps,
    GraphOverlay,
    Heatmap,
    MatrixField,
    Overlay,
    Perimeter,
    Perimeters,
    Provenance,
    ScoreMap,
)

META = "clearband"
# Colours of a map that fades, as they were made last.
COLORS = "clearband colours"
# A dashed outline is drawn as this many strokes at most: more would make drawing slow.
MOST_DASHES = 400
OPACITY = {"ClassMap": 0.7, "ScoreMap": 0.75, "Heatmap": 0.65, "ConceptMaps": 0.65}


def to_layers(overlay: Overlay, frame: Frame, *, choice: int = 0) -> list[Any]:
    """Return the napari layers of an overlay, lowest first; none for what only docks show.

    Parameters
    ----------
    overlay : Overlay
    frame : Frame
        Of the scene it lies on.
    choice : int
        Which of several maps, for concept maps.
    """
    for kind in type(overlay).__mro__:
        make = _MAKERS.get(kind)
        if make is not None:
            layers = make(overlay, frame, choice)
            for layer in layers:
                layer.metadata[META] = {"overlay": overlay, "choice": choice}
                layer.opacity = OPACITY.get(overlay.kind, 1.0)
            return layers
    return []


def update_layers(layers: list[Any], overlay: Overlay, choice: int = 0) -> bool:
    """Put a newer state of an overlay into its layers; False where they must be made anew.

    Lines that a heatmap asks for since are `further_layers`; what is `later` comes by `put_colors`.
    """
    if not layers or (len(layers) > 1 and not isinstance(overlay, Heatmap)):
        return False
    layer = layers[0]
    before = layer.metadata[META]["overlay"]
    if type(before) is not type(overlay) or before.placement != overlay.placement:
        return False
    if isinstance(overlay, ClassMap):
        same = dict(before.class_names) == dict(overlay.class_names)
        if not same or before.fade != overlay.fade:
            return False
        if not later(overlay):
            layer.data = picture(overlay)
    elif isinstance(overlay, (ScoreMap, ConceptMaps)):
        values = plane(overlay, choice)
        low, high = limits(overlay, choice)
        if layer.multiscale != large(values):
            return False
        known = layer.metadata[META]
        # What is still being made may have changed in place.
        made = not (before.partial or overlay.partial)
        if not made or plane(before, known["choice"]) is not values:
            put_values(layer, values)
        if not (overlay.partial and _near(layer.contrast_limits, (low, high))):
            old_low, old_high = layer.contrast_limits_range
            layer.contrast_limits_range = (min(old_low, low), max(old_high, high))
            layer.contrast_limits = (low, high)
        wanted = continuous(colormap_name(overlay), fades(overlay))
        if layer.colormap.name != wanted.name:
            layer.colormap = wanted
        if isinstance(overlay, Heatmap):
            put_lines(layers[1:], overlay)
    elif isinstance(overlay, GraphOverlay) and len(before.edges) and len(overlay.edges):
        layer.data = _hops(overlay)
    elif isinstance(overlay, GraphOverlay) and not len(before.edges) and not len(overlay.edges):
        layer.data = overlay.nodes  # a point that moves keeps its layer
    else:
        return False
    layer.name = overlay.title
    for layer in layers:
        layer.metadata[META] = {"overlay": overlay, "choice": choice}
    return True


def put_colors(layer: Any, colors: NDArray[np.uint8], part: float | None = None) -> None:
    """Give the layer of a map that fades its colours, made elsewhere; swiped only a part.

    Parameters
    ----------
    colors : array of shape (rows, cols, 4)
    part : float, optional
        Of its width.
    """
    layer.metadata[COLORS] = colors
    cols = colors.shape[1]
    keep = cols if part is None else min(cols, max(1, round(part * cols)))
    layer.data = colors[:, :keep]


def further_layers(layers: list[Any], overlay: Overlay, frame: Frame) -> list[Any]:
    """Return layers that an overlay needs by now besides those it has."""
    if not isinstance(overlay, Heatmap):
        return []
    made = line_layers(overlay, frame, besides=layers)
    for layer in made:
        layer.metadata[META] = dict(layers[0].metadata[META])
        layer.opacity = layers[0].opacity
    return made


def from_layer(
    layer: Any, scene_id: str, frame: Frame, provenance: Provenance | None = None
) -> Overlay:
    """Return the overlay that a layer shows, with what was changed in it by hand.

    Parameters
    ----------
    provenance : Provenance, optional
        For a layer that was not made from an overlay; default says "drawn by hand".

    Raises
    ------
    BadInput
        A kind of layer that nothing is made of.
    """
    known = layer.metadata.get(META, {}).get("overlay")
    origin = provenance or Provenance(method="by hand")
    name = type(layer).__name__
    if isinstance(known, ClassMap) and not known.fade:
        return replace(known, labels=np.asarray(layer.data), title=layer.name)
    if isinstance(known, Perimeters) and not known.draft and name == "Shapes":
        return replace(known, perimeters=_rings_back(layer, known), title=layer.name)
    if isinstance(known, Overlay):
        return replace(known, title=layer.name)
    if name == "Labels":
        labels = np.asarray(layer.data)
        values = [int(v) for v in np.unique(labels) if v != 0]
        names = {value: f"Class {value}" for value in values}
        return ClassMap(layer.name, scene_id, origin, labels=labels, class_names=names)
    if name == "Image" and not layer.rgb and np.ndim(layer.data) == 2:
        values = np.asarray(layer.data, np.float32)
        return ScoreMap(layer.name, scene_id, origin, values=values)
    if name == "Shapes":
        polygons = [
            data
            for data, kind in zip(layer.data, layer.shape_type, strict=True)
            if kind in ("polygon", "rectangle") and len(data) >= 3
        ]
        rings = tuple(Perimeter(_to_pixels(layer, ring, frame)) for ring in polygons)
        return Perimeters(layer.name, scene_id, origin, perimeters=rings)
    raise BadInput(
        f"{layer.name} cannot be kept as an overlay.",
        way_out="Labels, single images and polygons can.",
    )


def _near(before: Any, now: tuple[float, float]) -> bool:
    """Tell whether limits moved by less than eyes see."""
    reach = 0.05 * (before[1] - before[0])
    return abs(before[0] - now[0]) <= reach and abs(before[1] - now[1]) <= reach


def dashes(ring: NDArray[Any], length: float) -> list[NDArray[np.float64]]:
    """Cut a closed outline into strokes of ``length`` with gaps as long, corners kept."""
    closed = np.vstack([ring, ring[:1]]).astype(np.float64)
    steps = np.hypot(*np.diff(closed, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    total = along[-1]
    if total == 0 or length <= 0:
        return []
    count = max(3, round(total / (2 * length)))
    starts = np.arange(count) * (total / count)
    out = []
    for start in starts:
        stop = min(start + total / count / 2, total)
        inside = (along > start) & (along < stop)
        at = np.concatenate([[start], along[inside], [stop]])
        out.append(np.column_stack([np.interp(at, along, closed[:, i]) for i in range(2)]))
    return out


def _class_map(overlay: ClassMap, frame: Frame, choice: int) -> list[Any]:
    from napari.layers import Image, Labels

    if overlay.fade:
        # Clear until the colours are there.
        wait = later(overlay)
        colors = np.zeros((*overlay.labels.shape, 4), np.uint8) if wait else faded(overlay)
        return [Image(colors, name=overlay.title, rgb=True, **_place(overlay, frame))]
    layer = Labels(
        overlay.labels,
        name=overlay.title,
        colormap=direct_colors(colors_of(overlay)),
        **_place(overlay, frame),
    )
    layer.editable = False
    return [layer]


def _scores(overlay: ScoreMap | ConceptMaps, frame: Frame, choice: int) -> list[Any]:
    from napari.layers import Image

    data = levels(plane(overlay, choice))
    look = {
        "name": overlay.title,
        "rgb": False,
        "colormap": continuous(colormap_name(overlay), fades(overlay)),
        "contrast_limits": limits(overlay, choice),
        "blending": "translucent_no_depth",
        **_place(overlay, frame),
    }
    if isinstance(data, list):
        layer = Followed(data, pixels=MapSource(data), **look)
    else:
        layer = Image(data, multiscale=False, **look)
    layer.colorbar.position = "top_right"
    return [layer]


def _heatmap(overlay: Heatmap, frame: Frame, choice: int) -> list[Any]:
    return [*_scores(overlay, frame, choice), *line_layers(overlay, frame)]


def _perimeters(overlay: Perimeters, frame: Frame, choice: int) -> list[Any]:
    from napari.layers import Shapes

    rings = [ring for p in overlay.perimeters for ring in (p.exterior, *p.holes)]
    if not rings:
        return []
    width = _line_width(rings)
    place: dict[str, Any] = {"name": overlay.title, **_place(overlay, frame)}
    if not overlay.draft:
        layer = Shapes(rings, shape_type="polygon", edge_width=width, **place)
        layer.edge_color, layer.face_color = LINE, "transparent"
        _recolor(layer, LINE)
        return [layer]
    total = sum(float(np.hypot(*np.diff(np.vstack([r, r[:1]]), axis=0).T).sum()) for r in rings)
    length = max(4 * width, total / (2 * MOST_DASHES))
    strokes: list[NDArray[Any]] = []
    words: list[str] = []
    outer = {id(p.exterior) for p in overlay.perimeters}
    for ring in rings:
        pieces = dashes(ring, length)
        strokes += pieces
        words += ["DRAFT" if i == 0 and id(ring) in outer else "" for i in range(len(pieces))]
    if not strokes:
        return []
    layer = Shapes(
        strokes,
        shape_type="path",
        edge_width=width,
        text={"string": words, "size": 12, "color": LINE, "anchor": "center"},
        **place,
    )
    _recolor(layer, LINE)
    layer.editable = False
    return [layer]


def _graph(overlay: GraphOverlay, frame: Frame, choice: int) -> list[Any]:
    from napari.layers import Points, Vectors

    place = _place(overlay, frame)
    layers: list[Any] = []
    width = _line_width([overlay.nodes]) if len(overlay.nodes) > 1 else 1.0
    if len(overlay.edges):
        lines = Vectors(
            _hops(overlay),
            name=f"{overlay.title}: lines",
            edge_width=width if overlay.node_names else 0.3 * width,
            edge_color="#DDDDDD",
            vector_style="line",
            **place,
        )
        layers.append(lines)
    # Lines between points without names are a path: dots would only hide it.
    if len(overlay.nodes) and (overlay.node_names or not len(overlay.edges)):
        text = {"string": list(overlay.node_names), "color": "white", "size": 10}
        points = Points(
            overlay.nodes,
            name=overlay.title,
            size=4 * width,
            face_color=LINE,
            border_color="black",
            text=text if overlay.node_names else None,
            **place,
        )
        points.editable = False
        layers.append(points)
    return layers


def _hops(overlay: GraphOverlay) -> NDArray[np.float64]:
    """Return the lines of a graph as napari's vectors: start and reach, (edges, 2, 2)."""
    start = overlay.nodes[overlay.edges[:, 0]]
    return np.stack([start, overlay.nodes[overlay.edges[:, 1]] - start], axis=1)


def _nothing(overlay: Overlay, frame: Frame, choice: int) -> list[Any]:
    return []


_MAKERS: dict[type[Overlay], Callable[[Any, Frame, int], list[Any]]] = {
    ClassMap: _class_map,
    Heatmap: _heatmap,
    ScoreMap: _scores,
    ConceptMaps: _scores,
    MatrixField: _nothing,
    ClusterField: _nothing,
    Perimeters: _perimeters,
    GraphOverlay: _graph,
}


def _place(overlay: Overlay, frame: Frame) -> dict[str, Any]:
    # Outlines and graphs say their places in scene pixels already.
    p = None if isinstance(overlay, (Perimeters, GraphOverlay)) else overlay.placement
    return {"scale": frame.scale(p), "translate": frame.translate(p), "units": frame.units}


def _recolor(layer: Any, color: str) -> None:
    layer.edge_color = [color] * len(layer.data)
    layer.face_color = ["transparent"] * len(layer.data)


def _line_width(rings: list[NDArray[Any]]) -> float:
    points = np.vstack(rings)
    return max(0.75, float(np.hypot(*np.ptp(points, axis=0))) / 250)


def _rings_back(layer: Any, known: Perimeters) -> tuple[Perimeter, ...]:
    """Give outlines moved by hand back to the perimeters they came from."""
    rings = [np.asarray(ring, np.float64) for ring in layer.data]
    needed = sum(1 + len(p.holes) for p in known.perimeters)
    if len(rings) != needed:
        return tuple(Perimeter(ring) for ring in rings)
    out, at = [], 0
    for p in known.perimeters:
        holes = tuple(rings[at + 1 : at + 1 + len(p.holes)])
        out.append(replace(p, exterior=rings[at], holes=holes))
        at += 1 + len(p.holes)
    return tuple(out)


def _to_pixels(layer: Any, ring: NDArray[Any], frame: Frame) -> NDArray[np.float64]:
    """Return an outline of a layer with any scale in scene pixels."""
    world = np.asarray([layer.data_to_world(point) for point in ring])
    return np.column_stack([world[:, 0] / frame.height, world[:, 1] / frame.width])
