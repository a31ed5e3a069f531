"""Networks whose answer is known to come from one square of the image."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from backends.explain.classifier import Card, ImageClassifier, InputSpec, Prepared

SIDE, LOW, HIGH = 64, 20, 44
SPEC = InputSpec((SIDE, SIDE), 3, (0.5,) * 3, (0.5,) * 3)


class PlantedNet(nn.Module):
    """Counts red (class 1) and blue (class 2) pixels: features, mean over the image, linear.

    Logits are the class maps' mean: class activation maps are known exactly.
    """

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.detect = nn.Conv2d(3, channels, 1)
        self.active = nn.ReLU(inplace=True)
        self.pool = nn.AvgPool2d(4)
        self.head = nn.Linear(channels, 3)
        with torch.no_grad():
            self.detect.weight.zero_()
            self.detect.bias.fill_(-0.2)
            self.detect.weight[0, :, 0, 0] = torch.tensor([1.0, -0.5, -0.5])
            self.detect.weight[1, :, 0, 0] = torch.tensor([-0.5, -0.5, 1.0])
            self.head.weight.zero_()
            self.head.weight[1, 0] = self.head.weight[2, 1] = 40.0
            self.head.weight[2, 0] = -10.0
            self.head.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.active(self.detect(x))).mean((2, 3)))


def planted(card: Card | None = None) -> ImageClassifier:
    torch.manual_seed(0)
    card = card or Card("planted", "Planted network", trained_on="set by hand")
    return ImageClassifier(PlantedNet().train(), ("nothing", "red", "blue"), SPEC, card)


def picture(channel: int = 0, low: int = LOW, high: int = HIGH, side: int = SIDE) -> np.ndarray:
    rng = np.random.default_rng(3)
    image = rng.normal(128, 2, (side, side, 3)).round().clip(0, 255).astype(np.uint8)
    image[low:high, low:high] = 40
    image[low:high, low:high, channel] = 220
    return image


def mask(low: int = LOW, high: int = HIGH, side: int = SIDE) -> np.ndarray:
    out = np.zeros((side, side), bool)
    out[low:high, low:high] = True
    return out


def iou(values: np.ndarray, truth: np.ndarray) -> float:
    """Of what lies above half of the map's highest value."""
    hot = values > 0.5 * np.nanmax(values)
    return float((hot & truth).sum() / (hot | truth).sum())


def tiny_vit(registers: int = 0, *, steps: int = 100, **how: object) -> ImageClassifier:
    """Train a small transformer to tell whether a square is red or blue, wherever it is."""
    import timm

    torch.manual_seed(0)
    network = timm.models.vision_transformer.VisionTransformer(
        img_size=32, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=3,
        reg_tokens=registers, dynamic_img_size=True, **how,
    )  # fmt: skip
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    dice = torch.Generator().manual_seed(1)
    network.train()
    for _ in range(steps):
        x = 0.05 * torch.randn((16, 3, 32, 32), generator=dice)
        y = torch.randint(0, 3, (16,), generator=dice)
        at = torch.randint(0, 7, (16, 2), generator=dice) * 4
        for image, kind, (r, c) in zip(x, y.tolist(), at.tolist(), strict=True):
            if kind:
                image[:, r : r + 8, c : c + 8] = -0.7
                image[2 * (kind - 1), r : r + 8, c : c + 8] = 0.8
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()
    spec = InputSpec((32, 32), 3, (0.5,) * 3, (0.5,) * 3, multiple=4)
    card = Card("tiny_vit", "Tiny transformer", trained_on="squares")
    return ImageClassifier(network, ("nothing", "red", "blue"), spec, card)


def explained(classifier: ImageClassifier, how: str, prepared: Prepared, **settings: object):
    from backends.explain.explainers import explain

    target = classifier.target(prepared)
    return explain(classifier, prepared, target, how, settings)
