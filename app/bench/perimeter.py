"""``bench perimeter``: a probability of 10,000 × 10,000 pixels to a draft, and dragging a vertex.

The drag is the exact update of geometry that a window makes at each move of the mouse: vertices
put back into the whole line and looked at for crossings. Beside it napari's own polygon, which is
triangulated anew at each move, at a thousand vertices: at 15,000 a step of it takes a minute.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bench.rss import Peak
from app.bench.table import Series, in_process

SIZE = 10_000
VERTICES, PEER_VERTICES = 15_000, 1_000
MOVES = 300
FRAME_MS = 16.0
CRS = "EPSG:32611"


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure each part in a process of its own; what the list of benchmarks calls."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "probability.tif")
        hot = write_probability(path, SIZE)
        drafts = [in_process(draft, path) for _ in range(max(1, min(rounds, 3)))]
    return {
        "load_before": [round(v, 2) for v in os.getloadavg()],
        "size": [SIZE, SIZE],
        "hot_pixels": hot,
        "mask_to_perimeter": drafts,
        "drag": in_process(drag, VERTICES),
        "drag_in_window": in_process(drag_in_window, VERTICES),
        "napari_polygon": in_process(drag_in_napari, PEER_VERTICES),
        "deliver": in_process(hand_over, VERTICES),
    }


def write_probability(path: str, size: int) -> int:
    """Write a scene of fires with crooked edges, islands, spots and a gap; return hot pixels."""
    import rasterio
    from affine import Affine
    from rasterio.windows import Window

    rng = np.random.default_rng(0)
    fires = rng.uniform(0.1, 0.9, (12, 2)) * size
    radii = rng.uniform(0.01, 0.09, 12) * size
    spots = rng.integers(0, size, (4000, 2))
    hot = 0
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=1, dtype="uint8", tiled=True,
        compress="deflate", zlevel=1, crs=CRS, transform=Affine(5, 0, 4e5, 0, -5, 4.1e6),
    ) as out:  # fmt: skip
        x = np.arange(size, dtype=np.float32)[None]
        for row in range(0, size, 256):
            y = np.arange(row, min(row + 256, size), dtype=np.float32)[:, None]
            p = np.zeros((len(y), size), np.float32)
            for (cy, cx), radius in zip(fires, radii, strict=True):
                if abs(cy - row - 128) > 1.3 * radius + 128:
                    continue
                angle = np.arctan2(y - cy, x - cx)
                edge = radius * (1 + 0.1 * np.sin(9 * angle) + 0.03 * np.sin(143 * angle))
                p = np.maximum(p, np.clip(0.5 + (edge - np.hypot(y - cy, x - cx)) / 30, 0, 1))
            p[(np.sin(x / 211) * np.sin(y / 173) > 0.97)] = 0.0  # islands
            p += rng.normal(0, 0.06, p.shape).astype(np.float32)
            here = spots[(spots[:, 0] >= row) & (spots[:, 0] < row + len(y))]
            p[here[:, 0] - row, here[:, 1]] = 0.9
            values = np.clip(p * 255, 0, 255).astype(np.uint8)
            hot += int((values >= 128).sum())
            out.write(values, 1, window=Window(0, row, size, len(y)))
    return hot


def draft(path: str) -> dict[str, Any]:
    """Draw a draft around a probability on disk, reading it included."""
    from backends.perimeters.acreage import acreage
    from backends.perimeters.making import make_proposal
    from backends.perimeters.probability import opened

    with opened(Path(path), scale=255.0) as source:
        acreage(_ring(100), CRS, CRS)  # libraries loaded, as in a running program
        peak = Peak()
        began = time.perf_counter()
        made = make_proposal(source)
        seconds = time.perf_counter() - began
        growth = peak.growth()
    vertices = sum(_count(f.geometry) for f in made.features)
    return {
        "seconds": round(seconds, 2),
        "million_pixels_per_second": round(source.shape[0] * source.shape[1] / 1e6 / seconds, 1),
        "peak_growth_mb": round(growth / 2**20),
        "objects": len(made.features),
        "perimeter_vertices": _count(made.perimeter),
        "all_vertices": vertices,
        "valid": bool(all(f.geometry.is_valid for f in made.features)),
        "acres": round(made.area.gross_ac, 1) if made.area else 0.0,
    }


def drag(vertices: int) -> dict[str, Any]:
    """Drag a vertex to and fro and put the stretch back at each move; then commit it."""
    from backends.perimeters.document import PerimeterDocument
    from backends.perimeters.heat import Feature, HeatClass
    from backends.perimeters.journal import Journal
    from backends.perimeters.stretch import put_back, take_stretch, vertex_moved

    line = _ring(vertices)
    x, y = line.exterior.coords[vertices // 3]
    taken, moves, commits = [], [], []
    step = 3000 * 2 * math.pi / vertices
    for _ in range(20):
        began = time.perf_counter()
        stretch = take_stretch(line, x, y)
        taken.append(time.perf_counter() - began)
    number = int(np.hypot(*(stretch.points - (x, y)).T).argmin())
    for move in range(MOVES):
        away = step * math.sin(move / 10)
        began = time.perf_counter()
        put_back(line, stretch, vertex_moved(stretch.points, number, x + away, y + away))
        moves.append(time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as folder:
        document = PerimeterDocument(CRS, [Feature(HeatClass.PERIMETER, line)])
        journal = Journal(document, Path(folder) / "a.perimeter")
        for move in range(40):
            feature = document.features[0]
            stretch = take_stretch(feature.geometry, x, y)
            points = vertex_moved(stretch.points, 150, *(stretch.points[150] + 0.01 * move))
            began = time.perf_counter()
            document.edit_stretch(feature.id, stretch, points, "bench")
            commits.append(time.perf_counter() - began)
        journal.close()
    found = {
        "vertices": vertices,
        "stretch_vertices": stretch.count,
        "take_ms": _ms(taken),
        "move_ms": _ms(moves),
        "commit_with_trail_and_journal_ms": _ms(commits),
    }
    return found | {"move_p95_within_a_frame": found["move_ms"]["p95"] <= FRAME_MS}


def drag_in_window(vertices: int) -> dict[str, Any]:
    """Drag a vertex of a long line with the mouse in the real window.

    ``handled`` is the interface thread's time for a move, ours and napari's; ``drawn`` goes on
    until the canvas is painted, by whatever OpenGL the machine has.
    """
    import rasterio
    from affine import Affine

    from app.hand import Hand
    from app.tour import settle, wait_for
    from app.window import build
    from backends.perimeters.document import PerimeterDocument
    from backends.perimeters.heat import Feature, HeatClass
    from backends.perimeters.journal import save

    line = _ring(vertices)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CLEARBAND_HOME"] = folder
        image, kept = Path(folder) / "night.tif", Path(folder) / "long.perimeter"
        with rasterio.open(
            image, "w", driver="GTiff", width=800, height=800, count=1, dtype="uint8", crs=CRS,
            transform=Affine(10, 0, 496_000, 0, -10, 4_004_000),
        ) as out:  # fmt: skip
            out.write(np.random.default_rng(0).integers(0, 99, (800, 800), np.uint8), 1)
        feature = Feature(HeatClass.PERIMETER, line)
        save(PerimeterDocument(CRS, [feature], pixel_m=10.0), kept)
        window = build(show=True)
        window.qt_window.resize(1600, 1000)
        window.show_workbench("fire")
        window.open_paths([image])
        wait_for(window, lambda: window.workspace.active_scene is not None, "the image")
        window.show_dock("perimeter")
        dock, hand = window.docks["perimeter"].inner, Hand(window)
        dock.desk.open(kept)
        wait_for(window, lambda: dock.desk.figures is not None, "the line")
        hand.press(dock.tabs["Edit"])
        hand.press(dock.edit.tools["vertices"])
        place = np.asarray(line.exterior.coords[vertices // 3])
        row, col = dock.desk.held.plane.to_pixels(place[None])[0]
        hand.look(row, col, 6)
        hand.click(row, col)
        wait_for(window, lambda: dock.edit.stretch is not None, "the stretch")
        settle(window, 2.0)
        head = dock.desk.document.trail.head
        away = 0.05 * np.sin(np.arange(MOVES) / 10)
        took = hand.drag([(row, col), *((row, col + d) for d in away)], pause_s=0.015)
        moves, (_, released) = took[:-1], took[-1]
        wait_for(window, lambda: dock.desk.document.trail.head != head, "the vertex to move")
        found = {
            "vertices": vertices,
            "stretch_vertices": dock.edit.stretch.count,
            "handled_ms": _ms([m[0] for m in moves]),
            "drawn_ms": _ms([m[1] for m in moves]),
            "let_go_ms": round(1e3 * released, 1),
            "load_after": [round(v, 2) for v in os.getloadavg()],
        }
        window.close()
    return found | {"move_p95_within_a_frame": found["handled_ms"]["p95"] <= FRAME_MS}


def drag_in_napari(vertices: int) -> dict[str, Any]:
    """Move a vertex of a polygon of a napari Shapes layer, without a window."""
    from napari.layers import Shapes

    points = np.asarray(_ring(vertices).exterior.coords)[:-1, ::-1]
    layer = Shapes([points], shape_type="polygon")
    moves = []
    for move in range(5):
        points = points.copy()
        points[vertices // 3] += 0.3 * (-1) ** move
        began = time.perf_counter()
        layer._data_view.edit(0, points)  # what its own handler of the mouse calls
        moves.append(time.perf_counter() - began)
    return {"vertices": vertices, "move_ms": _ms(moves)}


def hand_over(vertices: int) -> dict[str, Any]:
    """Write and check the whole set of a long line."""
    from backends.perimeters.deliverables.deliver import deliver
    from backends.perimeters.document import PerimeterDocument
    from backends.perimeters.heat import Feature, HeatClass

    document = PerimeterDocument(CRS, [Feature(HeatClass.PERIMETER, _ring(vertices))])
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(3):
            began = time.perf_counter()
            made = deliver(document, Path(folder))
            seconds.append(time.perf_counter() - began)
    return {
        "vertices": vertices,
        "files": len(made.files),
        "bytes": sum(f.bytes for f in made.files),
        "seconds": Series(tuple(seconds)).to_dict(),
    }


def _ring(vertices: int) -> Any:
    import shapely

    a = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    r = 3000 + 200 * np.sin(9 * a) + 20 * np.sin(vertices / 17 * a)
    return shapely.Polygon(np.column_stack((5e5 + r * np.cos(a), 4e6 + r * np.sin(a))))


def _count(geometry: Any) -> int:
    import shapely

    return int(shapely.get_num_coordinates(geometry))


def _ms(seconds: list[float] | NDArray[np.float64]) -> dict[str, Any]:
    return Series(tuple(1e3 * s for s in seconds)).to_dict()
