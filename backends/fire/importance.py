"""Which bands the networks lean on in the scene at hand: each is hidden in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.fire.applying import scene_means
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import SIDE, ask_tile, tile_windows
from backends.fire.fields import Fields, FireImage
from backends.fire.measures import PixelCounts, count_pixels, pooled
from backends.fire.published import published_table
from backends.fire.roles import ROLES
from backends.fire.rules import Rule, rule
from backends.fire.sensors import AMS_12
from backends.jobs import Progress
from backends.scene import Window


@dataclass(frozen=True)
class BandImportance:
    """What is lost without a channel.

    Attributes
    ----------
    channel : int
        AMS channel, from 1.
    title : str
    mean_change : float
        Change of the mean fire probability when its values are shuffled among the pixels.
    iou_change : float or None
        Change of fire IoU, where the truth is known.
    published_alone : float or None
        Fire IoU of the paper's networks that saw this channel only, derived from its table.
    """

    channel: int
    title: str
    mean_change: float
    iou_change: float | None
    published_alone: float | None


def band_importance(
    image: FireImage,
    networks: FireNetworks,
    *,
    truth: NDArray[Any] | None = None,
    threshold: float = 0.5,
    most_tiles: int = 16,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[BandImportance]:
    """Shuffle each channel among the pixels of a tile and see what changes.

    Shuffling keeps the channel's values and takes away where they are. The segmenter is asked
    on every tile, whatever the gate says.

    Parameters
    ----------
    truth : bool array of shape (rows, cols), optional
    most_tiles : int
        Evenly chosen where there are more.
    """
    progress = progress or Progress()
    rows, cols, _ = image.scene.shape
    windows = list(tile_windows(rows, cols, 0))
    step = -(-len(windows) // most_tiles)
    windows = windows[::step]
    channels = networks.channels
    progress.start(len(windows) * (len(channels) + 1), "tiles", "Hiding bands in turn")
    sums = np.zeros(len(channels) + 1)
    counts: list[list[PixelCounts]] = [[] for _ in range(len(channels) + 1)]
    rng = np.random.default_rng(seed)
    for window in windows:
        planes, valid, inside = _tile(image, window, channels)
        for hidden in range(-1, len(channels)):
            progress.check()
            shown = planes.copy()
            if hidden >= 0:
                part = shown[hidden][valid]
                shown[hidden][valid] = rng.permutation(part)
            _, drawn = ask_tile(networks, shown, 0.0, device)
            assert drawn is not None
            sums[hidden + 1] += float(drawn[valid].mean()) / len(windows) if valid.any() else 0.0
            if truth is not None:
                wanted = np.zeros((SIDE, SIDE), bool)
                wanted[: inside.height, : inside.width] = truth[inside.slices]
                counts[hidden + 1].append(count_pixels(drawn >= threshold, wanted, valid))
            progress.advance()
    alone = {r["channels"][0]: r["fire_iou"] for r in published_table() if len(r["channels"]) == 1}
    whole = pooled(counts[0]).fire_iou
    return [
        BandImportance(
            number,
            AMS_12.channel(number).role,
            float(sums[i + 1] - sums[0]),
            None if truth is None else float(pooled(counts[i + 1]).fire_iou - whole),
            alone.get(number),
        )
        for i, number in enumerate(channels)
    ]


@dataclass(frozen=True)
class RuleImportance:
    """What is left of a rule's fire when a band says nothing of where it is.

    Attributes
    ----------
    role, title, band : str
        Part that the band plays, in words, and the band's own name.
    kept : mapping of str to float
        By rule: IoU of its fire with that of all bands; 1 where it does not look at the band,
        ``nan`` where it saw no fire at all.
    published_alone : float or None
        Fire IoU of the paper's networks that saw only the AMS channel that this band stands for.
    """

    role: str
    title: str
    band: str
    kept: Mapping[str, float]
    published_alone: float | None


def rule_importance(
    image: FireImage,
    rules: Sequence[str],
    *,
    numbers: Mapping[str, Mapping[str, Any]] | None = None,
    side: int = 1024,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[RuleImportance]:
    """Shuffle each band that the rules look at among the pixels, and see what fire is left.

    Parameters
    ----------
    rules : sequence of str
    side : int
        The middle of a larger scene is looked at, so many rows and columns.

    Raises
    ------
    BadInput
        The scene lacks a band of a rule.
    """
    chosen = [rule(r) for r in rules]
    for one in chosen:
        image.bands.need(*one.needs, subject=image.scene.title)
    progress = progress or Progress()
    rows, cols, _ = image.scene.shape
    high, wide = min(side, rows), min(side, cols)
    window = Window((rows - high) // 2, (cols - wide) // 2, high, wide)
    roles = [r for r in ROLES if r in image.bands.roles and _looks_at(chosen, r)]
    progress.start((len(roles) + 1) * len(chosen), "rules", "Hiding bands in turn")
    fields = image.fields(window, scene_means(image))
    rng = np.random.default_rng(seed)
    whole: dict[str, NDArray[np.bool_]] = {}
    found = []
    channel_of = {band: number for number, band in image.bands.ams.items()}
    alone = {r["channels"][0]: r["fire_iou"] for r in published_table() if len(r["channels"]) == 1}
    for hidden in ("", *roles):
        shown = fields if not hidden else _hidden(fields, hidden, rng)
        kept = {}
        for one in chosen:
            progress.check()
            with np.errstate(invalid="ignore", divide="ignore"):
                mask = one.run(shown, **(numbers or {}).get(one.id, {})).holds & fields.valid
            if not hidden:
                whole[one.id] = mask
            kept[one.id] = float(count_pixels(mask, whole[one.id], fields.valid).fire_iou)
            progress.advance()
        if hidden:
            band = image.bands.roles[hidden]
            found.append(
                RuleImportance(
                    hidden, ROLES[hidden].title, image.scene.bands.label(band), kept,
                    alone.get(channel_of.get(band, 0)),
                )
            )  # fmt: skip
    return found


def _looks_at(rules: Sequence[Rule], role: str) -> bool:
    # Rules A and F take more than they need where it is there.
    extra = {"A": ("tir",), "F": ("blue", "green", "coastal"), "C": ("red", "nir", "swir2")}
    return any(role in (*one.needs, *extra.get(one.id[:1], ())) for one in rules)


def _hidden(fields: Fields, role: str, rng: np.random.Generator) -> Fields:
    """Return the fields with one band's values dealt out anew among the measured pixels."""

    def dealt(values: NDArray[Any]) -> NDArray[Any]:
        out = values.copy()
        out[fields.valid] = rng.permutation(out[fields.valid])
        return out

    if role == "mwir" and fields.t4 is not None:
        return replace(fields, t4=dealt(fields.t4))
    if role == "tir" and fields.t11 is not None:
        return replace(fields, t11=dealt(fields.t11))
    light = dict(fields.reflectance)
    light[role] = dealt(light[role])
    rgb = fields.rgb
    if rgb is not None and role in ("red", "green", "blue"):
        rgb = rgb.copy()
        at = ("red", "green", "blue").index(role)
        rgb[..., at] = np.clip(np.nan_to_num(light[role]) * 510, 0, 255)
    return replace(fields, reflectance=light, rgb=rgb)


def _tile(
    image: FireImage, window: Window, channels: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Window]:
    rows, cols, _ = image.scene.shape
    inside = window.clip(rows, cols)
    planes = np.zeros((len(channels), SIDE, SIDE), np.float32)
    valid = np.zeros((SIDE, SIDE), bool)
    found, good = image.unit_planes(inside, tuple(channels))
    planes[:, : inside.height, : inside.width] = found
    valid[: inside.height, : inside.width] = good
    return planes, valid, inside
