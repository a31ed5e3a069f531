"""The published dictionaries' layout: files of the library dictionary_learning, as Insight's.

A file of plain tensors ``W_enc`` (d × F), ``b_enc``, ``W_dec`` (F × d), ``b_dec``,
``threshold``, ``k``, ``group_sizes``. Features go in unscaled. Insight's were found in
CLIP-DINOiser's patches of ViT-B/16; whether an encoder is that one, the file does not say.
Nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backends.concepts.autoencoder import NestedAutoencoder, Scaling, Sizes
from backends.concepts.autoencoder_files import Dictionary
from backends.errors import BadInput

_NEEDED = ("W_enc", "b_enc", "W_dec", "b_dec")


def open_published(path: Path, encoder: Mapping[str, Any]) -> Dictionary:
    """Open such a file for an encoder.

    Parameters
    ----------
    encoder : mapping
        ``about`` of the encoder with its ``digest`` and ``title``: the file does not name one.

    Raises
    ------
    BadInput
        The file has another layout, or was made for another number of features.
    """
    from backends.learning.architectures import read_tensors

    found = {name.rpartition(".")[2]: value for name, value in read_tensors(path).items()}
    lacking = [name for name in _NEEDED if name not in found]
    if lacking:
        raise BadInput(f"{path.name} is no dictionary: it lacks {lacking[0]}.", subject=path)
    features, concepts = found["W_enc"].shape
    if found["W_dec"].shape != (concepts, features):
        raise BadInput(f"The parts of {path.name} do not fit each other.", subject=path)
    groups = found.get("group_sizes", torch.tensor([concepts])).flatten().tolist()
    if sum(groups) != concepts:
        raise BadInput(f"The groups of {path.name} do not add up.", subject=path)
    active = int(found["k"]) if "k" in found else 12
    # Half a concept more: rounding down gives the sizes back.
    shares = [(size + 0.5) / concepts for size in groups[:-1]]
    sizes = Sizes(features, concepts, active, (*shares, 1 - sum(shares)))
    if sizes.groups != tuple(groups):
        raise BadInput(f"The groups of {path.name} are not understood.", subject=path)
    network = NestedAutoencoder(sizes)
    with torch.no_grad():
        network.encode_weight.copy_(found["W_enc"].float())
        network.encode_bias.copy_(found["b_enc"].float())
        network.directions.copy_(found["W_dec"].float())
        network.offset.copy_(found["b_dec"].float())
        network.threshold.copy_(found.get("threshold", torch.zeros(())).float().reshape(()))
    scaling = Scaling(np.zeros(features, np.float32), 1.0)
    card = {"trained_on": f"elsewhere, as published ({path.name})"}
    return Dictionary(network.eval().requires_grad_(False), scaling, dict(encoder), card=card)
