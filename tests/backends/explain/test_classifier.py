"""Images to a network's input and back, targets, modes and threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from backends.errors import BadInput, WrongUse
from backends.explain.classifier import Card, ImageClassifier, InputSpec, Target

PLAIN = InputSpec(size=(32, 32), mean=(0.0,) * 3, std=(1.0,) * 3)


class Mean(nn.Module):
    """Class k is the mean of band k."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class Pixels(nn.Module):
    """Class k is band k, pixel by pixel."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"out": x}


def classifier(network: nn.Module, spec: InputSpec = PLAIN, **options: bool) -> ImageClassifier:
    return ImageClassifier(network, ("red", "green", "blue"), spec, Card("t", "Test"), **options)


def ramp(rows: int, cols: int) -> np.ndarray:
    r, c = np.mgrid[:rows, :cols]
    return np.stack([r * 2, c * 2, 0 * r], -1).astype(np.uint8)


@pytest.mark.parametrize("fit", ["whole", "crop", "pad", "stretch", "native"])
@pytest.mark.parametrize("shape", [(32, 32), (90, 50), (41, 117), (20, 24)])
def test_a_map_comes_back_to_where_its_pixels_came_from(fit: str, shape: tuple[int, int]) -> None:
    spec = InputSpec((32, 40), 3, (0.0,) * 3, (1 / 255,) * 3, crop=0.875)
    image = ramp(*shape)
    prepared = classifier(Mean(), spec).prepare(image, fit=fit)
    for band in (0, 1):
        back = prepared.geometry.to_image(prepared.tensor[0, band].numpy())
        assert back.shape == shape
        seen = np.isfinite(back)
        assert seen.all() or fit == "crop"
        assert seen.any()
        inner = seen[3:-3, 3:-3]
        # Away from edges scaling keeps a ramp; what is left is the filters' own error.
        error = np.abs(back - image[..., band])[3:-3, 3:-3][inner]
        assert error.max() < 2.5


def test_sizes_follow_the_image_unless_the_network_takes_one_only() -> None:
    image = ramp(60, 120)
    free = InputSpec((32, 32), multiple=8)
    assert classifier(Mean(), free).prepare(image).tensor.shape[-2:] == (32, 64)
    fixed = classifier(Mean(), InputSpec((32, 32), fixed=True))
    prepared = fixed.prepare(image)
    assert prepared.tensor.shape[-2:] == (32, 32)
    assert prepared.geometry.inside.height == 16
    assert float(prepared.tensor[..., :8, :].abs().max()) == 0  # the margin is the mean
    with pytest.raises(WrongUse, match="32 × 32 pixels only"):
        fixed.prepare(image, size=(64, 64))


def test_a_mask_goes_in_and_comes_back() -> None:
    mask = np.zeros((60, 120), bool)
    mask[10:30, 40:90] = True
    geometry = classifier(Mean()).prepare(ramp(60, 120)).geometry
    grid = geometry.to_grid(mask, (16, 32))
    back = geometry.to_image(grid, smooth=False) > 0.5
    assert (back & mask).sum() / (back | mask).sum() > 0.8
    assert geometry.grid_cell((0, 0), (16, 32)) == (0, 0)
    assert geometry.grid_cell((59, 119), (16, 32)) == (15, 31)


def test_bands_and_values_that_do_not_fit_are_said_in_words() -> None:
    made = classifier(Mean())
    with pytest.raises(BadInput, match="reads 3 bands, the image has 5"):
        made.prepare(np.zeros((8, 8, 5), np.uint8))
    with pytest.raises(BadInput, match="run from 0 to 4000"):
        made.prepare(np.full((8, 8, 3), 4000, np.uint16) * np.eye(8, dtype=np.uint16)[:, :, None])
    grey = made.prepare(np.zeros((8, 8), np.uint8))
    assert "three times" in grey.notes[0]
    hole = np.zeros((8, 8, 3), np.float32)
    hole[0, 0] = np.nan
    assert torch.isfinite(made.prepare(hole).tensor).all()


def test_targets_by_number_name_region_and_pixel() -> None:
    made = classifier(Mean())
    prepared = made.prepare(ramp(40, 60))
    assert made.target(prepared).name == "green"
    assert made.target(prepared, "Blue").index == 2
    with pytest.raises(WrongUse, match="no class 7"):
        made.target(prepared, 7)
    with pytest.raises(WrongUse, match="Did you mean green"):
        made.target(prepared, "gree")
    with pytest.raises(WrongUse, match="whole images"):
        made.target(prepared, pixel=(0, 0))
    pixels = classifier(Pixels(), InputSpec(None, 3, (0.0,) * 3, (1.0,) * 3), pixelwise=True)
    prepared = pixels.prepare(ramp(40, 60))
    found = pixels.target(prepared, "green", pixel=(3, 50))
    assert found.mask is not None
    assert found.mask.sum() == 1
    assert float(pixels.score(found)(prepared.tensor)) == pytest.approx(100 / 255)
    region = np.zeros((40, 60), bool)
    region[:10] = True
    inside = pixels.target(prepared, region=region)
    assert inside.name == "green in the region"
    assert pixels.score(inside, probability=True)(prepared.tensor).shape == (1,)


def test_a_single_logit_stands_for_two_classes() -> None:
    class One(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((1, 2, 3))[:, None] + 0.7

    made = ImageClassifier(One(), ("no", "yes"), PLAIN, Card("o", "One"))
    found = made.probabilities(torch.zeros(1, 3, 8, 8))[0]
    assert float(found[1]) == pytest.approx(torch.sigmoid(torch.tensor(0.7)).item())


def test_every_part_gets_its_own_mode_back_even_after_an_error() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), Mean())
    network.train()
    network[0].eval()
    made = classifier(network)
    before = [part.training for part in network.modules()]
    made.logits(torch.zeros(2, 3, 8, 8))
    with pytest.raises(RuntimeError):
        made.logits(torch.zeros(2, 9, 8, 8))
    assert [part.training for part in network.modules()] == before


def test_two_wrappers_of_one_network_share_its_lock() -> None:
    network = Mean()
    assert classifier(network).lock is classifier(network).lock
    assert Target(1).of(torch.eye(3)).tolist() == [0, 1, 0]
