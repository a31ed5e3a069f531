"""Training, validation and test images: whole groups, classes in proportion, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.learning.grouping import Groups

PARTS = ("train", "val", "test")
SHARES = (0.70, 0.15, 0.15)
LEFT_OUT = -1

Part = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Which image stands where.

    Attributes
    ----------
    part : int8 array of shape (images,)
        0 training, 1 validation, 2 test, -1 left out (too near to another part).
    seed : int
    shares : (train, val, test)
        Asked for.
    notes : tuple of str
        What could not be had.
    """

    part: Part
    seed: int
    shares: tuple[float, float, float]
    notes: tuple[str, ...] = ()

    def of(self, name: str) -> NDArray[np.intp]:
        """Return the numbers of the images of ``"train"``, ``"val"`` or ``"test"``."""
        return np.flatnonzero(self.part == PARTS.index(name))

    def table(
        self, label: NDArray[np.int64], groups: Sequence[str], classes: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return, a class, how many images and groups stand in each part."""
        group = np.asarray(groups, dtype=object)
        rows: list[dict[str, Any]] = []
        for number, name in enumerate(classes):
            row: dict[str, Any] = {"class": name}
            for part in PARTS:
                mine = self.of(part)
                mine = mine[label[mine] == number]
                row[part] = {"images": int(mine.size), "groups": len(set(group[mine]))}
            gone = (self.part == LEFT_OUT) & (label == number)
            row["left_out"] = int(gone.sum())
            rows.append(row)
        return rows


def split_images(
    label: NDArray[np.int64],
    groups: Groups,
    *,
    seed: int = 0,
    shares: Sequence[float] = SHARES,
    gap: int = 0,
    given: Sequence[str] = (),
) -> ImageSplit:
    """Deal whole groups to training, validation and test.

    Every class keeps at least one group in training. Where numbers order the images, each
    series is cut into as few ranges as there are parts (its ends joined to a ring, turned by
    the seed): the fewer borders, the fewer patients on one. All else is dealt greedily,
    the group first that is hardest to place, to the part whose classes lack most.

    Parameters
    ----------
    label : int64 array of shape (images,)
        Class numbers from 0.
    groups : Groups
    shares : three numbers
        Training, validation, test; they are scaled to a sum of 1.
    gap : int
        Numbers that have to lie between images of two parts of a series.
    given : sequence of str
        Parts that the data set itself prescribes; empty = none.

    Raises
    ------
    WrongUse
        Shares that make no sense.
    BadInput
        Fewer than two groups.
    """
    wanted = np.asarray(shares, float)
    if wanted.shape != (3,) or (wanted < 0).any() or wanted[0] <= 0 or wanted[1:].sum() <= 0:
        raise WrongUse(
            "The split needs three shares: training, validation and test.",
            way_out="For example 70,15,15.",
        )
    wanted = wanted / wanted.sum()
    names = tuple(float(w) for w in wanted)
    if any(given):
        return _as_given(given, seed, names)
    _, group = np.unique(np.asarray(groups.names), return_inverse=True)
    count = int(group.max()) + 1 if group.size else 0
    if count < 2:
        raise BadInput(
            "All images belong to one group, so that nothing can be kept for the test.",
            way_out="Make the groups smaller, or give images of more patients or slides.",
        )
    kinds = int(label.max()) + 1
    have = np.zeros((count, kinds), np.int64)
    np.add.at(have, (group, label), 1)
    rng = np.random.default_rng(seed)
    place = np.full(count, LEFT_OUT, np.int64)
    if groups.ordered:
        _cut_series(place, group, groups, wanted, rng)
    _deal(place, have, wanted, rng)
    _teach_every_class(place, have)
    part = place[group].astype(np.int8)
    notes = list(groups.notes)
    if groups.ordered and gap:
        gone = _keep_apart(part, groups, gap)
        if gone:
            notes.append(
                f"{gone} images are left out: fewer than {gap} numbers lay between them and "
                "another part."
            )
    _check_training(part, label, kinds)
    for number, name in enumerate(("training", "validation", "test")):
        there = set(label[part == number].tolist())
        lacking = sum(k not in there for k in set(label.tolist()))
        if lacking and wanted[number] > 0:
            notes.append(f"{lacking} of {kinds} classes have no image in the {name} part.")
    return ImageSplit(part, seed, (names[0], names[1], names[2]), tuple(notes))


def _as_given(given: Sequence[str], seed: int, shares: tuple[float, ...]) -> ImageSplit:
    part = np.array([PARTS.index(g) if g in PARTS else LEFT_OUT for g in given], np.int8)
    notes = ["The parts are those that the data set itself gives."]
    if not (part == 0).any() or not (part > 0).any():
        raise BadInput("The data set's own split leaves training or measuring without images.")
    if not (part == 1).any():
        notes.append("It names no validation images: the last state of the training is kept.")
    return ImageSplit(part, seed, (shares[0], shares[1], shares[2]), tuple(notes))


def _cut_series(
    place: NDArray[np.int64],
    group: NDArray[np.int64],
    groups: Groups,
    wanted: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Cut every series of at least three blocks into one range a part, on a ring."""
    series = np.asarray(groups.series)
    number = np.asarray(groups.number)
    for name in sorted(set(groups.series)):
        mine = np.flatnonzero(series == name)
        # Blocks in the order of their numbers, with what they hold.
        first = {int(g): int(number[mine[group[mine] == g]].min()) for g in set(group[mine])}
        blocks = np.array(sorted(first, key=lambda g: first[g]))
        if blocks.size < 3:
            continue
        blocks = np.roll(blocks, -int(rng.integers(blocks.size)))
        sizes = np.array([int((group[mine] == g).sum()) for g in blocks])
        order = [p for p in rng.permutation(3) if wanted[p] > 0]
        middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
        edges = np.cumsum([wanted[p] for p in order])
        where = np.minimum(np.searchsorted(edges, middle, side="right"), len(order) - 1)
        where = _none_empty(where, len(order))
        place[blocks] = np.array(order)[where]


def _none_empty(where: NDArray[np.intp], parts: int) -> NDArray[np.intp]:
    """Widen ranges so that each of ``parts`` has a block; there are as many blocks."""
    where = where.copy()
    last = where.size - 1
    for p in range(parts):
        # At most p at the p-th block from the front, at least p at its counterpart.
        where[p] = min(where[p], p)
        where[last - p] = max(where[last - p], parts - 1 - p)
    for p in range(parts):
        if (where == p).any():
            continue
        left = np.flatnonzero(where < p)
        where[left[-1]] = p
    return where


def _deal(
    place: NDArray[np.int64],
    have: NDArray[np.int64],
    wanted: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Place the groups that have no place yet, those with most images first."""
    open_groups = np.flatnonzero(place < 0)
    if not open_groups.size:
        return
    single = have[open_groups].sum(1) == 1
    total = np.maximum(have.sum(0), 1)
    target = wanted[:, None] * have.sum(0)[None, :]
    now = np.zeros_like(target)
    for p in range(3):
        now[p] = have[place == p].sum(0)
    order = rng.permutation(open_groups[~single])
    order = order[np.argsort(-have[order].max(1), kind="stable")]
    usable = np.flatnonzero(wanted > 0)
    for g in order:
        # Of what each part lacks, in shares of the class: the worst after placing decides.
        after = (now[usable] + have[g] - target[usable]) / total
        before = (now[usable] - target[usable]) / total
        cost = (np.square(after) - np.square(before))[:, have[g] > 0].sum(1)
        best = int(usable[int(np.argmin(cost))])
        place[g] = best
        now[best] += have[g]
    # Images that stand for themselves fill up what is lacking, class by class.
    kind = have.argmax(1)
    for k in np.unique(kind[open_groups[single]]):
        mine = rng.permutation(open_groups[single][kind[open_groups[single]] == k])
        lack = np.maximum(target[:, k] - now[:, k], 0)
        lack = lack if lack.sum() else wanted
        edges = np.rint(np.cumsum(lack / lack.sum()) * mine.size).astype(np.int64)
        place[mine] = np.searchsorted(edges, np.arange(mine.size), side="right").clip(0, 2)


def _teach_every_class(place: NDArray[np.int64], have: NDArray[np.int64]) -> None:
    """Move groups so that training knows every class, then validation and test if they can."""
    parts = have > 0
    for part in range(3):
        if part and not (place == part).any():
            continue
        for kind in range(have.shape[1]):
            mine = np.flatnonzero(parts[:, kind])
            if not mine.size or (place[mine] == part).any():
                continue
            for g in sorted(mine, key=lambda g: int(have[g].sum())):
                # Training takes what it lacks; the others only what is not missed there.
                alone = [
                    k
                    for k in np.flatnonzero(parts[g])
                    if ((place == place[g]) & parts[:, k]).sum() == 1
                ]
                if part == 0 or not alone:
                    place[g] = part
                    break


def _keep_apart(part: Part, groups: Groups, gap: int) -> int:
    """Leave out images nearer than ``gap`` numbers to another part; training gives first."""
    series, number = np.asarray(groups.series), np.asarray(groups.number)
    gone = 0
    # Training images give way to measuring ones, validation images to test images.
    for giving, taking in ((0, (1, 2)), (1, (2,))):
        for name in set(groups.series):
            mine = series == name
            stay = np.sort(number[mine & np.isin(part, taking)])
            if not stay.size:
                continue
            leave = np.flatnonzero(mine & (part == giving))
            at = np.searchsorted(stay, number[leave])
            below = np.abs(number[leave] - stay[np.maximum(at - 1, 0)])
            above = np.abs(number[leave] - stay[np.minimum(at, stay.size - 1)])
            close = leave[np.minimum(below, above) <= gap]
            part[close] = LEFT_OUT
            gone += close.size
    return gone


def _check_training(part: Part, label: NDArray[np.int64], kinds: int) -> None:
    """Say it where leaving images out took a class from training."""
    for kind in range(kinds):
        mine = label == kind
        if mine.any() and not (mine & (part == 0)).any():
            raise BadInput(
                "With that gap a class keeps no training image.",
                way_out="Choose a smaller gap or smaller blocks.",
            )
