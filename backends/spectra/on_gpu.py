"""Products of whole scenes on a CUDA GPU: what is read goes there as it lies in the file.

Statistics, projections, RX, spectral angles and free shares are one matrix product a pixel. On a
GPU that costs less than reading, so the values travel in the type of the file, are turned into
numbers there, and only results come back. Sums are float64, as on the processor. Scenes that are
done in a moment stay on the processor, and so does everything where `CLEARBAND_DEVICE` is ``cpu``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends import devices
from backends.scene import Scene, Window
from backends.spectra.pixels import Floats, pieces

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from backends.jobs import Progress

Doubles = NDArray[np.float64]
WORTH_VALUES = 100_000_000  # a GPU wakes up in 0.1 to 0.4 s; fewer are done by then
TOGETHER = 1 << 18  # pixels in one product; halved where memory is full


@dataclass(frozen=True, eq=False)
class Block:
    """Some whole rows of a scene on a device.

    Attributes
    ----------
    window : Window
    values : float32 tensor of shape (bands, pixels)
        Physical units, 0 in every band of an invalid pixel.
    valid : bool tensor of shape (pixels,)
    """

    window: Window
    values: Tensor
    valid: Tensor


def device_for(scene: Scene, bands: Sequence[int]) -> str | None:
    """Return the id of the GPU that should compute, or None where the processor should."""
    if scene.shape[0] * scene.shape[1] * len(bands) < WORTH_VALUES:
        return None
    found = devices.gpu_for_products()
    return None if found is None else found.id


def blocks(
    scene: Scene, bands: Sequence[int], device: str, progress: Progress | None, note: str
) -> Iterator[Block]:
    """Yield the scene block by block on a device, while the next is read; counts rows."""
    import torch

    if progress is not None:
        progress.start(scene.shape[0], "rows", note)
    low = min(bands)
    asked = range(low, max(bands) + 1)
    taken = [b - low for b in bands]
    part = None if taken == list(range(len(asked))) else torch.tensor(taken, device=device)
    info = scene.info
    for window, planes in pieces(scene, asked):
        if progress is not None:
            progress.check()
        raw = _there(planes, device)
        raw = (raw if part is None else raw[part]).reshape(len(bands), -1)
        values = raw.to(torch.float32)
        valid = torch.isfinite(values).all(dim=0)
        if info.nodata is not None and np.isfinite(info.nodata):
            valid &= ~(values == np.float32(info.nodata)).any(dim=0)
        if info.gain != 1.0 or info.offset != 0.0:
            values = values * info.gain + info.offset
        yield Block(window, torch.where(valid, values, 0.0), valid)
        if progress is not None:
            progress.advance(window.height)


def _there(planes: NDArray[Any], device: str) -> Tensor:
    """Copy planes to a device in as few bytes as it understands."""
    import torch

    if planes.dtype.kind == "c":
        planes = planes.real
    if not planes.dtype.isnative:
        planes = planes.astype(planes.dtype.newbyteorder("="))
    unsigned = planes.dtype == np.uint16
    if unsigned:
        planes = planes.view(np.int16)
    elif planes.dtype not in (np.uint8, np.int16, np.int32, np.float32):
        planes = planes.astype(np.float32)
    # Torch does not promise to leave alone what it is given, so it gets no read-only memory.
    sent = torch.from_numpy(planes if planes.flags.writeable else planes.copy(order="K"))
    there = sent.to(device)
    return there.to(torch.int32) & 0xFFFF if unsigned else there


def covariance_sums(
    scene: Scene, bands: Sequence[int], device: str, *, exact: bool, progress: Progress | None
) -> tuple[int, Doubles, Doubles, Doubles]:
    """Return count, shift, sum and products of the shifted valid pixels, in one pass.

    Parameters
    ----------
    exact : bool
        Products in float64, else in float32 and only their sums in float64.

    Returns
    -------
    count : int
    shift : float64 array of shape (bands,)
    total : float64 array of shape (bands,)
    products : float64 array of shape (bands, bands)
    """
    import torch

    kind = torch.float64 if exact else torch.float32
    size = len(bands)
    count = 0
    shift: Any = None
    total = torch.zeros(size, dtype=torch.float64, device=device)
    products = torch.zeros((size, size), dtype=torch.float64, device=device)
    for block in blocks(scene, bands, device, progress, "Mean and covariance"):
        here = int(block.valid.sum())
        if not here:
            continue
        if shift is None:
            shift = block.values.double().sum(dim=1) / here
        work = partial(_summed, block, shift, kind)
        one, two = devices.with_smaller_tiles(work, TOGETHER)
        total += one
        products += two
        count += here
    start = np.zeros(size) if shift is None else shift.cpu().numpy()
    return count, start, total.cpu().numpy(), products.cpu().numpy()


def _summed(block: Block, shift: Tensor, kind: torch.dtype, pixels: int) -> tuple[Tensor, Tensor]:
    """Return sum and products of a block's shifted valid pixels, in float64."""
    size = len(shift)
    total, products = shift.new_zeros(size), shift.new_zeros((size, size))
    for at in _parts(block, pixels):
        # Holes are 0 before the shift, and must be 0 after it.
        centred = (block.values[:, at].to(kind) - shift[:, None].to(kind)) * block.valid[at]
        total += centred.double().sum(dim=1)
        products += (centred @ centred.T).double()
    return total, products


