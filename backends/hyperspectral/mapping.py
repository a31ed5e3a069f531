"""From a trained classifier to the map of a scene: the same road for every model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.hyperspectral.checkpoints import Checkpoint
from backends.hyperspectral.normalise import match_bands
from backends.jobs import Progress
from backends.overlays import ClassMap, MatrixField, Overlay, Placement, Provenance
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.es_mhc import EsMhc


@dataclass(frozen=True, eq=False)
class Mapped:
    """What a classifier says of a scene.

    Attributes
    ----------
    overlays : tuple of Overlay
        The class map first; for ``es_mhc`` the matrices after it.
    notes : tuple of str
    """

    overlays: tuple[Overlay, ...]
    notes: tuple[str, ...] = ()


def map_scene(
    scene: Scene,
    checkpoint: Checkpoint,
    made: Provenance,
    *,
    title: str,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Mapped:
    """Give every pixel a class.

    Parameters
    ----------
    made : Provenance
        Written into the overlays.
    title : str
        Name of the model, for people.

    Raises
    ------
    BadInput
        The scene lacks bands the model needs.
    ValueError, KeyError, RuntimeError
        The checkpoint's arrays do not fit each other.
    """
    progress = progress or Progress()
    bands = match_bands(scene, checkpoint.stretch.bands, checkpoint.stretch.wavelength_nm)
    if checkpoint.model_id == "es_mhc":
        return _map_network(scene, checkpoint, bands, made, title, device, progress)
    from backends.hyperspectral.baselines import KINDS, predict_spectra

    model = KINDS[checkpoint.model_id].from_arrays(checkpoint.arrays, checkpoint.settings)
    if model.classes.max() >= len(checkpoint.class_names) or model.classes.min() < 0:
        raise ValueError("class numbers")
    classes = predict_spectra(model, scene, checkpoint.stretch, bands, progress)
    return Mapped((_class_map(scene, checkpoint, classes, None, made, title),))


def network_of(checkpoint: Checkpoint) -> EsMhc:
    """Rebuild the network of a checkpoint.

    Raises
    ------
    ValueError, KeyError, TypeError, RuntimeError
        Its arrays or settings do not fit each other.
    """
    import torch

    from backends.hyperspectral.es_mhc import EsMhc, NetworkSettings
    from backends.hyperspectral.groups import BandGroups

    known = {f.name for f in fields(NetworkSettings)}
    given = {k: v for k, v in checkpoint.settings["network"].items() if k in known}
    settings = NetworkSettings(**given)
    about = checkpoint.settings["groups"]
    members = tuple(np.asarray(m, np.int64) for m in about["members"])
    count = checkpoint.stretch.bands.size
    # Sizes are checked against the arrays that are there, before anything is allocated.
    if len(members) < 2 or any(m.min() < 0 or m.max() >= count for m in members):
        raise ValueError("groups")
    rows, _ = checkpoint.arrays["head_in.weight"].shape
    if not (0 < settings.layers <= 64 and 0 < settings.d_state <= 256 and rows <= 65536):
        raise ValueError("settings")
    if settings.width_per_stream * len(members) > rows:
        raise ValueError("width")
    groups = BandGroups(tuple(map(str, about["names"])), members, str(about["note"]))
    network = EsMhc(groups, len(checkpoint.class_names), settings)
    network.load_state_dict(
        {name: torch.from_numpy(np.array(v)) for name, v in checkpoint.arrays.items()}
    )
    network.eval()
    return network


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
    title: str,
    device: str,
    progress: Progress,
) -> Mapped:
    from backends.hyperspectral.prediction import predict_scene

    network = network_of(checkpoint)
    found = predict_scene(
        network, scene, checkpoint.stretch, bands, device=device, progress=progress
    )
    classes = _class_map(scene, checkpoint, found.classes, found.confidence, made, title)
    about = checkpoint.settings["groups"]
    matrices = MatrixField(
        f"Matrices, {checkpoint.model_id}",
        scene.id,
        made,
        group_names=tuple(map(str, about["names"])),
        entries=found.entries,
        placement=Placement(row_step=found.matrix_step, col_step=found.matrix_step),
    )
    notes = (*found.notes, *((str(about["note"]),) if about["note"] else ()))
    return Mapped((classes, matrices), notes)


def _class_map(
    scene: Scene,
    checkpoint: Checkpoint,
    classes: NDArray[Any],
    confidence: NDArray[np.float32] | None,
    made: Provenance,
    title: str,
) -> ClassMap:
    values = np.asarray([*checkpoint.class_names, 0], dtype=np.uint8)  # -1 picks "no class"
    return ClassMap(
        f"Classes, {checkpoint.model_id}",
        scene.id,
        made,
        labels=values[classes],
        class_names=dict(checkpoint.class_names),
        confidence=confidence,
    )
