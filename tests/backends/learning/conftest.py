"""Folders of tiny images whose classes a network can learn in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeFolder = Callable[..., Path]


@pytest.fixture
def image_folder(tmp_path: Path) -> MakeFolder:
    """Return a maker of folders: bright squares above, below or nowhere, numbered."""

    def make(
        name: str = "set",
        classes: tuple[str, ...] = ("above", "below"),
        count: int = 12,
        side: int = 20,
        bands: int = 1,
    ) -> Path:
        rng = np.random.default_rng(0)
        for kind, label in enumerate(classes):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 90, (side, side, 3 if bands > 1 else 1))
                row = 2 if kind == 0 else side - 8
                col = int(rng.integers(1, side - 7))
                pixels[row : row + 6, col : col + 6] += 150
                image = pixels.astype(np.uint8)
                Image.fromarray(image if bands > 1 else image[..., 0]).save(
                    folder / f"{label}_{number:03}.png"
                )
        return tmp_path / name

    return make
