"""The nested autoencoder on a planted world: directions, families, thresholds, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from nested_world import Planted, planted

from backends.concepts.autoencoder import NestedAutoencoder, Sizes, codes_of, measure
from backends.concepts.autoencoder_files import (
    Dictionary,
    load_dictionary,
    load_training,
    save_dictionary,
    save_training,
)
from backends.concepts.autoencoder_training import Settings, TrainingState, begin, train
from backends.concepts.relations import Cooccurrence, Family, cooccurrence
from backends.errors import BadInput, WrongUse
from backends.jobs import CancelToken, Progress

SETTINGS = Settings(steps=1500, batch=512, learning_rate=3e-3, dead_after=20_000)
SIZES = Sizes(64, 60, 1, (0.2, 0.8))
ENCODER = {"digest": "e" * 64, "title": "planted"}


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted()


@pytest.fixture(scope="module")
def trained(world: Planted) -> TrainingState:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train(begin(world.features, SIZES, SETTINGS), world.features, SETTINGS)
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def matched(world: Planted, trained: TrainingState) -> dict[int, int]:
    """Planted direction to the concept that is it, where the cosine is at least 0.9."""
    cosine = world.directions @ trained.network.directions.detach().numpy().T
    best = cosine.argmax(1)
    return {n: int(best[n]) for n in range(len(best)) if cosine[n, best[n]] >= 0.9}


def test_planted_directions_are_found(world: Planted, matched: dict[int, int]) -> None:
    assert len(matched) >= 0.95 * len(world.directions)
    assert len(set(matched.values())) == len(matched)


def test_parents_stand_in_the_coarse_group(world: Planted, matched: dict[int, int]) -> None:
    groups = [SIZES.group_of(matched[n]) for n in range(world.parents) if n in matched]
    assert len(groups) >= 0.95 * world.parents
    assert not any(groups)


def test_relations_point_from_child_to_parent(
    world: Planted, trained: TrainingState, matched: dict[int, int]
) -> None:
    codes = codes_of(trained.network, trained.scaling.apply(world.features))
    found = cooccurrence([codes.take(np.arange(n, n + 5000)) for n in range(0, 20_000, 5000)], 60)
    again = Cooccurrence.from_arrays(found.to_arrays())
    got = {(r.child, r.parent) for r in again.relations()}
    wanted = {
        (matched[c], matched[p])
        for c, p in world.parent_of.items()
        if c in matched and p in matched
    }
    assert len(wanted) >= 20
    assert len(got & wanted) >= 0.95 * len(wanted)
    assert not {(parent, child) for child, parent in wanted} & got
    # None among planted directions that have nothing to do with each other.
    known = set(matched.values())
    assert not {(a, b) for a, b in got - wanted if a in known and b in known}
    family = Family(again.relations())
    child = next(c for c in world.parent_of if c in matched)
    assert family.lineage(matched[child]) == [matched[world.parent_of[child]], matched[child]]


def test_codes_do_not_depend_on_the_batch(world: Planted, trained: TrainingState) -> None:
    x = trained.scaling.apply(world.features[:600])
    assert float(trained.network.threshold) > 0
    whole = codes_of(trained.network, x).dense()
    alone = np.concatenate(
        [codes_of(trained.network, x[n : n + 1]).dense() for n in range(0, 600, 7)]
    )
    np.testing.assert_array_equal(alone > 0, whole[::7] > 0)
    np.testing.assert_allclose(alone, whole[::7], atol=1e-5)


def test_a_patch_would_depend_on_its_batch_with_training_codes(
    world: Planted, trained: TrainingState
) -> None:
    # What the threshold is for: the training's own rule looks at the neighbours.
    x = torch.from_numpy(trained.scaling.apply(world.features[:512]))
    raw = trained.network.activations(x).detach()
    together, _ = trained.network.batch_top(raw)
    alone = torch.cat([trained.network.batch_top(row[None])[0] for row in raw])
    assert ((together > 0) != (alone > 0)).any()


def test_saved_and_read_it_is_bit_for_bit_the_same(
    world: Planted, trained: TrainingState, tmp_path: Path
) -> None:
    x = trained.scaling.apply(world.features[:500])
    made = Dictionary(trained.network, trained.scaling, ENCODER, measure(trained.network, x))
    made.names[3] = {"name": "roof", "runners_up": ["tile"], "how": "words", "verified": True}
    made.extra["relations.count"] = np.arange(60)
    save_dictionary(made, tmp_path / "concepts.safetensors")
    back = load_dictionary(tmp_path, ENCODER["digest"])
    first, second = made.codes(world.features), back.codes(world.features)
    for name in ("start", "index", "value"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert back.name(3) == "roof"
    assert back.quality == made.quality
    assert back.digest == made.digest
    np.testing.assert_array_equal(back.extra["relations.count"], np.arange(60))


def test_another_encoder_is_refused(trained: TrainingState, tmp_path: Path) -> None:
    made = Dictionary(trained.network, trained.scaling, ENCODER)
    save_dictionary(made, tmp_path / "concepts.safetensors")
    with pytest.raises(BadInput, match="found in the features of planted"):
        load_dictionary(tmp_path, "f" * 64)
    with pytest.raises(BadInput, match="64 features"):
        made.codes(np.zeros((3, 5), np.float32))


@pytest.mark.parametrize(
    "content", [b"", b"no safetensors at all", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"]
)
def test_damaged_files_are_said_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "concepts.safetensors").write_bytes(content)
    with pytest.raises(BadInput, match=r"concepts\.safetensors"):
        load_dictionary(tmp_path)


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(
    world: Planted, tmp_path: Path
) -> None:
    how = Settings(steps=40, batch=256, learning_rate=3e-3, dead_after=2000)
    whole = train(begin(world.features, SIZES, how), world.features, how)
    path = tmp_path / "training.safetensors"
    token = CancelToken()

    def stop(state: TrainingState) -> None:
        save_training(state, "this", path)
        token.finish()

    train(
        begin(world.features, SIZES, how), world.features, how, save=stop, save_every=17,
        progress=Progress(token),
    )  # fmt: skip
    half = load_training(path, "this")
    assert half is not None
    assert half.step == 17
    rest = train(half, world.features, how)
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(rest.network.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    with pytest.raises(BadInput, match="another training"):
        load_training(path, "other")


def test_published_sizes() -> None:
    from backends.concepts.autoencoder import PUBLISHED_FRACTIONS

    sizes = Sizes(512, 8192, 12, PUBLISHED_FRACTIONS)
    assert sizes.groups == (65, 245, 491, 983, 1966, 4442)
    assert sizes.prefixes == (65, 310, 801, 1784, 3750, 8192)
    assert [sizes.level_of(n) for n in (0, 309, 310, 1783, 1784, 8191)] == [
        "coarse", "coarse", "medium", "medium", "fine", "fine",
    ]  # fmt: skip


def test_directions_keep_their_length(trained: TrainingState) -> None:
    length = trained.network.directions.detach().norm(dim=1)
    torch.testing.assert_close(length, torch.ones_like(length))


def test_what_cannot_be_trained_is_said() -> None:
    with pytest.raises(BadInput, match="too few"):
        begin(np.zeros((4, 8), np.float32), Sizes(8, 16, 2), Settings())
    with pytest.raises(BadInput, match="equal"):
        begin(np.ones((100, 8), np.float32), Sizes(8, 16, 2), Settings())
    with pytest.raises(WrongUse, match="shares"):
        Sizes(8, 16, 2, (0.5, 0.6))
    network = NestedAutoencoder(Sizes(8, 16, 2))
    assert codes_of(network, np.zeros((5, 8), np.float32)).tokens == 5
