"""Positions of a transformer at another size, without touching the network's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backends.errors import BadInput


def resized_positions(table: Tensor, leading: int, grid: tuple[int, int]) -> Tensor:
    """Return a transformer's table of positions for another grid, as a new tensor.

    Parameters
    ----------
    table : tensor of shape (leading + n * n, d)
        It is not touched: others may be running with it.
    """
    first, rest = table[:leading], table[leading:]
    side = round(len(rest) ** 0.5)
    if side * side != len(rest):
        raise BadInput("The positions of this transformer are those of no square.")
    if grid == (side, side):
        return table.clone()
    plane = rest.t().reshape(1, -1, side, side)
    plane = nn.functional.interpolate(plane, grid, mode="bicubic", align_corners=False)
    return torch.cat([first, plane[0].flatten(1).t()])
