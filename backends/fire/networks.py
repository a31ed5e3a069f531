"""The two networks of the AMS paper, in PyTorch: is there fire in a tile, and where.

Source: arXiv 2601.14475 and its repository. Classifier 926 parameters, segmenter 469,505, at
12 bands. Both take (batch, bands, rows, cols) in 0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 256


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's "same": the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ceil(side / stride) pixels a side."""
        pads: list[int] = []
        for side, kernel, stride in zip(
            (x.shape[-1], x.shape[-2]),
            (self.kernel_size[1], self.kernel_size[0]),
            (self.stride[1], self.stride[0]),
            strict=True,
        ):
            whole = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            pads += [whole // 2, whole - whole // 2]
        return self._conv_forward(functional.pad(x, pads), self.weight, self.bias)


class FireClassifier(nn.Module):
    """ "Simple encoder 16": one logit a tile.

    Parameters
    ----------
    bands : int
    """

    def __init__(self, bands: int = 12) -> None:
        super().__init__()
        widths, kernels = (bands, 1, 2, 4), (7, 7, 5)
        self.convolutions = nn.ModuleList(
            SameConv(widths[i], widths[i + 1], kernels[i], 2) for i in range(3)
        )
        # Keras's defaults: it forgets slower and divides by a little more than torch's.
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, eps=1e-3, momentum=0.01) for w in widths[1:])
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (batch,)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = functional.max_pool2d(norm(functional.relu(convolution(x))), 2)
        return self.head(x.amax(dim=(2, 3))).squeeze(1)


class _Block(nn.Module):
    """Two 3 × 3 convolutions, each with ReLU."""

    def __init__(self, bands: int, width: int) -> None:
        super().__init__()
        self.first = SameConv(bands, width, 3)
        self.second = SameConv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))))


class FireSegmenter(nn.Module):
    """Trimmed U-Net: one logit a pixel. Skips leave before the normalisation.

    Parameters
    ----------
    bands : int
    """

    def __init__(self, bands: int = 12) -> None:
        super().__init__()
        self.down = nn.ModuleList([_Block(bands, 32), _Block(32, 64)])
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, eps=1e-3, momentum=0.01) for w in (32, 64))
        self.bottom = _Block(64, 128)
        self.rise = nn.ModuleList(
            [nn.ConvTranspose2d(128, 64, 2, 2), nn.ConvTranspose2d(64, 32, 2, 2)]
        )
        self.up = nn.ModuleList([_Block(128, 64), _Block(64, 32)])
        self.head = nn.Conv2d(32, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (batch, rows, cols); rows and cols are multiples of 4."""
        skips = []
        for block, norm in zip(self.down, self.norms, strict=True):
            x = block(x)
            skips.append(x)
            x = functional.max_pool2d(norm(x), 2)
        x = self.bottom(x)
        for rise, block in zip(self.rise, self.up, strict=True):
            x = block(torch.cat([skips.pop(), rise(x)], dim=1))
        return self.head(x).squeeze(1)


def parameters(network: nn.Module) -> int:
    """Return how many numbers a network has as Keras counts, running means included."""
    counted = sum(int(p.numel()) for p in network.parameters())
    return counted + sum(
        int(b.numel())
        for name, b in network.named_buffers()
        if not name.endswith("batches_tracked")
    )
