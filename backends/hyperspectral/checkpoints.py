"""Trained classifiers on disk: safetensors, with everything needed to use them in its header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.hyperspectral.calibration import COLDEST, HOTTEST
from backends.hyperspectral.normalise import BandStretch
from backends.io.writers.atomic import write_bytes
from backends.scene import Scene

FORMAT = "clearband classifier 1"
LARGEST = 1 << 30
_SEEN = "seen"
_STRETCH = "stretch."
_MODEL = "model."


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained classifier and how to feed it; plain arrays, no code.

    Attributes
    ----------
    model_id : str
        ``"svm"``, ``"random_forest"`` or ``"es_mhc"``.
    arrays : mapping of str to array
        Weights by name.
    settings : mapping
        What the model is built with.
    stretch : BandStretch
        Bands and how their values become 0..1.
    class_names : mapping of int to str
        Label value of each output, in order.
    facts : mapping
        What it was trained on, for how long, and the temperature of its probabilities.
    seen : int64 array
        Flat numbers of the pixels that taught or chose it: they never measure it.
    """

    model_id: str
    arrays: Mapping[str, NDArray[Any]]
    settings: Mapping[str, Any]
    stretch: BandStretch
    class_names: Mapping[int, str]
    facts: Mapping[str, Any]
    seen: NDArray[np.int64]

    @property
    def temperature(self) -> float | None:
        """What its scores are divided by, see `calibration`; None where it was never fitted."""
        found = self.facts.get("temperature")
        return None if found is None else float(found)

    def knows(self, scene: Scene) -> bool:
        """Tell whether it was trained on this scene."""
        if self.facts.get("scene_digest") == scene.digest:
            return True
        # A demo scene made on another machine may differ in the last bit of some pixel.
        name = scene.info.path.name if scene.info.path else None
        return (
            name is not None
            and self.facts.get("scene_file") == name
            and tuple(self.facts.get("scene_shape", ())) == scene.shape
        )


def checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    """Return the content of the file."""
    from safetensors.numpy import save

    about: dict[str, Any] = {
        "format": FORMAT,
        "model": checkpoint.model_id,
        "settings": dict(checkpoint.settings),
        "class_names": {str(v): n for v, n in checkpoint.class_names.items()},
        "facts": dict(checkpoint.facts),
    }
    stretch = checkpoint.stretch
    if stretch.plain:
        about["plain_values"] = True
    arrays = {_MODEL + name: value for name, value in checkpoint.arrays.items()}
    arrays |= {_STRETCH + n: getattr(stretch, n) for n in ("bands", "low", "high")}
    if stretch.wavelength_nm is not None:
        arrays[_STRETCH + "wavelength_nm"] = stretch.wavelength_nm
    arrays[_SEEN] = checkpoint.seen
    # Not ascontiguousarray, which makes a list of one of a single number.
    arrays = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    return bytes(save(arrays, metadata={"clearband": json.dumps(about)}))


def checkpoint_digest(checkpoint: Checkpoint) -> str:
    """Return the SHA-256 of the file it makes."""
    return hashlib.sha256(checkpoint_bytes(checkpoint)).hexdigest()


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> str:
    """Write a checkpoint whole or not at all, and return its digest."""
    content = checkpoint_bytes(checkpoint)
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def load_checkpoint(path: Path) -> tuple[Checkpoint, str]:
    """Read a checkpoint; return it and the digest of the file.

    Raises
    ------
    BadInput
        Not one of ours, damaged, or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        content = path.read_bytes()
        about = _header(content)
        if about.get("format") != FORMAT:
            raise ValueError(f"format {about.get('format')!r}")
        arrays = load(content)
        stretch = replace(_stretch(arrays), plain=bool(about.get("plain_values", False)))
        names = {int(v): str(n) for v, n in about["class_names"].items()}
        if not names or not all(0 < value < 256 for value in names):
            raise ValueError("class values")
        found = Checkpoint(
            str(about["model"]),
            {n[len(_MODEL) :]: v for n, v in arrays.items() if n.startswith(_MODEL)},
            dict(about["settings"]),
            stretch,
            names,
            dict(about["facts"]),
            arrays[_SEEN].astype(np.int64).ravel(),
        )
        heat = found.temperature
        if heat is not None and not COLDEST <= heat <= HOTTEST:
            raise ValueError("temperature")
    except (
        SafetensorError, ValueError, KeyError, TypeError, AttributeError, OSError
    ) as error:  # fmt: skip
        raise damaged(path, error) from error
    return found, hashlib.sha256(content).hexdigest()


def damaged(path: Path, error: Exception) -> BadInput:
    """Return the sentence for a file that is no checkpoint of ours."""
    return BadInput(
        f"{path.name} is no checkpoint of Clearband.",
        subject=path,
        way_out="Choose a .safetensors file that 'clearband classify' wrote.",
        details=repr(error),
    )


def _header(content: bytes) -> dict[str, Any]:
    """Return our part of the header; the format: 8 bytes of length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(len(content) - 8, 100 << 20):
        raise ValueError("header length")
    values = json.loads(content[8 : 8 + length])
    about = json.loads(values["__metadata__"]["clearband"])
    if not isinstance(about, dict):
        raise ValueError("header")
    return about


def _stretch(arrays: Mapping[str, NDArray[Any]]) -> BandStretch:
    bands = arrays[_STRETCH + "bands"].astype(np.int64)
    low = arrays[_STRETCH + "low"].astype(np.float32)
    high = arrays[_STRETCH + "high"].astype(np.float32)
    nm = arrays.get(_STRETCH + "wavelength_nm")
    sizes = {v.shape for v in (bands, low, high)} | ({nm.shape} if nm is not None else set())
    if bands.ndim != 1 or bands.size == 0 or sizes != {bands.shape}:
        raise ValueError("stretch")
    if bands.min() < 0 or not np.all(high > low) or not np.isfinite(low + high).all():
        raise ValueError("stretch values")
    return BandStretch(bands, low, high, None if nm is None else nm.astype(np.float64))
