"""Heatmaps as files: GeoTIFF, NPY, a picture over the image with true values, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import colorize
from backends.composite import default_recipe, single_band, stretch_limits
from backends.explain.heatmaps import Found
from backends.explain.trust_card import TrustCard
from backends.explain.trust_words import in_short
from backends.io.writers.atomic import replacing, write_text
from backends.io.writers.page import ColorBar, PageParts, compose
from backends.io.writers.placing import north, pixel_width
from backends.io.writers.png import write_png
from backends.io.writers.tags import SOFTWARE, provenance_json
from backends.jobs import Progress
from backends.overlays import Heatmap, Overlay, Placement
from backends.scene import Scene, Window

PICTURE_SIDE = 2048
# A map is drawn as strong as this at its highest value, and fades to nothing at nought;
# the picture under it keeps a little of its colour, so that it cannot be taken for the map's.
STRONGEST = 0.85
_COLOUR_KEPT = 0.2


def write_found(
    found: Found, scene: Scene, folder: Path, stem: str, card: TrustCard | None = None
) -> tuple[list[Path], Any]:
    """Write one explanation: ``_map.tif``, ``_map.npy``, ``_overlay.png`` and ``.json``.

    The GeoTIFF holds the map on the pixels that were looked at, the array the raw map in
    the network's own grid (and ``_parts.npy`` those of its parts); where both lie is in the
    JSON.

    Returns
    -------
    list of Path, and what the JSON says

    Raises
    ------
    BadInput
        A file cannot be written.
    """
    written = _write_map(found.heatmap, found.explanation.values, scene, folder, stem)
    if found.explanation.parts is not None:
        path = folder / f"{stem}_parts.npy"
        _write_npy(path, found.explanation.parts)
        written.insert(2, path)
    background = scene_picture(scene, found.window, found.level, _slice_of(found))
    path = folder / f"{stem}_overlay.png"
    _write_page(background, found.heatmap, scene, path, lines_of(found, card))
    about = about_found(found)
    json_path = folder / f"{stem}.json"
    about["written"] = [p.name for p in (*written, path, json_path)]
    write_text(json_path, json.dumps(about, indent=1, ensure_ascii=False, default=str) + "\n")
    return [*written, path, json_path], about


def write_region(
    heatmap: Heatmap, scene: Scene, window: Window, level: int, folder: Path, stem: str
) -> tuple[list[Path], Any]:
    """Write the map of a region that was explained in tiles; files as in `write_found`."""
    written = _write_map(heatmap, heatmap.values, scene, folder, stem)
    path = folder / f"{stem}_overlay.png"
    background = scene_picture(scene, window, level)
    _write_page(background, heatmap, scene, path, _origin(heatmap))
    about: dict[str, Any] = {
        "title": heatmap.title,
        "target": heatmap.target,
        "placement": _place(heatmap.placement),
        "shape": list(heatmap.values.shape),
        "trust": dict(heatmap.trust) or "not assessed",
        "provenance": heatmap.provenance.to_dict(),
    }
    json_path = folder / f"{stem}.json"
    about["written"] = [p.name for p in (*written, path, json_path)]
    write_text(json_path, json.dumps(about, indent=1, ensure_ascii=False, default=str) + "\n")
    return [*written, path, json_path], about


def write_volume(
    maps: Overlay,
    found: Sequence[Found],
    scene: Scene,
    folder: Path,
    stem: str,
    cards: Sequence[TrustCard] = (),
) -> tuple[list[Path], Any]:
    """Write the maps of a volume: one GeoTIFF, a band a slice; arrays and pictures a slice."""
    from backends.export import export

    tiff = export(maps, folder / f"{stem}_map.tif", scene=scene)
    npy = folder / f"{stem}_map.npy"
    _write_npy(npy, np.stack([f.explanation.values for f in found]))
    written, abouts = [tiff, npy], []
    for index, one in enumerate(found):
        card = cards[index] if cards else None
        number = one.heatmap.provenance.parameters["bands"][0] + 1
        path = folder / f"{stem}_slice{number:04d}_overlay.png"
        background = scene_picture(scene, one.window, one.level, _slice_of(one))
        _write_page(background, one.heatmap, scene, path, lines_of(one, card))
        written.append(path)
        abouts.append({"slice": number, **about_found(one)})
    json_path = folder / f"{stem}.json"
    about = {"title": maps.title, "slices": abouts}
    write_text(json_path, json.dumps(about, indent=1, ensure_ascii=False, default=str) + "\n")
    return [*written, json_path], about


def about_found(found: Found) -> dict[str, Any]:
    """Return everything about an explanation but its pixels, as plain values."""
    made = found.explanation
    return {
        "title": found.heatmap.title,
        "target": made.target.name,
        "target_index": made.target.index,
        "score": made.score,
        "probability": made.probability,
        "top": [{"index": i, "name": n, "probability": p} for i, n, p in found.top],
        "states": [{"id": s.id, "sentence": s.sentence, "fails": s.fails} for s in made.states],
        "trust": dict(found.heatmap.trust) or "not assessed",
        "layer": made.layer.name if made.layer else None,
        "layer_reason": made.layer.reason if made.layer else None,
        "grid": {"shape": list(made.values.shape), "placement": _place(found.native)},
        "image": {
            "shape": list(found.heatmap.values.shape),
            "placement": _place(found.heatmap.placement),
        },
        "parts": list(made.part_names),
        "provenance": found.heatmap.provenance.to_dict(),
    }


def lines_of(found: Found, card: TrustCard | None = None) -> list[str]:
    """Return the small print under a picture: what the network says, states, origin."""
    made = found.explanation
    likely = ", ".join(f"{n.split(',')[0]} {100 * p:.1f} %" for _, n, p in found.top[:3])
    said = f"The network says: {likely}. Explained: {made.target.name.split(',')[0]}, "
    trust = "not assessed" if card is None else in_short(card)
    said += f"score {made.score:.4g}. Trust: {trust}."
    return [said, *_origin(found.heatmap)]


def scene_picture(
    scene: Scene, window: Window, level: int, slice_number: int | None = None
) -> NDArray[np.uint8]:
    """Return a window of a level as a picture, every n-th pixel of a large one."""
    recipe = default_recipe(scene)
    if slice_number is not None:
        limits = next(iter(scene.info.windows.values()), None)
        given = None if limits is None else (limits,)
        recipe = single_band(scene, slice_number, limits=given)
    limits_ = stretch_limits(scene, recipe)
    step = max(1, -(-max(window.height, window.width) // PICTURE_SIDE))
    strip = max(step, (1 << 22) // max(1, window.width) // step * step)
    parts = []
    for row in range(0, window.height, strip):
        part = Window(window.row + row, window.col, min(strip, window.height - row), window.width)
        values = scene.read(part, recipe.bands, level, physical=True)[::step, ::step]
        low = np.array([pair[0] for pair in limits_], np.float32)
        high = np.array([pair[1] for pair in limits_], np.float32)
        scaled = np.clip((values - low) * (255 / (high - low)), 0, 255)
        parts.append(np.nan_to_num(scaled).astype(np.uint8))
    rgb = np.concatenate(parts)
    return np.repeat(rgb, 3, 2) if rgb.shape[2] == 1 else rgb


def overlay_picture(heatmap: Heatmap, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a map over a faded picture: colour by value, the stronger the farther from nought.

    Returns
    -------
    uint8 array of shape (rows, cols, 3)
        Of the background's size.
    """
    rows, cols = background.shape[:2]
    r = (np.arange(rows) * heatmap.values.shape[0] // rows).astype(np.intp)
    c = (np.arange(cols) * heatmap.values.shape[1] // cols).astype(np.intp)
    bar = color_bar(heatmap)
    low, high = bar.limits
    out = np.empty_like(background)
    for row in range(0, rows, 256):
        now = slice(row, row + 256)
        values = heatmap.values[np.ix_(r[now], c)]
        two_sided = heatmap.centre is not None and not heatmap.view.positive
        reach = np.abs(values) / max(abs(low), abs(high)) if two_sided else values - low
        if not two_sided:
            reach = reach / (high - low)
        share = np.nan_to_num(np.clip(reach, 0, 1) * STRONGEST)[..., None]
        colors = colorize(values, bar.limits, bar.colormap).astype(np.float32)
        below = background[now].astype(np.float32)
        grey = below @ np.array([0.299, 0.587, 0.114], np.float32)
        below = grey[..., None] + (below - grey[..., None]) * _COLOUR_KEPT
        out[now] = (below + (colors - below) * share).round().astype(np.uint8)
    return out


def beside(picture: NDArray[np.uint8], overlay: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a picture and the map over it side by side, or below each other where that fits."""
    rows, cols = picture.shape[:2]
    axis = 1 if rows > 0.6 * cols else 0
    shape = (rows, max(2, cols // 100), 3) if axis else (max(2, rows // 100), cols, 3)
    gap = np.full(shape, 255, np.uint8)
    return np.concatenate((picture, gap, overlay), axis)


def color_bar(heatmap: Heatmap) -> ColorBar:
    """Return the colours of a map, and in words its true lowest and highest values.

    Colours reach to the ends, but for maps of a few extreme pixels (gradients): there they
    end at the 99.5th percentile, and it is said.
    """
    finite = heatmap.values[np.isfinite(heatmap.values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    note = f"true values {low:.4g} to {high:.4g}"
    middle = heatmap.centre or 0.0
    reach = max(abs(low - middle), abs(high - middle))
    if finite.size:
        usual = float(np.percentile(np.abs(finite - np.float32(middle)), 99.5))
        if 0 < usual < 0.4 * reach:
            reach, high = usual, min(high, middle + usual)
            note += "; colours end at 99.5 %"
    colors = heatmap.view.colors(heatmap.centre)
    if heatmap.centre is not None:
        reach = reach or 1.0
        low = middle if heatmap.view.positive else middle - reach
        return ColorBar(colors, (low, middle + reach), heatmap.unit, note)
    return ColorBar(colors, (low, high if high > low else low + 1), heatmap.unit, note)


def _write_map(
    heatmap: Heatmap, values: NDArray[Any], scene: Scene, folder: Path, stem: str
) -> list[Path]:
    from backends.export import export

    tiff = export(heatmap, folder / f"{stem}_map.tif", scene=scene)
    npy = folder / f"{stem}_map.npy"
    _write_npy(npy, values)
    return [tiff, npy]


def _write_npy(path: Path, values: NDArray[Any]) -> None:
    with replacing(path) as inner, inner.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(values, np.float32), allow_pickle=False)


def _write_page(
    background: NDArray[np.uint8], heatmap: Heatmap, scene: Scene, path: Path, lines: list[str]
) -> None:
    rgb = beside(background, overlay_picture(heatmap, background))
    cols = background.shape[1]
    size = pixel_width(scene)
    if size is not None:
        across = heatmap.values.shape[1] * heatmap.placement.col_step / cols
        size = size[0] * across, size[1]
    parts = PageParts(heatmap.title, (), color_bar(heatmap), size, north(scene), lines)
    text = {"Title": heatmap.title, "Provenance": provenance_json(heatmap.provenance)}
    write_png(compose(rgb, parts), path, text=text, progress=Progress())


def _origin(heatmap: Heatmap) -> list[str]:
    made = heatmap.provenance
    model = made.parameters.get("model_title", "")
    scene = Path(made.scene_path).name
    return [f"{scene} · {model} · {made.method} · {made.created_utc} · {SOFTWARE}", *made.notes]


def _slice_of(found: Found) -> int | None:
    bands = found.heatmap.provenance.parameters["bands"]
    is_slice = any(note.startswith("Slice ") for note in found.heatmap.provenance.notes)
    return int(bands[0]) if is_slice else None


def _place(place: Placement) -> dict[str, float]:
    return {
        "row": place.row, "col": place.col,
        "row_step": place.row_step, "col_step": place.col_step,
    }  # fmt: skip
