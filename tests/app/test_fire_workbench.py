"""An analyst's night on the canvas: feed, draft, edit, compare, verify, deliver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely

from app.fire_workbench import ROW, LineCanvas
from backends.io import open_scene
from backends.perimeters.acreage import filled
from backends.perimeters.coordinates import moved
from backends.perimeters.journal import journal_of, load
from backends.perimeters.review import ReviewState
from backends.simulate.ams import simulate_ams
from widgets.fire_dock import FireDock
from widgets.perimeter.board import LineBoard
from widgets.perimeter_dock import PerimeterDock


def write_line(path: Path, size: int = 288) -> Path:
    """Write a simulated line in the published 12-band form."""
    made = simulate_ams(size, seed=2)
    profile = {
        "driver": "GTiff", "height": size, "width": size, "dtype": "uint8", "count": 12,
        "crs": "EPSG:32610", "transform": rasterio.Affine(*made.place.affine),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(made.stored().transpose(2, 0, 1))
    return path


def test_a_night_from_the_feed_to_the_delivery(desk: Any, qtbot: Any, tmp_path: Path) -> None:
    workspace, canvas = desk.workspace, desk.canvas
    lines = LineBoard()
    drawn = LineCanvas(workspace, canvas.stage, canvas.board, lines)
    fire, line = FireDock(workspace, None, lines), PerimeterDock(workspace, None, lines)
    for dock in (fire, line):
        qtbot.addWidget(dock)
        dock.show()
    scene = open_scene(write_line(tmp_path / "line.tif"))
    workspace.add_scene(scene)
    work = line.desk

    fire.feed.speed.slider.setValue(0)
    fire.feed.play()
    assert "0 dropped" in fire.feed.counts_line.text()

    line.line.who_edit.setText("A. Analyst")
    line.line.name_edit.setText("Cedar Ridge")
    line.line.irwin_edit.setText("{11111111-2222-3333-4444-555555555555}")
    line.line.time_edit.setText("2026-01-02T09:10Z")
    line.line._describe()
    line.line.draft()
    row = canvas.board.row(scene.id, ROW)
    assert row.kind == "DRAFT"
    names = [layer.name for layer in desk.viewer.layers]
    assert "Perimeter: perimeter" in names
    assert "Perimeter: DRAFT" in names
    canvas.board.change(scene.id, ROW, visible=False)
    assert not any(layer.visible for layer in drawn._drawn[scene.id])
    canvas.board.change(scene.id, ROW, visible=True)

    # A vertex moved with napari's own shapes.
    line.show_page("Edit")
    line.edit.tools["vertices"].click()
    parts = shapely.get_parts(work.document.perimeter)
    ring = shapely.get_coordinates(max(parts, key=lambda p: p.area))
    place = work.held.plane.to_pixels(ring[:1])[0]
    pinned = len(workspace.pins)
    canvas.click(scene.id, round(place[0]), round(place[1]))
    hand = drawn._hand[1]
    assert str(hand.mode) == "direct"
    before, places = work.document.perimeter.area, np.array(hand.data[0])
    out = places[len(places) // 2] - places.mean(axis=0)
    places[len(places) // 2] += 0.2 * out / np.hypot(*out)
    hand.data = [places]
    assert work.document.perimeter.area != before
    assert len(workspace.pins) == pinned
    workspace.commands.undo()
    assert work.document.perimeter.area == before
    workspace.commands.redo()
    lines.hold("")
    assert lines.tool == ""
    assert drawn._hand is None

    # A stroke of the brush, drawn on the canvas.
    line.edit.tools["add"].click()
    brushed = drawn._hand[1]
    assert str(brushed.mode) == "add_path"
    before = work.document.perimeter.area
    brushed.add([np.array([place, place - (25, 0)])], shape_type="path")
    assert work.document.perimeter.area > before
    lines.hold("")

    # Nothing of it is lost if the program dies here.
    kept = work.held.journal.path
    assert journal_of(kept).is_file()
    again, changes = load(kept)
    assert changes >= 3
    assert again.perimeter.equals_exact(work.document.perimeter)

    inner = filled(work.document.perimeter).buffer(-20)
    shape = json.loads(shapely.to_geojson(moved(inner, work.document.crs, "EPSG:4326")))
    facts = {"IncidentName": "Cedar Ridge", "PolygonDateTime": "2026-01-01T10:00:00Z"}
    feature = {"type": "Feature", "properties": facts, "geometry": shape}
    old = tmp_path / "yesterday.geojson"
    old.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    line.show_page("Check")
    line.check.compare_with(old)
    assert work.figures.comparison is not None
    for number, check in enumerate(line.check._checks):
        if not check.passed:
            line.check.table.selectRow(number)
            line.check.reason_edit.setText("looked at the imagery")
            line.check.waive()
    line.check.verify()
    assert work.document.state is ReviewState.VERIFIED, line.said_line.text()
    assert canvas.board.row(scene.id, ROW).kind == "verified"
    line.check.deliver(tmp_path / "out")
    assert "files in out" in line.check.delivered_line.text()
    assert len(list((tmp_path / "out").iterdir())) >= 6
    workspace.remove_scene(scene.id)
    assert not journal_of(kept).is_file()  # saved whole, the journal is not needed any more
    assert load(kept)[0].state is ReviewState.VERIFIED
