"""Mixed precision: large products in bfloat16, everything that is delicate in float32.

bfloat16 has the range of float32, so no loss has to be scaled (Kalamkar et al., "A Study of
BFLOAT16 for Deep Learning Training", 2019). Scans, Sinkhorn and the closed-form front stay in
float32 (`exact`); so do the weights, the validation and the map.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from backends.errors import MissingCapability, WrongUse

CHOICES = ("auto", "on", "off")


def training_precision(choice: str, device: str) -> torch.dtype | None:
    """Return the type for large products in training; None is float32 throughout.

    Parameters
    ----------
    choice : str
        One of `CHOICES`. ``"auto"`` is on where a CUDA device has bfloat16, else off.

    Raises
    ------
    WrongUse
        No such choice.
    MissingCapability
        ``"on"``, and the device has no bfloat16.
    """
    if choice not in CHOICES:
        raise WrongUse(
            f"mixed_precision cannot be {choice}.", way_out=f"Use one of: {', '.join(CHOICES)}."
        )
    if choice == "off" or (choice == "auto" and not device.startswith("cuda")):
        return None
    if device.startswith("cuda") and not torch.cuda.is_bf16_supported(including_emulation=False):
        if choice == "auto":
            return None
        raise MissingCapability(
            "This GPU has no bfloat16, which mixed precision needs.",
            way_out="Leave mixed_precision at auto.",
        )
    return torch.bfloat16


def autocast(device: str, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Return a block in which large products run in a type; None changes nothing."""
    if dtype is None:
        return nullcontext()
    block: AbstractContextManager[object] = torch.autocast(device.split(":")[0], dtype=dtype)
    return block


def exact(like: Tensor) -> AbstractContextManager[object]:
    """Return a block in which products of float32 stay float32."""
    kind = like.device.type
    if not torch.is_autocast_enabled(kind):
        return nullcontext()
    block: AbstractContextManager[object] = torch.autocast(kind, enabled=False)
    return block
