"""Segmenters of transformers and torchvision: explained by the logits of a region, and a pixel."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from planted import mask, picture
from safetensors.torch import load_file, save_file

from app.main import run
from backends.errors import BadInput, MissingCapability, WrongUse
from backends.explain import shelf, transformers_hub
from backends.explain.classifier import ImageClassifier
from backends.explain.explainers import explain

SIDE = 64


@pytest.fixture
def library() -> ModuleType:
    return pytest.importorskip("transformers")


@pytest.fixture
def folder(tmp_path: Path, library: Any) -> Path:
    """Return a folder with a small SegFormer of random weights, as the library saves it."""
    torch.manual_seed(0)
    config = library.SegformerConfig(
        depths=[1] * 4, sr_ratios=[4, 2, 1, 1], hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16,
        id2label={0: "ground", 1: "red"},
    )  # fmt: skip
    place = tmp_path / "small_segformer"
    library.SegformerForSemanticSegmentation(config).save_pretrained(place)
    how = library.SegformerImageProcessor(size={"height": SIDE, "width": SIDE})
    how.save_pretrained(place)
    return place


def hooks(made: ImageClassifier) -> list[int]:
    """Return how many hooks each part has."""
    return [len(part._forward_hooks) for part in made.network.modules()]


def check(made: ImageClassifier) -> None:
    """Explain a region by its logit sum, and a pixel; the sum is the one the map answers for."""
    assert made.pixelwise
    prepared = made.prepare(picture())
    made.logits(prepared.tensor)
    before = hooks(made)  # transformers sets up some of its own at its first pass
    target = made.target(prepared, "red", region=mask())
    with torch.no_grad():
        logits = made.logits(prepared.tensor)
    inside = prepared.geometry.to_grid(mask(), logits.shape[-2:]) > 0.5
    wanted = float(logits[0, 1][torch.from_numpy(inside)].sum())
    assert float(target.of(logits)[0]) == pytest.approx(wanted, rel=1e-4)
    assert float(made.score(target)(prepared.tensor)[0]) == pytest.approx(wanted, rel=1e-3)
    for how in ("grad_cam", "hires_cam", "saliency"):
        found = explain(made, prepared, target, how, untrained=True)
        assert np.isfinite(found.values).all()
        assert np.ptp(found.values) > 0
        assert found.on_image().shape == (64, 64)
    here = made.target(prepared, "red", pixel=(30, 40))
    assert here.mask is not None
    assert here.mask.sum() == 1
    assert "row 30 and column 40" in here.name
    assert explain(made, prepared, here, "saliency", untrained=True).values.any()
    assert hooks(made) == before


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_a_segmenter_of_transformers_is_explained_from_its_folder(folder: Path) -> None:
    made = shelf.load(f"transformers:{folder}")
    assert made.class_names == ("ground", "red")
    assert made.spec.size == (SIDE, SIDE)
    assert len(made.card.weights_digest) == 64
    assert "small_segformer" in made.card.source
    check(made)
    x = made.prepare(picture())
    target = made.target(x, "red", region=mask())
    found = explain(made, x, target, "grad_cam")
    assert found.layer is not None
    assert found.layer.grid == (2, 2)  # the coarsest of its four stages
    with pytest.raises(BadInput, match="attention"):
        explain(made, x, target, "attention_rollout")
    # The folder alone, and the file in it that the window opens, are the same network.
    for place in (folder, folder / "model.safetensors"):
        again = shelf.load(weights=place)
        assert again.pixelwise
        torch.testing.assert_close(again.logits(x.tensor), made.logits(x.tensor))
    assert shelf.load(str(folder)).pixelwise


@pytest.mark.filterwarnings("ignore")
def test_the_command_line_explains_a_region_and_a_pixel(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, drawn = tmp_path / "photo.png", tmp_path / "region.png"
    Image.fromarray(picture()).save(photo)
    Image.fromarray(mask().astype(np.uint8)).save(drawn)
    words = ["explain", str(photo), "--model", f"transformers:{folder}", "--target", "red"]
    words += ["--json", "--device", "cpu"]
    out = tmp_path / "out"
    assert run([*words, "--mask", str(drawn), "--out", str(out), "--trust", "--steps", "4"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["done"][0]["title"].startswith("Grad-CAM: red in the region")
    assert np.load(out / "photo_map.npy").any()
    assert run([*words, "--pixel", "30,40", "--out", str(out)]) == 0
    assert "row 30 and column 40" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_not_whole_are_not_made_up(folder: Path, tmp_path: Path) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    save_file({k: v for k, v in tensors.items() if not k.startswith("decode_head.cl")}, file)
    with pytest.raises(BadInput, match="those of another network: 2 parts are missing"):
        shelf.load(f"transformers:{folder}")
    file.write_bytes(b"none")
    with pytest.raises(BadInput, match="small_segformer"):
        shelf.load(f"transformers:{folder}")
    file.unlink()
    with pytest.raises(BadInput, match="small_segformer cannot be read"):
        shelf.load(f"transformers:{folder}")


@pytest.mark.parametrize("fetch", [False, True])
def test_a_name_of_the_hub_without_a_network_is_one_sentence_at_once(
    library: ModuleType, fetch: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    # Nobody listens there.
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_url", lambda name, file: f"http://127.0.0.1:9/{name}/{file}"
    )
    began = time.perf_counter()
    with pytest.raises(MissingCapability) as caught:
        shelf.load("transformers:nobody/segformer-nowhere", fetch=fetch)
    assert time.perf_counter() - began < 5
    said = "out of reach" if fetch else "is not here"
    assert said in str(caught.value)
    assert "nobody/segformer-nowhere" in str(caught.value)
    assert caught.value.way_out


def test_weights_of_the_hub_are_those_that_were_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the hub's cache a file is a link to one that is named by its checksum."""
    import hashlib

    import huggingface_hub

    digest = hashlib.sha256(b"weights").hexdigest()
    blob = tmp_path / digest
    blob.write_bytes(b"weights")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda name, file: str(link))
    assert transformers_hub._digest("some/net", "some/net") == digest
    blob.write_bytes(b"others")
    with pytest.raises(BadInput, match="not those that were published"):
        transformers_hub._digest("some/net", "some/net")


@pytest.mark.parametrize(
    "name", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"]
)
def test_segmenters_of_torchvision_are_explained(name: str) -> None:
    """Their answer comes as a mapping and is larger than the layer it is explained at."""
    torch.manual_seed(0)
    made = shelf.load(f"torchvision:{name}", untrained=True, classes=["ground", "red"])
    made.spec = made.spec.__class__((SIDE, SIDE), 3, (0.5,) * 3, (0.5,) * 3)
    check(made)
    with pytest.raises(WrongUse, match="outside the image"):
        made.target(made.prepare(picture()), "red", pixel=(64, 0))
