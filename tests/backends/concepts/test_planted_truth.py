"""What is known beforehand must be found: crowded directions, families, weights, sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from nested_world import Planted, crowded

from backends.concepts.autoencoder import NestedAutoencoder, Scaling, Sizes, codes_of, stability
from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.autoencoder_training import Settings, TrainingState, begin, train
from backends.concepts.bottleneck import BottleneckSettings, Embeddings, build, lines
from backends.concepts.candidates import from_directions
from backends.concepts.codes import from_dense
from backends.concepts.decomposition import decompose
from backends.concepts.relations import Family, Guards, cooccurrence
from backends.concepts.segmentation import ClassDirections, ConceptSegmentation
from backends.concepts.selection import random_directions, select, select_by_force

SIZES = Sizes(64, 140, 2, (0.2, 0.8))
SETTINGS = Settings(steps=1200, batch=512, learning_rate=3e-3, dead_after=20_000)


@pytest.fixture(scope="module")
def world() -> Planted:
    return crowded()


@pytest.fixture(scope="module")
def trained(world: Planted) -> TrainingState:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train(begin(world.features, SIZES, SETTINGS), world.features, SETTINGS)
    finally:
        torch.set_num_threads(threads)


def test_more_directions_than_dimensions_are_found_with_their_families(
    world: Planted, trained: TrainingState
) -> None:
    planted = len(world.directions)
    assert planted > world.directions.shape[1]
    cosine = world.directions @ trained.network.directions.detach().numpy().T
    best = cosine.argmax(1).tolist()
    matched = {n: best[n] for n in range(planted) if cosine[n, best[n]] >= 0.9}
    assert len(set(matched.values())) == len(matched) >= 0.95 * planted
    coarse = [SIZES.group_of(matched[n]) == 0 for n in range(world.parents) if n in matched]
    assert sum(coarse) >= 0.95 * world.parents
    codes = codes_of(trained.network, trained.scaling.apply(world.features))
    got = {(r.child, r.parent) for r in cooccurrence([codes], SIZES.concepts).relations()}
    both = [(c, p) for c, p in world.parent_of.items() if c in matched and p in matched]
    wanted = {(matched[c], matched[p]) for c, p in both}
    assert len(got & wanted) >= 0.95 * len(world.parent_of)
    known = set(matched.values())
    assert not {pair for pair in got - wanted if known.issuperset(pair)}
    # Directions drawn at random match nothing: 0.9 is far from chance.
    drawn = random_directions(SIZES.concepts, 64, 99)
    assert stability(world.directions, drawn) < 0.5
    assert stability(world.directions, trained.network.directions.detach().numpy()) > 0.95


def test_codes_do_not_depend_on_order_or_on_where_a_block_ends(
    world: Planted, trained: TrainingState
) -> None:
    x = trained.scaling.apply(world.features[:9000])  # more than the block that is read at once
    whole = codes_of(trained.network, x)
    order = np.random.default_rng(0).permutation(9000)
    mixed = codes_of(trained.network, x[order]).take(np.argsort(order))
    np.testing.assert_array_equal(mixed.start, whole.start)
    np.testing.assert_array_equal(mixed.index, whole.index)
    np.testing.assert_allclose(mixed.value, whole.value, atol=1e-5)
    few = codes_of(trained.network, x, most=2)
    assert np.diff(few.start).max() == 2
    some = codes_of(trained.network, x[4000:4100], most=2)
    np.testing.assert_array_equal(some.index, few.take(np.arange(4000, 4100)).index)


def _codes(kind: str) -> np.ndarray:
    """Return codes of 20 concepts on 20,000 patches that have nothing to do with each other."""
    rng = np.random.default_rng(3)
    codes = (rng.random((20_000, 20)) < 0.08) * rng.uniform(0.5, 1.5, (20_000, 20))
    if kind == "everywhere":
        codes[:, 0] = (rng.random(20_000) < 0.95) * 1.0
    if kind == "rare":
        codes[:, 5] = 0
        codes[:12, [5, 6]] = 1.0
    if kind == "half":  # where 5 is on, 6 is as often on as off
        codes[:, 6] = np.where((codes[:, 5] > 0) & (rng.random(20_000) < 0.5), 1.0, codes[:, 6])
    return codes


@pytest.mark.parametrize(
    ("kind", "alone", "loose"),
    [
        ("everywhere", Guards(support=1, lift=0), Guards(support=1, lift=0, always_on=1)),
        ("everywhere", Guards(support=1, always_on=1), Guards(support=1, lift=0, always_on=1)),
        ("rare", Guards(), Guards(support=1)),
        ("half", Guards(), Guards(strength=0.4)),
    ],
)
def test_concepts_that_have_nothing_to_do_with_each_other_are_not_related(
    kind: str, alone: Guards, loose: Guards
) -> None:
    found = cooccurrence([from_dense(_codes(kind))], 20)
    assert found.relations() == ()
    assert found.relations(alone) == ()  # one guard is enough, the others do nothing here
    assert found.relations(loose)
    assert cooccurrence([from_dense(_codes("apart"))], 20).relations(Guards(0.3, 1, 1, 0)) == ()


def test_three_generations_are_told_in_order() -> None:
    rng = np.random.default_rng(4)
    ship = rng.random(30_000) < 0.15
    sailing = ship & (rng.random(30_000) < 0.4)
    sail = sailing & (rng.random(30_000) < 0.4)
    codes = np.stack([ship, sailing, sail, rng.random(30_000) < 0.1], 1).astype(float)
    parts = np.array_split(codes, 7)  # counted in parts as in one
    found = cooccurrence([from_dense(p) for p in parts], 4)
    pairs = {(r.child, r.parent) for r in found.relations()}
    assert pairs == {(1, 0), (2, 1), (2, 0)}
    assert Family(found.relations()).lineage(2) == [0, 1, 2]
    for one in found.relations():
        alone = codes[:, one.child] > 0
        assert one.strength == pytest.approx((codes[alone, one.parent] > 0).mean())
        assert one.support == (codes[:, [one.child, one.parent]] > 0).all(1).sum()


@pytest.mark.parametrize("words", [False, True])
def test_what_concepts_add_to_a_pixels_class_sums_to_its_score(words: bool) -> None:
    rng = np.random.default_rng(6)
    features = (rng.normal(size=(400, 24)) * 7 + 3).astype(np.float32)
    network = NestedAutoencoder(Sizes(24, 90, 6), seed=2).requires_grad_(False)
    network.offset += 0.1
    made = Dictionary(network, Scaling.of(features), {"digest": "x", "title": "t"})
    if words:
        directions = ClassDirections.from_words(rng.normal(size=(3, 24)), ("a", "b", "c"))
    else:
        directions = ClassDirections.from_labels(
            features, features[:, :3].argmax(1), ("a", "b", "c")
        )
    codes = made.codes(features, (20, 20), most=8)
    by_concepts = ConceptSegmentation(made, directions)
    scores = by_concepts.scores(codes)
    for token in range(0, 400, 37):
        for target in range(3):
            concept, amounts, fixed = by_concepts.contributions(codes, token, target)
            assert len(concept) == 8
            assert float(amounts.sum()) + fixed == pytest.approx(scores[token, target], abs=1e-4)
            # Without its strongest concept the decoded feature loses exactly that part.
            first = int(np.abs(amounts).argmax())
            less = codes.take(np.array([token])).changed(int(concept[first]), scale=0)
            gone = made.scaling.undo(less.decode(made.directions, made.offset))[0]
            whole = made.scaling.undo(
                codes.take(np.array([token])).decode(made.directions, made.offset)
            )[0]
            lost = 100 * (whole - gone) @ directions.values[target]
            lost /= np.linalg.norm(whole - directions.centre)
            assert lost == pytest.approx(amounts[first], abs=1e-3)


def test_pursuit_equals_that_of_scikit_learn() -> None:
    from sklearn.linear_model import orthogonal_mp

    rng = np.random.default_rng(8)
    concepts, values = random_directions(40, 24, 3), rng.normal(size=(30, 24))
    found = decompose(values, concepts, 5, how="omp")
    truth = orthogonal_mp(concepts.T, values.T, n_nonzero_coefs=5).T
    np.testing.assert_allclose(found, truth, atol=1e-6)


def test_non_negative_weights_are_the_best_there_are_for_their_concepts() -> None:
    from scipy.optimize import nnls

    rng = np.random.default_rng(9)
    concepts = np.abs(random_directions(30, 16, 4))  # crowded: some weights want to be below 0
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    values = np.abs(rng.normal(size=(40, 16)))
    found = decompose(values, concepts, 6)
    for value, weights in zip(values, found, strict=True):
        support = np.flatnonzero(weights)
        best, _ = nnls(concepts[support].T, value)
        np.testing.assert_allclose(weights[support], best, atol=1e-5)


def test_a_support_is_found_although_concepts_are_crowded_and_values_noisy() -> None:
    rng = np.random.default_rng(10)
    concepts = random_directions(200, 128, 5)  # more concepts than dimensions
    truth = np.zeros((200, 200))
    for row in truth:
        row[rng.choice(200, 4, replace=False)] = rng.uniform(0.8, 1.5, 4)
    values = truth @ concepts + 0.002 * rng.normal(size=(200, 128))
    found = decompose(values, concepts, 4)
    right = ((found > 0) == (truth > 0)).all(1)
    assert right.mean() >= 0.95


def test_greedy_choice_equals_brute_force_where_candidates_are_many_and_alike() -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        base = rng.normal(size=(10, 9))
        alike = [base + size * rng.normal(size=base.shape) for size in (0.02, 0.3)]
        candidates = np.concatenate([base, *alike]) * rng.uniform(0.5, 3, (30, 1))
        values = rng.normal(size=(60, 9)) @ np.diag(np.linspace(3, 0.1, 9))
        # The ninth would be a tie: with it everything is spanned.
        fast, slow = select(candidates, values, 8), select_by_force(candidates, values, 8)
        np.testing.assert_array_equal(fast.chosen, slow.chosen)
        np.testing.assert_allclose(fast.explained, slow.explained, atol=1e-9)
        assert np.all(np.diff(fast.explained) >= -1e-12)


@pytest.mark.parametrize(("count", "warns"), [(11, False), (12, True), (13, True)])
def test_it_warns_from_as_many_concepts_as_dimensions(count: int, warns: bool) -> None:
    rng = np.random.default_rng(11)
    values = rng.normal(size=(90, 12)).astype(np.float32)
    label = (values[:, 0] > 0).astype(np.int64)
    data = Embeddings(values, label, np.repeat([0, 1, 2], 30), ("a", "b"))
    drawn = from_directions(random_directions(80, 12, 1), [f"r{n}" for n in range(80)])
    made = build(data, drawn, BottleneckSettings(count, 4))
    assert bool(made.figures["warning"]) == warns
    assert ("Warning" in dict(lines(made))) == warns


def test_read_again_it_decides_bit_for_bit_the_same(
    world: Planted, trained: TrainingState, tmp_path: Path
) -> None:
    from backends.concepts.autoencoder_files import CONCEPTS_FILE, load_dictionary, save_dictionary
    from backends.concepts.probe import Probe, fit_probe

    made = Dictionary(trained.network, trained.scaling, {"digest": "e" * 64, "title": "planted"})
    codes = made.codes(world.features[:600])
    pooled = np.stack([codes.take(np.arange(n, n + 20)).largest for n in range(0, 600, 20)])
    label = np.arange(30) % 3
    probe = fit_probe((pooled, label), None, ("a", "b", "c"))
    made.extra |= probe.to_arrays() | cooccurrence([codes], SIZES.concepts).to_arrays()
    save_dictionary(made, tmp_path / CONCEPTS_FILE)
    first = (tmp_path / CONCEPTS_FILE).read_bytes()
    back = load_dictionary(tmp_path)
    again = Probe.from_arrays(back.extra, ("a", "b", "c"))
    np.testing.assert_array_equal(again.logits(pooled), probe.logits(pooled))
    assert back.extra.keys() == made.extra.keys()
    for name, value in made.extra.items():
        np.testing.assert_array_equal(back.extra[name], value)
        assert back.extra[name].dtype == value.dtype
    for name, value in made.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], value)
    # Written once more it is the same file.
    save_dictionary(back, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == first
