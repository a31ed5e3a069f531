"""What the networks learn from: tiles of flight lines with their truth, lines kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.fire.combined import SIDE, tile_windows
from backends.fire.fields import FireImage
from backends.scene import Window

# The paper calls a tile positive that has more than three pixels of fire.
MORE_THAN = 3


@dataclass(frozen=True, eq=False)
class FireSample:
    """A tile and its truth.

    Attributes
    ----------
    line : str
        Flight line or scene; all its tiles lie on one side of a split.
    planes : float32 array of shape (channels, 256, 256)
        0 to 1; 0 where nothing was measured.
    truth, valid : bool arrays of shape (256, 256)
    """

    line: str
    planes: NDArray[np.float32]
    truth: NDArray[np.bool_]
    valid: NDArray[np.bool_]

    @property
    def burns(self) -> bool:
        """Whether it counts as a tile with fire."""
        return int((self.truth & self.valid).sum()) > MORE_THAN


def cut_samples(
    image: FireImage,
    truth: NDArray[Any],
    line: str,
    channels: Sequence[int],
    *,
    recipe: str = "corrected",
    count: int = 2000,
    seed: int = 0,
) -> list[FireSample]:
    """Cut a line into tiles.

    Parameters
    ----------
    truth : bool array of shape (rows, cols)
    recipe : str
        ``"corrected"``: tiles side by side, with what was not measured masked.
        ``"paper"``: ``count`` random windows; one is dropped where over 10 % of its values are
        10 of 255 or less, which also drops dark ground.

    Raises
    ------
    BadInput
        The truth has another size than the scene.
    """
    rows, cols, _ = image.scene.shape
    truth = np.asarray(truth, bool)
    if truth.shape != (rows, cols):
        raise BadInput(
            f"The truth of {line} has {truth.shape[0]} × {truth.shape[1]} pixels, "
            f"the scene {rows} × {cols}.",
            way_out="Give the mask that belongs to this scene.",
        )
    if recipe == "paper" and min(rows, cols) >= SIDE:
        rng = np.random.default_rng(seed)
        starts = zip(
            rng.integers(0, rows - SIDE + 1, count), rng.integers(0, cols - SIDE + 1, count),
            strict=True,
        )  # fmt: skip
        windows: Iterable[Window] = (Window(int(r), int(c), SIDE, SIDE) for r, c in starts)
    else:
        windows = tile_windows(rows, cols, 0)
    found = []
    for window in windows:
        inside = window.clip(rows, cols)
        planes, valid = image.unit_planes(inside, tuple(channels))
        if recipe == "paper" and (planes <= 10.5 / 255).mean() > 0.1:
            continue
        if not valid.any():
            continue
        found.append(
            FireSample(line, _square(planes), _square(truth[inside.slices]), _square(valid))
        )
    return found


def _square(values: NDArray[Any]) -> NDArray[Any]:
    """Fill up with nothing to 256 × 256."""
    out = np.zeros((*values.shape[:-2], SIDE, SIDE), values.dtype)
    out[..., : values.shape[-2], : values.shape[-1]] = values
    return out


def apart(
    samples: Sequence[FireSample], kept_out: Iterable[str]
) -> tuple[list[FireSample], list[FireSample]]:
    """Split by flight line.

    Raises
    ------
    BadInput
        One side would be empty.
    """
    names = set(kept_out)
    taught = [s for s in samples if s.line not in names]
    held = [s for s in samples if s.line in names]
    if not taught or not held:
        raise BadInput(
            "Training and validation need flight lines of their own.",
            way_out="Give at least two lines, and keep one of them out.",
        )
    return taught, held
