"""Explanations by taking away: occlusion in place, in the spectrum and in both, RISE, tokens.

The map is what the score loses. Each replaced part is filled with a named baseline, kept in
the settings. All are stoppable within one batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backends.errors import BadInput
from backends.explain.asking import Ask
from backends.explain.layers import TOKENS, layers_of
from backends.explain.substrates import baseline_of


def occlusion(ask: Ask, batch: Tensor) -> Tensor:
    """Occlusion (Zeiler and Fergus 2014): the score lost under a sliding square.

    Every pixel gets the mean over the squares that covered it.
    """
    return torch.stack([_slide(ask, image[None], None) for image in batch])


def spectral_occlusion(ask: Ask, batch: Tensor) -> Tensor:
    """The score lost when a named range of bands is taken away everywhere.

    It has no place: the map is one cell, its parts are one number a range.
    """
    ranges = band_ranges(ask, batch.shape[1])
    base = baseline_of(batch, str(ask.settings["baseline"]))
    lost = []
    ask.progress.start(len(ranges), "ranges", "Taking away bands")
    whole = ask.scores(batch)
    for _, bands in ranges:
        without = batch.clone()
        without[:, bands] = base[:, bands]
        lost.append(whole - ask.scores(without))
        ask.progress.advance()
    parts = torch.stack(lost, 1)[:, :, None, None]
    _keep_parts(ask, parts[0], [name for name, _ in ranges])
    return parts.sum(1)


def joint_occlusion(ask: Ask, batch: Tensor) -> Tensor:
    """The score lost when a range of bands is taken away under a sliding square."""
    ranges = band_ranges(ask, batch.shape[1])
    found = [torch.stack([_slide(ask, x[None], bands) for _, bands in ranges]) for x in batch]
    _keep_parts(ask, found[0], [name for name, _ in ranges])
    return torch.stack(found).sum(1)


def rise(ask: Ask, batch: Tensor) -> Tensor:
    """RISE (Petsiuk et al. 2018, eq. 6) on scores with their mean taken off.

    Which makes the map signed: it tells what helps more than the mean mask. Masks are
    random grids, shifted by parts of a cell and smoothed; seeded.
    """
    count, cells = int(ask.settings["masks"]), int(ask.settings["cells"])
    keep, size = float(ask.settings["keep"]), batch.shape[-2:]
    if not 0 < keep < 1:
        raise BadInput("The part of the image that RISE keeps lies between 0 and 1.")
    base = baseline_of(batch, str(ask.settings["baseline"]))
    out = []
    for image, ground in zip(batch, base, strict=True):
        dice = torch.Generator().manual_seed(int(ask.settings["seed"]))
        scores: list[Tensor] = []
        total = torch.zeros(size, dtype=torch.float64, device=batch.device)
        plain = torch.zeros_like(total)
        step = int(ask.settings["batch"])
        ask.progress.start(count, "masks", "Asking the network")
        for low in range(0, count, step):
            now = min(step, count - low)
            masks = _rise_masks(now, cells, keep, (size[0], size[1]), dice).to(batch)
            seen = ground + masks[:, None] * (image - ground)
            found = ask.scores(seen).double()
            total += torch.einsum("n,nhw->hw", found, masks.double())
            plain += masks.double().sum(0)
            scores.append(found)
            ask.progress.advance(now)
        mean = torch.cat(scores).mean()
        out.append(((total - mean * plain) / (count * keep)).float())
    return torch.stack(out)


def token_occlusion(ask: Ask, batch: Tensor) -> Tensor:
    """The score lost when a square of patches' tokens is replaced by the mean token.

    After the embedding, so that the network sees no edge that the image does not have. The
    square slides by one patch; every patch gets the mean over the squares that held it.
    """
    layer, patch = ask.place, int(ask.settings["patch"])
    entry = next(
        x
        for x in layers_of(ask.classifier, batch)
        if x.kind == TOKENS and (x.grid, x.leading) == (layer.grid, layer.leading)
    )
    rows, cols = layer.grid
    if patch > min(rows, cols):
        raise BadInput(f"The network has {rows} × {cols} patches; take fewer at a time.")
    numbers = torch.arange(rows * cols).reshape(rows, cols) + layer.leading
    groups = [
        numbers[r : r + patch, c : c + patch].flatten()
        for r in range(rows - patch + 1)
        for c in range(cols - patch + 1)
    ]
    out = []
    for image in batch:
        whole = ask.scores(image[None])[0]
        total, covered = torch.zeros(rows * cols), torch.zeros(rows * cols)
        step = int(ask.settings["batch"])
        ask.progress.start(len(groups), "patches", "Taking away patches")
        for low in range(0, len(groups), step):
            some = groups[low : low + step]
            change = _without_tokens(some, layer.leading)
            with ask.classifier.running() as network:
                handle = network.get_submodule(entry.name).register_forward_hook(change)
                try:
                    found = ask.scores(image.expand(len(some), *image.shape))
                finally:
                    handle.remove()
            for group, lost in zip(some, (whole - found).cpu(), strict=True):
                total[group - layer.leading] += lost
                covered[group - layer.leading] += 1
            ask.progress.advance(len(some))
        out.append((total / covered).reshape(rows, cols))
    return torch.stack(out).to(batch.device)


def band_ranges(ask: Ask, count: int) -> list[tuple[str, list[int]]]:
    """Return the ranges of bands to take away: by wavelength where that is known.

    The setting ``ranges`` names others: ``"VIS:400-700;NIR:700-1000"``, in nm, or in band
    numbers from 1 where there are no wavelengths.

    Raises
    ------
    BadInput
        There are too few bands, or the ranges hold none.
    """
    from backends.hyperspectral.groups import PHYSICAL, band_groups, parse_groups

    text = str(ask.settings["ranges"])
    if count < 3:
        raise BadInput(
            f"The network reads {count} bands; there is no spectrum to take apart.",
            way_out="Use occlusion in place.",
        )
    nm = np.asarray(ask.wavelength_nm, float) if len(ask.wavelength_nm) == count else None
    known = nm is not None and bool(np.isfinite(nm).all())
    if not text:
        groups = band_groups(nm if known else None, count, full=False, edges=PHYSICAL)
    else:
        at = nm if known else np.arange(1, count + 1, dtype=float)
        unit = "" if known else "b"
        groups = band_groups(at, count, full=False, edges=parse_groups(text), unit=unit)
    if groups.note:
        ask.side.setdefault("notes", []).append(groups.note)
    return [(n, m.tolist()) for n, m in zip(groups.names, groups.members, strict=True)]


def _slide(ask: Ask, image: Tensor, bands: list[int] | None) -> Tensor:
    """Return what each pixel's squares cost on average, shape (rows, cols)."""
    rows, cols = int(image.shape[-2]), int(image.shape[-1])
    window, stride = _window(ask, rows, cols)
    base = baseline_of(image, str(ask.settings["baseline"]))[0]
    places = [
        (r, c)
        for r in range(0, 1 + stride * -(-max(0, rows - window) // stride), stride)
        for c in range(0, 1 + stride * -(-max(0, cols - window) // stride), stride)
    ]
    which: Any = slice(None) if bands is None else bands

    def without(low: int, high: int) -> Tensor:
        some = image.repeat(high - low, 1, 1, 1)
        for one, (r, c) in zip(some, places[low:high], strict=True):
            at = slice(r, r + window), slice(c, c + window)
            one[which, at[0], at[1]] = base[which, at[0], at[1]]
        return some

    whole = ask.scores(image)[0]
    lost = (whole - ask.scores_of(len(places), without)).cpu()
    total, covered = torch.zeros(rows, cols), torch.zeros(rows, cols)
    for (r, c), value in zip(places, lost, strict=True):
        total[r : r + window, c : c + window] += value
        covered[r : r + window, c : c + window] += 1
    return (total / covered.clamp(min=1)).to(image.device)


def _window(ask: Ask, rows: int, cols: int) -> tuple[int, int]:
    """Return the side of the square and its step; a seventh of the image and half of that."""
    window = int(ask.settings["window"]) or max(1, round(min(rows, cols) / 7))
    stride = int(ask.settings["stride"]) or max(1, window // 2)
    if window > min(rows, cols) or stride > window:
        raise BadInput(
            f"A square of {window} pixels and a step of {stride} do not cover an input of "
            f"{rows} × {cols}.",
            way_out="Choose a smaller square, and a step no larger than it.",
        )
    return window, stride


def _rise_masks(
    count: int, cells: int, keep: float, size: tuple[int, int], dice: torch.Generator
) -> Tensor:
    """Return smooth random masks of shape (count, rows, cols), 0 to 1."""
    cell = -(-size[0] // cells), -(-size[1] // cells)
    grid = (torch.rand((count, 1, cells, cells), generator=dice) < keep).float()
    # One cell larger than the image, which leaves room for the shift.
    large = ((cells + 1) * cell[0], (cells + 1) * cell[1])
    smooth = nn.functional.interpolate(grid, large, mode="bilinear", align_corners=False)[:, 0]
    down = torch.randint(0, cell[0], (count,), generator=dice).tolist()
    across = torch.randint(0, cell[1], (count,), generator=dice).tolist()
    return torch.stack(
        [
            mask[r : r + size[0], c : c + size[1]]
            for mask, r, c in zip(smooth, down, across, strict=True)
        ]
    )


def _without_tokens(groups: list[Tensor], leading: int) -> Any:
    def change(part: nn.Module, given: Any, output: Tensor) -> Tensor:
        changed = output.clone()
        mean = output[:, leading:].mean(1)
        for number, group in enumerate(groups):
            changed[number, group.to(output.device)] = mean[number]
        return changed

    return change


def _keep_parts(ask: Ask, parts: Tensor, names: list[str]) -> None:
    ask.side["parts"] = parts.float().cpu().numpy()
    ask.side["part_names"] = tuple(names)
