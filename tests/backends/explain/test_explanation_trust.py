"""Trust of real explanations: of a network that finds a planted square, and as files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import mask, picture, planted

from backends.errors import BadInput, Cancelled
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.explain.explainers import explain
from backends.explain.explanation_trust import air_at_input, settings_for, trust_of
from backends.explain.trust_card import FAILS, TrustSettings
from backends.explain.trust_files import write_trust
from backends.overlays import Provenance

QUICK = TrustSettings(steps=8, random_steps=4, batch=32, percentiles=(50,))


@pytest.mark.parametrize("how", ["grad_cam", "saliency"])
def test_what_finds_the_square_is_faithful_stable_and_learned(how: str) -> None:
    classifier = planted()
    image = picture()
    prepared = classifier.prepare(image)
    made = explain(classifier, prepared, classifier.target(prepared, "red"), how)
    before = {k: v.clone() for k, v in classifier.network.state_dict().items()}
    card = trust_of(classifier, prepared, made, mask=mask(), settings=QUICK)
    assert card.f is not None
    assert card.f >= 0.95
    assert card.s is not None
    assert card.s > 0.5
    assert card.r is not None
    assert card.localisation is not None
    assert card.localisation.pointing
    assert card.localisation.rank > 0.8
    assert card.target.name == "red"
    assert card.target.classes == 3
    for name, value in classifier.network.state_dict().items():
        assert torch.equal(value, before[name])
    assert classifier.network.training  # as it was given


def test_a_turned_map_fails() -> None:
    classifier = planted()
    prepared = classifier.prepare(picture())
    made = explain(classifier, prepared, classifier.target(prepared, "red"), "grad_cam")
    card = trust_of(classifier, prepared, replace(made, values=-made.values), settings=QUICK)
    assert card.verdict == FAILS
    assert card.f is not None
    assert card.f <= 0.1


def test_a_mask_of_another_size_is_said_and_cancel_stops(cancel_after) -> None:
    classifier = planted()
    prepared = classifier.prepare(picture())
    made = explain(classifier, prepared, classifier.target(prepared), "grad_cam")
    with pytest.raises(BadInput, match="The mask is 3 × 4 pixels, the image 64 × 64"):
        trust_of(classifier, prepared, made, mask=np.ones((3, 4)))
    with pytest.raises(Cancelled):
        trust_of(classifier, prepared, made, settings=QUICK, progress=cancel_after(2))


class Pixels(torch.nn.Module):
    """Class k is band k, pixel by pixel, through a weight that can be drawn anew."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(3)[:, :, None, None] * 4)
            self.mix.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mix(x)


def test_places_asked_of_pixel_networks_do_not_move() -> None:
    spec = InputSpec((64, 64), 3, (0.5,) * 3, (0.5,) * 3)
    card = Card("pixels", "Pixels", trained_on="set by hand")
    classifier = ImageClassifier(Pixels(), ("red", "green", "blue"), spec, card, pixelwise=True)
    prepared = classifier.prepare(picture())
    target = classifier.target(prepared, "red", region=mask())
    made = explain(classifier, prepared, target, "saliency")
    found = trust_of(classifier, prepared, made, settings=QUICK)
    assert found.stability is not None
    assert {c.kind for c in found.stability.changes} == {"noise", "brightness"}
    assert found.f is not None
    assert found.f >= 0.95


def test_substrates_follow_what_the_network_reads() -> None:
    spec = InputSpec((8, 8), 3, (0.5,) * 3, (0.25,) * 3)
    assert air_at_input(spec, 0).values == (-2.0, -2.0, -2.0)
    hu = InputSpec((8, 8), 1, (0.0,), (1.0,), (-1000.0, 400.0))
    assert air_at_input(hu).values == (0.0,)
    clipped = replace(hu, value_range=(-600.0, 400.0), clip=(0.0, 1.0))
    assert air_at_input(clipped).values == (0.0,)
    classifier = planted()
    assert settings_for(classifier).insertion.id == "blur"
    assert settings_for(classifier, ct=0).deletion.title == "air (−1000 HU)"


@pytest.mark.parametrize(
    ("bands", "unit", "taken_away", "before_shown"),
    [(5, "", "mean", "mean"), (3, "", "mean", "blur"), (3, "HU", "values", "values")],
)
def test_band_means_for_cubes_air_for_ct_and_blur_for_photographs(
    bands: int, unit: str, taken_away: str, before_shown: str
) -> None:
    from backends.bands import BandTable
    from backends.explain.explanation_trust import settings_for_scene
    from backends.scene import ArraySource, Scene, SceneInfo

    network = torch.nn.Conv2d(bands, 2, 1)
    spec = InputSpec((8, 8), bands, (0.5,) * bands, (0.5,) * bands)
    classifier = ImageClassifier(network, ("a", "b"), spec, Card("n", "N", trained_on="x"))
    info = SceneInfo(None, "medical", BandTable.build(bands), title="S", unit=unit)
    scene = Scene(ArraySource(np.zeros((8, 8, bands), np.int16)), info)
    found = settings_for_scene(classifier, scene)
    assert (found.deletion.id, found.insertion.id) == (taken_away, before_shown)
    if unit == "HU":  # black in the window that is shown: 0 before the normalisation
        assert found.deletion.title == "air (−1000 HU)"
        assert found.deletion.values == (-1.0,) * bands


def test_files_hold_card_and_curves(tmp_path: Path) -> None:
    classifier = planted()
    prepared = classifier.prepare(picture())
    made = explain(classifier, prepared, classifier.target(prepared), "grad_cam")
    card = trust_of(classifier, prepared, made, settings=QUICK)
    written = write_trust(card, tmp_path, "square", Provenance("grad_cam"))
    assert [p.name for p in written] == ["square_trust.json", "square_curves.csv"]
    told = json.loads(written[0].read_text())
    assert told["verdict"] == card.verdict
    assert told["provenance"]["method"] == "grad_cam"
    lines = [x for x in written[1].read_text().splitlines() if not x.startswith("#")]
    table = list(csv.DictReader(lines))
    deletion = [row for row in table if row["curve"] == "deletion"]
    assert len(deletion) == 9
    assert sum(bool(row["random_mean"]) for row in deletion) == 5
    assert float(deletion[3]["score"]) == pytest.approx(told["curves"]["deletion"]["score"][3])
    assert sum(row["curve"] == "road_most_first" for row in table) == 1
