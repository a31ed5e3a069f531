"""Does a map stay what it is when the image hardly changes?

The image is shifted, mirrored, made noisy or lighter, explained again, the map is brought
back to where it was, and compared with the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.explain.curves import map_for
from backends.explain.perturbation import Ledger
from backends.explain.similarity import rank_correlation, structural_similarity
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch import Tensor

    Explain = Callable[[Tensor], NDArray[Any]]
else:
    Explain = Callable[[Any], NDArray[Any]]

KINDS = ("shift", "flip", "noise", "brightness")


@dataclass(frozen=True)
class Change:
    """What one change of the image did to the map.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    name : str
        ``"shift 2 px down"``.
    rank_correlation, ssim : float
        Of the map brought back and the first one; -1 to 1.
    """

    kind: str
    name: str
    rank_correlation: float
    ssim: float


@dataclass(frozen=True)
class Stability:
    """How a map stands small changes of its image.

    Attributes
    ----------
    changes : tuple of Change
    sensitivity : float or None
        Largest ‖L(x + d) − L(x)‖ / ‖L(x)‖ over the noisy images (Yeh 2019); None without.
    """

    changes: tuple[Change, ...]
    sensitivity: float | None = None

    @property
    def stability(self) -> float:
        """S: mean rank correlation, negative ones counted as 0; 0 to 1."""
        return float(np.mean([max(0.0, c.rank_correlation) for c in self.changes]))

    @property
    def ssim(self) -> float:
        """Mean structural similarity."""
        return float(np.mean([c.ssim for c in self.changes]))

    def of(self, kind: str) -> float:
        """Return the mean rank correlation of one kind of change; nan where not done."""
        found = [c.rank_correlation for c in self.changes if c.kind == kind]
        return float(np.mean(found)) if found else float("nan")


@dataclass(frozen=True, eq=False)
class _Trial:
    kind: str
    name: str
    image: Tensor
    back: tuple[slice, slice]  # index that brings the new map back
    here: tuple[slice, slice]  # what of the first map shows the same places


def explanations(kinds: tuple[str, ...], noises: int) -> int:
    """Return how many maps `stability` makes."""
    return sum({"shift": 4, "flip": 1, "noise": noises, "brightness": 2}[k] for k in kinds)


def stability(
    image: Tensor,
    values: NDArray[Any],
    explain: Explain,
    *,
    kinds: tuple[str, ...] = KINDS,
    shift: int = 2,
    noise: float = 0.02,
    noises: int = 1,
    brightness: float = 0.05,
    seed: int = 0,
    progress: Progress | None = None,
    ledger: Ledger | None = None,
) -> Stability:
    """Explain slightly changed images again and compare.

    Parameters
    ----------
    image : float tensor of shape (bands, rows, cols)
    values : float array of shape (rows, cols)
        The map of ``image``.
    explain : callable
        Takes an image, returns its map with the same method, target and layer.
    kinds : tuple of str
        Leave ``"flip"`` out where left and right mean something.
    shift : int
        Pixels, in four directions; the edge is repeated and left out of the comparison.
    noise : float
        Standard deviation as part of the image's range.
    noises : int
        Noisy images.
    brightness : float
        Part of the image's range added and taken away.

    Raises
    ------
    WrongUse
        An unknown kind, or a shift that leaves nothing to compare.
    Cancelled
        Between two maps.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise WrongUse(f"There is no change called {kind}.", way_out=f"Use {', '.join(KINDS)}.")
    if not 0 < 2 * shift < min(image.shape[1:]):
        raise WrongUse(f"A shift of {shift} pixels leaves nothing to compare.")
    progress, ledger = progress or Progress(), ledger or Ledger()
    first = map_for(values, image)
    size = float(np.linalg.norm(first))
    span = float(image.max() - image.min())
    changes: list[Change] = []
    sensitivity: float | None = None
    for trial in _trials(image, kinds, shift, noise * span, noises, brightness * span, seed):
        progress.check()
        again = map_for(explain(trial.image), image)
        ledger.explanations += 1
        if trial.kind == "noise" and size > 0:
            moved = float(np.linalg.norm(again - first)) / size
            sensitivity = max(moved, sensitivity or 0.0)
        back, here = again[trial.back], first[trial.here]
        changes.append(
            Change(
                trial.kind,
                trial.name,
                rank_correlation(back, here),
                structural_similarity(back, here),
            )
        )
        progress.advance()
    return Stability(tuple(changes), sensitivity)


def _trials(
    image: Tensor,
    kinds: tuple[str, ...],
    shift: int,
    noise: float,
    noises: int,
    brightness: float,
    seed: int,
) -> Iterator[_Trial]:
    import torch

    everywhere = (slice(None), slice(None))
    mirrored = (slice(None), slice(None, None, -1))
    if "shift" in kinds:
        for word, down, right in (
            ("down", shift, 0),
            ("up", -shift, 0),
            ("right", 0, shift),
            ("left", 0, -shift),
        ):
            here, there = _overlap(down, right)
            moved = _shifted(image, down, right)
            yield _Trial("shift", f"shift {shift} px {word}", moved, there, here)
    if "flip" in kinds:
        yield _Trial("flip", "mirror", image.flip(2), mirrored, everywhere)
    if "noise" in kinds:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(noises):
            drawn = torch.randn(image.shape, generator=generator).to(image.device, image.dtype)
            yield _Trial("noise", "noise", image + noise * drawn, everywhere, everywhere)
    if "brightness" in kinds:
        for word, step in (("lighter", brightness), ("darker", -brightness)):
            yield _Trial("brightness", word, image + step, everywhere, everywhere)


def _shifted(image: Tensor, down: int, right: int) -> Tensor:
    """Move an image; what comes in is its edge repeated."""
    import torch

    rows, cols = image.shape[1:]
    row = (torch.arange(rows, device=image.device) - down).clamp(0, rows - 1)
    col = (torch.arange(cols, device=image.device) - right).clamp(0, cols - 1)
    return image[:, row][:, :, col]


def _overlap(down: int, right: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return what of the first map, and of the moved one, shows the same places."""

    def pair(step: int) -> tuple[slice, slice]:
        if step >= 0:
            return slice(None, -step or None), slice(step, None)
        return slice(-step, None), slice(None, step)

    (row, moved_row), (col, moved_col) = pair(down), pair(right)
    return (row, col), (moved_row, moved_col)
