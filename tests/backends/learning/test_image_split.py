"""Groups stay whole, classes are taught, seeds repeat: whatever the data set looks like."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import BadInput, WrongUse
from backends.learning.grouping import GroupRule, Groups, find_groups
from backends.learning.image_split import LEFT_OUT, split_images


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[np.ndarray, Groups]:
    classes = draw(st.integers(2, 5))
    names, labels = [], []
    for group in range(draw(st.integers(2, 25))):
        kinds = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=6))
        labels += kinds
        names += [f"g{group}"] * len(kinds)
    return np.array(labels, np.int64), Groups(tuple(names))


@settings(max_examples=150, deadline=None)
@given(data_sets(), st.integers(0, 5))
def test_no_group_in_two_parts_and_every_class_is_taught(
    found: tuple[np.ndarray, Groups], seed: int
) -> None:
    label, groups = found
    split = split_images(label, groups, seed=seed)
    assert (split.part >= 0).all()
    for name in set(groups.names):
        mine = np.array([n == name for n in groups.names])
        assert len(set(split.part[mine].tolist())) == 1
    assert set(label[split.part == 0].tolist()) == set(label.tolist())
    again = split_images(label, groups, seed=seed)
    assert (split.part == again.part).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(9, 60), min_size=1, max_size=4),
    st.integers(1, 9),
    st.integers(0, 12),
    st.integers(0, 4),
)
def test_ranges_of_numbers_lie_apart(lengths: list[int], block: int, gap: int, seed: int) -> None:
    names = [f"s{k}_{n:03}.png" for k, length in enumerate(lengths) for n in range(length)]
    label = np.array([k % 2 for k, length in enumerate(lengths) for _ in range(length)])
    groups = find_groups(names, [""] * len(names), GroupRule(block=block, gap=gap))
    try:
        split = split_images(label, groups, seed=seed, gap=gap)
    except BadInput as error:
        assert "one group" in str(error) or "gap" in str(error)  # noqa: PT017
        return
    part = split.part.copy()
    number, series = np.array(groups.number), np.array(groups.series)
    for name in set(groups.names):
        mine = (np.array(groups.names) == name) & (part != LEFT_OUT)
        assert len(set(part[mine].tolist())) <= 1
    for one in set(groups.series):
        mine = np.flatnonzero((series == one) & (part >= 0))
        for a, b in itertools.pairwise(mine):
            assert part[a] == part[b] or number[b] - number[a] > gap
        whole = np.flatnonzero(series == one)
        changes = (np.diff(part[whole][part[whole] >= 0]) != 0).sum()
        blocks = len({groups.names[n] for n in whole})
        # One range a part on a ring: three borders at most.
        assert changes <= 3 or blocks < 3 or split.notes


def test_parts_have_the_shares_asked_for_and_classes_in_proportion() -> None:
    label = np.repeat([0, 1, 2], (200, 100, 50))
    groups = find_groups([f"{n}.png" for n in range(350)], [""] * 350, GroupRule())
    split = split_images(label, groups, shares=(60, 20, 20))
    for kind, count in enumerate((200, 100, 50)):
        have = [int(((split.part == p) & (label == kind)).sum()) for p in range(3)]
        assert have == pytest.approx([0.6 * count, 0.2 * count, 0.2 * count], abs=1)
    rows = split.table(label, groups.names, ("a", "b", "c"))
    assert rows[0]["train"] == {"images": 120, "groups": 120}


def test_rare_classes_reach_validation_and_test_where_groups_allow() -> None:
    label = np.array([0] * 60 + [1] * 3)
    names = (*(f"p{n // 6}" for n in range(60)), "q0", "q1", "q2")
    for seed in range(5):
        split = split_images(label, Groups(names), seed=seed)
        assert {int(p) for p in split.part[60:]} == {0, 1, 2}


def test_another_seed_is_another_split() -> None:
    label = np.tile([0, 1], 60)
    names = [f"s_{n:03}.png" for n in range(120)]
    for rule in (GroupRule(), GroupRule(block=5)):
        groups = find_groups(names, [""] * 120, rule)
        parts = [split_images(label, groups, seed=s).part.tolist() for s in range(3)]
        assert parts[0] != parts[1] != parts[2]


def test_what_cannot_be_split_is_a_sentence() -> None:
    label = np.array([0, 1, 0])
    with pytest.raises(BadInput, match="one group"):
        split_images(label, Groups(("p",) * 3))
    with pytest.raises(WrongUse, match="three shares"):
        split_images(label, Groups(("a", "b", "c")), shares=(1, 0, 0))
    with pytest.raises(WrongUse, match="one pair of brackets"):
        GroupRule(pattern="abc")
    with pytest.raises(WrongUse, match="fits none"):
        find_groups(["a.png"], [""], GroupRule(pattern=r"(p\d)_"))
    with pytest.raises(WrongUse, match="hold no numbers"):
        find_groups(["a.png"], [""], GroupRule(block=3))
    with pytest.raises(WrongUse, match="not from both"):
        GroupRule(pattern="(a)", block=2)


def test_groups_come_from_folders_names_and_columns() -> None:
    names = ["p1/s1.png", "p1/s2.png", "p2/s1.png"]
    assert find_groups(names, [""] * 3, GroupRule(r"^(\w+)/")).names == ("p1", "p1", "p2")
    assert find_groups(names, ["x", "", "x"], GroupRule()).names == ("x", "file p1/s2.png", "x")
    found = find_groups(["b_0001.jpg", "b_0012.jpg", "m_0001.jpg"], [""] * 3, GroupRule(block=10))
    assert found.names == ("b_0–9", "b_10–19", "m_0–9")
