"""Explanations of scenes: maps that land where they belong, with how they were made."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.explain.asking import Explanation
from backends.explain.classifier import ImageClassifier, Prepared
from backends.explain.explainers import explain, method
from backends.explain.scene_images import (
    Look,
    look_at,
    on_scene,
    on_window,
    read_prepared,
    window_for,
)
from backends.jobs import Progress
from backends.overlays import ConceptMaps, Heatmap, Placement, Provenance
from backends.scene import Scene, Window

# A spectral network keeps what it did with every pixel until the way back.
MOST_SPECTRAL_PIXELS = 200_000
# Pixels on each side of one that is explained: fewer would hardly be a map.
LEAST_AROUND = 12


@dataclass(frozen=True)
class Request:
    """What is asked of a classifier about a scene.

    Attributes
    ----------
    how : str
        Id of a method, see `backends.explain.explainers.METHODS`.
    wanted : int or str, optional
        Class number from 0 or name; default the likeliest.
    settings : mapping
        Of the method.
    layer : str
        Empty finds it.
    fit : str
        How the image is brought to the network; empty as it prefers.
    pixel : (row, col) of the scene, optional
    region : bool array of shape (rows, cols) of the scene, optional
        For networks that classify pixels.
    untrained : bool
        Explain random weights, too.
    command : tuple of str
        The command line that does it again.
    """

    how: str = "grad_cam"
    wanted: int | str | None = None
    settings: Mapping[str, Any] | None = None
    layer: str = ""
    fit: str = ""
    pixel: tuple[int, int] | None = None
    region: NDArray[np.bool_] | None = None
    untrained: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """An explanation of a scene.

    Attributes
    ----------
    heatmap : Heatmap
        On the pixels that were looked at.
    explanation : Explanation
        In the network's own grid, with everything the method found.
    top : tuple of (number, name, probability)
        The likeliest classes.
    window, level : Window, int
        What was looked at.
    prepared : Prepared
        The image as the network saw it, for measures of trust.
    """

    heatmap: Heatmap
    explanation: Explanation
    top: tuple[tuple[int, str, float], ...]
    window: Window
    level: int
    prepared: Prepared

    @property
    def native(self) -> Placement:
        """Where the cells of the network's own grid lie on the scene."""
        shape = self.explanation.values.shape
        return self._native(shape)

    def _native(self, shape: tuple[int, ...]) -> Placement:
        here, full = self.heatmap.placement, self.explanation.geometry.grid_placement(*shape)
        return Placement(
            here.row + full.row * here.row_step,
            here.col + full.col * here.col_step,
            full.row_step * here.row_step,
            full.col_step * here.col_step,
        )


def explain_scene(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    *,
    window: Window | None = None,
    level: int | None = None,
    slice_number: int | None = None,
    progress: Progress | None = None,
) -> Found:
    """Explain what a classifier says of a scene, or of a window of it, in one look.

    Parameters
    ----------
    window : Window, optional
        In pixels of ``level``.
    level : int, optional
        Default full size; of a very large scene a coarse level.
    slice_number : int, optional
        Of a volume, from 0.

    Raises
    ------
    BadInput
        The scene does not suit the network, or the method does not.
    WrongUse
        No such class, method, layer or setting; untrained.
    Cancelled
    """
    progress = progress or Progress()
    started = time.perf_counter()
    if window is None and not level:
        window = _around(classifier, scene, request)
    most = MOST_SPECTRAL_PIXELS if classifier.spec.size is None else None
    window, level = window_for(scene, window, level, *([most] if most else []))
    look = look_at(classifier, scene, slice_number=slice_number)
    progress.note(f"Reading {scene.title}")
    prepared = read_prepared(classifier, scene, look, window, level, fit=request.fit)
    progress.check()
    region, pixel = _targets_in(scene, request, window, level)
    target = classifier.target(prepared, request.wanted, region=region, pixel=pixel)
    if request.pixel is not None:  # in words it is a pixel of the scene, not of the window
        row, col = request.pixel
        name = f"{classifier.class_names[target.index]} at row {row} and column {col}"
        target = replace(target, name=name)
    # A layer of a network that is asked for few pixels would be one of those only.
    asked = classifier if method(request.how).needs else classifier.focused(target)
    found = explain(
        asked, prepared, target, request.how, request.settings, progress,
        layer=request.layer, untrained=request.untrained,
    )  # fmt: skip
    made = provenance_of(classifier, scene, request, found, look, window, level)
    made = replace(made, seconds=time.perf_counter() - started)
    title = title_of(found)
    if scene.bands.axis == "slice":
        title += f", slice {look.bands[0] + 1}"
    heatmap = Heatmap(
        title, scene.id, made, values=found.on_image(),
        centre=0.0 if found.method.signed else None, unit=unit_of(request.how),
        target=found.target.name, placement=on_scene(scene, window, level, Placement()),
    )  # fmt: skip
    there = None if region is None and pixel is None else target.mask
    top = tuple(classifier.top(prepared, mask=there))
    whole = Found(heatmap, found, top, window, level, prepared)
    heatmap = replace(heatmap, grid=whole.native, grid_shape=found.values.shape)
    return replace(whole, heatmap=heatmap)


