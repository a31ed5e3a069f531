"""Class activation maps from one captured tensor: activations, gradients, and a weight.

All functions take activations A and gradients G of the explained number, both of shape
(n, channels, rows, cols), and return raw signed maps of shape (n, rows, cols): no ReLU, no
scaling to 0..1. What is negative speaks against the target.
"""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-12


def grad_cam(a: Tensor, g: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, eq. 1 and 2, without the final ReLU)."""
    return (g.mean((2, 3), keepdim=True) * a).sum(1)


def grad_cam_plus_plus(a: Tensor, g: Tensor) -> Tensor:
    """Grad-CAM++ (Chattopadhay et al. 2018, eq. 19; the score taken through exp)."""
    second, third = g**2, g**3
    below = 2 * second + a.sum((2, 3), keepdim=True) * third
    # Where the gradient is nought so is the share, whatever the quotient says.
    share = torch.where(g == 0, torch.zeros_like(g), second / _away_from_zero(below))
    weight = (share * g.clamp(min=0)).sum((2, 3), keepdim=True)
    return (weight * a).sum(1)


def hires_cam(a: Tensor, g: Tensor) -> Tensor:
    """HiResCAM (Draelos and Carin 2020): each place with its own gradient."""
    return (g * a).sum(1)


def layer_cam(a: Tensor, g: Tensor) -> Tensor:
    """LayerCAM (Jiang et al. 2021, eq. 5 and 6): positive gradients only."""
    return (g.clamp(min=0) * a).sum(1)


def xgrad_cam(a: Tensor, g: Tensor) -> Tensor:
    """XGrad-CAM (Fu et al. 2020, eq. 8): gradients weighted by the share of activation."""
    total = a.sum((2, 3), keepdim=True)
    weight = (g * a).sum((2, 3), keepdim=True) / _away_from_zero(total)
    return (weight * a).sum(1)


def eigen_cam(a: Tensor, g: Tensor | None = None) -> Tensor:
    """Eigen-CAM (Muhammad and Yeasin 2020): first principal component of the activations.

    It knows no class. The sign, which the decomposition leaves open, is the one with which
    the map grows with the total activation.
    """
    n, _, rows, cols = a.shape
    flat = a.flatten(2).transpose(1, 2)  # (n, cells, channels)
    centred = flat - flat.mean(1, keepdim=True)
    _, _, components = torch.linalg.svd(centred, full_matrices=False)
    found = (centred @ components[:, :1].transpose(1, 2))[..., 0]
    strength = flat.abs().sum(2)
    together = ((strength - strength.mean(1, keepdim=True)) * found).sum(1, keepdim=True)
    return (found * torch.where(together < 0, -1.0, 1.0)).reshape(n, rows, cols)


def _away_from_zero(values: Tensor) -> Tensor:
    small = values.abs() < _TINY
    return torch.where(small, torch.full_like(values, _TINY), values)


GRADIENT_CAMS = {
    "grad_cam": grad_cam,
    "grad_cam_pp": grad_cam_plus_plus,
    "hires_cam": hires_cam,
    "layer_cam": layer_cam,
    "xgrad_cam": xgrad_cam,
}
