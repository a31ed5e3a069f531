"""Pictures on the canvas: three additive planes, true colours, or a lazy pyramid.

A band is read once; another stretch only sets contrast limits. Answers to
questions that are no longer asked are dropped by the workspace (topic "composite").
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray
from PyQt6.QtCore import QTimer

from app.frames import coarse_placement
from app.overlay_looks import continuous
from app.picture_layers import (
    Prepared,
    coarse_planes,
    lazy_layers,
    plane_layers,
    prepare,
    sample_planes,
    set_limits,
    shows_colors,
)
from app.stage import Rank, Stage
from backends.colormaps import table
from backends.composite import (
    LARGEST_PLANE,
    SAMPLE,
    Limits,
    Picture,
    Recipe,
    default_recipe,
    first_level,
    is_tiled,
    limits_of,
    render,
    stretch_limits,
)
from backends.errors import ClearbandError
from backends.jobs import Job, Progress
from backends.scene import Scene
from backends.tiles import forget as forget_tiles
from backends.workspace import Workspace
from widgets.boards import PICTURE, LayerBoard, PictureBoard, Row, Shown

# A picture this small is there before a progress bar could be read.
QUICK_PIXELS = 2_000_000
# A full picture that comes this soon needs no coarse one before it.
PATIENCE_MS = 400


@dataclass
class _OnCanvas:
    """What a scene shows now."""

    layers: list[Any]
    recipe: Recipe
    picture: Picture | None
    tiled: bool


class Composites:
    """Follows the picture board: renders off the window's thread, shows on it.

    Parameters
    ----------
    workspace : Workspace
    stage : Stage
    pictures : PictureBoard
    board : LayerBoard
    notify : callable
        Told of a `ClearbandError`.
    """

    def __init__(
        self,
        workspace: Workspace,
        stage: Stage,
        pictures: PictureBoard,
        board: LayerBoard,
        notify: Callable[[ClearbandError], None],
    ) -> None:
        self.workspace, self.stage = workspace, stage
        self.pictures, self.board = pictures, board
        self._notify = notify
        self._shown: dict[str, _OnCanvas] = {}
        self._held: tuple[Scene, Prepared] | None = None
        self._patience = QTimer()
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._show_held)
        pictures.asked.connect(self._on_asked)
        board.row_changed.connect(self._on_row)
        stage.on_taken.append(self._on_taken)

    def open(self, scene: Scene) -> None:
        """Show the first picture of a scene: a coarse one at once, then the fine one."""
        self.pictures.ask(scene.id, default_recipe(scene))

    def forget(self, scene_id: str) -> None:
        """Drop what belongs to a closed scene."""
        self._shown.pop(scene_id, None)
        self.pictures.forget(scene_id)
        forget_tiles(scene_id)

    def picture(self, scene_id: str) -> Picture | None:
        """Return the planes on the screen; None where they are read piece by piece."""
        found = self._shown.get(scene_id)
        return found.picture if found else None

    # -- asking --------------------------------------------------------------------------

    def _on_asked(self, scene_id: str, recipe: Recipe) -> None:
        scene = self.workspace.scenes.get(scene_id)
        if scene is None:
            return
        shown = self._shown.get(scene_id)
        if is_tiled(scene):
            self._ask_tiled(scene, recipe)
        elif shown is not None and shown.picture is not None and _same_planes(shown, recipe):
            self._ask_limits(scene, recipe, shown.picture)
        else:
            self._ask_planes(scene, recipe)

    def _ask_planes(self, scene: Scene, recipe: Recipe) -> None:
        first = scene.id not in self._shown
        level = first_level(scene, recipe)

        def run(progress: Progress) -> Prepared:
            if level == 0:
                return prepare(render(scene, recipe, progress=progress))
            started = time.perf_counter()
            coarse = render(scene, recipe, level=level, progress=progress)
            # The whole has so many times the rows of the coarse one.
            left = (time.perf_counter() - started) * coarse.step[0]
            progress.partial((prepare(coarse), left), force=True)
            return prepare(render(scene, recipe, progress=progress))

        def show(prepared: Prepared) -> None:
            self._show(scene, prepared)

        def hold(partial: tuple[Prepared, float]) -> None:
            coarse, left = partial
            if left > PATIENCE_MS / 1000:
                self._show(scene, coarse)
                return
            self._held = (scene, coarse)
            self._patience.start()

        rows, cols, _ = scene.shape
        quick = rows * cols <= QUICK_PIXELS
        title = f"Show {scene.title}" if first else f"Show {recipe.title}"
        self._submit(scene, title, run, show, quick, on_partial=hold)

    def _ask_limits(self, scene: Scene, recipe: Recipe, picture: Picture) -> None:
        """Stretch anew from the planes that are in memory."""

        def run(progress: Progress) -> Limits:
            if recipe.limits is not None or recipe.stretch == "none":
                return stretch_limits(scene, recipe)
            return limits_of(sample_planes(picture.planes), recipe)

        def show(limits: Limits) -> None:
            new = replace(picture, limits=limits, recipe=recipe)
            self._show(scene, Prepared(new, list(new.planes)))

        self._submit(scene, f"Stretch {scene.title}", run, show, quick=True)

    def _ask_tiled(self, scene: Scene, recipe: Recipe) -> None:
        if recipe.stretch == "decorrelation":
            self._notify(
                ClearbandError(
                    "The decorrelation stretch needs all pixels at once.",
                    subject=scene.title,
                    way_out=f"It works up to {LARGEST_PLANE // 1_000_000} million pixels; "
                    "choose percentiles here.",
                )
            )
            return

        shown = self._shown.get(scene.id)
        fits = shown is not None and _keeps_tiles(shown, scene, recipe)

        def run(progress: Progress) -> tuple[Limits, list[NDArray[Any]]]:
            limits = stretch_limits(scene, recipe, progress=progress)
            return limits, [] if fits else coarse_planes(scene, recipe)

        def show(made: tuple[Limits, list[NDArray[Any]]]) -> None:
            self._show_tiled(scene, recipe, *made)

        self._submit(scene, f"Show {scene.title}", run, show, quick=True)

    def _submit(
        self,
        scene: Scene,
        title: str,
        run: Callable[[Progress], Any],
        show: Callable[[Any], None],
        quick: bool,
        on_partial: Callable[[Any], None] | None = None,
    ) -> None:
        self._let_go(scene)
        job = Job(title, run, scene_id=scene.id, topic="composite", quiet=quick)
        self.workspace.submit(job, on_result=show, on_partial=on_partial)

    # -- showing -------------------------------------------------------------------------

    def _let_go(self, scene: Scene) -> None:
        """Forget the coarse picture of a scene that waited to be shown."""
        if self._held is not None and self._held[0] is scene:
            self._patience.stop()
            self._held = None

    def _show_held(self) -> None:
        held, self._held = self._held, None
        if held is not None and held[0].id in self.workspace.scenes:
            self._show(*held)

    def _show(self, scene: Scene, prepared: Prepared) -> None:
        self._let_go(scene)
        picture, data = prepared.picture, prepared.data
        frame = self.stage.frame(scene)
        placement = coarse_placement(picture.step)
        scale, translate = frame.scale(placement), frame.translate(placement)
        shown = self._shown.get(scene.id)
        fresh = shown is None or not _fits(shown, data, picture)
        if fresh:
            self._clear(scene)
            layers = plane_layers(picture, data, scale, translate, frame.units)
            for layer in layers:
                layer.visible, layer.opacity = self._row_state(scene)
                self.stage.add(scene, layer, Rank.PICTURE)
        else:
            assert shown is not None
            layers = shown.layers
            for layer, plane, limits in zip(
                layers, data, picture.limits[: len(layers)], strict=True
            ):
                if layer.data is not plane:
                    layer.data = plane
                layer.scale, layer.translate = scale, translate
                if not picture.is_rgb:
                    set_limits(layer, limits)
            if len(layers) == 1 and not picture.is_rgb:
                layers[0].colormap = continuous(picture.recipe.colormap)
        self._shown[scene.id] = _OnCanvas(layers, picture.recipe, picture, tiled=False)
        coarse = picture.level > 0
        self._after(scene, picture.recipe, picture.limits, coarse, first=shown is None)

    def _show_tiled(
        self, scene: Scene, recipe: Recipe, limits: Limits, bases: list[NDArray[Any]]
    ) -> None:
        frame = self.stage.frame(scene)
        shown = self._shown.get(scene.id)
        if shown is None and not bases:  # taken off the canvas meanwhile
            self._ask_tiled(scene, recipe)
            return
        if shown is not None and not bases:
            for layer, lim in zip(shown.layers, limits, strict=True):
                set_limits(layer, lim)
            if len(shown.layers) == 1:
                shown.layers[0].colormap = continuous(recipe.colormap)
            shown.recipe = recipe
            self._after(scene, recipe, limits, False, first=False)
            return
        self._clear(scene)
        layers = lazy_layers(self.workspace, scene, recipe, limits, bases, frame, self._report_read)
        for layer in layers:
            layer.visible, layer.opacity = self._row_state(scene)
        self._shown[scene.id] = _OnCanvas(layers, recipe, None, tiled=True)
        for layer in layers:
            self.stage.add(scene, layer, Rank.PICTURE)
        self._after(scene, recipe, limits, False, first=shown is None)

    def _after(
        self, scene: Scene, recipe: Recipe, limits: Limits, coarse: bool, *, first: bool
    ) -> None:
        if self.workspace.active_scene is scene and first:
            self.stage.fit()
        rows, cols, _ = scene.shape
        estimated = recipe.limits is None and recipe.stretch != "none" and rows * cols > SAMPLE
        self.pictures.set_shown(
            scene.id, Shown(recipe, limits, SAMPLE if estimated else None, coarse)
        )
        visible, opacity = self._row_state(scene)
        row = Row(
            PICTURE,
            recipe.title,
            "picture",
            swatch=_swatch(recipe, scene),
            visible=visible,
            opacity=opacity,
            tooltip=_describe(scene, recipe, limits),
            removable=False,
        )
        self.board.put(scene.id, row, at=len(self.board.rows(scene.id)))

    def _row_state(self, scene: Scene) -> tuple[bool, float]:
        row = self.board.row(scene.id, PICTURE)
        return (True, 1.0) if row is None else (row.visible, row.opacity)

    def _clear(self, scene: Scene) -> None:
        shown = self._shown.pop(scene.id, None)
        for layer in shown.layers if shown else ():
            self.stage.remove(scene.id, layer)

    # -- what others change --------------------------------------------------------------

    def _on_row(self, scene_id: str, row_id: str) -> None:
        if row_id != PICTURE:
            return
        row, shown = self.board.row(scene_id, row_id), self._shown.get(scene_id)
        for layer in shown.layers if shown and row else ():
            layer.visible, layer.opacity = row.visible, row.opacity  # type: ignore[union-attr]

    def _on_taken(self, scene_id: str, layer: Any) -> None:
        """A plane was deleted with napari's own list: the picture comes back when asked for."""
        shown = self._shown.get(scene_id)
        if shown is None or layer not in shown.layers:
            return
        shown.layers.remove(layer)
        scene = self.workspace.scenes.get(scene_id)
        if scene is not None:
            self._clear(scene)
            self.board.take(scene_id, PICTURE)

    def _report_read(self, error: ClearbandError) -> None:
        self.workspace.dispatch(lambda: self._notify(error))


