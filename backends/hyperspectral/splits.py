"""Who may be trained on, who may choose the checkpoint, who is only tested on.

An accuracy without its protocol means nothing, so every split has a name. Random
pixel splits leak through context (neighbours of a test pixel were trained on);
``DISJ``, ``HALVES`` and ``TILES`` are honest, one of them should always be shown beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse

Indices = NDArray[np.int64]

PROTOCOLS: Mapping[str, str] = MappingProxyType(
    {
        "P30": "30 pixels a class to train (15 where a class has 30 or fewer), 10 to validate",
        "P30g": "30 pixels a class to train (5 where a class has 30 or fewer), 10 to validate",
        "P10": "10 % of each class to train (at least 3), 1 % to validate (at least 1)",
        "S5": "5 % of all pixels to train, stratified by class",
        "S10": "10 % of all pixels to train, stratified by class",
        "S30": "30 % of all pixels to train, stratified by class",
        "DISJ": "whole blocks of the scene to train and validate, a guard band around them unused",
        "HALVES": "30 pixels a class to train and 10 to validate from the left half of its "
        "columns, the right half beyond a gap of 5 columns to test",
        "TILES": "whole tiles of 32 pixels to train, others to validate, others to test",
        "FIX": "masks that were given",
        "ALL": "every label: 90 % to train, 10 % to validate, nothing left to test",
    }
)


# Protocols whose test pixels lie apart from what was trained on.
SEPARATE = ("DISJ", "HALVES", "TILES")
HALVES_GAP = 5
TILE = 32


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint sets of labelled pixels.

    Attributes
    ----------
    train, val, test : int64 arrays
        Sorted flat pixel numbers, ``row * cols + col``.
    protocol : str
        One of `PROTOCOLS`.
    seed : int
    shape : tuple of int
        Rows and columns of the ground truth.
    facts : mapping
        Block size and guard of ``DISJ``, gap of ``HALVES``, tiles of ``TILES``.
    notes : tuple of str
        What to know before comparing figures.
    """

    train: Indices
    val: Indices
    test: Indices
    protocol: str
    seed: int
    shape: tuple[int, int]
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def mask(self, part: str) -> NDArray[np.bool_]:
        """Return True on the pixels of ``"train"``, ``"val"`` or ``"test"``."""
        flat = np.zeros(self.shape[0] * self.shape[1], dtype=bool)
        flat[getattr(self, part)] = True
        return flat.reshape(self.shape)

    def sizes(self) -> dict[str, int]:
        """Return the number of pixels in each part."""
        return {part: int(getattr(self, part).size) for part in ("train", "val", "test")}


