"""A planted world: parents, and children that show only where their parent does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Planted:
    """Features made of known directions.

    ``directions``: parents first, then ``children`` of each; ``parent_of`` numbers by child.
    """

    features: NDArray[np.float32]
    directions: NDArray[np.float32]
    codes: NDArray[np.float32]
    parents: int
    parent_of: dict[int, int]


def planted(
    parents: int = 6, children: int = 4, d: int = 64, count: int = 20_000, seed: int = 0
) -> Planted:
    """Make it: a parent is on in 12 % of the patches, one of its children in half of those."""
    rng = np.random.default_rng(seed)
    total = parents * (1 + children)
    # Right angles keep the answer unique.
    directions = np.linalg.qr(rng.normal(size=(d, d)))[0][:total]
    codes = np.zeros((count, total))
    on = rng.random((count, parents)) < 0.12
    codes[:, :parents] = on * (1.0 + 0.3 * rng.random((count, parents)))
    parent_of = {}
    for parent in range(parents):
        which = rng.integers(0, 2 * children, count)  # half of the time none
        for child in range(children):
            number = parents + parent * children + child
            parent_of[number] = parent
            here = on[:, parent] & (which == child)
            codes[:, number] = here * (0.6 + 0.3 * rng.random(count))
    features = codes @ directions + 0.01 * rng.normal(size=(count, d))
    return Planted(
        features.astype(np.float32), directions.astype(np.float32), codes.astype(np.float32),
        parents, parent_of,
    )  # fmt: skip


def crowded(
    parents: int = 14, children: int = 4, d: int = 64, count: int = 30_000, seed: int = 0
) -> Planted:
    """Make it with more directions than dimensions, so that none are at right angles."""
    rng = np.random.default_rng(seed)
    total = parents * (1 + children)
    directions = rng.normal(size=(total, d))
    for _ in range(200):  # each moves away from those it is most alike to
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        directions -= 0.4 * (directions @ directions.T - np.eye(total)) ** 3 @ directions
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    codes = np.zeros((count, total))
    on = rng.random((count, parents)) < 0.1
    codes[:, :parents] = on * (1.0 + 0.3 * rng.random((count, parents)))
    parent_of = {}
    for parent in range(parents):
        which = rng.integers(0, 2 * children, count)
        for child in range(children):
            number = parents + parent * children + child
            parent_of[number] = parent
            here = on[:, parent] & (which == child)
            codes[:, number] = here * (0.6 + 0.3 * rng.random(count))
    features = codes @ directions + 0.01 * rng.normal(size=(count, d))
    return Planted(
        features.astype(np.float32), directions.astype(np.float32), codes.astype(np.float32),
        parents, parent_of,
    )  # fmt: skip
