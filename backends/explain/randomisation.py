"""The parameter randomisation check (Adebayo 2018): a map must depend on what was learned.

The network's weights are drawn anew in a copy, from the output towards the input, and the
image is explained again. A map that looks the same then shows the image, not the network.
The live network is never touched.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.explain.perturbation import Ledger
from backends.explain.similarity import at_size, rank_correlation, structural_similarity
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch.nn import Module

    ExplainWith = Callable[[Module], NDArray[Any]]
else:
    ExplainWith = Callable[[Any], NDArray[Any]]

CASCADE = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Randomisation:
    """Maps of networks with weights drawn anew, against the true one.

    Attributes
    ----------
    shares : tuple of float
        Part of the layers drawn anew, from the output; 0 is the last layer alone.
    rank_correlations, ssims : tuple of float
        Similarity at each share, mean over seeds (signed: chance cancels); nan where every
        map was without contrast.
    seeds : int
    blank : int
        Maps without contrast; they say nothing and are not counted.
    """

    shares: tuple[float, ...]
    rank_correlations: tuple[float, ...]
    ssims: tuple[float, ...]
    seeds: int
    blank: int

    @property
    def similarity(self) -> float:
        """Rank correlation with the map of the network drawn anew most, unsigned."""
        return abs(self.rank_correlations[-1])

    @property
    def randomisation(self) -> float | None:
        """R: 1 − similarity, 0 to 1; high is good. None where it could not be seen."""
        return None if np.isnan(self.similarity) else 1.0 - self.similarity


def randomisation(
    network: Module,
    values: NDArray[Any],
    explain_with: ExplainWith,
    *,
    shares: tuple[float, ...] = (1.0,),
    seeds: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
    ledger: Ledger | None = None,
) -> Randomisation:
    """Explain the same image with networks whose weights were drawn anew.

    Parameters
    ----------
    network : torch module
    values : float array of shape (rows, cols)
        The map of the true network.
    explain_with : callable
        Takes a network, returns the image's map: same method, target and layer.
    shares : tuple of float
        Rising, 0 to 1; `CASCADE` for the whole cascade.
    seeds : int
        Networks a share.

    Raises
    ------
    WrongUse
        Shares that do not rise from 0 to 1.
    BadInput
        The network has nothing that was learned.
    Cancelled
        Between two maps.
    """
    fits = bool(shares) and list(shares) == sorted(shares) and 0 <= shares[0] <= shares[-1] <= 1
    if not fits or seeds < 1:
        raise WrongUse("The parts drawn anew rise from 0 to 1, with at least one seed.")
    progress, ledger = progress or Progress(), ledger or Ledger()
    blank = 0
    ranks: list[float] = []
    ssims: list[float] = []
    for share in shares:
        here: list[tuple[float, float]] = []
        for number in range(seeds):
            progress.check()
            other = at_size(explain_with(drawn_anew(network, share, seed + number)), values.shape)
            ledger.explanations += 1
            progress.advance()
            if not np.isfinite(other).all() or not np.ptp(other):
                blank += 1
                continue
            here.append((rank_correlation(values, other), structural_similarity(values, other)))
        rank, ssim = np.mean(here, axis=0) if here else (np.nan, np.nan)
        ranks.append(float(rank))
        ssims.append(float(ssim))
    return Randomisation(tuple(shares), tuple(ranks), tuple(ssims), seeds, blank)


def learned_layers(network: Module) -> tuple[str, ...]:
    """Return the names of the modules with parameters of their own, the last first."""
    own = [
        name
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    return tuple(reversed(own))


def drawn_anew(network: Module, share: float = 1.0, seed: int = 0) -> Module:
    """Return a copy of a network with the last ``share`` of its layers drawn anew.

    Weights become normal with mean 0 and the size they had (root mean square), so that
    signals neither vanish nor explode; biases and scales of norms are shuffled; running
    means of norms stay.

    Raises
    ------
    BadInput
        The network has nothing that was learned.
    """
    import torch

    layers = learned_layers(network)
    if not layers:
        raise BadInput("This network has no weights that could be drawn anew.")
    chosen = layers[: max(1, round(share * len(layers)))]
    twin = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in _parameters(twin, chosen):
            if weights.ndim >= 2:
                size = float(weights.double().square().mean().sqrt())
                fresh = torch.randn(weights.shape, generator=generator) * size
            else:
                order = torch.randperm(weights.numel(), generator=generator)
                fresh = weights.detach().cpu().flatten()[order].reshape(weights.shape)
            weights.copy_(fresh)
    return twin


def _parameters(network: Module, names: Iterable[str]) -> Iterable[Any]:
    modules = dict(network.named_modules())
    for name in names:
        yield from modules[name].parameters(recurse=False)
