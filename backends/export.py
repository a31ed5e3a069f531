"""One way out for everything: the window and the command line export through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.areas import ClassArea, class_areas
from backends.composite import Recipe, default_recipe, preset_recipe
from backends.errors import BadInput, ClearbandError, WrongUse
from backends.io.writers.page import ColorBar, LegendEntry
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
from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Pin

__all__ = [
    "FORMATS",
    "CanvasShot",
    "ClassArea",
    "ExportRequest",
    "Format",
    "class_areas",
    "export",
    "export_command",
    "formats_for",
]

LARGEST_REGION = 200_000


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    id, title : str
    suffixes : tuple of str
        The usual one first.
    """

    id: str
    title: str
    suffixes: tuple[str, ...]


FORMATS = (
    Format("geotiff", "GeoTIFF", (".tif", ".tiff")),
    Format("envi", "ENVI classification", (".dat", ".hdr")),
    Format("png", "Picture (PNG)", (".png",)),
    Format("csv", "Table (CSV)", (".csv",)),
    Format("npz", "Arrays (NPZ)", (".npz",)),
    Format("sli", "ENVI spectral library", (".sli",)),
    Format("html", "Web page (HTML)", (".html", ".htm")),
)


@dataclass(frozen=True, eq=False)
class CanvasShot:
    """What the canvas shows now.

    Attributes
    ----------
    rgb : uint8 array of shape (rows, cols, 3 or 4)
    pixel : (width, unit) or None
        Of one canvas pixel, unit m, mm or µm.
    north : (row, col) or None
        Direction of north on the canvas.
    """

    rgb: NDArray[np.uint8]
    title: str = ""
    pixel: tuple[float, str] | None = None
    north: tuple[float, float] | None = None
    legend: Sequence[LegendEntry] = ()
    color_bar: ColorBar | None = None
    lines: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """What to export.

    Attributes
    ----------
    scene : Scene
    what : str
        ``"layer"``, ``"confidence"``, ``"areas"``, ``"confusion"``, ``"report"``,
        ``"spectra"`` or ``"canvas"``.
    overlay : Overlay or None
        For all but the last two.
    pins, regions : sequences
        For spectra: a pixel each, the mean of an area each.
    canvas : CanvasShot or None
    recipe : Recipe or None
        How the scene is shown below a picture; default as it opens.
    opacity : float or None
        Of the layer over the scene, in pictures. None draws no scene below the layer.
    colors : mapping of int to ``#rrggbb``
        Of classes, where the user chose others.
    """

    scene: Scene
    what: str = "layer"
    overlay: Overlay | None = None
    pins: Sequence[Pin] = ()
    regions: Sequence[Region] = ()
    canvas: CanvasShot | None = None
    recipe: Recipe | None = None
    opacity: float | None = None
    colors: Mapping[int, str] = field(default_factory=dict)


def formats_for(what: str, overlay: Overlay | None = None) -> tuple[Format, ...]:
    """Return the formats something can be exported to, best first; empty for none."""
    ids: tuple[str, ...] = {
        "confidence": ("geotiff", "png"),
        "areas": ("csv",),
        "confusion": ("csv",),
        "report": ("html",),
        "spectra": ("csv", "sli"),
        "canvas": ("png",),
    }.get(what, ())
    if what == "layer":
        if isinstance(overlay, ClassMap):
            ids = ("geotiff", "envi", "png", "csv")
        elif isinstance(overlay, (ScoreMap, Heatmap)):
            ids = ("geotiff", "png")
        elif isinstance(overlay, ConceptMaps):
            ids = ("geotiff",)
        elif isinstance(overlay, (MatrixField, ClusterField)):
            ids = ("npz", "geotiff")
    by_id = {f.id: f for f in FORMATS}
    return tuple(by_id[name] for name in ids)


