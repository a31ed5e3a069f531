"""Overlays and the canvas as PNG, with legend, scale bar and north arrow.

The encoder writes strip by strip, so a large picture can be cancelled and
tells how far it is.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import colorize, value_limits
from backends.errors import BadInput
from backends.io.writers.atomic import replacing
from backends.io.writers.page import ColorBar, LegendEntry, PageParts, compose
from backends.io.writers.placing import north, pixel_width
from backends.io.writers.tags import SOFTWARE, headline, provenance_json
from backends.jobs import Progress
from backends.overlays import (
    ClassMap,
    ClusterField,
    ConceptMaps,
    Heatmap,
    MatrixField,
    Overlay,
    ScoreMap,
)
from backends.palette import class_colors, to_rgb
from backends.scene import Scene

LONGEST_SIDE = 4096
_STRIP_ROWS = 64
_MOST_ENTRIES = 60


@dataclass(frozen=True, eq=False)
class LayerPicture:
    """An overlay in colours.

    Attributes
    ----------
    rgb : uint8 array of shape (rows, cols, 3)
    covered : bool array of shape (rows, cols)
        Where the overlay says anything.
    step : int
        Overlay pixels a picture pixel.
    color_bar : ColorBar or None
    colors : mapping of int to ``#rrggbb``
        Of classes.
    """

    rgb: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    step: int
    color_bar: ColorBar | None
    colors: Mapping[int, str]


def paint(
    overlay: Overlay,
    *,
    colors: Mapping[int, str] | None = None,
    colormap: str | None = None,
    longest: int = LONGEST_SIDE,
    progress: Progress | None = None,
) -> LayerPicture:
    """Return an overlay in colours, every n-th pixel of one that is too large.

    A class map takes its classes' colours; numbers take viridis, an explanation
    inferno, and a map with a middle value the diverging map centred on it.

    Raises
    ------
    BadInput
        The overlay is not made of pixels, or is many maps.
    """
    values, centre, unit, chosen = _plane_of(overlay)
    step = max(1, -(-max(values.shape) // longest))
    values = values[::step, ::step]
    rows, cols = values.shape
    rgb = np.empty((rows, cols, 3), np.uint8)
    covered = np.empty((rows, cols), bool)
    bar: ColorBar | None = None
    palette: dict[int, str] = {}
    if isinstance(overlay, ClassMap):
        palette = class_colors(overlay.class_names, colors)
        lookup = _lookup(overlay, palette)
    else:
        name = colormap or ("diverging" if centre is not None else chosen)
        limits = value_limits(values, centre)
        bar = ColorBar(name, limits, unit, "stretched, 2 to 98 %")
    if progress is not None:
        progress.start(rows, "rows", f"Drawing {overlay.title}")
    for low in range(0, rows, _STRIP_ROWS):
        part = values[low : low + _STRIP_ROWS]
        rows_now = slice(low, low + part.shape[0])
        if bar is None:
            rgb[rows_now] = lookup[part]
            covered[rows_now] = part != 0
        else:
            rgb[rows_now] = colorize(part, bar.limits, bar.colormap)
            covered[rows_now] = np.isfinite(part)
        if progress is not None:
            progress.advance(part.shape[0])
    return LayerPicture(rgb, covered, step, bar, palette)


def write_layer_png(
    overlay: Overlay,
    scene: Scene,
    path: str | Path,
    *,
    background: NDArray[np.uint8] | None = None,
    opacity: float = 1.0,
    colors: Mapping[int, str] | None = None,
    colormap: str | None = None,
    values: Mapping[int, str] | None = None,
    bare: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write an overlay as PNG with legend or colour bar, scale bar, north arrow and origin.

    Parameters
    ----------
    overlay : Overlay
        Made of pixels.
    scene : Scene
    path : str or Path
    background : uint8 array of shape (rows, cols, 3), optional
        The scene's picture over the same area, any size; shows through.
    opacity : float
        Of the overlay over the background, 0 to 1.
    values : mapping of int to str, optional
        What the legend says at the right of each class, e.g. its area.
    bare : bool
        Only the pixels, nothing around them.

    Raises
    ------
    BadInput
        The overlay is not made of pixels, or the file cannot be written.
    """
    picture = paint(overlay, colors=colors, colormap=colormap, progress=progress)
    rgb = picture.rgb
    if background is not None:
        rgb = blend(rgb, picture.covered, background, opacity)
    page = rgb if bare else compose(rgb, layer_parts(overlay, scene, picture, values))
    text = {"Title": overlay.title, "Provenance": provenance_json(overlay.provenance)}
    write_png(page, path, text=text, progress=progress)
    return Path(path)


