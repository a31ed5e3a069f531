"""Magnification of slides in ×, as at a microscope: from the objective or the pixel size."""

from __future__ import annotations

from backends.scene import Scene

STEPS = (1.0, 5.0, 10.0, 20.0, 40.0)
# A pixel of 0.25 µm is what scanners make of a 40× objective; others in proportion.
UM_TIMES_POWER = 10.0


def full_magnification(scene: Scene) -> float | None:
    """Return the magnification at which a scene pixel is a screen pixel; None if unknown.

    What the scanner says about its objective, else 10 µm divided by the size of a pixel.
    Only for scenes whose pixels are measured in µm, or whose objective is known.
    """
    if scene.info.objective:
        return scene.info.objective
    size = scene.info.pixel_size
    if scene.info.pixel_unit != "µm" or size is None or size[1] <= 0:
        return None
    return UM_TIMES_POWER / size[1]


def magnification_text(value: float) -> str:
    """Return ``"20×"``, ``"1.3×"`` or ``"0.08×"``."""
    if value >= 9.95:
        return f"{value:.0f}×"
    return f"{value:.1f}×" if value >= 0.95 else f"{value:.2g}×"