def _same_planes(shown: _OnCanvas, recipe: Recipe) -> bool:
    """Tell whether only the stretch differs."""
    if shown.picture is None or shown.picture.level > 0:
        return False  # the fine picture is still on its way and must not be cancelled
    before = shown.recipe
    apart = "decorrelation" in (before.stretch, recipe.stretch)
    rgb = "none" in (before.stretch, recipe.stretch) and len(recipe.bands) == 3
    return before.bands == recipe.bands and not apart and not rgb


def _keeps_tiles(shown: _OnCanvas, scene: Scene, recipe: Recipe) -> bool:
    """Tell whether only the stretch of a tiled picture differs."""
    return (
        shown.recipe.bands == recipe.bands
        and not shows_colors(scene, recipe)
        and not (shows_colors(scene, shown.recipe))
    )


def _fits(shown: _OnCanvas, data: list[NDArray[Any]], picture: Picture) -> bool:
    """Tell whether the layers on the canvas can take the new planes."""
    if shown.tiled or len(shown.layers) != len(data):
        return False
    return bool(shown.layers[0].rgb) == picture.is_rgb and all(
        layer.data.dtype == plane.dtype for layer, plane in zip(shown.layers, data, strict=True)
    )


def _swatch(recipe: Recipe, scene: Scene) -> tuple[str, ...]:
    if len(recipe.bands) == 3:
        return ("#D04040", "#40A040", "#4060D0")
    colors = table(recipe.colormap)[[40, 110, 180, 250]]
    return tuple("#{:02X}{:02X}{:02X}".format(*color) for color in colors)


def _describe(scene: Scene, recipe: Recipe, limits: Limits) -> str:
    names = ("Red", "Green", "Blue") if len(recipe.bands) == 3 else ("Band",)
    unit = f" {scene.info.unit}" if scene.info.unit else ""
    lines = [scene.title]
    for name, band, (low, high) in zip(names, recipe.bands, limits, strict=True):
        lines.append(f"{name}: {scene.bands.label(band)}, {low:.4g} to {high:.4g}{unit}")
    return "\n".join(lines)
