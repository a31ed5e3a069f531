"""``clearband concepts`` and ``clearband bottleneck`` on real images, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.main import run
from tests.app.conftest import write_envi

CLASSES = ("Airport", "Beach", "Forest")


@pytest.fixture(scope="module")
def folder(clearband_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("aerial")
    for name in CLASSES:
        (root / name).mkdir()
        for path in sorted((clearband_data / "aerial_aid" / name).glob("*.jpg"))[:8]:
            shutil.copy(path, root / name)
    return root


@pytest.fixture(scope="module")
def weights(clearband_data: Path) -> Path:
    return clearband_data / "weights/imagenet/squeezenet1_0_torchvision.safetensors"


@pytest.fixture(scope="module")
def trained(folder: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(tmp_path_factory.mktemp("home")))
        out = tmp_path_factory.mktemp("trained")
        words = ["concepts", "train", str(folder), "--weights", str(weights), "--concepts", "64"]
        words += ["--layer", "features.11", "--steps", "60", "--batch", "256", "--rate", "3e-3"]
        assert run([*words, "--out", str(out), "--json"]) == 0
    return out


def test_concepts_of_an_image_by_pixel(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sorted((folder / "Beach").glob("*.jpg"))[0]
    code = run(["concepts", str(image), "--model", str(trained), "--at", "40,50", "--json",
                "--out", str(tmp_path)])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["at"] == {"row": 40, "col": 50}
    assert told["decision"]["classes"] == list(CLASSES)
    assert told["command"].startswith(f"concepts {image}")
    assert {Path(f).suffix for f in told["files"]} == {".tif", ".npy", ".graphml", ".json"}
    one = told["decision"]["before"]
    total = sum(p["amount"] for p in one["parts"])
    assert total == pytest.approx(one["logits"][one["target"]], abs=1e-4)
    assert "after" not in told["decision"]


def test_a_decision_with_concepts_scaled_set_and_taken_away(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sorted((folder / "Beach").glob("*.jpg"))[0]
    words = ["concepts", str(image), "--model", str(trained), "--out", str(tmp_path), "--json"]
    assert run([*words, "--why", "Forest"]) == 0
    parts = json.loads(capsys.readouterr().out)["decision"]["before"]["parts"]
    one, two, three = (p["concept"] for p in parts[:3])
    changed = ["--scale", f"{one}=0.5", "--set", f"{two}=1.25", "--without", str(three)]
    assert run([*words, "--why", "Forest", *changed]) == 0
    told = json.loads(capsys.readouterr().out)["decision"]
    assert told == json.loads((tmp_path / f"{image.stem}_decision.json").read_text("utf-8"))
    assert {c["concept"]: c["change"] for c in told["changes"]} == {
        one: "at 50\u00a0%", two: "set to 1.25", three: "taken away"
    }  # fmt: skip
    before, after = told["before"], told["after"]
    assert before["target_class"] == after["target_class"] == "Forest"
    amounts = {side: {p["concept"]: p["amount"] for p in told[side]["parts"]} for side in
               ("before", "after")}  # fmt: skip
    assert amounts["after"][one] == pytest.approx(amounts["before"][one] / 2)
    assert amounts["after"][three] == 0
    for side in (before, after):
        total = sum(p["amount"] for p in side["parts"])
        assert total == pytest.approx(side["logits"][side["target"]], abs=1e-4)
    assert all(change["did"] for change in told["changes"])
    # In words, too; and of one that was off it is said that nothing came of it.
    on = {p["concept"] for p in before["parts"]}
    off = next(
        n
        for n in range(200)
        if n not in on
        and run([*words, "--without", str(n)]) == 0
        and not json.loads(capsys.readouterr().out)["decision"]["changes"][0]["did"]
    )
    assert run([*words[:-1], *changed, "--without", str(off)]) == 0
    text = capsys.readouterr().out
    assert "it was not on here, so nothing changes" in text
    assert "taken away" in text
    assert " -> " in text


def test_a_bottleneck_with_its_controls(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["bottleneck", str(folder), "--model", str(trained), "--concepts", "8",
                "--out", str(tmp_path)])  # fmt: skip
    text = capsys.readouterr().out
    assert code == 0
    for word in ("Accuracy", "Opaque linear probe", "Random concepts", "Energy kept"):
        assert word in text
    assert (tmp_path / "bottleneck.safetensors").is_file()


@pytest.fixture(scope="module")
def spectra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return concepts of the spectra of a small cube, and the cube beside them."""
    out = tmp_path_factory.mktemp("spectra")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(out / "home"))
        words = ["concepts", "train", str(cube(out / "cube.dat", 20)), "--model", "spectra"]
        words += ["--concepts", "32", "--steps", "20", "--batch", "64", "--out", str(out)]
        assert run([*words, "--json"]) == 0
    return out


def cube(path: Path, count: int) -> Path:
    nm = ", ".join(f"{v:.1f}" for v in np.linspace(450, 2400, count))
    values = np.random.default_rng(count).integers(50, 4000, (12, 14, count)).astype(np.uint16)
    told = {"wavelength": f"{{{nm}}}", "wavelength units": "Nanometers"}
    return write_envi(path, values, **told)


