"""Image classifiers of the transformers library, where that is installed; it is no dependency."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from backends.errors import MissingCapability
from backends.explain.classifier import Card, ImageClassifier, InputSpec


def open_transformers(name: str, *, fetch: bool = False, device: str = "cpu") -> ImageClassifier:
    """Open a classifier by its name on the hub, or from a folder.

    Parameters
    ----------
    name : str
    fetch : bool
        Download it; else it has to be in the library's cache.

    Raises
    ------
    MissingCapability
        The library is not installed, or the network is not here and could not be fetched.
    """
    try:
        library: Any = importlib.import_module("transformers")
    except ImportError as error:
        raise MissingCapability(
            "Networks of the transformers library need that library, which is not installed.",
            way_out="Install transformers, or use a timm or torchvision name.",
        ) from error
    here = {"local_files_only": not fetch}
    try:
        network = library.AutoModelForImageClassification.from_pretrained(
            name, use_safetensors=True, **here
        )
        how = library.AutoImageProcessor.from_pretrained(name, **here)
    except (OSError, ValueError) as error:  # also what it raises without a network
        raise MissingCapability(
            f"{name} is not here" + (", and could not be fetched." if fetch else "."),
            way_out="Check the name and the network." if fetch else "Ask to fetch it.",
            details=repr(error),
        ) from error
    size = how.size
    side = int(size.get("shortest_edge") or size.get("height") or 224)
    spec = InputSpec(
        (side, side),
        mean=tuple(map(float, how.image_mean)),
        std=tuple(map(float, how.image_std)),
        fixed=True,  # what other sizes it takes differs from network to network
    )
    names = tuple(network.config.id2label[i] for i in range(network.config.num_labels))
    notes = ("The library hands out no checksum of its weights.",)
    folder = Path(name).expanduser()
    title = folder.name if folder.is_dir() else name
    source = f"transformers, {title}"
    card = Card(title, title, source, trained_on=f"as published: {title}", notes=notes)
    return ImageClassifier(network, names, spec, card, device=device)
