"""What may be done to a concept before deciding anew: scale it, set it, take it away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse


@dataclass(frozen=True)
class Change:
    """A concept that is made stronger or weaker than it was found to be.

    Attributes
    ----------
    scale : float
        What its strength is multiplied by; 0 takes it away.
    value : float or None
        What its strength becomes instead, also where the concept was off.
    """

    scale: float = 1.0
    value: float | None = None

    def __post_init__(self) -> None:
        amount = self.scale if self.value is None else self.value
        if not (np.isfinite(amount) and amount >= 0):
            raise WrongUse(
                "The strength of a concept is a number from 0 upwards.",
                way_out="Give 0 to take the concept away.",
            )

    @property
    def nothing(self) -> bool:
        """Whether all stays as it was."""
        return self.value is None and self.scale == 1.0

    @property
    def sentence(self) -> str:
        """What is done, in words that follow a name."""
        if self.value is not None:
            return f"set to {self.value:.2f}" if self.value else "taken away"
        return f"at {100 * self.scale:.0f}\u00a0%" if self.scale else "taken away"

    def words(self, concept: int) -> tuple[str, str]:
        """Return the option of the command line that does the same, and its value."""
        if self.value is not None:
            return "--set", f"{concept}={self.value:.6g}"
        if self.scale:
            return "--scale", f"{concept}={self.scale:.6g}"
        return "--without", str(concept)

    def of(self, strength: Any) -> Any:
        """Return a strength, or an array of them, as changed."""
        if self.value is None:
            return strength * self.scale
        return np.full_like(strength, self.value)


REMOVED = Change(0.0)
Changes = Mapping[int, Change]


def applied(code: NDArray[np.float64], changes: Changes) -> NDArray[np.float64]:
    """Return a code of shape (concepts,) with some of its concepts changed.

    Raises
    ------
    WrongUse
        There is no such concept.
    """
    out = code.copy()
    for number, change in changes.items():
        if not 0 <= number < len(out):
            raise WrongUse(f"There is no concept {number}; there are {len(out)}, from 0.")
        out[number] = change.of(out[number])
    return out


def changes_from(
    without: Sequence[int] = (), scale: Sequence[str] = (), to: Sequence[str] = ()
) -> dict[int, Change]:
    """Read the changes of a command line; of a concept named twice the last counts.

    Parameters
    ----------
    without : sequence of int
        Concepts taken away.
    scale, to : sequence of str
        ``"3=0.5"``: concept 3 times 0.5; concept 3 set to 0.5.

    Raises
    ------
    WrongUse
        A word is no change.
    """
    found = dict.fromkeys(without, REMOVED)
    for option, words in (("--scale", scale), ("--set", to)):
        for word in words:
            number, _, amount = word.partition("=")
            try:
                concept, value = int(number), float(amount)
            except ValueError as error:
                raise WrongUse(
                    f"{option} {word} is no change of a concept.",
                    way_out=f"Give its number and a strength: {option} 3=0.5.",
                ) from error
            found[concept] = Change(value) if option == "--scale" else Change(value=value)
    return found


def words_of(changes: Changes) -> list[str]:
    """Return the words of the command line that make these changes."""
    return [word for number, change in changes.items() for word in change.words(number)]
