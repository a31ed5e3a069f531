"""The report of one result on one page: picture, legend with areas, figures, origin, limits.

Plain HTML with everything inside it, so that it can be mailed, printed and
archived; tables rather than clever layout, because the same text becomes the PDF.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.areas import ClassArea, class_areas
from backends.composite import Recipe, coarse_level, default_recipe, render
from backends.describe import describe
from backends.errors import ClearbandError
from backends.io.writers.atomic import write_text
from backends.io.writers.geotiff import overlay_shape
from backends.io.writers.page import PageParts, compose
from backends.io.writers.placing import north, pixel_width
from backends.io.writers.png import blend, encode_png, layer_parts, paint
from backends.io.writers.tags import SOFTWARE, headline, provenance_lines
from backends.jobs import Progress
from backends.overlays import (
    ClassMap,
    ClusterField,
    ConceptMaps,
    Heatmap,
    MatrixField,
    Overlay,
    Perimeters,
)
from backends.palette import to_rgb
from backends.scene import Scene

_PICTURE_SIDE = 900
_SHOWN_WIDTH = 440


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes
    ----------
    title : str
    head : sequence of str
    rows : sequence of rows of str
    colors : sequence of ``#rrggbb``
        A swatch before each row; empty for none.
    note : str
        Small print below.
    wide : bool
        Wants the whole width of the page.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    colors: Sequence[str] = ()
    note: str = ""
    wide: bool = False


@dataclass(frozen=True, eq=False)
class Report:
    """What a report says.

    Attributes
    ----------
    title, subtitle : str
    picture : uint8 array of shape (rows, cols, 3)
    warnings : sequence of str
        Shown at the top.
    figures : sequence of (name, value)
    tables : sequence of Table
    origin, scene : sequence of (name, value)
    notes : sequence of str
        When not to believe it.
    """

    title: str
    subtitle: str
    picture: NDArray[np.uint8]
    warnings: Sequence[str] = ()
    figures: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    origin: Sequence[tuple[str, str]] = ()
    scene: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = field(default=())


def build_report(
    overlay: Overlay,
    scene: Scene,
    *,
    recipe: Recipe | None = None,
    opacity: float = 0.7,
    colors: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Gather what there is to say about an overlay.

    Parameters
    ----------
    overlay : Overlay
    scene : Scene
        The overlay's.
    recipe : Recipe, optional
        How the scene is shown below the overlay; default as it opens.
    opacity : float
        Of the overlay over the scene.
    colors : mapping of int to ``#rrggbb``, optional
        Of classes.

    Raises
    ------
    ClearbandError
        The scene cannot be read.
    """
    made_by = overlay.provenance
    tables: list[Table] = []
    if isinstance(overlay, ClassMap):
        areas = class_areas(overlay, scene, colors=colors, progress=progress)
        tables.append(_class_table(areas, made_by.figures))
    if confusion := _confusion(made_by.figures, overlay):
        tables.append(confusion)
    picture = _picture(overlay, scene, recipe, opacity, colors, progress)
    warnings = ["Not finished: part of the result is missing."] if overlay.partial else []
    if isinstance(overlay, Perimeters) and overlay.draft:
        warnings.append("DRAFT: nobody has verified these outlines.")
    notes = [*made_by.notes, *scene.info.notes, *_limits(made_by.method)]
    if isinstance(overlay, Heatmap):
        if not overlay.trust:
            notes.insert(0, "How faithful this explanation is was not assessed.")
        else:
            rows = [[name.replace("_", " "), f"{v:.3f}"] for name, v in overlay.trust.items()]
            tables.append(Table("Measured trust", ["Measure", "Value"], rows))
    return Report(
        overlay.title,
        f"{scene.title} · {made_by.created_utc[:16].replace('T', ' ')} UTC",
        picture,
        warnings,
        headline(made_by.figures),
        tables,
        provenance_lines(made_by),
        list(describe(scene).lines.items()),
        list(dict.fromkeys(notes)),
    )


