"""The map as a sheet: paper, frame, scale, and the panel with title, acres, legend and origin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from backends import __version__
from backends.perimeters.clock import parsed
from backends.perimeters.coordinates import name_of
from backends.perimeters.deliverables.backdrop import Below
from backends.perimeters.deliverables.geopdf import PageReference, viewport_of
from backends.perimeters.deliverables.map_frame import draw_frame, draw_symbol
from backends.perimeters.deliverables.naming import zone_of
from backends.perimeters.deliverables.options import PAGES, DeliveryOptions
from backends.perimeters.deliverables.pdf import Canvas, width_of, write_pdf
from backends.perimeters.deliverables.rows import DeliveredLine, Edge
from backends.perimeters.deliverables.symbols import GREY, RED
from backends.perimeters.heat import HeatClass

_MARGIN, _PANEL, _STRIP, _GAP = 28.0, 214.0, 206.0, 10.0
_METRES_PER_POINT = 0.0254 / 72
_SCALES = (
    500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 12_000, 15_000, 20_000, 24_000,
    30_000, 40_000, 50_000, 63_360, 80_000, 100_000, 126_720, 150_000, 200_000, 250_000, 300_000,
    400_000, 500_000, 750_000, 1_000_000,
)  # fmt: skip
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sheet:
    """Where things lie on the paper.

    Attributes
    ----------
    size : (width, height)
        Points.
    place : PageReference
        Of the frame.
    panel : (left, bottom, right, top)
    columns : int
        Of the panel.
    scale : int
        1 to this.
    """

    size: tuple[float, float]
    place: PageReference
    panel: Box
    columns: int
    scale: int


def sheet_for(line: DeliveredLine, page: str, *, mobile: bool) -> Sheet:
    """Lay out paper that suits the fire's shape, at the largest usual scale that shows it all."""
    shapes = [
        r.geometry for la in line.layers if la.symbol is not HeatClass.NO_DATA for r in la.rows
    ]
    previous = line.document.previous
    if previous is not None and not previous.is_empty:
        shapes.append(previous)
    west, south, east, north = shapely.total_bounds(shapes)
    short, long = PAGES[page]
    wide = east - west >= north - south
    width, height = (long, short) if wide else (short, long)
    low, high = _MARGIN, height - _MARGIN
    if mobile:
        frame: Box = (6.0, 6.0, width - 6.0, height - 48.0)
        panel: Box = (6.0, height - 46.0, width - 6.0, height - 4.0)
        columns = 0
    elif wide:
        frame = (_MARGIN, low, width - _MARGIN - _PANEL - _GAP, high)
        panel, columns = (width - _MARGIN - _PANEL, low, width - _MARGIN, high), 1
    else:
        frame = (_MARGIN, low + _STRIP + _GAP, width - _MARGIN, high)
        panel, columns = (_MARGIN, low, width - _MARGIN, low + _STRIP), 3
    across, up = frame[2] - frame[0], frame[3] - frame[1]
    needed = max((east - west) / across, (north - south) / up) * 1.12 / _METRES_PER_POINT
    scale = next((s for s in _SCALES if s >= needed), math.ceil(needed / 1e6) * 1_000_000)
    per_point = scale * _METRES_PER_POINT
    x, y = (west + east) / 2, (south + north) / 2
    half_x, half_y = across * per_point / 2, up * per_point / 2
    extent = (x - half_x, y - half_y, x + half_x, y + half_y)
    return Sheet((width, height), PageReference(frame, extent, line.crs), panel, columns, scale)


