"""Brightness temperature near 4 µm of a whole scene: what intense heat is told by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backends.fire.fields import FireImage
from backends.progress import Progress
from backends.scene import Window

_STRIP = 512


def scene_kelvin(image: FireImage, progress: Progress | None = None) -> NDArray[np.float32] | None:
    """Return T4 in K, shape (rows, cols); None where the scene has no band near 4 µm.

    Read in strips; ``nan`` where nothing was measured.
    """
    if "mwir" not in image.bands.roles:
        return None
    rows, cols, _ = image.scene.shape
    out = np.full((rows, cols), np.nan, np.float32)
    for row in range(0, rows, _STRIP):
        if progress is not None:
            progress.check()
        window = Window(row, 0, min(_STRIP, rows - row), cols)
        fields = image.fields(window)
        if fields.t4 is None:
            return None
        out[window.slices] = np.where(fields.valid, fields.t4, np.nan)
    return out
