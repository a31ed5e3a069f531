"""Finding fire in a scene: rules, networks, and where they disagree, as overlays.

The window and the command line call `detect`; tiles arrive through `Progress.partial` while it
runs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.fire.applying import RuleMap, apply_rule
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import GATE, OVERLAP, Combined, TileAnswer, run_combined, tile_windows
from backends.fire.disagreement import CLASSES, disagreement
from backends.fire.fields import FireImage
from backends.fire.rules import rule, usable
from backends.jobs import Progress
from backends.overlays import ClassMap, Overlay, Provenance, ScoreMap
from backends.scene import Scene

FIRE = {1: "Fire"}
VERDICTS = {1: "No fire", 2: "Fire"}
# What is asked for first where nobody says which: as far as the bands allow.
DEFAULT_RULES = ("A", "B", "C", "F")


@dataclass(frozen=True, eq=False)
class FireResult:
    """What was found in a scene.

    Attributes
    ----------
    overlays : tuple of Overlay
        Probability, mask, tile verdicts, a mask a rule with its margin, disagreement.
    rules : mapping of str to RuleMap
    probability : float32 array of shape (rows, cols), or None
    mask : bool array of shape (rows, cols)
        The model's fire, or without a model what any rule calls fire; small spots left out.
    tiles : tuple of TileAnswer
    summary : mapping
        Ready for JSON.
    """

    overlays: tuple[Overlay, ...]
    rules: Mapping[str, RuleMap]
    probability: NDArray[np.float32] | None
    mask: NDArray[np.bool_]
    tiles: tuple[TileAnswer, ...]
    summary: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class TilePartial:
    """A tile that has just been read, for the window.

    Attributes
    ----------
    tile : TileAnswer
    overlays : tuple of Overlay
        Verdicts and probability so far, marked partial.
    """

    tile: TileAnswer
    overlays: tuple[Overlay, ...]


def detect(
    scene: Scene | FireImage,
    *,
    rules: Sequence[str] | None = None,
    model: FireNetworks | None = None,
    gate: float = GATE,
    pixel_threshold: float | None = None,
    min_size: int = 1,
    numbers: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "cpu",
    command: str = "",
    progress: Progress | None = None,
) -> FireResult:
    """Run fire rules and, where given, the networks over a scene.

    Parameters
    ----------
    scene : Scene or FireImage
        A `FireImage` carries what was said about bands, units, day or night.
    rules : sequence of str, optional
        Ids of `backends.fire.rules.RULES`; default A, B, C and F as far as the bands allow.
    model : FireNetworks, optional
    gate : float
        Probability from which a tile is looked at closely.
    pixel_threshold : float, optional
        Probability from which a pixel is fire; default what the networks' training chose, or 0.5.
    min_size : int
        Pixels below which a spot is left out of the mask.
    numbers : mapping of rule id to mapping, optional
        Numbers of rules to change.

    Raises
    ------
    BadInput
        The bands or units are not known, or nothing that was asked for can run.
    WrongUse
        A number out of its range, or an unknown rule.
    """
    if not 0 <= gate <= 1 or (pixel_threshold is not None and not 0 <= pixel_threshold <= 1):
        raise WrongUse("Gate and pixel threshold are probabilities.", way_out="Give 0 to 1.")
    if min_size < 1:
        raise WrongUse("The least size is a number of pixels.", way_out="Give 1 or more.")
    progress = progress or Progress()
    image = scene if isinstance(scene, FireImage) else FireImage(scene)
    began = time.perf_counter()
    chosen = _choose(image, rules, model)
    made = _Maker(image, command, gate, min_size)
    rows, cols, _ = image.scene.shape
    found: dict[str, RuleMap] = {}
    for rule_id in chosen:
        progress.start(rows * cols, "pixels", f"Rule {rule(rule_id).title}")
        found[rule_id] = apply_rule(image, rule_id, (numbers or {}).get(rule_id), progress=progress)
    rule_mask = _either(found, (rows, cols))
    overlays: list[Overlay] = []
    probability: NDArray[np.float32] | None = None
    tiles: tuple[TileAnswer, ...] = ()
    threshold = 0.5
    if model is not None:
        default = float(model.facts.get("pixel_threshold", 0.5))
        threshold = default if pixel_threshold is None else pixel_threshold
        answer = _ask_model(image, model, made, gate, device, progress)
        probability, tiles = answer.probability, answer.tiles
        with np.errstate(invalid="ignore"):
            mask = without_small(np.nan_to_num(probability) >= threshold, min_size)
        seconds = time.perf_counter() - began
        by_model = made.provenance(model=model, threshold=threshold, device=device, seconds=seconds)
        overlays += [
            made.scores("Fire probability", probability, by_model, shown=False),
            made.classes("Fire mask", mask, by_model),
            made.verdicts(tiles, by_model),
        ]
        if found:
            both = disagreement(rule_mask, mask, np.isfinite(probability))
            overlays.append(
                ClassMap(
                    "Rules and model", image.scene.id, by_model, labels=both,
                    class_names=CLASSES, shown=False,
                )
            )  # fmt: skip
    else:
        mask = without_small(rule_mask, min_size)
    for rule_id, answer_map in found.items():
        by_rule = made.provenance(rule_id=rule_id, numbers=(numbers or {}).get(rule_id))
        title = f"Rule {answer_map.rule.title}"
        overlays.append(made.classes(title, answer_map.mask, by_rule, shown=model is None))
        overlays.append(made.scores(f"{title}: margin", answer_map.margin, by_rule, centre=0.0))
    summary = _summary(image, found, model, mask, tiles, gate, threshold, min_size)
    summary["seconds"] = round(time.perf_counter() - began, 3)
    return FireResult(tuple(overlays), found, probability, mask, tiles, summary)


def without_small(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Leave out spots (8 neighbours) of fewer pixels."""
    if least <= 1 or not mask.any():
        return mask
    from scipy.ndimage import label

    spots, _ = label(mask, np.ones((3, 3)))
    sizes = np.bincount(spots.ravel())
    keep = sizes >= least
    keep[0] = False
    return np.asarray(keep[spots])


