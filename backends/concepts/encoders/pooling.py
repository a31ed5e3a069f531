"""Averaging patches that belong together, as CLIP-DINOiser (arXiv 2312.12359) does.

A small convolution, taught once to imitate DINO, says which patches are alike: f of unit
length, A = fᵀf, below 0.2 nothing, z'_p = Σ_q A_pq z_q / (Σ_q A_pq + 1e-6). Only this
convolution is read from the published file (``obj_proj``); telling background (``bkg_decoder``)
is left out.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from backends.errors import BadInput

LEAST_ALIKE = 0.2
_NAME = "obj_proj"


class Pooling:
    """The averaging.

    Parameters
    ----------
    weight : tensor of shape (out, width, k, k)
    bias : tensor of shape (out,)
    digest : str
    """

    notes = (
        "Patches that are alike were averaged, a reconstruction after arXiv 2312.12359 without "
        "its background.",
    )

    def __init__(self, weight: Tensor, bias: Tensor, digest: str = "") -> None:
        self.weight, self.bias, self.digest = weight.float(), bias.float(), digest

    @classmethod
    def open(cls, path: Path) -> Pooling:
        """Read the convolution from a file in the published layout.

        Raises
        ------
        BadInput
            It holds none.
        """
        from backends.learning.architectures import read_tensors

        tensors = read_tensors(path)
        found = {
            part: value
            for name, value in tensors.items()
            for part in ("weight", "bias")
            if name.split(".")[-2:] == [_NAME, part]
        }
        weight, bias = found.get("weight"), found.get("bias")
        if weight is None or bias is None or weight.ndim != 4 or len(bias) != len(weight):
            raise BadInput(
                f"{path.name} holds no convolution that tells which patches are alike.",
                subject=path,
                way_out=f"Give CLIP-DINOiser's file, with {_NAME}.weight and {_NAME}.bias.",
            )
        with path.open("rb") as stream:
            return cls(weight, bias, hashlib.file_digest(stream, "sha256").hexdigest())

    def check(self, width: int, title: str) -> None:
        """Refuse a transformer of another width."""
        if int(self.weight.shape[1]) != width:
            raise BadInput(
                f"The pooling was made for a transformer of width {int(self.weight.shape[1])}, "
                f"{title} has {width}."
            )

    def __call__(self, seen: Tensor, patches: Tensor) -> Tensor:
        """Return averaged patches.

        Parameters
        ----------
        seen : tensor of shape (n, width, rows, cols)
            What tells which are alike.
        patches : tensor of shape (n, d, rows, cols)
        """
        weight, bias = self.weight.to(seen.device), self.bias.to(seen.device)
        half = weight.shape[-1] // 2
        padded = nn.functional.pad(seen.float(), (half,) * 4, mode="replicate")
        f = nn.functional.conv2d(padded, weight, bias).flatten(2)
        f = f / f.norm(dim=1, keepdim=True).clamp_min(1e-12)
        alike = f.transpose(1, 2) @ f
        alike = torch.where(alike < LEAST_ALIKE, alike.new_zeros(()), alike)
        flat = patches.flatten(2)
        made = flat @ alike.transpose(1, 2) / (alike.sum(2)[:, None] + 1e-6)
        return made.reshape(patches.shape)
