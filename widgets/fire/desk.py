"""What the pages of the fire dock share: the scene understood, the networks, the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from backends.errors import ClearbandError
from backends.fire.checkpoints import FireNetworks, open_networks
from backends.fire.fields import FireImage
from backends.fire.question import FireAnswer, FireQuestion
from backends.fire.rules import usable
from backends.jobs import Job, Progress
from backends.overlays import Overlay
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen


@dataclass(frozen=True, eq=False)
class Look:
    """What a scene is to the fire methods, or why that is not known.

    Attributes
    ----------
    reasons : dict of str to str
        Every rule with ``""`` or why it cannot be asked.
    """

    scene: Scene
    image: FireImage | None
    reasons: dict[str, str]
    problem: ClearbandError | None = None


class FireDesk(QObject):
    """The state the pages speak of."""

    looked = pyqtSignal()  # another scene, or it is understood otherwise
    loaded = pyqtSignal()  # other networks
    answered = pyqtSignal()  # another answer, or none

    def __init__(
        self,
        workspace: Workspace,
        parent: QObject,
        tell: Callable[[FireAnswer], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._tell = tell
        self.workspace = workspace
        self.question = FireQuestion()
        self.networks: FireNetworks | None = None
        self.look: Look | None = None
        self._answers: dict[str, FireAnswer] = {}
        self._said_for = 0  # bands that the channels were named for
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_removed, lambda scene_id: self._answers.pop(scene_id, None))

    # -- the scene -----------------------------------------------------------------------

    @property
    def scene(self) -> Scene | None:
        """The scene the pages speak of."""
        return self.workspace.active_scene

    def _on_scene(self, scene: Scene | None) -> None:
        self.look = None
        if scene is not None and self.question.channels and scene.shape[2] != self._said_for:
            self.question = replace(self.question, sensor="", channels=None)
        self.looked.emit()
        self.answered.emit()
        self.look_again()

    def say_bands(self, **said: Any) -> None:
        """Take what the user says of bands, units, day or night."""
        scene = self.scene
        self.question = replace(self.question, **said)
        self._said_for = 0 if scene is None else scene.shape[2]
        self.look_again()

    def look_again(self) -> None:
        """Find out what the scene's bands and numbers are."""
        scene = self.scene
        if scene is None:
            return
        question = self.question

        def run(progress: Progress) -> Look:
            try:
                image = question.image(scene)
            except ClearbandError as error:
                return Look(scene, None, {}, error)
            return Look(scene, image, usable(image))

        job = Job(
            f"Look at the bands of {scene.title}", run, scene_id=scene.id, topic="fire look",
            quiet=True,
        )  # fmt: skip
        self.workspace.submit(job, on_result=self._on_look)

    def _on_look(self, look: Look) -> None:
        if self.scene is look.scene:
            self.look = look
            self.looked.emit()

    # -- the networks --------------------------------------------------------------------

    def load(self, paths: Sequence[Path]) -> None:
        """Take networks from a file, or from the two files of the published pair."""
        ordered = sorted(paths, key=lambda p: p.stat().st_size if p.is_file() else 0)
        first, second = ordered[0], ordered[1] if len(ordered) > 1 else None

        def run(progress: Progress) -> FireNetworks:
            return open_networks(first, keras_segmenter=second)

        def take(networks: FireNetworks) -> None:
            self.networks = networks
            self.question = replace(self.question, model=first, segmenter=second)
            self.loaded.emit()

        self.workspace.submit(Job(f"Open {first.name}", run, topic="fire networks"), take)

    def forget_networks(self) -> None:
        """Ask rules alone from now on."""
        self.networks = None
        self.question = replace(self.question, model=None, segmenter=None)
        self.loaded.emit()

    # -- the answer ----------------------------------------------------------------------

    @property
    def answer(self) -> FireAnswer | None:
        """What was found in the scene last."""
        scene = self.scene
        return None if scene is None else self._answers.get(scene.id)

    def take(self, answer: FireAnswer) -> None:
        """Lay an answer over its scene."""
        scene = answer.image.scene
        if scene.id not in self.workspace.scenes:
            return
        self._answers[scene.id] = answer
        if self._tell is not None:
            self._tell(answer)
        self.lay(answer.found.overlays)
        if self.scene is scene:
            self.answered.emit()

    def lay(self, overlays: Sequence[Overlay]) -> None:
        """Lay layers over the image; those that did not change are left alone."""
        for overlay in overlays:
            if self.workspace.overlays.get(overlay.id) is not overlay:
                self.workspace.add_overlay(overlay)

    def take_away_partial(self, scene_id: str) -> None:
        """Remove what a run that was stopped had shown so far; the last answer comes back."""
        for overlay in self.workspace.overlays_of(scene_id):
            if overlay.partial and overlay.provenance.method.startswith(("ams_fire", "fire")):
                self.workspace.remove_overlay(overlay.id)
        before = self._answers.get(scene_id)
        if before is not None:
            self.lay(before.found.overlays)
