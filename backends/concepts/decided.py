"""A decision as a record: before and after concepts were changed, what each adds, in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.concepts.changes import Changes
from backends.concepts.desk import ConceptReading
from backends.concepts.desk_decision import Decision, ImageDecision, learn_decision
from backends.concepts.encoders import Encoder
from backends.concepts.feature_cache import FeatureCache
from backends.errors import WrongUse
from backends.io.writers.atomic import write_text
from backends.jobs import Progress
from backends.label_files import labels_for
from backends.scene import Scene


@dataclass(frozen=True, eq=False)
class Decided:
    """What is decided at a place, or on an image, before and after changes.

    Attributes
    ----------
    decision : Decision
    token : int
        The cell that is decided on; 0 of a whole image.
    target : int
        The class that is explained; below 0 the likeliest before anything was changed.
    changes : mapping of int to Change
    """

    decision: Decision
    token: int
    target: int
    changes: Changes

    def to_dict(self, most: int = 10) -> dict[str, Any]:
        """Return plain values; the parts of each side sum to the logit of the target.

        Of the parts -2 stands for all other concepts, -1 for the constant part.
        """
        changes, here = self.changes, self.decision.code(self.token)
        after = self.decision.code(self.token, changes)
        told: dict[str, Any] = {
            "by": self.decision.sentence, "classes": list(self.decision.probe.classes),
            "changes": [
                {"concept": n, "name": self.decision.name(n), "change": change.sentence,
                 "scale": change.scale, "value": change.value,
                 "did": bool(after[n] != here[n])}
                for n, change in changes.items()
            ],
            "before": self._side({}, most),
        }  # fmt: skip
        if changes:
            told["after"] = self._side(changes, most)
        return told

    def _side(self, changes: Changes, most: int) -> dict[str, Any]:
        decision, probe = self.decision, self.decision.probe
        code = decision.code(self.token, changes)
        before = probe.logits(decision.code(self.token))
        target = int(before.argmax()) if self.target < 0 else self.target
        logits = probe.logits(code)
        names = {-1: "constant part", -2: "all others"}
        return {
            "class": probe.classes[int(logits.argmax())], "target": target,
            "target_class": probe.classes[target], "logits": logits.tolist(),
            "probabilities": probe.probabilities(code).tolist(),
            "parts": [
                {"concept": p.concept, "name": names.get(p.concept) or decision.name(p.concept),
                 "amount": p.amount}
                for p in decision.parts(self.token, target, changes, most)
            ],
        }  # fmt: skip


def decided(
    reading: ConceptReading,
    scene: Scene,
    encoder: Encoder,
    *,
    place: tuple[int, int] | None = None,
    target: str = "",
    labels: Path | None = None,
    bottleneck: Path | None = None,
    changes: Changes | None = None,
    progress: Progress | None = None,
) -> dict[str, Any] | None:
    """Decide, and decide again with concepts changed; None where nothing can decide.

    A bottleneck decides where one is given, else labels that teach it, else what came with
    the concepts.

    Parameters
    ----------
    place : (row, col), optional
        What labels teach is asked here.
    target : str
        The class that is explained; empty the likeliest.

    Raises
    ------
    WrongUse
        There is no such class or concept; labels without a place; changes of nothing.
    BadInput
        Labels of one class, or a bottleneck of another encoder.
    """
    decision, token = _deciding(reading, scene, encoder, place, labels, bottleneck, progress)
    if decision is None:
        if changes:
            raise WrongUse(
                "Nothing decides by these concepts, so that changing one changes nothing.",
                way_out="Give labels (--labels FILE --at ROW,COL) or a bottleneck (--bottleneck).",
            )
        return None
    classes = decision.probe.classes
    if target and target not in classes:
        raise WrongUse(f"There is no class {target}.", way_out=f"There are {', '.join(classes)}.")
    number = classes.index(target) if target else -1
    return Decided(decision, token, number, changes or {}).to_dict()


def _deciding(
    reading: ConceptReading,
    scene: Scene,
    encoder: Encoder,
    place: tuple[int, int] | None,
    labels: Path | None,
    bottleneck: Path | None,
    progress: Progress | None,
) -> tuple[Decision | None, int]:
    if bottleneck is not None:
        from backends.concepts.desk_bottleneck import decide_by_bottleneck

        features = FeatureCache().features(encoder, scene, progress)
        return decide_by_bottleneck(bottleneck, scene, encoder, features), 0
    if labels is not None:
        if place is None:
            raise WrongUse("Labels teach to decide at a place: say which, --at ROW,COL.")
        given = labels_for(scene, labels, None, progress)
        if given.values.shape != scene.shape[:2]:
            raise WrongUse(
                f"{labels.name} is {given.values.shape[0]} × {given.values.shape[1]} pixels, "
                f"{scene.title} {scene.shape[0]} × {scene.shape[1]}.",
                way_out="Give labels of this image.",
            )
        taught = learn_decision(reading, given.values, given.class_names, progress=progress)
        return taught, reading.image.cell_at(*place)
    if reading.image.probe is None:
        return None, 0
    return ImageDecision(reading, reading.image.probe), 0


def write_decided(told: dict[str, Any], folder: Path, stem: str) -> Path:
    """Write a record as ``_decision.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}_decision.json"
    write_text(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return path
