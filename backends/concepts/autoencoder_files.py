"""The autoencoder on disk: safetensors with everything needed to load it, and a card.

A dictionary means nothing for the features of another encoder: a file names the encoder it
was made for by its digest, and is refused to any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backends.concepts.autoencoder import NestedAutoencoder, Quality, Scaling, Sizes, codes_of
from backends.concepts.autoencoder_training import Curves, TrainingState
from backends.concepts.codes import Codes, Floats
from backends.errors import BadInput
from backends.io.writers.atomic import replacing

FORMAT = "clearband concepts 1"
TRAINING_FORMAT = "clearband concepts training 1"
CONCEPTS_FILE = "concepts.safetensors"
TRAINING_FILE = "concepts_training.safetensors"
KEY = "clearband"


@dataclass(eq=False)
class Dictionary:
    """A trained autoencoder with what was found out about its concepts.

    Attributes
    ----------
    network : NestedAutoencoder
        In evaluation mode, on the CPU.
    scaling : Scaling
    encoder : mapping
        Of the features: ``digest``, ``title``, ``layer`` and how images were brought to it.
    quality : Quality or None
        On patches that were kept out of the training.
    card : mapping
        What it was trained on, by which command, notes.
    names : mapping of int to mapping
        Concept to ``name``, ``runners_up``, ``how``, ``verified``.
    extra : mapping of str to array
        Relations, exemplars and heads, by dotted name; see `relations`, `exemplars`, `probe`.
    """

    network: NestedAutoencoder
    scaling: Scaling
    encoder: Mapping[str, Any]
    quality: Quality | None = None
    card: dict[str, Any] = field(default_factory=dict)
    names: dict[int, dict[str, Any]] = field(default_factory=dict)
    extra: dict[str, NDArray[Any]] = field(default_factory=dict)
    digest: str = ""

    @property
    def sizes(self) -> Sizes:
        """How large it is."""
        return self.network.sizes

    @property
    def directions(self) -> Floats:
        """Directions in scaled features, shape (concepts, d)."""
        return np.asarray(self.network.directions.detach().cpu().numpy())

    @property
    def offset(self) -> Floats:
        """b, shape (d,)."""
        return np.asarray(self.network.offset.detach().cpu().numpy())

    def codes(
        self, features: NDArray[Any], grid: tuple[int, int] | None = None, most: int = 0
    ) -> Codes:
        """Return the codes of features as the encoder gives them, shape (patches, d)."""
        if features.ndim != 2 or features.shape[1] != self.sizes.features:
            raise BadInput(
                f"The concepts were made for {self.sizes.features} features a patch, these have "
                f"{features.shape[-1]}.",
                way_out="Use the encoder they were trained with.",
            )
        return codes_of(self.network, self.scaling.apply(features), grid=grid, most=most)

    def name(self, concept: int) -> str:
        """Return what a concept is called."""
        return str(self.names.get(concept, {}).get("name") or f"concept {concept}")

    def check(self, encoder_digest: str, title: str = "") -> None:
        """Refuse an encoder other than the one it was trained with.

        Raises
        ------
        BadInput
        """
        if encoder_digest != self.encoder["digest"]:
            raise BadInput(
                f"These concepts were found in the features of {self.encoder['title']}"
                f"{', not of ' + title if title else ', not of this encoder'}: other weights, "
                "layer or scaling.",
                way_out="Use that encoder, or train concepts for this one.",
            )


def save_dictionary(made: Dictionary, path: Path) -> str:
    """Write a dictionary; return the SHA-256 of the file."""
    arrays = {f"network.{n}": v for n, v in made.network.state_dict().items()}
    arrays["scaling.mean"] = torch.from_numpy(made.scaling.mean)
    arrays |= {
        f"extra.{n}": torch.from_numpy(np.ascontiguousarray(v)) for n, v in made.extra.items()
    }
    about = {
        "format": FORMAT,
        "sizes": made.sizes.to_dict(),
        "scaling_length": made.scaling.length,
        "encoder": dict(made.encoder),
        "quality": None if made.quality is None else made.quality.to_dict(),
        "card": made.card,
        "names": {str(n): v for n, v in made.names.items()},
    }
    _write(path, arrays, about)
    with path.open("rb") as stream:
        made.digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return made.digest


def load_dictionary(path: str | Path, encoder_digest: str | None = None) -> Dictionary:
    """Read a dictionary.

    Parameters
    ----------
    encoder_digest : str, optional
        Of the encoder it is wanted for.

    Raises
    ------
    BadInput
        No such file, damaged, or made for another encoder.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        path = path / CONCEPTS_FILE
    about, arrays = _read(path, FORMAT)
    try:
        sizes = _sizes(about["sizes"])
        network = NestedAutoencoder(sizes)
        network.load_state_dict(_under(arrays, "network."))
        scaling = Scaling(arrays["scaling.mean"].numpy(), float(about["scaling_length"]))
        quality = about["quality"]
        made = Dictionary(
            network.eval().requires_grad_(False),
            scaling,
            dict(about["encoder"]),
            None if quality is None else Quality.from_dict(quality),
            dict(about["card"]),
            {int(n): dict(v) for n, v in about["names"].items()},
            {n: v.numpy() for n, v in _under(arrays, "extra.").items()},
        )  # fmt: skip
        made.encoder["digest"], made.encoder["title"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(path, error) from error
    with path.open("rb") as stream:
        made.digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if encoder_digest is not None:
        made.check(encoder_digest)
    return made


def save_training(state: TrainingState, identity: str, path: Path) -> None:
    """Write a training in the middle.

    Parameters
    ----------
    identity : str
        Of the training: same encoder, images and settings, same identity.
    """
    arrays = {f"network.{n}": v for n, v in state.network.state_dict().items()}
    arrays |= {f"moments.{n}": v for n, v in state.moments.items()}
    arrays |= {"silent": state.silent, "scaling.mean": torch.from_numpy(state.scaling.mean)}
    about = {
        "format": TRAINING_FORMAT,
        "identity": identity,
        "sizes": state.network.sizes.to_dict(),
        "scaling_length": state.scaling.length,
        "step": state.step,
        "curves": state.curves.to_dict(),
    }
    _write(path, arrays, about)


def load_training(path: Path, identity: str) -> TrainingState | None:
    """Read a training in the middle; None where there is none.

    Raises
    ------
    BadInput
        It is damaged, or that of another training.
    """
    if not path.is_file():
        return None
    about, arrays = _read(path, TRAINING_FORMAT)
    if about.get("identity") != identity:
        raise BadInput(
            "The checkpoint in that folder is of another training: other images, encoder or "
            "settings.",
            subject=path,
            way_out="Choose another folder, or leave resuming out to begin anew.",
        )
    try:
        network = NestedAutoencoder(_sizes(about["sizes"]))
        network.load_state_dict(_under(arrays, "network."))
        scaling = Scaling(arrays["scaling.mean"].numpy(), float(about["scaling_length"]))
        moments = _under(arrays, "moments.")
        curves = Curves.from_dict(about["curves"])
        return TrainingState(
            network, scaling, int(about["step"]), moments, arrays["silent"], curves
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _sizes(values: Mapping[str, Any]) -> Sizes:
    return Sizes(
        int(values["features"]), int(values["concepts"]), int(values["active"]),
        tuple(map(float, values["fractions"])),
    )  # fmt: skip


def _under(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {n[len(prefix) :]: v for n, v in arrays.items() if n.startswith(prefix)}


def _write(path: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    plain = {n: v.detach().cpu().clone().contiguous() for n, v in arrays.items()}
    with replacing(path, folders=True) as inner:
        save_file(plain, inner, metadata={KEY: json.dumps(about, ensure_ascii=False)})


def _read(path: Path, wanted: str) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BadInput(f"{path.name} does not exist.", subject=path, way_out="Check the name.")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get(KEY) or "{}")
            if about.get("format") != wanted:
                raise BadInput(
                    f"{path.name} holds no concepts that Clearband trained.",
                    subject=path,
                    way_out=f"Choose a {CONCEPTS_FILE} that 'clearband concepts train' wrote.",
                )
            return about, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{path.name} is damaged.", subject=path, details=repr(error))
