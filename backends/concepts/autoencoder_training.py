"""Training the nested autoencoder: batches of patches, live figures, stop and resume.

Source of losses and rules: Insight, arXiv 2601.13798, as its public code has them.

    L = mean_g (1/G) ‖x − x̂⁽ᵍ⁾‖² + (1/32) L_aux

so that the auxiliary term weighs G times more than it looks. L_aux: concepts silent for
``dead_after`` patches, the d/2 strongest of them a patch, rebuild what was left over,
relative to its variance. Directions start as random, the encoder as their transpose, b as the
geometric median of the first batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.concepts.autoencoder import NestedAutoencoder, Scaling, Sizes
from backends.errors import BadInput, WrongUse
from backends.jobs import Progress

AUX_WEIGHT = 1 / 32
LARGEST_GRADIENT = 1.0
_REPORT_EVERY = 20
_THRESHOLD_BATCHES = 10


class Patches(Protocol):
    """Features to learn from: anything with a length and numbered rows (an array, a cache)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return rows, shape (n, d)."""
        ...


@dataclass(frozen=True)
class Settings:
    """How it is trained.

    Attributes
    ----------
    steps, batch : int
    learning_rate : float
    dead_after : int
        Patches a concept may stay silent; 0: ten batches, at least one pass over the patches.
    threshold_from : int
        Step from which the threshold is estimated; published: 1000. Here never later than
        half of the training.
    seed : int
    """

    steps: int = 2000
    batch: int = 2048
    learning_rate: float = 1e-3
    dead_after: int = 0
    threshold_from: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1 or not 0 < self.learning_rate < 1:
            raise WrongUse("Steps and batch must be at least 1, the learning rate in 0 to 1.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Curves:
    """What the training says while it runs, a point every 20 steps.

    Attributes
    ----------
    step, fvu, l0, dead, loss : tuples of equal length
        FVU and L0 of the batch as trained, dead share of all concepts.
    steps : int
        In all.
    """

    steps: int
    step: tuple[int, ...] = ()
    fvu: tuple[float, ...] = ()
    l0: tuple[float, ...] = ()
    dead: tuple[float, ...] = ()
    loss: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            key: value if key == "steps" else list(value) for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Curves:
        """Rebuild from `to_dict`."""
        return cls(int(values["steps"]), *(tuple(values[k]) for k in _SERIES))

    def and_then(self, step: int, fvu: float, l0: float, dead: float, loss: float) -> Curves:
        """Return the curves with one more point."""
        return Curves(
            self.steps, (*self.step, step), (*self.fvu, fvu), (*self.l0, l0),
            (*self.dead, dead), (*self.loss, loss),
        )  # fmt: skip


_SERIES = ("step", "fvu", "l0", "dead", "loss")


@dataclass(eq=False)
class TrainingState:
    """A training in the middle; what it needs to go on as if it had never stopped.

    Attributes
    ----------
    network : NestedAutoencoder
    scaling : Scaling
    step : int
        Done.
    moments : mapping of str to Tensor
        Of the optimiser: ``"first.NAME"``, ``"second.NAME"``.
    silent : int64 tensor of shape (concepts,)
        Patches since each concept was on.
    curves : Curves
    """

    network: NestedAutoencoder
    scaling: Scaling
    step: int
    moments: dict[str, Tensor]
    silent: Tensor
    curves: Curves
    finished: bool = field(default=False)


def begin(patches: Patches, sizes: Sizes, settings: Settings) -> TrainingState:
    """Return the start of a training.

    Raises
    ------
    BadInput
        There are too few patches.
    """
    count = len(patches)
    if count < 2 * sizes.active or count < 32:
        raise BadInput(
            f"{count} patches are too few to learn concepts from.",
            way_out="Give more or larger images.",
        )
    some = np.random.default_rng((settings.seed, 1)).permutation(count)[:100_000]
    scaling = Scaling.of(patches[np.sort(some)])
    network = NestedAutoencoder(sizes, settings.seed)
    first = torch.from_numpy(scaling.apply(patches[_rows(count, settings, 0)]))
    with torch.no_grad():
        network.offset.copy_(geometric_median(first))
    silent = torch.zeros(sizes.concepts, dtype=torch.int64)
    return TrainingState(network, scaling, 0, {}, silent, Curves(settings.steps))


def train(
    state: TrainingState,
    patches: Patches,
    settings: Settings,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    save: Callable[[TrainingState], None] | None = None,
    save_every: int = 500,
) -> TrainingState:
    """Train on, from where the state is; partial results are `Curves`.

    Parameters
    ----------
    save : callable, optional
        Called with the state every ``save_every`` steps and when stopped.

    Raises
    ------
    BadInput
        The numbers ran away.
    Cancelled
    """
    progress = progress or Progress()
    network = state.network.to(device)
    state.silent = state.silent.to(device)
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate, betas=(0.9, 0.999))
    _give_moments(optimiser, network, state)
    count = len(patches)
    dead_after = settings.dead_after or max(10 * settings.batch, count)
    since = min(settings.threshold_from, settings.steps // 2)
    # The published average of 0.999 needs thousands of steps to settle.
    decay = min(0.999, 1 - 1 / max(2, (settings.steps - since) // 5))
    progress.start(settings.steps, "steps", "Learning concepts")
    progress.advance(state.step)
    progress.keeps = True
    try:
        while state.step < settings.steps and not progress.enough:
            progress.check()
            rows = patches[_rows(count, settings, state.step)]
            x = torch.from_numpy(state.scaling.apply(rows)).to(device)
            loss, made, kept, least = _loss(network, x, state.silent > dead_after)
            if not torch.isfinite(loss):
                raise BadInput(
                    "The training ran away: its numbers are no longer finite.",
                    way_out="Choose a smaller learning rate.",
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            network.drop_radial_gradient()
            torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            network.keep_unit_rows()
            with torch.no_grad():
                on = kept > 0
                state.silent += len(x)
                state.silent[on.any(0)] = 0
                if state.step >= since and float(least) > 0:
                    old = network.threshold
                    new = least if float(old) == 0 else decay * old + (1 - decay) * least
                    network.threshold.copy_(new)
                if state.step % _REPORT_EVERY == 0 or state.step + 1 == settings.steps:
                    spread = (x - x.mean(0)).square().sum()
                    fvu = float((x - made).square().sum() / spread.clamp_min(1e-12))
                    dead = float((state.silent > dead_after).float().mean())
                    active = float(on.sum() / len(x))
                    state.curves = state.curves.and_then(
                        state.step, fvu=fvu, l0=active, dead=dead, loss=float(loss.detach())
                    )
                    progress.partial(state.curves)
                    progress.note(f"{100 * fvu:.1f} % unexplained, {100 * dead:.0f} % silent")
            state.step += 1
            progress.advance()
            if save is not None and state.step % save_every == 0:
                _take_moments(optimiser, network, state)
                save(state)
    finally:
        progress.keeps = False
        _take_moments(optimiser, network, state)
        if save is not None and state.step < settings.steps:
            save(state)
    if float(network.threshold) == 0:  # ended before the threshold was estimated
        _measure_threshold(network, state, patches, settings, device)
    state.finished = True
    return state


def _measure_threshold(
    network: NestedAutoencoder,
    state: TrainingState,
    patches: Patches,
    settings: Settings,
    device: str,
) -> None:
    """Take the mean of the smallest activations that stay in some batches."""
    found = []
    for step in range(_THRESHOLD_BATCHES):
        rows = patches[_rows(len(patches), settings, step)]
        x = torch.from_numpy(state.scaling.apply(rows)).to(device)
        with torch.no_grad():
            found.append(network.batch_top(network.activations(x))[1])
    network.threshold.copy_(torch.stack(found).mean())


def _loss(
    network: NestedAutoencoder, x: Tensor, dead: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the loss, x̂, the codes and the smallest activation that stayed."""
    raw = network.activations(x)
    kept, least = network.batch_top(raw)
    groups = len(network.sizes.groups)
    total, made = x.new_zeros(()), x
    for made in network.prefix_decodings(kept):
        total = total + (x - made).square().sum(1).mean() / groups
    total = total / groups
    if bool(dead.any()):
        total = total + AUX_WEIGHT * _auxiliary(network, x - made.detach(), raw, dead)
    return total, made.detach(), kept.detach(), least


