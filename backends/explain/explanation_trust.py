"""The trust card of an explanation: the plain measures joined to classifier and explainer."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.errors import BadInput
from backends.explain.asking import Explanation
from backends.explain.classifier import ImageClassifier, InputSpec, Prepared
from backends.explain.explainers import map_function
from backends.explain.heatmaps import Found
from backends.explain.layers import TOKENS
from backends.explain.map_states import Explained
from backends.explain.perturbation import Substrate, air, fitting
from backends.explain.scene_images import on_window
from backends.explain.trust import assess
from backends.explain.trust_card import TrustCard, TrustSettings
from backends.jobs import Progress
from backends.overlays import Heatmap
from backends.scene import Scene

# A pixel network is asked about places; they would have to move with the image.
PLACE_KEPT = ("noise", "brightness")


def trust_of(
    classifier: ImageClassifier,
    prepared: Prepared,
    made: Explanation,
    *,
    mask: NDArray[Any] | None = None,
    settings: TrustSettings | None = None,
    progress: Progress | None = None,
) -> TrustCard:
    """Measure how far an explanation can be trusted.

    Maps of changed images and of networks with random weights are made with the same
    method, settings, layer and target.

    Parameters
    ----------
    classifier : ImageClassifier
    prepared : Prepared
        The image that was explained.
    made : Explanation
    mask : array of shape (rows, cols) of the image, optional
        Where the thing is; not 0 is inside.
    settings : TrustSettings, optional
        Default `settings_for`.
    progress : Progress, optional

    Raises
    ------
    BadInput
        The mask is not of the image's size.
    Cancelled
        Within one batch.
    """
    progress = progress or Progress()
    how = settings or settings_for(classifier)
    if not made.method.needs:
        classifier = classifier.focused(made.target)
    if classifier.pixelwise:
        how = replace(how, changes=tuple(k for k in how.changes if k in PLACE_KEPT))
    with classifier.running() as network:
        # A copy that nobody else works with: its weights are drawn anew.
        quiet = copy.deepcopy(network)
    shared: dict[str, Any] = {
        "layer": made.layer.name if made.layer else "",
        "untrained": True,  # asked for by its explanation, or drawn anew here
        "progress": progress,
    }

    def explain_with(other: nn.Module) -> NDArray[Any]:
        twin = ImageClassifier(
            other,
            classifier.class_names,
            classifier.spec,
            classifier.card,
            pixelwise=classifier.pixelwise,
            device=classifier.device,
        )
        return map_function(twin, made.target, made.method.id, made.settings, **shared)(image)

    image: Tensor = prepared.tensor[0]
    inside = None if mask is None else _at_input(mask, made)
    explained = Explained(
        made.target.name,
        made.probability,
        len(classifier.class_names),
        made.method.id,
        made.layer is not None and made.layer.kind == TOKENS,
    )
    return assess(
        image,
        made.values,
        classifier.score(made.target, probability=True),
        explain=map_function(classifier, made.target, made.method.id, made.settings, **shared),
        network=quiet,
        explain_with=explain_with,
        mask=inside,
        target=explained,
        settings=how,
        progress=progress,
    )


def trust_of_found(
    classifier: ImageClassifier,
    found: Found,
    scene: Scene,
    *,
    truth: NDArray[Any] | None = None,
    settings: TrustSettings | None = None,
    progress: Progress | None = None,
) -> tuple[TrustCard, Found]:
    """Measure the explanation of a scene; command line, dock and studies of folders ask here.

    Parameters
    ----------
    found : Found
        Of `heatmaps.explain_scene`.
    scene : Scene
        The same.
    truth : array of shape (rows, cols) of the scene, optional
        Where the thing is; not 0 is inside. Without it localisation is not assessed.
    settings : TrustSettings, optional
        Default `settings_for_scene`.

    Returns
    -------
    TrustCard
    Found
        With the card's numbers on its heatmap, which is not assessed before.

    Raises
    ------
    BadInput
        The mask is not of the scene's size.
    Cancelled
        Within one batch.
    """
    mask = None
    if truth is not None:
        mask = on_window(np.asarray(truth) != 0, scene, found.window, found.level)
    card = trust_of(
        classifier,
        found.prepared,
        found.explanation,
        mask=mask,
        settings=settings or settings_for_scene(classifier, scene),
        progress=progress,
    )
    return card, replace(found, heatmap=with_trust(found.heatmap, card))


def with_trust(heatmap: Heatmap, card: TrustCard) -> Heatmap:
    """Return a heatmap with the card's numbers, and its verdict where exports look for it."""
    told = {"verdict": card.verdict, "reasons": list(card.reasons), "figures": card.figures()}
    made = heatmap.provenance
    made = replace(made, figures={**made.figures, "trust": told})
    return replace(heatmap, trust=card.figures(), provenance=made)


def settings_for_scene(
    classifier: ImageClassifier, scene: Scene, *, air_value: float | None = None, **given: Any
) -> TrustSettings:
    """Return settings whose substrates fit a scene: air where it is a CT.

    Parameters
    ----------
    air_value : float, optional
        The value of air in the image; known without where values are HU.
    **given
        Of `TrustSettings`, instead of the usual ones.
    """
    if air_value is None and scene.info.unit == "HU":
        # Networks for pictures get the window that is shown: there air is black.
        air_value = 0.0 if classifier.spec.value_range == (0.0, 255.0) else -1000.0
    return replace(settings_for(classifier, ct=air_value), **given)


def settings_for(classifier: ImageClassifier, *, ct: float | None = None) -> TrustSettings:
    """Return settings whose substrates fit what a classifier reads.

    Parameters
    ----------
    ct : float, optional
        The image value of air: −1000 for HU, 0 for pictures of a CT.
    """
    if ct is not None:
        nothing = air_at_input(classifier.spec, ct)
        return TrustSettings(deletion=nothing, insertion=nothing)
    kind = "photograph" if classifier.spec.bands in (1, 3) else "hyperspectral"
    deletion, insertion = fitting(kind)
    return TrustSettings(deletion=deletion, insertion=insertion)


def air_at_input(spec: InputSpec, value: float = -1000.0) -> Substrate:
    """Return air as a network gets it: an image value brought to its input's units."""
    low, high = (np.broadcast_to(np.asarray(v, float), spec.bands) for v in spec.value_range)
    unit = (value - low) / (high - low)
    if spec.clip is not None:
        unit = np.clip(unit, *spec.clip)
    return air((unit - np.asarray(spec.mean)) / np.asarray(spec.std))


def _at_input(mask: NDArray[Any], made: Explanation) -> NDArray[np.bool_]:
    shape = made.geometry.image_shape
    if tuple(mask.shape) != tuple(shape):
        raise BadInput(
            f"The mask is {' × '.join(map(str, mask.shape))} pixels, the image "
            f"{shape[0]} × {shape[1]}.",
            way_out="Draw or load a mask of this very image.",
        )
    return np.asarray(made.geometry.to_input((np.asarray(mask) != 0).astype(np.float32)) > 0.5)
