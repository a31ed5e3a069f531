"""How concepts hang together: which shows where another does, and in which direction.

Source: Insight, arXiv 2601.13798. Over all patches p, with activations a and t = 1e-3:

    D_ij = Σ_p a_i(p) [a_j(p) > t],   Dn_ij = D_ij / D_ii

the share of concept i's activation that falls on patches where j is on. Dn_ij > τ makes j a
parent of i (a sail is seen where a boat is, a boat often without a sail). Three guards are
ours: enough patches (chance makes Dn near 1 on few), j not on nearly everywhere (it would be
everyone's parent), and lift Dn_ij / P(j) well above 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.codes import Codes
from backends.errors import BadInput
from backends.jobs import Progress

ON = 1e-3
KEPT_ABOVE = 0.3
# So many concepts' pairs fit a plain table.
_DENSE = 2048


@dataclass(frozen=True)
class Guards:
    """What a relation must fulfil.

    Attributes
    ----------
    strength : float
        τ, least Dn_ij.
    support : int
        Patches on which i must be on.
    always_on : float
        Share of the patches at which j counts as "everywhere" and is nobody's parent.
    lift : float
        Least Dn_ij / P(j).
    """

    strength: float = 0.75
    support: int = 50
    always_on: float = 0.2
    lift: float = 3.0


@dataclass(frozen=True)
class Relation:
    """Concept ``parent`` is on where ``child`` is.

    Attributes
    ----------
    child, parent : int
    strength : float
        Dn of child to parent.
    back : float
        Dn the other way; lower.
    lift : float
    support : int
        Patches on which both are on.
    """

    child: int
    parent: int
    strength: float
    back: float
    lift: float
    support: int


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Sums over patches; only pairs with Dn > 0.3 are kept.

    Attributes
    ----------
    child, parent : int32 arrays of shape (pairs,)
    strength, back : float32 arrays of shape (pairs,)
        Dn_ij and Dn_ji.
    support : int64 array of shape (pairs,)
        Patches on which both are on.
    count : int64 array of shape (concepts,)
        Patches on which each is on.
    patches : int
    """

    child: NDArray[np.int32]
    parent: NDArray[np.int32]
    strength: NDArray[np.float32]
    back: NDArray[np.float32]
    support: NDArray[np.int64]
    count: NDArray[np.int64]
    patches: int

    def relations(self, guards: Guards | None = None) -> tuple[Relation, ...]:
        """Return the relations that pass the guards, strongest first.

        Of two concepts that are on together nearly always, neither is the other's parent
        where both directions pass equally: the rarer is the child.
        """
        guards = guards or Guards()
        share = self.count / max(1, self.patches)
        lift = self.strength / np.maximum(share[self.parent], 1e-12)
        good = (
            (self.strength > guards.strength)
            & (self.count[self.child] >= guards.support)
            & (share[self.parent] < guards.always_on)
            & (lift > guards.lift)
            & (self.strength > self.back)
        )
        order = np.flatnonzero(good)
        order = order[np.argsort(-self.strength[order], kind="stable")]
        return tuple(
            Relation(
                int(self.child[n]), int(self.parent[n]), float(self.strength[n]),
                float(self.back[n]), float(lift[n]), int(self.support[n]),
            )
            for n in order
        )  # fmt: skip

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return arrays to store, by name."""
        return {
            "relations.pairs": np.stack([self.child, self.parent], 1).astype(np.int32),
            "relations.strength": np.stack([self.strength, self.back], 1).astype(np.float32),
            "relations.support": self.support,
            "relations.count": self.count,
            "relations.patches": np.array([self.patches], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Cooccurrence:
        """Rebuild from `to_arrays`.

        Raises
        ------
        BadInput
            They are not there: the concepts were never related.
        """
        try:
            pairs, strength = arrays["relations.pairs"], arrays["relations.strength"]
            return cls(
                pairs[:, 0], pairs[:, 1], strength[:, 0], strength[:, 1],
                arrays["relations.support"], arrays["relations.count"],
                int(arrays["relations.patches"][0]),
            )  # fmt: skip
        except (KeyError, IndexError) as error:
            raise BadInput("These concepts hold no relations.") from error


def cooccurrence(
    parts: Iterable[Codes], concepts: int, *, progress: Progress | None = None
) -> Cooccurrence:
    """Count over the codes of many images, in one pass."""
    from scipy.sparse import csr_matrix

    shape = (concepts, concepts)
    dense = concepts <= _DENSE
    mass: Any = np.zeros(shape, np.float64) if dense else csr_matrix(shape, dtype=np.float64)
    both: Any = np.zeros(shape, np.int64) if dense else csr_matrix(shape, dtype=np.int64)
    patches = 0
    for codes in parts:
        if progress is not None:
            progress.check()
        values = codes.matrix().astype(np.float64)
        on = values.copy()
        on.data = (values.data > ON).astype(np.float64)
        found, together = values.T @ on, on.T @ on
        mass = mass + (found.toarray() if dense else found)
        both = both + (together.toarray() if dense else together).astype(np.int64)
        patches += codes.tokens
    return _normalised(csr_matrix(mass), csr_matrix(both), patches)


def _normalised(mass: Any, both: Any, patches: int) -> Cooccurrence:
    own = mass.diagonal()
    count = both.diagonal().astype(np.int64)
    coo = mass.tocoo()
    apart = (coo.row != coo.col) & (own[coo.row] > 0) & (own[coo.col] > 0)
    row, col = coo.row[apart], coo.col[apart]
    strength = coo.data[apart] / own[row]
    kept = strength > KEPT_ABOVE
    row, col, strength = row[kept], col[kept], strength[kept]
    back = np.asarray(mass[col, row]).ravel() / own[col] if row.size else np.zeros(0)
    support = np.asarray(both[row, col]).ravel() if row.size else np.zeros(0)
    return Cooccurrence(
        row.astype(np.int32), col.astype(np.int32), strength.astype(np.float32),
        back.astype(np.float32), support.astype(np.int64), count, patches,
    )  # fmt: skip


class Family:
    """Parents and children of concepts, from their relations.

    Parameters
    ----------
    relations : sequence of Relation
    """

    def __init__(self, relations: Iterable[Relation]) -> None:
        self.relations = tuple(relations)
        self._up: dict[int, list[Relation]] = {}
        self._down: dict[int, list[Relation]] = {}
        for one in self.relations:
            self._up.setdefault(one.child, []).append(one)
            self._down.setdefault(one.parent, []).append(one)

    def parents(self, concept: int) -> list[int]:
        """Return its parents, strongest first."""
        return [r.parent for r in self._up.get(concept, ())]

    def children(self, concept: int) -> list[int]:
        """Return its children, strongest first."""
        return [r.child for r in self._down.get(concept, ())]

    def lineage(self, concept: int) -> list[int]:
        """Return the way from the farthest parent down to the concept itself (breadcrumbs)."""
        way = [concept]
        while True:
            # Of several parents the one that is on least often is the nearest relative.
            near = [r for r in self._up.get(way[-1], ()) if r.parent not in way]
            if not near:
                return way[::-1]
            way.append(max(near, key=lambda r: r.back).parent)

    def among(self, concepts: Iterable[int]) -> list[Relation]:
        """Return the relations between some concepts."""
        some = set(concepts)
        return [r for r in self.relations if r.child in some and r.parent in some]
