"""The combined algorithm: the classifier asks each tile, the segmenter draws where it may burn.

Unlike the paper, tiles overlap by 64 pixels and are blended, the gate is a probability and
soft by default, and nothing is measured where nothing was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.fire.checkpoints import FireNetworks
from backends.fire.fields import FireImage
from backends.jobs import Progress
from backends.scene import Window

if TYPE_CHECKING:
    from torch import Tensor

SIDE, OVERLAP, GATE = 256, 64, 0.2
# The paper compares the bare logit with 0.5: a probability of 0.62.
PAPER_GATE = 1 / (1 + np.exp(-0.5))


@dataclass(frozen=True, eq=False)
class TileAnswer:
    """What the networks say of one tile.

    Attributes
    ----------
    window : Window
        Part of the scene, as far as it lies inside.
    chance : float
        The classifier's probability of fire.
    probability : float32 array of the window's shape
        The segmenter's, 0 where the gate stayed shut.
    opened : bool
        Whether the segmenter was asked.
    """

    window: Window
    chance: float
    probability: NDArray[np.float32]
    opened: bool


@dataclass(frozen=True, eq=False)
class Combined:
    """What the networks say of a scene.

    Attributes
    ----------
    probability : float32 array of shape (rows, cols)
        Blended; ``nan`` where nothing was measured.
    tiles : tuple of TileAnswer
    """

    probability: NDArray[np.float32]
    tiles: tuple[TileAnswer, ...]


def tile_windows(rows: int, cols: int, overlap: int = OVERLAP) -> Iterator[Window]:
    """Yield 256-pixel tiles row by row that cover an image; the last ones end at its edge."""
    for row in _starts(rows, overlap):
        for col in _starts(cols, overlap):
            yield Window(row, col, SIDE, SIDE)


def _starts(length: int, overlap: int) -> list[int]:
    if length <= SIDE:
        return [0]
    step = SIDE - overlap
    found = list(range(0, length - SIDE, step))
    return [*found, length - SIDE]


def blend_weight(overlap: int = OVERLAP) -> NDArray[np.float32]:
    """Return how much a tile's pixels count: raised cosine over the overlap, shape (256, 256)."""
    ramp = np.ones(SIDE)
    if overlap:
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)
        ramp[:overlap], ramp[-overlap:] = rise, rise[::-1]
    return np.outer(ramp, ramp).astype(np.float32)


def ask_tile(
    networks: FireNetworks, planes: NDArray[np.float32], gate: float, device: str = "cpu"
) -> tuple[float, NDArray[np.float32] | None]:
    """Return the classifier's probability, and the segmenter's where the gate opens.

    Parameters
    ----------
    planes : float32 array of shape (channels, 256, 256)
    """
    import torch

    with torch.inference_mode():
        batch: Tensor = torch.from_numpy(planes[None]).to(device)
        chance = float(torch.sigmoid(networks.classifier(batch))[0])
        if chance < gate:
            return chance, None
        drawn = torch.sigmoid(networks.segmenter(batch))[0].cpu().numpy()
    return chance, drawn


def read_tile(
    image: FireImage, networks: FireNetworks, inside: Window, gate: float, device: str = "cpu"
) -> tuple[TileAnswer, NDArray[np.bool_]]:
    """Return what the networks say of a tile, and which of its pixels were measured.

    Parameters
    ----------
    inside : Window
        256 pixels a side or, at the scene's edge, less.
    """
    found, valid = image.unit_planes(inside, networks.channels)
    planes = np.zeros((len(networks.channels), SIDE, SIDE), np.float32)
    planes[:, : inside.height, : inside.width] = found
    chance, drawn = ask_tile(networks, planes, gate, device) if valid.any() else (0.0, None)
    part = np.zeros((inside.height, inside.width), np.float32)
    if drawn is not None:
        part = np.where(valid, drawn[: inside.height, : inside.width], 0).astype(np.float32)
    return TileAnswer(inside, chance, part, drawn is not None), valid


class Blend:
    """Tiles laid over each other: in the overlap each counts the less, the nearer its edge.

    Parameters
    ----------
    rows, cols : int
        Of the scene.
    """

    def __init__(self, rows: int, cols: int, overlap: int = OVERLAP) -> None:
        self._total = np.zeros((rows, cols), np.float32)
        self._weights = np.zeros((rows, cols), np.float32)
        self._whole = blend_weight(overlap)

    def add(self, tile: TileAnswer, *, counts: bool = True) -> None:
        """Lay a tile on; one that does not ``count`` says that nothing burns there."""
        at = tile.window
        weight = np.maximum(self._whole[: at.height, : at.width], 1e-4)
        if counts and tile.opened:
            self._total[at.slices] += tile.probability * weight
        self._weights[at.slices] += weight

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Where any tile lies, shape (rows, cols)."""
        return np.asarray(self._weights > 0)

    def probability(self) -> NDArray[np.float32]:
        """Return the probability so far, shape (rows, cols)."""
        return np.asarray(self._total / np.maximum(self._weights, 1e-6), np.float32)


def run_combined(
    image: FireImage,
    networks: FireNetworks,
    *,
    gate: float = GATE,
    overlap: int = OVERLAP,
    device: str = "cpu",
    on_tile: Callable[[TileAnswer, Callable[[], NDArray[np.float32]]], Any] | None = None,
    progress: Progress | None = None,
) -> Combined:
    """Run both networks over a scene.

    Parameters
    ----------
    gate : float
        Tiles below this probability are not segmented; 0 asks the segmenter everywhere.
    on_tile : callable, optional
        Told of each tile, with a function that makes the probability so far.

    Raises
    ------
    BadInput
        The scene lacks a channel of the networks.
    """
    rows, cols, _ = image.scene.shape
    blend = Blend(rows, cols, overlap)
    nothing = np.zeros((rows, cols), bool)
    answers = []
    networks.to(device)
    for window in tile_windows(rows, cols, overlap):
        if progress is not None:
            progress.check()
        answer, valid = read_tile(image, networks, window.clip(rows, cols), gate, device)
        blend.add(answer)
        nothing[answer.window.slices] |= ~valid
        answers.append(answer)
        if on_tile is not None:
            on_tile(answer, blend.probability)
        if progress is not None:
            progress.advance()
    probability = blend.probability()
    probability[nothing] = np.nan
    return Combined(probability, tuple(answers))
