"""Weights that exist meet a scene: which file, do they fit, whose statistics are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

import resources
from backends.errors import BadInput, MissingCapability, WrongUse
from backends.hyperspectral.checkpoints import Checkpoint, load_checkpoint
from backends.hyperspectral.normalise import match_bands, stretch_anew
from backends.hyperspectral.splits import Split
from backends.io.labels import Labels
from backends.jobs import Progress
from backends.registry import ModelCard
from backends.scene import Scene

STATISTICS: Mapping[str, str] = MappingProxyType(
    {
        "training": "values are stretched as in the scene the model was trained on",
        "scene": "values are stretched by this scene's own percentiles",
    }
)
# Nearer than this a band is the same one.
SAME_BAND_NM = 1.0


def weights_file(about: ModelCard, given: Path | None) -> Path:
    """Return the file to load, or say that there is none.

    Raises
    ------
    MissingCapability
        The model has no weights of its own.
    """
    if given is not None:
        return given
    if not about.is_trained:
        raise MissingCapability(
            f"{about.title} is untrained: it has no weights of its own.",
            way_out="Give it labels to train on, or a checkpoint.",
        )
    return resources.path("weights", about.weights)


def load_weights(path: Path, about: ModelCard) -> tuple[Checkpoint, str]:
    """Read the weights of a model; return them and the digest of the file.

    Raises
    ------
    WrongUse
        They belong to another model.
    BadInput
        The file is damaged.
    """
    checkpoint, digest = load_checkpoint(path)
    if checkpoint.model_id != about.id:
        raise WrongUse(
            f"{path.name} is a checkpoint of {checkpoint.model_id}, not of {about.id}.",
            way_out=f"Use --model {checkpoint.model_id}.",
        )
    if path == resources.path("weights", about.weights) and digest != about.weights_digest:
        raise BadInput(
            f"{path.name} is not the file its card speaks of.",
            subject=path,
            way_out="Install Clearband anew.",
        )
    return checkpoint, digest


def adapt(
    checkpoint: Checkpoint,
    scene: Scene,
    statistics: str = "training",
    progress: Progress | None = None,
) -> tuple[Checkpoint, tuple[str, ...]]:
    """Make weights ready for a scene; return them and what to know.

    Parameters
    ----------
    statistics : str
        One of `STATISTICS`.

    Raises
    ------
    WrongUse
        There are no such statistics.
    BadInput
        The scene lacks bands the model needs.
    """
    if statistics not in STATISTICS:
        raise WrongUse(
            f"There are no statistics called {statistics}.",
            way_out=f"Use one of: {', '.join(STATISTICS)}.",
        )
    stretch = checkpoint.stretch
    bands = match_bands(scene, stretch.bands, stretch.wavelength_nm)
    notes = [f"Weights trained on {checkpoint.facts.get('scene', 'another scene')}."]
    known = checkpoint.knows(scene)
    if not known:
        notes.append("This is another scene: the accuracy measured there need not hold here.")
    if stretch.wavelength_nm is not None:
        gap = np.abs(scene.bands.wavelengths()[bands] - stretch.wavelength_nm).max()
        if gap > SAME_BAND_NM:
            notes.append(f"Bands are matched by wavelength; the farthest is {gap:.1f} nm off.")
    elif not known:
        notes.append("The weights know no wavelengths: bands are matched by their number.")
    if statistics == "scene":
        stretch = stretch_anew(scene, stretch, bands, progress=progress)
        checkpoint = replace(checkpoint, stretch=stretch)
        notes.append("Values are stretched by this scene's own percentiles.")
    elif not known:
        notes.append("Values are stretched as in the scene the model was trained on.")
    return checkpoint, tuple(notes)


def unseen(labels: Labels, checkpoint: Checkpoint, scene: Scene) -> Split:
    """Return all labelled pixels as test pixels, but those that taught the weights."""
    flat = labels.values.ravel()
    test = np.flatnonzero(flat > 0)
    facts = checkpoint.facts
    protocol, seed = "given weights", 0
    if checkpoint.knows(scene):
        test = np.setdiff1d(test, checkpoint.seen)
        protocol, seed = str(facts.get("protocol", "")), int(facts.get("seed", 0))
    nothing = np.empty(0, np.int64)
    return Split(nothing, nothing, test.astype(np.int64), protocol, seed, labels.values.shape)
