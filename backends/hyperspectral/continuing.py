"""Going on with a training: what has to agree, and what may not be measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.checkpoints import Checkpoint
from backends.hyperspectral.normalise import BandStretch, match_bands
from backends.hyperspectral.splits import Split
from backends.io.labels import Labels
from backends.registry import card, is_network
from backends.scene import Scene


@dataclass(frozen=True, eq=False)
class Start:
    """A trained network that is to learn further.

    Attributes
    ----------
    checkpoint : Checkpoint
    stretch : BandStretch
        Its own, with the bands of the scene it is to learn on.
    """

    checkpoint: Checkpoint
    stretch: BandStretch

    @property
    def steps_done(self) -> int:
        """Steps behind it; 1 where the checkpoint is older than the count."""
        facts = self.checkpoint.facts
        settings = facts.get("settings", {})
        return max(1, int(facts.get("steps_done", settings.get("steps", 1))))

    def training(self, kind: Any) -> dict[str, Any]:
        """Return the training settings it had; as many steps as are left of an ended one.

        Parameters
        ----------
        kind : type
            The record of training settings.
        """
        facts = self.checkpoint.facts
        had = dict(facts.get("settings", {}))
        found = {item.name: had[item.name] for item in fields(kind) if item.name in had}
        left = int(facts.get("steps_planned", 0)) - int(facts.get("steps_done", 0))
        return found | ({"steps": left} if left > 0 else {})

    @property
    def note(self) -> str:
        """What to know of the result."""
        scene = self.checkpoint.facts.get("scene", "another scene")
        return f"Trained further, from step {self.steps_done} on {scene}."


def start_from(checkpoint: Checkpoint, scene: Scene, labels: Labels) -> Start:
    """Check that a training can go on with these labels on this scene.

    Raises
    ------
    WrongUse
        The model is trained in one go.
    BadInput
        Classes or bands differ; the sentence says which.
    """
    if not is_network(checkpoint.model_id):
        title = card(checkpoint.model_id).title
        raise WrongUse(
            f"{title} is trained in one go and cannot be trained further.",
            way_out="Train it anew with all labels.",
        )
    present = np.unique(labels.values[labels.values > 0]).tolist()
    have = {int(v): labels.class_names.get(int(v), f"Class {v}") for v in present}
    knows = dict(checkpoint.class_names)
    if have != knows:
        differ = [v for v in sorted(have.keys() | knows.keys()) if have.get(v) != knows.get(v)]
        first = differ[0]
        raise BadInput(
            f"The classes differ: number {first} is {have.get(first, 'missing')} in the labels "
            f"and {knows.get(first, 'missing')} in the trained model.",
            way_out="Give the labels the same classes, or train a new model.",
        )
    stretch = checkpoint.stretch
    shape = checkpoint.facts.get("scene_shape")
    if stretch.wavelength_nm is None and shape and int(shape[2]) != scene.shape[2]:
        raise BadInput(
            f"The bands differ: the model was trained on {shape[2]}, {scene.title} has "
            f"{scene.shape[2]}, and neither says its wavelengths.",
            subject=scene.info.path,
            way_out="Train a new model on this scene.",
        )
    bands = match_bands(scene, stretch.bands, stretch.wavelength_nm)
    return Start(checkpoint, replace(stretch, bands=bands))


def same_shape(wanted: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """Refuse settings that would need another network.

    Raises
    ------
    WrongUse
    """
    for name, value in wanted.items():
        if name in plan and str(value) != str(plan[name]):
            raise WrongUse(
                f"The trained model has {name} {plan[name]}; {value} would be another network.",
                way_out="Leave the setting out, or train a new model.",
            )


def kept_from(split: Split, checkpoint: Checkpoint, scene: Scene) -> Split:
    """Take pixels that already taught or chose the network out of what measures it."""
    if not checkpoint.knows(scene):
        return split
    seen = checkpoint.seen
    # The same split again: its validation pixels taught nothing.
    val = split.val
    if not np.array_equal(np.union1d(split.train, split.val), seen):
        val = np.setdiff1d(val, seen)
    return replace(split, val=val, test=np.setdiff1d(split.test, seen))
