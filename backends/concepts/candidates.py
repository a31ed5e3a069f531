"""Where the concepts of a bottleneck come from, and which are fit to be chosen from.

Three sources: a vocabulary through an encoder's text tower, the directions of an autoencoder
on the same features, and whatever speaks `Proposer` (a language model, say). No source is
needed but one; none uses a network unless the user's own proposer does.

A proposer is any object with::

    name: str                                  # said beside every concept
    def propose(self, task: str, exemplars: Sequence[Path], count: int) -> Sequence[str]

Its phrases are embedded by the text tower and filtered as all others; prompt and answer are
to be kept by it, so that a result can be traced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

TWINS = 0.9
LEAST_TOP = 0.25


class Proposer(Protocol):
    """Something that suggests phrases for a task; see the module."""

    name: str

    def propose(self, task: str, exemplars: Sequence[Path], count: int) -> Sequence[str]:
        """Return up to ``count`` short phrases for what the images share."""
        ...


class TextTower(Protocol):
    """The words' side of an encoder; see `naming`."""

    digest: str

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return unit embeddings, shape (phrases, d)."""
        ...


@dataclass(frozen=True, eq=False)
class Candidates:
    """Directions among embeddings, each with a name.

    Attributes
    ----------
    directions : float32 array of shape (c, d)
        Unit length.
    names : tuple of str
    sources : tuple of str
        ``"vocabulary"``, ``"autoencoder"`` or the proposer's name.
    dropped : tuple of (name, why)
    """

    directions: NDArray[np.float32]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def take(self, numbers: NDArray[Any]) -> Candidates:
        """Return some of them."""
        chosen = [int(n) for n in numbers]
        return Candidates(
            self.directions[chosen],
            tuple(self.names[n] for n in chosen),
            tuple(self.sources[n] for n in chosen),
            self.dropped,
        )

    def and_also(self, other: Candidates) -> Candidates:
        """Return these and others."""
        return Candidates(
            np.concatenate([self.directions, other.directions]),
            self.names + other.names,
            self.sources + other.sources,
            self.dropped + other.dropped,
        )


def from_phrases(
    phrases: Sequence[str], tower: TextTower, source: str = "vocabulary"
) -> Candidates:
    """Embed phrases; doubles of the same word are one."""
    unique = tuple(dict.fromkeys(p.strip() for p in phrases if p.strip()))
    if not unique:
        raise BadInput("There is no phrase among the concepts.")
    return Candidates(tower.embed(unique), unique, (source,) * len(unique))


def from_proposer(
    proposer: Proposer, tower: TextTower, task: str, exemplars: Sequence[Path], count: int
) -> Candidates:
    """Ask a proposer for phrases and embed them."""
    phrases = list(proposer.propose(task, exemplars, count))[:count]
    if not phrases:
        raise BadInput(f"{proposer.name} proposed no concepts.")
    return from_phrases(phrases, tower, proposer.name)


def from_directions(
    directions: NDArray[Any], names: Sequence[str], alive: NDArray[np.bool_] | None = None
) -> Candidates:
    """Take the directions of an autoencoder; silent ones are left out."""
    kept = np.arange(len(directions)) if alive is None else np.flatnonzero(alive)
    if not kept.size:
        raise BadInput("All concepts of the autoencoder are silent.")
    unit = _unit(directions[kept])
    return Candidates(unit, tuple(names[int(n)] for n in kept), ("autoencoder",) * len(kept))


def fit_to_choose(
    found: Candidates,
    embeddings: NDArray[Any],
    classes: Sequence[str] = (),
    *,
    least_top: float = LEAST_TOP,
    twins: float = TWINS,
) -> Candidates:
    """Drop what is nowhere, near-doubles, and the classes themselves.

    Rules as in the label-free bottleneck (arXiv 2304.06129): the mean of a phrase's five best
    cosines with the images must reach ``least_top`` (for phrases only), two of a cosine above
    ``twins`` are one (the one that is more present stays), and no phrase may be a class name.

    Raises
    ------
    BadInput
        Nothing is left.
    """
    unit = _unit(embeddings)
    cosine = found.directions @ unit.T
    best = np.sort(cosine, axis=1)[:, -5:].mean(1)
    banned = {c.casefold().replace("_", " ") for c in classes}
    dropped: list[tuple[str, str]] = []
    kept: list[int] = []
    for number in np.argsort(-best, kind="stable"):
        name, is_word = found.names[number], found.sources[number] != "autoencoder"
        if is_word and name.casefold() in banned:
            dropped.append((name, "is the name of a class"))
        elif is_word and best[number] < least_top:
            dropped.append((name, "is seen in no image"))
        elif kept and (found.directions[kept] @ found.directions[number]).max() > twins:
            near = kept[int((found.directions[kept] @ found.directions[number]).argmax())]
            dropped.append((name, f"says the same as {found.names[near]}"))
        else:
            kept.append(int(number))
    if not kept:
        raise BadInput(
            "No candidate concept is left after filtering.",
            way_out="Give other phrases, or concepts of an autoencoder.",
            details="\n".join(f"{n} {why}" for n, why in dropped[:50]),
        )
    chosen = found.take(np.sort(np.array(kept)))
    return Candidates(
        chosen.directions, chosen.names, chosen.sources, found.dropped + tuple(dropped)
    )


def _unit(values: NDArray[Any]) -> NDArray[np.float32]:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(length, 1e-12), np.float32)
