"""Encoders: what turns an image into features a concept can be found in.

All are `Encoder`: features (patches, d) in grid order, where the grid lies on the full-size
image, and a digest that changes with weights, layer, scaling and input. Three kinds: any
network for pictures or bands (a layer of it, found or named; of timm, torchvision,
transformers, or taught here), a CLIP transformer of timm read densely (MaskCLIP), a spectral
network trained here, and the spectra themselves.

Networks are shared between threads: hooks are set, used and taken off under the network's
lock, nothing of it is overwritten. timm resizes positions as it runs
(``dynamic_img_size``); `resized_positions` does the same for tables held elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.errors import BadInput, WrongUse
from backends.explain.classifier import ImageClassifier
from backends.explain.layers import Layer, find_layer
from backends.explain.scene_images import Look, look_at, on_scene, read_prepared
from backends.jobs import Progress
from backends.overlays import Placement
from backends.scene import Scene, Window

# A picture up to so many times the network's input is seen in one look, scaled to it.
ONE_LOOK = 2.0
# Beyond, a coarser level is read: features of all of it must fit the memory.
MOST_PIXELS = 36 << 20
MOST_BYTES = 4 << 30
# Share of a tile's side that neighbours share.
OVERLAP = 0.25
_PIXEL_MARGIN = 12


@dataclass(frozen=True, eq=False)
class Features:
    """The features of an image.

    Attributes
    ----------
    values : float array of shape (patches, d)
        In row order of the grid; float16 where they come from the cache.
    grid : (rows, cols)
    placement : Placement
        Of the grid's cells on the full-size scene: centres and steps in pixels.
    notes : tuple of str
    """

    values: NDArray[Any]
    grid: tuple[int, int]
    placement: Placement
    notes: tuple[str, ...] = ()

    def cell_of(self, row: int, col: int) -> tuple[int, int]:
        """Return the grid cell that shows a pixel of the scene."""
        return cell_of(self.grid, self.placement, row, col)


def cell_of(grid: tuple[int, int], place: Placement, row: float, col: float) -> tuple[int, int]:
    """Return the cell of a placed grid that shows a pixel."""
    r, c = round((row - place.row) / place.row_step), round((col - place.col) / place.col_step)
    return min(max(r, 0), grid[0] - 1), min(max(c, 0), grid[1] - 1)


class Encoder(Protocol):
    """What all encoders offer.

    Attributes
    ----------
    title : str
        For people.
    digest : str
        Identity: same digest, same features.
    about : mapping
        Plain values from which `opening.open_encoder` makes it again.
    """

    title: str
    digest: str
    about: Mapping[str, Any]

    def encode(self, scene: Scene, progress: Progress | None = None) -> Features:
        """Return the features of a whole scene, in tiles where it is large."""
        ...


class NetworkEncoder:
    """A layer of a network.

    Parameters
    ----------
    classifier : ImageClassifier
    layer : str
        Empty finds the last that is still a picture.
    dense : bool
        MaskCLIP: for CLIP transformers of timm, patches in the space of the words.
    tile : int
        Side of a look in pixels; 0 is the network's own.
    """

    def __init__(
        self,
        classifier: ImageClassifier,
        layer: str = "",
        *,
        dense: bool = False,
        tile: int = 0,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        own = classifier.spec.size or (224, 224)
        multiple = classifier.spec.multiple
        side = (tile, tile) if tile and not classifier.spec.fixed else own
        self.side = (max(side[0] // multiple, 1) * multiple, max(side[1] // multiple, 1) * multiple)
        self.classifier, self.dense = classifier, dense
        if dense and not _is_clip(classifier.network):
            raise WrongUse(
                f"{classifier.card.title} is no CLIP transformer of timm.",
                way_out="Leave the dense reading out, or use timm:vit_base_patch16_clip_224.",
            )
        self.layer: Layer | None = None
        if not dense:
            shape = (1, classifier.spec.bands, *self.side)
            self.layer = find_layer(classifier, torch.zeros(shape, device=classifier.device), layer)
        name = "dense" if self.layer is None else self.layer.name
        self.title = f"{classifier.card.title}, {name}"
        made = {"kind": "network", "layer": name, "dense": dense, "tile": self.side[0]}
        self.about: Mapping[str, Any] = {**made, **(about or {})}
        weights = classifier.card.weights_digest or _digest_of_weights(classifier.network)
        spec = classifier.spec
        self.digest = _sha("network", weights, name, dense, self.side, spec.mean, spec.std,
                           spec.value_range, spec.interpolation, spec.clip)  # fmt: skip

    def encode(self, scene: Scene, progress: Progress | None = None) -> Features:
        """Return the features of a whole scene, in tiles where it is large."""
        look = look_at(self.classifier, scene)
        level = level_for(scene)
        rows, cols = scene.level_shapes[level]
        if rows <= ONE_LOOK * self.side[0] and cols <= ONE_LOOK * self.side[1]:
            found = self._one(scene, look, Window(0, 0, rows, cols), level, "whole")
        else:
            found = self._tiled(scene, look, level, progress or Progress())
        place = on_scene(scene, Window(0, 0, rows, cols), level, found.placement)
        notes = found.notes
        if level:
            shape = scene.shape[:2]
            told = f"The image of {shape[0]} × {shape[1]} pixels was read at {rows} × {cols}."
            notes = (*notes, told)
        return Features(found.values, found.grid, place, notes)

    def batch(self, x: Tensor) -> Tensor:
        """Return the features of a prepared batch, shape (n, d, rows, cols), no gradients."""
        if self.dense:
            return self._clip(x)
        assert self.layer is not None
        part_name = self.layer.name
        found: list[Tensor] = []

        def take(part: nn.Module, given: Any, output: Any) -> None:
            found[:] = [output[0] if isinstance(output, (tuple, list)) else output]

        with self.classifier.running() as network, torch.no_grad():
            handle = network.get_submodule(part_name).register_forward_hook(take)
            try:
                network(x)
            finally:
                handle.remove()
        if tuple(x.shape[-2:]) == self.side:
            return self.layer.to_grid(found[0]).clone()
        other = find_layer(self.classifier, x[:1], part_name)  # another size, another grid
        return other.to_grid(found[0]).clone()

    def _clip(self, x: Tensor) -> Tensor:
        """Read a CLIP transformer densely (MaskCLIP, arXiv 2112.01071).

        In the last block attention is left out: z = x + out(v(LN x)), z + MLP(LN z), norm,
        projection to the space of the words.
        """
        found: list[Tensor] = []

        def take(part: nn.Module, given: Any) -> None:
            found[:] = [given[0]]

        with self.classifier.running() as network, torch.no_grad():
            net: Any = network
            last = net.blocks[-1]
            handle = last.register_forward_pre_hook(take)
            try:
                net.forward_features(x)
            finally:
                handle.remove()
            stream = found[0]
            normed, attention = last.norm1(stream), last.attn
            width = normed.shape[-1]
            weight, bias = attention.qkv.weight[2 * width :], attention.qkv.bias
            value = normed @ weight.t() + (0 if bias is None else bias[2 * width :])
            stream = stream + attention.proj(value)
            stream = stream + last.mlp(last.norm2(stream))
            patches = net.head(net.norm(stream)[:, net.num_prefix_tokens :])
        rows = int(x.shape[-2]) // net.patch_embed.patch_size[0]
        return patches.transpose(1, 2).reshape(len(x), patches.shape[2], rows, -1)

    def _one(self, scene: Scene, look: Look, window: Window, level: int, fit: str) -> Features:
        """Look at a window; placed in pixels of the level."""
        size = None if self.side == self.classifier.spec.size else self.side
        prepared = read_prepared(self.classifier, scene, look, window, level, fit=fit, size=size)
        found = self.batch(prepared.tensor)[0]
        grid = int(found.shape[1]), int(found.shape[2])
        place = prepared.geometry.grid_placement(*grid)
        values = found.flatten(1).t().float().cpu().numpy()
        there = Placement(
            window.row + place.row, window.col + place.col, place.row_step, place.col_step
        )
        return Features(values, grid, there, prepared.notes)

    def _cells(self) -> tuple[int, int]:
        """Return rows and columns of cells over one look."""
        if self.layer is not None:
            return self.layer.grid
        patch = self.classifier.spec.multiple
        return self.side[0] // patch, self.side[1] // patch

    def _tiled(self, scene: Scene, look: Look, level: int, progress: Progress) -> Features:
        """Look at overlapping tiles; each cell is taken from the tile it lies deepest in."""
        rows, cols = scene.level_shapes[level]
        cells = self._cells()
        tops = _starts(rows, self.side[0], cells[0])
        lefts = _starts(cols, self.side[1], cells[1])
        values: NDArray[np.float32] | None = None
        grid, place, notes = (0, 0), Placement(), look.notes
        depth = np.zeros(0)
        progress.start(len(tops) * len(lefts), "tiles", f"Looking at {scene.title}")
        for top in tops:
            for left in lefts:
                progress.check()
                height, width = min(self.side[0], rows - top), min(self.side[1], cols - left)
                part = self._one(scene, look, Window(top, left, height, width), level, "pad")
                if values is None:
                    grid, place = _whole_grid((rows, cols), part.placement)
                    values = np.zeros((grid[0] * grid[1], part.values.shape[1]), np.float32)
                    depth = np.full(len(values), -np.inf)
                    notes = part.notes
                _lay_in(values, depth, grid, place, part, (top, left, height, width))
                progress.advance()
        assert values is not None
        return Features(values, grid, place, notes)


class SpectraEncoder:
    """The spectra of a cube themselves: a concept is a direction in its bands.

    Parameters
    ----------
    bands : int64 array
        Bands of the scene it was made for.
    low, high : float32 arrays
        Values that become 0 and 1, a band.
    wavelength_nm : float64 array, or None
    """

    def __init__(
        self,
        bands: NDArray[np.int64],
        low: NDArray[np.float32],
        high: NDArray[np.float32],
        wavelength_nm: NDArray[np.float64] | None,
    ) -> None:
        from backends.hyperspectral.normalise import BandStretch

        self.stretch = BandStretch(bands, low, high, wavelength_nm)
        self.title = f"Spectra of {len(bands)} bands"
        self.about: Mapping[str, Any] = {
            "kind": "spectra", "bands": bands.tolist(), "low": low.tolist(),
            "high": high.tolist(),
            "wavelength_nm": None if wavelength_nm is None else wavelength_nm.tolist(),
        }  # fmt: skip
        self.digest = _sha("spectra", self.about)

    @classmethod
    def of(cls, scene: Scene, progress: Progress | None = None) -> SpectraEncoder:
        """Measure the scaling on a scene."""
        from backends.hyperspectral.normalise import fit_stretch

        found = fit_stretch(scene, progress=progress)
        return cls(found.bands, found.low, found.high, found.wavelength_nm)

    def encode(self, scene: Scene, progress: Progress | None = None) -> Features:
        """Return the stretched spectrum of every pixel."""
        from backends.hyperspectral.features import read_window
        from backends.hyperspectral.normalise import match_bands

        progress = progress or Progress()
        bands = match_bands(scene, self.stretch.bands, self.stretch.wavelength_nm)
        rows, cols = scene.shape[:2]
        if rows * cols * len(bands) * 4 > MOST_BYTES:
            raise BadInput(
                f"{scene.title} holds too many spectra to be read for concepts at once.",
                way_out="Cut it to the part that matters.",
            )
        out = np.empty((rows * cols, len(bands)), np.float32)
        for window in scene.windows():
            progress.check()
            part = read_window(scene, self.stretch, bands, window, 1)
            low = window.row * cols + window.col
            out[low : low + len(part.spectra)] = part.spectra
        return Features(out, (rows, cols), Placement())


class PixelNetworkEncoder:
    """What a spectral network trained here knows of a pixel just before it decides.

    Parameters
    ----------
    classifier : ImageClassifier
        Of `backends.explain.spectral.open_spectral`.
    """

    def __init__(self, classifier: ImageClassifier, about: Mapping[str, Any] | None = None) -> None:
        count = len(classifier.class_names)
        heads = [
            (name, part)
            for name, part in classifier.network.named_modules()
            if isinstance(part, (nn.Linear, nn.Conv1d, nn.Conv2d))
            and (getattr(part, "out_features", 0) or getattr(part, "out_channels", 0)) == count
        ]
        if not heads:
            raise BadInput(f"{classifier.card.title} has no layer that decides by features.")
        self.classifier, self._head = classifier, heads[-1][0]
        self.title = f"{classifier.card.title}, before {self._head.rpartition('.')[2]}"
        self.about: Mapping[str, Any] = {"kind": "network", "layer": self._head, **(about or {})}
        self.digest = _sha("pixels", classifier.card.weights_digest, self._head)

    def encode(self, scene: Scene, progress: Progress | None = None) -> Features:
        """Return the features of every pixel, in overlapping strips."""
        progress = progress or Progress()
        look = look_at(self.classifier, scene)
        rows, cols = scene.shape[:2]
        step = max(16, (64 << 10) // cols)
        parts = []
        for top in range(0, rows, step):
            progress.check()
            low = max(0, top - _PIXEL_MARGIN)
            high = min(rows, top + step + _PIXEL_MARGIN)
            prepared = read_prepared(
                self.classifier, scene, look, Window(low, 0, high - low, cols), 0
            )
            found = self._features(prepared.tensor, (high - low) * cols)
            keep = slice((top - low) * cols, (min(top + step, rows) - low) * cols)
            parts.append(found[keep])
        return Features(np.concatenate(parts), (rows, cols), Placement(), look.notes)

    def _features(self, x: Tensor, pixels: int) -> NDArray[np.float32]:
        found: list[Tensor] = []

        def take(part: nn.Module, given: Any) -> None:
            value = given[0]
            if value.ndim == 4:  # (1, d, rows, cols)
                value = value.flatten(2)[0].t()
            elif value.ndim == 3:
                value = value.flatten(0, 1) if value.shape[0] == 1 else value.mean(1)
            found.append(value.detach())

        with self.classifier.running() as network, torch.no_grad():
            handle = network.get_submodule(self._head).register_forward_pre_hook(take)
            try:
                network(x)
            finally:
                handle.remove()
        values = torch.cat(found) if found else torch.zeros(0, 1)
        if len(values) != pixels:
            raise BadInput(
                f"{self.classifier.card.title} hands out no features a pixel.",
                way_out="Use the spectra themselves.",
            )
        return np.asarray(values.float().cpu().numpy())


def level_for(scene: Scene) -> int:
    """Return the pyramid level to read: full size, of a very large image a coarser one.

    Raises
    ------
    BadInput
        It is too large, and has no smaller level.
    """
    for level, (rows, cols) in enumerate(scene.level_shapes):
        if rows * cols <= MOST_PIXELS:
            return level
    raise BadInput(
        f"{scene.title} is too large to be read for concepts, {scene.shape[0]} × "
        f"{scene.shape[1]} pixels.",
        way_out="Cut it, or write it with smaller levels (a pyramid).",
    )


def resized_positions(table: Tensor, leading: int, grid: tuple[int, int]) -> Tensor:
    """Return a transformer's table of positions for another grid, as a new tensor.

    Parameters
    ----------
    table : tensor of shape (leading + n * n, d)
        It is not touched: others may be running with it.
    """
    first, rest = table[:leading], table[leading:]
    side = round(len(rest) ** 0.5)
    if side * side != len(rest):
        raise BadInput("The positions of this transformer are those of no square.")
    if grid == (side, side):
        return table.clone()
    plane = rest.t().reshape(1, -1, side, side)
    plane = nn.functional.interpolate(plane, grid, mode="bicubic", align_corners=False)
    return torch.cat([first, plane[0].flatten(1).t()])


def _starts(length: int, side: int, cells: int) -> list[int]:
    """Return where overlapping tiles begin, evenly spread, between cells where that can be."""
    if length <= side:
        return [0]
    count = 1 + -(-(length - side) // max(1, int(side * (1 - OVERLAP))))
    step = side // cells if side % cells == 0 else 1
    inner = [round(n / step) * step for n in np.linspace(0, length - side, count)[:-1]]
    return [*inner, length - side]


def _whole_grid(shape: tuple[int, int], place: Placement) -> tuple[tuple[int, int], Placement]:
    """Return the grid over a whole scene whose cells are as large as a tile's."""
    rows = max(1, round(shape[0] / place.row_step))
    cols = max(1, round(shape[1] / place.col_step))
    down, across = shape[0] / rows, shape[1] / cols
    return (rows, cols), Placement((down - 1) / 2, (across - 1) / 2, down, across)


