"""Where the view looks and how closely: magnification, what is in sight, overview, sides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.bridge import Latest
from backends.composite import coarse_level, default_recipe, render, window_words
from backends.jobs import Job, Progress
from backends.magnification import full_magnification, magnification_text
from backends.scene import Scene
from widgets.overview import Overview, View
from widgets.side_letters import SideLetters

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

OVERVIEW_PIXELS = 700 * 700
# What is smaller is seen whole on any screen.
SMALLEST = 1_000_000


class Looking:
    """Joins the camera with the scene's own measures.

    Parameters
    ----------
    window : ClearbandWindow
    """

    def __init__(self, window: ClearbandWindow) -> None:
        self._window, self._canvas = window, window.canvas
        surface = window.qt_window.centralWidget()
        assert surface is not None
        self.overview = Overview(surface, self.go_to)
        self.letters = SideLetters(surface)
        self._told = Latest(self._tell)
        self._pictures: dict[str, NDArray[np.uint8]] = {}
        camera = window.viewer.scene.camera
        camera.events.center.connect(self._on_camera)
        camera.events.zoom.connect(self._on_camera)
        workspace = window.workspace
        workspace.active_scene_changed.connect(self._on_scene)
        workspace.scene_removed.connect(self._on_removed)
        self._canvas.pictures.shown_changed.connect(self._on_shown)

    def close(self) -> None:
        """Follow the camera no more."""
        self._told.drop()
        camera = self._window.viewer.scene.camera
        camera.events.center.disconnect(self._on_camera)
        camera.events.zoom.disconnect(self._on_camera)

    # -- magnification -------------------------------------------------------------------

    def magnification(self) -> float | None:
        """Return how many × the active scene is shown at; None where that means nothing."""
        scene = self._window.workspace.active_scene
        full = None if scene is None else full_magnification(scene)
        if scene is None or full is None:
            return None
        width = self._canvas.stage.frame(scene).width
        return full * float(self._window.viewer.scene.camera.zoom) * width

    def magnify(self, wanted: float) -> None:
        """Show the active scene at so many ×, its middle of view kept."""
        scene = self._window.workspace.active_scene
        full = None if scene is None else full_magnification(scene)
        if scene is None or full is None:
            self._window.tell(
                "This scene does not say how large its pixels are, so there is no magnification.",
                "info",
            )
            return
        width = self._canvas.stage.frame(scene).width
        self._window.viewer.scene.camera.zoom = wanted / full / width

    def has_magnification(self) -> bool:
        """Tell whether the active scene can be looked at in ×."""
        return self.magnification() is not None

    # -- place ---------------------------------------------------------------------------

    def in_view(self) -> View | None:
        """Return row, column, height and width of what is in sight, in scene pixels."""
        scene = self._window.workspace.active_scene
        return None if scene is None else self._canvas.in_view(scene)

    def go_to(self, row: float, col: float) -> None:
        """Bring a pixel of the active scene into the middle of the view."""
        scene = self._window.workspace.active_scene
        if scene is not None:
            self._canvas.stage.look_at(scene, row, col)

    def toggle_overview(self) -> None:
        """Show the overview, or never."""
        self.overview.set_wanted(not self.overview.wanted)

    # -- following -----------------------------------------------------------------------

    def _on_camera(self, event: Any = None) -> None:
        self._told()

    def _tell(self) -> None:
        view = self.in_view()
        if view is not None:
            self.overview.set_view(view)
        self._window.status.show_magnification(self._words())

    def _words(self) -> str:
        value = self.magnification()
        return "" if value is None else magnification_text(value)

    def _on_scene(self, scene: Scene | None) -> None:
        self.letters.set_sides(() if scene is None else scene.info.sides)
        self._name_window()
        if scene is None:
            self.overview.clear()
            self._window.status.show_magnification("")
            return
        frame = self._canvas.stage.frame(scene)
        self.overview.set_scene(scene.shape[:2], frame.height / frame.width)
        known = self._pictures.get(scene.id)
        if known is not None:
            self.overview.set_picture(known)
        self._told()

    def _name_window(self) -> None:
        """Say in which display window a CT is seen: the same lung is black in another."""
        scene = self._window.workspace.active_scene
        shown = None if scene is None else self._canvas.pictures.shown(scene.id)
        words = ""
        if scene is not None and shown is not None and len(shown.limits) == 1:
            low, high = shown.limits[0]
            # The file's own comes first, and may be one that has a better name further on.
            names = [n for n, pair in scene.info.windows.items() if pair == (low, high)]
            if names:
                words = window_words(names[-1], (low, high))
            elif scene.info.windows:
                words = window_words("Window", (low, high))
        self._window.status.show_window(words)

    def _on_removed(self, scene_id: str) -> None:
        self._pictures.pop(scene_id, None)

    def _on_shown(self, scene_id: str) -> None:
        """The scene has another picture: so has its overview."""
        self._name_window()
        scene = self._window.workspace.scenes.get(scene_id)
        if scene is None or scene.shape[0] * scene.shape[1] < SMALLEST:
            return
        recipe = self._canvas.pictures.wanted(scene_id) or default_recipe(scene)
        picture = self._canvas.composites.picture(scene_id)

        def run(progress: Progress) -> NDArray[np.uint8]:
            found = picture
            if found is None:
                level = coarse_level(scene, OVERVIEW_PIXELS)
                plain = recipe.stretch != "decorrelation"
                wanted = recipe if plain else replace(recipe, stretch="percentile")
                found = render(scene, wanted, level=level, progress=progress)
            step = max(1, int((found.planes[0].size / OVERVIEW_PIXELS) ** 0.5))
            small = replace(found, planes=tuple(p[::step, ::step] for p in found.planes))
            return small.to_rgb8()

        def show(rgb: NDArray[np.uint8]) -> None:
            self._pictures[scene_id] = rgb
            active = self._window.workspace.active_scene
            if active is not None and active.id == scene_id:
                self.overview.set_picture(rgb)
                self._told()

        job = Job(
            "Draw the overview",
            run,
            scene_id=scene_id,
            topic="overview",
            quiet=True,
            in_view=True,
        )
        self._window.workspace.submit(job, on_result=show)
