"""What an analyst can hand over by mistake: one plain sentence each, and no silent nonsense."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli.root import invoke
from backends.bands import BandTable
from backends.errors import BadInput
from backends.io import open_scene
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra.background import background_of
from backends.spectra.detectors import local_rx_map, rx_map
from backends.spectra.transforms import component_maps, pca

NM = np.linspace(450, 2350, 30)
MIXED = np.where(NM < 1000, NM, NM / 1000)
HERE = "{UTM, 1, 1, 360000, 5810000, 30, 30, 33, North, WGS-84, units=Meters}"
ZONE_32 = HERE.replace("30, 33, North", "30, 32, North")
FAR = HERE.replace("360000, 5810000", "760000, 5110000")


def values(rows: int = 20) -> np.ndarray:
    random = np.random.default_rng(0)
    mixed = random.random((rows, rows, 3)) @ random.random((3, 30))
    return (mixed + 0.01 * random.normal(size=(rows, rows, 30))).astype(np.float32)


def envi(
    path: Path,
    cube: np.ndarray,
    nm: np.ndarray | None = NM,
    place: str = HERE,
    kind: str = "ENVI Standard",
) -> Path:
    """Write an ENVI file without a word on the unit of its wavelengths."""
    lines, samples, bands = cube.shape
    path.with_suffix(".dat").write_bytes(np.ascontiguousarray(cube).tobytes())
    code = {"float32": 4, "uint8": 1}[cube.dtype.name]
    header = (
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = 0\n"
        f"file type = {kind}\ndata type = {code}\ninterleave = bip\nbyte order = 0\n"
    )
    if nm is not None:
        header += "wavelength = {" + ", ".join(f"{v:.6g}" for v in nm) + "}\n"
    path.with_suffix(".hdr").write_text(header + (f"map info = {place}\n" if place else ""))
    return path.with_suffix(".hdr")


def library(path: Path, nm: np.ndarray | None) -> Path:
    return envi(path, values()[[1, 5, 9], [2, 7, 11]][..., None], nm, "", "ENVI Spectral Library")


def labels(path: Path, classes: np.ndarray, place: str = HERE) -> Path:
    return envi(path, classes.astype(np.uint8)[..., None], None, place)


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Return a function that runs a command, and gives its exit code and what it said."""
    folder = str(tmp_path / "out")

    def run(*words: object) -> tuple[int, str, dict[str, Any]]:
        code = invoke([*map(str, words), "--out", folder, *(["--json"])])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "unexpected problem" not in err
        return code, err, json.loads(out) if code == 0 else {}

    return run


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return envi(tmp_path / "sound", values())


@pytest.mark.parametrize("tool", ["match", "unmix", "target"])
def test_a_library_without_wavelengths(tool: str, say: Any, sound: Path, tmp_path: Path) -> None:
    code, said, _ = say("spectra", tool, sound, "--library", library(tmp_path / "lib", None))
    assert code == 3
    assert "lib does not say at which wavelengths" in said
    assert "'wavelength = {…}'" in said


def test_nm_and_micrometres_are_brought_together(say: Any, sound: Path, tmp_path: Path) -> None:
    micro = envi(tmp_path / "micro", values(), NM / 1000)
    for scene in (sound, micro):
        for nm in (NM, NM / 1000):
            code, _, made = say("spectra", "match", scene, "--library", library(tmp_path / "l", nm))
            assert code == 0
            assert made["bands"] == 30
    table = tmp_path / "micro.csv"
    head = ",".join(["name", *(f"{v:g}" for v in NM / 1000)])
    row = ",".join(["a", *(f"{v:g}" for v in values()[1, 1])])
    table.write_text(f"{head}\n{row}\n")
    assert say("spectra", "match", sound, "--library", table)[2]["bands"] == 30


def test_nm_and_micrometres_in_one_list_are_refused(say: Any, sound: Path, tmp_path: Path) -> None:
    code, said, _ = say("spectra", "match", sound, "--library", library(tmp_path / "l", MIXED))
    assert (code, "partly in nm, partly in µm" in said) == (3, True)
    table = tmp_path / "mixed.csv"
    row = ",".join(["a", *(f"{v:g}" for v in values()[1, 1])])
    table.write_text(",".join(["name", *(f"{v:g}" for v in MIXED)]) + f"\n{row}\n")
    code, said, _ = say("spectra", "match", sound, "--library", table)
    assert (code, "Write all of them in nm" in said) == (3, True)
    mixed = envi(tmp_path / "mixed_scene", values(), MIXED)
    with open_scene(mixed) as scene:
        assert not scene.bands.has_wavelengths
        assert any("partly in nm, partly in µm" in note for note in scene.info.notes)
    code, said, _ = say("spectra", "expr", mixed, "b[860] / b[650]")
    assert (code, "does not know its wavelengths" in said) == (3, True)


