"""Regions that are found, what they hold, and the files they go to."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from app.cli.root import invoke
from backends.bands import BandTable
from backends.errors import BadInput, ClearbandError, WrongUse
from backends.georeference import GeoReference
from backends.io.areas import read_areas
from backends.io.writers.regions import write_regions
from backends.regions import Region
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra import region_figures as figures_module
from backends.spectra.library import read_library
from backends.spectra.region_figures import region_figures
from backends.spectra.region_making import Wand, formula_mask, regions_of_mask, wand_mask

UTM = GeoReference((30.0, 0.0, 360_000.0, 0.0, -30.0, 5_810_000.0), "EPSG:32633")


def field(rows: int = 40, cols: int = 50, place: GeoReference | None = UTM) -> Scene:
    """Return two grounds; the second lies in two places."""
    rng = np.random.default_rng(3)
    cube = np.empty((rows, cols, 6), np.float32)
    cube[:] = [0.1, 0.12, 0.1, 0.5, 0.4, 0.3]
    for part in ((slice(5, 15), slice(5, 15)), (slice(25, 35), slice(30, 45))):
        cube[part] = [0.3, 0.25, 0.2, 0.15, 0.1, 0.1]
    cube += rng.normal(0, 0.002, cube.shape).astype(np.float32)
    cube[7, 7] = np.nan
    bands = BandTable.build(6, wavelength_nm=(450, 550, 660, 860, 1600, 2200))
    info = SceneInfo(None, "hyperspectral", bands, place=place, title="Field", nodata=None)
    return Scene(ArraySource(cube), info)


def square(name: str, scene: Scene, row: float, col: float, size: float) -> Region:
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float) * size - 0.5
    return Region(name, scene.id, corners + np.array([row, col]))


@pytest.mark.parametrize("measure", ["angle", "distance"])
def test_the_wand_takes_what_hangs_together_or_all_that_is_alike(measure: str) -> None:
    scene = field()
    near = wand_mask(scene, 10, 10, Wand(0.2, measure))
    wanted = np.zeros((40, 50), bool)
    wanted[5:15, 5:15] = True
    wanted[7, 7] = False
    np.testing.assert_array_equal(near, wanted)
    wanted[25:35, 30:45] = True
    np.testing.assert_array_equal(
        wand_mask(scene, 10, 10, Wand(0.2, measure, connected=False)), wanted
    )


def test_the_wand_looks_as_far_as_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = field()
    whole = wand_mask(scene, 20, 20, Wand(0.2))
    monkeypatch.setattr("backends.spectra.region_making._FIRST", 2)
    np.testing.assert_array_equal(wand_mask(scene, 20, 20, Wand(0.2)), whole)
    assert whole.sum() == 40 * 50 - 100 - 150


def test_a_mask_becomes_its_own_outlines() -> None:
    rng = np.random.default_rng(1)
    mask = rng.random((40, 50)) > 0.45
    mask[5:20, 5:20] = True
    mask[8:12, 8:12] = False
    (region,) = regions_of_mask(mask, "s", "All")
    np.testing.assert_array_equal(region.mask((40, 50)), mask)
    pieces = regions_of_mask(mask, "s", "Piece", least_pixels=5, each=True)
    sizes = [p.mask((40, 50)).sum() for p in pieces]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= 5
    assert [p.name for p in pieces[:2]] == ["Piece 1", "Piece 2"]
    assert len({p.color for p in pieces}) == len(pieces)
    with pytest.raises(BadInput, match="No piece has 5,000 pixels"):
        regions_of_mask(mask, "s", "Piece", least_pixels=5000)
    with pytest.raises(BadInput, match="No pixel is left"):
        regions_of_mask(mask & False, "s", "Piece")
    with pytest.raises(BadInput, match="more than can be drawn"):
        regions_of_mask(np.indices((100, 100)).sum(axis=0) % 2 == 0, "s", "Dots")


def test_a_threshold_is_a_formula() -> None:
    scene = field()
    mask = formula_mask(scene, "b[860] < 0.3")
    wanted = np.zeros((40, 50), bool)
    wanted[5:15, 5:15] = wanted[25:35, 30:45] = True
    wanted[7, 7] = False  # nothing measured is nowhere
    np.testing.assert_array_equal(mask, wanted)


def test_figures_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = field()
    region = square("Mixed", scene, 3, 3, 20)
    monkeypatch.setattr(figures_module, "_BUDGET", 2000)  # several strips
    (found,) = region_figures(scene, [region])
    values = scene.read(physical=True)[3:23, 3:23].reshape(-1, 6).astype(float)
    assert (found.pixels, found.measured) == (400, 399)
    for name, take in (
        ("mean", np.nanmean), ("std", np.nanstd), ("minimum", np.nanmin),
        ("median", np.nanmedian), ("maximum", np.nanmax),
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(found, name), take(values, axis=0), rtol=1e-6)
    assert found.area_m2 == pytest.approx(400 * 900, rel=1e-3)
    assert found.area_ha == pytest.approx(36, rel=1e-3)
    assert found.notes == ()
    monkeypatch.setattr(figures_module, "MOST_FOR_MEDIAN", 100)
    (rough,) = region_figures(scene, [region])
    assert rough.sampled == 100
    assert "100 of 400 pixels" in rough.notes[0]
    np.testing.assert_allclose(rough.mean, found.mean)


def test_regions_go_to_files_and_come_back(tmp_path: Path) -> None:
    scene = field()
    (several,) = regions_of_mask(formula_mask(scene, "b[860] < 0.3"), scene.id, "Soil")
    regions = [several, square("Box", scene, 20, 2, 8)]
    for name in ("a.gpkg", "a.geojson"):
        (path,) = write_regions(scene, regions, tmp_path / name)
        back = read_areas(path, scene).regions
        assert [r.name for r in back] == ["Soil", "Box"]
        for one, other in zip(back, regions, strict=True):
            np.testing.assert_array_equal(one.mask((40, 50)), other.mask((40, 50)))
    info, _, wkb, columns = pyogrio.raw.read(str(tmp_path / "a.gpkg"))
    rows = dict(zip(info["fields"], columns, strict=True))
    assert info["crs"] == "EPSG:32633"
    assert rows["pixels"].tolist() == [249, 64]
    np.testing.assert_allclose(shapely.area(shapely.from_wkb(wkb)), rows["area_m2"], rtol=2e-3)
    assert rows["color"].tolist() == [r.shown_color for r in regions]
    sizes, spectra = write_regions(scene, regions, tmp_path / "a.csv")
    with spectra.open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == 12
    assert set(table[0]) >= {"region", "wavelength_nm", "mean", "std", "minimum", "median"}
    assert "Soil" in sizes.read_text(encoding="utf-8")
    (library,) = write_regions(scene, regions, tmp_path / "a.sli")
    read = read_library(library)
    assert read.names == ("Soil", "Box")
    np.testing.assert_allclose(
        read.values[1], [float(r["mean"]) for r in table if r["region"] == "Box"], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda s: region_figures(s, []), "There are no regions"),
        (lambda s: region_figures(s, [square("Far", s, 400, 3, 5)]), "Far lies outside Field"),
        (lambda s: region_figures(s, [square("Dot", s, 3.7, 3.7, 0.4)]), "centre of no pixel"),
        (lambda s: wand_mask(s, 7, 7, Wand()), "Nothing was measured at row 7, column 7"),
        (lambda s: wand_mask(s, 70, 7, Wand()), "lies outside Field"),
        (lambda s: wand_mask(s, 1, 1, Wand(measure="shape")), "no measure shape"),
        (lambda s: wand_mask(s, 1, 1, Wand(0)), "tolerance is above 0"),
        (lambda s: write_regions(s, [], Path("a.gpkg")), "no regions to write"),
        (lambda s: write_regions(s, [square("A", s, 3, 3, 5)], Path("a.doc")), "not written as"),
        (
            lambda s: write_regions(field(place=None), [square("A", s, 3, 3, 5)], Path("a.gpkg")),
            "does not say where it lies",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(ask: object, sentence: str) -> None:
    with pytest.raises(ClearbandError, match=sentence):
        ask(field())  # type: ignore[operator]


def test_the_command_line_finds_and_measures_them(
    clearband_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    potsdam = str(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr")
    green, wand = tmp_path / "green.gpkg", tmp_path / "wand.geojson"
    words = ["spectra", "areas", potsdam, "--where", "b[860] > 0.3", "--least", "20", "--each"]
    assert invoke([*words, "--name", "Green", "--out", str(green)]) == 0
    assert invoke(["spectra", "areas", potsdam, "--wand", "30,64", "--out", str(wand)]) == 0
    out = tmp_path / "figures"
    assert invoke(["spectra", "regions", potsdam, "--areas", str(green), "--each", "--out",
                   str(out)]) == 0  # fmt: skip
    names = {path.name for path in out.iterdir()}
    assert {"areas.csv", "spectra.csv", "spectra.sli", "spectra.hdr", "areas.gpkg"} <= names
    assert "Green 1" in (out / "areas.csv").read_text(encoding="utf-8")
    capsys.readouterr()
    assert invoke(["spectra", "areas", potsdam, "--out", str(green)]) == WrongUse.exit_code
    assert "Areas are found one way" in capsys.readouterr().err
