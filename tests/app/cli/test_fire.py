"""``clearband fire`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from app.cli.root import invoke
from backends.simulate.ams import simulate_ams


def write_line(folder: Path, name: str, seed: int, size: int = 96) -> tuple[Path, Path]:
    """Write a simulated line in the published 12-band form, with its mask."""
    made = simulate_ams(size, seed=seed)
    stored = made.stored()
    profile = {
        "driver": "GTiff", "height": size, "width": size, "dtype": "uint8",
        "crs": "EPSG:32610", "transform": rasterio.Affine(*made.place.affine),
    }  # fmt: skip
    scene, mask = folder / f"{name}.tif", folder / f"{name}_mask.tif"
    with rasterio.open(scene, "w", count=12, **profile) as file:
        file.write(stored.transpose(2, 0, 1))
    with rasterio.open(mask, "w", count=1, **profile) as file:
        file.write(made.truth.astype(np.uint8), 1)
    return scene, mask


def test_rules_then_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = write_line(tmp_path, "one", 1), write_line(tmp_path, "two", 2)
    out = tmp_path / "found"
    assert invoke(["fire", str(one[0]), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said["rules"]) == ["A", "B", "C", "F"]
    assert any("8-bit" in note for note in said["notes"])
    with rasterio.open(out / "rule_a_absolute_thresholds.tif") as file:
        assert file.crs.to_epsg() == 32610
        mask = file.read(1) == 1
    with rasterio.open(one[1]) as file:
        truth = file.read(1) > 0
    assert (mask & truth).sum() > 0.9 * truth.sum()

    weights = tmp_path / "fire.safetensors"
    words = ["fire", "train", f"{one[0]}={one[1]}", f"{other[0]}={other[1]}", "--hold", "two"]
    words += ["--out", str(weights), "--bands", "11", "--device", "cpu", "--json"]
    for number in ("crop=32", "classifier_crop=64", "segmenter_epochs=1", "classifier_epochs=1"):
        words += ["--set", number]
    assert invoke(words) == 0
    taught = json.loads(capsys.readouterr().out)
    assert taught["lines_held"] == ["two"]
    out = tmp_path / "both"
    words = ["fire", str(one[0]), "--out", str(out), "--model", str(weights), "--rules", "A"]
    assert invoke([*words, "--gate", "0", "--device", "cpu", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["model"]["tiles_opened"] == said["model"]["tiles"] == 1
    assert (out / "fire_probability.tif").is_file()
    assert (out / "rules_and_model.tif").is_file()
    kept = json.loads((out / "fire.json").read_text(encoding="utf-8"))
    assert kept["tiles"][0]["opened"] is True


def test_numbers_of_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, _ = write_line(tmp_path, "one", 1)
    words = ["fire", str(scene), "--out", str(tmp_path / "x"), "--rules", "A"]
    assert invoke([*words, "--set", "A.day_k=400", "--json"]) == 0
    few = json.loads(capsys.readouterr().out)["rules"]["A"]["pixels"]
    assert invoke([*words, "--json"]) == 0
    assert few < json.loads(capsys.readouterr().out)["rules"]["A"]["pixels"]
    assert invoke([*words, "--set", "A.hours=3"]) == 2
    assert "Rule A has no number hours" in capsys.readouterr().err


def test_a_pixel_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, mask = write_line(tmp_path, "one", 1)
    with rasterio.open(mask) as file:
        row, col = (int(v[0]) for v in np.nonzero(file.read(1)))
    words = ["fire", str(scene), "--at", f"{row},{col}"]
    assert invoke(words) == 0
    said = capsys.readouterr().out
    assert "A Absolute thresholds" in said
    assert "> 325 K" in said
    assert invoke([*words, "--set", "A.day_k=400", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rules"]["A"]["decided"]["limit"] == 400
    assert invoke(["fire", str(scene), "--at", "5"]) == 2
    assert invoke(["fire", str(scene)]) == 2
    assert "where the results go" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--rules", "E"], 2, "no fire rule E"),
        (["--units", "kelvins"], 2, "no unit called kelvins"),
        (["--channels", "1,2"], 2, "2 channels were named for 12 bands"),
        (["--gate", "3"], 2, "are probabilities"),
        (["--model", "none.safetensors"], 3, "do not exist"),
    ],
)
def test_wrong_use_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, sentence: str
) -> None:
    scene, _ = write_line(tmp_path, "one", 1, 48)
    assert invoke(["fire", str(scene), "--out", str(tmp_path / "x"), *words]) == code
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_scene_without_heat(clearband_data: Path, tmp_path: Path) -> None:
    picture = clearband_data / "wildfire" / "rgb" / "fire_image_01.png"
    assert invoke(["fire", str(picture), "--out", str(tmp_path / "x")]) == 3


def test_a_draft_line_and_its_products(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, _ = write_line(tmp_path, "one", 1)
    out = tmp_path / "found"
    words = ["fire", str(scene), "--out", str(out), "--rules", "A", "--perimeter"]
    words += ["--incident", "Goat Peak", "--time", "2026-08-29T04:12Z", "--json"]
    assert invoke(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert all(Path(path).is_file() for path in said["written"])
    stem = "20260829_0412_GoatPeak_IR_DRAFT"
    for name in (f"{stem}.gpkg", f"{stem}_11x17.pdf", f"{stem}_SHA256.txt", "draft.perimeter"):
        assert (out / "perimeter" / name).is_file()
