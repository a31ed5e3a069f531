"""Two scenes: what changed, whether they lie on each other, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run
from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.georeference import GeoReference
from backends.overlays import ClassMap, ScoreMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra.change import co_registration, compare

NM = np.array([450.0, 550, 650, 850, 1600, 2200])


def scene_of(cube: Any, nm: Any = NM, title: str = "Early", place: Any = None) -> Scene:
    table = BandTable.build(cube.shape[2], wavelength_nm=nm)
    info = SceneInfo(None, "multispectral", table, title=title, place=place)
    return Scene(ArraySource(cube.astype(np.float32)), info)


def ground(rows: int = 120, cols: int = 140, seed: int = 0) -> Any:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    plane = gaussian_filter(rng.normal(size=(rows, cols)), 2.0)
    return 0.4 + 2 * plane[:, :, None] * np.linspace(0.5, 1.5, NM.size)


def test_change_vectors_are_those_worked_by_hand() -> None:
    cube = ground()
    later = cube.copy()
    later[10:20, 10:20] += 0.3  # brighter alike: direction 0
    later[40:50, 10:20] -= 0.3  # darker alike: direction pi
    later[70:80, 10:20] += 0.3 * np.array([1, -1, 1, -1, 1, -1])  # neither: a right angle
    later[0, 0] = np.nan
    made = compare(scene_of(cube), scene_of(later, title="Late"))
    size, flagged, direction = made.overlays
    assert isinstance(size, ScoreMap)
    assert isinstance(flagged, ClassMap)
    assert isinstance(direction, ScoreMap)
    for row, angle in ((15, 0.0), (45, np.pi), (75, np.pi / 2)):
        assert size.values[row, 15] == pytest.approx(0.3 * np.sqrt(6), rel=1e-4)
        assert direction.values[row, 15] == pytest.approx(angle, abs=2e-3)
    assert np.isnan(direction.values[100, 100])
    assert np.isnan(size.values[0, 0])
    assert flagged.labels.sum() == 300
    assert made.summary["share_changed"] == pytest.approx(300 / (cube[..., 0].size - 1))
    assert made.cut is not None
    all_of_it = compare(scene_of(cube), scene_of(later), threshold=0.0).overlays[1]
    assert all_of_it.labels.sum() == cube[..., 0].size - 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(("method", "wanted"), [("difference", 0.2), ("ratio", 1.5)])
def test_difference_and_ratio_of_matched_bands(method: str, wanted: float) -> None:
    cube = np.full((30, 30, 6), 0.4)
    later = np.full((30, 30, 4), 0.6)
    later[3, 3] = np.nan
    # The later sensor has other bands in another order.
    early, late = scene_of(cube), scene_of(later, NM[[3, 1, 4, 0]] + 4, "Late")
    made = compare(early, late, method)
    assert len(made.overlays) == 4
    assert made.overlays[0].values[5, 5] == pytest.approx(wanted, rel=1e-5)  # type: ignore[attr-defined]
    assert np.isnan(made.overlays[0].values[3, 3])  # type: ignore[attr-defined]
    (only,) = compare(early, late, method, wavelengths=[850]).overlays
    assert "850" in only.title
    zero = compare(scene_of(cube * 0), late, "ratio").overlays[0]
    assert np.isnan(zero.values).all()  # type: ignore[attr-defined]


def test_normalising_takes_a_change_of_light_away() -> None:
    cube = ground()
    made = compare(scene_of(cube), scene_of(cube * 1.4 + 0.1, title="Late"), normalise=True)
    assert np.nanmax(made.overlays[0].values) < 1e-4  # type: ignore[attr-defined]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -2), (-4, 6)])
def test_phase_correlation_finds_whole_pixels(down: int, right: int) -> None:
    wide = ground(200, 220)
    one = scene_of(wide[20:180, 20:200])
    other = scene_of(wide[20 - down : 180 - down, 20 - right : 200 - right], title="Late")
    shift = co_registration(one, other, [2], [2])
    assert shift.rows == pytest.approx(down, abs=0.1)
    assert shift.cols == pytest.approx(right, abs=0.1)
    if down:
        side = "below" if down > 0 else "above"
        assert f"Late lies {abs(shift.rows or 0):.2f} pixels {side}" in shift.note
    else:
        assert "lie on each other within" in shift.note


def test_phase_correlation_finds_parts_of_a_pixel_and_says_where_it_cannot() -> None:
    from scipy.ndimage import shift as moved

    cube = ground(160, 160)
    other = moved(cube, (0.4, -0.7, 0), order=3, mode="nearest")
    found = co_registration(scene_of(cube), scene_of(other), [2], [2])
    assert found.rows == pytest.approx(0.4, abs=0.1)
    assert found.cols == pytest.approx(-0.7, abs=0.1)
    rng = np.random.default_rng(1)
    noise = [scene_of(rng.normal(size=(600, 600, 6))) for _ in range(2)]
    told = co_registration(noise[0], noise[1], [2], [2])
    assert told.rows is None
    assert "could not be told" in told.note


def test_what_cannot_be_compared_is_a_sentence() -> None:
    early = scene_of(ground())
    with pytest.raises(BadInput, match=r"120 × 140 pixels, Late is 119 × 140") as raised:
        compare(early, scene_of(ground()[:-1], title="Late"))
    assert "reproject" in raised.value.way_out
    with pytest.raises(BadInput, match="no band in common"):
        compare(early, scene_of(ground(), NM + 40, "Late"))
    with pytest.raises(BadInput, match="no good band within 50 nm of 1000"):
        compare(early, early, wavelengths=[1000])
    with pytest.raises(WrongUse, match="no method sum"):
        compare(early, early, "sum")
    many = np.linspace(400, 900, 20)
    wide = scene_of(np.ones((20, 20, 20)), many)
    with pytest.raises(WrongUse, match="20 bands would be as many maps"):
        compare(wide, wide, "difference")
    here = GeoReference((30.0, 0, 0, 0, -30.0, 0), "EPSG:32633")
    for place, said in (
        (GeoReference((30.0, 0, 0, 0, -30.0, 0), "EPSG:32632"), "different coordinate systems"),
        (GeoReference((30.0, 0, 90.0, 0, -30.0, 0), "EPSG:32633"), "3.0 pixels beside"),
    ):
        with pytest.raises(BadInput, match=said):
            compare(scene_of(ground(), place=here), scene_of(ground(), place=place))


def test_the_command_line_writes_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from backends.simulate import demo_scene

    scene, _ = demo_scene("valley", size=32, folder=tmp_path)
    out = tmp_path / "o"
    assert run(["spectra", "change", str(scene), str(scene), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["shift_rows"] == said["shift_columns"] == 0
    assert {p.name for p in out.iterdir()} >= {
        "size_of_change.tif", "direction_of_change.tif", "changed.tif", "result.json"
    }  # fmt: skip
