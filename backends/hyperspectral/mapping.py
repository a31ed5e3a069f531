"""From a trained classifier to the map of a scene: the same road for every model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.checkpoints import Checkpoint
from backends.hyperspectral.normalise import match_bands
from backends.jobs import Progress
from backends.overlays import ClassMap, ClusterField, Overlay, Provenance, ScoreMap, series_of
from backends.registry import is_network
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.networks import PixelNetwork


@dataclass(frozen=True, eq=False)
class Mapped:
    """What a classifier says of a scene.

    Attributes
    ----------
    overlays : tuple of Overlay
        The class map first, what happened inside a network, and last probability and margin.
    raw : float32 array of shape (rows, cols)
        The probability before calibration.
    notes : tuple of str
    """

    overlays: tuple[Overlay, ...]
    raw: NDArray[np.float32]
    notes: tuple[str, ...] = ()


def map_scene(
    scene: Scene,
    checkpoint: Checkpoint,
    made: Provenance,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Mapped:
    """Give every pixel a class.

    Parameters
    ----------
    made : Provenance
        Written into the overlays.

    Raises
    ------
    BadInput
        The scene lacks bands the model needs.
    ValueError, KeyError, RuntimeError
        The checkpoint's arrays do not fit each other.
    """
    progress = progress or Progress()
    bands = match_bands(scene, checkpoint.stretch.bands, checkpoint.stretch.wavelength_nm)
    if is_network(checkpoint.model_id):
        return _map_network(scene, checkpoint, bands, made, device, progress)
    from backends.hyperspectral.baselines import KINDS, WINDOWS, predict_spectra

    model = KINDS[checkpoint.model_id].from_arrays(checkpoint.arrays, checkpoint.settings)
    if model.classes.max() >= len(checkpoint.class_names) or model.classes.min() < 0:
        raise ValueError("class numbers")
    window = WINDOWS.get(checkpoint.model_id, 1)
    found = predict_spectra(
        model,
        scene,
        checkpoint.stretch,
        bands,
        progress,
        window=window,
        temperature=checkpoint.temperature or 1.0,
    )
    layers = _layers(scene, checkpoint, found.classes, found.probability, found.margin, made)
    return Mapped(layers, found.raw)


def network_of(checkpoint: Checkpoint) -> PixelNetwork:
    """Rebuild the network of a checkpoint.

    Raises
    ------
    ValueError, KeyError, TypeError, RuntimeError
        Its arrays or settings do not fit each other.
    """
    from backends.hyperspectral.networks import rebuild

    return rebuild(
        checkpoint.model_id,
        checkpoint.settings,
        checkpoint.arrays,
        checkpoint.stretch.bands.size,
        len(checkpoint.class_names),
    )


@contextmanager
def polite_threads() -> Iterator[None]:
    """Leave one processor core to the window while torch computes."""
    import torch

    from backends.devices import model_threads

    before = torch.get_num_threads()
    torch.set_num_threads(model_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _map_network(
    scene: Scene,
    checkpoint: Checkpoint,
    bands: NDArray[np.int64],
    made: Provenance,
    device: str,
    progress: Progress,
) -> Mapped:
    from backends.hyperspectral.prediction import predict_scene

    network = network_of(checkpoint)
    found = predict_scene(
        network,
        scene,
        checkpoint.stretch,
        bands,
        device=device,
        temperature=checkpoint.temperature or 1.0,
        progress=progress,
    )
    layers = _layers(scene, checkpoint, found.classes, found.confidence, found.margin, made)
    inside = found.inside.overlays(scene, made, checkpoint.model_id, checkpoint.settings)
    series = series_of(checkpoint.facts.get("series"))
    inside = tuple(
        replace(o, training=series) if isinstance(o, ClusterField) else o for o in inside
    )
    note = str(checkpoint.settings.get("groups", {}).get("note", ""))
    notes = (*found.inside.notes(), *((note,) if note else ()))
    return Mapped((layers[0], *inside, *layers[1:]), found.raw, notes)


def _layers(
    scene: Scene,
    checkpoint: Checkpoint,
    classes: NDArray[Any],
    probability: NDArray[np.float32],
    margin: NDArray[np.float32],
    made: Provenance,
) -> tuple[ClassMap, ScoreMap, ScoreMap]:
    """Return the class map, and hidden below it how sure it is and how far it leads."""
    values = np.asarray([*checkpoint.class_names, 0], dtype=np.uint8)  # -1 picks "no class"
    model = checkpoint.model_id
    said = "" if checkpoint.temperature is not None else " (not calibrated)"
    return (
        ClassMap(
            f"Classes, {model}",
            scene.id,
            made,
            labels=values[classes],
            class_names=dict(checkpoint.class_names),
            confidence=probability,
        ),
        ScoreMap(
            f"Probability{said}, {model}",
            scene.id,
            made,
            values=probability,
            unit="probability",
            shown=False,
        ),
        ScoreMap(
            f"Margin{said}, {model}",
            scene.id,
            made,
            values=margin,
            unit="probability",
            shown=False,
        ),
    )
