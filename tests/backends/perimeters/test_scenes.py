"""A line on an open scene: the draft, pixels to metres and back, what it looks like."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from backends.bands import BandTable
from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.journal import Journal, journal_of
from backends.perimeters.picture import dashed, inks_of
from backends.perimeters.scenes import Plane, draft_on_scene, kept_lines, left_line, working_file
from backends.scene import ArraySource, Scene, SceneInfo

UTM = GeoReference((10.0, 0.0, 500_000.0, 0.0, -10.0, 4_400_000.0), "EPSG:32611")


def a_scene(place: GeoReference | None = UTM) -> Scene:
    info = SceneInfo(
        None, "thermal", BandTable.build(1, wavelength_nm=[3745.0]), title="Ridge", place=place
    )
    return Scene(ArraySource(np.full((60, 80, 1), 300, np.float32)), info)


def a_fire() -> np.ndarray:
    probability = np.zeros((60, 80), np.float32)
    probability[20:40, 30:60] = 0.9
    return probability


def test_the_draft_lies_where_the_fire_was_found() -> None:
    scene = a_scene()
    document, proposal = draft_on_scene(scene, a_fire(), who="A", image_utc="2026-01-02T03:04Z")
    line = document.perimeter
    assert line.bounds == pytest.approx((500_300, 4_399_600, 500_600, 4_399_800), abs=6)
    assert document.image_digest == scene.digest
    assert proposal.interval_ac[0] == pytest.approx(proposal.area.gross_ac, rel=0.02)
    back = Plane(UTM, document.crs).to_pixels(np.array([[500_300.0, 4_399_800.0]]))
    assert back[0] == pytest.approx((19.5, 29.5))
    assert Plane(UTM, document.crs).to_map(back)[0] == pytest.approx((500_300, 4_399_800))


def test_where_the_draft_could_as_well_lie_is_drawn() -> None:
    probability = a_fire()
    probability[10:20, 30:60] = 0.4  # fire, but not surely
    document, proposal = draft_on_scene(a_scene(), probability, who="A")
    plane = Plane(UTM, document.crs)
    again = PerimeterDocument.from_dict(document.to_dict())
    for kept in (document, again):
        (ink,) = (i for i in inks_of(kept, plane) if i.key == "uncertainty")
        rows = ink.segments[..., 0]
        assert rows.min() == pytest.approx(9.5, abs=1)
        assert ((rows > 18.5) & (rows < 20.5)).any()  # the inner contour
    assert proposal.interval_ac[0] < 0.75 * proposal.interval_ac[1]
    sure, _ = draft_on_scene(a_scene(), a_fire(), who="A")
    assert not [i for i in inks_of(sure, plane) if i.key == "uncertainty"]


def test_other_systems_are_moved_to_metres_and_back() -> None:
    place = GeoReference((1e-4, 0, -117.0, 0, -1e-4, 39.0), "EPSG:4326")
    document, _ = draft_on_scene(a_scene(place), a_fire(), who="A")
    assert document.crs == "EPSG:32611"
    plane = Plane(place, document.crs)
    edge = plane.to_pixels(shapely.get_coordinates(document.perimeter))
    assert edge.min(axis=0) == pytest.approx((19.5, 29.5), abs=1.5)
    assert edge.max(axis=0) == pytest.approx((39.5, 59.5), abs=1.5)
    places = np.array([[5.0, 7.0], [50.0, 70.0]])
    assert plane.to_pixels(plane.to_map(places)) == pytest.approx(places, abs=1e-3)


def test_no_place_or_no_fire_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="no georeference"):
        draft_on_scene(a_scene(None), a_fire())
    with pytest.raises(BadInput, match="was found in Ridge"):
        draft_on_scene(a_scene(), np.zeros((60, 80), np.float32))


def test_kept_lines_are_found_by_their_image(tmp_path: Path) -> None:
    scene, other = a_scene(), a_scene()
    document, _ = draft_on_scene(scene, a_fire(), who="A")
    path = working_file(scene, tmp_path)
    Journal(document, path).close()
    assert kept_lines(scene, tmp_path) == [path]
    foreign = PerimeterDocument(document.crs, document.features, image="x", image_digest="y")
    Journal(foreign, tmp_path / "x.perimeter").close()
    assert kept_lines(scene, tmp_path) == [path]
    assert kept_lines(other, tmp_path / "none") == []


def test_every_class_has_its_symbol_and_a_draft_says_so() -> None:
    document, _ = draft_on_scene(a_scene(), a_fire(), who="A")
    middle = shapely.box(500_350, 4_399_650, 500_500, 4_399_750)
    for heat in (HeatClass.INTENSE, HeatClass.SCATTERED, HeatClass.NO_DATA):
        document.add(Feature(heat, middle), "A")
    document.add(Feature(HeatClass.ISOLATED, shapely.Point(500_050, 4_399_950)), "A")
    document.previous = middle
    plane = Plane(UTM, document.crs)
    inks = {ink.key: ink for ink in inks_of(document, plane, document.perimeter - middle)}
    order = [ink.key for ink in inks_of(document, plane)]
    assert order[0] == "no_data"  # below all others
    assert inks["perimeter"].words == ("DRAFT",)
    assert len(inks["intense"].segments) > 4  # outline and hatch
    assert len(inks["scattered"].points) > 20
    assert inks["isolated"].points[0] == pytest.approx((4.5, 4.5))
    assert {"previous", "growth"} <= set(inks)
    document.waivers.clear()
    document._step(document.state.__class__.VERIFIED, "A", "", _signed(document))
    assert inks_of(document, plane)[-1].words == ()


def _signed(document: PerimeterDocument):  # type: ignore[no-untyped-def]
    from backends.perimeters.review import Signature

    return Signature("A", "2026-01-02T03:04:00Z", document.image, document.image_digest)


def test_dashes_draw_half_of_a_line() -> None:
    angle = np.linspace(0, 2 * np.pi, 2001)
    points = np.column_stack((np.cos(angle), np.sin(angle)))
    segments = np.stack((points[:-1], points[1:]), axis=1)
    out = dashed(segments)
    length = np.hypot(*(out[:, 1] - out[:, 0]).T).sum()
    assert length == pytest.approx(np.pi, rel=0.02)
    one = dashed(np.array([[[0.0, 0.0], [1.0, 0.0]]]))
    assert len(one) == 120


def test_a_line_left_by_a_dead_program_is_found_with_its_image(tmp_path: Path) -> None:
    image = tmp_path / "night.tif"
    image.write_bytes(b"an image")
    document = PerimeterDocument(
        "EPSG:32610", [], attributes={"IncidentName": "Cedar Ridge"},
        origin={"image_path": str(image)},
    )  # fmt: skip
    journal = Journal(document, tmp_path / "a.perimeter")
    assert left_line(tmp_path) is None  # this program still runs
    head = json.loads(journal_of(journal.path).read_bytes())
    head["owner"]["since"] -= 5000
    journal_of(journal.path).write_text(json.dumps(head) + "\n")
    left = left_line(tmp_path)
    assert left is not None
    assert (left.incident, left.image) == ("Cedar Ridge", image)
    image.unlink()
    assert left_line(tmp_path).image is None  # type: ignore[union-attr]
    journal.close()
    assert left_line(tmp_path) is None
