"""Classifiers by name and by file: recognised, fitted, refused in a sentence, fetched if asked."""

from __future__ import annotations

import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends.errors import BadInput, Cancelled, MissingCapability, WrongUse
from backends.explain import shelf
from backends.explain.explainers import explain
from backends.explain.small_networks import CifarResNet
from backends.jobs import Progress


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    state = CifarResNet(3, 4).state_dict()
    save_file({f"module.{n}": v for n, v in state.items()}, path)
    return path


def test_the_five_of_the_study_stand_first() -> None:
    five = [e.id for e in shelf.entries() if e.study]
    assert five == [e.id for e in shelf.entries()][:5]
    assert five == [
        "resnet50", "resnet101", "densenet161", "efficientnet_b0", "vit_base_patch16_224",
    ]  # fmt: skip
    for entry in shelf.entries():
        assert shelf.building.blueprint(f"{entry.library}:{entry.name}") == entry.blueprint


def test_published_photographs_are_named_rightly(clearband_data: Path) -> None:
    from PIL import Image

    folder = clearband_data / "weights"
    wanted = {"bird.bmp": "chickadee", "parrot.jpg": "macaw", "hot_dog.jpg": "hotdog"}
    for name in ("squeezenet1_0_torchvision", "mobilenetv2_100_timm"):
        made = shelf.load(weights=folder / "imagenet" / f"{name}.safetensors")
        assert not made.card.untrained
        assert made.card.weights_digest
        for photo, kind in wanted.items():
            image = np.asarray(Image.open(folder / "sample_images" / photo).convert("RGB"))
            best = made.top(made.prepare(image), 1)[0]
            assert best[1].startswith(kind)
            assert best[2] > 0.7
    assert made.index_of("macaw") == 88
    with pytest.raises(WrongUse, match="several classes called crane"):
        made.index_of("crane")


def test_small_networks_of_cifar_are_recognised(clearband_data: Path) -> None:
    folder = clearband_data / "weights" / "cifar10"
    with np.load(clearband_data / "cifar10" / "cifar10_subset.npz") as found:
        images, truth = found["x_test"][:150], found["y_test"][:150]
    for name, least in (("resnet20-12fca82f.th", 0.7), ("cifar_torchvision.pt", 0.45)):
        made = shelf.load(str(folder / name))
        assert made.class_names[3] == "cat"
        right = [
            made.top(made.prepare(x), 1)[0][0] == y for x, y in zip(images, truth, strict=True)
        ]
        assert np.mean(right) > least


def test_a_file_is_recognised_by_what_is_in_it(weights: Path) -> None:
    made = shelf.load(weights=weights, classes=["a", "b", "c", "d"])
    assert made.card.id == "cifar_resnet20"
    assert made.class_names == ("a", "b", "c", "d")
    assert made.card.weights_digest == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert "unknown" in made.card.trained_on
    assert shelf.load("cifar_resnet20", weights).class_names[0] == "class 0"
    with pytest.raises(BadInput, match="2 names for the 4 classes"):
        shelf.load(weights=weights, classes=["a", "b"])


def test_other_bands_adapt_the_first_layer_and_say_so(weights: Path) -> None:
    six = shelf.load(weights=weights, bands=6)
    three = shelf.load(weights=weights)
    assert any("adapted to 6" in note for note in six.card.notes)
    even = np.full((32, 32, 6), 90, np.uint8)
    with torch.no_grad():  # an even image gets the same answer
        a = six.logits(torch.ones(1, 6, 32, 32))
        b = three.logits(torch.ones(1, 3, 32, 32))
    assert torch.allclose(a, b, atol=1e-4)
    assert six.prepare(even).tensor.shape == (1, 6, 32, 32)
    with pytest.raises(BadInput, match="reads 6 bands, the image has 3"):
        six.prepare(even[:, :, :3])


def test_what_does_not_fit_is_said(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="another network than SqueezeNet 1.0: 0 of 52 parts fit"):
        shelf.load("squeezenet1_0", weights)
    with pytest.raises(WrongUse, match=r"no network called resnet5O. Did you mean .*resnet50"):
        shelf.load("resnet5O")
    with pytest.raises(BadInput, match="does not exist"):
        shelf.load(weights=tmp_path / "none.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(BadInput, match="no file of weights"):
        shelf.load(weights=text)
    strange = tmp_path / "strange.safetensors"
    save_file({"a": torch.zeros(2)}, strange)
    with pytest.raises(BadInput, match="belong to no network that is recognised"):
        shelf.load(weights=strange)


def test_without_the_transformers_library_its_networks_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingCapability, match="transformers library need that library"):
        shelf.load("transformers:some/net")


def test_pickles_with_code_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "whole.pt"
    torch.save(CifarResNet(3), path)  # a whole network, which would have to be unpickled
    with pytest.raises(BadInput, match="no file of weights that can be read safely"):
        shelf.load("cifar_resnet20", path)


def test_without_weights_it_says_untrained_and_makes_no_map_unasked() -> None:
    with pytest.raises(MissingCapability, match="weights of SqueezeNet 1.0 are not here"):
        shelf.load("squeezenet1_0")
    made = shelf.load("squeezenet1_0", untrained=True)
    assert made.card.untrained
    assert "untrained" in made.card.title
    prepared = made.prepare(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(WrongUse, match="is untrained"):
        explain(made, prepared, made.target(prepared, 0), "grad_cam")


@pytest.fixture
def server(tmp_path: Path, weights: Path) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: object) -> None:
            super().__init__(*given, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *given: object) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}", asked
        made.shutdown()
        thread.join()


def test_published_weights_are_fetched_once_checked_and_kept(
    server: tuple[str, list[str]], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    import timm

    torch.manual_seed(1)
    state = timm.create_model("resnet18", num_classes=1000).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    address, asked = server
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *a: f"{address}/model.safetensors")
    facts = SimpleNamespace(etag="0" * 64, size=len(content))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *a, **k: facts)
    with pytest.raises(BadInput, match="not the file that was published"):
        shelf.load("resnet18", fetch=True)
    facts.etag = digest
    stopped = Progress()
    stopped.token.cancel()
    with pytest.raises(Cancelled):
        shelf.load("resnet18", fetch=True, progress=stopped)
    made = shelf.load("resnet18", fetch=True)
    assert made.card.weights_digest == digest
    assert made.card.trained_on == "ImageNet-1k"
    before = len(asked)
    assert shelf.load("resnet18").card.weights_digest == digest  # now without asking
    assert len(asked) == before


def test_no_network_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    for name in ("resnet50", "squeezenet1_0"):
        with pytest.raises(MissingCapability, match="could not be downloaded: the network"):
            shelf.load(name, fetch=True)