def write_map(
    line: DeliveredLine,
    path: Path,
    options: DeliveryOptions,
    *,
    backdrop: Below | None = None,
    mobile: bool = False,
) -> None:
    """Write the map as a georeferenced PDF of one page."""
    sheet = sheet_for(line, "letter" if mobile else options.page, mobile=mobile)
    canvas = Canvas(*sheet.size)
    picture = None if backdrop is None else backdrop.for_frame(sheet.place)
    draw_frame(canvas, line, sheet.place, with_picture=picture is not None)
    title = _title(line)
    if mobile:
        _strip(canvas, line, sheet, title, options)
    else:
        _panel(canvas, line, sheet, title, options)
    about = {
        "Title": f"{line.mark} {title}".strip(),
        "Author": line.document.signature.who if line.document.signature else "not verified",
        "Subject": f"{line.area.text()}. {line.area.method}",
        "Keywords": f"FeatureStatus {line.document.state.status}; {name_of(line.crs)}",
        "Producer": f"Clearband {__version__}",
    }
    write_pdf(path, canvas, about=about, page=viewport_of(sheet.place, title), picture=picture)


def _title(line: DeliveredLine) -> str:
    return f"{line.document.attributes.get('IncidentName') or 'Unnamed fire'}: infrared perimeter"


def times_of(line: DeliveredLine, options: DeliveryOptions) -> str:
    """Return when the imagery was taken, in UTC and in local time."""
    if not line.document.image_utc:
        return "time of the imagery not known"
    when = parsed(line.document.image_utc)
    text = f"{when:%Y-%m-%d %H:%M} UTC"
    if options.zone != "UTC":
        text += f" ({when.astimezone(zone_of(options.zone)):%Y-%m-%d %H:%M %Z})"
    return text


def state_of(line: DeliveredLine) -> str:
    """Return who answers for the line."""
    signed = line.document.signature
    if line.mark == "DRAFT" or signed is None:
        return f"DRAFT, not verified (state: {line.document.state.value}; status Proposed)"
    text = f"Verified by {signed.who} at {signed.utc}"
    return f"SUPERSEDED by a later line. {text}" if line.mark else text


def _strip(
    canvas: Canvas, line: DeliveredLine, sheet: Sheet, title: str, options: DeliveryOptions
) -> None:
    left, _, right, top = sheet.panel
    canvas.text(left + 2, top - 12, title, 12, bold=True)
    if line.mark:
        words = "DRAFT – NOT VERIFIED" if line.mark == "DRAFT" else line.mark
        canvas.text(right - 2, top - 12, words, 12, bold=True, colour=RED, align="right")
    canvas.text(left + 2, top - 24, f"{times_of(line, options)}   {line.area.text()}", 7)
    for number, words in enumerate(_wrapped(line.area.method, 6, right - left - 4, False)):
        canvas.text(left + 2, top - 33 - 7 * number, words, 6, colour=GREY)


def _panel(
    canvas: Canvas, line: DeliveredLine, sheet: Sheet, title: str, options: DeliveryOptions
) -> None:
    left, _, right, top = sheet.panel
    width = (right - left - _GAP * (sheet.columns - 1)) / sheet.columns
    writers = (_heading, _legend, _origin)
    y = top
    for number, write in enumerate(writers):
        x = left + (number if sheet.columns > 1 else 0) * (width + _GAP)
        pen = _Pen(canvas, x, top if sheet.columns > 1 else y, width)
        write(pen, line, sheet, title, options)
        y = pen.y - 12


class _Pen:
    """Writes line below line."""

    def __init__(self, canvas: Canvas, x: float, y: float, width: float) -> None:
        self.canvas, self.x, self.y, self.width = canvas, x, y, width

    def write(self, words: str, size: float = 8.0, *, bold: bool = False, **style: Any) -> None:
        """Write words, broken where the column ends."""
        for part in _wrapped(words, size, self.width, bold):
            self.y -= size * 1.25
            self.canvas.text(self.x, self.y, part, size, bold=bold, **style)

    def space(self, amount: float = 5.0) -> None:
        """Leave some room."""
        self.y -= amount


