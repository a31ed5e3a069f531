"""Which encoder the desk takes for an image: layer and size of a look that suit one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from backends.concepts.autoencoder_training import Settings
from backends.concepts.encoders import (
    ONE_LOOK,
    Encoder,
    NetworkEncoder,
    PixelNetworkEncoder,
)
from backends.concepts.learning_concepts import LearnSettings
from backends.explain.classifier import ImageClassifier
from backends.explain.layers import layers_of

LAST, FINER = "last", "finer"
# A picture is scaled up at most so far: beyond, its pixels become what is seen.
MOST_SCALED = 3.0
_FINE_CELL = 17
_SIDES = (1, 2, 3, 4)


def tile_for(shape: tuple[int, int], own: int, *, fixed: bool = False) -> int:
    """Return the side of a look that gives an image most cells without blowing it up.

    Small images are seen in one look that is larger than the network's own; large ones tile
    by tile at their own size.
    """
    if fixed:
        return own

    def scale(side: int) -> float:
        return side / min(shape) if max(shape) <= ONE_LOOK * side else 1.0

    sides = [own * n for n in _SIDES if scale(own * n) <= MOST_SCALED] or [own]
    return max(sides, key=lambda side: (round(scale(side), 3), side))


def finer_layer(classifier: ImageClassifier, side: int) -> str:
    """Return the deepest layer whose cells are at most 16 pixels; empty where none is finer.

    Networks end in few large cells that stand for whole things; a step before, cells are
    smaller and stand for parts and textures.
    """
    batch = torch.zeros(1, classifier.spec.bands, side, side, device=classifier.device)
    known = [x for x in layers_of(classifier, batch) if x.channels != len(classifier.class_names)]
    fine = [x for x in known if side / x.grid[0] <= _FINE_CELL and side / x.grid[1] <= _FINE_CELL]
    if not fine:
        return ""
    last = fine[-1]
    alike = [x for x in known if (x.grid, x.channels) == (last.grid, last.channels)]
    # Of parts that hand on the same tensor take the one a person would name, after its steps.
    least = min(x.name.count(".") for x in alike)
    return [x for x in alike if x.name.count(".") == least][-1].name


def encoder_for(
    classifier: ImageClassifier,
    shape: tuple[int, int],
    about: Mapping[str, Any],
    depth: str = FINER,
) -> Encoder:
    """Return the encoder of a network for an image of a shape.

    Parameters
    ----------
    about : mapping
        ``model``, ``weights``, ``untrained``: see `opening.make_encoder`.
    depth : str
        `LAST` or `FINER`.
    """
    from backends.explain.spectral import PixelsTogether

    if isinstance(classifier.network, PixelsTogether):
        return PixelNetworkEncoder(classifier, about)
    own = (classifier.spec.size or (224, 224))[0]
    tile = tile_for(shape, own, fixed=classifier.spec.fixed)
    layer = finer_layer(classifier, own) if depth == FINER else ""
    return NetworkEncoder(classifier, layer, tile=tile, about=about)


def settings_for(
    cells: int, features: int, *, spectra: bool, concepts: int = 0, steps: int = 0, seed: int = 0
) -> LearnSettings:
    """Return settings that suit one image: small data want small dictionaries.

    At least eight cells a concept, never more than four concepts a feature.
    """
    fits = int(np.clip(cells // 8, 32, 4 * features))
    wanted = concepts or min(fits, 128 if spectra else 512)
    batch = min(2048 if spectra else 1024, max(32, cells))
    active = min(4 if spectra else 8, wanted)
    return LearnSettings(wanted, active, Settings(steps or 600, batch, seed=seed), seed)
