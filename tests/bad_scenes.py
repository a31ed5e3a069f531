"""Scenes and labels that a user can hand over by mistake, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 24
# Two classes side by side.
HALVES = np.repeat([[1, 2]], SIDE // 2, axis=1).repeat(SIDE, axis=0).astype(np.uint8)
ONE_CLASS = np.where(HALVES == 1, HALVES, 0).astype(np.uint8)
ONE_PIXEL = HALVES.copy()
ONE_PIXEL[0, 0] = 3
OTHER_SIZE = HALVES[:12]
# What still gives a map.
SCENES = ("3 bands", "10 bands", "no data", "photograph")


def cube(bands: int) -> np.ndarray:
    """Return values in which both halves differ, without wavelengths."""
    values = np.random.default_rng(0).random((SIDE, SIDE, bands)).astype(np.float32)
    values[:, SIDE // 2 :] += np.linspace(0, 1, bands, dtype=np.float32)
    return values


def image_of(what: str) -> np.ndarray:
    """Return the values of one of `SCENES`."""
    image = cube(10 if what in ("10 bands", "no data") else 3)
    if what == "no data":
        image[2:6, 2:20] = np.nan
    elif what == "photograph":
        return (120 * image).clip(0, 255).astype(np.uint8)
    return image


def missing(image: np.ndarray) -> np.ndarray:
    """Return where nothing was measured."""
    if image.dtype == np.uint8:
        return np.zeros(image.shape[:2], bool)
    return np.isnan(image).any(axis=2)


def write(folder: Path, image: np.ndarray, labels: np.ndarray) -> tuple[Path, Path]:
    """Write a scene and its labels as a user has them: a JPEG or an array, and a PNG."""
    Image.fromarray(labels).save(folder / "labels.png")
    if image.dtype == np.uint8:
        path = folder / "photo.jpg"
        Image.fromarray(image).save(path)
    else:
        path = folder / "cube.npy"
        np.save(path, image)
    return path, folder / "labels.png"
