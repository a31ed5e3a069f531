"""From a trained network to a map of the whole scene: tiles that overlap and are blended.

A scene that fits is one tile. Inside a tile all pixels pass the network together,
as in training; where tiles overlap, probabilities are averaged with weights that
fall towards the tile's edge, so that no seam shows. Memory follows one row of tiles,
not the scene: rows that no later tile touches are finished and let go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backends import devices
from backends.hyperspectral.batches import network_arguments
from backends.hyperspectral.calibration import probability_and_margin
from backends.hyperspectral.features import PixelFeatures, read_window
from backends.hyperspectral.networks import PixelNetwork
from backends.hyperspectral.normalise import BandStretch
from backends.hyperspectral.records import Collector, collector_of
from backends.jobs import Progress
from backends.scene import Scene, Window

TILE_PIXELS = 65_536
OVERLAP = 12


@dataclass(frozen=True, eq=False)
class NetworkMap:
    """What a network says of a scene.

    Attributes
    ----------
    classes : int16 array of shape (rows, cols)
        Class numbers from 0; -1 where nothing was measured.
    confidence : float32 array of shape (rows, cols)
        Probability of that class, at the temperature asked for; nan where nothing was measured.
    margin : float32 array of shape (rows, cols)
        By how much it leads before the next best class.
    raw : float32 array of shape (rows, cols)
        Its probability at temperature 1, by which tiles are blended and classes decided.
    inside : Collector
        What the parts of the network did, over the scene.
    """

    classes: NDArray[np.int16]
    confidence: NDArray[np.float32]
    margin: NDArray[np.float32]
    raw: NDArray[np.float32]
    inside: Collector


def predict_scene(
    network: PixelNetwork,
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    *,
    device: str = "cpu",
    tile_pixels: int = TILE_PIXELS,
    temperature: float = 1.0,
    progress: Progress | None = None,
) -> NetworkMap:
    """Map a scene of any size; out of memory halves the tile and begins again.

    Parameters
    ----------
    bands : int64 array
        Bands of this scene that play the part of ``stretch.bands``.
    temperature : float
        Of the probabilities, see `calibration`; it changes no class.
    """
    progress = progress or Progress()
    network.to(device).eval()

    def run(tile: int) -> NetworkMap:
        with torch.no_grad():
            return _predict(network, scene, stretch, bands, device, tile, temperature, progress)

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
    network: PixelNetwork,
    scene: Scene,
    stretch: BandStretch,
    bands: NDArray[np.int64],
    device: str,
    tile: int,
    temperature: float,
    progress: Progress,
) -> NetworkMap:
    rows, cols, _ = scene.shape
    windows = list(tiles(rows, cols, tile))
    progress.start(len(windows), "tiles", "Mapping the scene")
    blend = _Blend((rows, cols), network.class_count, calibrated=temperature != 1)
    inside = collector_of(network, (rows, cols))
    for window in windows:
        progress.check()
        found = read_window(scene, stretch, bands, window, network.context, network.patch)
        logits, records = _read(network, found, window, device, progress)
        share = blend_weights(window.height, window.width, window, (rows, cols))
        probability = torch.softmax(logits.float(), dim=1).cpu().numpy()
        fair = None
        if temperature != 1:
            fair = torch.softmax(logits.float() / temperature, dim=1).cpu().numpy()
        blend.add(window, probability, fair, share, found.valid)
        inside.add(window, records, share)
        progress.advance()
    blend.finish(rows)
    return NetworkMap(blend.classes, blend.confidence, blend.margin, blend.raw, inside)


def _read(
    network: PixelNetwork, found: PixelFeatures, window: Window, device: str, progress: Progress
) -> tuple[torch.Tensor, list[Any]]:
    """Return the logits of the pixels of a tile in row order, and the records."""
    if network.whole_image:
        image = torch.from_numpy(found.spectra).to(device).unflatten(0, (window.height, -1))
        arguments = {"spectra": image.flatten(0, 1), "image": image}
    elif network.dense and found.patches is not None:
        return _read_rows(network, found, window, device, progress), []
    elif network.company:
        arguments = network_arguments(network, found, device)
    else:
        return _read_batches(network, found, device, progress), []
    logits, records = network(**arguments, record=True, poll=progress.check)
    return logits, records


def _read_batches(
    network: PixelNetwork, found: PixelFeatures, device: str, progress: Progress
) -> torch.Tensor:
    """Return the logits of pixels that stand each for itself."""
    parts = []
    for low in range(0, len(found), network.batch):
        progress.check()
        some = found.take(np.arange(low, min(low + network.batch, len(found))))
        parts.append(network(**network_arguments(network, some, device), poll=progress.check)[0])
    return torch.cat(parts)


def _read_rows(
    network: PixelNetwork, found: PixelFeatures, window: Window, device: str, progress: Progress
) -> torch.Tensor:
    """Return the logits of a tile, a few rows of it with their margin at a time."""
    assert found.patches is not None
    wide = found.patches.image()
    rows = max(1, network.batch // window.width)
    parts = []
    for low in range(0, window.height, rows):
        progress.check()
        high = min(low + rows, window.height)
        image = torch.from_numpy(wide[low : high + network.patch - 1]).to(device)
        inner = found.spectra[low * window.width : high * window.width]
        spectra = torch.from_numpy(inner).to(device)
        parts.append(network(spectra, image=image, poll=progress.check)[0])
    return torch.cat(parts)


class _Blend:
    """Weighted sums of the tiles' probabilities, for the rows that are still open.

    Classes are decided by the probabilities as the network gives them, so that calibration
    moves no border; the calibrated ones are summed beside.
    """

    def __init__(self, shape: tuple[int, int], classes: int, *, calibrated: bool = False) -> None:
        self.classes = np.full(shape, -1, np.int16)
        self.confidence, self.margin, self.raw = (
            np.full(shape, np.nan, np.float32) for _ in range(3)
        )
        self._top = 0
        self._total = np.zeros((0, shape[1], classes), np.float32)
        self._fair = self._total if calibrated else None
        self._weight = np.zeros((0, shape[1]), np.float32)
        self._valid = np.zeros((0, shape[1]), bool)

    def add(
        self,
        window: Window,
        probability: NDArray[np.float32],
        fair: NDArray[np.float32] | None,
        share: NDArray[np.float32],
        valid: NDArray[np.bool_],
    ) -> None:
        """Add a tile; tiles come row by row, so what lies above it is finished."""
        self.finish(window.row)
        missing = window.row + window.height - self._top - len(self._total)
        if missing > 0:
            self._total, self._weight, self._valid = (
                _longer(a, missing) for a in (self._total, self._weight, self._valid)
            )
            self._fair = None if self._fair is None else _longer(self._fair, missing)
        at = Window(window.row - self._top, window.col, window.height, window.width).slices
        self._total[at] += probability.reshape(*share.shape, -1) * share[:, :, None]
        if self._fair is not None and fair is not None:
            self._fair[at] += fair.reshape(*share.shape, -1) * share[:, :, None]
        self._weight[at] += share
        self._valid[at] |= valid.reshape(share.shape)

    def finish(self, row: int) -> None:
        """Decide the rows above ``row`` and let go of their sums."""
        count = row - self._top
        if count <= 0:
            return
        weight, valid = self._weight[:count, :, None], self._valid[:count]
        mean = self._total[:count] / weight
        done = slice(self._top, row)
        given = mean.argmax(axis=2)
        fair = mean if self._fair is None else self._fair[:count] / weight
        sure, lead = probability_and_margin(fair.reshape(-1, fair.shape[2]), given.ravel())
        self.classes[done] = np.where(valid, given, -1)
        self.raw[done] = np.where(valid, mean.max(axis=2), np.nan)
        self.confidence[done] = np.where(valid, sure.reshape(valid.shape), np.nan)
        self.margin[done] = np.where(valid, lead.reshape(valid.shape), np.nan)
        self._total, self._weight = self._total[count:], self._weight[count:]
        self._fair = None if self._fair is None else self._fair[count:]
        self._valid, self._top = self._valid[count:], row


def _longer(values: NDArray[Any], rows: int) -> NDArray[Any]:
    return np.concatenate([values, np.zeros((rows, *values.shape[1:]), values.dtype)])


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
