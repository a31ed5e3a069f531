"""Every way to explain by its id, and the one function that makes an explanation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.errors import BadInput, WrongUse
from backends.explain import attention, cam, gradients, taking_away
from backends.explain.asking import Ask, Explanation, Maker, Method
from backends.explain.classifier import ImageClassifier, Prepared, Target
from backends.explain.layers import TOKENS, Layer, capture, find_layer
from backends.explain.map_states import Explained, State, states
from backends.jobs import Progress


def _from_gradients(weigh: Callable[[Tensor, Tensor], Tensor]) -> Maker:
    def make(ask: Ask, batch: Tensor) -> Tensor:
        leaf, logits = capture(ask.classifier, batch, ask.place)
        with torch.inference_mode(False), torch.enable_grad():
            (found,) = torch.autograd.grad(ask.target.of(logits).sum(), leaf)
        ask.side["logits"] = logits.detach()
        to_grid = ask.place.to_grid
        with torch.no_grad():
            return weigh(to_grid(leaf.detach()).float(), to_grid(found).float())

    return make


def _eigen_cam(ask: Ask, batch: Tensor) -> Tensor:
    return cam.eigen_cam(_activations(ask, batch).float())


def _score_cam(ask: Ask, batch: Tensor) -> Tensor:
    """Score-CAM (Wang et al. 2020, eq. 5 to 7): channels weighted by the score behind them."""
    every = _activations(ask, batch).float()
    size, most = batch.shape[-2:], int(ask.settings["channels"])
    out = []
    for image, maps in zip(batch, every, strict=True):
        spread = maps.flatten(1).std(1)
        chosen = torch.topk(spread, min(most or len(spread), len(spread))).indices
        kept = maps[chosen]

        def behind(low: int, high: int, kept: Tensor = kept, image: Tensor = image) -> Tensor:
            masks = torch.nn.functional.interpolate(
                kept[None, low:high], size, mode="bilinear", align_corners=False
            )[0]
            lowest = masks.amin((1, 2), keepdim=True)
            reach = (masks.amax((1, 2), keepdim=True) - lowest).clamp(min=1e-12)
            return image[None] * ((masks - lowest) / reach)[:, None].to(image.dtype)

        scores = ask.scores_of(len(kept), behind)
        # The baseline's score, the same for all, cancels in the softmax.
        out.append((torch.softmax(scores, 0)[:, None, None] * kept).sum(0))
    if most and most < every.shape[1]:
        ask.side.setdefault("notes", []).append(
            f"Score-CAM asked for {most} of {every.shape[1]} channels, those that vary most."
        )
    return torch.stack(out)


def _activations(ask: Ask, batch: Tensor) -> Tensor:
    with torch.no_grad():
        leaf, _ = capture(ask.classifier, batch, ask.place)
        return ask.place.to_grid(leaf.detach())


_BATCH = {"batch": 16}
_SLIDING = {"window": 0, "stride": 0, "baseline": "mean", **_BATCH}

METHODS: tuple[Method, ...] = (
    Method("grad_cam", "Grad-CAM", "activation", _from_gradients(cam.grad_cam),
           "Selvaraju et al. 2017", "Where features the class wants are active.", needs="layer"),
    Method("grad_cam_pp", "Grad-CAM++", "activation", _from_gradients(cam.grad_cam_plus_plus),
           "Chattopadhay et al. 2018", "Grad-CAM for several things of a class.", needs="layer"),
    Method("hires_cam", "HiResCAM", "activation", _from_gradients(cam.hires_cam),
           "Draelos and Carin 2020", "Each place weighted by its own gradient.", needs="layer"),
    Method("layer_cam", "LayerCAM", "activation", _from_gradients(cam.layer_cam),
           "Jiang et al. 2021", "Positive gradients only, place by place.", needs="layer"),
    Method("xgrad_cam", "XGrad-CAM", "activation", _from_gradients(cam.xgrad_cam),
           "Fu et al. 2020", "Gradients weighted by the share of activation.", needs="layer"),
    Method("eigen_cam", "Eigen-CAM", "activation", _eigen_cam, "Muhammad and Yeasin 2020",
           "What stands out in the features; it knows no class.", needs="layer"),
    Method("score_cam", "Score-CAM", "activation", _score_cam, "Wang et al. 2020",
           "Features weighted by the score of the image behind them.",
           {"channels": 128, **_BATCH}, needs="layer"),
    Method("attention_rollout", "Attention rollout", "attention", attention.attention_rollout,
           "Abnar and Zuidema 2020", "Which patches the answer looked at; it knows no class.",
           needs="tokens", signed=False),
    Method("attention_gradient", "Gradient-weighted attention", "attention",
           attention.attention_gradient, "Chefer et al. 2021",
           "Attention that speaks for the class.", needs="tokens", signed=False),
    Method("saliency", "Gradient", "gradient", gradients.saliency, "Simonyan et al. 2013",
           "How much the answer changes with each pixel.", signed=False),
    Method("smooth_grad", "SmoothGrad", "gradient", gradients.smooth_grad,
           "Smilkov et al. 2017", "The gradient's mean under noise.",
           {"samples": 25, "noise": 0.1, "seed": 0, "batch": 5}, signed=False),
    Method("integrated_gradients", "Integrated gradients", "gradient",
           gradients.integrated_gradients, "Sundararajan et al. 2017",
           "What each pixel adds on the way from a baseline; the map adds up to the score.",
           {"steps": 32, "baseline": "mean", "batch": 4}),
    Method("occlusion", "Occlusion", "perturbation", taking_away.occlusion,
           "Zeiler and Fergus 2014", "What the answer loses under a square.", _SLIDING),
    Method("occlusion_spectral", "Occlusion of the spectrum", "perturbation",
           taking_away.spectral_occlusion, "after Zeiler and Fergus 2014",
           "What the answer loses without a range of wavelengths.",
           {"ranges": "", "baseline": "image", **_BATCH}),
    Method("occlusion_joint", "Occlusion in place and spectrum", "perturbation",
           taking_away.joint_occlusion, "after Zeiler and Fergus 2014",
           "What the answer loses under a square without a range of wavelengths.",
           {"ranges": "", **_SLIDING, "baseline": "image"}),
    Method("rise", "RISE", "perturbation", taking_away.rise, "Petsiuk et al. 2018",
           "What helps the answer among random masks.",
           {"masks": 500, "cells": 7, "keep": 0.5, "seed": 0, "baseline": "mean", **_BATCH}),
    Method("token_occlusion", "Token occlusion", "perturbation", taking_away.token_occlusion,
           "after Zeiler and Fergus 2014", "What the answer loses without a patch's token.",
           {"patch": 2, **_BATCH}, needs="tokens"),
)  # fmt: skip


def method(wanted: str) -> Method:
    """Return a method by its id.

    Raises
    ------
    WrongUse
        There is no such method.
    """
    for known in METHODS:
        if known.id == wanted.replace("-", "_"):
            return known
    listed = ", ".join(known.id for known in METHODS)
    raise WrongUse(f"There is no method called {wanted}.", way_out=f"Use one of: {listed}.")


def explain(
    classifier: ImageClassifier,
    prepared: Prepared,
    target: Target,
    how: str,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    *,
    layer: str = "",
    untrained: bool = False,
) -> Explanation:
    """Explain one answer about one image.

    Parameters
    ----------
    classifier : ImageClassifier
    prepared : Prepared
        The image, see `ImageClassifier.prepare`.
    target : Target
        What of the answer, see `ImageClassifier.target`.
    how : str
        Id of one of `METHODS`.
    settings : mapping, optional
        Of that method.
    layer : str
        Where; empty finds it.
    untrained : bool
        Explain a network with random weights, too: for demonstrations.

    Raises
    ------
    WrongUse
        No such method, setting or layer, or the network is untrained.
    BadInput
        The method does not fit the network; the sentence says why.
    Cancelled
        Within one batch of the network.
    """
    started = time.perf_counter()
    chosen = method(how)
    ask = _ask(classifier, prepared.tensor, target, chosen, settings, progress, layer, untrained)
    ask.wavelength_nm = prepared.wavelength_nm
    ask.progress.check()
    found = chosen.make(ask, prepared.tensor)
    values = found[0].detach().float().cpu().numpy()
    logits = ask.side.get("logits")
    if logits is None:  # one more look, at the image as it is
        with torch.no_grad():
            logits = classifier.logits(prepared.tensor)
    score = float(target.of(logits)[0])
    likely = torch.softmax(logits.float(), 1)
    pixels = (
        1
        if logits.ndim == 2
        else int(logits[0, 0].numel() if target.mask is None else target.mask.sum())
    )
    probability = float(target.of(likely)[0]) / max(1, pixels)
    notes = [*prepared.notes, *ask.side.get("notes", ())]
    if ask.layer is not None:
        notes.append(ask.layer.reason)
    if classifier.card.untrained:
        notes.append("Untrained: the weights are random, for demonstration only.")
    return Explanation(
        np.ascontiguousarray(values),
        prepared.geometry,
        chosen,
        target,
        ask.settings,
        ask.layer,
        score,
        probability,
        _states(values, ask, chosen, probability),
        tuple(notes),
        ask.side.get("figures", {}),
        ask.side.get("parts"),
        ask.side.get("part_names", ()),
        ask.side.get("bands"),
        time.perf_counter() - started,
    )


def map_function(
    classifier: ImageClassifier,
    target: Target,
    how: str,
    settings: Mapping[str, Any] | None = None,
    *,
    layer: str = "",
    untrained: bool = False,
    progress: Progress | None = None,
) -> Callable[[Tensor], NDArray[np.float32]]:
    """Return what turns one prepared image (bands, rows, cols) into its raw map.

    For measures of trust, which ask for many maps of changed images.
    """
    chosen = method(how)

    def run(image: Tensor) -> NDArray[np.float32]:
        batch = image[None].to(classifier.device)
        ask = _ask(classifier, batch, target, chosen, settings, None, layer, untrained)
        if progress is not None:  # be stopped by it without counting on it
            ask.progress.token = progress.token
        found = chosen.make(ask, batch)[0].detach().float().cpu().numpy()
        return np.asarray(found, np.float32)

    return run


def _ask(
    classifier: ImageClassifier,
    batch: Tensor,
    target: Target,
    chosen: Method,
    settings: Mapping[str, Any] | None,
    progress: Progress | None,
    layer: str,
    untrained: bool,
) -> Ask:
    if classifier.card.untrained and not untrained:
        raise WrongUse(
            f"{classifier.card.title} is untrained: its weights are random, and a map of them "
            "would explain nothing.",
            way_out="Give weights, or take random ones by command: --untrained.",
        )
    if not 0 <= target.index < len(classifier.class_names):
        raise WrongUse(
            f"{classifier.card.title} has no class {target.index}.",
            way_out=f"Its classes are 0 to {len(classifier.class_names) - 1}.",
        )
    where: Layer | None = None
    if chosen.needs:
        where = find_layer(classifier, batch, layer)
        if chosen.needs == "tokens" and where.kind != TOKENS:
            raise BadInput(
                f"{chosen.title} is for networks that work on patches as tokens, which "
                f"{classifier.card.title} does not.",
                way_out="Use Grad-CAM, occlusion or RISE.",
            )
    elif layer:
        raise WrongUse(f"{chosen.title} looks at no layer.", way_out="Leave the layer out.")
    complete = chosen.complete(settings)
    return Ask(classifier, target, complete, progress or Progress(), where)


def _states(
    values: NDArray[np.float32], ask: Ask, chosen: Method, probability: float
) -> tuple[State, ...]:
    tokens = ask.layer is not None and ask.layer.kind == TOKENS
    classes = len(ask.classifier.class_names)
    about = Explained(ask.target.name, probability, classes, chosen.id, tokens)
    if chosen.id == "occlusion_spectral":  # one cell is always flat
        return tuple(s for s in states(values, about) if s.id != "flat")
    return states(values, about)
