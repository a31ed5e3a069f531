"""The prior of variant b: made from training pixels only, the same for every tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends.devices import choose
from backends.hyperspectral.fitting import fit_classifier
from backends.hyperspectral.seeded_clusters import (
    PriorSpace,
    SeededClusters,
    fit_prior,
    k_means,
    sub_clusters,
)
from backends.hyperspectral.splits import make_split
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.simulate import demo_scene

FEW = {"variant": "b", "steps": 2, "pixels_per_step": 128, "width": 16, "clusters": 10}


def test_sub_clusters_follow_the_size_of_classes() -> None:
    assert sub_clusters(np.array([60, 30, 10]), 10).tolist() == [6, 3, 1]
    assert sub_clusters(np.array([100, 1, 0]), 6).tolist() == [5, 1, 0]
    assert sub_clusters(np.array([3, 2]), 50).tolist() == [3, 2]
    assert sub_clusters(np.array([5, 5, 5]), 2).tolist() == [1, 1, 1]  # each class one


def test_k_means_finds_what_is_apart_and_leaves_empty_centres() -> None:
    rng = np.random.default_rng(0)
    middle = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.concatenate([m + rng.normal(0, 0.1, (50, 2)) for m in middle])
    found = k_means(points, np.array([[1.0, 1], [8, 1], [1, 8], [99, 99]]))
    np.testing.assert_allclose(found[:3], middle, atol=0.1)
    np.testing.assert_array_equal(found[3], [99, 99])


@pytest.mark.parametrize("labelled", [120, 8])
def test_a_prior_has_as_many_clusters_as_asked_for(labelled: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((400, 30)).astype(np.float32)
    target = np.arange(labelled) % 4
    made = fit_prior(pixels[:labelled], target, pixels, (50, 30, 20), seed=3)
    assert [s.shape for s in made.seeds] == [(50, 20), (30, 20), (20, 20)]
    space, clusters = PriorSpace(30), SeededClusters(8, 50, 20)
    space.take(made)
    clusters.seeds.copy_(torch.from_numpy(made.seeds[0]))
    prior = clusters.prior(space(torch.from_numpy(pixels)))
    assert torch.bincount(prior, minlength=50).min() >= 1
    apart = (space(torch.from_numpy(pixels))[:, None] - clusters.seeds[None]).square().sum(2)
    assert (apart.argmin(1) == prior).float().mean() > 0.99


def test_centres_follow_in_training_and_rest_afterwards() -> None:
    torch.manual_seed(0)
    clusters = SeededClusters(6, 3, 2).train()
    features, prior = torch.randn(60, 6), torch.arange(60) % 2  # nothing is in cluster 2
    clusters(features, prior)
    torch.testing.assert_close(clusters.centres[0], features[::2].mean(0))
    logits = clusters(features, prior)
    assert logits.argmax(1).max() == 1  # a cluster without a centre takes nobody
    before = clusters.centres.clone()
    clusters.eval()(torch.randn(9, 6), torch.zeros(9, dtype=torch.int64))
    torch.testing.assert_close(clusters.centres, before)


def test_memberships_are_those_of_the_formula() -> None:
    torch.manual_seed(0)
    clusters = SeededClusters(6, 3, 2).train()
    torch.nn.init.normal_(clusters.mean.weight)
    torch.nn.init.normal_(clusters.spread.weight)
    features, prior = torch.randn(60, 6), torch.arange(60) % 3
    logits = clusters(features, prior)
    centres = torch.stack([features[prior == k].mean(0) for k in range(3)])
    mean = centres @ clusters.mean.weight.t()
    variance = (centres @ clusters.spread.weight[0]).clamp(-10, 5).exp()
    apart = (features[:, None] - mean[None]).square().sum(2) / 6**0.5
    torch.testing.assert_close(logits, -apart / (2 * variance))
    valid = prior > 0
    wanted = torch.nn.functional.cross_entropy(logits[valid], prior[valid])
    torch.testing.assert_close(clusters.loss(logits, prior, valid), wanted)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(tmp_path_factory.mktemp("seeded")))
        data, truth = demo_scene("valley", size=40)
        with open_scene(Path(data)) as scene:
            yield scene, open_labels(truth)


def _prior(scene: Any, labels: Any, split: Any) -> np.ndarray:
    where = choose("cpu").id  # asked first, as everywhere: it sees to what torch may load
    fitted = fit_classifier(scene, labels, "css_mamba", split, device=where, settings=FEW)
    return np.asarray(fitted.checkpoint.arrays["blocks.0.spatial.clusters.seeds"])


def test_the_prior_knows_no_other_labels_and_is_made_anew(field: Any) -> None:
    scene, labels = field
    split = make_split(labels.values, "P30", 0)
    made = _prior(scene, labels, split)
    lying = labels.values.copy()
    flat = lying.ravel()
    flat[split.test] = np.roll(flat[split.test], 17)
    flat[split.val] = np.roll(flat[split.val], 5)
    assert (lying != labels.values).any()
    np.testing.assert_array_equal(_prior(scene, replace(labels, values=lying), split), made)
    assert not np.array_equal(_prior(scene, labels, make_split(labels.values, "P30", 1)), made)