def mapped(
    scene: Scene,
    bands: Sequence[int],
    device: str,
    count: int,
    score: Callable[[Tensor], Tensor],
    *,
    progress: Progress | None,
    note: str,
) -> Floats:
    """Return ``score`` of every pixel, float32 of shape (count, rows, cols), holes ``nan``.

    See `scored_blocks`.
    """
    rows, cols, _ = scene.shape
    out = np.empty((count, rows * cols), np.float32)
    for at, found in scored_blocks(scene, bands, device, score, progress=progress, note=note):
        out[:, at] = found
    return out.reshape(count, rows, cols)


def scored_blocks(
    scene: Scene,
    bands: Sequence[int],
    device: str,
    score: Callable[[Tensor], Tensor],
    *,
    progress: Progress | None,
    note: str,
) -> Iterator[tuple[slice, Floats]]:
    """Yield which pixels, and their scores, float32 of shape (count, pixels), holes ``nan``.

    Parameters
    ----------
    score : callable
        From float32 values (bands, pixels) to (count, pixels), both on the device.
    """
    import torch

    cols = scene.shape[1]
    for block in blocks(scene, bands, device, progress, note):

        def scored(pixels: int, block: Block = block) -> Tensor:
            return torch.cat(
                [score(block.values[:, at]).to(torch.float32) for at in _parts(block, pixels)], 1
            )

        found = devices.with_smaller_tiles(scored, TOGETHER)
        found = torch.where(block.valid & torch.isfinite(found), found, torch.nan)
        low = block.window.row * cols
        yield slice(low, low + found.shape[1]), found.cpu().numpy()


def _parts(block: Block, pixels: int) -> Iterator[slice]:
    for low in range(0, len(block.valid), pixels):
        yield slice(low, low + pixels)


def projection(
    weights: NDArray[Any], mean: NDArray[Any], device: str
) -> Callable[[Tensor], Tensor]:
    """Return ``weights @ (x - mean)`` in float32, for `mapped`; weights (results, bands)."""
    import torch

    there = torch.from_numpy(np.array(weights, np.float32)).to(device)
    middle = torch.from_numpy(np.array(mean, np.float32)).to(device)[:, None]
    return lambda values: there @ (values - middle)


def squared_length(factor: Doubles, mean: Doubles, device: str) -> Callable[[Tensor], Tensor]:
    """Return ``|factor @ (x - mean)|²`` in float64, for `mapped`; factor (kept, bands)."""
    import torch

    there = torch.from_numpy(np.array(factor, np.float64)).to(device)
    middle = torch.from_numpy(np.array(mean, np.float64)).to(device)[:, None]
    return lambda values: (there @ (values.double() - middle)).square().sum(dim=0, keepdim=True)


def angles(references: NDArray[Any], device: str) -> Callable[[Tensor], Tensor]:
    """Return angles to references (references, bands) in radians, in float64, for `mapped`."""
    import torch

    exact = np.array(references, np.float64)
    length = np.linalg.norm(exact, axis=1, keepdims=True)
    exact /= np.where(length == 0, np.nan, length)
    there = torch.from_numpy(exact).to(device)

    def angle(values: Tensor) -> Tensor:
        wide = values.double()
        return (there @ wide / wide.square().sum(dim=0).sqrt()).clamp(-1, 1).arccos()

    return angle
