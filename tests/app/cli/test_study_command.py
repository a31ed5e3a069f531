"""``clearband study`` as a person types it: networks taught here, tables, resume, leaks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.main import run


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with images, masks, and two networks of one architecture."""
    root = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    for kind, label in enumerate(("above", "below")):
        (root / "set" / label).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 60, (24, 24))
            where = slice(2, 9) if kind == 0 else slice(15, 22)
            pixels[where, 8:16] += 180
            name = f"{label}_{number:04}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(root / "set" / label / name)
            mask = np.zeros((24, 24), np.uint8)
            mask[where, 8:16] = 1
            (root / "masks").mkdir(exist_ok=True)
            Image.fromarray(mask).save(root / "masks" / name)
    words = ["finetune", str(root / "set"), "--size", "16", "--group-block", "5"]
    words += ["--set", "epochs=3", "--set", "batch=8"]
    assert run([*words, "--out", str(root / "first")]) == 0
    # The same split, other weights.
    table = root / "set" / "split.csv"
    shutil.copy(root / "first" / "split.csv", table)
    words[1] = str(table)
    assert run([*words, "--seed", "1", "--out", str(root / "second")]) == 0
    return root


def words(root: Path, out: Path, *models: str) -> list[str]:
    said = ["study", str(root / "set" / "split.csv"), "--out", str(out), "--maps", "2"]
    said += ["--steps", "4", "--json"]
    for model in models:
        said += ["--model", str(root / model)]
    return said


def test_tables_figures_and_a_page(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    capsys.readouterr()
    more = ["--masks", str(taught / "masks"), "--pdf"]
    assert run([*words(taught, out, "first", "second"), *more]) == 0
    told = json.loads(capsys.readouterr().out)
    card = json.loads((taught / "first" / "network.json").read_text(encoding="utf-8"))
    every = {row["model"]: row for row in told["models"] if row["class"] == "all"}
    test = card["figures"]["test"]
    assert every["first"]["images"] == test["images"]
    assert every["first"]["accuracy"] == pytest.approx(test["accuracy"])
    assert every["first"]["locacc_paper"] is not None
    assert told["consistency"][0]["networks"] == "compact_cnn, over its seeds"
    assert told["leakage"]["in_training"]["second"] == {"images": 0, "groups": 0}
    assert "near_duplicate_pairs" in told["leakage"]["split"]
    names = {Path(p).name for p in told["written"]}
    pictures = ("maps", "knowledge", "faithfulness", "localisation", "consistency")
    pages = ("study.csv", "study.json", "study.html", "study.pdf")
    assert names == {*pages, *(f"{name}.png" for name in pictures)}
    assert (out / "study.pdf").read_bytes().startswith(b"%PDF")
    # A stopped study goes on: one network more, the first two are not asked again.
    assert run([*words(taught, out, "first", "second"), "--resume", *more[:2]]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["resumed"] == ["first", "second"]
    assert again["models"] == told["models"]


def test_networks_that_saw_the_images_are_told(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run([*words(taught, tmp_path / "o", "first"), "--part", "train"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["leakage"]["in_training"]["first"]["images"] == told["models"][0]["images"] > 0
    assert any("its figures are too good" in note for note in told["notes"])
    plain = words(taught, tmp_path / "o", "first")
    plain.remove("--json")
    assert run(plain) == 0
    said = capsys.readouterr().out
    assert "macro F1" in said
    assert "There are no masks" in said


def test_what_is_wrong_is_one_sentence(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    start = words(taught, out, "first")
    for more, code, sentence in (
        (["--part", "magic"], 2, "no part called magic"),
        (["--method", "magic"], 2, "no method called magic"),
        (["--steps", "5"], 2, "steps in fours"),
        (["--masks", str(tmp_path / "none")], 3, "none is no folder of masks"),
        (["--model", "resnet50"], 4, "weights of ResNet-50 are not here"),
        (["--model", "resnet18", "--untrained"], 3, "apart, the images are above, below"),
    ):
        assert run([*start, *more]) == code
        said = capsys.readouterr().err
        assert sentence in said
        assert "Traceback" not in said
    assert run(["study", str(taught / "set"), "--out", str(out)]) == 2
    assert "needs networks" in capsys.readouterr().err
    one = tmp_path / "one" / "only"
    one.mkdir(parents=True)
    shutil.copy(taught / "set" / "above" / "above_0000.png", one / "a.png")
    start[1] = str(one.parent)
    assert run(start) == 3
    assert "holds one class only" in capsys.readouterr().err
