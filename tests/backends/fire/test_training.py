"""Both recipes teach, lines stay apart."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import BadInput, WrongUse
from backends.fire.combined import run_combined
from backends.fire.fields import FireImage
from backends.fire.measures import count_pixels
from backends.fire.samples import apart, cut_samples
from backends.fire.training import recipe_of, train
from backends.simulate.ams import simulate_ams


def lines(channels: tuple[int, ...], seeds: tuple[int, ...], variant: str = "day") -> list:
    found = []
    for seed in seeds:
        made = simulate_ams(256, seed=seed, variant=variant)
        image = FireImage(made.to_scene())
        found += cut_samples(image, made.truth, f"{variant} {seed}", channels)
    return found


def test_the_corrected_recipe_learns_fire() -> None:
    samples = lines((11,), (1, 2)) + lines((11,), (1,), "no-fire")
    taught, held = apart(samples, ["day 2"])
    quick = recipe_of(
        "corrected", crop=32, classifier_crop=64, crops=16, segmenter_epochs=6,
        classifier_epochs=6, segmenter_rate=4e-3,
    )  # fmt: skip
    networks = train(taught, held, (11,), recipe=quick, seed=0)
    assert networks.facts["lines_held"] == ["day 2"]
    made = simulate_ams(256, seed=7)
    found = run_combined(FireImage(made.to_scene()), networks, gate=0.0)
    counts = count_pixels(found.probability >= networks.facts["pixel_threshold"], made.truth)
    assert counts.fire_iou > 0.5


def test_the_papers_recipe_runs_as_written() -> None:
    paper = recipe_of("paper")
    assert (paper.classifier_rate, paper.segmenter_rate) == (7.5e-4, 3e-4)
    assert (paper.classifier_batch, paper.segmenter_batch) == (100, 4)
    assert (paper.crop, paper.augment, paper.quiet) == (256, False, 0.0)
    short = recipe_of("paper", classifier_epochs=1, segmenter_epochs=1)
    samples = lines((11,), (1, 3))
    networks = train(samples[:1], samples[1:], (11,), recipe=short)
    assert len(networks.facts["segmenter_curve"]) == 1


def test_papers_windows_drop_what_is_dark() -> None:
    day, night = simulate_ams(300, seed=1), simulate_ams(300, seed=1, variant="night")
    channels = tuple(range(1, 13))
    kept = [
        len(cut_samples(FireImage(m.to_scene()), m.truth, "x", channels, recipe="paper", count=5))
        for m in (day, night)
    ]
    assert kept[1] == 0  # the pitfall: its filter throws nights away
    assert len(cut_samples(FireImage(night.to_scene()), night.truth, "x", channels)) == 4


def test_splits_and_settings_are_checked() -> None:
    samples = lines((11,), (1,))
    with pytest.raises(BadInput, match="at once"):
        train(samples, samples, (11,), recipe=recipe_of("corrected"))
    with pytest.raises(BadInput, match="flight lines of their own"):
        apart(samples, ["day 1"])
    quiet = lines((11,), (1,), "no-fire")
    with pytest.raises(BadInput, match="No tile to learn from"):
        train(quiet, [], (11,), recipe=recipe_of("corrected"))
    with pytest.raises(WrongUse, match="no setting speed"):
        recipe_of("corrected", speed=1)
    with pytest.raises(WrongUse, match="no recipe"):
        recipe_of("magic")
    made = simulate_ams(64)
    with pytest.raises(BadInput, match="the scene 64 × 64"):
        cut_samples(FireImage(made.to_scene()), np.zeros((3, 3)), "x", (11,))
