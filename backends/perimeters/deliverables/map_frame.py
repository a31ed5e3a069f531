"""What lies inside the frame of the map: imagery, lines, sources, grid, scale bar, the mark."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.perimeters.acreage import polygons_of
from backends.perimeters.coordinates import WGS84, moved
from backends.perimeters.deliverables.geopdf import PageReference
from backends.perimeters.deliverables.pdf import Canvas, width_of
from backends.perimeters.deliverables.rows import DeliveredLine, Edge
from backends.perimeters.deliverables.symbols import (
    BLACK,
    GREY,
    RED,
    draw_areas,
    draw_edge,
    draw_point,
)
from backends.perimeters.heat import HeatClass

_PREVIOUS, _GRID, _WHITE = (20, 20, 160), (150, 150, 150), (255, 255, 255)
# Minutes of arc between the lines of the grid.
_STEPS = (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300)
_MILE = 1609.344


def draw_frame(
    canvas: Canvas, line: DeliveredLine, place: PageReference, *, with_picture: bool
) -> None:
    """Draw the frame and all that lies in it; the mark cannot be switched off."""
    left, bottom, right, top = place.frame
    border = np.asarray(shapely.box(*place.frame).exterior.coords)
    with canvas.clipped([border]):
        if with_picture:
            with canvas.layer("Imagery"):
                canvas.picture(left, bottom, right - left, top - bottom)
        with canvas.layer("Grid"):
            _grid(canvas, place)
        _lines(canvas, line, place)
        _scale_bar(canvas, place)
        _north(canvas, place)
        if line.mark:
            _mark(canvas, place, line.mark)
    canvas.stroke([border], BLACK, 1.0)


def draw_symbol(
    canvas: Canvas, symbol: HeatClass | Edge | str, x: float, y: float, width: float, height: float
) -> None:
    """Draw a symbol for the legend."""
    if isinstance(symbol, Edge):
        draw_edge(
            canvas, symbol, shapely.LineString([(x, y + height / 2), (x + width, y + height / 2)])
        )
    elif not isinstance(symbol, HeatClass):
        middle = y + height / 2
        canvas.stroke([np.array([(x, middle), (x + width, middle)])], _PREVIOUS, 1.0, (4, 2.5))
    elif symbol.is_point:
        draw_point(canvas, symbol, x + width / 2, y + height / 2)
    else:
        draw_areas(canvas, symbol, shapely.box(x, y, x + width, y + height))


def _lines(canvas: Canvas, line: DeliveredLine, place: PageReference) -> None:
    def on_page(shape: Any) -> Any:
        return shapely.transform(shape, place.to_page)

    for layer in line.layers:
        symbol = layer.symbol
        if symbol is None:
            continue  # islands are the holes of the perimeter
        if symbol is HeatClass.PERIMETER:
            _previous(canvas, line, on_page)
        with canvas.layer(layer.title):
            for row in layer.rows:
                shape = on_page(row.geometry)
                if isinstance(symbol, Edge):
                    draw_edge(canvas, symbol, shape)
                elif symbol.is_point:
                    draw_point(canvas, symbol, shape.x, shape.y)
                else:
                    draw_areas(canvas, symbol, shape)


def _previous(canvas: Canvas, line: DeliveredLine, on_page: Any) -> None:
    previous = line.document.previous
    if previous is None or previous.is_empty:
        return
    rings = [
        np.asarray(ring.coords)
        for part in polygons_of(on_page(previous))
        for ring in (part.exterior, *part.interiors)
    ]
    with canvas.layer("Previous line"):
        canvas.stroke(rings, _PREVIOUS, 1.0, (4, 2.5))


def _grid(canvas: Canvas, place: PageReference) -> None:
    west, south, east, north = (
        float(v) for v in moved(shapely.box(*place.extent), place.crs, WGS84).bounds
    )
    step = next((s for s in _STEPS if max(east - west, north - south) * 60 / s <= 8), _STEPS[-1])
    step /= 60
    left, bottom, right, _ = place.frame
    for lon in _multiples(west, east, step):
        path = _curve(place, np.full(24, lon), np.linspace(south, north, 24))
        canvas.stroke([path], _GRID, 0.35)
        x = float(np.interp(bottom + 4, path[:, 1], path[:, 0]))
        if left + 30 < x < right - 30:
            canvas.text(x + 2, bottom + 3, _degrees(lon, "EW"), 6, colour=GREY, halo=True)
    for lat in _multiples(south, north, step):
        path = _curve(place, np.linspace(west, east, 24), np.full(24, lat))
        canvas.stroke([path], _GRID, 0.35)
        y = float(np.interp(left + 4, path[:, 0], path[:, 1]))
        if place.frame[1] + 40 < y < place.frame[3] - 10:
            canvas.text(left + 3, y + 2, _degrees(lat, "NS"), 6, colour=GREY, halo=True)


def _curve(
    place: PageReference, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> NDArray[np.float64]:
    line = moved(shapely.linestrings(lon, lat), WGS84, place.crs)
    return place.to_page(shapely.get_coordinates(line))


def _multiples(low: float, high: float, step: float) -> NDArray[Any]:
    return np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step


def _degrees(value: float, sides: str) -> str:
    minutes = round(abs(value) * 6000) / 100
    whole, rest = divmod(minutes, 60)
    return f"{whole:.0f}°{rest:05.2f}'{sides[int(value < 0)]}".replace(".00'", "'")


def _scale_bar(canvas: Canvas, place: PageReference) -> None:
    left, bottom, right, _ = place.frame
    room = (right - left) * 0.28
    x, y = left + 16, bottom + 34
    for number, (unit, metres) in enumerate((("km", 1000.0), ("mi", _MILE))):
        length = _nice(room * place.units_per_point / metres)
        points = length * metres / place.units_per_point
        base = y - 16 * number
        canvas.rectangle(x - 4, base - 3, points + 34, 14, _WHITE)
        for part in range(4):
            tone = BLACK if part % 2 == 0 else _WHITE
            box = shapely.box(x + part * points / 4, base, x + (part + 1) * points / 4, base + 4)
            canvas.fill([np.asarray(box.exterior.coords)], tone, outline=BLACK, width=0.4)
        canvas.text(x, base + 5.5, "0", 6, align="middle")
        canvas.text(x + points, base + 5.5, f"{length:g} {unit}", 6, align="middle")


def _nice(most: float) -> float:
    """Return the largest of 1, 2, 5 × 10ⁿ that fits."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(f * power for f in (1.0, 2.0, 5.0) if f * power <= most)


