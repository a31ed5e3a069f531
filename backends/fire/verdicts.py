"""Rules as trees of tests, so that each can say which number decided.

A leaf compares a raster with a limit. A branch asks all, any, or that something does not
hold. A branch's margin is that of the test that decides it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Answer:
    """One test at one pixel.

    Attributes
    ----------
    name : str
    value, limit : float
    sign : str
        ``">"``, ``">="``, ``"<"`` or ``"<="``.
    holds : bool
    unit : str
    """

    name: str
    value: float
    sign: str
    limit: float
    holds: bool
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        said = "yes" if self.holds else "no"
        return f"{self.name} {self.value:.4g} {self.sign} {self.limit:.4g}{unit}: {said}"


class Node:
    """A test or several; ``holds`` and ``margin`` are rasters of the same shape.

    The margin is how far inside (above 0) or outside a limit a pixel lies, in steps of the
    test's scale; ``nan`` where something is not known, and such a pixel never holds.
    """

    holds: NDArray[np.bool_]
    margin: NDArray[np.float32]

    def answers(self, row: int, col: int) -> Iterator[Answer]:
        """Yield every test's answer at a pixel."""
        raise NotImplementedError

    def decided(self, row: int, col: int) -> Answer:
        """Return the answer that decided at a pixel."""
        return next(self.answers(row, col))


class Check(Node):
    """A raster against a limit.

    Parameters
    ----------
    value : array of shape (rows, cols)
    sign : str
        ``">"``, ``">="``, ``"<"`` or ``"<="``.
    limit : float or array
    scale : float
        What counts as one step of the margin: 10 K, 0.1 of reflectance …
    """

    def __init__(
        self, name: str, value: Array, sign: str, limit: Array | float, scale: float, unit: str = ""
    ) -> None:
        self.name, self.sign, self.unit = name, sign, unit
        self.value = np.asarray(value, np.float32)
        self.limit = np.asarray(limit, np.float32)
        with np.errstate(invalid="ignore"):
            apart = (self.value - self.limit) / np.float32(scale)
            self.margin = apart if sign[0] == ">" else -apart
            self.holds = (self.margin >= 0) if sign.endswith("=") else (self.margin > 0)

    def answers(self, row: int, col: int) -> Iterator[Answer]:
        """Yield the one answer."""
        limit = np.broadcast_to(self.limit, self.value.shape)[row, col]
        value, holds = float(self.value[row, col]), bool(self.holds[row, col])
        yield Answer(self.name, value, self.sign, float(limit), holds, self.unit)


class All(Node):
    """Every part must hold."""

    def __init__(self, *parts: Node) -> None:
        self.parts = parts
        self.holds = np.logical_and.reduce([p.holds for p in parts])
        margins = [p.margin for p in parts]
        low = np.fmin.reduce(margins)
        # One test that fails is enough to know; one that is not known, to doubt a yes.
        unknown = np.isnan(margins).any(axis=0) & (low > 0)
        self.margin = np.where(unknown, np.nan, low).astype(np.float32)

    def answers(self, row: int, col: int) -> Iterator[Answer]:
        """Yield the answers of all parts."""
        for part in self.parts:
            yield from part.answers(row, col)

    def decided(self, row: int, col: int) -> Answer:
        """Return the weakest answer."""
        return min(self.parts, key=lambda p: _weak(p, row, col)).decided(row, col)


class Any_(Node):
    """One part must hold; where none does and one is not known, the answer isn't either."""

    def __init__(self, *parts: Node) -> None:
        self.parts = parts
        self.holds = np.logical_or.reduce([p.holds for p in parts])
        margins = [p.margin for p in parts]
        high = np.fmax.reduce(margins)
        unknown = np.isnan(margins).any(axis=0) & ~(high > 0) & ~self.holds
        self.margin = np.where(unknown, np.nan, high).astype(np.float32)

    def answers(self, row: int, col: int) -> Iterator[Answer]:
        """Yield the answers of all parts."""
        for part in self.parts:
            yield from part.answers(row, col)

    def decided(self, row: int, col: int) -> Answer:
        """Return the strongest answer."""
        return max(self.parts, key=lambda p: _margin(p, row, col)).decided(row, col)


class Not(Node):
    """The part must not hold; where it is not known, nothing speaks against the pixel."""

    def __init__(self, part: Node) -> None:
        self.part = part
        self.holds = ~part.holds
        self.margin = np.where(np.isfinite(part.margin), -part.margin, np.inf).astype(np.float32)

    def answers(self, row: int, col: int) -> Iterator[Answer]:
        """Yield the part's answers."""
        yield from self.part.answers(row, col)

    def decided(self, row: int, col: int) -> Answer:
        """Return what decided the part."""
        return self.part.decided(row, col)


def _margin(node: Node, row: int, col: int) -> float:
    value = float(node.margin[row, col])
    return -np.inf if np.isnan(value) else value


def _weak(node: Node, row: int, col: int) -> float:
    """Sort what is not known after every failure and before every success."""
    value = float(node.margin[row, col])
    return 0.0 if np.isnan(value) else value
