"""Decisions as sums over concepts, the bottleneck, and what is chosen for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.concepts.autoencoder import NestedAutoencoder, Scaling, Sizes
from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.bottleneck import (
    Bottleneck,
    BottleneckSettings,
    Embeddings,
    build,
    lines,
    load_bottleneck,
    save_bottleneck,
)
from backends.concepts.candidates import (
    Candidates,
    fit_to_choose,
    from_directions,
    from_phrases,
    from_proposer,
)
from backends.concepts.codes import from_dense
from backends.concepts.decomposition import decompose, left_over
from backends.concepts.probe import Probe, fit_probe, pooled
from backends.concepts.segmentation import ClassDirections, ConceptSegmentation, mean_iou
from backends.concepts.selection import random_directions, select, select_by_force
from backends.errors import BadInput, WrongUse


def test_contributions_sum_to_the_logit_and_a_concept_can_be_taken_away() -> None:
    rng = np.random.default_rng(0)
    probe = Probe(rng.normal(size=(4, 300)), rng.normal(size=4), tuple("abcd"))
    codes = from_dense(np.maximum(rng.normal(size=(12, 300)) - 1, 0), (3, 4))
    z = pooled(codes)
    logit = probe.logits(z)
    for target in range(4):
        parts = probe.parts(z, target, 7)
        assert sum(p.amount for p in parts) == pytest.approx(logit[target], abs=1e-4)
        assert [p.concept for p in parts[-2:]] == [-2, -1]
    first = probe.parts(z, 2, 1)[0]
    gone = codes.changed(first.concept, scale=0)
    np.testing.assert_allclose(
        probe.without(z, {first.concept: 0.0}), probe.logits(pooled(gone)), atol=1e-6
    )
    assert probe.without(z, {first.concept: 0.0})[2] == pytest.approx(logit[2] - first.amount)
    shown = probe.layer(codes, first.concept, 2)
    assert shown.shape == (3, 4)
    assert shown.flat[np.abs(shown).argmax()] == pytest.approx(first.amount, rel=1e-5)
    with pytest.raises(WrongUse):
        probe.without(z, {300: 1.0})


@pytest.mark.parametrize("classes", [2, 3])
def test_a_probe_learns_which_concept_makes_the_class(classes: int) -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, classes, 200)
    x = rng.random((200, 30)) * 0.1
    x[np.arange(200), label] += 1
    made = fit_probe((x[:120], label[:120]), (x[120:160], label[120:160]), list("abc")[:classes])
    assert made.accuracy(x[160:], label[160:]) == 1
    adds = made.weight * x.std(0)
    assert [adds[n].argmax() for n in range(classes)] == list(range(classes))


def test_segmentation_scores_are_sums_over_concepts() -> None:
    rng = np.random.default_rng(2)
    network = NestedAutoencoder(Sizes(16, 40, 3), seed=5)
    features = rng.normal(size=(60, 16)).astype(np.float32)
    label = (features[:, 0] > 0).astype(int)
    dictionary = Dictionary(network, Scaling.of(features), {"digest": "x", "title": "t"})
    codes = dictionary.codes(features, (6, 10), most=5)
    made = ConceptSegmentation(
        dictionary, ClassDirections.from_labels(features, label, ("low", "high"))
    )
    scores = made.scores(codes)
    for token in (0, 17, 59):
        for target in range(2):
            _, amounts, fixed = made.contributions(codes, token, target)
            assert amounts.sum() + fixed == pytest.approx(scores[token, target], abs=1e-3)
    dense = made.directions.scores(features).argmax(1)
    assert (dense == label).mean() > 0.9
    assert mean_iou(label, dense, 2)[0] > 0.8
    assert mean_iou(np.array([-1, 0, 1]), np.array([1, 0, 0]), 2) == (0.25, [0.5, 0.0])


def test_greedy_choice_equals_brute_force() -> None:
    rng = np.random.default_rng(3)
    for seed in range(5):
        values = np.random.default_rng(seed).normal(size=(80, 12)) * np.linspace(0.2, 2, 12)
        candidates = rng.normal(size=(40, 12))
        candidates[7] = candidates[3] + 1e-4  # depends on another
        fast, slow = select(candidates, values, 9), select_by_force(candidates, values, 9)
        np.testing.assert_array_equal(fast.chosen, slow.chosen)
        np.testing.assert_allclose(fast.explained, slow.explained, atol=1e-9)
        assert not {3, 7} <= set(fast.chosen.tolist())


def test_as_many_concepts_as_dimensions_warn() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(100, 10))
    tight = select(random_directions(30, 10), values, 5)
    loose = select(random_directions(30, 10), values, 12)
    assert tight.binding
    assert not tight.warning
    assert not loose.binding
    assert "not binding" in loose.warning
    assert loose.explained[-1] == pytest.approx(1)


@pytest.mark.parametrize("how", ["omp", "nonnegative"])
def test_planted_support_is_recovered(how: str) -> None:
    rng = np.random.default_rng(5)
    concepts = random_directions(60, 128, 6)
    truth = np.zeros((50, 60))
    for row in truth:
        row[rng.choice(60, 4, replace=False)] = rng.uniform(0.5, 1.5, 4)
    if how == "omp":
        truth *= rng.choice([-1, 1], truth.shape)
    found = decompose(truth @ concepts, concepts, 4, how=how)
    exact = ((np.abs(found) > 1e-6) == (truth != 0)).all(1)
    assert exact.mean() >= 0.95
    np.testing.assert_allclose(found[exact], truth[exact], atol=1e-5)
    assert left_over(truth @ concepts, concepts, found)[exact].max() < 1e-9


def test_weights_stay_within_their_rules() -> None:
    rng = np.random.default_rng(7)
    concepts, values = random_directions(20, 8, 1), rng.normal(size=(64, 8))
    found = decompose(values, concepts, 5)
    assert (found >= 0).all()
    assert ((found > 0).sum(1) <= 5).all()
    free = decompose(values, concepts, 8, how="omp")
    assert left_over(values, concepts, free).max() < 1e-6  # eight span all
    with pytest.raises(WrongUse, match="no decomposition"):
        decompose(values, concepts, 5, how="magic")


class _Tower:
    digest = "tower"

    def embed(self, phrases):  # type: ignore[no-untyped-def]
        known = {"roof": 0, "water": 1, "roofs": 0, "Port": 2, "unicorn": 7}
        out = np.zeros((len(phrases), 8), np.float32)
        for row, phrase in enumerate(phrases):
            out[row, known[phrase]] = 1
        return out


def test_candidates_are_filtered_with_reasons() -> None:
    images = np.eye(8, dtype=np.float32)[[0, 1, 2] * 5]
    found = from_phrases(["roof", "water", "roofs", "Port", "unicorn", "roof"], _Tower())
    kept = fit_to_choose(found, images, ("port",))
    assert kept.names == ("roof", "water")
    assert dict(kept.dropped) == {
        "roofs": "says the same as roof", "Port": "is the name of a class",
        "unicorn": "is seen in no image",
    }  # fmt: skip
    with pytest.raises(BadInput, match="left after filtering"):
        fit_to_choose(from_phrases(["unicorn"], _Tower()), images)


def test_anything_that_proposes_phrases_can_be_asked() -> None:
    class Echo:
        name = "echo"

        def propose(self, task, exemplars, count):  # type: ignore[no-untyped-def]
            return ["roof", "water", "Port"]

    found = from_proposer(Echo(), _Tower(), "aerial", [Path("a.jpg")], 2)
    assert (found.names, found.sources) == (("roof", "water"), ("echo", "echo"))


def _embeddings() -> tuple[Embeddings, Candidates]:
    rng = np.random.default_rng(8)
    directions = random_directions(12, 32, 9)
    label = rng.integers(0, 6, 300)
    w = rng.random((300, 12)) * 0.3
    w[np.arange(300), label] += 1.5
    values = (w @ directions + 0.18 * rng.normal(size=(300, 32))).astype(np.float32)
    data = Embeddings(values, label, np.repeat([0, 1, 2], 100), tuple("abcdef"))
    return data, from_directions(directions, [f"planted {n}" for n in range(12)])


def test_a_bottleneck_decides_by_planted_concepts(tmp_path: Path) -> None:
    data, candidates = _embeddings()
    made = build(data, candidates, BottleneckSettings(6, 4), encoder={"digest": "d", "title": "t"})
    assert made.figures["accuracy"] > 0.9
    assert made.figures["accuracy"] > made.figures["random_accuracy"] + 0.05
    assert not made.figures["warning"]
    assert np.all(np.diff(made.figures["explained"]) > 0)
    one = data.values[250]
    target = int(data.label[250])
    parts, rest = made.explain(one, target)
    logit = made.head.logits(made.weights(one[None]))[0, target]
    assert sum(p.amount for p in parts) == pytest.approx(logit, abs=1e-4)
    assert 0 <= rest < 1
    save_bottleneck(made, tmp_path / "bottleneck.safetensors")
    back: Bottleneck = load_bottleneck(tmp_path / "bottleneck.safetensors", "d")
    np.testing.assert_array_equal(back.weights(data.values), made.weights(data.values))
    assert lines(back) == lines(made)
    with pytest.raises(BadInput, match="built on t"):
        load_bottleneck(tmp_path / "bottleneck.safetensors", "other")


def test_a_bottleneck_as_wide_as_the_embedding_says_that_it_binds_nothing() -> None:
    data, _ = _embeddings()
    drawn = from_directions(random_directions(64, 32, 2), [f"r{n}" for n in range(64)])
    made = build(data, drawn, BottleneckSettings(32, 32, "omp"))
    told = dict(lines(made))
    assert "not binding" in told["Warning"]
    assert made.figures["test_explained"] == pytest.approx(1, abs=1e-6)


def test_codes_by_click_layer_and_change() -> None:
    dense = np.zeros((6, 5), np.float32)
    dense[0, [1, 4]] = 2, 3
    dense[5, 1] = 7
    codes = from_dense(dense, (2, 3))
    concept, value = codes.cell(0, 0)
    assert concept.tolist() == [4, 1]
    assert value.tolist() == [3, 2]
    np.testing.assert_array_equal(codes.layer(1), dense[:, 1].reshape(2, 3))
    np.testing.assert_array_equal(codes.dense(), dense)
    np.testing.assert_array_equal(codes.take(np.array([5, 0])).dense(), dense[[5, 0]])
    assert codes.largest.tolist() == [0, 7, 0, 0, 3]
    assert codes.mean_active == 0.5
    np.testing.assert_allclose(codes.decode(np.eye(5, dtype=np.float32), np.zeros(5)), dense)
    assert codes.changed(1, value=1.0).layer(1)[0, 0] == 1
    with pytest.raises(WrongUse, match="no cell"):
        codes.cell(2, 0)
    with pytest.raises(WrongUse, match="no concept 5"):
        codes.layer(5)
