"""Pixels to canvas and back: one scale a scene, in metres or µm where they are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backends.overlays import Placement
from backends.scene import Scene

# Canvas units are chosen so that napari's scale bar reads as people of the field write it.
_UNITS = {"m": "m", "µm": "um", "mm": "mm"}


@dataclass(frozen=True)
class Frame:
    """How large a scene's pixels are on the canvas.

    Attributes
    ----------
    height, width : float
        Of one pixel, in ``unit``.
    unit : str
        ``"m"``, ``"mm"``, ``"um"`` or ``"pixel"``.
    """

    height: float = 1.0
    width: float = 1.0
    unit: str = "pixel"

    @property
    def units(self) -> tuple[str, str]:
        """Unit of rows and of columns, as napari takes them."""
        return self.unit, self.unit

    def scale(self, placement: Placement | None = None) -> tuple[float, float]:
        """Return canvas units a pixel of something placed on the scene."""
        p = placement or Placement()
        return self.height * p.row_step, self.width * p.col_step

    def translate(self, placement: Placement | None = None) -> tuple[float, float]:
        """Return the canvas position of its first pixel's centre."""
        p = placement or Placement()
        return self.height * p.row, self.width * p.col

    def to_pixel(self, y: float, x: float) -> tuple[float, float]:
        """Return row, col of a canvas position; whole numbers are pixel centres."""
        return y / self.height, x / self.width

    def to_canvas(self, row: float, col: float) -> tuple[float, float]:
        """Return the canvas position of a pixel."""
        return row * self.height, col * self.width


def frame_of(scene: Scene) -> Frame:
    """Return the frame of a scene. May look up coordinate systems: not for the window's thread."""
    info = scene.info
    if info.pixel_size is not None and info.pixel_unit in _UNITS:
        height, width = (abs(float(v)) for v in info.pixel_size)
        return _checked(height, width, _UNITS[info.pixel_unit])
    if scene.place is not None:
        rows, cols, _ = scene.shape
        size = scene.place.pixel_size_m(rows // 2, cols // 2)
        if size is not None:
            return _checked(*size, "m")
    if info.pixel_size is not None:
        # Degrees without a coordinate system: only the shape of a pixel is known.
        height, width = (abs(float(v)) for v in info.pixel_size)
        if height > 0 and width > 0 and math.isfinite(height / width):
            return _checked(height / width, 1.0, "pixel")
    return Frame()


def coarse_placement(step: tuple[float, float]) -> Placement:
    """Return where a picture lies whose pixels each stand for ``step`` scene pixels."""
    row_step, col_step = step
    return Placement((row_step - 1) / 2, (col_step - 1) / 2, row_step, col_step)


def _checked(height: float, width: float, unit: str) -> Frame:
    fine = all(math.isfinite(v) and 1e-9 < v < 1e9 for v in (height, width))
    return Frame(height, width, unit) if fine else Frame()
