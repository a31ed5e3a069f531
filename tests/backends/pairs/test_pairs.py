"""How two scenes lie on each other, how far one is off, and moving it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.bands import BandTable
from backends.errors import BadInput, Cancelled, WrongUse
from backends.georeference import GeolocationTable, GeoReference
from backends.io import open_scene
from backends.jobs import CancelToken, Progress
from backends.overlays import Provenance, ScoreMap
from backends.pairs.alignment import FIT, MAP, PIXELS, align
from backends.pairs.registration import LIKELY, SURE, UNTOLD, register
from backends.pairs.shifting import (
    move_to,
    moved_notes,
    offset_against,
    offset_for,
    offset_of,
    parse_offset,
)
from backends.scene import ArraySource, Scene, SceneInfo
from backends.session import collect_state, load_session, save_session
from backends.session_restore import open_scenes, restore
from backends.workspace import Workspace

UTM = "EPSG:32633"
PLACE = GeoReference((30.0, 0.0, 365_000.0, 0.0, -30.0, 5_807_000.0), UTM)


def scene_on(place: object, rows: int = 60, cols: int = 80, cube: object = None) -> Scene:
    values = np.zeros((rows, cols, 1), np.float32) if cube is None else np.asarray(cube)
    info = SceneInfo(
        None,
        "raster",
        BandTable.build(values.shape[2]),
        title="Field",
        place=place,  # type: ignore[arg-type]
    )
    return Scene(ArraySource(values), info)


def hills(rows: int, cols: int, seed: int = 1) -> np.ndarray:
    """Ground with detail of every size; a function of place, so that any grid can look at it."""
    rng = np.random.default_rng(seed)
    waves = [
        (rng.uniform(0.02, 0.5, 2) * rng.choice([-1, 1], 2), rng.uniform(0, 6)) for _ in range(80)
    ]
    y, x = np.mgrid[0:rows, 0:cols]
    return sum(np.sin(ky * y + kx * x + p) / (0.05 + np.hypot(ky, kx)) for (ky, kx), p in waves)


@given(
    row=st.floats(0, 59), col=st.floats(0, 79), size=st.floats(5, 200),
    east=st.floats(-500, 500), north=st.floats(-500, 500),
)  # fmt: skip
def test_in_one_system_pixels_meet_where_the_map_says(
    row: float, col: float, size: float, east: float, north: float
) -> None:
    other = GeoReference((size, 0, 365_000 + east, 0, -size, 5_807_000 + north), UTM)
    laid = align(scene_on(PLACE), scene_on(other))
    assert (laid.how, laid.off_px) == (MAP, 0)
    assert PLACE.to_map(*laid.to_first(row, col)) == pytest.approx(other.to_map(row, col), abs=1e-3)
    assert laid.to_second(*laid.to_first(row, col)) == pytest.approx((row, col), abs=1e-5)
    assert laid.scale == pytest.approx(size / 30)


def test_another_system_is_laid_by_degrees() -> None:
    lon, lat = PLACE.to_lonlat(30, 40)
    other = GeoReference((0.0005, 0, lon - 0.02, 0, -0.0003, lat + 0.01), "EPSG:4326")
    one, two = scene_on(PLACE), scene_on(other)
    laid = align(one, two)
    assert laid.how == FIT
    assert laid.off_px < 0.25
    assert laid.sentence == ""
    for row, col in ((30, 40), (10, 60)):
        wanted = PLACE.from_lonlat(*other.to_lonlat(row, col))
        assert laid.to_first(row, col) == pytest.approx(wanted, abs=0.1)
    back = align(two, one)
    assert back.to_first(*laid.to_first(20, 20)) == pytest.approx((20, 20), abs=0.2)


def test_tables_of_coordinates_lie_on_grids_both_ways() -> None:
    rows, cols = np.mgrid[0:60, 0:80]
    lon0, lat0 = PLACE.to_lonlat(0, 0)
    table = GeolocationTable(lambda: (lon0 + 4e-4 * cols, lat0 - 2.5e-4 * rows))
    one, two = scene_on(PLACE), scene_on(table)
    wanted = PLACE.from_lonlat(*table.to_lonlat(20, 30))
    assert align(one, two).to_first(20, 30) == pytest.approx(wanted, abs=0.1)
    assert align(two, one).to_second(20, 30) == pytest.approx(wanted, abs=0.1)
    assert align(two, scene_on(table)).to_first(7, 9) == pytest.approx((7, 9), abs=1e-6)


def test_without_a_map_pixels_do_and_a_sentence_says_so() -> None:
    same = align(scene_on(None), scene_on(None))
    assert same.how == PIXELS
    assert same.to_first(3, 4) == (3, 4)
    assert "pixel on pixel" in same.sentence
    sizes = align(scene_on(PLACE, 60, 80), scene_on(None, 30, 20))
    assert "edge to edge" in sizes.sentence
    assert sizes.to_first(-0.5, -0.5) == (-0.5, -0.5)
    assert sizes.to_first(29.5, 19.5) == (59.5, 79.5)
    far = GeoReference((30.0, 0, 465_000, 0, -30.0, 5_807_000.0), UTM)
    apart = align(scene_on(PLACE), scene_on(far))
    assert not apart.overlap
    assert "no ground" in apart.sentence
    with pytest.raises(BadInput, match="no ground"):
        register(scene_on(PLACE), scene_on(far))


@pytest.mark.parametrize(("down", "right"), [(0.0, 0.0), (1.3, -2.6), (-7.0, 4.5)])
def test_a_known_shift_is_found(down: float, right: float) -> None:
    ground = hills(420, 420)[:, :, None].astype(np.float32)
    one = scene_on(PLACE, cube=ground[:400, :400])
    # The same pixels, but the file says that they lie elsewhere.
    off = GeoReference((30.0, 0, 365_000 + 30 * right, 0, -30.0, 5_807_000 - 30 * down), UTM)
    found = register(one, scene_on(off, cube=ground[:400, :400]))
    assert (found.rows, found.cols) == pytest.approx((down, right), abs=0.06)
    assert found.right_m == pytest.approx(30 * right, abs=2)
    assert found.certainty == SURE
    assert found.apart == bool(down or right)
    assert found.after > 0.99
    assert ("below" in found.note) == (down > 0)


def test_other_pixel_sizes_and_light_do_not_matter() -> None:
    ground = hills(512, 512)
    blocks = ground.reshape(128, 4, 128, 4).mean(axis=(1, 3))
    coarse = GeoReference((120.0, 0, 365_000 + 90.0, 0, -120.0, 5_807_000.0), UTM)
    one = scene_on(PLACE, cube=ground[:, :, None])
    two = scene_on(coarse, cube=(5 - 2.5 * blocks)[:, :, None] * -1)
    found = register(one, two)
    assert (found.rows, found.cols) == pytest.approx((0, 3), abs=0.4)
    assert found.certainty in (SURE, LIKELY)
    other_way = register(two, one)
    assert (other_way.rows, other_way.cols) == pytest.approx((0, -0.75), abs=0.1)


def test_real_patches_that_overlap_are_found_however_far_they_lie(clearband_data: Path) -> None:
    folder = clearband_data / "wildfire" / "ams"
    first, second, third, fourth = (
        open_scene(folder / f"ams_patch_{number:02d}.tif") for number in (0, 2, 5, 1)
    )
    for other in (second, third):  # by eye they show the same ground
        found = register(first, other)
        assert found.certainty == SURE
        assert found.after > 0.99
        back = register(other, first)
        assert (back.rows, back.cols) == pytest.approx((-found.rows, -found.cols), abs=0.1)
    assert register(first, fourth).certainty == UNTOLD


def test_what_is_not_alike_is_not_told() -> None:
    noise = np.random.default_rng(0).normal(size=(2, 400, 400, 1))
    found = register(scene_on(PLACE, cube=noise[0]), scene_on(PLACE, cube=noise[1]))
    assert found.certainty == UNTOLD
    assert found.rows is None
    assert "cannot be told" in found.note
    holes = np.full((400, 400, 1), np.nan)
    assert register(scene_on(PLACE, cube=noise[0]), scene_on(PLACE, cube=holes)).parts == 0
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        register(scene_on(PLACE), scene_on(PLACE), progress=Progress(token))


def test_what_was_found_is_taken_back() -> None:
    ground = hills(300, 300)[:, :, None]
    off = GeoReference((30.0, 0, 365_000 + 66.0, 0, -30.0, 5_807_000 + 45.0), UTM)
    one, two = scene_on(PLACE, cube=ground), scene_on(off, cube=ground)
    found = register(one, two)
    move_to(two, offset_against(one, two, found.rows, found.cols, found.alignment))
    assert two.place.affine[2] == pytest.approx(365_000, abs=1.6)
    assert two.place.affine[5] == pytest.approx(5_807_000, abs=1.6)
    assert not register(one, two).apart


@given(st.tuples(st.floats(0, 59), st.floats(0, 79)), st.tuples(st.floats(0, 59), st.floats(0, 79)))
def test_a_tie_brings_both_ends_together(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    degrees = GeoReference((0.0005, 0, 13.0, 0, -0.0003, 52.4), "EPSG:4326")
    for place in (GeoReference((20.0, 0, 365_100, 0, -20.0, 5_806_900.0), UTM), degrees):
        one, two = scene_on(PLACE), scene_on(place)
        move_to(two, (7 * place.affine[0], 0.0))  # from where it is, not from its file
        move_to(two, offset_for(one, two, first, second))
        there = PLACE.from_lonlat(*two.place.to_lonlat(*second))
        assert there == pytest.approx(first, abs=1e-3)


def test_moving_is_told_and_can_be_taken_back() -> None:
    scene = scene_on(PLACE)
    move_to(scene, (12.5, -30.0))
    assert scene.place.affine[2] == 365_012.5
    assert scene.info.options["shift"] == "12.5000,-30.0000"
    assert "12.5 m east, 30 m south" in moved_notes(scene)[0]
    move_to(scene, (1.0, 0.0))
    assert scene.place.affine[2] == 365_001
    assert len(moved_notes(scene)) == 1
    move_to(scene, (0.0, 0.0))
    assert scene.place == PLACE
    assert "shift" not in scene.info.options
    assert moved_notes(scene) == []
    with pytest.raises(BadInput, match="no map coordinates"):
        move_to(scene_on(None), (1, 1))
    with pytest.raises(BadInput, match="does not say where"):
        offset_for(scene_on(None), scene, (0, 0), (0, 0))
    for text in ("12", "a,b", "1,2,3", "nan,1"):
        with pytest.raises(WrongUse, match="no shift"):
            parse_offset(text)


def test_a_moved_scene_stays_so_in_sessions_results_and_undo(
    clearband_data: Path, tmp_path: Path
) -> None:
    path = clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr"
    workspace = Workspace()
    scene = open_scene(path)
    workspace.add_scene(scene)
    start = scene.place
    heard: list[str] = []
    workspace.scene_info_changed.connect(heard.append)
    workspace.move_scene(scene.id, (45.0, 60.0), "by a tie")
    assert heard == [scene.id]
    values = np.zeros(scene.shape[:2], np.float32)
    workspace.add_overlay(ScoreMap("Map", scene.id, Provenance("ndvi"), values=values, id="map"))
    assert "Moved by hand" in workspace.overlays["map"].provenance.notes[0]
    saved = save_session(collect_state(workspace), tmp_path / "moved.clearband")
    workspace.commands.undo()
    assert scene.place == start
    workspace.commands.redo()
    assert offset_of(scene) == (45.0, 60.0)
    workspace.close()
    again = Workspace()
    restore(open_scenes(load_session(saved), saved.parent), again)
    (back,) = again.scenes.values()
    assert back.place.affine[2] == start.affine[2] + 45
    assert moved_notes(back)
    again.close()
    with open_scene(path, {"shift": "45,60"}) as opened:
        assert opened.place.affine[5] == start.affine[5] + 60
    plain = clearband_data / "wildfire" / "ams" / "ams_patch_00.tif"
    with pytest.raises(BadInput, match="no map coordinates"):
        open_scene(plain, {"shift": "1,1"})
