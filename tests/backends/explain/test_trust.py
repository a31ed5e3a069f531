"""Stability, randomisation and the whole card, on a network of which we know what decides."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from patch_network import PlantedPatch, Scorer, gradient_map, patch_mask, planted_image, true_map
from torch import nn

from backends.errors import BadInput, Cancelled, WrongUse
from backends.explain.curves import Band
from backends.explain.map_states import Explained, State
from backends.explain.perturbation import MEAN, air
from backends.explain.randomisation import CASCADE, drawn_anew, learned_layers, randomisation
from backends.explain.stability import KINDS, explanations, stability
from backends.explain.trust import assess
from backends.explain.trust_card import FAILS, NOT_ASSESSED, PASSES, WEAK, TrustCard, TrustSettings

QUICK = TrustSettings(steps=8, random_steps=4, batch=32, percentiles=(30, 70))


def brightness_map(image: torch.Tensor) -> np.ndarray:
    """Shows the image and knows no network: the kind of map the check must find out."""
    return image.mean(0).numpy().astype(float)


def test_a_map_that_moves_with_the_image_is_stable() -> None:
    image = planted_image()
    found = stability(image, brightness_map(image), brightness_map, noise=0.0)
    assert [c.kind for c in found.changes] == [
        *["shift"] * 4, "flip", "noise", *["brightness"] * 2
    ]  # fmt: skip
    assert len(found.changes) == explanations(KINDS, 1)
    for change in found.changes:
        assert change.rank_correlation == pytest.approx(1, abs=1e-6), change.name
        assert change.ssim == pytest.approx(1, abs=1e-6), change.name
    assert found.stability == pytest.approx(1)
    assert found.sensitivity == 0


def test_a_map_that_stays_where_it_was_is_not() -> None:
    image = planted_image()
    rng = np.random.default_rng(0)
    fixed = rng.normal(size=(24, 24))
    found = stability(image, fixed, lambda x: fixed)
    assert found.of("noise") == pytest.approx(1)
    assert found.of("shift") < 0.2
    assert found.of("flip") < 0.2
    random = stability(image, fixed, lambda x: rng.normal(size=(24, 24)))
    assert random.stability < 0.2
    assert random.sensitivity is not None
    assert random.sensitivity > 1


def test_only_the_changes_asked_for() -> None:
    image = planted_image()
    found = stability(image, true_map(), lambda x: true_map(), kinds=("noise",), noises=3)
    assert len(found.changes) == 3
    assert np.isnan(found.of("flip"))
    with pytest.raises(WrongUse, match="no change called"):
        stability(image, true_map(), lambda x: true_map(), kinds=("turn",))
    with pytest.raises(WrongUse, match="leaves nothing"):
        stability(image, true_map(), lambda x: true_map(), shift=12)


def test_random_weights_change_a_true_map_and_not_a_picture_of_the_image() -> None:
    network, image = PlantedPatch(), planted_image()
    values = gradient_map(network, image)
    honest = randomisation(network, values, lambda n: gradient_map(n, image))
    blind = randomisation(network, brightness_map(image), lambda n: brightness_map(image))
    assert honest.randomisation is not None
    assert honest.randomisation > 0.8
    assert blind.randomisation == pytest.approx(0)
    assert blind.ssims[-1] == pytest.approx(1)


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 2, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ).eval()


def test_the_live_network_is_not_touched_and_layers_go_from_the_output() -> None:
    network = small_net()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    assert learned_layers(network) == ("3", "1", "0")
    head = drawn_anew(network, 0.0).state_dict()
    assert not torch.equal(head["3.weight"], before["3.weight"])
    assert torch.equal(head["0.weight"], before["0.weight"])
    both = drawn_anew(network, 1.0, seed=1).state_dict()
    assert not torch.equal(both["0.weight"], before["0.weight"])
    # The size of the weights is kept, and biases are the same numbers elsewhere.
    for name in ("0.weight", "3.weight"):
        ratio = both[name].square().mean() / before[name].square().mean()
        assert 0.4 < float(ratio) < 2
    assert torch.equal(both["0.bias"].sort().values, before["0.bias"].sort().values)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    again = drawn_anew(network, 1.0, seed=1).state_dict()
    assert all(torch.equal(again[k], both[k]) for k in both)
    other = drawn_anew(network, 1.0, seed=2).state_dict()
    assert not torch.equal(other["0.weight"], both["0.weight"])
    with pytest.raises(BadInput, match="no weights"):
        drawn_anew(nn.ReLU())


def test_the_cascade_and_empty_maps() -> None:
    network, image = PlantedPatch(), planted_image()
    values = gradient_map(network, image)
    found = randomisation(
        network, values, lambda n: gradient_map(n, image), shares=CASCADE, seeds=2
    )
    assert len(found.rank_correlations) == len(CASCADE)
    empty = randomisation(network, values, lambda n: np.zeros((24, 24)))
    assert empty.blank == 3
    assert empty.randomisation is None
    with pytest.raises(WrongUse):
        randomisation(network, values, lambda n: values, shares=(1.0, 0.5))


def card(values: np.ndarray | None = None, **more: object) -> TrustCard:
    network, image = PlantedPatch(), planted_image()
    how = {
        "explain": lambda x: gradient_map(network, x),
        "network": network,
        "explain_with": lambda n: gradient_map(n, image),
        "settings": QUICK,
    } | more
    given = gradient_map(network, image) if values is None else values
    return assess(image, given, Scorer(network), **how)  # type: ignore[arg-type]


def test_the_card_of_a_true_map_passes() -> None:
    found = card(mask=patch_mask(), target=Explained("bright", 0.9, 2, "saliency"))
    assert found.verdict == PASSES, found.reasons
    assert found.f is not None
    assert found.f >= 0.95
    assert found.trust == pytest.approx((found.f * found.s * found.r) ** (1 / 3))
    assert len(found.reasons) == 3
    assert found.localisation is not None
    assert found.localisation.pointing
    assert found.cost.explanations == 8 + 3
    assert set(found.cost.parts_s) == {"curves", "stability", "randomisation", "road"}
    figures = found.figures()
    assert {"trust", "faithfulness", "stability", "randomisation", "road"} <= set(figures)
    assert {"deletion_auc", "insertion_auc", "mask_precision", "mask_coverage"} <= set(figures)


def test_the_card_of_an_anti_map_fails_and_says_why() -> None:
    found = card(-true_map())
    assert found.verdict == FAILS
    assert found.f is not None
    assert found.f <= 0.05
    assert any("of 20 random maps as smooth" in reason for reason in found.reasons)


def test_a_map_that_does_not_know_the_network_fails() -> None:
    image = planted_image()
    found = card(
        brightness_map(image), explain=brightness_map, explain_with=lambda n: brightness_map(image)
    )
    assert found.verdict == FAILS
    assert any("With random weights the map is alike to 1.00" in r for r in found.reasons)


def test_nothing_is_judged_before_it_was_measured() -> None:
    assert TrustCard().verdict == NOT_ASSESSED
    assert TrustCard().trust is None
    part = card(explain=None)
    assert part.verdict == NOT_ASSESSED
    assert part.trust is None
    assert "hardly changes is not known" in part.reasons[0]
    none = card(network=None, explain_with=None, explain=None, settings=TrustSettings(curves=False))
    assert none.road is not None
    assert none.verdict == NOT_ASSESSED


def test_empty_maps_fail_without_asking_the_network() -> None:
    score = Scorer()
    found = assess(planted_image(), np.zeros((24, 24)), score)
    assert score.batches == []
    assert found.verdict == FAILS
    assert found.trust == 0
    assert found.reasons == ("The map is zero everywhere: no gradient reached it.",)
    bad = assess(planted_image(), np.full((24, 24), np.nan), score)
    assert bad.verdict == FAILS
    assert bad.peakedness is None


def test_a_warning_makes_a_good_map_weak() -> None:
    found = card(target=Explained("bright", 0.9, 2, "grad_cam", tokens=True))
    assert found.verdict == WEAK
    assert "ViT" in found.reasons[0]
    assert TrustCard(states=(State("vit", "So."),)).verdict == NOT_ASSESSED


def test_an_answer_that_nothing_moves_is_no_proof() -> None:
    """Where taking away hardly matters, to beat random maps is a matter of rounding."""
    from dataclasses import replace

    found = card()
    of = found.faithfulness
    assert of is not None
    assert found.verdict == PASSES

    def squeezed(band: Band) -> Band:
        return replace(band, scores=0.98 + 0.02 * band.scores)

    still = replace(
        of,
        deletion=replace(of.deletion, score=0.98 + 0.02 * of.deletion.score),
        insertion=replace(of.insertion, score=0.98 + 0.02 * of.insertion.score),
        random_deletion=squeezed(of.random_deletion),
        random_insertion=squeezed(of.random_insertion),
    )
    found = replace(found, faithfulness=still)
    assert found.verdict == WEAK
    assert "says little" in " ".join(found.reasons)
    assert found.f == of.faithfulness  # the figure stays what was measured


def test_the_card_is_json_with_its_parts_and_settings() -> None:
    settings = TrustSettings(steps=8, random_steps=4, deletion=air(-1.0), insertion=MEAN)
    found = card(settings=settings, mask=patch_mask())
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["settings"]["deletion"]["title"] == "air (−1000 HU)"
    assert len(told["curves"]["deletion"]["score"]) == 9
    assert len(told["curves"]["insertion"]["random"]["mean"]) == 5
    assert told["curves"]["deletion"]["substrate"]["values"] == [-1.0]
    assert len(told["stability"]["changes"]) == 8
    assert told["thresholds"]["faithfulness"] == {"fails": 0.75, "passes": 0.95}
    assert told["verdict"] == found.verdict
    assert told["cost"]["forwards"] == found.cost.forwards
    json.dumps(TrustCard().to_dict(), allow_nan=False)


def test_progress_counts_to_its_total_and_hands_over_parts() -> None:
    from backends.jobs import Progress

    partial: list[TrustCard] = []
    progress = Progress(on_partial=partial.append)
    found = card(progress=progress)
    assert progress.done == progress.total
    assert progress.done == found.cost.forwards + found.cost.explanations
    assert [p.faithfulness is not None for p in partial] == [True] * 3
    assert [p.randomisation is not None for p in partial] == [False, False, True]


@pytest.mark.parametrize("calls", [1, 4, 8, 14])
def test_cancel_stops_at_the_next_batch(calls: int, cancel_after) -> None:
    asked: list[int] = []
    network = PlantedPatch()
    score = Scorer(network)

    def counted(images: torch.Tensor) -> torch.Tensor:
        asked.append(1)
        return score(images)

    def explain(image: torch.Tensor) -> np.ndarray:
        asked.append(1)
        return gradient_map(network, image)

    with pytest.raises(Cancelled):
        assess(
            planted_image(),
            true_map(),
            counted,
            explain=explain,
            settings=QUICK,
            progress=cancel_after(calls),
        )
    assert len(asked) == calls


def test_a_wrong_mask_and_half_a_check_are_said() -> None:
    with pytest.raises(BadInput, match="is 3 × 3 pixels"):
        card(mask=np.eye(3))
    with pytest.raises(WrongUse, match="needs the network"):
        card(network=None)
