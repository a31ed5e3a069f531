"""Which bands the networks lean on in the scene at hand: each is hidden in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import SIDE, ask_tile, tile_windows
from backends.fire.fields import FireImage
from backends.fire.measures import PixelCounts, count_pixels, pooled
from backends.fire.published import published_table
from backends.fire.sensors import AMS_12
from backends.jobs import Progress
from backends.scene import Window


@dataclass(frozen=True)
class BandImportance:
    """What is lost without a channel.

    Attributes
    ----------
    channel : int
        AMS channel, from 1.
    title : str
    mean_change : float
        Change of the mean fire probability when its values are shuffled among the pixels.
    iou_change : float or None
        Change of fire IoU, where the truth is known.
    published_alone : float or None
        Fire IoU of the paper's networks that saw this channel only, derived from its table.
    """

    channel: int
    title: str
    mean_change: float
    iou_change: float | None
    published_alone: float | None


def band_importance(
    image: FireImage,
    networks: FireNetworks,
    *,
    truth: NDArray[Any] | None = None,
    threshold: float = 0.5,
    most_tiles: int = 16,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[BandImportance]:
    """Shuffle each channel among the pixels of a tile and see what changes.

    Shuffling keeps the channel's values and takes away where they are. The segmenter is asked
    on every tile, whatever the gate says.

    Parameters
    ----------
    truth : bool array of shape (rows, cols), optional
    most_tiles : int
        Evenly chosen where there are more.
    """
    progress = progress or Progress()
    rows, cols, _ = image.scene.shape
    windows = list(tile_windows(rows, cols, 0))
    step = -(-len(windows) // most_tiles)
    windows = windows[::step]
    channels = networks.channels
    progress.start(len(windows) * (len(channels) + 1), "tiles", "Hiding bands in turn")
    sums = np.zeros(len(channels) + 1)
    counts: list[list[PixelCounts]] = [[] for _ in range(len(channels) + 1)]
    rng = np.random.default_rng(seed)
    for window in windows:
        planes, valid, inside = _tile(image, window, channels)
        for hidden in range(-1, len(channels)):
            progress.check()
            shown = planes.copy()
            if hidden >= 0:
                part = shown[hidden][valid]
                shown[hidden][valid] = rng.permutation(part)
            _, drawn = ask_tile(networks, shown, 0.0)
            assert drawn is not None
            sums[hidden + 1] += float(drawn[valid].mean()) / len(windows) if valid.any() else 0.0
            if truth is not None:
                wanted = np.zeros((SIDE, SIDE), bool)
                wanted[: inside.height, : inside.width] = truth[inside.slices]
                counts[hidden + 1].append(count_pixels(drawn >= threshold, wanted, valid))
            progress.advance()
    alone = {r["channels"][0]: r["fire_iou"] for r in published_table() if len(r["channels"]) == 1}
    whole = pooled(counts[0]).fire_iou
    return [
        BandImportance(
            number,
            AMS_12.channel(number).role,
            float(sums[i + 1] - sums[0]),
            None if truth is None else float(pooled(counts[i + 1]).fire_iou - whole),
            alone.get(number),
        )
        for i, number in enumerate(channels)
    ]


def _tile(
    image: FireImage, window: Window, channels: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Window]:
    rows, cols, _ = image.scene.shape
    inside = window.clip(rows, cols)
    planes = np.zeros((len(channels), SIDE, SIDE), np.float32)
    valid = np.zeros((SIDE, SIDE), bool)
    found, good = image.unit_planes(inside, tuple(channels))
    planes[:, : inside.height, : inside.width] = found
    valid[: inside.height, : inside.width] = good
    return planes, valid, inside
