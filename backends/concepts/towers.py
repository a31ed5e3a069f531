"""Text towers: what turns words into the space of an encoder's patches."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backends.concepts.candidates import TextTower
from backends.concepts.encoders.base import digest_of, digest_of_weights
from backends.errors import MissingCapability, WrongUse
from backends.jobs import Progress

_AT_ONCE = 256
HUB, DINO_TXT = "transformers", "dinotxt"


class OpenClipTower:
    """The text tower of a CLIP of the open_clip package.

    Parameters
    ----------
    name : str
        As open_clip calls it: ``"ViT-B-16"``.
    weights : str
        A tag or a file; never left out, for open_clip would take random ones then.
    fetch : bool
        Download the weights of a tag.

    Raises
    ------
    MissingCapability
        The package is not installed, or the weights are not here.
    """

    def __init__(
        self, name: str, weights: str, *, fetch: bool = False, progress: Progress | None = None
    ) -> None:
        from backends.concepts.encoders.clip_open import library, open_model

        if not weights:
            raise WrongUse(
                "The text tower's weights were not named.", way_out="Write NAME:WEIGHTS."
            )
        self._model, digest, self.known = open_model(name, weights, fetch=fetch, progress=progress)
        self._model.visual = None  # half the memory
        self._tokens = library().get_tokenizer(name)
        self.digest = digest_of("open_clip", name, digest)

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return unit embeddings, shape (phrases, d)."""
        return _embedded(phrases, lambda some: self._model.encode_text(self._tokens(some)))


class HubTower:
    """The text tower of a CLIP of the transformers library.

    Parameters
    ----------
    name : str
        On the hub, or a folder that holds its words (tokenizer) too.
    """

    def __init__(self, name: str, *, fetch: bool = False) -> None:
        try:
            library: Any = importlib.import_module("transformers")
        except ImportError as error:
            raise MissingCapability(
                "Networks of the transformers library need that library, which is not installed.",
                way_out="Install it with: uv pip install 'clearband[hub]'.",
            ) from error
        here = {"local_files_only": not fetch}
        try:
            self._model = library.AutoModel.from_pretrained(name, use_safetensors=True, **here)
            self._tokens = library.AutoTokenizer.from_pretrained(name, **here)
        except (OSError, ValueError, KeyError) as error:
            raise MissingCapability(
                f"The text tower of {name} is not here.",
                way_out="Ask to fetch it, or name a folder with weights and tokenizer.",
                details=repr(error),
            ) from error
        if not hasattr(self._model, "get_text_features"):
            raise WrongUse(f"{name} reads no words.", way_out="Name a CLIP.")
        self._model.eval().requires_grad_(False)
        self.digest = digest_of("transformers", digest_of_weights(self._model))

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return unit embeddings, shape (phrases, d)."""

        def run(some: list[str]) -> Any:
            given = self._tokens(some, padding=True, truncation=True, return_tensors="pt")
            found = self._model.get_text_features(**given)
            return getattr(found, "pooler_output", found)

        return _embedded(phrases, run)


class DinoTxtTower:
    """The text side of dino.txt; see `encoders.dino_txt`.

    Parameters
    ----------
    path : path
        Of its file. Words are cut as CLIP's are, by the package open_clip, which has the list.
    """

    def __init__(self, path: str | Path) -> None:
        from backends.concepts.encoders.clip_open import library
        from backends.concepts.encoders.dino_txt import TextTransformer
        from backends.learning.architectures import read_tensors

        path = Path(path).expanduser()
        self._model = TextTransformer(read_tensors(path), path).eval().requires_grad_(False)
        self._tokens = library().get_tokenizer("ViT-B-16")
        self.digest = digest_of("dinotxt", digest_of_weights(self._model))

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return unit embeddings, shape (phrases, d)."""
        return _embedded(phrases, lambda some: self._model(self._tokens(some)))


def open_tower(told: str, *, fetch: bool = False, progress: Progress | None = None) -> TextTower:
    """Open a tower: ``ViT-B-16:WEIGHTS`` of open_clip, ``transformers:NAME``, ``dinotxt:FILE``."""
    library, _, rest = told.partition(":")
    if library == DINO_TXT:
        return DinoTxtTower(rest)
    if library == HUB:
        return HubTower(rest, fetch=fetch)
    if library == "open_clip":
        library, _, rest = rest.partition(":")
    return OpenClipTower(library, rest, fetch=fetch, progress=progress)


def _embedded(phrases: Sequence[str], run: Any) -> NDArray[np.float32]:
    parts = []
    with torch.no_grad():
        for low in range(0, len(phrases), _AT_ONCE):
            some = run(list(phrases[low : low + _AT_ONCE]))
            parts.append(torch.nn.functional.normalize(some.float(), dim=-1).cpu().numpy())
    return np.asarray(np.concatenate(parts), np.float32)