def write_canvas_png(
    rgb: NDArray[np.uint8],
    path: str | Path,
    *,
    title: str = "",
    legend: Sequence[LegendEntry] = (),
    color_bar: ColorBar | None = None,
    pixel: tuple[float, str] | None = None,
    direction: tuple[float, float] | None = None,
    lines: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """Write what the canvas shows as PNG.

    Parameters
    ----------
    rgb : uint8 array of shape (rows, cols, 3 or 4)
        The canvas as it is drawn; an alpha is dropped.
    pixel : (width, unit), optional
        Size of one canvas pixel at the zoom of the picture.
    direction : (row, col), optional
        Where north is on the canvas.
    lines : sequence of str
        Small print.
    """
    if rgb.ndim != 3 or rgb.shape[2] not in (3, 4) or 0 in rgb.shape:
        raise BadInput("The canvas shows no picture.", way_out="Open a scene first.")
    parts = PageParts(title, _shorten(legend), color_bar, pixel, direction, lines)
    page = compose(np.ascontiguousarray(rgb[:, :, :3]).astype(np.uint8), parts)
    text = {"Title": title, "Comment": "\n".join(lines)}
    write_png(page, path, text=text, progress=progress)
    return Path(path)


def layer_parts(
    overlay: Overlay,
    scene: Scene,
    picture: LayerPicture,
    values: Mapping[int, str] | None = None,
) -> PageParts:
    """Return what stands around the picture of an overlay."""
    legend: list[LegendEntry] = []
    if isinstance(overlay, ClassMap):
        legend = [
            LegendEntry(picture.colors[value], name, (values or {}).get(value, ""))
            for value, name in overlay.class_names.items()
        ]
    size = pixel_width(scene)
    if size is not None:
        size = size[0] * overlay.placement.col_step * picture.step, size[1]
    bar = picture.color_bar
    if bar is not None and isinstance(overlay, Heatmap) and overlay.target:
        bar = replace(bar, note=f"{overlay.target}; {bar.note}")
    return PageParts(
        overlay.title, _shorten(legend), bar, size, north(scene), origin_lines(overlay, scene)
    )


def origin_lines(overlay: Overlay, scene: Scene) -> list[str]:
    """Return the small print of an overlay: scene, method, quality, what to know."""
    made_by = overlay.provenance
    lines = [
        f"{scene.title} · {made_by.method} {made_by.version} · {made_by.created_utc} · {SOFTWARE}"
    ]
    if figures := headline(made_by.figures):
        lines.append(", ".join(f"{name} {value}" for name, value in figures))
    if overlay.partial:
        lines.append("Not finished: part of the result is missing.")
    return [*lines, *made_by.notes]


def blend(
    rgb: NDArray[np.uint8],
    covered: NDArray[np.bool_],
    background: NDArray[np.uint8],
    opacity: float,
) -> NDArray[np.uint8]:
    """Lay colours over a picture of the same area, which is brought to their size."""
    rows, cols = rgb.shape[:2]
    r = np.arange(rows) * background.shape[0] // rows
    c = np.arange(cols) * background.shape[1] // cols
    out = np.empty_like(rgb)
    for low in range(0, rows, _STRIP_ROWS):
        now = slice(low, low + _STRIP_ROWS)
        below = background[r[now][:, None], c[None, :], :3].astype(np.float32)
        share = np.where(covered[now], np.float32(opacity), np.float32(0))[..., None]
        out[now] = (below + (rgb[now] - below) * share).round().astype(np.uint8)
    return out


def write_png(
    rgb: NDArray[np.uint8],
    path: str | Path,
    *,
    text: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a picture as PNG, atomically, strip by strip."""
    with replacing(path) as inner, inner.open("wb") as stream:
        encode_png(rgb, stream, text=text, progress=progress)


def encode_png(
    rgb: NDArray[np.uint8],
    stream: BinaryIO,
    *,
    text: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Encode a picture as PNG (W3C PNG, third edition): colour type 2, rows filtered "Up".

    Parameters
    ----------
    rgb : uint8 array of shape (rows, cols, 3)
    text : mapping of str to str, optional
        Goes into the file as UTF-8 text.
    """
    rows, cols = rgb.shape[:2]
    stream.write(b"\x89PNG\r\n\x1a\n")
    _chunk(stream, b"IHDR", struct.pack(">IIBBBBB", cols, rows, 8, 2, 0, 0, 0))
    for key, value in {"Software": SOFTWARE, **(text or {})}.items():
        if value:
            head = key.encode("latin-1", "replace")[:79] + b"\0\0\0\0\0"
            _chunk(stream, b"iTXt", head + value.encode("utf-8"))
    if progress is not None:
        progress.start(rows, "rows", "Writing the picture")
    packer = zlib.compressobj(6)
    above = np.zeros((1, cols * 3), np.uint8)
    for low in range(0, rows, _STRIP_ROWS):
        lines = np.ascontiguousarray(rgb[low : low + _STRIP_ROWS]).reshape(-1, cols * 3)
        filtered = np.empty((len(lines), cols * 3 + 1), np.uint8)
        filtered[:, 0] = 2
        filtered[:, 1:] = lines - np.concatenate((above, lines[:-1]))  # wraps, as it should
        above = lines[-1:]
        packed = packer.compress(filtered.tobytes())
        if packed:
            _chunk(stream, b"IDAT", packed)
        if progress is not None:
            progress.advance(len(lines))
    _chunk(stream, b"IDAT", packer.flush())
    _chunk(stream, b"IEND", b"")


def _chunk(stream: BinaryIO, kind: bytes, content: bytes) -> None:
    stream.write(struct.pack(">I", len(content)) + kind + content)
    stream.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _plane_of(overlay: Overlay) -> tuple[NDArray[Any], float | None, str, str]:
    """Return the values to draw, their middle, unit and colour map."""
    if isinstance(overlay, ClassMap):
        return overlay.labels, None, "", ""
    if isinstance(overlay, ScoreMap):
        warm = isinstance(overlay, Heatmap)
        return overlay.values, overlay.centre, overlay.unit, "inferno" if warm else "viridis"
    if isinstance(overlay, (ConceptMaps, MatrixField, ClusterField)):
        raise BadInput(
            f"{overlay.title} is many maps, not one picture.",
            way_out="Lay one of its maps over the image and export that one.",
        )
    raise BadInput(f"{overlay.title} is not made of pixels and cannot be a picture of its own.")


def _lookup(overlay: ClassMap, palette: Mapping[int, str]) -> NDArray[np.uint8]:
    low, high = int(overlay.labels.min()), int(overlay.labels.max())
    if low < 0 or high > 65535:
        raise BadInput(f"{overlay.title}: class numbers must lie between 0 and 65535.")
    lookup = np.full((max([high, *palette]) + 1, 3), 128, np.uint8)
    lookup[0] = 255
    for value, color in palette.items():
        lookup[value] = to_rgb(color)
    return lookup


def _shorten(legend: Sequence[LegendEntry]) -> list[LegendEntry]:
    if len(legend) <= _MOST_ENTRIES:
        return list(legend)
    left = len(legend) - _MOST_ENTRIES + 1
    return [*legend[: _MOST_ENTRIES - 1], LegendEntry("#FFFFFF", f"and {left} more classes")]