def _heading(
    pen: _Pen, line: DeliveredLine, sheet: Sheet, title: str, options: DeliveryOptions
) -> None:
    if line.mark:
        pen.canvas.rectangle(pen.x, pen.y - 22, pen.width, 22, RED)
        words = "DRAFT – NOT VERIFIED" if line.mark == "DRAFT" else "SUPERSEDED"
        middle = pen.x + pen.width / 2
        pen.canvas.text(
            middle, pen.y - 16, words, 13, bold=True, colour=(255, 255, 255), align="middle"
        )
        pen.space(28)
    pen.write(title, 15, bold=True)
    pen.write(times_of(line, options), 9)
    pen.space()
    area = line.area
    pen.write(f"{area.gross_ac:,.1f} acres", 17, bold=True, colour=RED)
    pen.write(f"geodesic, islands included; {area.net_ac:,.1f} ac without {area.islands_text}")
    pen.write(f"planar {area.planar_gross_ac:,.1f} ac ({area.planar_net_ac:,.1f} ac without)")
    interval = line.document.origin.get("interval_ac")
    if interval and interval[0] != interval[1]:  # rules know no probability
        pen.write(
            f"the draft lay between {interval[0]:,.1f} and {interval[1]:,.1f} ac by the model's "
            "certainty"
        )
    pen.write(area.method, 6, colour=GREY)


def _legend(
    pen: _Pen, line: DeliveredLine, sheet: Sheet, title: str, options: DeliveryOptions
) -> None:
    pen.write("Legend", 9, bold=True)
    pen.space(3)
    counts = {la.symbol: len(la.rows) for la in line.layers}
    entries: list[tuple[HeatClass | Edge | str, str]] = [
        (heat, heat.value + (f" ({counts[heat]})" if heat.is_point else ""))
        for heat in reversed(HeatClass)
        if heat in counts
    ]
    entries.sort(key=lambda e: e[0] is not HeatClass.PERIMETER)
    entries += [(la.symbol, la.title) for la in line.layers if isinstance(la.symbol, Edge)]
    if line.document.previous is not None and not line.document.previous.is_empty:
        entries.append(("previous", f"Before: {line.document.previous_label or 'previous line'}"))
    for symbol, words in entries:
        pen.y -= 15
        draw_symbol(pen.canvas, symbol, pen.x, pen.y - 2, 22, 11)
        label = _wrapped(words, 8, pen.width - 30, False)
        pen.canvas.text(pen.x + 30, pen.y, label[0], 8)


def _origin(
    pen: _Pen, line: DeliveredLine, sheet: Sheet, title: str, options: DeliveryOptions
) -> None:
    document, attributes = line.document, line.document.attributes
    rows = {
        "State": state_of(line),
        "Status": document.state.status,
        "IRWIN ID": attributes.get("IRWINID") or "not given",
        "Interpreter": ", ".join(
            str(attributes[k]) for k in ("ContactName", "ContactEmail", "ContactPhone")
            if attributes.get(k)
        ) or "not given",
        "Imagery": " ".join(x for x in (options.platform, options.sensor, document.image) if x)
        or "not given",
        "Image digest": document.image_digest or "not given",
        "Scale": f"1:{sheet.scale:,}; {name_of(line.crs)}; grid in degrees",
        "Made": f"{line.made} with Clearband {__version__}; edits and signatures end in "
        f"{document.trail.head[:16]}",
    }  # fmt: skip
    if options.limitations:
        rows["Limitations"] = options.limitations
    for key, words in rows.items():
        pen.write(key, 6.5, bold=True, colour=GREY)
        pen.write(words, 7)
        pen.space(1.5)


def _wrapped(words: str, size: float, width: float, bold: bool) -> list[str]:
    """Break words into lines; a word that is too long is cut."""
    lines = [""]
    for word in words.split():
        while width_of(word, size, bold) > width:
            fits = next(
                n for n in range(len(word) - 1, 0, -1) if width_of(word[:n], size, bold) <= width
            )
            lines += [word[:fits]]
            word = word[fits:]
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [text for text in lines if text] or [""]
