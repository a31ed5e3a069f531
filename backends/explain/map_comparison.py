"""Two heatmaps of one scene beside each other: do they point at the same places?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.explain.heatmap_files import overlay_picture, scene_picture
from backends.explain.similarity import hottest, overlap, rank_correlation, stretched
from backends.jobs import Progress
from backends.overlays import Heatmap
from backends.scene import Scene, Window

# Maps are compared on a grid of at most so many rows and columns: they are coarse anyway.
SIDE = 256
HOTTEST = 0.1


@dataclass(frozen=True, eq=False)
class ComparedMaps:
    """How alike two heatmaps are where both looked.

    Attributes
    ----------
    rank : float
        Rank correlation (Spearman) of all places, −1 to 1.
    iou : float
        Intersection over union of what lies above half of each map's highest value, the
        hot region of 2601.12826; 0 to 1.
    iou_hottest : float
        The same of the hottest tenth of the places of each: free of the maps' shapes.
    chance : float
        What ``iou_hottest`` is for two maps that know nothing of each other.
    pictures : two uint8 arrays of shape (rows, cols, 3)
        Each map over the scene.
    """

    rank: float
    iou: float
    iou_hottest: float
    chance: float
    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]


def compare_maps(
    a: Heatmap, b: Heatmap, scene: Scene, *, progress: Progress | None = None
) -> ComparedMaps:
    """Compare two heatmaps of a scene on the pixels that both cover.

    Raises
    ------
    BadInput
        They have no place in common, or belong to different scenes.
    """
    progress = progress or Progress()
    if a.scene_id != b.scene_id:
        raise BadInput("The two maps lie on different images.", way_out="Compare maps of one.")
    window = _common(a, b, scene)
    rows = _places(window.row, window.height)
    cols = _places(window.col, window.width)
    x, y = _read(a, rows, cols), _read(b, rows, cols)
    seen = np.isfinite(x) & np.isfinite(y)
    if seen.sum() < 4:
        raise BadInput("The two maps have no place in common.")
    progress.check()
    first, second = x[seen][:, None], y[seen][:, None]
    hot = [stretched(np.maximum(values, 0)) >= 0.5 for values in (first, second)]
    tenth = [hottest(values, HOTTEST) for values in (first, second)]
    background = scene_picture(scene, *_level_window(scene, window))
    progress.check()
    return ComparedMaps(
        rank_correlation(first, second),
        overlap(*hot),
        overlap(*tenth),
        HOTTEST / (2 - HOTTEST),
        (_picture(a, window, background), _picture(b, window, background)),
    )


def _common(a: Heatmap, b: Heatmap, scene: Scene) -> Window:
    ends = []
    for one in (a, b):
        p, (rows, cols) = one.placement, one.values.shape
        ends.append(
            (
                p.row - p.row_step / 2,
                p.col - p.col_step / 2,
                p.row + (rows - 0.5) * p.row_step,
                p.col + (cols - 0.5) * p.col_step,
            )
        )
    top, left = (max(e[k] for e in ends) for k in (0, 1))
    bottom, right = (min(e[k] for e in ends) for k in (2, 3))
    row, col = max(0, round(top + 0.5)), max(0, round(left + 0.5))
    height = min(scene.shape[0], round(bottom + 0.5)) - row
    width = min(scene.shape[1], round(right + 0.5)) - col
    if height < 1 or width < 1:
        raise BadInput("The two maps have no place in common.")
    return Window(row, col, height, width)


def _places(start: int, length: int) -> NDArray[np.float64]:
    count = min(SIDE, length)
    return np.asarray(start - 0.5 + (np.arange(count) + 0.5) * (length / count), np.float64)


def _read(one: Heatmap, rows: NDArray[Any], cols: NDArray[Any]) -> NDArray[np.float64]:
    p, shape = one.placement, one.values.shape
    r = np.clip(np.round((rows - p.row) / p.row_step), 0, shape[0] - 1).astype(np.intp)
    c = np.clip(np.round((cols - p.col) / p.col_step), 0, shape[1] - 1).astype(np.intp)
    return np.asarray(one.values[np.ix_(r, c)], np.float64)


def _level_window(scene: Scene, window: Window) -> tuple[Window, int]:
    """Return the window in a level that is no finer than the pictures need."""
    level = 0
    for number, (high, _) in enumerate(scene.level_shapes):
        if window.height * high / scene.shape[0] >= SIDE:
            level = number
    rows, cols = scene.level_shapes[level]
    down, across = rows / scene.shape[0], cols / scene.shape[1]
    found = Window(
        int(window.row * down), int(window.col * across),
        max(1, round(window.height * down)), max(1, round(window.width * across)),
    )  # fmt: skip
    return found.clip(rows, cols), level


def _picture(one: Heatmap, window: Window, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from dataclasses import replace

    rows = np.linspace(window.row, window.row + window.height - 1, background.shape[0])
    cols = np.linspace(window.col, window.col + window.width - 1, background.shape[1])
    values = np.asarray(_read(one, rows, cols), np.float32)
    return overlay_picture(replace(one, values=values), background)
