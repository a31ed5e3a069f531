"""Teaching a network from a folder: it learns, is measured, stopped, resumed, written, opened."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.errors import BadInput, Cancelled, WrongUse
from backends.jobs import Job, JobHandle, JobState, Progress, ThreadRunner
from backends.learning import finetune as module
from backends.learning.architectures import (
    ARCHITECTURES,
    adapt_first_layer,
    architecture,
    build_network,
    start_from,
)
from backends.learning.finetune import FinetuneSettings, finetune
from backends.learning.grouping import GroupRule
from backends.learning.learning_layers import freeze, set_training
from backends.learning.trained_networks import open_network, read_card, trained_networks
from backends.learning.training_plan import TrainingPlan, rate_factor

MakeFolder = Callable[..., Path]
QUICK = {"epochs": 4, "batch": 8, "patience": 0, "warm_up": 0.5}


def quick(**more: object) -> FinetuneSettings:
    values: dict[str, object] = {
        "size": (16, 16), "training": QUICK, "rule": GroupRule(block=3), **more
    }  # fmt: skip
    return FinetuneSettings(**values)  # type: ignore[arg-type]


class StopsAt(Progress):
    """Is cancelled (or has enough) when the network has learnt for so many steps."""

    def __init__(self, steps: int, *, enough: bool = False) -> None:
        super().__init__()
        self._steps, self._enough = steps, enough

    def advance(self, n: float = 1.0) -> None:
        if self.unit == "steps":
            self._steps -= 1
            if self._steps == 0:
                self.token.finish() if self._enough else self.token.cancel()
        super().advance(n)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a folder of images and the folder of a network taught on it."""
    from PIL import Image

    root = tmp_path_factory.mktemp("taught")
    rng = np.random.default_rng(0)
    for kind, label in enumerate(("above", "below", "even")):
        (root / "set" / label).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, 60, (20, 20))
            if kind < 2:
                row, col = (2 if kind == 0 else 12), int(rng.integers(1, 13))
                pixels[row : row + 6, col : col + 6] += 180
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(root / "set" / label / f"{label}_{number:03}.png")
    settings = quick(training={**QUICK, "epochs": 12}, augment="none")
    finetune(root / "set", settings, root / "run", device="cpu")
    return root / "set", root / "run"


def test_it_learns_and_the_card_says_what_it_is_worth(taught: tuple[Path, Path]) -> None:
    _, run = taught
    card = json.loads((run / "network.json").read_text(encoding="utf-8"))
    test = card["figures"]["test"]
    assert test["accuracy"] >= 0.8
    assert test["macro_auc"] > 0.9
    assert [row["class"] for row in test["per_class"]] == ["above", "below", "even"]
    assert np.array(test["confusion"]).sum() == test["images"]
    for row in test["per_class"]:
        assert {"precision", "recall", "f1", "auc", "images"} <= set(row)
    assert 0 <= test["calibration_error"] <= 1
    parts = card["data"]["split"]["parts"]
    assert parts[0]["train"]["groups"] + parts[0]["val"]["groups"] + parts[0]["test"]["groups"] == 8
    assert card["data"]["leakage"]["groups_in_two_parts"] == []
    assert card["cost"]["parameters"] > 1_100_000
    assert card["cost"]["flops"] > 1e6
    assert card["cost"]["latency_ms"] > 0
    assert "reconstruction" in card["reconstruction"]
    assert card["seed"] == 0
    assert {"torch", "numpy", "clearband"} <= set(card["versions"])
    assert card["command"][:2] == ["clearband", "finetune"]
    assert card["start"] == {"weights": "random", "digest": ""}
    for name in ("split.csv", "predictions.csv", "confusion.csv", "curve.csv"):
        assert (run / name).is_file()
    assert not (run / "training.safetensors").exists()
    listed = (run / "split.csv").read_text(encoding="utf-8").splitlines()
    assert len(listed) == 1 + 72
    assert listed[1].startswith("above/above_000.png,above,above_0–2,")