def to_html(report: Report) -> str:
    """Return the report as one HTML text; nothing in it is fetched or run."""
    stream = io.BytesIO()
    encode_png(report.picture, stream, text={"Title": report.title})
    picture = base64.b64encode(stream.getvalue()).decode("ascii")
    width = min(_SHOWN_WIDTH, report.picture.shape[1])
    shot = (
        f'<img alt="{escape(report.title, quote=True)}" width="{width}" '
        f'src="data:image/png;base64,{picture}">'
    )
    notes = ""
    if report.notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
        notes = f"<h2>What to know before believing it</h2><ul>{items}</ul>"
    narrow = "".join(_table(table) for table in report.tables if not table.wide)
    figures = _pairs("Figures", report.figures) if report.figures else ""
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="faint">{escape(report.subtitle)}</p>',
        *(f'<p class="warning">{escape(text)}</p>' for text in report.warnings),
        _beside(shot, narrow + figures) if narrow + figures else f"<p>{shot}</p>",
        *(_table(table) for table in report.tables if table.wide),
        notes,
        _beside(_pairs("Where it comes from", report.origin), _pairs("Scene", report.scene), "50%"),
        f'<p class="faint">Made with {escape(SOFTWARE)}.</p>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def write_html(report: Report, path: str | Path) -> Path:
    """Write the report as one HTML file."""
    write_text(path, to_html(report))
    return Path(path)


def _picture(
    overlay: Overlay,
    scene: Scene,
    recipe: Recipe | None,
    opacity: float,
    colors: Mapping[int, str] | None,
    progress: Progress | None,
) -> NDArray[np.uint8]:
    if isinstance(overlay, (ConceptMaps, MatrixField, ClusterField)) or not _has_pixels(overlay):
        background, scale = _scene_picture(scene, recipe, progress)
        size = pixel_width(scene)
        parts = PageParts(
            overlay.title,
            pixel_width=None if size is None else (size[0] * scale, size[1]),
            north=north(scene),
        )
        return compose(background, parts)
    painted = paint(overlay, colors=colors, longest=_PICTURE_SIDE, progress=progress)
    below = scene_below(overlay, scene, recipe, longest=_PICTURE_SIDE, progress=progress)
    rgb = blend(painted.rgb, painted.covered, below, opacity)
    page = layer_parts(overlay, scene, painted)
    # The classes stand in the table beside the picture.
    return compose(rgb, PageParts("", (), page.color_bar, page.pixel_width, page.north))