def _around(classifier: ImageClassifier, scene: Scene, request: Request) -> Window | None:
    """Return what the answer for a pixel or region depends on; None where that is everything.

    Beyond it a map is nought. Looking there, too, takes a hundred times as long on a cube, and
    random maps, which trust is measured against, would nearly all miss what counts.
    """
    reach = classifier.spec.reach
    if reach is None or not classifier.pixelwise:
        return None
    if request.pixel is not None:
        (top, left), (bottom, right) = request.pixel, request.pixel
    elif request.region is not None and request.region.any():
        if request.region.shape != scene.shape[:2]:
            return None  # refused further on
        rows, cols = (np.flatnonzero(request.region.any(axis)) for axis in (1, 0))
        top, left, bottom, right = (int(n) for n in (rows[0], cols[0], rows[-1], cols[-1]))
    else:
        return None
    if not (0 <= top < scene.shape[0] and 0 <= left < scene.shape[1]):
        return None
    wide = max(reach, LEAST_AROUND)
    top, left = max(0, top - wide), max(0, left - wide)
    return Window(top, left, bottom + wide + 1 - top, right + wide + 1 - left).clip(
        *scene.shape[:2]
    )


def explain_volume(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    slices: Sequence[int] | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[ConceptMaps, tuple[Found, ...]]:
    """Explain the slices of a volume one after the other.

    The target is the class asked for, or each slice's own likeliest.

    Parameters
    ----------
    slices : sequence of int, optional
        From 0; default all.

    Raises
    ------
    BadInput
        It is no volume.
    """
    if scene.bands.axis != "slice":
        raise BadInput(f"{scene.title} is no volume.", way_out="Explain it as an image.")
    progress = progress or Progress()
    numbers = list(range(scene.shape[2]) if slices is None else slices)
    found = []
    progress.start(len(numbers), "slices", "Explaining slices")
    for number in numbers:
        inner = Progress(progress.token)
        found.append(explain_scene(classifier, scene, request, slice_number=number, progress=inner))
        progress.advance()
    if not found:
        raise BadInput("No slice was chosen.")
    maps = np.stack([f.heatmap.values for f in found])
    first = found[0].heatmap
    names = tuple(f"slice {n + 1}: {f.heatmap.target}" for n, f in zip(numbers, found, strict=True))
    seconds = sum(f.heatmap.provenance.seconds for f in found)
    made = replace(first.provenance, seconds=seconds, region=f"{len(numbers)} slices")
    title = f"{found[0].explanation.method.title}, slice by slice"
    return ConceptMaps(
        title, scene.id, made, values=maps, names=names, placement=first.placement
    ), tuple(found)


def title_of(found: Explanation) -> str:
    """Return the title of a map: method, class, and where it was made."""
    name = found.target.name.split(",")[0]
    at = f" at {found.layer.name}" if found.layer is not None else ""
    return f"{found.method.title}: {name}{at}"


def unit_of(how: str) -> str:
    """Return what the numbers of a method are."""
    family = method(how).family
    if how.startswith("occlusion") or how in ("token_occlusion", "integrated_gradients"):
        return "score"
    return {"attention": "attention", "gradient": "score per value"}.get(family, "")


def provenance_of(
    classifier: ImageClassifier,
    scene: Scene,
    request: Request,
    found: Explanation,
    look: Look,
    window: Window,
    level: int,
) -> Provenance:
    """Return how a map was made: everything that is needed to make it again."""
    card = classifier.card
    rows, cols = scene.level_shapes[level]
    whole = window == Window(0, 0, rows, cols)
    where = f"rows {window.row} to {window.row + window.height - 1}, columns {window.col} to "
    where += f"{window.col + window.width - 1} of level {level}"
    values = found.values
    finite = values[np.isfinite(values)]
    figures: dict[str, Any] = {
        "score": found.score,
        "probability": found.probability,
        "map_lowest": float(finite.min()) if finite.size else 0.0,
        "map_highest": float(finite.max()) if finite.size else 0.0,
        **found.figures,
    }
    if found.parts is not None:
        means = found.parts.mean((1, 2))
        named = zip(found.part_names, means, strict=True)
        figures["ranges"] = {name: float(value) for name, value in named}
    if found.bands is not None:
        figures["bands"] = [float(v) for v in found.bands]
    geometry = found.geometry
    parameters: dict[str, Any] = {
        "model": card.id,
        "model_title": card.title,
        "trained_on": card.trained_on or "untrained",
        "target": found.target.name,
        "target_index": found.target.index,
        "layer": found.layer.name if found.layer else "",
        "grid": list(values.shape),
        "input": [classifier.spec.bands, *geometry.input_shape],
        "bands": list(look.bands),
        "fit": request.fit or classifier.spec.fit,
        **found.settings,
    }
    states = tuple(state.sentence for state in found.states)
    return Provenance(
        found.method.id,
        "1",
        card.weights_digest,
        parameters,
        scene.digest,
        str(scene.info.path or ""),
        "" if whole and level == 0 else where,
        classifier.device,
        found.seconds,
        command=shlex.join(("clearband", *request.command)) if request.command else "",
        notes=tuple(dict.fromkeys((*states, *found.notes, *card.notes))),
        figures=figures,
    )


def _targets_in(
    scene: Scene, request: Request, window: Window, level: int
) -> tuple[NDArray[np.bool_] | None, tuple[int, int] | None]:
    """Bring a region or pixel of the scene into the window of a level."""
    rows, cols = scene.level_shapes[level]
    down, across = scene.shape[0] / rows, scene.shape[1] / cols
    region, pixel = request.region, request.pixel
    if pixel is not None:
        pixel = (int(pixel[0] / down) - window.row, int(pixel[1] / across) - window.col)
    if region is not None:
        region = on_window(region, scene, window, level)
    return region, pixel
