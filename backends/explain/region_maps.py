"""Heatmaps of large regions, tile by tile: streamed, blended, stoppable, memory bounded."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.explain.asking import Explanation
from backends.explain.classifier import ImageClassifier, Target
from backends.explain.explainers import explain, method
from backends.explain.heatmaps import Request, provenance_of, title_of, unit_of
from backends.explain.scene_images import Look, look_at, on_scene, read_prepared
from backends.jobs import Progress
from backends.overlays import Heatmap, Placement
from backends.scene import Scene, Window

# Cells of the map of a region; more are made coarser.
MOST_CELLS = 16 << 20
_PARTIAL_S = 0.5
_SEAMS = (
    "Stitched from tiles: a pattern that repeats with them comes from their edges, which the "
    "network fills with nothing, not from the image."
)
_PADDED = 0.1  # part of a tile at each edge; less than half the usual overlap


def explain_region(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    window: Window,
    level: int = 0,
    *,
    tile: int = 0,
    overlap: float = 0.25,
    progress: Progress | None = None,
) -> Heatmap:
    """Explain a region of any size in tiles, each seen at the level's own resolution.

    Maps stay raw, so tiles compare; where they overlap, they are averaged with weights that
    fall towards a tile's edge. Each finished tile may be handed over as a partial map with
    the id of the whole. Memory holds the map and one tile, never the region.

    Parameters
    ----------
    window : Window
        In pixels of ``level``.
    tile : int
        Side in pixels of the level; 0 is the network's own input.
    overlap : float
        Part of a tile that its neighbour sees, too; 0 to 0.9.

    Raises
    ------
    WrongUse
        A tile or overlap that makes no sense.
    Cancelled
        Within a tile.
    """
    progress = progress or Progress()
    if not 0 <= overlap <= 0.9 or tile < 0:
        raise WrongUse("Tiles overlap by 0 to 0.9 of their side.")
    if not 0 <= level < len(scene.level_shapes):
        raise BadInput(f"{scene.title} has no pyramid level {level}.")
    rows, cols = scene.level_shapes[level]
    window = window.clip(rows, cols)
    if window.height < 1 or window.width < 1:
        raise BadInput(f"The region lies outside {scene.title}.")
    chosen = method(request.how)
    if chosen.id == "occlusion_spectral":
        raise WrongUse(f"{chosen.title} has no place to be stitched.")
    size = classifier.spec.size or (128, 128)
    side = (tile, tile) if tile else size
    side = (min(side[0], window.height), min(side[1], window.width))
    look = look_at(classifier, scene)
    places = [
        Window(window.row + r, window.col + c, *side)
        for r in _starts(window.height, side[0], overlap)
        for c in _starts(window.width, side[1], overlap)
    ]
    target = _common_target(classifier, scene, request, look, places, level, progress)
    return _stitch(classifier, scene, request, look, window, level, places, target, progress)


def _stitch(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    look: Look,
    window: Window,
    level: int,
    places: list[Window],
    target: Target,
    progress: Progress,
) -> Heatmap:
    started = last = time.perf_counter()
    mosaic: _Mosaic | None = None
    heatmap: Heatmap | None = None
    progress.start(len(places), "tiles", "Explaining tiles")
    for number, place in enumerate(places, 1):
        progress.check()
        found = _tile(classifier, scene, request, look, place, level, target, progress)
        if mosaic is None:
            mosaic = _Mosaic(window, found, place)
            heatmap = _overlay(classifier, scene, request, look, window, level, found, mosaic)
        mosaic.add(found, place)
        progress.advance()
        now = time.perf_counter()
        if number < len(places) and now - last >= _PARTIAL_S:
            last = now
            assert heatmap is not None
            progress.partial(replace(heatmap, values=mosaic.values(), partial=True))
    assert mosaic is not None
    assert heatmap is not None
    values = mosaic.values()
    made = heatmap.provenance
    figures = {
        "map_lowest": float(np.nanmin(values)),
        "map_highest": float(np.nanmax(values)),
        "tiles": len(places),
    }
    seconds = time.perf_counter() - started
    made = replace(made, seconds=seconds, figures=figures)
    return replace(heatmap, values=values, provenance=made)


def _tile(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    look: Look,
    place: Window,
    level: int,
    target: Target,
    progress: Progress,
) -> Explanation:
    prepared = read_prepared(classifier, scene, look, place, level, fit=request.fit)
    if classifier.pixelwise:  # the class is common, its pixels are the tile's own
        target = classifier.target(prepared, target.index)
    return explain(
        classifier, prepared, target, request.how, request.settings, Progress(progress.token),
        layer=request.layer, untrained=request.untrained,
    )  # fmt: skip


def _common_target(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    look: Look,
    places: list[Window],
    level: int,
    progress: Progress,
) -> Target:
    """Return one class for all tiles: the one asked for, else the likeliest of some tiles."""
    if request.wanted is not None:
        index = classifier.index_of(request.wanted)
        return Target(index, classifier.class_names[index])
    total = np.zeros(len(classifier.class_names))
    some = places[:: max(1, len(places) // 16)]
    progress.start(len(some), "tiles", "Looking for the class")
    for place in some:
        prepared = read_prepared(classifier, scene, look, place, level, fit=request.fit)
        likely = classifier.probabilities(prepared.tensor)[0]
        total += (
            likely.flatten(1).mean(1).cpu().numpy() if likely.ndim > 1 else likely.cpu().numpy()
        )
        progress.advance()
    index = int(total.argmax())
    return Target(index, classifier.class_names[index])


def _overlay(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    look: Look,
    window: Window,
    level: int,
    found: Explanation,
    mosaic: _Mosaic,
) -> Heatmap:
    made = provenance_of(classifier, scene, request, found, look, window, level)
    parameters = {k: v for k, v in made.parameters.items() if k != "grid"}
    parameters["tile"] = list(found.geometry.image_shape)
    made = replace(made, parameters=parameters, notes=(*made.notes, _SEAMS))
    step = mosaic.step
    place = on_scene(scene, window, level, Placement((step - 1) / 2, (step - 1) / 2, step, step))
    return Heatmap(
        title_of(found), scene.id, made, values=mosaic.values(),
        centre=0.0 if found.method.signed else None, unit=unit_of(request.how),
        target=found.target.name, placement=place,
    )  # fmt: skip


class _Mosaic:
    """Weighted sums of tiles on a grid a quarter as fine as the network's cells."""

    def __init__(self, window: Window, found: Explanation, place: Window) -> None:
        cell = min(place.height / found.values.shape[0], place.width / found.values.shape[1])
        self.step = max(1, int(cell) // 4)
        while (window.height // self.step + 1) * (window.width // self.step + 1) > MOST_CELLS:
            self.step *= 2
        shape = (-(-window.height // self.step), -(-window.width // self.step))
        self._window = window
        self._total = np.zeros(shape, np.float32)
        self._weight = np.zeros(shape, np.float32)

    def add(self, found: Explanation, place: Window) -> None:
        """Take a tile: its map read at the centres of the grid's cells."""
        rows = self._inside(place.row - self._window.row, place.height, self._total.shape[0])
        cols = self._inside(place.col - self._window.col, place.width, self._total.shape[1])
        if not rows.size or not cols.size:
            return
        down = rows * self.step + (self.step - 1) / 2 - (place.row - self._window.row)
        across = cols * self.step + (self.step - 1) / 2 - (place.col - self._window.col)
        # The centre of a last cell that hangs over the region's edge lies beyond the tile.
        down, across = np.minimum(down, place.height - 1), np.minimum(across, place.width - 1)
        values = found.geometry.sample(found.values, down, across)
        share = np.outer(_fall(down, place.height), _fall(across, place.width)).astype(np.float32)
        share[~np.isfinite(values)] = 0
        at = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
        self._total[at] += np.nan_to_num(values) * share
        self._weight[at] += share

    def values(self) -> NDArray[np.float32]:
        """Return the map so far; ``nan`` where no tile was."""
        out = np.full(self._total.shape, np.nan, np.float32)
        np.divide(self._total, self._weight, out=out, where=self._weight > 0)
        return out

    def _inside(self, start: int, length: int, cells: int) -> NDArray[Any]:
        """Return the numbers of the cells whose centre lies in a stretch of pixels."""
        centre = np.arange(cells) * self.step + (self.step - 1) / 2
        # The last cell may hang over the region's edge; it belongs to the last tile.
        low, high = np.searchsorted(centre, [start - 0.5, start + length - 0.5])
        if start + length >= self._edge(cells) - self.step:
            high = cells
        return np.arange(low, high)

    def _edge(self, cells: int) -> int:
        return cells * self.step


def _fall(at: NDArray[Any], length: int) -> NDArray[Any]:
    """Return weights that fall from the middle of a tile to next to nothing near its edges.

    Where a network pads its input with zeros the outer ring of a map shows the padding, not the
    picture; a neighbour that sees the place from inside then speaks alone.
    """
    from_edge = np.minimum(at + 0.5, length - at - 0.5) / length
    return np.clip((from_edge - _PADDED) / (0.5 - _PADDED), 1e-4, 1)


def _starts(length: int, side: int, overlap: float) -> list[int]:
    if length <= side:
        return [0]
    step = max(1, round(side * (1 - overlap)))
    count = -(-(length - side) // step) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]
