"""Which layers learn, how fast, and in which mode; a look for a stop at each of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from backends.jobs import Progress
from backends.learning.training_plan import TrainingPlan

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def freeze(
    network: nn.Module, head: str, scope: str, *, fixed_norms: bool = False
) -> list[nn.Module]:
    """Freeze what a scope leaves alone; return the layers that stay in evaluation mode.

    Parameters
    ----------
    head : str
        Name of the last layer; it is always trained.
    scope : str
        See `TrainingPlan`.
    fixed_norms : bool
        Batch norms count as frozen, but for their weights.
    """
    last = network.get_submodule(head)
    kept = set(map(id, last.modules()))
    layers = [
        part for part in network.modules() if next(part.parameters(recurse=False), None) is not None
    ]
    layers = [part for part in layers if not any(True for _ in part.children())]
    layers = [part for part in layers if id(part) not in kept]
    count = {"full": 0, "late": len(layers) // 2, "head": len(layers)}[scope]
    frozen = layers[:count]
    learning = {id(p) for part in layers[count:] for p in part.parameters()}
    learning |= {id(p) for p in last.parameters()}
    for parameter in network.parameters():
        # Parameters outside of layers (a transformer's positions) go with the first ones.
        parameter.requires_grad_(scope == "full" or id(parameter) in learning)
    if fixed_norms:
        frozen += [part for part in network.modules() if isinstance(part, BATCH_NORMS)]
    return frozen


def set_training(network: nn.Module, frozen: Sequence[nn.Module]) -> None:
    """Put a network into training mode, but for its frozen layers.

    Norms that are not trained must not follow the new images with their statistics either.
    """
    network.train()
    for part in frozen:
        part.eval()


def parameter_groups(network: nn.Module, head: str, plan: TrainingPlan) -> list[dict[str, Any]]:
    """Return AdamW's groups: body and last layer, with decay and without."""
    last = {id(p) for p in network.get_submodule(head).parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            part = 1.0 if id(parameter) in last else plan.body_rate
            decay = plan.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((part, decay), []).append(parameter)
    return [
        {"params": found, "part": part, "weight_decay": decay}
        for (part, decay), found in groups.items()
    ]


@contextlib.contextmanager
def stoppable(network: nn.Module, progress: Progress) -> Iterator[None]:
    """Look for a stop within a step too: one of a large network takes longer than a second."""

    def look(part: nn.Module, *_: object) -> None:
        progress.check()

    def look_back(part: nn.Module, given: object, output: object) -> None:
        progress.check()
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(lambda gradient: progress.check())

    layers = [
        part
        for part in network.modules()
        if isinstance(part, nn.Conv2d | nn.Linear) and not any(True for _ in part.children())
    ]
    hooks = [part.register_forward_pre_hook(look) for part in layers]
    hooks += [part.register_forward_hook(look_back) for part in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