def _north(canvas: Canvas, place: PageReference) -> None:
    x, y = place.frame[2] - 22, place.frame[3] - 50
    arrow = np.array([(x, y + 24), (x + 7, y), (x, y + 5), (x - 7, y)])
    canvas.fill([arrow], BLACK, outline=_WHITE, width=0.8)
    canvas.text(x, y + 27, "N", 11, bold=True, align="middle", halo=True)
    canvas.text(x, y - 8, "grid", 6, align="middle", halo=True)


def _mark(canvas: Canvas, place: PageReference, mark: str) -> None:
    """Write the mark over everything, so that no cut-out of the map is without it."""
    left, bottom, right, top = place.frame
    words = "DRAFT – NOT VERIFIED" if mark == "DRAFT" else mark
    size = min((right - left) / width_of(words, 1.0, True) * 0.62, 64.0)
    angle = math.radians(28)
    turn = (math.cos(angle), math.sin(angle))
    canvas.see_through(0.35)
    for number in range(3):
        x = left + (right - left) * (0.3, 0.5, 0.7)[number]
        y = bottom + (top - bottom) * (0.8, 0.5, 0.2)[number] - size / 3
        canvas.text(x, y, words, size, bold=True, colour=RED, align="middle", turn=turn)
    canvas.see_through(1.0)
