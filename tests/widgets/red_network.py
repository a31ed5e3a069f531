"""A network that knows red from blue, as a file, and pictures that show it one or the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from backends.explain.small_networks import CifarLeNet

RED = 8


def weights_file(folder: Path, *, bright: bool = False) -> Path:
    """Write a small CNN whose answer is set by hand: class 8 where the picture is red.

    With ``bright``, where it is bright in any colour.
    """
    torch.manual_seed(0)
    network = CifarLeNet(10)
    with torch.no_grad():
        for part in (network.conv1, network.conv2, network.fc1, network.fc2, network.fc3):
            part.weight.mul_(0.02)
            part.bias.zero_()
        network.conv1.weight[0].zero_()
        network.conv1.weight[0, 0] = 0.1
        network.conv1.weight[0, 1:] = 0.1 if bright else -0.05
        network.conv2.weight[0].zero_()
        network.conv2.weight[0, 0] = 0.04
        network.fc1.weight[0].zero_()
        network.fc1.weight[0, :25] = 0.1
        network.fc2.weight[0, 0] = 1.0
        network.fc3.weight[RED, 0] = 0.4
    path = folder / "red.pt"
    torch.save(network.state_dict(), path)
    return path


def picture_file(
    folder: Path, name: str = "picture.png", channel: int = 0, *, faint: bool = False
) -> Path:
    """Write a grey picture with a coloured square at row and column 8 to 20 of 32."""
    rng = np.random.default_rng(3)
    image = rng.normal(110, 2, (32, 32, 3)).round().clip(0, 255).astype(np.uint8)
    image[8:20, 8:20] = 20
    image[8:20, 8:20, channel] = 140 if faint else 240
    path = folder / name
    Image.fromarray(image).save(path)
    return path


def volume_file(folder: Path, slices: int = 4) -> Path:
    """Write a NIfTI volume with a bright square that wanders down from slice to slice."""
    import nibabel as nib

    values = np.full((32, 32, slices), 30, np.int16)
    for number in range(slices):
        values[8:20, 2 + 5 * number : 12 + 5 * number, number] = 240
    path = folder / "volume.nii.gz"
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), path)
    return path