@pytest.fixture(scope="module")
def bad(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what no concepts come of, by name."""
    root = tmp_path_factory.mktemp("bad")
    for name in ("empty", "none", "tiny", "pair/a", "pair/b"):
        (root / name).mkdir(parents=True)
    image = sorted((folder / "Beach").glob("*.jpg"))[0]
    (root / "none" / "cut.jpg").write_bytes(image.read_bytes()[:1500])
    (root / "none" / "text.png").write_text("no picture", encoding="utf-8")
    spots = np.arange(75, dtype=np.uint8).reshape(5, 5, 3)
    Image.fromarray(spots).save(root / "tiny" / "tiny.png")
    shutil.copy(image, root / "pair" / "a")
    shutil.copy(sorted((folder / "Forest").glob("*.jpg"))[0], root / "pair" / "b")
    return {
        "EMPTY": str(root / "empty"), "NONE": str(root / "none"), "TINY": str(root / "tiny"),
        "SMALL": str(root / "tiny" / "tiny.png"), "CUT": str(root / "none" / "cut.jpg"),
        "PAIR": str(root / "pair"), "FEWER": str(cube(root / "fewer.dat", 6)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--at", "9999,0"], 2, "lies outside"),
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--at", "here"], 2, "--at is ROW,COL"),
        (["concepts", "IMAGE", "--model", "IMAGE"], 3, "damaged"),
        (["concepts", "IMAGE", "--model", "nowhere"], 3, "does not exist"),
        (["concepts", "IMAGE"], 2, "Give one image and the concepts"),
        (["concepts", "nothing.tif", "--model", "CONCEPTS"], 3, "nothing.tif"),
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--weights", "gone.pt"], 4, "gone.pt"),
        (["concepts", "train", "FOLDER"], 2, "Name the encoder"),
        (["concepts", "train", "EMPTY", "--model", "spectra"], 3, "is empty"),
        (["concepts", "train", "FOLDER", "--model", "squeezenet1_0"], 4, "are not here"),
        (["concepts", "train", "NONE", "--weights", "WEIGHTS"], 3, "None of 2 images"),
        (["concepts", "train", "TINY", "--weights", "WEIGHTS"], 3, "too small to be read"),
        (["concepts", "train", "gone", "--weights", "WEIGHTS"], 3, "does not exist"),
        (
            ["concepts", "train", "FOLDER", "--model", "mobilenetv2_100", "--fetch"],
            4,
            "could not be downloaded",
        ),
        (["concepts", "CUT", "--model", "CONCEPTS"], 3, "cut.jpg is damaged"),
        (["concepts", "SMALL", "--model", "CONCEPTS"], 3, "too small to be read"),
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--weights", "OTHER"], 3, "another network"),
        (["concepts", "IMAGE", "--model", "SPECTRA"], 3, "no wavelengths"),
        (["concepts", "FEWER", "--model", "SPECTRA"], 3, "no band near"),
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--set", "3=x"], 2, "no change of a concept"),
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--scale", "3=-1"], 2, "from 0 upwards"),
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--without", "999"], 2, "no concept 999"),
        (["concepts", "IMAGE", "--model", "CONCEPTS", "--why", "Moon"], 2, "no class Moon"),
        (["concepts", "IMAGE", "--model", "SPECTRA", "--without", "3"], 3, "no wavelengths"),
        (["concepts", "CUBE", "--model", "SPECTRA", "--without", "3"], 2, "Nothing decides"),
        (["concepts", "CUBE", "--model", "SPECTRA", "--labels", "IMAGE"], 2, "--at ROW,COL"),
        (
            ["concepts", "IMAGE", "--model", "CONCEPTS", "--bottleneck", "WEIGHTS"],
            3,
            "no bottleneck that",
        ),
        (["bottleneck", "NONE", "--model", "CONCEPTS"], 3, "None of 2 images"),
        (["bottleneck", "EMPTY", "--model", "CONCEPTS"], 3, "is empty"),
        (["bottleneck", "gone", "--model", "CONCEPTS"], 3, "does not exist"),
        (["bottleneck", "PAIR", "--model", "CONCEPTS"], 3, "there are"),
        (["bottleneck", "FOLDER", "--model", "SPECTRA"], 3, "no wavelengths"),
        (["bottleneck", "FOLDER"], 2, "Give the concepts"),
        (["bottleneck", "FOLDER", "--model", "CONCEPTS", "--how", "magic"], 2, "no magic"),
        (["bottleneck", "FLAT", "--model", "CONCEPTS"], 3, "have none"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    words: list[str], code: int, said: str, trained: Path, weights: Path, folder: Path,
    spectra: Path, bad: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    names = {
        "IMAGE": str(sorted((folder / "Beach").glob("*.jpg"))[0]), "CONCEPTS": str(trained),
        "FOLDER": str(folder), "FLAT": str(folder / "Beach"), "WEIGHTS": str(weights),
        "OTHER": str(weights.with_name("mobilenetv2_100_timm.safetensors")),
        "SPECTRA": str(spectra), "CUBE": str(spectra / "cube.dat"), **bad,
    }  # fmt: skip
    found = run([*(names.get(w, w) for w in words), "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert found == code, error
    assert said in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1  # one plain sentence, and the way out


def test_one_image_a_class_is_learnt_from_but_nothing_is_measured(
    bad: dict[str, str], weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    words = ["concepts", "train", bad["PAIR"], "--weights", str(weights), "--concepts", "32"]
    assert run([*words, "--steps", "20", "--batch", "64", "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "not measured: there were too few images" in text
    assert "of 0 test images" not in text
