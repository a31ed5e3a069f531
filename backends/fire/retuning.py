"""Gate, threshold and least size turned after the scene was read: only what is missing is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import Blend, TileAnswer, read_tile
from backends.fire.fields import FireImage
from backends.fire.results import (
    FireResult,
    Maker,
    Tuning,
    any_rule,
    mask_of,
    summary_of,
    without_small,
)
from backends.jobs import Progress
from backends.overlays import Overlay


def retune(
    image: FireImage,
    model: FireNetworks | None,
    found: FireResult,
    tuning: Tuning,
    *,
    device: str = "cpu",
    command: str = "",
    progress: Progress | None = None,
) -> FireResult:
    """Return a result as it would be with other numbers.

    A higher gate, another threshold, another least size read nothing; a lower gate has the
    tiles segmented that come to lie above it.

    Parameters
    ----------
    image, model, found
        What `backends.fire.detect.detect` was given and returned.
    command : str
        The command line that does the same; default that of before.
    """
    progress = progress or Progress()
    rows, cols, _ = image.scene.shape
    made = Maker(image, command or found.overlays[-1].provenance.command, tuning)
    by_rules = any_rule(found.rules, (rows, cols))
    tiles, probability = found.tiles, found.probability
    new: list[Overlay] = []
    if probability is None:
        mask = without_small(by_rules, tuning.min_size)
        before = found.overlays[-1].provenance
        parameters = {**before.parameters, "min_size": tuning.min_size}
        by = replace(before, parameters=parameters, command=made.command)
        new = [made.classes("Fire mask", mask, by)]
    else:
        tiles = _opened(image, model, tiles, tuning.gate, device, progress)
        if tiles is not found.tiles or tuning.gate != found.tuning.gate:
            probability = _blended(tiles, tuning.gate, np.isnan(probability))
        mask = mask_of(probability, tuning)
        by = found.overlays[-1].provenance
        if model is not None:
            by = made.provenance(model=model, device=device)
        if found.rules:
            new.append(made.beside(by_rules, mask, np.isfinite(probability), by))
        new += made.of_model(tiles, probability, mask, by, found.dropped)
    fresh = {overlay.id: overlay for overlay in new}
    overlays = tuple(fresh.get(overlay.id, overlay) for overlay in found.overlays)
    summary = summary_of(image, found.rules, model, mask, tiles, tuning)
    kept = {k: found.summary[k] for k in ("seconds", "feed") if k in found.summary}
    summary |= kept
    return replace(
        found, overlays=overlays, probability=probability, mask=mask, tiles=tiles,
        summary=summary, tuning=tuning,
    )  # fmt: skip


def _opened(
    image: FireImage, model: FireNetworks | None, tiles: tuple[TileAnswer, ...], gate: float,
    device: str, progress: Progress,
) -> tuple[TileAnswer, ...]:  # fmt: skip
    missing = [n for n, tile in enumerate(tiles) if tile.chance >= gate and not tile.opened]
    if not missing or model is None:
        return tiles
    progress.start(len(missing), "tiles", "Reading tiles that the gate lets in")
    out = list(tiles)
    for n in missing:
        out[n], _ = read_tile(image, model, tiles[n].window, 0.0, device)
        progress.advance()
    return tuple(out)


def _blended(
    tiles: tuple[TileAnswer, ...], gate: float, nothing: NDArray[np.bool_]
) -> NDArray[np.float32]:
    rows, cols = nothing.shape
    blend = Blend(rows, cols)
    for tile in tiles:
        blend.add(tile, counts=tile.chance >= gate)
    probability = blend.probability()
    probability[nothing] = np.nan
    return probability
