"""Making an encoder: from what the user names, or again from what a dictionary remembers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.concepts.encoders import (
    Encoder,
    NetworkEncoder,
    PixelNetworkEncoder,
    SpectraEncoder,
)
from backends.errors import BadInput, MissingCapability
from backends.jobs import Progress
from backends.scene import Scene

SPECTRA = "spectra"


def make_encoder(
    model: str = "",
    weights: str | Path | None = None,
    *,
    layer: str = "",
    dense: bool = False,
    tile: int = 0,
    scene: Scene | None = None,
    fetch: bool = False,
    untrained: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Encoder:
    """Make an encoder.

    Parameters
    ----------
    model, weights
        As for `backends.explain.shelf.load`; ``"spectra"`` takes the bands themselves.
    layer, dense, tile
        See `encoders.NetworkEncoder`.
    scene : Scene, optional
        For spectra: what their scaling is measured on.
    """
    if model == SPECTRA:
        if scene is None:
            raise BadInput("The spectra of which scene?", way_out="Give an image.")
        return SpectraEncoder.of(scene, progress)
    from backends.explain import shelf
    from backends.explain.spectral import PixelsTogether

    classifier = shelf.load(
        model, weights, fetch=fetch, untrained=untrained, device=device, progress=progress
    )
    path = Path(weights) if weights is not None else Path(model)
    about: dict[str, Any] = {
        "model": model, "weights": str(path.expanduser().resolve()) if path.exists() else "",
        "untrained": classifier.card.untrained,
    }  # fmt: skip
    if isinstance(classifier.network, PixelsTogether):
        return PixelNetworkEncoder(classifier, about)
    return NetworkEncoder(classifier, layer, dense=dense, tile=tile, about=about)


def open_encoder(
    about: Mapping[str, Any],
    weights: str | Path | None = None,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Encoder:
    """Make the encoder that a dictionary remembers.

    Parameters
    ----------
    about : mapping
        ``Dictionary.encoder``.
    weights : path, optional
        Where they are now, if they were moved.

    Raises
    ------
    MissingCapability
        Its weights are not where they were.
    """
    if about.get("kind") == SPECTRA:
        nm = about["wavelength_nm"]
        return SpectraEncoder(
            np.asarray(about["bands"], np.int64), np.asarray(about["low"], np.float32),
            np.asarray(about["high"], np.float32), None if nm is None else np.asarray(nm, float),
        )  # fmt: skip
    known = str(about.get("weights") or "")
    path = Path(weights) if weights is not None else Path(known) if known else None
    if path is not None and not path.exists():
        raise MissingCapability(
            f"The weights of {about['title']} are not where they were: {path.name} is missing.",
            way_out="Say where they are (--weights FILE).",
        )
    model = str(about.get("model") or "")
    # A model that was named by its file is that file.
    model = "" if path is not None and (Path(model).suffix or "/" in model) else model
    return make_encoder(
        model, path, layer="" if about.get("dense") else str(about.get("layer", "")),
        dense=bool(about.get("dense")), tile=int(about.get("tile", 0)),
        untrained=bool(about.get("untrained")), device=device, progress=progress,
    )  # fmt: skip
