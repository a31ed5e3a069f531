"""What all encoders share: features with their place on the image, and their identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import nn

from backends.jobs import Progress
from backends.overlays import Placement
from backends.scene import Scene


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


def digest_of_weights(network: nn.Module) -> str:
    """Return the SHA-256 over all weights of a network, by name."""
    sha = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def digest_of(*facts: Any) -> str:
    """Return the SHA-256 of plain facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