def make_split(
    gt: NDArray[Any],
    protocol: str,
    seed: int = 0,
    *,
    block: int | None = None,
    guard: int = 3,
    train_fraction: float = 0.2,
    val_fraction: float = 0.05,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
) -> Split:
    """Divide the labelled pixels of a scene by a named protocol.

    Parameters
    ----------
    gt : integer array of shape (rows, cols)
        0 is unlabelled.
    protocol : str
        One of `PROTOCOLS`, upper or lower case.
    seed : int
        The same seed gives the same split.
    block : int, optional
        ``DISJ``: side of a block in pixels; default an eighth of the shorter side, at least 4.
        ``TILES``: side of a tile, default 32.
    guard : int
        ``DISJ`` and ``TILES``: no two pixels of different parts are closer than this (rows and
        columns).
    train_fraction, val_fraction : float
        ``DISJ``: share of each class that the training and validation blocks aim at.
    masks : mapping
        ``FIX``: ``"train"``, ``"test"`` and optionally ``"val"``, bool arrays like ``gt``.

    Raises
    ------
    WrongUse
        No such protocol, or ``FIX`` without masks.
    BadInput
        Fewer than two classes are labelled, or the masks don't fit.
    """
    name = _protocol_name(protocol)
    if gt.ndim != 2:
        raise BadInput(f"Labels need rows and columns; these have shape {gt.shape}.")
    flat = gt.ravel()
    classes = np.unique(flat[flat > 0])
    if classes.size < 2:
        raise BadInput(
            "Labels of at least two classes are needed.",
            way_out="Paint or load labels for a second class.",
        )
    rng = np.random.default_rng(seed)
    facts: dict[str, Any] = {}
    if name in ("P30", "P30g"):
        parts = _per_class(flat, classes, rng, small=15 if name == "P30" else 5)
    elif name == "P10":
        parts = _ratio(flat, classes, rng)
    elif name in ("S5", "S10", "S30"):
        parts = _stratified(flat, classes, rng, int(name[1:]) / 100)
    elif name == "ALL":
        parts = _everything(flat, classes, rng)
    elif name == "FIX":
        parts = _given(gt, masks)
    elif name == "HALVES":
        facts = {"gap": HALVES_GAP}
        parts = _halves(gt, classes, rng)
    elif name == "TILES":
        side = block or TILE
        parts, owners = _tiles(gt, classes, rng, side, guard)
        facts = {"tile": side, "guard": guard, "tiles": owners}
    else:
        side = block or max(4, min(gt.shape) // 8)
        facts = {"block": side, "guard": guard, "train_fraction": train_fraction}
        parts = _disjoint(gt, classes, rng, side, guard, (train_fraction, val_fraction))
    train, val, test = (np.sort(np.asarray(p, dtype=np.int64)) for p in parts)
    if train.size == 0:
        raise BadInput(
            f"Protocol {name} leaves no pixel to train on.", way_out="Choose another protocol."
        )
    notes = _notes(flat, classes, train, val, test, name)
    rows, cols = gt.shape
    return Split(train, val, test, name, seed, (rows, cols), facts, notes)


def _protocol_name(protocol: str) -> str:
    by_upper = {name.upper(): name for name in PROTOCOLS}
    if protocol.upper() not in by_upper:
        raise WrongUse(
            f"There is no split protocol called {protocol}.",
            way_out=f"Choose one of: {', '.join(PROTOCOLS)}.",
        )
    return by_upper[protocol.upper()]


Parts = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def _join(lists: list[list[NDArray[Any]]]) -> Parts:
    empty = np.empty(0, np.int64)
    train, val, test = (np.concatenate(part) if part else empty for part in lists)
    return train, val, test


def _cut(flat: NDArray[Any], classes: NDArray[Any], rng: np.random.Generator, sizes: Any) -> Parts:
    """Shuffle each class and cut it into train, val and the rest."""
    lists: list[list[NDArray[Any]]] = [[], [], []]
    for value in classes:
        members = rng.permutation(np.flatnonzero(flat == value))
        n_train, n_val = sizes(members.size)
        lists[0].append(members[:n_train])
        lists[1].append(members[n_train : n_train + n_val])
        lists[2].append(members[n_train + n_val :])
    return _join(lists)


def _per_class(
    flat: NDArray[Any], classes: NDArray[Any], rng: np.random.Generator, *, small: int
) -> Parts:
    # Indian Pines' Oats has 20 pixels: 15 train leaves 5 to validate and none to test.
    return _cut(flat, classes, rng, lambda n: (30 if n > 30 else small, 10))


def _ratio(flat: NDArray[Any], classes: NDArray[Any], rng: np.random.Generator) -> Parts:
    return _cut(flat, classes, rng, lambda n: (max(3, n // 10), max(1, n // 100)))


def _everything(flat: NDArray[Any], classes: NDArray[Any], rng: np.random.Generator) -> Parts:
    return _cut(flat, classes, rng, lambda n: (n - n // 10, n // 10))


def _stratified(
    flat: NDArray[Any], classes: NDArray[Any], rng: np.random.Generator, fraction: float
) -> Parts:
    """Take ``floor(fraction * labelled)`` pixels, shared out by largest remainder."""
    counts = np.array([np.count_nonzero(flat == value) for value in classes])
    exact = counts * fraction
    take = np.floor(exact).astype(np.int64)
    missing = int(np.floor(counts.sum() * fraction + 1e-9)) - int(take.sum())
    take[np.argsort(take - exact, kind="stable")[:missing]] += 1
    while (take == 0).any() and take.max() > 1:  # every class is trained on
        take[np.flatnonzero(take == 0)[0]] += 1
        take[np.argmax(take)] -= 1
    by_class = iter(take.tolist())
    return _cut(flat, classes, rng, lambda _: (next(by_class), 0))


def _given(gt: NDArray[Any], masks: Mapping[str, NDArray[np.bool_]] | None) -> Parts:
    if not masks or "train" not in masks or "test" not in masks:
        raise WrongUse("Protocol FIX needs a training mask and a test mask.")
    parts = []
    for part in ("train", "val", "test"):
        mask = masks.get(part)
        if mask is None:
            parts.append(np.empty(0, np.int64))
            continue
        if mask.shape != gt.shape:
            raise BadInput(f"The {part} mask has shape {mask.shape}, the labels {gt.shape}.")
        parts.append(np.flatnonzero(mask.ravel().astype(bool) & (gt.ravel() > 0)))
    train, val, test = parts
    shared = np.intersect1d(train, test).size + np.intersect1d(train, val).size
    if shared + np.intersect1d(val, test).size:
        raise BadInput(
            "The masks overlap: a pixel would be trained on and tested.",
            way_out="Make the masks disjoint.",
        )
    return train, val, test


def _halves(gt: NDArray[Any], classes: NDArray[Any], rng: np.random.Generator) -> Parts:
    """Learn each class in the left half of its columns, test it in the right half.

    The middle is that of the class's own first and last column, so every class has both
    sides; the gap keeps small windows apart. All pixels right of the gap are tested.
    """
    lists: list[list[NDArray[Any]]] = [[], [], []]
    for value in classes:
        members = np.flatnonzero(gt == value)
        column = members % gt.shape[1]
        middle = (column.min() + column.max()) / 2
        left = rng.permutation(members[column <= middle])
        n_train = 30 if left.size > 30 else min(15, left.size)
        lists[0].append(left[:n_train])
        lists[1].append(left[n_train : n_train + 10])
        lists[2].append(members[column > middle + HALVES_GAP])
    return _join(lists)


def _tiles(
    gt: NDArray[Any], classes: NDArray[Any], rng: np.random.Generator, side: int, guard: int
) -> tuple[Parts, dict[str, list[int]]]:
    """Give whole tiles to each part: about half to train, a sixth to validate, a third to test.

    Of many random deals, one is taken that trains every class and tests as many as can be.
    """
    across = -(-gt.shape[1] // side)
    r, c = np.indices(gt.shape)
    tile_of = (r // side) * across + c // side
    numbers = np.unique(tile_of[gt > 0])
    if numbers.size < 3:
        raise BadInput(
            f"Labels lie in {numbers.size} tile(s) of {side} pixels; three are needed.",
            way_out="Choose another protocol.",
        )
    has = np.array([[np.any(gt[tile_of == t] == v) for v in classes] for t in numbers])
    n_test, n_val = max(1, numbers.size // 3), max(1, numbers.size // 6)
    best, deal = -1, rng.permutation(numbers.size)
    for _ in range(200):
        order = rng.permutation(numbers.size)
        test, val, train = np.split(order, [n_test, n_test + n_val])
        worth = 100 * int(has[train].any(0).sum()) + 10 * int(has[test].any(0).sum())
        worth += int(has[val].any(0).sum())
        if worth > best:
            best, deal = worth, order
    dealt = np.split(numbers[deal], [n_test, n_test + n_val])
    owners = {
        part: sorted(t.tolist()) for part, t in zip(("test", "val", "train"), dealt, strict=True)
    }
    owner = np.full(int(tile_of.max()) + 1, -1)
    for number, part in enumerate(("train", "val", "test")):
        owner[owners[part]] = number
    return _keep_apart(np.where(gt > 0, owner[tile_of], -1), guard), owners


def _disjoint(
    gt: NDArray[Any],
    classes: NDArray[Any],
    rng: np.random.Generator,
    side: int,
    guard: int,
    fractions: tuple[float, float],
) -> Parts:
    """Give whole blocks to each part, rarest class first, then clear the guard band."""
    rows, cols = gt.shape
    across = -(-cols // side)
    r, c = np.indices(gt.shape)
    block_of = (r // side) * across + c // side
    counts = np.stack(
        [
            np.bincount(block_of[gt == value], minlength=across * -(-rows // side))
            for value in classes
        ],
        axis=1,
    )  # (blocks, classes)
    total = counts.sum(axis=0)
    owner = np.full(len(counts), 2)  # 0 train, 1 val, 2 test
    for part, fraction in enumerate(fractions):
        have = np.zeros(len(classes))
        for k in np.argsort(total, kind="stable"):
            for block in rng.permutation(np.flatnonzero((counts[:, k] > 0) & (owner == 2))):
                if have[k] >= fraction * total[k]:
                    break
                left = np.count_nonzero((counts[:, k] > 0) & (owner == 2))
                if left <= 1 and part > 0:  # keep the last block of a class for testing
                    break
                owner[block] = part
                have += counts[block]
    return _keep_apart(np.where(gt > 0, owner[block_of], -1), guard)


def _keep_apart(part_of: NDArray[Any], guard: int) -> Parts:
    """Return train (0), val (1) and test (2), without what is too near to an earlier part."""
    near_train = _grow(part_of == 0, guard)
    part_of[(part_of > 0) & near_train] = -1
    near_val = _grow(part_of == 1, guard)
    part_of[(part_of == 2) & near_val] = -1
    flat = part_of.ravel()
    return np.flatnonzero(flat == 0), np.flatnonzero(flat == 1), np.flatnonzero(flat == 2)


def squares_note(split: Split, side: int) -> str:
    """Say how many test pixels a model sees together with training pixels; empty where none.

    Only for splits that part them: with random pixels most are seen so, and that is said.

    Parameters
    ----------
    side : int
        Odd side of the square around a pixel that the model reads.
    """
    if split.protocol not in SEPARATE:
        return ""
    reached = _grow(split.mask("train"), side // 2 + 1) & split.mask("test")
    count = int(np.count_nonzero(reached))
    if not count:
        return ""
    return (
        f"Of {split.test.size:,} test pixels {count:,} have a training pixel within the square of "
        f"{side} × {side} that the model reads: their figures are a little too good."
    )


def _grow(mask: NDArray[np.bool_], guard: int) -> NDArray[np.bool_]:
    """Return the pixels nearer than ``guard`` rows and columns to the mask."""
    if guard <= 1:
        return mask
    from scipy.ndimage import maximum_filter

    grown = maximum_filter(mask.astype(np.uint8), size=2 * guard - 1, mode="constant")
    return np.asarray(grown, dtype=bool)


def _notes(
    flat: NDArray[Any],
    classes: NDArray[Any],
    train: Indices,
    val: Indices,
    test: Indices,
    name: str,
) -> tuple[str, ...]:
    notes = []
    untested = [int(v) for v in classes if not np.any(flat[test] == v)]
    untrained = [int(v) for v in classes if not np.any(flat[train] == v)]
    if untested and name != "ALL":
        notes.append(
            f"No test pixel for class {_listed(untested)}: n/a, left out of the average accuracy."
        )
    if untrained:
        notes.append(f"No training pixel for class {_listed(untrained)}.")
    if val.size == 0:
        notes.append("No validation pixels: the last state is kept, not the best.")
    if name not in (*SEPARATE, "FIX", "ALL"):
        notes.append(
            "Random pixels: neighbours of test pixels were trained on; "
            "on separate blocks (DISJ) none are."
        )
    return tuple(notes)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))