def export(
    what: Overlay | ExportRequest,
    path: str | Path,
    format: str | None = None,
    *,
    scene: Scene | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write something to a file; the old file stays until the new one is complete.

    Parameters
    ----------
    what : Overlay or ExportRequest
        A bare overlay is the layer itself, on ``scene``.
    path : str or Path
    format : str, optional
        Id of one of `FORMATS`; default by the suffix of ``path``.
    scene : Scene, optional
        The overlay's, when ``what`` is an overlay.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WrongUse
        No such format, or not for this.
    BadInput
        There is nothing to write, or it cannot be written there.
    """
    if isinstance(what, Overlay):
        if scene is None:
            raise WrongUse("An overlay is exported together with its scene.")
        what = ExportRequest(scene, overlay=what)
    target = Path(path).expanduser()
    chosen = _format(format, target, what)
    if not target.suffix:
        target = target.with_suffix(chosen.suffixes[0])
    if what.what == "spectra":
        return _spectra(what, target, chosen.id, progress)
    if what.what == "canvas":
        return _canvas(what, target, progress)
    if what.overlay is None:
        raise WrongUse("There is no result to export.", way_out="Choose one of the layers.")
    return _overlay(what, what.overlay, target, chosen.id, progress)


def export_command(
    request: ExportRequest, path: str | Path, format: str, source: str | Path | None
) -> tuple[str, ...]:
    """Return the command line that does the same; empty where there is none.

    Parameters
    ----------
    source : str or Path or None
        The saved session, or the file or folder the result lies in.
    """
    if request.what == "canvas" or source is None:
        return ()
    words = ["export", str(source), "--what", request.what, "--format", format]
    if request.overlay is not None and request.what != "spectra":
        words += ["--layer", request.overlay.title]
    if request.opacity is not None:
        words += ["--opacity", f"{request.opacity:g}"]
        words += _composite(request)
    return (*words, "--out", str(path))


def _composite(request: ExportRequest) -> list[str]:
    """Return how the scene below is shown, where that is a preset other than its first picture."""
    recipe, scene = request.recipe, request.scene
    if recipe is None or recipe == default_recipe(scene):
        return []
    try:
        known = preset_recipe(scene, recipe.id) == recipe
    except ClearbandError:
        return []
    return ["--composite", recipe.id] if known else []


def _overlay(
    request: ExportRequest,
    overlay: Overlay,
    path: Path,
    format: str,
    progress: Progress | None,
) -> Path:
    from backends.io.writers import envi_classification, geotiff, npz, png, tables

    scene, colors = request.scene, request.colors
    if request.what == "confidence":
        overlay = _confidence(overlay)
    if request.what == "report":
        from backends.report import build_report, write_html

        opacity = 0.7 if request.opacity is None else request.opacity
        report = build_report(
            overlay,
            scene,
            recipe=request.recipe,
            opacity=opacity,
            colors=colors,
            progress=progress,
        )
        return write_html(report, path)
    if request.what == "confusion":
        return _confusion(overlay, path)
    if format == "csv" and isinstance(overlay, ClassMap):
        areas = class_areas(overlay, scene, colors=colors, progress=progress)
        return tables.write_class_areas(areas, path, overlay.provenance)
    if format == "geotiff":
        return geotiff.write_geotiff(overlay, scene, path, colors=colors, progress=progress)
    if format == "envi" and isinstance(overlay, ClassMap):
        return envi_classification.write_envi_classification(
            overlay, scene, path, colors=colors, progress=progress
        )
    if format == "npz" and isinstance(overlay, MatrixField):
        return npz.write_matrices(overlay, path, progress=progress)
    if format == "npz" and isinstance(overlay, ClusterField):
        return npz.write_clusters(overlay, path, progress=progress)
    if format == "png":
        values = None
        if isinstance(overlay, ClassMap):
            areas = class_areas(overlay, scene, colors=colors, progress=progress)
            values = {area.value: area.area_text() for area in areas}
        background = None
        if request.opacity is not None:
            from backends.report import scene_below

            background = scene_below(overlay, scene, request.recipe, progress=progress)
        return png.write_layer_png(
            overlay,
            scene,
            path,
            background=background,
            opacity=1.0 if request.opacity is None else request.opacity,
            colors=colors,
            values=values,
            progress=progress,
        )
    raise WrongUse(f"{overlay.title} cannot be written as {format}.")


def _confidence(overlay: Overlay) -> ScoreMap:
    if not isinstance(overlay, ClassMap) or overlay.confidence is None:
        raise BadInput(f"{overlay.title} comes without a confidence.")
    return ScoreMap(
        f"{overlay.title}, confidence",
        overlay.scene_id,
        overlay.provenance,
        placement=overlay.placement,
        partial=overlay.partial,
        values=overlay.confidence,
        unit="probability",
    )


def _confusion(overlay: Overlay, path: Path) -> Path:
    from backends.io.writers.tables import write_confusion

    figures = overlay.provenance.figures
    matrix = figures.get("confusion")
    if matrix is None:
        raise BadInput(
            f"No accuracy was measured for {overlay.title}.",
            way_out="Classify with labels that are held out for testing.",
        )
    classes: Any = figures.get("classes") or ()
    names = [str(c.get("name", "")) for c in classes if isinstance(c, Mapping)]
    if len(names) != len(matrix) and isinstance(overlay, ClassMap):
        names = list(overlay.class_names.values())
    return write_confusion(matrix, names, path, overlay.provenance)


def _spectra(request: ExportRequest, path: Path, format: str, progress: Progress | None) -> Path:
    from backends.io.writers.envi_library import write_envi_library
    from backends.io.writers.tables import NamedSpectrum, write_spectra

    scene, found = request.scene, []
    if progress is not None:
        total = len(request.pins) + len(request.regions)
        progress.start(total, "spectra", "Reading spectra")
    for pin in request.pins:
        note = f"row {pin.row}, column {pin.col}"
        found.append(NamedSpectrum(pin.name, scene.spectrum(pin.row, pin.col), note))
        if progress is not None:
            progress.advance()
    for region in request.regions:
        mask = region.mask(scene.shape[:2])
        pixels = int(mask.sum())
        if pixels == 0:
            raise BadInput(f"{region.name} holds no pixel.", way_out="Draw it larger.")
        values = scene.spectra(mask, limit=LARGEST_REGION)
        note = f"mean of {len(values):,} of {pixels:,} pixels"
        good = np.isfinite(values)
        total_value = np.where(good, values, 0).sum(axis=0, dtype=np.float64)
        count = good.sum(axis=0)
        mean = np.full(count.shape, np.nan)
        np.divide(total_value, count, out=mean, where=count > 0)
        found.append(NamedSpectrum(region.name, mean, note))
        if progress is not None:
            progress.advance()
    if format == "sli":
        return write_envi_library(found, scene.bands, path)
    return write_spectra(found, scene.bands, path, unit=scene.info.unit)


def _canvas(request: ExportRequest, path: Path, progress: Progress | None) -> Path:
    from backends.io.writers.png import write_canvas_png

    shot = request.canvas
    if shot is None:
        raise WrongUse("There is no canvas to export.", way_out="Open the window first.")
    return write_canvas_png(
        shot.rgb,
        path,
        title=shot.title,
        legend=shot.legend,
        color_bar=shot.color_bar,
        pixel=shot.pixel,
        direction=shot.north,
        lines=shot.lines,
        progress=progress,
    )


def _format(wanted: str | None, path: Path, request: ExportRequest) -> Format:
    offered = formats_for(request.what, request.overlay)
    if not offered:
        name = request.overlay.title if request.overlay else request.what
        raise WrongUse(f"{name} cannot be exported yet.", way_out="Export the canvas as a picture.")
    if wanted is None:
        wanted = next((f.id for f in FORMATS if path.suffix.lower() in f.suffixes), None)
        if wanted is None and not path.suffix:
            return offered[0]
    for known in offered:
        if known.id == wanted:
            return known
    listed = ", ".join(f.id for f in offered)
    raise WrongUse(
        f"{wanted or path.suffix} is no format for this.", way_out=f"Choose one of: {listed}."
    )
