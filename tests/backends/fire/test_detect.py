"""From a scene to layers: tiles, blending, the gate, the masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backends.errors import BadInput, Cancelled, WrongUse
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import blend_weight, run_combined, tile_windows
from backends.fire.detect import detect
from backends.fire.fields import FireImage
from backends.fire.importance import band_importance
from backends.fire.measures import best_threshold, count_pixels
from backends.fire.networks import FireClassifier
from backends.fire.published import published_table
from backends.fire.results import TilePartial, without_small
from backends.jobs import CancelToken, Progress
from backends.overlays import ClassMap
from backends.simulate.ams import simulate_ams
from tests.backends.fire.conftest import scene_of


class Hot(torch.nn.Module):
    """Stands for the segmenter: fire where channel 11 is above 0.3, that is 325 K."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, 0] - 0.3) * 100


class Any11(torch.nn.Module):
    """Stands for the classifier: sure where any pixel of channel 11 is that hot."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, 0].amax(dim=(1, 2)) - 0.3) * 100


def hot() -> FireNetworks:
    return FireNetworks(Any11(), Hot(), (11,), {"pixel_threshold": 0.5}, "digest")  # type: ignore[arg-type]


def test_tiles_cover_and_blend_to_one() -> None:
    for rows, cols in ((100, 100), (256, 300), (700, 513)):
        weight = np.zeros((rows, cols))
        for w in tile_windows(rows, cols):
            inside = w.clip(rows, cols)
            weight[inside.slices] += blend_weight()[: inside.height, : inside.width]
        assert (weight > 0).all()
    assert next(iter(tile_windows(256, 256))).row == 0
    # Two tiles 192 pixels apart: their ramps add up to one.
    ramp = blend_weight()[128]
    assert ramp[192:] + ramp[:64] == pytest.approx(np.ones(64), abs=1e-6)


def test_blended_tiles_are_what_one_pass_gives() -> None:
    made = simulate_ams(400, seed=1)
    image = FireImage(made.to_scene())
    found = run_combined(image, hot(), gate=0.0)
    planes, _ = image.unit_planes(None, (11,))
    exact = 1 / (1 + np.exp(-(planes[0] - 0.3) * 100))
    assert np.abs(found.probability - exact).max() < 1e-4


def test_the_gate_shuts_tiles_and_never_the_others() -> None:
    made = simulate_ams(512, seed=1)
    image = FireImage(made.to_scene())
    found = run_combined(image, hot(), gate=0.2)
    assert all(t.opened == (t.chance >= 0.2) for t in found.tiles)
    shut = run_combined(image, hot(), gate=1.1)
    assert not shut.probability.any()


def test_layers_of_rules_and_model() -> None:
    made = simulate_ams(300, seed=2)
    parts: list[TilePartial] = []
    progress = Progress(on_partial=parts.append)
    found = detect(made.to_scene(), rules=["A", "C"], model=hot(), min_size=2, progress=progress)
    by_title = {o.title: o for o in found.overlays}
    assert {"Fire probability", "Fire mask", "Tile verdicts", "Rules and model"} <= set(by_title)
    assert "Rule A Absolute thresholds: margin" in by_title
    mask = by_title["Fire mask"]
    assert isinstance(mask, ClassMap)
    assert count_pixels(mask.labels == 1, made.truth).recall > 0.9
    assert mask.provenance.weights_digest == "digest"
    assert any("nobody has verified" in note for note in mask.provenance.notes)
    both = by_title["Rules and model"]
    assert isinstance(both, ClassMap)
    assert set(both.class_names) == {1, 2, 3, 4}
    assert parts[0].overlays[0].partial
    assert found.summary["model"]["tiles"] == 4
    assert found.summary["fire_ha"] == pytest.approx(
        found.summary["fire_pixels"] * 17.5**2 / 1e4, rel=1e-3
    )


def test_rules_alone_as_far_as_the_bands_allow(calm: dict[float, np.ndarray]) -> None:
    calm[3745][5, 5] = 340
    found = detect(FireImage(scene_of(calm), night=False))
    assert list(found.rules) == ["A", "B", "C"]
    assert "shortwave infrared 1" in found.summary["not_asked"]["F"]
    assert found.mask[5, 5]


def test_cancelling_stops_within_a_tile() -> None:
    token = CancelToken()
    progress = Progress(token, on_partial=lambda _: token.cancel())
    with pytest.raises(Cancelled):
        detect(simulate_ams(512).to_scene(), rules=[], model=hot(), progress=progress)


def test_bad_requests_are_one_sentence() -> None:
    scene = simulate_ams(64).to_scene()
    with pytest.raises(WrongUse, match="probabilities"):
        detect(scene, gate=2)
    with pytest.raises(WrongUse, match="no fire rule"):
        detect(scene, rules=["E"])
    one = np.full((8, 8), 0.1, np.float32)
    with pytest.raises(BadInput, match="No fire rule can be asked"):
        detect(scene_of({485: one, 555: one}))


def test_small_spots_go() -> None:
    mask = np.zeros((9, 9), bool)
    mask[0, 0] = mask[4, 4] = mask[5, 5] = True
    assert without_small(mask, 2).sum() == 2


def test_importance_finds_the_band_that_matters() -> None:
    made = simulate_ams(256, seed=3)
    networks = FireNetworks(
        FireClassifier(2).eval(), _Second().eval(), (2, 11), {}  # type: ignore[arg-type]
    )  # fmt: skip
    found = band_importance(FireImage(made.to_scene()), networks, truth=made.truth)
    by_channel = {b.channel: b for b in found}
    assert by_channel[11].iou_change < -0.5  # type: ignore[operator]
    assert by_channel[2].iou_change == pytest.approx(0)
    assert by_channel[11].published_alone == pytest.approx(0.45, abs=0.01)


class _Second(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, 1] - 0.3) * 100


def test_measures_have_their_names() -> None:
    found, truth = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 1, 0, 1])
    counts = count_pixels(found, truth)
    assert counts.fire_iou == pytest.approx(0.5)
    assert counts.mean_iou == pytest.approx((0.5 + 1 / 3) / 2)
    assert counts.to_dict()["hits"] == 2
    assert count_pixels(np.zeros(3), np.zeros(3)).to_dict()["recall"] is None
    rng: Any = np.random.default_rng(0)
    truth = rng.random(4000) < 0.1
    assert 0.3 < best_threshold(np.where(truth, 0.9, 0.3 * rng.random(4000)), truth) < 0.9


def test_the_papers_fire_iou_is_derived() -> None:
    rows = {row["channels"]: row for row in published_table()}
    assert rows[tuple(range(1, 13))]["fire_iou"] == pytest.approx(0.53, abs=0.005)
    assert rows[(10,)]["fire_iou"] == pytest.approx(0.56, abs=0.006)