def test_the_file_opens_as_a_classifier_and_says_again_what_was_predicted(
    taught: tuple[Path, Path],
) -> None:
    from backends.io import open_scene
    from backends.learning.taught_classifier import open_taught

    source, run = taught
    found = open_taught(run)
    # As in the training: each way by itself, so an oblong image is seen whole.
    assert found.spec.fit == "stretch"
    oblong = found.prepare(np.zeros((20, 60, found.spec.bands), np.uint8))
    assert oblong.tensor.shape[2:] == found.spec.size
    assert found.class_names == ("above", "below", "even")
    assert not found.card.untrained
    assert found.card.figures["accuracy"] >= 0.8
    rows = (run / "predictions.csv").read_text(encoding="utf-8").splitlines()[1:]
    for row in rows[:6]:
        path, _, _, said, certainty = row.split(",")
        with open_scene(source / path) as scene:
            prepared = found.prepare(scene.read(), fit="stretch")
        _, name, chance = found.top(prepared, 1)[0]
        assert name == said
        # The trainer keeps 8-bit images in whole grey values after scaling.
        assert chance == pytest.approx(float(certainty), abs=0.02)


def test_what_is_no_network_of_ours_is_a_sentence(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from backends.learning.taught_classifier import open_taught

    with pytest.raises(BadInput, match="does not exist"):
        open_taught(tmp_path / "none")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match="no network that Clearband taught"):
        open_taught(tmp_path / "other.safetensors")


def test_resumed_is_the_same_as_never_stopped(image_folder: MakeFolder, tmp_path: Path) -> None:
    root = image_folder()
    whole = finetune(root, quick(), tmp_path / "whole", device="cpu")
    steps = whole.curve.steps_per_epoch
    with pytest.raises(Cancelled):
        # In the middle of the third epoch.
        finetune(root, quick(), tmp_path / "parts", device="cpu", progress=StopsAt(2 * steps + 1))
    assert not (tmp_path / "parts" / "network.safetensors").exists()
    parts = finetune(root, quick(), tmp_path / "parts", device="cpu", resume=True)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, parts.network.state_dict()[name]), name
    assert parts.curve.loss == whole.curve.loss
    assert parts.card["figures"] == whole.card["figures"]
    plain = lambda c: [(d.loss, d.val_macro_f1, d.learning_rate) for d in c.done]  # noqa: E731
    assert plain(parts.curve) == plain(whole.curve)


def test_enough_keeps_what_was_learnt(image_folder: MakeFolder, tmp_path: Path) -> None:
    root = image_folder()
    found = finetune(
        root, quick(), tmp_path / "run", device="cpu", progress=StopsAt(6, enough=True)
    )
    assert 1 <= len(found.curve.done) < 4
    assert "best state kept" in found.card["curve"]["ended"]
    assert (tmp_path / "run" / "network.safetensors").is_file()
    with pytest.raises(BadInput, match="before its first epoch"):
        finetune(root, quick(), tmp_path / "none", device="cpu", progress=StopsAt(1, enough=True))


def test_finish_makes_a_network_of_a_checkpoint(image_folder: MakeFolder, tmp_path: Path) -> None:
    root, out = image_folder(), tmp_path / "run"
    with pytest.raises(BadInput, match="no checkpoint"):
        finetune(root, quick(), out, device="cpu", finish=True)
    with pytest.raises(Cancelled):
        finetune(root, quick(), out, device="cpu", progress=StopsAt(8))
    with pytest.raises(BadInput, match="of another training"):
        finetune(root, quick(seed=1), out, device="cpu", resume=True)
    found = finetune(root, quick(), out, device="cpu", finish=True)
    assert len(found.curve.done) >= 1
    assert read_card(out / "network.safetensors") is not None
    (out / "training.safetensors").write_bytes(b"junk")
    with pytest.raises(BadInput, match="damaged"):
        finetune(root, quick(), out, device="cpu", resume=True)


def test_a_large_step_is_stopped_within_a_second(image_folder: MakeFolder) -> None:
    root = image_folder(count=16)
    settings = quick(model="resnet50", size=(96, 96), training={"epochs": 50, "batch": 24})
    job: Job[object] = Job("teach", lambda progress: finetune(root, settings, progress=progress))
    handle, runner = JobHandle(job), ThreadRunner()
    try:
        runner.submit(handle)
        until = time.monotonic() + 60
        while handle.progress.unit != "steps" and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        asked = time.monotonic()
        handle.cancel()
        with pytest.raises(Cancelled):
            handle.wait(20)
        # A second on an idle core; the suite shares it.
        assert time.monotonic() - asked < 3
        assert handle.state is JobState.CANCELLED
    finally:
        runner.shutdown()


