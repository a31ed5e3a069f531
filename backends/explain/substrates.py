"""What stands where something was taken away, by its plain name, for explainers."""

from __future__ import annotations

import torch
from torch import Tensor

from backends.errors import WrongUse
from backends.explain.perturbation import blurred

BASELINES = ("mean", "image", "blur")


def baseline_of(batch: Tensor, name: str) -> Tensor:
    """Return what replaces pixels, shaped like the batch.

    Parameters
    ----------
    name : str
        ``"mean"``: the mean the network was trained with (0 after normalisation);
        ``"image"``: the mean of each band over the image, fitting for cubes; ``"blur"``.

    Raises
    ------
    WrongUse
        No such baseline.
    """
    if name == "mean":
        return batch.new_zeros(batch.shape)
    if name == "image":
        return batch.mean((2, 3), keepdim=True).expand_as(batch)
    if name == "blur":
        return torch.stack([blurred(image) for image in batch])
    raise WrongUse(
        f"There is no baseline called {name}.", way_out=f"Use one of: {', '.join(BASELINES)}."
    )
