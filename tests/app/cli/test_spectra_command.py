"""``clearband spectra``: each tool on a real scene, files on disk, errors of one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.cli.root import invoke
from backends.io import open_scene

TOOLS = {
    "stats": [],
    "pca": ["--components", "3"],
    "mnf": ["--components", "3"],
    "ica": ["--components", "2"],
    "rx": ["--false-alarms", "0.01"],
    "unmix": ["--count", "4"],
    "match": ["--at", "10,20", "--at", "40,100"],
    "target": ["--at", "10,20", "--method", "cem"],
    "expr": ["(b[860] - b[660]) / (b[860] + b[660])", "--title", "NDVI"],
}


@pytest.fixture
def potsdam(clearband_data: Path) -> Path:
    return clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr"


@pytest.mark.parametrize("tool", list(TOOLS))
def test_each_tool_writes_what_it_says(
    tool: str, potsdam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["spectra", tool, str(potsdam), *TOOLS[tool], "--out", str(tmp_path), "--json"]
    assert invoke(words) == 0
    values = json.loads(capsys.readouterr().out)
    written = [Path(p) for p in values["written"]]
    assert written
    assert all(p.is_file() for p in written)
    rasters = [p for p in written if p.suffix == ".tif"]
    assert bool(rasters) == (tool != "stats")
    for path in rasters:
        with open_scene(path) as layer, open_scene(potsdam) as scene:
            assert layer.shape[:2] == scene.shape[:2]
            assert layer.place is not None
            assert np.isfinite(layer.read(physical=True)).any()


def test_a_library_is_ranked_and_vegetation_comes_first(
    potsdam: Path, clearband_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = clearband_data / "hsi" / "speclib" / "library_berlin.hdr"
    words = ["spectra", "match", str(potsdam), "--library", str(library)]
    assert invoke([*words, "--rank", "10,20", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["ranking"][:5]
    assert all(any(w in r["reference"] for w in ("grass", "tree", "potato")) for r in first)
    assert [r["rank"] for r in first] == [1, 2, 3, 4, 5]


def test_areas_give_sizes_in_hectares(
    potsdam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = potsdam.with_name("enmap_potsdam_a_labels.hdr")
    words = ["spectra", "regions", str(potsdam), "--areas", str(labels)]
    assert invoke([*words, "--out", str(tmp_path), "--json"]) == 0
    classes = {c["class"]: c for c in json.loads(capsys.readouterr().out)["classes"]}
    assert classes["water"]["pixels"] == 359
    assert classes["water"]["area_ha"] == pytest.approx(359 * 0.09)
    assert (tmp_path / "spectra.csv").read_text().startswith("class,band,wavelength_nm,mean")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["match", "{scene}"], 3, "nothing to compare with"),
        (["match", "{scene}", "--at", "10;20"], 2, "no place"),
        (["match", "{scene}", "--at", "1,1", "--measure", "angel"], 2, "no measure angel"),
        (["match", "{scene}", "--at", "999,1"], 3, "lies outside"),
        (["match", "{photo}", "--library", "{library}"], 3, "does not know its wavelengths"),
        (["match", "{scene}", "--library", "{library}", "--name", "gold"], 3, "called gold"),
        (["expr", "{scene}", "b[860"], 3, "no formula"),
        (["rx", "{scene}", "--window", "3,15"], 3, "too few for 218 bands"),
        (["rx", "{scene}", "--false-alarms", "2"], 2, "between 0 and 1"),
        (["unmix", "{scene}", "--count", "500"], 2, "500 endmembers"),
        (["unmix", "{scene}", "--at", "1,1"], 3, "two or more"),
        (["target", "{scene}", "--at", "1,1", "--method", "x"], 2, "no detector x"),
        (["regions", "{scene}", "--areas", "{other}"], 3, "lies on a pixel|pixels"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str],
    code: int,
    sentence: str,
    potsdam: Path,
    clearband_data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import re

    places = {
        "scene": str(potsdam),
        "photo": str(clearband_data / "weights" / "sample_images" / "hot_dog.jpg"),
        "library": str(clearband_data / "hsi" / "speclib" / "library_berlin.hdr"),
        "other": str(clearband_data / "hsi" / "indian_pines" / "Indian_pines_gt.mat"),
    }
    assert invoke(["spectra", *[w.format(**places) for w in words]]) == code
    said = capsys.readouterr().err
    assert re.search(sentence, said)
    assert "Traceback" not in said