def _auxiliary(network: NestedAutoencoder, left: Tensor, raw: Tensor, dead: Tensor) -> Tensor:
    """Return how badly silent concepts rebuild what was left over, over its variance."""
    numbers = dead.nonzero().flatten()
    count = min(max(1, network.sizes.features // 2), len(numbers))
    values, places = raw[:, numbers].topk(count, dim=1, sorted=False)
    chosen = torch.zeros(len(raw), len(numbers), device=raw.device).scatter(1, places, values)
    made = chosen @ network.directions[numbers]
    spread = (left - left.mean(0)).square().sum(1).mean().clamp_min(1e-8)
    return (left - made).square().sum(1).mean() / spread


def geometric_median(x: Tensor, rounds: int = 50) -> Tensor:
    """Return the point with the least sum of distances to rows (Weiszfeld 1937)."""
    guess = x.mean(0)
    for _ in range(rounds):
        weight = 1 / (x - guess).norm(dim=1).clamp_min(1e-6)
        new = (x * weight[:, None]).sum(0) / weight.sum()
        if float((new - guess).norm()) < 1e-6:
            return new
        guess = new
    return guess


def _rows(count: int, settings: Settings, step: int) -> NDArray[np.int64]:
    """Return the patches of a step: every pass is a new order, the same after a resume."""
    batch = min(settings.batch, count)
    passes, place = divmod(step, max(1, count // batch))
    order = _order(settings.seed, passes, count)
    return np.sort(order[place * batch : (place + 1) * batch])


@lru_cache(maxsize=2)
def _order(seed: int, passes: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, 2, passes)).permutation(count)


def _give_moments(optimiser: Any, network: NestedAutoencoder, state: TrainingState) -> None:
    if not state.moments:
        return
    for name, value in network.named_parameters():
        optimiser.state[value] = {
            "step": torch.tensor(float(state.step)),
            "exp_avg": state.moments[f"first.{name}"].to(value.device).clone(),
            "exp_avg_sq": state.moments[f"second.{name}"].to(value.device).clone(),
        }


def _take_moments(optimiser: Any, network: NestedAutoencoder, state: TrainingState) -> None:
    for name, value in network.named_parameters():
        kept = optimiser.state.get(value)
        if kept:
            state.moments[f"first.{name}"] = kept["exp_avg"].detach().clone()
            state.moments[f"second.{name}"] = kept["exp_avg_sq"].detach().clone()
