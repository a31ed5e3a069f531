"""The encoder of a network: one look at a small image, tiles of a large one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backends.concepts.encoders.base import Features, digest_of, digest_of_weights
from backends.concepts.encoders.patches import LayerReader, PatchReader, dense_reader
from backends.concepts.encoders.pooling import Pooling
from backends.concepts.encoders.tiles import lay_in, level_for, starts, whole_grid
from backends.errors import BadInput, WrongUse
from backends.explain.classifier import ImageClassifier
from backends.explain.scene_images import Look, look_at, on_scene, read_prepared
from backends.jobs import Progress
from backends.overlays import Placement
from backends.scene import Scene, Window

# A picture up to so many times the network's input is seen in one look, scaled to it.
ONE_LOOK = 2.0


class NetworkEncoder:
    """A layer of a network, or a CLIP transformer read densely.

    Parameters
    ----------
    classifier : ImageClassifier
    layer : str
        Empty finds the last that is still a picture.
    dense : bool
        For CLIP transformers, patches in the space of the words; see `patches`.
    tile : int
        Side of a look in pixels; 0 is the network's own.
    pooling : Pooling, optional
        Of a dense reading; see `pooling`.
    """

    def __init__(
        self,
        classifier: ImageClassifier,
        layer: str = "",
        *,
        dense: bool = False,
        tile: int = 0,
        pooling: Pooling | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        own = classifier.spec.size or (224, 224)
        multiple = classifier.spec.multiple
        side = (tile, tile) if tile and not classifier.spec.fixed else own
        self.side = (max(side[0] // multiple, 1) * multiple, max(side[1] // multiple, 1) * multiple)
        self.classifier, self.dense = classifier, dense
        if pooling is not None and not dense:
            raise WrongUse(
                "Only patches in the space of the words are pooled.",
                way_out="Ask for the dense reading too (--dense).",
            )
        self.reader: PatchReader = (
            dense_reader(classifier, self.side, pooling)
            if dense
            else LayerReader(classifier, self.side, layer)
        )
        name = self.reader.name
        self.title = f"{classifier.card.title}, {name}"
        random = ("The weights are random: what is found here means nothing.",)
        self._told = random if classifier.card.untrained else ()
        made = {"kind": "network", "layer": name, "dense": dense, "tile": self.side[0]}
        self.about: Mapping[str, Any] = {**made, **(about or {})}
        weights = classifier.card.weights_digest or digest_of_weights(classifier.network)
        spec = classifier.spec
        self.digest = digest_of("network", weights, name, dense, self.side, spec.mean, spec.std,
                                spec.value_range, spec.interpolation, spec.clip,
                                *self.reader.facts)  # fmt: skip

    def encode(self, scene: Scene, progress: Progress | None = None) -> Features:
        """Return the features of a whole scene, in tiles where it is large."""
        look = look_at(self.classifier, scene)
        level = level_for(scene)
        rows, cols = scene.level_shapes[level]
        if rows <= ONE_LOOK * self.side[0] and cols <= ONE_LOOK * self.side[1]:
            found = self._one(scene, look, Window(0, 0, rows, cols), level, "whole")
        else:
            found = self._tiled(scene, look, level, progress or Progress())
        if rows < found.grid[0] or cols < found.grid[1]:
            raise BadInput(
                f"{scene.title} is {rows} × {cols} pixels: too small to be read in "
                f"{found.grid[0]} × {found.grid[1]} parts.",
                way_out="Give a larger image, or a network that looks at smaller ones.",
            )
        place = on_scene(scene, Window(0, 0, rows, cols), level, found.placement)
        notes = (*found.notes, *self.reader.notes, *self._told)
        if level:
            shape = scene.shape[:2]
            told = f"The image of {shape[0]} × {shape[1]} pixels was read at {rows} × {cols}."
            notes = (*notes, told)
        return Features(found.values, found.grid, place, notes)

    def batch(self, x: Tensor) -> Tensor:
        """Return the features of a prepared batch, shape (n, d, rows, cols), no gradients."""
        return self.reader.read(x)

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

    def _tiled(self, scene: Scene, look: Look, level: int, progress: Progress) -> Features:
        """Look at overlapping tiles; each cell is taken from the tile it lies deepest in."""
        rows, cols = scene.level_shapes[level]
        cells = self.reader.cells
        tops = starts(rows, self.side[0], cells[0])
        lefts = starts(cols, self.side[1], cells[1])
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
                    grid, place = whole_grid((rows, cols), part.placement)
                    values = np.zeros((grid[0] * grid[1], part.values.shape[1]), np.float32)
                    depth = np.full(len(values), -np.inf)
                    notes = part.notes
                lay_in(values, depth, grid, place, part, (top, left, height, width))
                progress.advance()
        assert values is not None
        return Features(values, grid, place, notes)