def test_early_stopping_and_the_best_state(image_folder: MakeFolder) -> None:
    root = image_folder()
    settings = quick(training={**QUICK, "epochs": 30, "patience": 2})
    found = finetune(root, settings, device="cpu")
    done = found.curve.done
    assert len(done) < 30
    assert "2 epochs" in found.curve.ended
    scores = [figures.val_macro_f1 or 0 for figures in done]
    assert found.curve.best_epoch == int(np.argmax(scores)) + 1


def test_transfer_takes_over_all_but_the_last_layer(
    taught: tuple[Path, Path], image_folder: MakeFolder
) -> None:
    _, run = taught
    weights = str(run / "network.safetensors")
    root = image_folder("colour", bands=3)
    found = finetune(
        root, quick(weights=weights, training={**QUICK, "scope": "head"}), device="cpu"
    )
    said = " ".join(found.card["notes"])
    assert "made for 1 bands and was adapted to 3" in said
    assert "last layer is new" in said
    assert len(found.card["start"]["digest"]) == 64
    # Only the last layer was trained: everything else is as in the file.
    before, after = open_network(Path(weights))[0].state_dict(), found.network.state_dict()
    for name, value in after.items():
        if not name.startswith(("head.", "stem.0.")):
            assert torch.equal(value, before[name]), name
    with pytest.raises(BadInput, match="another architecture"):
        finetune(root, quick(weights=weights, model="mobilenetv2_100"), device="cpu")


def test_networks_taught_here_are_listed(taught: tuple[Path, Path], tmp_path: Path) -> None:
    from backends.learning.trained_networks import remember

    assert trained_networks() == []
    _, run = taught
    remember(run / "network.safetensors")
    remember(tmp_path / "gone.safetensors")
    (found,) = trained_networks()
    assert found.card["classes"] == ["above", "below", "even"]
    assert "accuracy" in found.line


@pytest.mark.parametrize("kind", [a.id for a in ARCHITECTURES])
def test_every_architecture_is_built_for_bands_and_size(kind: str) -> None:
    known = architecture(kind)
    network = build_network(known, 3, 5, (64, 32))
    assert network.get_submodule(known.first).weight.shape[1] == 5
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, 5, 64, 32)).shape == (1, 3)
    frozen = freeze(network, known.head, "late")
    learning = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert 0 < learning < sum(p.numel() for p in network.parameters())
    set_training(network, frozen)
    assert not any(part.training for part in frozen)


def test_the_compact_network_has_the_size_of_the_paper() -> None:
    network = build_network(architecture("compact_cnn"), 3, 3, (128, 128))
    assert sum(p.numel() for p in network.parameters()) == 1_183_267
    assert network.forward_features(torch.zeros(1, 3, 128, 128)).shape == (1, 256, 8, 8)


def test_scores_of_squeezenet_may_be_negative() -> None:
    network = build_network(architecture("squeezenet1_0"), 3, 1, (64, 64)).eval()
    with torch.no_grad():
        assert network(torch.rand(4, 1, 64, 64)).min() < 0


def test_published_weights_fit(clearband_data: Path) -> None:
    folder = clearband_data / "weights" / "imagenet"
    for kind, file in (
        ("mobilenetv2_100", "mobilenetv2_100_timm.safetensors"),
        ("squeezenet1_0", "squeezenet1_0_torchvision.safetensors"),
    ):
        if not (folder / file).is_file():
            pytest.skip("the ImageNet weights are not here")
        network = build_network(architecture(kind), 3, 3, (64, 64))
        notes = start_from(network, architecture(kind), folder / file)
        assert notes == ("The last layer is new: the weights were for other classes.",)


