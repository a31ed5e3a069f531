"""Making an encoder: from what the user names, or again from what a dictionary remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.concepts.encoders import (
    Encoder,
    NetworkEncoder,
    PixelNetworkEncoder,
    SpectraEncoder,
)
from backends.errors import BadInput, MissingCapability, WrongUse
from backends.jobs import Progress
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.explain.classifier import ImageClassifier

SPECTRA = "spectra"
# Read by modules of their own: what others hand out is found by `backends.explain`.
OPEN_CLIP, HUB = "open_clip", "transformers"


def make_encoder(
    model: str = "",
    weights: str | Path | None = None,
    *,
    layer: str = "",
    dense: bool = False,
    tile: int = 0,
    pooling: str | Path | None = None,
    head: str | Path | None = None,
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
        As for `backends.explain.shelf.load`; ``"spectra"`` takes the bands themselves;
        ``"open_clip:NAME"`` with a file or a tag of weights, ``"transformers:NAME"`` or a folder.
    layer, dense, tile
        See `encoders.NetworkEncoder`.
    pooling : path, optional
        CLIP-DINOiser's file, for a dense reading; see `encoders.pooling`.
    head : path, optional
        dino.txt's file, for a DINOv2 of timm; see `encoders.dino_txt`.
    scene : Scene, optional
        For spectra: what their scaling is measured on.
    """
    if model == SPECTRA:
        if scene is None:
            raise BadInput("The spectra of which scene?", way_out="Give an image.")
        return SpectraEncoder.of(scene, progress)
    from backends.concepts.encoders.pooling import Pooling
    from backends.explain.spectral import PixelsTogether

    classifier = _classifier(model, weights, fetch, untrained, device, progress)
    if head is not None:
        from backends.concepts.encoders.dino_txt import with_head

        classifier = with_head(classifier, Path(head).expanduser())
    if not layer:
        layer = _usual_layer(classifier)
    path = Path(weights) if weights is not None else Path(model)
    about: dict[str, Any] = {
        "model": model, "weights": str(path.expanduser().resolve()) if path.exists() else "",
        "untrained": classifier.card.untrained,
    }  # fmt: skip
    if weights is not None and not about["weights"]:
        about["tag"] = str(weights)
    for name, file in (("pooling", pooling), ("head", head)):
        if file is not None:
            about[name] = str(Path(file).expanduser().resolve())
    if isinstance(classifier.network, PixelsTogether):
        return PixelNetworkEncoder(classifier, about)
    pool = None if pooling is None else Pooling.open(Path(pooling).expanduser())
    return NetworkEncoder(classifier, layer, dense=dense, tile=tile, pooling=pool, about=about)


def _classifier(
    model: str,
    weights: str | Path | None,
    fetch: bool,
    untrained: bool,
    device: str,
    progress: Progress | None,
) -> ImageClassifier:
    """Open a network by whoever knows it."""
    from backends.concepts.encoders import clip_open, hub
    from backends.explain import shelf

    library, _, name = model.partition(":")
    if library == OPEN_CLIP:
        return clip_open.open_vision(
            name, "" if weights is None else str(weights), fetch=fetch, untrained=untrained,
            device=device, progress=progress,
        )  # fmt: skip
    if library == HUB:
        if weights is not None:
            raise WrongUse(
                "Networks of the transformers library come with their own weights.",
                way_out="Leave the file of weights out, or name a folder that holds both.",
            )
        return hub.open_hub(name, fetch=fetch, device=device, progress=progress)
    found = _of_features(model, weights, fetch, untrained, device, progress)
    return found or shelf.load(
        model, weights, fetch=fetch, untrained=untrained, device=device, progress=progress
    )


def _usual_layer(classifier: ImageClassifier) -> str:
    """Return where those who made a network that hands out features take patches from."""
    features_only = classifier.class_names[:1] == ("feature 0",)
    for name in ("patches", "norm") if features_only else ():
        if hasattr(classifier.network, name):
            return name
    return ""


def _of_features(
    model: str,
    weights: str | Path | None,
    fetch: bool,
    untrained: bool,
    device: str,
    progress: Progress | None,
) -> ImageClassifier | None:
    """Open a network of timm that tells no classes apart (DINOv2, DINOv3); None for others."""
    import torch

    from backends.explain import building, published
    from backends.explain.classifier import Card, ImageClassifier
    from backends.learning.architectures import read_tensors

    plan = building.blueprint(model) if model else None
    if plan is None or plan.library != "timm":
        return None
    with torch.device("meta"):
        if getattr(building.build(plan), "num_classes", None) != 0:
            return None
    path = None if weights is None else Path(weights).expanduser()
    if path is None:
        path = published.fetch(plan, plan.title, progress) if fetch else published.cached(plan)
    if path is None and not untrained:
        raise MissingCapability(
            f"The weights of {plan.title} are not here.",
            way_out="Ask to fetch the published ones, give a file of weights, or ask for the "
            "untrained network.",
        )
    if path is None:
        network, digest = building.build(plan), ""
    else:
        network = building.with_weights(plan, read_tensors(path), path)[0]
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    known = f"weights {path.name}" if path is not None else ""
    title = plan.title if path is not None else f"{plan.title}, untrained"
    card = Card(plan.name, title, known or "random weights", known, digest)
    features: Any = network
    names = tuple(f"feature {n}" for n in range(int(features.num_features)))
    return ImageClassifier(network, names, building.spec_of(plan, network), card, device=device)


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
    by_file = ":" not in model and (bool(Path(model).suffix) or "/" in model)
    model = "" if path is not None and by_file else model
    more: dict[str, Any] = {n: str(about[n]) for n in ("pooling", "head") if about.get(n)}
    for name, file in more.items():
        if not Path(file).is_file():
            raise MissingCapability(
                f"The {name} of {about['title']} is not where it was: {Path(file).name} is missing."
            )
    dense = bool(about.get("dense"))
    try:
        return make_encoder(
            model, path or about.get("tag"), **more, dense=dense,
            layer="" if dense else str(about.get("layer", "")), tile=int(about.get("tile", 0)),
            untrained=bool(about.get("untrained")), device=device, progress=progress,
        )  # fmt: skip
    except WrongUse as error:  # it has no such layer
        if path is None:
            raise
        raise BadInput(
            f"These concepts were found in the features of {about['title']}; {path.name} holds "
            "another network.",
            way_out="Give the weights of that one, or train concepts for this one.",
            details=str(error),
        ) from error
