"""The concepts of every place of an image, stored sparsely: clicks and layers in milliseconds.

Rows are tokens (grid cells in row order), columns concepts. Of each token only the few
concepts that are on are kept (compressed rows): 12 of 8,192 concepts on 250,000 tokens are
24 MB instead of 8 GB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Codes:
    """Sparse activations of concepts.

    Attributes
    ----------
    start : int64 array of shape (tokens + 1,)
        Where each token's entries begin.
    index : uint16 or int32 array of shape (entries,)
        Concept of each entry, rising within a token.
    value : float32 or float16 array of shape (entries,)
        Its activation, above 0.
    concepts : int
        How many there are.
    grid : (rows, cols) or None
        Where the tokens are the cells of one image.
    """

    start: Numbers
    index: NDArray[Any]
    value: NDArray[Any]
    concepts: int
    grid: tuple[int, int] | None = None

    @property
    def tokens(self) -> int:
        """How many tokens there are."""
        return len(self.start) - 1

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return int(self.start.nbytes + self.index.nbytes + self.value.nbytes)

    @property
    def mean_active(self) -> float:
        """L0: concepts that are on, a token."""
        return len(self.index) / max(1, self.tokens)

    @cached_property
    def frequency(self) -> NDArray[np.float64]:
        """Share of the tokens on which each concept is on, shape (concepts,)."""
        count = np.bincount(self.index, minlength=self.concepts)
        return np.asarray(count / max(1, self.tokens), np.float64)

    @cached_property
    def mass(self) -> NDArray[np.float64]:
        """Sum of each concept's activation, shape (concepts,)."""
        found = np.bincount(self.index, self.value, self.concepts)
        return np.asarray(found, np.float64)

    @cached_property
    def largest(self) -> Floats:
        """Largest activation of each concept (max pooling), shape (concepts,)."""
        out = np.zeros(self.concepts, np.float32)
        np.maximum.at(out, self.index, self.value.astype(np.float32))
        return out

    def at(self, token: int) -> tuple[NDArray[np.int64], Floats]:
        """Return the concepts of one token and their activations, strongest first."""
        if not 0 <= token < self.tokens:
            raise WrongUse(f"There is no place {token}; there are {self.tokens}.")
        here = slice(self.start[token], self.start[token + 1])
        value = self.value[here].astype(np.float32)
        order = np.argsort(-value, kind="stable")
        return self.index[here][order].astype(np.int64), value[order]

    def cell(self, row: int, col: int) -> tuple[NDArray[np.int64], Floats]:
        """Return the concepts of a grid cell, strongest first."""
        rows, cols = self._grid()
        if not (0 <= row < rows and 0 <= col < cols):
            raise WrongUse(f"The image has no cell {row}, {col}; it has {rows} × {cols}.")
        return self.at(row * cols + col)

    def layer(self, concept: int) -> Floats:
        """Return where one concept is present, shape of the grid (or (tokens,))."""
        self._known(concept)
        out = np.zeros(self.tokens, np.float32)
        entries = np.flatnonzero(self.index == concept)
        tokens = np.searchsorted(self.start, entries, side="right") - 1
        out[tokens] = self.value[entries]
        return out if self.grid is None else out.reshape(self.grid)

    def layers(self, concepts: Sequence[int]) -> Floats:
        """Return where some concepts are present, shape (concepts, *grid)."""
        return np.stack([self.layer(int(c)) for c in concepts])

    def dense(self, tokens: slice | NDArray[Any] | None = None) -> Floats:
        """Return activations of some tokens, shape (tokens, concepts)."""
        part = self if tokens is None else self.take(np.arange(self.tokens)[tokens])
        out = np.zeros((part.tokens, self.concepts), np.float32)
        out[part.token_of_entry, part.index] = part.value
        return out

    def take(self, tokens: NDArray[Any]) -> Codes:
        """Return the codes of some tokens, in that order; the grid is lost."""
        count = np.diff(self.start)[tokens]
        start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        place = np.repeat(self.start[tokens] - start[:-1], count) + np.arange(start[-1])
        return Codes(start, self.index[place], self.value[place], self.concepts)

    @property
    def token_of_entry(self) -> Numbers:
        """Token of each entry, shape (entries,)."""
        return np.repeat(np.arange(self.tokens), np.diff(self.start))

    def decode(self, directions: Floats, offset: Floats) -> Floats:
        """Return the features that the codes stand for, shape (tokens, d).

        Parameters
        ----------
        directions : float32 array of shape (concepts, d)
        offset : float32 array of shape (d,)
        """
        return np.asarray(self.matrix() @ directions + offset, np.float32)

    def matrix(self) -> Any:
        """Return a SciPy CSR matrix of shape (tokens, concepts); it shares the memory."""
        from scipy.sparse import csr_matrix

        value = self.value.astype(np.float32, copy=False)
        shape = (self.tokens, self.concepts)
        return csr_matrix((value, self.index.astype(np.int32, copy=False), self.start), shape)

    def changed(self, concept: int, *, scale: float = 1.0, value: float | None = None) -> Codes:
        """Return codes in which one concept was scaled, or set wherever it is on.

        ``scale=0`` takes it away; ``value`` sets it. The entries stay, some of them 0.
        """
        self._known(concept)
        new = self.value.copy()
        mine = self.index == concept
        new[mine] = new[mine] * scale if value is None else value
        return Codes(self.start, self.index, new, self.concepts, self.grid)

    def with_grid(self, rows: int, cols: int) -> Codes:
        """Return the same codes as the cells of an image."""
        if rows * cols != self.tokens:
            raise ValueError(f"{self.tokens} tokens make no grid of {rows} x {cols}")
        return Codes(self.start, self.index, self.value, self.concepts, (rows, cols))

    def _grid(self) -> tuple[int, int]:
        if self.grid is None:
            raise WrongUse("These codes are not those of one image.")
        return self.grid

    def _known(self, concept: int) -> None:
        if not 0 <= concept < self.concepts:
            raise WrongUse(
                f"There is no concept {concept}.", way_out=f"Give 0 to {self.concepts - 1}."
            )


def from_dense(values: NDArray[Any], grid: tuple[int, int] | None = None) -> Codes:
    """Make codes of dense activations of shape (tokens, concepts); what is ≤ 0 is off."""
    token, concept = np.nonzero(values > 0)
    count = np.bincount(token, minlength=len(values))
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    kept = np.asarray(values[token, concept], np.float32)
    return Codes(start, _narrow(concept, values.shape[1]), kept, values.shape[1], grid)


def joined(parts: Iterable[Codes]) -> Codes:
    """Put the codes of several runs of tokens one after another."""
    found = list(parts)
    if not found:
        raise ValueError("nothing to join")
    ends = np.cumsum([0] + [int(p.start[-1]) for p in found])
    start = [p.start[:-1] + end for p, end in zip(found, ends[:-1], strict=True)]
    return Codes(
        np.concatenate([*start, ends[-1:]]).astype(np.int64),
        np.concatenate([p.index for p in found]),
        np.concatenate([p.value for p in found]),
        found[0].concepts,
    )


def _narrow(index: NDArray[Any], concepts: int) -> NDArray[Any]:
    return index.astype(np.uint16 if concepts <= 1 << 16 else np.int32)
