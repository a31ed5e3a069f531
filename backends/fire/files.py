"""Fire results as files, and flight lines with their masks from files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.fire.fields import FireImage
from backends.fire.results import FireResult
from backends.fire.roles import match_bands
from backends.fire.samples import FireSample, cut_samples
from backends.io.writers.atomic import replacing_folder
from backends.io.writers.geotiff import write_geotiff
from backends.jobs import Progress
from backends.scene import Scene


def write_result(
    found: FireResult, scene: Scene, folder: Path, *, progress: Progress | None = None
) -> list[Path]:
    """Write every layer as GeoTIFF and ``fire.json``; all of them appear at once.

    Raises
    ------
    BadInput
        The folder cannot be written to.
    """
    names = []
    with replacing_folder(folder) as inner:
        for overlay in found.overlays:
            name = re.sub(r"[^a-z0-9]+", "_", overlay.title.lower()).strip("_") + ".tif"
            write_geotiff(overlay, scene, inner / name, progress=progress)
            names.append(name)
        values = dict(found.summary) | {
            "layers": names,
            "tiles": [
                {
                    "row": t.window.row, "col": t.window.col, "height": t.window.height,
                    "width": t.window.width, "chance": round(t.chance, 4), "opened": t.opened,
                }
                for t in found.tiles
            ],
        }  # fmt: skip
        text = json.dumps(values, indent=1, ensure_ascii=False, default=str)
        (inner / "fire.json").write_text(text + "\n", encoding="utf-8")
        names.append("fire.json")
    return [folder / name for name in names]


def read_mask(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask: any image or label file of one band, above 0 is fire.

    Raises
    ------
    BadInput
        It has another size than the scene, or several bands.
    """
    from backends.io import open_scene

    with open_scene(path) as scene:
        rows, cols, bands = scene.shape
        if (rows, cols) != shape or bands not in (1, 3, 4):
            raise BadInput(
                f"The mask {path.name} has {rows} × {cols} pixels, the scene {shape[0]} × "
                f"{shape[1]}.",
                subject=path,
                way_out="Give the mask that belongs to this scene.",
            )
        return np.asarray(scene.read(bands=(0,))[:, :, 0] > 0)


def read_lines(
    lines: Sequence[tuple[Path, Path | None]],
    *,
    bands: tuple[int, ...] | None = None,
    sensor: str = "",
    channels: tuple[int, ...] | None = None,
    units: str = "",
    recipe: str = "corrected",
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[list[FireSample], tuple[int, ...]]:
    """Read flight lines as samples; a line is named after its file.

    Parameters
    ----------
    lines : sequence of (scene, mask or None)
        None: nothing burns there.
    bands : tuple of int, optional
        AMS channels; default those that every line has.

    Raises
    ------
    BadInput
        A file cannot be read, or the lines have no channel in common.
    """
    from backends.io import open_scene

    progress = progress or Progress()
    opened: list[tuple[FireImage, NDArray[np.bool_], str]] = []
    scenes: list[Scene] = []
    try:
        progress.start(len(lines) * 2, "files", "Reading flight lines")
        for path, mask in lines:
            scene = open_scene(path)
            scenes.append(scene)
            found = match_bands(scene, sensor=sensor, channels=channels)
            image = FireImage(scene, found, units=units)
            shape = scene.shape[:2]
            truth = np.zeros(shape, bool) if mask is None else read_mask(mask, shape)
            opened.append((image, truth, path.stem))
            progress.advance()
        shared = set.intersection(*(set(image.bands.ams) for image, _, _ in opened))
        used = bands or tuple(sorted(shared))
        if not used:
            raise BadInput(
                "The flight lines have no AMS channel in common.",
                way_out="Name their channels with --channels, or leave one out.",
            )
        samples: list[FireSample] = []
        for image, truth, name in opened:
            samples += cut_samples(image, truth, name, used, recipe=recipe, seed=seed)
            progress.advance()
        return samples, used
    finally:
        for scene in scenes:
            scene.close()
