"""How overlays look: the values and colours that are drawn, their limits, and their words."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import TWO_SIDED, table, value_limits
from backends.overlays import ClassMap, ConceptMaps, Heatmap, Overlay, Perimeters, ScoreMap
from backends.palette import class_colors

UNNAMED = "#808080"
LINE = "#E69F00"
LIMITS_SAMPLE = 250_000
# While a map is being made its limits are looked for in fewer values: they change again.
PARTIAL_SAMPLE = 40_000
# Of the least sure pixels of a map that fades.
FAINTEST = 0.12
# Colours of larger maps that fade are made on a worker: 2 million pixels take 35 ms.
MOST_AT_ONCE = 300_000

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


def picture(overlay: ClassMap) -> NDArray[Any]:
    """Return what the layer of a class map shows: its values, or colours where pixels fade."""
    return faded(overlay) if overlay.fade else np.asarray(overlay.labels)


def later(overlay: Overlay) -> bool:
    """Tell whether what its layer shows takes too long for the window's thread."""
    return isinstance(overlay, ClassMap) and overlay.fade and overlay.labels.size > MOST_AT_ONCE


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


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
