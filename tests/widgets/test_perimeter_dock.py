"""The perimeter dock: draft, edit, undo, compare, waive, sign, grow, hand over, recover."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.affinity

from backends.fire.question import FireQuestion
from backends.perimeters.acreage import filled
from backends.perimeters.beside import with_contained, with_detections
from backends.perimeters.coordinates import moved
from backends.perimeters.heat import HeatClass
from backends.perimeters.journal import journal_of
from backends.perimeters.review import ReviewState
from backends.scene import Scene
from backends.simulate.ams import simulate_ams
from backends.workspace import Workspace
from tests.backends.perimeters.test_beside import firms, lines
from widgets.perimeter.board import LineBoard
from widgets.perimeter_dock import PerimeterDock


@pytest.fixture(scope="module")
def made() -> Any:
    return simulate_ams(256, seed=2)


@pytest.fixture
def opened(qtbot: Any, made: Any) -> Iterator[tuple[Workspace, Scene, PerimeterDock]]:
    workspace, lines = Workspace(), LineBoard()
    dock = PerimeterDock(workspace, None, lines)
    qtbot.addWidget(dock)
    dock.resize(300, 1400)
    dock.show()
    assert dock.empty.isVisible()
    scene = made.to_scene()
    workspace.add_scene(scene)
    yield workspace, scene, dock
    workspace.close()


@pytest.fixture
def drafted(opened: Any) -> tuple[Workspace, Scene, PerimeterDock]:
    _, scene, dock = opened
    assert not dock.line.draft_button.isEnabled()
    dock.desk.lines.take(FireQuestion(rules=("A",), min_size=3).ask(scene))
    assert dock.line.draft_button.isEnabled()
    dock.line.who_edit.setText("A. Analyst")
    dock.line.name_edit.setText("Cedar Ridge")
    dock.line.irwin_edit.setText("{11111111-2222-3333-4444-555555555555}")
    dock.line.time_edit.setText("2026-01-02T09:10Z")
    dock.line._describe()
    dock.line.draft_button.click()
    return opened


def yesterday(dock: PerimeterDock, folder: Path) -> Path:
    document = dock.desk.document
    assert document is not None
    inner = filled(document.perimeter).buffer(-document.pixel_m)
    shape = json.loads(shapely.to_geojson(moved(inner, document.crs, "EPSG:4326")))
    facts = {"IncidentName": "Cedar Ridge", "PolygonDateTime": "2026-01-01T10:00:00Z"}
    feature = {"type": "Feature", "properties": facts, "geometry": shape}
    path = folder / "yesterday.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def test_the_draft_has_acres_objects_and_a_journal(drafted: Any) -> None:
    _, _, dock = drafted
    document = dock.desk.document
    assert "DRAFT, not verified" in dock.state_line.text()
    assert "ac</b> geodesic" in dock.line.area_line.text()
    assert "EPSG:32610" in dock.line.area_line.text()
    shown = [dock.line.objects.item(n).text() for n in range(dock.line.objects.count())]
    assert shown[0].startswith("IR Heat Perimeter")
    assert journal_of(dock.desk.held.journal.path).is_file()
    inks = {ink.key: ink for ink in dock.desk.lines.inks}
    assert inks["perimeter"].words[0] == "DRAFT"
    assert document.attributes["IncidentName"] == "Cedar Ridge"
    assert document.trail.entries[0].who == "A. Analyst"
    assert dock.width() == 300


def test_brush_island_and_split_are_undone_one_by_one(drafted: Any) -> None:
    workspace, _, dock = drafted
    desk = dock.desk
    plane = desk.held.plane
    start = desk.document.perimeter.area
    inside = desk.perimeter_feature().geometry.representative_point()
    row, col = plane.to_pixels(np.array([[inside.x, inside.y]]))[0]
    dock.edit.brush.put(150)
    desk.lines.drawn.emit("add", np.array([[row, col], [row - 30, col]]))
    grown = desk.document.perimeter.area
    assert grown > start
    assert desk.document.state is ReviewState.IN_REVIEW
    square = np.array([[-4, -4], [-4, 4], [4, 4], [4, -4]]) + np.array([row - 15, col])
    desk.lines.drawn.emit("island", square)
    cut = desk.document.perimeter.area
    assert cut < grown
    assert sum(len(p.interiors) for p in shapely.get_parts(desk.document.perimeter)) >= 1
    desk.lines.drawn.emit("cut", np.array([[row - 30, col - 9], [row - 30, col + 9]]))
    assert desk.document.perimeter.area < cut
    assert workspace.commands.undo() == "Brush off the fire"
    assert desk.document.perimeter.area == cut
    workspace.commands.undo()
    workspace.commands.undo()
    assert desk.document.perimeter.area == pytest.approx(start)
    workspace.commands.redo()
    assert desk.document.perimeter.area == pytest.approx(grown)
    desk.lines.drawn.emit("island", square + 500)
    assert "does not lie in the area" in dock.said_line.text()


def test_a_stretch_is_moved_and_a_crossing_refused(drafted: Any) -> None:
    _, _, dock = drafted
    desk = dock.desk
    dock.edit.tools["vertices"].click()
    assert desk.lines.tool == "vertices"
    parts = shapely.get_parts(desk.document.perimeter)
    ring = shapely.get_coordinates(max(parts, key=lambda p: p.area))
    row, col = desk.held.plane.to_pixels(ring[:1])[0]
    dock.edit.pick(row, col)
    stretch = dock.edit.stretch
    assert 3 <= stretch.count <= 80
    places = np.array(desk.lines.stretch)
    before = desk.document.perimeter.area
    out = places[len(places) // 2] - places.mean(axis=0)
    moved_places = places.copy()
    moved_places[len(places) // 2] += 0.2 * out / np.hypot(*out)
    desk.lines.stretch_edited.emit(moved_places)
    assert desk.document.perimeter.area != before
    assert desk.document.trail.entries[-2].action == "Move vertices"
    after = desk.document.perimeter
    wild = np.array(moved_places)
    wild[0], wild[-1] = moved_places[-1], moved_places[0]
    wild[len(wild) // 2] += (900, -900)
    desk.lines.stretch_edited.emit(wild)
    assert "cross itself" in dock.said_line.text()
    assert desk.document.perimeter.equals(after)
    dock.show_page("Check")
    assert desk.lines.tool == ""  # a tool is in hand only while its page is seen


def test_split_and_merge(drafted: Any) -> None:
    _, _, dock = drafted
    desk = dock.desk
    whole = filled(desk.perimeter_feature().geometry)
    desk.edit("Fill", lambda g: whole)
    left, bottom, right, top = whole.bounds
    x = (left + right) / 2
    stroke = desk.held.plane.to_pixels(np.array([[x, bottom - 90], [x, top + 90]]))
    lines = lambda: [f for f in desk.document.features if f.heat is HeatClass.PERIMETER]  # noqa: E731
    desk.lines.drawn.emit("split", stroke)
    assert len(lines()) > 1
    assert desk.document.perimeter.area == pytest.approx(whole.area)
    dock.edit.merge_button.click()
    assert len(lines()) == 1
    desk.workspace.commands.undo()  # the merge is one step
    assert len(lines()) > 1


def test_compare_waive_sign_and_hand_over(drafted: Any, tmp_path: Path) -> None:
    workspace, _, dock = drafted
    desk, check = dock.desk, dock.check
    check.compare_with(yesterday(dock, tmp_path))
    words = check.compare_line.text()
    assert "Beside Cedar Ridge 2026-01-01" in words
    assert "not shifted" in words
    assert any(ink.key == "growth" for ink in desk.lines.inks)
    desk.do(lambda d: d.describe({"IRWINID": ""}, "A. Analyst"))
    check.verify_button.click()
    assert "1 check is open" in dock.said_line.text()
    left = [n for n, c in enumerate(check._checks) if not c.passed]
    assert left
    for n in left:
        check.table.selectRow(n)
        check.reason_edit.setText("")
        check.waive_button.click()
        assert "reason" in dock.said_line.text()
        check.reason_edit.setText("looked at the imagery")
        check.waive_button.click()
    assert check.table.item(left[0], 1).text() == "waived"
    check.verify_button.click()
    assert desk.document.state is ReviewState.VERIFIED
    assert "verified by A. Analyst" in dock.state_line.text()
    assert not [ink for ink in desk.lines.inks if ink.words]  # no DRAFT any more
    assert workspace.commands.undo_label is None
    assert not dock.edit.tools["add"].isEnabled()
    handle = check.deliver(tmp_path / "out")
    assert handle is not None
    assert handle.error is None, handle.details
    assert "files in out" in check.delivered_line.text()
    assert not [p for p in (tmp_path / "out").iterdir() if "DRAFT" in p.name]
    check.reason_edit.setText("a spot was missed")
    check.review_button.click()
    assert desk.document.state is ReviewState.IN_REVIEW


def test_what_is_not_verified_is_delivered_as_a_draft(drafted: Any, tmp_path: Path) -> None:
    _, _, dock = drafted
    handle = dock.check.deliver(tmp_path / "out")
    assert handle is not None
    assert handle.error is None, handle.details
    assert "marked DRAFT" in dock.check.delivered_line.text()


def test_growth_counts_what_is_before_six_to_the_day_before(drafted: Any, tmp_path: Path) -> None:
    _, _, dock = drafted
    dock.show_page("Growth")
    dock.growth.add([yesterday(dock, tmp_path)])
    assert [str(d.day) for d in dock.growth.days] == ["2026-01-01", "2026-01-02"]
    assert dock.growth.table.rowCount() == 2
    dock.growth.zone_edit.setText("America/Los_Angeles")
    dock.growth.compute()
    assert [str(d.day) for d in dock.growth.days] == ["2025-12-31", "2026-01-01"]
    dock.growth.zone_edit.setText("Nowhere")
    dock.growth.compute()
    assert "no time zone" in dock.growth.line.text()


def test_a_killed_desk_goes_on_where_it_was(drafted: Any, made: Any, qtbot: Any) -> None:
    _, _, dock = drafted
    desk = dock.desk
    inside = desk.perimeter_feature().geometry.representative_point()
    row, col = desk.held.plane.to_pixels(np.array([[inside.x, inside.y]]))[0]
    desk.lines.drawn.emit("add", np.array([[row, col], [row - 30, col]]))
    was = desk.document.perimeter
    # The first desk is never closed: what it had not saved is in the journal only.
    workspace = Workspace()
    other = PerimeterDock(workspace, None, LineBoard())
    qtbot.addWidget(other)
    other.show()
    workspace.add_scene(made.to_scene())
    assert other.line.recover_button.isVisible()
    other.line.recover_button.click()
    assert other.desk.document.perimeter.equals_exact(was)
    assert "the line is back" in other.said_line.text()
    workspace.close()


def test_nobody_signs_what_was_not_looked_at_since(drafted: Any, monkeypatch: Any) -> None:
    _, _, dock = drafted
    assert dock.check.verify_button.isEnabled()
    monkeypatch.setattr(dock.desk, "_refresh", lambda: None)  # checks that take their time
    dock.desk.do(lambda d: d.describe({"IncidentName": "Cedar"}, "A. Analyst"))
    assert not dock.check.verify_button.isEnabled()
    dock.check.verify()
    assert "still being checked" in dock.said_line.text()
    assert dock.desk.document.state is not ReviewState.VERIFIED


def test_the_brush_paints_other_classes(drafted: Any) -> None:
    workspace, _, dock = drafted
    desk, edit = dock.desk, dock.edit
    inside = desk.perimeter_feature().geometry.representative_point()
    row, col = desk.held.plane.to_pixels(np.array([[inside.x, inside.y]]))[0]
    stroke = np.array([[row, col], [row - 4, col]])
    line = desk.document.perimeter
    had = len(desk.document.features)
    edit.class_box.setCurrentIndex(edit.class_box.findData("INTENSE"))
    assert not edit.class_box.itemIcon(edit.class_box.currentIndex()).isNull()
    desk.lines.drawn.emit("add", stroke)
    (intense,) = (f for f in desk.document.features if f.heat is HeatClass.INTENSE)
    assert intense.geometry.distance(inside) == 0
    assert desk.document.perimeter.equals_exact(line)
    assert "intense" in {ink.key for ink in desk.figures.inks}
    names = [dock.line.objects.item(n).text() for n in range(dock.line.objects.count())]
    assert any(name.startswith("IR Intense Heat: 1") for name in names)
    edit.class_box.setCurrentIndex(edit.class_box.findData("POSSIBLE"))
    desk.lines.drawn.emit("add", stroke)
    desk.lines.drawn.emit("cut", stroke)
    desk.lines.drawn.emit("cut", stroke)
    assert "No Possible IR Heat Source lies under the brush" in dock.said_line.text()
    workspace.commands.undo()
    assert sum(f.heat is HeatClass.POSSIBLE for f in desk.document.features) >= 1
    workspace.commands.undo()
    workspace.commands.undo()
    assert len(desk.document.features) == had


def test_detections_and_contained_line_lie_beside(drafted: Any, tmp_path: Path) -> None:
    _, _, dock = drafted
    desk, check = dock.desk, dock.check
    document = desk.document
    box = document.perimeter.bounds
    table = firms(tmp_path / "viirs.csv", document, [
        (box[2] + 3000, box[1], "n", document.image_utc[:10], "0910")])  # fmt: skip
    check.lay(table, with_detections)
    titles = [check.table.item(n, 0).text() for n in range(check.table.rowCount())]
    assert "Satellite detections lie inside" in titles
    assert check.table.item(titles.index("Satellite detections lie inside"), 1).text() == "OPEN"
    assert "detections" in {ink.key for ink in desk.figures.inks}
    edge = shapely.line_merge(filled(document.perimeter).boundary)
    longest = max(shapely.get_parts(edge), key=lambda part: part.length)
    part = round(100 * longest.length / edge.length)
    check.lay(lines(tmp_path / "c.geojson", document, {"Contained Line": longest}), with_contained)
    found = {c.id: c for c in desk.figures.checks}
    assert f"{part} % of the outer line is contained" in found["contained line"].text
    assert "contained line" in {ink.key for ink in desk.figures.inks}
    assert not check.union_button.isEnabled()
    check.compare_with(yesterday(dock, tmp_path))
    before = document.perimeter.area
    check.union_button.click()
    assert document.perimeter.area >= before
    assert not document.previous.difference(document.perimeter.buffer(0.01)).area


def test_strokes_that_come_faster_than_they_are_worked_out_are_all_kept(
    drafted: Any, monkeypatch: Any
) -> None:
    workspace, _, dock = drafted
    desk, edit = dock.desk, dock.edit
    waiting: list[Any] = []
    real = workspace.submit

    def later(job: Any, **named: Any) -> Any:
        waiting.append((job, named))

    inside = desk.perimeter_feature().geometry.representative_point()
    row, col = desk.held.plane.to_pixels(np.array([[inside.x, inside.y]]))[0]
    edit.class_box.setCurrentIndex(edit.class_box.findData("INTENSE"))
    with monkeypatch.context() as slow:
        slow.setattr(workspace, "submit", later)
        for n in range(3):
            place = row - 60 * n
            desk.lines.drawn.emit("add", np.array([[place, col], [place - 4, col]]))
    assert len(waiting) == 1  # the others wait for their turn
    job, named = waiting[0]
    real(job, **named)
    intense = [f for f in desk.document.features if f.heat is HeatClass.INTENSE]
    assert len(intense) == 3


def test_no_page_is_cut_off_at_the_side_or_squeezed(drafted: Any, qtbot: Any) -> None:
    _, _, dock = drafted
    dock.resize(320, 1400)
    for name in dock.pages:
        dock.show_page(name)
        qtbot.wait(50)
        assert dock.content.width() <= 320, name
    # A long sentence above must not press the fields below together.
    dock.show_page("Line")
    dock.say("Clearband did not close properly; the line is back as it was, its last change too.")
    qtbot.wait(50)
    for edit in (dock.line.name_edit, dock.line.irwin_edit, dock.line.who_edit):
        assert edit.height() >= edit.minimumSizeHint().height()


def test_a_shift_of_the_whole_layer_is_said(drafted: Any, tmp_path: Path) -> None:
    _, _, dock = drafted
    document = dock.desk.document
    away = 3 * document.pixel_m
    shifted = shapely.affinity.translate(filled(document.perimeter), -away, 0)
    shape = json.loads(shapely.to_geojson(moved(shifted, document.crs, "EPSG:4326")))
    path = tmp_path / "shifted.geojson"
    feature = {"type": "Feature", "properties": {"IncidentName": "Cedar Ridge"}, "geometry": shape}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    dock.check.compare_with(path)
    assert f"shifted by {away:.0f} m" in dock.check.compare_line.text()
    found = next(c for c in dock.check._checks if c.id == "shift")
    assert not found.passed
