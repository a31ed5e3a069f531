"""The compact network for few classes, after arXiv 2601.11911: our reconstruction.

The paper's layers could not be read by us; what is here follows its description (a small
convolutional network, quick to train, for few classes) and not a listing. Any number of bands.
"""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (32, 64, 128, 256)
STEM = 32
DROPOUT = 0.3


class CompactCnn(nn.Module):
    """Stem, four stages of two 3 × 3 convolutions and a halving, mean, dropout, one layer.

    About 1.2 million parameters for three bands; the last map is 1/16 of the input's side.

    Parameters
    ----------
    classes : int
    bands : int
    """

    def __init__(self, classes: int, bands: int = 3) -> None:
        super().__init__()
        self.stem = _convolution(bands, STEM)
        before = STEM
        stages: list[nn.Module] = []
        for width in WIDTHS:
            stages.append(
                nn.Sequential(
                    _convolution(before, width), _convolution(width, width), nn.MaxPool2d(2)
                )
            )
            before = width
        self.stages = nn.Sequential(*stages)
        self.drop = nn.Dropout(DROPOUT)
        self.head = nn.Linear(before, classes)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the last map, shape (n, 256, rows / 16, cols / 16)."""
        found: Tensor = self.stages(self.stem(images))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (n, classes), of images (n, bands, rows, cols)."""
        logits: Tensor = self.head(self.drop(self.forward_features(images).mean((2, 3))))
        return logits


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )
