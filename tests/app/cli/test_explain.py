"""``clearband explain``: files, JSON, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from app.main import run
from backends.explain.small_networks import CifarLeNet, CifarResNet


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    save_file(CifarResNet(3).state_dict(), path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    return path


def test_it_writes_maps_and_says_what_it_did(
    weights: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["explain", str(photo), "--weights", str(weights), "--out", str(out)]
    words += ["--method", "smooth_grad", "--set", "samples=3", "--target", "4", "--json"]
    assert run(words) == 0
    said = json.loads(capsys.readouterr().out)
    done = said["done"][0]
    assert done["target"] == "class 4"
    assert done["trust"] == "not assessed"
    assert done["provenance"]["parameters"]["samples"] == 3
    assert sorted(p.name for p in out.iterdir()) == [
        "photo.json", "photo_map.npy", "photo_map.tif", "photo_overlay.png",
    ]  # fmt: skip
    # The command in it makes the same map again.
    first = np.load(out / "photo_map.npy")
    again = done["provenance"]["command"].split()[1:]
    assert run(again) == 0
    assert np.array_equal(np.load(out / "photo_map.npy"), first)


def test_a_bad_image_in_a_folder_is_noted_and_told_by_the_exit_code(
    weights: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    photo.rename(folder / "b.png")
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    words = ["explain", str(folder), "--weights", str(weights), "--out", str(tmp_path / "o")]
    assert run(words) == 3
    said = capsys.readouterr().out
    assert "left out: " in said
    assert "b.png" in said
    assert (tmp_path / "o" / "b_map.npy").exists()


def test_trust_is_measured_written_and_said_in_words(
    weights: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, truth = tmp_path / "out", tmp_path / "truth.png"
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:50] = 1
    Image.fromarray(mask).save(truth)
    words = ["explain", str(photo), "--weights", str(weights), "--out", str(out), "--trust"]
    words += ["--steps", "4", "--air", "0"]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "Faithfulness F" in said
    assert "not assessed; it needs a mask of where the thing is" in said
    assert run([*words, "--truth", str(truth), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)["done"][0]
    card = json.loads((out / "photo_trust.json").read_text(encoding="utf-8"))
    assert done["verdict"] == card["verdict"] != "not assessed"
    assert done["trust"] == pytest.approx(card["figures"])
    assert dict(done["card"])["Localisation"].startswith("hottest pixel ")
    assert card["localisation"]["coverage"] == pytest.approx(card["figures"]["mask_coverage"])
    assert card["settings"]["deletion"]["title"] == "air (−1000 HU)"
    rows = (out / "photo_curves.csv").read_text(encoding="utf-8").splitlines()
    assert sum(row.startswith("deletion,") for row in rows) == 5
    # What is measured is written into the map's own JSON and its command makes it again.
    about = json.loads((out / "photo.json").read_text(encoding="utf-8"))
    assert about["trust"] == pytest.approx(card["figures"])
    again = about["provenance"]["command"].split()[1:]
    assert run(again) == 0
    second = json.loads((out / "photo_trust.json").read_text(encoding="utf-8"))
    assert second["figures"] == card["figures"]


def test_a_folder_is_measured_with_a_folder_of_masks(
    weights: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, masks = tmp_path / "images", tmp_path / "masks"
    for made in (folder, masks):
        made.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(photo.read_bytes())
    (folder / "d.png").write_bytes(photo.read_bytes()[:100])
    Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(masks / "a.png")
    Image.fromarray(np.eye(9, dtype=np.uint8)).save(masks / "b.png")
    words = ["explain", str(folder), "--weights", str(weights), "--out", str(tmp_path / "o")]
    assert run([*words, "--trust", "--steps", "2", "--truth", str(masks), "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    with_mask, without = said["done"]
    assert dict(with_mask["card"])["Localisation"].startswith("hottest pixel ")
    assert dict(without["card"])["Localisation"].startswith("not assessed")
    failed = {Path(f["image"]).name: f["error"] for f in said["failed"]}
    assert set(failed) == {"b.png", "d.png"}
    assert "The mask b.png is 9 × 9 pixels, b.png 40 × 60" in failed["b.png"]
    # What does not fit leaves nothing behind.
    assert not list((tmp_path / "o").glob("b*"))


def test_whatever_is_wrong_with_some_images_the_others_are_explained(
    weights: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    content = photo.read_bytes()
    broken = {
        "cut.png": content[: len(content) // 2],
        "empty.png": b"",
        "text.png": b"no image",
        "none.dcm": b"\0" * 300,
    }
    for name, what in broken.items():
        (folder / name).write_bytes(what)
    np.save(folder / "seven.npy", np.random.default_rng(0).random((20, 20, 7), np.float32))
    Image.open(photo).convert("L").save(folder / "grey.png")
    for number in range(3):
        (folder / f"good{number}.png").write_bytes(content)
    start = ["explain", str(folder), "--weights", str(weights), "--json"]
    assert run([*start, "--out", str(tmp_path / "o")]) == 3
    said = json.loads(capsys.readouterr().out)
    done = {Path(d["image"]).name for d in said["done"]}
    failed = {Path(f["image"]).name: f["error"] for f in said["failed"]}
    assert done | set(failed) == {p.name for p in folder.iterdir()}
    assert {"good0.png", "good1.png", "good2.png"} <= done
    assert set(broken) == set(failed)
    for sentence in failed.values():
        assert "Traceback" not in sentence
        assert "Error" not in sentence
    # A network of seven bands reads the one cube, and says of every picture what is wrong.
    assert run([*start, "--out", str(tmp_path / "q"), "--bands", "7"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert [Path(d["image"]).name for d in said["done"]] == ["seven.npy"]
    assert any("reads 7 bands, good0.png has 3" in f["error"] for f in said["failed"])
    # What is wrong with every image the same way is one sentence, before the first of them.
    assert run([*start, "--out", str(tmp_path / "p"), "--target", "99"]) == 2
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--truth", "x.png"], 2, "--truth and --air are for --trust"),
        (["--trust", "--steps", "1"], 2, "at least 2 steps"),
        (["--trust", "--tiles"], 2, "stitched from tiles has many inputs"),
        (["--target", "99"], 2, "has no class 99"),
        (["--method", "magic"], 2, "There is no method called magic"),
        (["--set", "depth=3"], 2, "has no setting called depth"),
        (["--layer", "nowhere"], 2, "has no layer nowhere"),
        (["--bands", "5"], 3, "reads 5 bands"),
        (["--model", "squeezenet1_0"], 3, "weights of another network than SqueezeNet 1.0"),
        (["--window", "1,2"], 2, "--window is row,column,height,width"),
        (["--fit", "magic"], 2, "There is no fit called magic"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    words: list[str],
    code: int,
    sentence: str,
    weights: Path,
    photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = ["explain", str(photo), "--weights", str(weights), "--out", str(tmp_path / "o")]
    assert run([*start, *words]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_networks_without_a_picture_or_weights_are_said(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["explain", str(photo), "--out", str(tmp_path / "o")]
    assert run([*start, "--model", "resnet50"]) == 4
    assert "weights of ResNet-50 are not here" in capsys.readouterr().err
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert run([*start, "--model", "resnet50", "--fetch"]) == 4
    assert "the network or its server is out of reach" in capsys.readouterr().err
    path = tmp_path / "lenet.safetensors"
    save_file(CifarLeNet().state_dict(), path)
    words = ["--weights", str(path), "--method", "attention_rollout"]
    assert run([*start, *words]) == 3
    assert "is for networks that work on patches" in capsys.readouterr().err


def test_a_network_without_a_picture_inside_is_one_sentence(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from torch import nn

    from backends.explain import shelf
    from backends.explain.classifier import Card, ImageClassifier, InputSpec

    spec = InputSpec((8, 8), 3, (0.5,) * 3, (0.5,) * 3, fixed=True)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    made = ImageClassifier(flat, ("a", "b"), spec, Card("flat", "Flat network", trained_on="x"))
    monkeypatch.setattr(shelf, "load", lambda *given, **named: made)
    start = ["explain", str(photo), "--model", "flat", "--out", str(tmp_path / "o")]
    assert run(start) == 3
    said = capsys.readouterr().err
    assert "Flat network has no layer that is still a picture" in said
    assert "Traceback" not in said
    assert run([*start, "--method", "saliency"]) == 0


def test_it_lists_networks_and_methods(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--list"]) == 0
    said = capsys.readouterr().out
    assert "vit_base_patch16_224" in said
    assert "integrated_gradients" in said


def test_every_slice_of_a_volume_has_its_map(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], clearband_data: Path
) -> None:
    import nibabel as nib
    import pydicom
    import rasterio

    values = np.random.default_rng(0).integers(0, 200, (40, 32, 3)).astype(np.int16)
    nifti = tmp_path / "brain.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), nifti)
    series = tmp_path / "series"
    series.mkdir()
    uid = pydicom.uid.generate_uid()
    for number in range(3):
        one = pydicom.dcmread(clearband_data / "dicom" / "CT_small.dcm")
        one.SeriesInstanceUID, one.SOPInstanceUID = uid, pydicom.uid.generate_uid()
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.InstanceNumber = number + 1
        one.ImagePositionPatient = [*one.ImagePositionPatient[:2], 5.0 * number]
        one.save_as(series / f"{number}.dcm")
    for source in (nifti, series):
        out = tmp_path / f"out_{source.stem}"
        words = ["explain", str(source), "--weights", str(weights), "--out", str(out)]
        assert run([*words, "--slices", "all", "--json"]) == 0
        (done,) = json.loads(capsys.readouterr().out)["done"]
        assert [told["slice"] for told in done["slices"]] == [1, 2, 3]
        with rasterio.open(next(out.glob("*.tif"))) as tif:
            assert tif.count == 3
        assert len(list(out.glob("*_overlay.png"))) == 3
        assert run([*words, "--slices", "2-3", "--json"]) == 0
        (done,) = json.loads(capsys.readouterr().out)["done"]
        assert [told["slice"] for told in done["slices"]] == [2, 3]
    assert run([*words, "--slices", "9"]) == 3
    assert "has no slice 9" in capsys.readouterr().err