def _choose(image: FireImage, rules: Sequence[str] | None, model: FireNetworks | None) -> list[str]:
    reasons = usable(image)
    if rules is None:
        chosen = [r for r in DEFAULT_RULES if not reasons[r]]
    else:
        chosen = list(dict.fromkeys(rules))
        for rule_id in chosen:
            image.bands.need(*rule(rule_id).needs, subject=image.scene.title)
    if not chosen and model is None:
        raise BadInput(
            f"No fire rule can be asked of {image.scene.title}: it has neither heat nor shortwave "
            "infrared.",
            subject=image.scene.info.path,
            way_out="Open a scene with a band near 3.7 µm, or near 2.2 µm.",
        )
    return chosen


def _either(found: Mapping[str, RuleMap], shape: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    for answer in found.values():
        if answer.rule.id != "G":  # burnt ground is no flame
            mask |= answer.mask
    return mask


def _ask_model(
    image: FireImage, model: FireNetworks, made: _Maker, gate: float, device: str,
    progress: Progress,
) -> Combined:  # fmt: skip
    rows, cols, _ = image.scene.shape
    count = sum(1 for _ in tile_windows(rows, cols, OVERLAP))
    progress.start(count, "tiles", "Reading tiles")
    seen: list[TileAnswer] = []

    def tell(tile: TileAnswer, so_far: NDArray[np.float32]) -> None:
        seen.append(tile)
        if progress.is_watched:
            by = made.provenance(model=model, device=device)
            parts = (
                replace(made.verdicts(tuple(seen), by), partial=True),
                replace(made.scores("Fire probability", so_far, by), partial=True),
            )
            progress.partial(TilePartial(tile, parts))

    return run_combined(image, model, gate=gate, device=device, on_tile=tell, progress=progress)


def _summary(
    image: FireImage, found: Mapping[str, RuleMap], model: FireNetworks | None,
    mask: NDArray[np.bool_], tiles: Sequence[TileAnswer], gate: float, threshold: float,
    min_size: int,
) -> dict[str, Any]:  # fmt: skip
    area = image.scene.pixel_area_m2()
    pixels = int(mask.sum())
    return {
        "scene": image.scene.title,
        "sensor": image.bands.sensor,
        "night": image.night,
        "units": sorted(set(image.units)),
        "rules": {
            rule_id: {"title": a.rule.title, "pixels": int(a.mask.sum()), "source": a.rule.source}
            for rule_id, a in found.items()
        },
        "not_asked": {
            rule_id: reason
            for rule_id, reason in usable(image).items()
            if reason and rule_id not in found
        },
        "model": None
        if model is None
        else {
            "channels": list(model.channels),
            "gate": gate,
            "pixel_threshold": threshold,
            "tiles": len(tiles),
            "tiles_opened": sum(t.opened for t in tiles),
            "weights_digest": model.digest,
        },
        "min_size": min_size,
        "fire_pixels": pixels,
        "fire_ha": None if area is None else round(pixels * area / 1e4, 3),
        "notes": list(image.notes),
    }


class _Maker:
    """Makes overlays of one scene with the provenance they share."""

    def __init__(self, image: FireImage, command: str, gate: float, min_size: int) -> None:
        self.image, self.command = image, command
        self.gate, self.min_size = gate, min_size

    def provenance(
        self, *, model: FireNetworks | None = None, threshold: float = 0.5, rule_id: str = "",
        numbers: Mapping[str, Any] | None = None, device: str = "cpu", seconds: float = 0.0,
    ) -> Provenance:  # fmt: skip
        """Return what made a layer."""
        scene = self.image.scene
        notes = list(self.image.notes)
        parameters: dict[str, Any] = {"night": self.image.night, **(numbers or {})}
        if model is not None:
            parameters |= {
                "channels": list(model.channels), "gate": self.gate,
                "pixel_threshold": threshold, "min_size": self.min_size,
            }  # fmt: skip
            notes.append("A draft of a model: nobody has verified it.")
            if self.image.night:
                notes.append("Night: no published line of the networks' paper was flown at night.")
        elif not rule(rule_id).verified:
            notes.append("The numbers of this rule were not checked against its source.")
        return Provenance(
            "ams_fire" if model is not None else f"fire rule {rule_id}",
            "1",
            weights_digest="" if model is None else model.digest,
            parameters=parameters,
            scene_digest=scene.digest,
            scene_path=str(scene.info.path or ""),
            device=device,
            seconds=seconds,
            command=self.command,
            notes=tuple(notes),
        )

    def classes(
        self, title: str, mask: NDArray[np.bool_], by: Provenance, *, shown: bool = True
    ) -> ClassMap:
        """Return a mask as a layer."""
        labels = mask.astype(np.uint8)
        return ClassMap(
            title, self.image.scene.id, by, labels=labels, class_names=FIRE, shown=shown
        )

    def scores(
        self, title: str, values: NDArray[np.float32], by: Provenance, *, shown: bool = False,
        centre: float | None = None,
    ) -> ScoreMap:  # fmt: skip
        """Return a raster of numbers as a layer."""
        return ScoreMap(title, self.image.scene.id, by, values=values, centre=centre, shown=shown)

    def verdicts(self, tiles: Sequence[TileAnswer], by: Provenance) -> ClassMap:
        """Return the grid of tiles: fire where the gate opened, as sure as the classifier is."""
        rows, cols, _ = self.image.scene.shape
        labels = np.zeros((rows, cols), np.uint8)
        chance = np.zeros((rows, cols), np.float32)
        # Where tiles overlap the surer one shows.
        for tile in sorted(tiles, key=lambda t: t.chance):
            at = tile.window.slices
            labels[at] = 2 if tile.chance >= self.gate else 1
            chance[at] = tile.chance
        sure = np.where(labels == 2, chance, np.where(labels == 1, 1 - chance, 0))
        return ClassMap(
            "Tile verdicts", self.image.scene.id, by, labels=labels, class_names=VERDICTS,
            confidence=sure.astype(np.float32), fade=True, shown=False,
        )  # fmt: skip
