"""From a trained network to a map of the whole scene: tiles that overlap and are blended.

A scene that fits is one tile. Inside a tile all pixels pass the network together,
as in training; where tiles overlap, probabilities and matrices are averaged with
weights that fall towards the tile's edge, so that no seam shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from backends import devices
from backends.hyperspectral.es_mhc import EsMhc
from backends.hyperspectral.features import read_window
from backends.hyperspectral.normalise import BandStretch
from backends.hyperspectral.training import network_arguments
from backends.jobs import Progress
from backends.overlays import MatrixEntry
from backends.scene import Scene, Window

TILE_PIXELS = 65_536
OVERLAP = 12
# Matrices beyond this are kept for the last layer only.
MATRIX_BYTES = 512 << 20


@dataclass(frozen=True, eq=False)
class NetworkMap:
    """What a network says of a scene.

    Attributes
    ----------
    classes : int64 array of shape (rows, cols)
        Class numbers from 0; -1 where nothing was measured.
    confidence : float32 array of shape (rows, cols)
        Probability of that class (softmax, not calibrated).
    entries : tuple of MatrixEntry
    notes : tuple of str
    """

    classes: NDArray[np.int64]
    confidence: NDArray[np.float32]
    entries: tuple[MatrixEntry, ...]
    notes: tuple[str, ...] = ()


def predict_scene(
    network: EsMhc,
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    *,
    device: str = "cpu",
    tile_pixels: int = TILE_PIXELS,
    progress: Progress | None = None,
) -> NetworkMap:
    """Map a scene of any size; out of memory halves the tile and begins again.

    Parameters
    ----------
    bands : int64 array
        Bands of this scene that play the part of ``stretch.bands``.
    """
    progress = progress or Progress()
    network.to(device).eval()

    def run(tile: int) -> NetworkMap:
        with torch.no_grad():
            return _predict(network, scene, stretch, bands, device, tile, progress)

    return devices.with_smaller_tiles(run, tile_pixels, smallest=1024)


def tiles(rows: int, cols: int, pixels: int, overlap: int = OVERLAP) -> Iterator[Window]:
    """Yield overlapping windows of at most about ``pixels`` pixels that cover an image."""
    if rows * cols <= pixels:
        yield Window(0, 0, rows, cols)
        return
    side = max(2 * overlap + 8, int(pixels**0.5))
    for row in _starts(rows, side, overlap):
        for col in _starts(cols, side, overlap):
            yield Window(row, col, min(side, rows - row), min(side, cols - col))


def blend_weights(
    height: int, width: int, window: Window, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return weights that fall towards those edges of a tile that lie inside the image."""
    down = _ramp(height, window.row > 0, window.row + height < shape[0])
    across = _ramp(width, window.col > 0, window.col + width < shape[1])
    return np.asarray(down[:, None] * across[None, :], dtype=np.float32)


def _predict(
    network: EsMhc,
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    device: str,
    tile: int,
    progress: Progress,
) -> NetworkMap:
    rows, cols, _ = scene.shape
    windows = list(tiles(rows, cols, tile))
    progress.start(len(windows), "tiles", "Mapping the scene")
    n, sites = len(network.group_index), 2 * len(network.layers)
    per_site = rows * cols * n * n * 2
    first = 0 if per_site * sites <= MATRIX_BYTES else sites - 2
    notes = []
    if first:
        notes.append("The scene is large: matrices are kept for the last layer only.")
    classes = int(network.head_out.out_features)
    total = np.zeros((rows, cols, classes), np.float32)
    weight = np.zeros((rows, cols, 1), np.float32)
    matrices = [np.zeros((rows, cols, n, n), np.float16) for _ in range(sites - first)]
    kinds: list[tuple[int, str, NDArray[np.float32]]] = []
    empty = np.zeros((rows, cols), bool)
    for window in windows:
        progress.check()
        found = read_window(scene, stretch, bands, window, network.settings.context)
        arguments = network_arguments(network, found, device)
        logits, records = network(**arguments, return_hyper=True)
        share = blend_weights(window.height, window.width, window, (rows, cols))
        size = (window.height, window.width)
        probability = torch.softmax(logits.float(), dim=1).cpu().numpy().reshape(*size, classes)
        at = window.slices
        total[at] += probability * share[:, :, None]
        weight[at] += share[:, :, None]
        part = (share / weight[at][:, :, 0])[:, :, None, None]
        kinds = []
        for record, kept in zip(records[first:], matrices, strict=True):
            static = record.static.float().cpu().numpy()
            kinds.append((record.layer, record.site, static))
            deviation = record.mixing.mix.float().cpu().numpy().reshape(*size, n, n) - static
            # A running weighted mean: exact, and no second array is needed.
            kept[at] = (kept[at] * (1 - part) + deviation * part).astype(np.float16)
        empty[at] |= ~found.valid.reshape(size)
        progress.advance()
    total /= weight
    best = total.argmax(axis=2).astype(np.int64)
    best[empty] = -1
    entries = tuple(
        MatrixEntry(layer, site, static, kept)
        for (layer, site, static), kept in zip(kinds, matrices, strict=True)
    )
    return NetworkMap(best, total.max(axis=2), entries, tuple(notes))


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [round(start) for start in np.linspace(0, length - side, count)]


def _ramp(length: int, before: bool, after: bool) -> NDArray[np.float64]:
    ramp = np.ones(length)
    rise = (np.arange(OVERLAP) + 1) / (OVERLAP + 1)
    if before:
        ramp[:OVERLAP] *= rise[: min(OVERLAP, length)]
    if after:
        ramp[-OVERLAP:] *= rise[::-1][-min(OVERLAP, length) :]
    return ramp