def test_a_first_layer_answers_alike_to_grey_in_any_number_of_bands() -> None:
    weight = torch.rand(4, 3, 3, 3)
    grey = torch.rand(1, 1, 8, 8)
    answer = torch.conv2d(grey.repeat(1, 3, 1, 1), weight)
    assert torch.allclose(torch.conv2d(grey, adapt_first_layer(weight, 1)), answer, atol=1e-5)
    even = torch.ones(1, 7, 8, 8)
    wide = torch.conv2d(even, adapt_first_layer(weight.mean(1, keepdim=True).repeat(1, 3, 1, 1), 7))
    assert torch.allclose(wide, torch.conv2d(torch.ones(1, 3, 8, 8), weight), atol=1e-5)


def test_wrong_settings_are_sentences(tmp_path: Path) -> None:
    for training, said in (
        ({"epoch": 3}, "no training setting called epoch"),
        ({"epochs": "many"}, "cannot be many"),
        ({"scope": "half"}, "one of: full, late, head"),
        ({"batch": 1}, "two images a step"),
    ):
        with pytest.raises(WrongUse, match=said):
            quick(training=training).plan()
    with pytest.raises(WrongUse, match="no architecture called alexandria"):
        architecture("alexandria")
    with pytest.raises(WrongUse, match="multiples of 16"):
        build_network(architecture("vit_base_patch16_224"), 2, 3, (100, 100))
    (tmp_path / "w.pt").write_bytes(b"not a file of weights")
    with pytest.raises(BadInput, match="read safely"):
        start_from(torch.nn.Linear(1, 1), architecture("resnet18"), tmp_path / "w.pt")


def test_the_rate_warms_up_and_falls() -> None:
    plan = TrainingPlan(epochs=10, warm_up=2)
    rates = [rate_factor(step, 5, plan) for step in range(50)]
    assert rates[0] < rates[5] < rates[10] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.05


def test_no_figures_better_than_chance_are_said_so() -> None:
    from backends.learning.image_metrics import image_metrics

    truth = np.array([0, 0, 0, 1])
    said = np.tile([0.9, 0.1], (4, 1))
    (doubt,) = module._doubts(image_metrics(truth, said, ("a", "b")))
    assert "take it for untrained" in doubt


def test_the_card_of_the_compact_network_marks_the_reconstruction() -> None:
    from backends.registry import build, card

    found = card("compact_cnn")
    assert "1,183,267 parameters" in found.reconstruction
    assert "2601.11911" in found.source
    assert not found.is_trained
    assert sum(p.numel() for p in build("compact_cnn", classes=3).parameters()) == 1_183_267


def test_published_weights_are_fetched_on_request_only(
    image_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    from backends.errors import MissingCapability
    from backends.explain import published

    root = image_folder()
    asked: list[str] = []
    made = build_network(architecture("squeezenet1_0"), 1000, 3, (32, 32), seed=7)
    save_file(made.state_dict(), tmp_path / "weights.safetensors")

    def fetch(plan: object, title: str, progress: object = None) -> Path:
        asked.append(title)
        if title == "ResNet-18":
            raise MissingCapability("The network cannot be reached.")
        return tmp_path / "weights.safetensors"

    monkeypatch.setattr(published, "fetch", fetch)
    settings = quick(model="squeezenet1_0", size=(32, 32), training={**QUICK, "epochs": 1})
    finetune(root, settings, device="cpu")
    assert asked == []
    from dataclasses import replace

    found = finetune(root, replace(settings, weights="published"), device="cpu")
    assert asked == ["SqueezeNet 1.0"]
    assert found.card["start"]["weights"] == "weights.safetensors"
    assert found.card["mean"] == pytest.approx([np.mean([0.485, 0.456, 0.406])])
    with pytest.raises(MissingCapability, match="cannot be reached"):
        finetune(root, replace(settings, model="resnet18", weights="published"), device="cpu")


def test_known_files_say_what_input_they_want(clearband_data: Path) -> None:
    from backends.learning.starting_weights import start_normal

    file = clearband_data / "weights" / "imagenet" / "mobilenetv2_100_timm.safetensors"
    if not file.is_file():
        pytest.skip("the ImageNet weights are not here")
    mean, std = start_normal(architecture("mobilenetv2_100"), file, 3)
    assert mean.tolist() == std.tolist() == [0.5] * 3
