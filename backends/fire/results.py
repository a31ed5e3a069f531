"""What was found in a scene: the record, its layers, its summary."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.fire.applying import RuleMap
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import TileAnswer
from backends.fire.disagreement import CLASSES, disagreement
from backends.fire.fields import FireImage
from backends.fire.rules import rule, usable
from backends.overlays import ClassMap, Overlay, Provenance, ScoreMap

FIRE = {1: "Fire"}
VERDICTS = {1: "Calm", 2: "Fire"}
DROPPED = 3


@dataclass(frozen=True)
class Tuning:
    """What may be turned after the networks have read a scene.

    Attributes
    ----------
    gate : float
        Probability from which a tile is looked at closely.
    threshold : float
        Probability from which a pixel is fire.
    min_size : int
        Pixels below which a spot is left out.
    """

    gate: float
    threshold: float
    min_size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.gate <= 1 or not 0 <= self.threshold <= 1:
            raise WrongUse("Gate and pixel threshold are probabilities.", way_out="Give 0 to 1.")
        if self.min_size < 1:
            raise WrongUse("The least size is a number of pixels.", way_out="Give 1 or more.")


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
    tuning : Tuning
        By which mask and verdicts were drawn.
    dropped : bool array of shape (rows, cols), or None
        What a feed left out.
    """

    overlays: tuple[Overlay, ...]
    rules: Mapping[str, RuleMap]
    probability: NDArray[np.float32] | None
    mask: NDArray[np.bool_]
    tiles: tuple[TileAnswer, ...]
    summary: Mapping[str, Any]
    tuning: Tuning
    dropped: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class TilePartial:
    """A tile that has just been read, for the window.

    Attributes
    ----------
    tiles : tuple of TileAnswer
        All so far, this one last.
    overlays : tuple of Overlay
        Verdicts, probability and mask so far, marked partial; empty where there was no time.
    """

    tiles: tuple[TileAnswer, ...]
    overlays: tuple[Overlay, ...]

    @property
    def tile(self) -> TileAnswer:
        """The newest."""
        return self.tiles[-1]


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


def mask_of(probability: NDArray[np.float32], tuning: Tuning) -> NDArray[np.bool_]:
    """Return what is fire by a probability; what was not measured is none."""
    with np.errstate(invalid="ignore"):
        fire = np.nan_to_num(probability) >= np.float32(tuning.threshold)
    return without_small(fire, tuning.min_size)


