"""Small networks whose published weights are common and that no library builds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class CifarResNet(nn.Module):
    """Residual network for 32 × 32 images, 6n + 2 layers (He et al. 2016, section 4.2).

    Shortcuts without weights: every second pixel, new channels filled with noughts
    (their option A).
    """

    def __init__(self, blocks: int, classes: int = 10, bands: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(bands, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = (16, 16, 32, 64)
        for stage in (1, 2, 3):
            before, width = widths[stage - 1], widths[stage]
            parts = [_Block(before if k == 0 else width, width) for k in range(blocks)]
            self.add_module(f"layer{stage}", nn.Sequential(*parts))
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (n, classes)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class _Block(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.step = 1 if before == width else 2
        self.more = width - before
        self.conv1 = nn.Conv2d(before, width, 3, self.step, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.step > 1:
            x = x[:, :, ::2, ::2]
            x = functional.pad(x, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return functional.relu(inner + x)


class CifarLeNet(nn.Module):
    """The small network of the PyTorch tutorial: two convolutions, three linear layers."""

    def __init__(self, classes: int = 10, bands: int = 3) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(bands, 6, 5), nn.Conv2d(6, 16, 5)
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(16 * 5 * 5, 120), nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (n, classes)."""
        x = self.pool1(functional.relu(self.conv1(x)))
        x = self.pool2(functional.relu(self.conv2(x)))
        x = functional.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(functional.relu(self.fc2(x)))


SMALL: dict[str, Callable[[int], nn.Module]] = {
    "cifar_resnet20": lambda classes: CifarResNet(3, classes),
    "cifar_resnet56": lambda classes: CifarResNet(9, classes),
    "cifar_lenet": CifarLeNet,
}
