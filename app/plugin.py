"""Clearband inside a plain napari: readers, samples and docks named in ``napari.yaml``.

Whatever way a file comes in, `backends.io.open_scene` opens it. Where a Clearband
window or one of its docks is there, the file becomes a scene of that workspace;
in a bare napari it becomes ordinary layers, which the first dock takes over.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtWidgets import QWidget

from app.bridge import Bridge
from app.canvas import Canvas
from app.frames import Frame, coarse_placement, frame_of
from app.opening import Opener
from app.overlay_looks import direct_colors
from app.samples import sample
from app.settings import Settings
from app.workbenches import DOCKS
from backends.composite import default_recipe, is_tiled, render, rgb_pyramid, stretch_limits
from backends.errors import ClearbandError
from backends.io.labels import labels_of
from backends.jobs import Progress, ThreadRunner
from backends.palette import class_colors
from backends.scene import Scene
from backends.workspace import Workspace

SCENE = "clearband scene"
LayerTuple = tuple[Any, ...]
# What napari understands as "taken care of, nothing to add".
NOTHING: list[LayerTuple] = [(None,)]


class Attachment(QObject):
    """A workspace on a plain napari viewer, made when its first dock is opened."""

    def __init__(self, viewer: Any) -> None:
        window = viewer.window._qt_window
        super().__init__(window)
        self.viewer = viewer
        bridge = Bridge(self._notify, self)
        self._bridge = bridge
        self.workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
        self.canvas = Canvas(viewer, self.workspace, self._notify)
        self.opener = Opener(self.canvas, Settings(), self._tell, window)
        self._closed = False
        window.clearband = self
        window.installEventFilter(self)
        self._adopt()

    def dock(self, dock_id: str) -> QWidget:
        """Return a new dock."""
        spec = next(s for s in DOCKS if s.id == dock_id)
        module, _, name = spec.path.partition(":")
        boards = {"board": self.canvas.board, "pictures": self.canvas.pictures}
        extra = {need: boards[need] for need in spec.needs if need in boards}
        widget = getattr(importlib.import_module(module), name)(self.workspace, None, **extra)
        assert isinstance(widget, QWidget)
        return widget

    def close(self) -> None:
        """Stop jobs, let go of files."""
        if not self._closed:
            self._closed = True
            self.canvas.close()
            self.workspace.close()
            self.workspace.jobs.clear()  # what they would have told is of no use any more
            self._bridge.close()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """End with the window."""
        if event is not None and event.type() == QEvent.Type.Close:
            self.close()
        return False

    def _adopt(self) -> None:
        """Take over the scenes that napari's own File > Open brought before."""
        found: dict[str, Scene] = {}
        for layer in list(self.viewer.layers):
            scene = layer.metadata.get(SCENE)
            if isinstance(scene, Scene) and not scene.is_closed:
                found[scene.id] = scene
                self.viewer.layers.remove(layer)
        for scene in found.values():
            self.opener.open_scene(scene)

    def _notify(self, error: ClearbandError) -> None:
        self._tell(str(error), "error", details=error.details)

    def _tell(self, text: str, kind: str = "info", **more: Any) -> None:
        from napari.utils.notifications import show_error, show_info, show_warning

        {"error": show_error, "warning": show_warning}.get(kind, show_info)(text)


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerTuple]] | None:
    """Return a reader for a path, or None where no reader of ours claims it."""
    from backends.io import sniff

    first = Path(path[0] if isinstance(path, list) else path)
    try:
        guesses = sniff(first)
    except ClearbandError:
        return None
    return read if guesses else None


def read(path: str | list[str]) -> list[LayerTuple]:
    """Open files; as scenes of a workspace where there is one, else as napari layers."""
    from backends.io import open_scene

    paths = path if isinstance(path, list) else [path]
    owner = _owner()
    if owner is not None:
        owner.opener.open_paths(paths)
        return NOTHING
    layers: list[LayerTuple] = []
    for one in paths:
        layers += layer_tuples(open_scene(one))
    return layers