def test_a_wrong_unit_is_seen_by_its_range(say: Any, sound: Path, tmp_path: Path) -> None:
    wrong = library(tmp_path / "wrong", NM / 1000)
    wrong.write_text(wrong.read_text() + "wavelength units = Nanometers\n")
    code, said, _ = say("spectra", "match", sound, "--library", wrong)
    assert code == 3
    assert "wrong runs from 0.45 to 2.35 nm, sound.dat from 450 to 2350 nm" in said
    assert "Check the unit" in said
    code, said, _ = say("spectra", "expr", sound, "b[0.86] / b[0.65]")
    assert (code, "Wavelengths are in nm: write 860 for 0.86 µm" in said) == (3, True)


@pytest.mark.parametrize("tool", ["regions", "match", "target", "unmix"])
@pytest.mark.parametrize(
    ("corner", "side", "sentence"),
    [
        ((360_031, 5_809_969), 2, "No area of area.geojson lies on a pixel"),  # between centres
        ((500_000, 5_000_000), 200, "No area of area.geojson lies on a pixel"),  # outside
        (None, 0, "holds no polygon"),
    ],
)
def test_regions_that_hold_no_pixel(
    tool: str,
    corner: tuple[float, float] | None,
    side: float,
    sentence: str,
    say: Any,
    sound: Path,
    tmp_path: Path,
) -> None:
    features = []
    if corner is not None:
        x, y = corner
        ring = [[x, y], [x + side, y], [x + side, y - side], [x, y - side], [x, y]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        features = [{"type": "Feature", "properties": {"class": "a"}, "geometry": shape}]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    code, said, _ = say("spectra", tool, sound, "--areas", area)
    assert code == 3
    assert sentence in said
    code, said, _ = say(
        "spectra", tool, sound, "--areas", labels(tmp_path / "l", np.zeros((20, 20)))
    )
    assert (code, "no labelled pixel" in said) == (3, True)


@pytest.mark.parametrize("each", [[], ["--each"]])
def test_areas_that_lie_outside_are_named(
    each: list[str], say: Any, sound: Path, tmp_path: Path
) -> None:
    def square(name: str, x: float, y: float) -> dict[str, Any]:
        ring = [[x, y], [x + 150, y], [x + 150, y - 150], [x, y - 150], [x, y]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "properties": {"class": name}, "geometry": shape}

    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    features = [square("here", 360_030, 5_809_970), square("far", 500_000, 5_000_000)]
    path = tmp_path / "part.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    code, _, made = say("spectra", "regions", sound, "--areas", path, *each)
    assert code == 0
    assert made["notes"] == ["Hold no pixel of sound.dat, so left out (1): far."]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rx"], "25 pixels are too few to describe 30 bands"),
        (["rx", "--components", "25"], "25 pixels are too few to describe 25 components"),
        (["rx", "--window", "1,3"], "ring around a pixel holds 8 pixels, too few for 30 bands"),
        (["mnf"], "16 pixels are too few"),
        (["target", "--at", "1,1"], "25 pixels are too few"),
        (["target", "--at", "1,1", "--method", "matched_filter"], "25 pixels are too few"),
        (["target", "--at", "1,1", "--method", "cem"], "25 pixels are too few"),
        (["unmix"], "too few for 30 bands to count materials. Say how many"),
    ],
)
def test_more_bands_than_pixels(words: list[str], sentence: str, say: Any, tmp_path: Path) -> None:
    tiny = envi(tmp_path / "tiny", values(5))
    code, said, _ = say("spectra", words[0], tiny, *words[1:])
    assert code == 3
    assert re.search(sentence, said)


def test_fewer_components_than_pixels_are_a_way_out(say: Any, tmp_path: Path) -> None:
    tiny = envi(tmp_path / "tiny", values(5))
    code, _, made = say("spectra", "rx", tiny, "--components", "3")
    assert (code, made["dimensions"]) == (0, 3)
    with open_scene(tiny) as scene:
        found = background_of(scene)
        scores, kept = rx_map(scene, found, components=3)
        maps = component_maps(scene, pca(found, 3)).reshape(3, -1)
    wanted = np.einsum("ip,ij,jp->p", maps, np.linalg.inv(np.cov(maps)), maps)
    assert kept == 3
    np.testing.assert_allclose(scores.ravel(), wanted, rtol=1e-3)


@pytest.mark.parametrize("tool", ["rx", "pca", "mnf", "ica", "target"])
def test_a_scene_that_is_the_same_everywhere(tool: str, say: Any, tmp_path: Path) -> None:
    flat = envi(tmp_path / "flat", np.full((20, 20, 30), 0.3, np.float32))
    words = ["--at", "1,1"] if tool == "target" else []
    code, said, _ = say("spectra", tool, flat, *words)
    assert (code, "All pixels are the same" in said) == (3, True)


