"""What the explain dock has done in the background, and the command lines that do the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.explain.model_choices import NAMED, PUBLISHED, ModelChoice
from backends.jobs import Progress
from backends.overlays import Heatmap, Overlay
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.explain.classifier import ImageClassifier
    from backends.explain.confident_errors import Errors
    from backends.explain.heatmaps import Found, Request
    from backends.explain.layers import Layer
    from backends.explain.trust_card import TrustCard

# Networks that stay in memory beside the one in use.
NETWORKS_KEPT = 2


@dataclass(frozen=True)
class Where:
    """What of a scene is looked at.

    Attributes
    ----------
    window : Window or None
        In pixels of ``level``; None is the whole image.
    level : int or None
        None is full size, or what suits a large scene.
    slice_number : int or None
        Of a volume, from 0.
    every_slice, tiles : bool
    """

    window: Window | None = None
    level: int | None = None
    slice_number: int | None = None
    every_slice: bool = False
    tiles: bool = False


@dataclass(frozen=True, eq=False)
class Question:
    """What a network is asked about a scene.

    Attributes
    ----------
    choice : ModelChoice
    fetch : bool
        Download published weights.
    how : str
        Id of a method.
    wanted : int, str or None
        Class number or name; None is the likeliest.
    layer : str
        Empty finds it.
    region : bool array of shape (rows, cols) of the scene, optional
        Whose pixels are explained.
    """

    scene: Scene
    choice: ModelChoice
    where: Where = Where()
    how: str = "grad_cam"
    wanted: int | str | None = None
    layer: str = ""
    pixel: tuple[int, int] | None = None
    region: NDArray[np.bool_] | None = None
    fetch: bool = False
    assess: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; empty where something is in no file."""
        path = self.scene.info.path
        if path is None or self.region is not None:
            return ()
        words = ["explain", str(path)]
        if self.choice.model:
            words += ["--model", self.choice.model]
        if self.choice.weights is not None:
            words += ["--weights", str(self.choice.weights)]
        words += ["--method", self.how]
        if self.wanted is not None:
            words += ["--target", str(self.wanted)]
        if self.layer:
            words += ["--layer", self.layer]
        at, window = self.where, self.where.window
        if window is not None:
            corner = f"{window.row},{window.col},{window.height},{window.width}"
            words += ["--window", corner]
        if at.level is not None:
            words += ["--level", str(at.level)]
        if at.every_slice:
            words += ["--slices", "all"]
        elif at.slice_number is not None:
            words += ["--slices", str(at.slice_number + 1)]
        if self.pixel is not None:
            words += ["--pixel", f"{self.pixel[0]},{self.pixel[1]}"]
        for key, value in self.scene.info.options.items():
            words += ["--option", f"{key}={value}"]
        flags = {"--tiles": at.tiles, "--fetch": self.fetch, "--trust": self.assess}
        words += [flag for flag, on in flags.items() if on]
        return (*words, "--out", f"{path.stem}_explained")

    @property
    def request(self) -> Request:
        """The same as explainers take it."""
        from backends.explain.heatmaps import Request

        return Request(
            self.how, self.wanted, None, self.layer, "", self.pixel, self.region,
            command=self.command,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Answer:
    """What came back.

    Attributes
    ----------
    overlay : Overlay or None
        A heatmap; None where only the classes were asked for.
    found : Found or None
        What measures of trust need; None for maps stitched from tiles.
    top : tuple of (number, name, probability)
    layers : tuple of Layer
        That can be chosen.
    layer : Layer or None
        The one that was looked at, or would be.
    card : TrustCard or None
    assessed_by : tuple of str
        Command line that makes the map and its card; empty where something is in no file.
    each : tuple of (number, Answer)
        Of a volume, one a slice: their heatmaps have one id, for one is shown at a time.
    """

    question: Question
    classifier: ImageClassifier
    overlay: Overlay | None = None
    found: Found | None = None
    top: tuple[tuple[int, str, float], ...] = ()
    layers: tuple[Layer, ...] = ()
    layer: Layer | None = None
    card: TrustCard | None = None
    assessed_by: tuple[str, ...] = ()
    each: tuple[tuple[int, Answer], ...] = ()

    @property
    def heatmap(self) -> Heatmap | None:
        """The overlay, if it is one map."""
        return self.overlay if isinstance(self.overlay, Heatmap) else None


class LoadedNetworks:
    """Networks that were read lately, so that a second question need not read again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Any, ...], ImageClassifier] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, choice: ModelChoice, fetch: bool, progress: Progress) -> ImageClassifier:
        """Return the network of a choice; read, and fetched where that was asked for."""
        changed = choice.weights.stat().st_mtime_ns if _is_file(choice.weights) else 0
        key = (choice.kind, choice.model, str(choice.weights or ""), changed)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        from backends import devices

        device = devices.choose("auto").id  # before the libraries, see there
        import torch

        from backends.explain import shelf

        progress.note(f"Reading {choice.title}")
        torch.set_num_threads(devices.model_threads())
        made = shelf.load(
            choice.model, choice.weights, fetch=fetch and choice.kind in (PUBLISHED, NAMED),
            device=device, progress=progress,
        )  # fmt: skip
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > NETWORKS_KEPT:
                self._kept.popitem(last=False)
        return made


@dataclass(frozen=True, eq=False)
class Explain:
    """Asking a network and explaining its answer."""

    question: Question
    networks: LoadedNetworks

    def __call__(self, progress: Progress) -> Answer:
        """Do it."""
        from backends.explain.explanation_trust import trust_of_found
        from backends.explain.heatmaps import explain_scene, explain_volume
        from backends.explain.region_maps import explain_region

        q = self.question
        classifier = self.networks.load(q.choice, q.fetch, progress)
        at, scene, request = q.where, q.scene, q.request
        if at.every_slice:
            _, every = explain_volume(classifier, scene, request, progress=progress)
            return _of_slices(q, classifier, every)
        if at.tiles:
            level = at.level or 0
            window = at.window or Window(0, 0, *scene.level_shapes[level])
            made = explain_region(classifier, scene, request, window, level, progress=progress)
            return Answer(q, classifier, made)
        found = explain_scene(
            classifier, scene, request, window=at.window, level=at.level,
            slice_number=at.slice_number, progress=progress,
        )  # fmt: skip
        layers = _layers(classifier, found.prepared.tensor)
        layer = found.explanation.layer
        answer = Answer(q, classifier, found.heatmap, found, found.top, layers, layer)
        if not q.assess:
            return answer
        progress.partial(answer, force=True)
        card, found = trust_of_found(classifier, found, scene, progress=progress)
        done = replace(answer, overlay=found.heatmap, found=found, card=card)
        return replace(done, assessed_by=q.command)


@dataclass(frozen=True, eq=False)
class Look:
    """Asking a network what it says, and where it could be looked into; no map."""

    question: Question
    networks: LoadedNetworks

    def __call__(self, progress: Progress) -> Answer:
        """Do it."""
        from backends.errors import BadInput
        from backends.explain.layers import find_layer
        from backends.explain.scene_images import look_at, read_prepared, window_for

        q = self.question
        classifier = self.networks.load(q.choice, q.fetch, progress)
        at = q.where
        if at.tiles:  # of a large region a coarse look says enough
            at = replace(at, window=None, level=None)
        window, level = window_for(q.scene, at.window, at.level)
        look = look_at(classifier, q.scene, slice_number=at.slice_number)
        prepared = read_prepared(classifier, q.scene, look, window, level)
        progress.check()
        top = tuple(classifier.top(prepared))
        layers = _layers(classifier, prepared.tensor)
        try:
            layer = find_layer(classifier, prepared.tensor)
        except BadInput:
            layer = None  # it has none: methods that need one will say so
        return Answer(q, classifier, top=top, layers=layers, layer=layer)


@dataclass(frozen=True, eq=False)
class Assess:
    """Measuring how far a heatmap can be trusted.

    Attributes
    ----------
    truth : bool array of shape (rows, cols) of the scene, or a file of labels, optional
        Where the thing is.
    air : float or None
        The image value of air, for what is taken away from a CT.
    """

    answer: Answer
    truth: NDArray[np.bool_] | Path | None = None
    air: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __call__(self, progress: Progress) -> Answer:
        """Do it."""
        from backends.explain.explanation_trust import settings_for_scene, trust_of_found

        found, scene = self.answer.found, self.answer.question.scene
        assert found is not None
        truth = self.truth
        if isinstance(truth, Path):
            from backends.io.labels import open_labels

            truth = np.asarray(open_labels(truth).values) > 0
        settings = settings_for_scene(
            self.answer.classifier, scene, air_value=self.air, **self.settings
        )
        card, found = trust_of_found(
            self.answer.classifier, found, scene, truth=truth, settings=settings,
            progress=progress,
        )  # fmt: skip
        done = replace(self.answer, overlay=found.heatmap, found=found, card=card)
        return replace(done, assessed_by=self.command)

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; empty where something is in no file."""
        asked = replace(self.answer.question, assess=True).command
        if not asked or (self.truth is not None and not isinstance(self.truth, Path)):
            return ()
        words = list(asked[:-2])
        if self.truth is not None:
            words += ["--truth", str(self.truth)]
        if self.air is not None:
            words += ["--air", f"{self.air:g}"]
        return (*words, *asked[-2:])


@dataclass(frozen=True, eq=False)
class FindErrors:
    """Looking for the errors a network is surest of."""

    choice: ModelChoice
    folder: Path
    how: str
    networks: LoadedNetworks

    def __call__(self, progress: Progress) -> Errors:
        """Do it."""
        from backends.explain.confident_errors import confident_errors
        from backends.explain.heatmaps import Request

        classifier = self.networks.load(self.choice, False, progress)
        return confident_errors(
            classifier, self.folder, Request(self.how), weights=self.choice.weights,
            progress=progress,
        )  # fmt: skip


def _of_slices(q: Question, classifier: ImageClassifier, every: Sequence[Found]) -> Answer:
    """Return the answer of the slice on the screen, with those of all others beside it."""
    from backends.colormaps import value_limits
    from backends.heatmap_view import shared_limits

    maps = [found.heatmap for found in every]
    # One contrast, or a slice that says little would look like one that says much.
    limits = shared_limits([value_limits(m.values, m.centre) for m in maps], maps[0].centre)
    layers = _layers(classifier, every[0].prepared.tensor)
    each = []
    for number, found in enumerate(every):
        view = replace(found.heatmap.view, limits=limits)
        heatmap = replace(found.heatmap, id=maps[0].id, view=view)
        found = replace(found, heatmap=heatmap)
        asked = replace(q, where=replace(q.where, slice_number=number, every_slice=False))
        layer = found.explanation.layer
        each.append((number, Answer(asked, classifier, heatmap, found, found.top, layers, layer)))
    return replace(each[q.where.slice_number or 0][1], each=tuple(each))


def networks_and_methods(progress: Progress) -> Any:
    """Return the networks on offer and the methods; it imports the libraries."""
    from backends import devices

    # Before the libraries: beside a window not all of torch may be loaded.
    devices.choose("auto")
    from backends.explain.explainers import METHODS
    from backends.explain.model_choices import model_choices

    return model_choices(), METHODS


def _layers(classifier: ImageClassifier, batch: Any) -> tuple[Layer, ...]:
    from backends.explain.layers import layers_of

    return layers_of(classifier, batch)


def _is_file(path: Path | None) -> bool:
    return path is not None and path.is_file()
