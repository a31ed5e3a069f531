"""The one place where overlays become napari layers, and layers become overlays again.

Layers lie in scene pixels with a scale in metres or µm, so that the scale bar
is right; colours come from the shared palettes, so that screen, legend and
export agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.followed import Followed
from app.frames import Frame
from app.heatmap_layers import line_layers, put_lines
from app.map_levels import MapSource, large, levels, put_values
from backends.colormaps import TWO_SIDED, table, value_limits
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
from backends.palette import class_colors

META = "clearband"
UNNAMED = "#808080"
LINE = "#E69F00"
# A dashed outline is drawn as this many strokes at most: more would make drawing slow.
MOST_DASHES = 400
LIMITS_SAMPLE = 250_000
# While a map is being made its limits are looked for in fewer values: they change again.
PARTIAL_SAMPLE = 40_000
# Of the least sure pixels of a map that fades.
FAINTEST = 0.12

KINDS = {
    "ClassMap": "class map",
    "ScoreMap": "score map",
    "Heatmap": "explanation",
    "ConceptMaps": "concepts",
    "MatrixField": "matrices",
    "ClusterField": "clusters",
    "Perimeters": "perimeter",
    "GraphOverlay": "graph",
}
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

    Lines that a heatmap asks for since are `further_layers`.
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


def picture(overlay: ClassMap) -> NDArray[Any]:
    """Return what the layer of a class map shows: its values, or colours where pixels fade."""
    return faded(overlay) if overlay.fade else np.asarray(overlay.labels)


def faded(overlay: ClassMap) -> NDArray[np.uint8]:
    """Return the colours of a class map, (rows, cols, 4): opaque where pixels are surest.

    "Surest" is the 98th percentile of the map, for the best of fifty is seldom near 1.
    """
    colors = colors_of(overlay)
    lookup = np.zeros((int(max(colors, default=0)) + 2, 4), np.uint8)
    lookup[1:] = (*bytes.fromhex(UNNAMED[1:]), 255)
    for value, color in colors.items():
        lookup[value] = (*bytes.fromhex(color[1:]), 255)
    out = lookup[np.minimum(overlay.labels, len(lookup) - 1)]
    assert overlay.confidence is not None
    sure = np.nan_to_num(np.asarray(overlay.confidence, np.float32))
    there = overlay.labels > 0
    some = sure[there][:: max(1, there.size // LIMITS_SAMPLE)]
    top = float(np.percentile(some, 98)) if some.size else 1.0
    part = np.clip(sure / max(top, 1e-6), FAINTEST, 1)
    out[..., 3] = np.where(there, np.rint(255 * part), 0)
    return out


def plane(overlay: Overlay, choice: int = 0) -> NDArray[Any]:
    """Return the numbers of a continuous overlay that are on the screen, (rows, cols)."""
    if isinstance(overlay, ConceptMaps):
        return np.asarray(overlay.values[choice], np.float32)
    assert isinstance(overlay, ScoreMap)
    return np.asarray(overlay.values, np.float32)


def limits(overlay: Overlay, choice: int = 0) -> tuple[float, float]:
    """Return the values at the ends of its colour bar."""
    if isinstance(overlay, ConceptMaps) and overlay.tops:
        return 0.0, max(overlay.tops[choice], 1e-6)
    centre = overlay.centre if isinstance(overlay, ScoreMap) else None
    sample = PARTIAL_SAMPLE if overlay.partial else LIMITS_SAMPLE
    given = overlay.view.limits if isinstance(overlay, Heatmap) else None
    low, high = given or value_limits(plane(overlay, choice), centre, sample=sample)
    if isinstance(overlay, Heatmap) and overlay.view.positive and centre is not None:
        return centre, max(high, centre + 1e-6)
    return low, high


def _near(before: Any, now: tuple[float, float]) -> bool:
    """Tell whether limits moved by less than eyes see."""
    reach = 0.05 * (before[1] - before[0])
    return abs(before[0] - now[0]) <= reach and abs(before[1] - now[1]) <= reach


def colormap_name(overlay: Overlay) -> str:
    """Return the colour map of a continuous overlay, a name in `backends.colormaps`."""
    if isinstance(overlay, Heatmap):
        return overlay.view.colors(overlay.centre)
    if isinstance(overlay, ScoreMap) and overlay.centre is not None:
        return "diverging"
    return "inferno" if isinstance(overlay, ConceptMaps) else "viridis"


def fades(overlay: Overlay) -> bool:
    """Tell whether colours are clear where the map says nothing."""
    if isinstance(overlay, ConceptMaps):
        return bool(overlay.tops)  # from nought, "not there", on
    return isinstance(overlay, Heatmap) and overlay.view.fade


def colors_of(overlay: ClassMap) -> dict[int, str]:
    """Return a colour a class."""
    return class_colors(overlay.class_names)


def swatch(overlay: Overlay) -> tuple[str, ...]:
    """Return up to four colours that stand for an overlay in a list."""
    if isinstance(overlay, ClassMap):
        return tuple(colors_of(overlay).values())[:4]
    if isinstance(overlay, (ScoreMap, ConceptMaps)):
        picked = table(colormap_name(overlay))[[20, 100, 180, 250]]
        return tuple("#{:02X}{:02X}{:02X}".format(*color) for color in picked)
    return (LINE,)


def kind_words(overlay: Overlay) -> str:
    """Return what an overlay is, for people."""
    if isinstance(overlay, Perimeters) and overlay.draft:
        return "draft perimeter"
    words = KINDS.get(overlay.kind, overlay.kind)
    if isinstance(overlay, Heatmap) and not overlay.partial:
        # No heatmap without what is known of its trust.
        return overlay.verdict
    return f"{words}, partial" if overlay.partial else words


def direct_colors(colors: dict[int, str]) -> Any:
    """Return a napari colour map of named classes; 0 is clear, unnamed values are grey."""
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={None: UNNAMED, 0: "transparent", **colors})


def continuous(name: str, fade: bool = False) -> Any:
    """Return a napari colour map with the colours that exports use.

    One object a name: napari files every new one under a further name of its own.

    Parameters
    ----------
    fade : bool
        Clear at the low end, or of two-sided colours in the middle.
    """
    return _continuous(name, fade)


@cache
def _continuous(name: str, fade: bool) -> Any:
    from napari.utils.colormaps import Colormap

    colors = table(name).astype(np.float32) / 255
    if not fade:
        return Colormap(colors, name=f"clearband {name}")
    way = np.linspace(0, 1, len(colors), dtype=np.float32)
    strength = np.abs(2 * way - 1) if name in TWO_SIDED else way
    # Rises early: also what is weakly marked is seen.
    clear = np.column_stack([colors[:, :3], np.minimum(1, 1.25 * strength**0.75)])
    return Colormap(clear, name=f"clearband {name}, clear at nought")


def provenance_text(overlay: Overlay) -> str:
    """Return where an overlay comes from, a line a fact, for a tooltip."""
    p = overlay.provenance
    lines = [overlay.title, f"Made by {p.method}" + (f" {p.version}" if p.version else "")]
    if isinstance(overlay, Heatmap):
        lines.append(f"Trust: {overlay.verdict}")
    if overlay.partial:
        lines.append("Partial: still being made")
    if p.figures:
        plain = {k: v for k, v in p.figures.items() if isinstance(v, (int, float, str))}
        lines.append(", ".join(f"{k.replace('_', ' ')} {_short(v)}" for k, v in plain.items()))
    if p.parameters:
        shown = list(p.parameters.items())[:6]
        lines.append(", ".join(f"{k} {_short(v)}" for k, v in shown))
    if p.region:
        lines.append(f"Region: {p.region}")
    if p.seconds:
        lines.append(f"{p.seconds:.1f} s on {p.device}")
    if p.created_utc:
        lines.append(f"{p.created_utc.replace('T', ' ').split('+')[0]} UTC")
    lines.extend(p.notes)
    return "\n".join(lines)


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
        return [Image(faded(overlay), name=overlay.title, rgb=True, **_place(overlay, frame))]
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


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
