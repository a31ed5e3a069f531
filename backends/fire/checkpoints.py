"""Fire networks on disk: one safetensors file with both, and their card in its header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import BadInput, MissingCapability
from backends.io.writers.atomic import replacing

if TYPE_CHECKING:
    from backends.fire.networks import FireClassifier, FireSegmenter

FORMAT = "clearband fire networks 1"
_KEY = "clearband"
_LARGEST = 64 << 20


@dataclass(frozen=True, eq=False)
class FireNetworks:
    """Classifier and segmenter that were trained together.

    Attributes
    ----------
    classifier, segmenter : networks in evaluation mode
    channels : tuple of int
        AMS channels they take, in order.
    facts : mapping
        What they were trained on, by which recipe, with which figures.
    digest : str
        SHA-256 of the file; empty before they are saved.
    """

    classifier: FireClassifier
    segmenter: FireSegmenter
    channels: tuple[int, ...]
    facts: Mapping[str, Any]
    digest: str = ""

    def to(self, device: str) -> None:
        """Move both networks to a device."""
        self.classifier.to(device)
        self.segmenter.to(device)


def save_networks(networks: FireNetworks, path: Path) -> str:
    """Write both networks and return the file's SHA-256."""
    from safetensors.torch import save_file

    tensors = {
        f"{part}.{name}": value.detach().cpu().clone().contiguous()
        for part, network in (
            ("classifier", networks.classifier), ("segmenter", networks.segmenter)
        )
        for name, value in network.state_dict().items()
    }  # fmt: skip
    card = {"format": FORMAT, "channels": list(networks.channels), **dict(networks.facts)}
    with replacing(path, folders=True) as inner:
        save_file(tensors, inner, metadata={_KEY: json.dumps(card, default=str)})
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_networks(
    path: Path, *, keras_segmenter: Path | None = None, channels: tuple[int, ...] = ()
) -> FireNetworks:
    """Open networks that were trained here, or the published pair of Keras files.

    Parameters
    ----------
    path : Path
        A file of `save_networks`, or the classifier's ``.h5``.
    keras_segmenter : Path, optional
        The segmenter's ``.h5``.
    channels : tuple of int
        What the Keras pair takes; default all 12.

    Raises
    ------
    BadInput
        No such file, not such a file, or damaged.
    MissingCapability
        Only one of the Keras pair was given.
    """
    if not path.is_file():
        raise BadInput(f"The networks {path.name} do not exist.", subject=path)
    if path.suffix.lower() in (".h5", ".hdf5", ".keras"):
        return _keras_pair(path, keras_segmenter, channels or tuple(range(1, 13)))
    from safetensors import safe_open

    from backends.fire.networks import FireClassifier, FireSegmenter

    if path.stat().st_size > _LARGEST:
        raise BadInput(f"{path.name} is too large for fire networks.", subject=path)
    try:
        with safe_open(path, "pt") as file:
            card = json.loads((file.metadata() or {})[_KEY])
            if card.pop("format") != FORMAT:
                raise ValueError("another format")
            numbers = tuple(int(n) for n in card.pop("channels"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if not 1 <= len(numbers) <= 16:
            raise ValueError("an impossible number of channels")
        pair: tuple[Any, Any] = (FireClassifier(len(numbers)), FireSegmenter(len(numbers)))
        for part, network in zip(("classifier.", "segmenter."), pair, strict=True):
            mine = {k[len(part) :]: v for k, v in tensors.items() if k.startswith(part)}
            network.load_state_dict(mine)
            network.eval()
    except Exception as error:  # safetensors and torch fail in many ways
        raise BadInput(
            f"{path.name} holds no fire networks, or is damaged.",
            subject=path,
            way_out="Choose a file that 'clearband fire train' wrote, or the published .h5 pair.",
            details=repr(error),
        ) from error
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FireNetworks(pair[0], pair[1], numbers, card, digest)


def _keras_pair(path: Path, segmenter: Path | None, channels: tuple[int, ...]) -> FireNetworks:
    from backends.fire.keras_weights import load_keras
    from backends.fire.networks import FireClassifier, FireSegmenter

    if segmenter is None:
        raise MissingCapability(
            "The published model is two Keras files, and only one was given.",
            way_out="Give the classifier with --model and the segmenter with --segmenter.",
        )
    first, second = FireClassifier(len(channels)), FireSegmenter(len(channels))
    load_keras(first, path)
    load_keras(second, segmenter)
    pair = (first.eval(), second.eval())
    digest = hashlib.sha256(path.read_bytes() + segmenter.read_bytes()).hexdigest()
    facts = {"trained_on": "the paper's 18 AMS flight lines, as its authors published them"}
    return FireNetworks(pair[0], pair[1], channels, facts, digest)
