"""Changes of training images that leave their class alone, by the kind of image.

Drawn on whole batches as tensors, from a generator that the trainer seeds anew in each epoch:
a training that was stopped and resumed sees the same images.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from backends.errors import WrongUse


@dataclass(frozen=True)
class Augmentation:
    """How far training images are changed.

    Attributes
    ----------
    kind : str
    flip, turn : bool
        Left–right mirror image; the eight turns and mirror images of a square.
    degrees : float
        Largest rotation to either side.
    shift : float
        Largest shift, in parts of the side.
    zoom : float
        Largest change of scale, in parts.
    brightness, contrast : float
        Largest addition (values 0..1) and change of the spread, the same in all bands: light
        changes, a spectrum's shape and a CT's tissues do not.
    saturation : float
        Largest change of colourfulness; three bands only.
    """

    kind: str
    flip: bool = False
    turn: bool = False
    degrees: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


KINDS: dict[str, Augmentation] = {
    # A body lies on its back in the scanner: small movements only, and no colour at all.
    "ct": Augmentation("ct", True, False, 10, 0.06, 0.08, 0.04, 0.08),
    "photo": Augmentation("photo", True, False, 10, 0.08, 0.12, 0.08, 0.15, 0.15),
    "slide": Augmentation("slide", False, True, 0, 0.06, 0.1, 0.06, 0.1, 0.1),
    "aerial": Augmentation("aerial", False, True, 0, 0.06, 0.1, 0.06, 0.1),
    "cube": Augmentation("cube", False, True, 0, 0.06, 0.0, 0.03, 0.05),
    "none": Augmentation("none"),
}


def augmentation(kind: str, *, bands: int, unit: str = "", is_rgb: bool = False) -> Augmentation:
    """Return the changes for a kind of image; ``"auto"`` goes by bands and unit.

    Raises
    ------
    WrongUse
        No such kind.
    """
    if kind == "auto":
        kind = "ct" if unit == "HU" or bands == 1 else "photo" if bands == 3 and is_rgb else "cube"
    if kind not in KINDS:
        raise WrongUse(
            f"There is no augmentation called {kind}.", way_out=f"Use one of: {', '.join(KINDS)}."
        )
    return KINDS[kind]


def augment(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Return changed copies of a batch.

    Parameters
    ----------
    images : tensor of shape (n, bands, rows, cols)
        Values 0..1.
    how : Augmentation
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    tensor of the same shape
        Values 0..1; borders are mirrored in.
    """
    if how.kind == "none":
        return images
    n = len(images)

    def draw(most: float) -> Tensor:
        return (torch.rand(n, generator=generator) * 2 - 1) * most

    rows, cols = images.shape[2:]
    angle = draw(math.radians(how.degrees))
    zoom = 1 + draw(how.zoom)
    move = torch.stack([draw(how.shift * 2), draw(how.shift * 2)], 1)
    mirror = torch.randint(0, 2, (n,), generator=generator).float() * -2 + 1
    quarter = torch.randint(0, 4, (n,), generator=generator)
    if not (how.flip or how.turn):
        mirror = torch.ones(n)
    if how.turn:
        # Right angles only fit a square; an oblong is turned upside down at most.
        quarter = quarter if rows == cols else quarter // 2 * 2
        angle = angle + quarter * (math.pi / 2)
    # In the grid's units (-1..1 each way) a rotation of an oblong is a shear besides.
    wide = cols / rows
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * mirror, -sin / wide
    theta[:, 1, 0], theta[:, 1, 1] = sin * wide * mirror, cos
    theta[:, :, 2] = move
    grid = functional.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    out = functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    if how.saturation and out.shape[1] == 3:
        grey = out.mean(1, keepdim=True)
        out = grey + (out - grey) * (1 + draw(how.saturation)).to(out)[:, None, None, None]
    if how.contrast or how.brightness:
        middle = out.mean((1, 2, 3), keepdim=True)
        spread = (1 + draw(how.contrast)).to(out)[:, None, None, None]
        out = middle + (out - middle) * spread + draw(how.brightness).to(out)[:, None, None, None]
    return out.clamp(0, 1)