def _lay_in(
    values: NDArray[np.float32],
    depth: NDArray[Any],
    grid: tuple[int, int],
    place: Placement,
    part: Features,
    window: tuple[int, int, int, int],
) -> None:
    """Give cells inside a tile the features of the tile's nearest cell, the deepest wins."""
    top, left, height, width = window
    r = place.row + np.arange(grid[0]) * place.row_step
    c = place.col + np.arange(grid[1]) * place.col_step
    rows = np.flatnonzero((r >= top - 0.5) & (r <= top + height - 0.5))
    cols = np.flatnonzero((c >= left - 0.5) & (c <= left + width - 0.5))
    near_r = np.rint((r[rows] - part.placement.row) / part.placement.row_step).astype(int)
    near_c = np.rint((c[cols] - part.placement.col) / part.placement.col_step).astype(int)
    near_r, near_c = near_r.clip(0, part.grid[0] - 1), near_c.clip(0, part.grid[1] - 1)
    deep_r = np.minimum(r[rows] - top, top + height - r[rows])
    deep_c = np.minimum(c[cols] - left, left + width - c[cols])
    deep = np.minimum(deep_r[:, None], deep_c[None]).ravel()
    there = (rows[:, None] * grid[1] + cols[None]).ravel()
    source = (near_r[:, None] * part.grid[1] + near_c[None]).ravel()
    better = deep > depth[there]
    values[there[better]] = part.values[source[better]]
    depth[there[better]] = deep[better]


def _is_clip(network: nn.Module) -> bool:
    last = getattr(network, "blocks", None)
    fits = isinstance(last, nn.Sequential) and hasattr(last[-1], "attn")
    return (
        fits
        and hasattr(network, "norm_pre")
        and isinstance(getattr(network, "head", None), nn.Linear)
    )


def _digest_of_weights(network: nn.Module) -> str:
    sha = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def _sha(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