def layer_tuples(scene: Scene) -> list[LayerTuple]:
    """Return a scene as napari layers: its first picture, or its labels."""
    frame = frame_of(scene)
    if scene.info.kind == "labels":
        try:
            return [_labels_tuple(scene, frame)]
        except ClearbandError:
            pass  # no class numbers after all: it is shown as an image
    recipe = default_recipe(scene)
    common: dict[str, Any] = {"metadata": {SCENE: scene}, "units": frame.units}
    if is_tiled(scene) and scene.info.is_rgb:
        place = {"scale": frame.scale(), "translate": frame.translate()}
        options = {**common, **place, "name": scene.title, "rgb": True, "multiscale": True}
        return [(rgb_pyramid(scene), options, "image")]
    level = 0
    if is_tiled(scene):
        # A bare napari would read all of it at once: it gets a level that fits.
        shapes = list(scene.level_shapes)
        level = next((i for i, (r, c) in enumerate(shapes) if r * c <= 4096**2), len(shapes) - 1)
        recipe = _with_limits(scene, recipe)
    picture = render(scene, recipe, level=level)
    placement = coarse_placement(picture.step)
    place = {"scale": frame.scale(placement), "translate": frame.translate(placement)}
    if picture.is_rgb:
        options = {**common, **place, "name": scene.title, "rgb": True}
        return [(picture.to_rgb8(), options, "image")]
    names = ("red", "green", "blue") if len(picture.planes) == 3 else (recipe.colormap,)
    return [
        (
            plane,
            {
                **common,
                **place,
                "name": scene.title if len(names) == 1 else f"{scene.title}: {name}",
                "colormap": name,
                "contrast_limits": limits,
                "blending": "translucent_no_depth" if index == 0 else "additive",
            },
            "image",
        )
        for index, (name, plane, limits) in enumerate(
            zip(names, picture.planes, picture.limits, strict=True)
        )
    ]


def _with_limits(scene: Scene, recipe: Any) -> Any:
    from dataclasses import replace

    return replace(recipe, limits=stretch_limits(scene, recipe))


def _labels_tuple(scene: Scene, frame: Frame) -> LayerTuple:
    labels = labels_of(scene)
    colors = class_colors(labels.class_names, labels.class_colors)
    options = {
        "name": scene.title,
        "scale": frame.scale(),
        "units": frame.units,
        "colormap": direct_colors(colors),
        "metadata": {SCENE: scene, "class_names": labels.class_names},
    }
    return (labels.values, options, "labels")


def _owner() -> Any:
    """Return the Clearband window or attachment of the viewer in front, or None."""
    from napari import current_viewer

    viewer = current_viewer()
    return None if viewer is None else getattr(viewer.window._qt_window, "clearband", None)


def _sample(sample_id: str) -> list[LayerTuple]:
    owner = _owner()
    if owner is not None:
        owner.opener.open_sample(sample_id)
        return NOTHING
    return layer_tuples(sample(sample_id).make(Progress()))


def sample_demo() -> list[LayerTuple]:
    """Open the simulated landscape."""
    return _sample("demo")


def sample_thermal() -> list[LayerTuple]:
    """Open the simulated fire."""
    return _sample("thermal")


def sample_tissue() -> list[LayerTuple]:
    """Open the stained tissue."""
    return _sample("ihc")


def sample_retina() -> list[LayerTuple]:
    """Open the retina."""
    return _sample("retina")


def _dock(dock_id: str) -> QWidget:
    from napari import current_viewer

    owner = _owner() or Attachment(current_viewer())
    if isinstance(owner, Attachment):
        return owner.dock(dock_id)
    owner.show_dock(dock_id)  # a Clearband window has it already
    return QWidget()


def layers_dock() -> QWidget:
    """Return the layers dock."""
    return _dock("layers")


def composer_dock() -> QWidget:
    """Return the composer."""
    return _dock("composer")


def spectrum_dock() -> QWidget:
    """Return the spectrum dock."""
    return _dock("spectrum")


def regions_dock() -> QWidget:
    """Return the regions dock."""
    return _dock("regions")


def classify_dock() -> QWidget:
    """Return the classify dock."""
    return _dock("classify")


def matrices_dock() -> QWidget:
    """Return the matrices dock."""
    return _dock("matrices")


def clusters_dock() -> QWidget:
    """Return the clusters dock."""
    return _dock("clusters")


def jobs_dock() -> QWidget:
    """Return the jobs dock."""
    return _dock("jobs")