def any_rule(found: Mapping[str, RuleMap], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return what any rule of flames calls fire."""
    mask = np.zeros(shape, bool)
    for answer in found.values():
        if answer.rule.id != "G":  # burnt ground is no flame
            mask |= answer.mask
    return mask


def summary_of(
    image: FireImage, found: Mapping[str, RuleMap], model: FireNetworks | None,
    mask: NDArray[np.bool_], tiles: Sequence[TileAnswer], tuning: Tuning,
) -> dict[str, Any]:  # fmt: skip
    """Return what was found in plain values."""
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
            "gate": tuning.gate,
            "pixel_threshold": tuning.threshold,
            "tiles": len(tiles),
            "tiles_opened": sum(t.chance >= tuning.gate and t.opened for t in tiles),
            "weights_digest": model.digest,
        },
        "min_size": tuning.min_size,
        "fire_pixels": pixels,
        "fire_ha": None if area is None else round(pixels * area / 1e4, 3),
        "notes": list(image.notes),
    }


class Maker:
    """Makes the layers of one scene with the provenance they share.

    A layer of a scene has the same id each time, so that a new run takes the place of the old.
    """

    def __init__(self, image: FireImage, command: str, tuning: Tuning) -> None:
        self.image, self.command, self.tuning = image, command, tuning
        rows, cols, _ = image.scene.shape
        self.shape = rows, cols

    def provenance(
        self, *, model: FireNetworks | None = None, rule_id: str = "",
        numbers: Mapping[str, Any] | None = None, device: str = "cpu", seconds: float = 0.0,
    ) -> Provenance:  # fmt: skip
        """Return what made a layer."""
        scene = self.image.scene
        notes = list(self.image.notes)
        parameters: dict[str, Any] = {"night": self.image.night, **(numbers or {})}
        if model is not None:
            parameters |= {
                "channels": list(model.channels), "gate": self.tuning.gate,
                "pixel_threshold": self.tuning.threshold, "min_size": self.tuning.min_size,
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

    def by_rules(self, rules: Sequence[str], began: float) -> Provenance:
        """Return what made the mask of several rules."""
        parameters = {
            "rules": list(rules), "night": self.image.night, "min_size": self.tuning.min_size
        }  # fmt: skip
        notes = (*self.image.notes, "What any of the rules calls fire; nobody has verified it.")
        scene = self.image.scene
        return Provenance(
            "fire rules", "1", parameters=parameters, scene_digest=scene.digest,
            scene_path=str(scene.info.path or ""), seconds=time.perf_counter() - began,
            command=self.command, notes=notes,
        )  # fmt: skip

    def of_model(
        self, tiles: Sequence[TileAnswer], probability: NDArray[np.float32],
        mask: NDArray[np.bool_], by: Provenance, dropped: NDArray[np.bool_] | None = None,
    ) -> list[Overlay]:  # fmt: skip
        """Return the layers of the networks, lowest first."""
        return [
            self.scores("Fire probability", probability, by),
            self.verdicts(tiles, by, dropped),
            self.classes("Fire mask", mask, by),
        ]

    def beside(
        self, rules: NDArray[np.bool_], mask: NDArray[np.bool_], valid: NDArray[np.bool_],
        by: Provenance,
    ) -> ClassMap:  # fmt: skip
        """Return where rules and networks disagree."""
        return self._classes("Rules and model", disagreement(rules, mask, valid), CLASSES, by)

    def classes(
        self, title: str, mask: NDArray[np.bool_], by: Provenance, *, shown: bool = True
    ) -> ClassMap:
        """Return a mask as a layer."""
        return self._classes(title, mask.astype(np.uint8), FIRE, by, shown=shown)

    def _classes(
        self, title: str, labels: NDArray[np.uint8], names: Mapping[int, str], by: Provenance,
        *, shown: bool = False,
    ) -> ClassMap:  # fmt: skip
        return ClassMap(
            title, self.image.scene.id, by, labels=labels, class_names=names, shown=shown,
            id=self.id_of(title),
        )  # fmt: skip

    def scores(
        self,
        title: str,
        values: NDArray[np.float32],
        by: Provenance,
        *,
        centre: float | None = None,
    ) -> ScoreMap:
        """Return a raster of numbers as a layer, hidden until it is asked for."""
        return ScoreMap(
            title, self.image.scene.id, by, values=values, centre=centre, shown=False,
            id=self.id_of(title),
        )  # fmt: skip

    def verdicts(
        self, tiles: Sequence[TileAnswer], by: Provenance,
        dropped: NDArray[np.bool_] | None = None,
    ) -> ClassMap:  # fmt: skip
        """Return the grid of tiles: fire where the gate opened, as sure as the classifier is.

        Parameters
        ----------
        dropped : bool array of the scene's shape, optional
            What a feed left out.
        """
        labels = np.zeros(self.shape, np.uint8)
        chance = np.zeros(self.shape, np.float32)
        # Where tiles overlap the surer one shows.
        for tile in sorted(tiles, key=lambda t: t.chance):
            at = tile.window.slices
            labels[at] = 2 if tile.chance >= self.tuning.gate else 1
            chance[at] = tile.chance
        names = dict(VERDICTS)
        if dropped is not None and dropped.any():
            labels[dropped], chance[dropped] = DROPPED, 0.0
            names[DROPPED] = "Dropped, not read"
        sure = np.where(labels == 2, chance, np.where(labels != 0, 1 - chance, 0))
        return ClassMap(
            "Tile verdicts", self.image.scene.id, by, labels=labels, class_names=names,
            confidence=sure.astype(np.float32), fade=True, shown=False, id=self.id_of("verdicts"),
        )  # fmt: skip

    def id_of(self, title: str) -> str:
        """Return the id of a layer, the same for each run over the scene."""
        return uuid.uuid5(uuid.NAMESPACE_OID, f"fire {self.image.scene.id} {title}").hex
