"""The training loop: figures as it goes, an early end, going on, mixed precision, rare classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.checkpoints import load_checkpoint, save_checkpoint
from backends.hyperspectral.classify import classify
from backends.io.labels import Labels
from backends.jobs import CancelToken, Progress

QUICK = {"steps": 30, "width": 16, "blocks": 1, "pixels_per_step": 256, "context": 1}


def train(valley: Any, model: str = "css_mamba", **more: Any) -> Any:
    settings = {**QUICK, "validate_every": 5, **more.pop("settings", {})}
    return classify(valley.scene, valley.labels, model, settings=settings, device="cpu", **more)


def ended_at(step: int) -> Progress:
    """Return the progress of a user who says "stop and keep" at a step."""
    token = CancelToken()

    def look(state: Any) -> None:
        if state.unit == "steps" and state.done >= step:
            assert state.keeps
            token.finish()

    return Progress(token, on_change=look)


# -- figures ---------------------------------------------------------------------------------


def test_curve_has_rate_and_average_accuracy(small_valley: Any) -> None:
    notes: list[str] = []
    progress = Progress(on_change=lambda state: notes.append(state.note))
    curve = train(small_valley, progress=progress).curve
    assert len(curve.step) == len(curve.loss) == len(curve.rate) == 30
    assert curve.rate[0] == pytest.approx(3e-4)
    assert max(curve.rate) == pytest.approx(3e-3)
    assert curve.rate[-1] == pytest.approx(1e-5)
    assert curve.val_step == (5, 10, 15, 20, 25, 30)
    assert len(curve.val_average) == len(curve.val_accuracy) == 6
    assert all(0 <= value <= 1 for value in curve.val_average)
    assert (curve.stopped_at, curve.note) == (0, "")
    assert curve.best_step >= 15
    values = curve.to_dict()
    assert values["rate"] == list(curve.rate)
    assert values["val_average"] == list(curve.val_average)
    assert any("validation" in n and "average" in n and "rate" in n for n in notes)


def test_average_accuracy_is_the_mean_over_classes(
    small_valley: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backends.hyperspectral.batches import Batches

    answers = [(torch.eye(3)[[0, 0, 0, 1]], torch.tensor([0, 0, 1, 1]))]
    answers += [(torch.eye(3)[[2, 1]], torch.tensor([2, 2]))]
    monkeypatch.setattr(Batches, "_answers", lambda self: answers)
    found = object.__new__(Batches).validate()
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.average == pytest.approx((1 + 0.5 + 0.5) / 3)


# -- ending early, going on ------------------------------------------------------------------


def test_stop_and_keep_maps_with_the_best_state(small_valley: Any) -> None:
    result = train(small_valley, settings={"steps": 2000}, progress=ended_at(12))
    curve = result.curve
    assert 12 <= curve.stopped_at < 2000
    assert curve.step[-1] == curve.val_step[-1] == curve.stopped_at
    at = curve.val_accuracy.index(max(curve.val_accuracy))
    assert curve.val_accuracy[curve.val_step.index(curve.best_step)] == curve.val_accuracy[at]
    assert result.metrics.overall_accuracy > 0.5
    said = f"stopped at step {curve.stopped_at} of 2000; the state of step {curve.best_step}"
    assert any(said in note for note in result.notes)
    facts = result.checkpoint.facts
    assert (facts["steps_done"], facts["steps_planned"]) == (curve.stopped_at, 2000)


def test_a_training_goes_on_where_it_was_stopped(small_valley: Any, tmp_path: Path) -> None:
    first = train(small_valley, progress=ended_at(8))
    path = tmp_path / "c.safetensors"
    save_checkpoint(first.checkpoint, path)
    more = classify(
        small_valley.scene, small_valley.labels, "css_mamba", checkpoint=path, further=True,
        device="cpu",
    )  # fmt: skip
    done = first.curve.stopped_at
    # Without being told it does what was left.
    assert more.curve.step == tuple(range(done + 1, 31))
    assert (more.curve.steps, more.curve.began_at) == (30, done)
    # What it brought competes with what came; it never ends worse on the validation pixels.
    assert more.curve.val_step[0] == done
    assert max(more.curve.val_accuracy) == more.curve.val_accuracy[
        more.curve.val_step.index(more.curve.best_step)
    ]  # fmt: skip
    assert any(f"from step {done} on Valley" in note for note in more.notes)
    assert more.checkpoint.facts["steps_done"] == 30
    np.testing.assert_array_equal(more.split.test, first.split.test)
    weights = [c.arrays["head_out.weight"] for c in (first.checkpoint, more.checkpoint)]
    if more.curve.best_step > done:
        assert not np.array_equal(*weights)


def test_pixels_that_taught_never_measure_a_further_training(small_valley: Any) -> None:
    first = train(small_valley)
    more = train(small_valley, seed=1, checkpoint=first.checkpoint, further=True)
    seen = first.checkpoint.seen
    assert not np.intersect1d(more.split.test, seen).size
    assert not np.intersect1d(more.split.val, seen).size
    assert np.isin(seen, more.checkpoint.seen).all()


def test_what_differs_is_refused(small_valley: Any, tmp_path: Path) -> None:
    from backends.bands import BandTable

    first = train(small_valley, settings={"steps": 2})
    go_on = {"checkpoint": first.checkpoint, "further": True}
    labels = small_valley.labels
    renamed = dict(labels.class_names) | {2: "Lava"}
    other = small_valley._replace(labels=Labels(labels.values, renamed, {}))
    with pytest.raises(BadInput, match="classes differ: number 2 is Lava"):
        train(other, **go_on)
    fewer = np.where(labels.values == 3, 0, labels.values)
    other = small_valley._replace(labels=Labels(fewer, labels.class_names, {}))
    with pytest.raises(BadInput, match="number 3 is missing in the labels"):
        train(other, **go_on)
    table = BandTable.build(40, wavelength_nm=np.linspace(400, 700, 40))
    other = small_valley._replace(scene=small_valley.other(bands=table))
    with pytest.raises(BadInput, match=r"no band near \d+ nm"):
        train(other, **go_on)
    blind = replace(first.checkpoint, stretch=replace(first.checkpoint.stretch, wavelength_nm=None))
    wide = small_valley.other(np.repeat(small_valley.cube, 2, axis=2), BandTable.build(80))
    other = small_valley._replace(scene=wide)
    with pytest.raises(BadInput, match="bands differ: the model was trained on 40"):
        train(other, checkpoint=blind, further=True)
    with pytest.raises(WrongUse, match="width 16; 32 would be another network"):
        train(small_valley, settings={"width": 32}, **go_on)
    with pytest.raises(WrongUse, match="needs a checkpoint and labels"):
        classify(small_valley.scene, labels, "css_mamba", further=True)
    svm = classify(small_valley.scene, labels, "svm", settings={"gamma": 0.01, "C": 10})
    with pytest.raises(WrongUse, match="trained in one go"):
        classify(small_valley.scene, labels, "svm", checkpoint=svm.checkpoint, further=True)


# -- mixed precision -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("css_mamba", {}),
        ("es_mhc", {"layers": 1, "width_per_stream": 4, "context": 1, "snapshots": 0}),
        ("mamba_hsi", {"width": 8, "blocks": 1}),
        ("ssftt", {}),
        ("cnn_1d", {}),
        ("spectral_former", {"layers": 1}),
    ],
)
def test_networks_train_in_bfloat16_and_scans_stay_float32(
    small_valley: Any, monkeypatch: pytest.MonkeyPatch, model: str, settings: dict[str, Any]
) -> None:
    from backends.hyperspectral import es_mhc, hyper_connection, selective_scan

    seen: set[torch.dtype] = set()
    low: set[torch.dtype] = set()
    blocked, sinkhorn = selective_scan.SCANS["blocked"], hyper_connection.sinkhorn

    def scan(*given: torch.Tensor, **named: Any) -> torch.Tensor:
        out = blocked(*given, **named)
        seen.update(v.dtype for v in (*given, out))
        assert (torch.ones(1, 1) @ torch.ones(1, 1)).dtype is torch.float32
        return out

    def balanced(scores: torch.Tensor) -> torch.Tensor:
        out = sinkhorn(scores)
        seen.add(out.dtype)
        assert float((out.detach().sum(-2) - 1).abs().max()) < 1e-4
        return out

    linear = torch.nn.functional.linear

    def spy(*given: Any, **named: Any) -> Any:
        out = linear(*given, **named)
        low.add(out.dtype)
        return out

    monkeypatch.setitem(selective_scan.SCANS, "blocked", scan)
    monkeypatch.setattr(hyper_connection, "sinkhorn", balanced)
    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    assert es_mhc.HyperConnection is hyper_connection.HyperConnection
    own = {"steps": 3, "mixed_precision": "on", **settings}
    if model == "css_mamba":
        own = {**QUICK, **own}
    result = classify(small_valley.scene, small_valley.labels, model, settings=own, device="cpu")
    assert torch.bfloat16 in low
    assert seen <= {torch.float32}
    if model in ("css_mamba", "es_mhc", "mamba_hsi"):
        assert seen
    assert all(np.isfinite(result.curve.loss))
    assert {a.dtype.name for a in result.checkpoint.arrays.values()} <= {"float32", "int64"}
    assert result.settings["bfloat16"] is True


def test_bfloat16_learns_as_well(small_valley: Any) -> None:
    accuracy = [
        train(small_valley, settings={"mixed_precision": choice}).metrics.overall_accuracy
        for choice in ("auto", "on")
    ]
    assert accuracy[1] > accuracy[0] - 0.05


def test_long_batches_are_recomputed_in_the_same_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from backends.hyperspectral import selective_scan, token_groups
    from backends.hyperspectral.precision import autocast

    torch.manual_seed(0)
    block, u = selective_scan.Mamba(8, 4), torch.randn(6, 20, 8)
    found = []
    for most in (1 << 16, 40):
        monkeypatch.setattr(token_groups, "GROUP_TOKENS", most)
        monkeypatch.setattr(selective_scan, "LARGE_TOKENS", most)
        block.zero_grad()
        with autocast("cpu", torch.bfloat16):
            out = block(u)
        assert out.dtype is torch.bfloat16
        out.float().square().sum().backward()
        found.append([p.grad.clone() for p in block.parameters()])
    for once, again in zip(*found, strict=True):
        torch.testing.assert_close(again, once, rtol=3e-2, atol=3e-2)


def test_precision_is_off_on_the_processor_and_choices_are_checked(
    small_valley: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backends.errors import MissingCapability
    from backends.hyperspectral.precision import training_precision

    assert training_precision("auto", "cpu") is None
    assert training_precision("on", "cpu") is torch.bfloat16
    for has in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a, **k: has)  # noqa: B023
        assert (training_precision("auto", "cuda:0") is torch.bfloat16) is has
        assert training_precision("off", "cuda:0") is None
    with pytest.raises(MissingCapability, match="no bfloat16"):
        training_precision("on", "cuda:0")
    with pytest.raises(WrongUse, match="mixed_precision cannot be maybe"):
        train(small_valley, settings={"mixed_precision": "maybe"})


# -- rare classes ----------------------------------------------------------------------------


def uneven(valley: Any) -> Any:
    """Return the valley with two classes, one of which hardly has labels, made hard to tell."""
    values = valley.labels.values
    first, second = np.argsort(-np.bincount(values.ravel())[1:])[:2] + 1
    kept = np.where(values == first, 1, np.where(values == second, 2, 0)).astype(np.uint8)
    rng = np.random.default_rng(0)
    rare = np.flatnonzero(kept == 2)
    kept.ravel()[rng.permutation(rare)[: int(0.8 * rare.size)]] = 0
    noisy = valley.cube + rng.normal(0, 3 * valley.cube.std(), valley.cube.shape)
    scene = valley.other(noisy.astype(np.float32))
    return valley._replace(scene=scene, labels=Labels(kept, {1: "Common", 2: "Rare"}, {}))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("svm", {"gamma": 0.01, "C": 1.0}),
        ("random_forest", {"trees": 60, "depth": 4}),
        ("cnn_1d", {"steps": 60}),
    ],
)
def test_balanced_finds_more_of_a_rare_class(
    small_valley: Any, model: str, settings: dict[str, Any]
) -> None:
    valley = uneven(small_valley)
    found = []
    for balanced in (False, True):
        own = {**settings, "balanced": balanced}
        result = classify(
            valley.scene, valley.labels, model, protocol="S30", settings=own, device="cpu"
        )
        assert result.settings["balanced"] is balanced
        rows = {row["name"]: row for row in result.metrics.to_dict()["classes"]}
        found.append(rows["Rare"]["producer_accuracy"])
    assert found[1] > found[0]


def test_spectra_models_are_balanced_unless_told_otherwise(small_valley: Any) -> None:
    settings = {"gamma": 0.01, "C": 10.0}
    plain, same = (
        classify(small_valley.scene, small_valley.labels, "svm", settings={**settings, **own})
        for own in ({}, {"balanced": True})
    )
    np.testing.assert_array_equal(plain.class_map.labels, same.class_map.labels)
    with pytest.raises(WrongUse, match="balanced must be true or false"):
        classify(
            small_valley.scene, small_valley.labels, "svm", settings={**settings, "balanced": "so"}
        )


def test_checkpoint_facts_survive_the_file(small_valley: Any, tmp_path: Path) -> None:
    result = train(small_valley, settings={"steps": 3})
    save_checkpoint(result.checkpoint, tmp_path / "c.safetensors")
    loaded, _ = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded.facts["steps_done"] == loaded.facts["steps_planned"] == 3
    assert loaded.temperature == result.checkpoint.temperature
