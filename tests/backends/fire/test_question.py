"""What is asked, turned and told of a pixel: the same in the window and on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput
from backends.fire.detect import detect
from backends.fire.fields import FireImage
from backends.fire.pixel import pixel_report, plain, rows_of
from backends.fire.question import FireAnswer, FireQuestion
from backends.overlays import ClassMap
from backends.simulate.ams import simulate_ams
from tests.backends.fire.test_detect import hot


@pytest.fixture(scope="module")
def answer() -> FireAnswer:
    image = FireImage(simulate_ams(400, seed=2).to_scene())
    question = FireQuestion(rules=("A",), gate=0.5, model=Path("n.safetensors"), device="cpu")
    found = detect(image, rules=["A"], model=hot(), gate=0.5, pixel_threshold=0.5)
    return FireAnswer(question, image, hot(), found)


def test_turning_gives_what_a_new_run_gives(answer: FireAnswer) -> None:
    for gate, threshold, least in ((0.5, 0.9, 1), (1.0, 0.5, 3), (0.0, 0.2, 2)):
        turned = answer.retuned(gate, threshold, least)
        fresh = detect(
            answer.image, rules=["A"], model=hot(), gate=gate, pixel_threshold=threshold,
            min_size=least,
        )  # fmt: skip
        assert np.array_equal(turned.found.mask, fresh.mask)
        assert np.allclose(turned.found.probability, fresh.probability, atol=1e-6)
        for one, other in zip(turned.found.overlays, fresh.overlays, strict=True):
            assert (one.id, one.title) == (other.id, other.title)  # it takes the old one's place
            if isinstance(one, ClassMap):
                assert np.array_equal(one.labels, other.labels), one.title
        assert turned.found.summary["model"] == fresh.summary["model"]
        assert turned.question.gate == gate


def test_nothing_is_read_again_while_the_gate_rises(answer: FireAnswer, monkeypatch) -> None:
    monkeypatch.setattr(answer.image, "unit_planes", None)  # reading would fail
    shut = answer.retuned(1.0, 0.5, 1)
    assert shut.found.summary["fire_pixels"] <= answer.found.summary["fire_pixels"]


def test_least_size_turns_rules_alone() -> None:
    image = FireImage(simulate_ams(300, seed=2).to_scene())
    found = detect(image, rules=["A"])
    turned = FireAnswer(FireQuestion(rules=("A",)), image, None, found).retuned(0.2, 0.5, 6)
    assert np.array_equal(turned.found.mask, detect(image, rules=["A"], min_size=6).mask)
    assert turned.found.mask.sum() < found.mask.sum()


def test_a_pixel_says_who_sees_fire_by_which_number(answer: FireAnswer) -> None:
    found, image = answer.found, answer.image
    row, col = (int(v[0]) for v in np.nonzero(found.mask))
    story = pixel_report(image, row, col, hot(), tiles=found.tiles)
    assert story.networks["segmenter"] == pytest.approx(found.probability[row, col], abs=1e-5)
    anew = pixel_report(image, row, col, hot())
    assert anew.networks == pytest.approx(story.networks, abs=1e-5)
    rows = {title: (yes, words) for title, yes, words in rows_of(story, 0.2, 0.5)}
    t4 = story.facts["T4, K"]
    assert rows["A Absolute thresholds"] == ("fire", f"T4 {t4:.4g} > 325 K")
    assert rows["Segmenter"][0] == "fire"
    assert "≥ 0.50" in rows["Segmenter"][1]
    assert plain(story)["rules"]["A"]["decided"]["limit"] == 325
    cooler = pixel_report(image, row, col, numbers={"A": {"day_k": 999.0}})
    assert rows_of(cooler)[0][1:] == ("no", f"T4 {t4:.4g} > 999 K")
    with pytest.raises(BadInput, match="outside"):
        pixel_report(image, 400, 0)


def test_the_command_line_says_all_that_was_asked() -> None:
    question = FireQuestion(
        sensor="ams-12", channels=(2, 11), night=True, rules=("A", "B"),
        model=Path("n.safetensors"), gate=0.4, threshold=0.6, min_size=3,
        numbers={"A": {"night_k": 312}},
    )  # fmt: skip
    assert " ".join(question.words()) == (
        "--sensor ams-12 --channels 2,11 --night --rules A,B --model n.safetensors --gate 0.4 "
        "--threshold 0.6 --min-size 3 --set A.night_k=312"
    )
    assert FireQuestion().words() == ()
    assert FireQuestion(rules=()).words() == ("--rules", "none")
    assert FireQuestion().command(simulate_ams(64).to_scene()) == ()