@pytest.mark.parametrize(
    ("place", "sentence"), [(ZONE_32, "different coordinate systems"), (FAR, "pixels beside")]
)
def test_what_lies_elsewhere_on_the_map(
    place: str, sentence: str, say: Any, sound: Path, tmp_path: Path
) -> None:
    other = envi(tmp_path / "other", values() * np.float32(1.1), place=place)
    classes = np.repeat([1, 2], 10)[:, None].repeat(20, axis=1)
    areas, here = labels(tmp_path / "areas", classes, place), labels(tmp_path / "here", classes)
    for words in (
        ["spectra", "change", sound, other],
        ["spectra", "expr", sound, "b[860] - o[860]", "--scene", f"o={other}"],
        ["spectra", "regions", sound, "--areas", areas],
        ["spectra", "match", sound, "--areas", areas],
        ["classify", sound, "--labels", areas, "--model", "maximum_likelihood"],
        ["assess", here, "--reference", areas],
    ):
        code, said, _ = say(*words)
        assert code == 3, words
        assert sentence in said
        assert "reproject" in said
    # What knows no place is taken at its word.
    plain = labels(tmp_path / "plain", classes, "")
    assert say("spectra", "match", sound, "--areas", plain)[0] == 0


@pytest.mark.parametrize("formula", ["b[860] / 0", "1 / (b[860] - b[860])", "log(0 - b[860])"])
def test_division_by_zero_is_no_value_and_said(formula: str, say: Any, sound: Path) -> None:
    code, _, made = say("spectra", "expr", sound, formula)
    assert code == 0
    assert made["notes"] == ["400 pixels have no value: nothing measured, or division by zero."]
    (written,) = [p for p in made["written"] if p.endswith(".tif")]
    with open_scene(written) as layer:
        assert np.isnan(layer.read(physical=True)).all()


def scene_of(cube: np.ndarray) -> Scene:
    return Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(cube.shape[2])))


def test_holes_inside_a_window_are_left_out_of_it(say: Any, tmp_path: Path) -> None:
    cube = values()[..., ::10].copy()
    holed = cube.copy()
    holed[8:11, 5:12] = np.nan
    scores = local_rx_map(scene_of(holed), (1, 5))
    assert np.isnan(scores[8:11, 5:12]).all()
    checked = 0
    for row, col in ((7, 8), (9, 4), (9, 12), (6, 6), (15, 15)):
        part = holed[row - 2 : row + 3, col - 2 : col + 3].astype(float)
        ring = np.delete(part.reshape(25, -1), 12, axis=0)
        ring = ring[np.isfinite(ring).all(axis=1)]
        away = holed[row, col] - ring.mean(axis=0)
        wanted = away @ np.linalg.solve(np.cov(ring.T), away)
        assert scores[row, col] == pytest.approx(wanted, rel=1e-3)
        checked += len(ring) < 24
    assert checked == 4
    # Where too little is left around a pixel it has no score, and that is said.
    lonely = np.full_like(cube, np.nan)
    lonely[:, :9] = cube[:, :9]
    lonely[9, 15] = cube[9, 15]
    path = envi(tmp_path / "lonely", lonely, NM[::10])
    code, _, made = say("spectra", "rx", path, "--window", "1,5")
    assert code == 0
    assert "220 pixels have no score: nothing measured there, or too few pixels" in str(
        made["notes"]
    )


def test_a_pixel_without_values_is_no_reference(say: Any, tmp_path: Path) -> None:
    cube = values()
    cube[4:9, 3:17] = np.nan
    holed = envi(tmp_path / "holed", cube)
    for tool in ("match", "target", "unmix"):
        code, said, _ = say("spectra", tool, holed, "--at", "5,5", "--at", "1,1")
        assert (code, "Nothing was measured at row 5, column 5" in said) == (3, True)


@pytest.mark.parametrize(
    "model",
    ["svm", "random_forest", "maximum_likelihood", "spectral_angle", "k_nearest",
     "gradient_boosting"],
)  # fmt: skip
def test_one_class_teaches_nothing(model: str, say: Any, sound: Path, tmp_path: Path) -> None:
    one = labels(tmp_path / "one", np.repeat([1, 0], 10)[:, None].repeat(20, axis=1))
    code, said, _ = say("classify", sound, "--labels", one, "--model", model)
    assert (code, "at least two classes" in said) == (3, True)
    code, said, _ = say("assess", one, "--reference", one)
    assert (code, "holds one class only" in said) == (3, True)


def test_a_sentence_for_each_is_a_bad_input() -> None:
    flat = scene_of(np.full((6, 6, 3), 0.3, np.float32))
    with pytest.raises(BadInput, match="All pixels are the same"):
        pca(background_of(flat))
