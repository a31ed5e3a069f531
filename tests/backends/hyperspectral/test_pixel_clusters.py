"""Learned clusters: memberships, losses, partitions and orders of pixels."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile

from backends.hyperspectral.pixel_clusters import (
    LearnableClusters,
    capped_partition,
    cluster_loss,
    line_by_line,
    make_sequences,
    one_sequence,
    uneven_loss,
)


@pytest.mark.parametrize("distances", [False, True])
def test_lcm_rows_sum_to_one(distances: bool) -> None:
    torch.manual_seed(0)
    module = LearnableClusters(12, 5, distances=distances)
    features = torch.randn(40, 12, requires_grad=True)
    membership = module(features)
    torch.testing.assert_close(membership.sum(1), torch.ones(40))
    cluster_loss(features, membership).backward()
    for value in (module.centres, module.confidence, module.log_temperature):
        assert value.grad is not None
        assert value.grad.abs().sum() > 0


def test_memberships_by_distance_are_those_of_the_formula() -> None:
    torch.manual_seed(0)
    module = LearnableClusters(12, 5, distances=True)
    with torch.no_grad():
        module.confidence.copy_(torch.randn(5))
    features = torch.randn(40, 12)
    apart = (features[:, None] - module.centres[None]).square().sum(2) / 12**0.5
    close = torch.softmax(-apart / module.temperature, dim=1)
    weighed = close * torch.softmax(module.confidence, dim=0)
    torch.testing.assert_close(module(features), weighed / weighed.sum(1, keepdim=True))
    assert module.temperature.item() == pytest.approx(1)
    module.log_temperature.data.fill_(9.0)
    assert module.temperature.item() == pytest.approx(10)


@pytest.mark.parametrize("distances", [False, True])
def test_distances_are_a_matrix_product(distances: bool) -> None:
    """(pixels, clusters, width) of a whole scene would be half a gigabyte a block."""
    module = LearnableClusters(128, 50, distances=distances)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        module(torch.randn(3000, 128))
    shapes = [s for event in seen.events() for s in event.input_shapes if s]
    assert [3000, 128] in shapes
    assert max(math.prod(shape) for shape in shapes) == 3000 * 128


def test_an_empty_cluster_has_no_sequence() -> None:
    hard = torch.tensor([0, 0, 3, 3, 3, 5])
    made = make_sequences(hard, torch.rand(6), 2)
    assert sorted(made.cluster.tolist()) == [0, 3, 3, 5]
    assert bool(made.mask.any(dim=1).all())
    membership = torch.zeros(6, 7)
    membership[torch.arange(6), hard] = 1
    loss = cluster_loss(torch.randn(6, 4), membership)
    assert bool(loss.isfinite())


def test_cluster_loss_zero_for_perfect_orthogonal_clusters() -> None:
    hard = torch.arange(30) % 3
    features = torch.eye(3)[hard]
    assert cluster_loss(features, torch.eye(3)[hard]).item() == pytest.approx(0, abs=1e-6)
    blurred = torch.full((30, 3), 1 / 3)
    assert cluster_loss(features, blurred).item() > 0.5


@settings(max_examples=60, deadline=None)
@given(
    pixels=st.integers(1, 200),
    clusters=st.integers(1, 12),
    longest=st.integers(1, 50),
    seed=st.integers(0, 99),
    sharp=st.floats(0.1, 40),
)
def test_partition(pixels: int, clusters: int, longest: int, seed: int, sharp: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    membership = torch.softmax(sharp * torch.randn(pixels, clusters, generator=generator), dim=1)
    cap = max(1, -(-3 * pixels // (2 * clusters)))
    hard = capped_partition(membership, cap)
    assert int(torch.bincount(hard, minlength=clusters).max()) <= cap
    score = torch.randn(pixels, generator=generator)
    made = make_sequences(hard, score, longest)
    read = made.members[made.mask]
    # each pixel once: gathering and scattering back gives what was there
    assert sorted(read.tolist()) == list(range(pixels))
    values = torch.randn(pixels, 3, generator=generator)
    back = torch.zeros_like(values).index_add(0, read, values[made.members][made.mask])
    torch.testing.assert_close(back, values)
    assert made.members.shape[1] <= longest
    for row, mask, cluster in zip(made.members, made.mask, made.cluster, strict=True):
        mine = row[mask]
        assert bool((hard[mine] == cluster).all())
        assert bool((score[mine].diff() >= 0).all())
        assert bool(mask[: len(mine)].all())  # padding stands at the end
    assert bool(((made.rank >= 0) & (made.rank <= 1)).all())


def test_clusters_may_have_caps_of_their_own() -> None:
    torch.manual_seed(0)
    membership = torch.softmax(5 * torch.randn(60, 4), dim=1)
    cap = torch.tensor([3, 40, 1, 20])
    hard = capped_partition(membership, cap)
    assert bool((torch.bincount(hard, minlength=4) <= cap).all())
    with pytest.raises(ValueError, match="no room"):
        capped_partition(membership, torch.tensor([3, 40, 1, 15]))


def test_ties_keep_the_order_of_the_pixels() -> None:
    hard = torch.arange(24) % 3
    made = make_sequences(hard, torch.zeros(24), 100)
    for row in range(3):
        assert made.members[row].tolist() == list(range(row, 24, 3))
    flat = capped_partition(torch.full((24, 3), 1 / 3), 8)
    assert flat.tolist() == capped_partition(torch.full((24, 3), 1 / 3), 8).tolist()
    assert flat.tolist() == sorted(flat.tolist())  # those that came first stay


def test_one_sequence_and_lines() -> None:
    made = one_sequence(torch.tensor([4, 0, 2]), 6)
    assert made.members.tolist() == [[4, 0, 2]]
    assert made.rank.tolist() == [0.5, -1, 1, -1, 0, -1]
    assert made.sequence.tolist() == [0, -1, 0, -1, 0, -1]
    places = torch.tensor([[1.0, 0], [0, 1], [0, 0], [1, 1]])
    assert line_by_line(places, torch.arange(4)).tolist() == [2, 1, 0, 3]
    assert line_by_line(places, torch.tensor([3, 1])).tolist() == [1, 3]
    assert line_by_line(None, torch.tensor([3, 1])).tolist() == [3, 1]


def test_only_kept_pixels_are_read() -> None:
    hard, score = torch.arange(10) % 2, torch.arange(10.0)
    kept = torch.arange(10) >= 4
    made = make_sequences(hard, score, 100, kept=kept)
    assert sorted(made.members[made.mask].tolist()) == [4, 5, 6, 7, 8, 9]
    assert made.rank[:4].tolist() == [-1] * 4


def test_a_cap_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        capped_partition(torch.full((10, 2), 0.5), 4)


@pytest.mark.parametrize("distances", [False, True])
def test_dead_centres_come_back_to_life(distances: bool) -> None:
    torch.manual_seed(1)
    module = LearnableClusters(4, 6, distances=distances)
    features = torch.randn(5000, 4)
    with torch.no_grad():
        module.centres[2] = -1e3 * torch.ones(4)
        module.confidence[2] = -50.0
    membership = module(features)
    assert torch.bincount(membership.argmax(1), minlength=6)[2] == 0
    assert module.revive(features, membership) >= 1
    assert module.centres[2].norm() < 1e3


def test_uneven_loss_by_hand() -> None:
    certain = torch.eye(4).repeat(5, 1)
    assert float(uneven_loss(certain)) == pytest.approx(0, abs=1e-5)
    one = torch.zeros(20, 4)
    one[:, 2] = 1
    # All in one: as far from even as can be. All undecided: as far from decided.
    assert float(uneven_loss(one)) == pytest.approx(math.log(4), abs=1e-5)
    assert float(uneven_loss(torch.full((20, 4), 0.25))) == pytest.approx(math.log(4), abs=1e-5)


def test_uneven_loss_pulls_a_collapsed_cluster_apart() -> None:
    torch.manual_seed(0)
    features = torch.nn.functional.one_hot(torch.arange(400) % 4, 8).float()
    features += 0.1 * torch.randn(400, 8)
    clusters = LearnableClusters(8, 4)
    clusters.begin_at(torch.ones(4, 8) + 0.05 * torch.randn(4, 8))
    optimiser = torch.optim.Adam(clusters.parameters(), lr=0.03)
    for _ in range(200):
        loss = uneven_loss(clusters(features))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    hard = clusters(features).argmax(1)
    assert torch.bincount(hard, minlength=4).tolist() == [100] * 4
    assert all(len(hard[k::4].unique()) == 1 for k in range(4))


def test_centres_begin_where_they_are_put_and_keep_their_length() -> None:
    clusters = LearnableClusters(6, 3)
    length = clusters.centres.norm(dim=1).mean().item()
    clusters.begin_at(5 * torch.eye(6)[:3])
    torch.testing.assert_close(clusters.centres.detach(), length * torch.eye(6)[:3])