def scene_below(
    overlay: Overlay,
    scene: Scene,
    recipe: Recipe | None = None,
    *,
    longest: int = _PICTURE_SIDE,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """Return the part of the scene's picture that lies under an overlay's pixels.

    Returns
    -------
    uint8 array of shape (rows, cols, 3)
        Covers what the overlay covers, at most ``longest`` pixels to a side.
    """
    background, _ = _scene_picture(scene, recipe, progress)
    rows, cols = overlay_shape(overlay)
    step = max(1, -(-max(rows, cols) // longest))
    place = overlay.placement
    y = place.row + np.arange(0, rows, step) * place.row_step
    x = place.col + np.arange(0, cols, step) * place.col_step
    r = np.clip(y * background.shape[0] / scene.shape[0], 0, background.shape[0] - 1).astype(int)
    c = np.clip(x * background.shape[1] / scene.shape[1], 0, background.shape[1] - 1).astype(int)
    below: NDArray[np.uint8] = background[r[:, None], c[None, :]]
    return below


def _scene_picture(
    scene: Scene, recipe: Recipe | None, progress: Progress | None
) -> tuple[NDArray[np.uint8], float]:
    """Return a small picture of a scene, and how many scene pixels one of its pixels is."""
    level = coarse_level(scene, 4 * _PICTURE_SIDE * _PICTURE_SIDE)
    picture = render(scene, recipe or default_recipe(scene), level=level, progress=progress)
    rgb = picture.to_rgb8()
    step = max(1, -(-max(rgb.shape[:2]) // (2 * _PICTURE_SIDE)))
    return rgb[::step, ::step], picture.step[1] * step


def _has_pixels(overlay: Overlay) -> bool:
    return hasattr(overlay, "labels") or hasattr(overlay, "values")


def _class_table(areas: Sequence[ClassArea], figures: Mapping[str, Any]) -> Table:
    """Return what each class covers and, where it was measured, how sure it is."""
    measured = {c.get("value"): c for c in _classes(figures)}
    known = any(area.area_m2 is not None for area in areas)
    head = ["Class", "Pixels", "Share", *(["Area"] if known else [])]
    head += ["Found", "Right"] if measured else []
    rows = []
    for area in areas:
        row = [area.name, f"{area.pixels:,}", f"{100 * area.share:.1f} %"]
        row += [area.area_text()] if known else []
        if measured:
            of = measured.get(area.value, {})
            row += [_percent(of.get("producer_accuracy")), _percent(of.get("user_accuracy"))]
        rows.append(row)
    notes = ["Share of the pixels that have a class."]
    notes += [areas[0].method] if areas and known else []
    if measured:
        notes.append("Found: share of the class's test pixels the map has right (producer).")
        notes.append("Right: share of the map's test pixels of the class that are it (user).")
    return Table("Classes", head, rows, [a.color for a in areas], " ".join(notes))


def _confusion(figures: Mapping[str, Any], overlay: Overlay) -> Table | None:
    confusion = figures.get("confusion")
    if not isinstance(confusion, (list, tuple, np.ndarray)) or len(confusion) == 0:
        return None
    names = [str(c.get("name", "")) for c in _classes(figures)]
    if len(names) != len(confusion) and isinstance(overlay, ClassMap):
        names = list(overlay.class_names.values())
    if len(names) != len(confusion):
        names = [f"class {i + 1}" for i in range(len(confusion))]
    width = len(confusion[0])
    # Many classes go by number across the page, by name down it.
    across = names if len(names) <= 8 else [str(i + 1) for i in range(len(names))]
    down = names if len(names) <= 8 else [f"{i + 1} {name}" for i, name in enumerate(names)]
    columns = [*across, "no class"][:width]
    rows = [[name, *(str(v) for v in line)] for name, line in zip(down, confusion, strict=True)]
    return Table("Confusion: true class down, class given across", ["", *columns], rows, wide=True)


def _classes(figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    classes = figures.get("classes")
    if not isinstance(classes, (list, tuple)):
        return []
    return [c for c in classes if isinstance(c, Mapping)]


def _limits(method: str) -> tuple[str, ...]:
    """Return what the model's card warns of."""
    from backends.registry import card

    try:
        found = card(method)
    except ClearbandError:  # not a model: a method, or a file
        return ()
    marked = (found.reconstruction,) if found.reconstruction else ()
    return (*marked, *found.limits)


def _percent(value: Any) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, (int, float)) else "n/a"


def _table(table: Table) -> str:
    numeric = [' align="right"' if i else "" for i in range(len(table.head))]
    head = "".join(f"<th{a}>{escape(h)}</th>" for a, h in zip(numeric, table.head, strict=True))
    swatch = "<th></th>" if table.colors else ""
    lines = []
    for index, row in enumerate(table.rows):
        cells = "".join(_cell(cell, number=i > 0) for i, cell in enumerate(row))
        if table.colors:
            color = "#{:02x}{:02x}{:02x}".format(*to_rgb(table.colors[index]))
            cells = f'<td style="background-color:{color}">&nbsp;&nbsp;&nbsp;</td>{cells}'
        lines.append(f"<tr>{cells}</tr>")
    body = "\n".join(lines)
    note = f'<p class="faint">{escape(table.note)}</p>' if table.note else ""
    return (
        f"<h2>{escape(table.title)}</h2>\n"
        f'<table class="rows" cellspacing="0" cellpadding="2"><tr>{swatch}{head}</tr>\n'
        f"{body}</table>{note}"
    )


def _cell(text: str, *, number: bool) -> str:
    if not number:
        return f"<td>{escape(text)}</td>"
    # A number and its unit stay on one line.
    return f'<td align="right">{escape(text.replace(" ", chr(0xA0)))}</td>'


def _beside(left: str, right: str, share: str = "") -> str:
    width = f' width="{share}"' if share else ""
    return (
        '<table width="100%" cellspacing="0" cellpadding="6"><tr>'
        f'<td valign="top"{width}>{left}</td><td valign="top"{width}>{right}</td></tr></table>'
    )


def _pairs(title: str, rows: Sequence[tuple[str, str]]) -> str:
    body = "\n".join(
        f'<tr><td class="faint">{escape(name)}</td><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    return (
        f"<h2>{escape(title)}</h2>\n"
        f'<table class="rows pairs" cellspacing="0" cellpadding="2">{body}</table>'
    )


_STYLE = """
body { font-family: sans-serif; font-size: 10pt; color: #202124; max-width: 72em; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 16pt; margin-bottom: 0; }
h2 { font-size: 11pt; margin: 14pt 0 3pt 0; }
img { max-width: 100%; }
td, th { text-align: left; vertical-align: top; }
.pairs td { overflow-wrap: anywhere; }
.rows td, .rows th { border-bottom: 1px solid #dadce0; }
td[align=right], th[align=right] { text-align: right; }
.faint { color: #5f6368; }
.warning { color: #b3261e; font-weight: bold; }
@page { size: A4; margin: 15mm; }
"""
