"""What decides by concepts on an image: taught by its labels, come with them, a bottleneck."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from backends.concepts.changes import words_of
from backends.jobs import Job, JobHandle, Progress
from backends.workspace import LabelSheet, Workspace
from widgets.background import listen
from widgets.concepts.changing import Changing
from widgets.concepts.work import Decide

if TYPE_CHECKING:
    from backends.concepts.desk import ConceptReading
    from backends.concepts.desk_bottleneck import BottleneckDecision
    from backends.concepts.desk_decision import Decision, LabelDecision

LABELS, IMAGES, BOTTLENECK = "labels", "images", "bottleneck"
WORDS = {
    LABELS: "By the labels of this image",
    IMAGES: "By what came with the concepts",
    BOTTLENECK: "By the bottleneck",
}


class Decisions(QObject):
    """Those of every open image, and which of them is in sight."""

    decided = pyqtSignal()

    def __init__(self, workspace: Workspace, parent: QObject, topic: str) -> None:
        super().__init__(parent)
        self._workspace, self._topic = workspace, topic
        self.reading: ConceptReading | None = None
        self.changing = Changing(workspace, self)
        self._taught: dict[str, LabelDecision] = {}
        self._bottlenecks: dict[str, BottleneckDecision] = {}
        self._chosen: dict[str, str] = {}
        self._whole: Decision | None = None
        self._seen: Decision | None = None
        listen(self, workspace.labels_changed, self._on_labels)

    @property
    def labels(self) -> LabelSheet | None:
        """The labels of the active scene, where some are set."""
        scene = self._workspace.active_scene
        sheet = None if scene is None else self._workspace.labels.get(scene.id)
        return sheet if sheet is not None and sheet.values.any() else None

    @property
    def every(self) -> dict[str, Decision]:
        """What can decide on the active scene, by kind."""
        scene, reading = self._workspace.active_scene, self.reading
        if scene is None:
            return {}
        found: dict[str, Decision] = {}
        if scene.id in self._taught:
            found[LABELS] = self._taught[scene.id]
        if scene.id in self._bottlenecks:
            found[BOTTLENECK] = self._bottlenecks[scene.id]
        if reading is not None and reading.image.probe is not None:
            whole = self._whole
            if whole is None or getattr(whole, "reading", None) is not reading:
                from backends.concepts.desk_decision import ImageDecision

                self._whole = whole = ImageDecision(reading, reading.image.probe)
            found[IMAGES] = whole
        return found

    @property
    def kind(self) -> str:
        """Which kind is in sight; empty where nothing decides."""
        every, scene = self.every, self._workspace.active_scene
        chosen = "" if scene is None else self._chosen.get(scene.id, "")
        return chosen if chosen in every else next(iter(every), "")

    @property
    def current(self) -> Decision | None:
        """What decides."""
        return self.every.get(self.kind)

    def choose(self, kind: str) -> None:
        """Let another one decide."""
        scene = self._workspace.active_scene
        if scene is not None and kind != self.kind:
            self._chosen[scene.id] = kind
            self.follow()

    def follow(self) -> None:
        """Another image, another reading, another decision: what was changed is forgotten."""
        current = self.current
        if current is not self._seen:
            self._seen = current
            self.changing.begin("" if current is None else current.scene_id)
        self.decided.emit()

    def forget_taught(self, scene_id: str) -> None:
        """The image was read anew: what was taught over other concepts is gone."""
        self._taught.pop(scene_id, None)

    def forget(self, scene_id: str) -> None:
        """The image was closed."""
        for kept in (self._taught, self._bottlenecks, self._chosen):
            kept.pop(scene_id, None)

    def learn(self) -> JobHandle[Any] | None:
        """Teach what decides by concepts, by the labels of the scene."""
        reading, sheet = self.reading, self.labels
        if reading is None or sheet is None:
            return None
        scene = self._workspace.scenes[reading.scene_id]
        job: Job[LabelDecision] = Job(
            f"Learn to decide by concepts on {scene.title}",
            Decide(reading, sheet.values.copy(), dict(sheet.class_names)),
            scene_id=reading.scene_id,
            topic=f"{self._topic} decide",
        )
        return self._workspace.submit(job, on_result=self._on_taught)

    def _on_taught(self, decision: LabelDecision) -> None:
        self._taught[decision.scene_id] = decision
        self._chosen[decision.scene_id] = LABELS
        self.follow()

    def save(
        self,
        folder: Path,
        decision: Decision,
        token: int,
        target: int,
        place: tuple[int, int] | None,
    ) -> JobHandle[Any]:
        """Write a decision with what is changed of it, as the command line does."""
        scene = self._workspace.scenes[decision.scene_id]
        changes = dict(self.changing.now)
        stem = Path(scene.info.path or scene.title).stem

        def run(progress: Progress) -> Path:
            from backends.concepts.decided import Decided, write_decided

            told = Decided(decision, token, target, changes).to_dict()
            return write_decided(told, folder, stem)

        job: Job[Path] = Job(
            f"Save the decision on {scene.title}", run, scene_id=scene.id,
            command=self.command(decision, target, place, folder),
        )  # fmt: skip
        return self._workspace.submit(job)

    def command(
        self, decision: Decision, target: int, place: tuple[int, int] | None, folder: Path
    ) -> tuple[str, ...]:
        """Return the command line; empty where something is in no file (painted labels)."""
        scene, reading = self._workspace.scenes[decision.scene_id], self.reading
        kept = None if reading is None else reading.dictionary.card.get("kept_at")
        if scene.info.path is None or not kept:
            return ()
        words = ["concepts", str(scene.info.path), "--model", str(kept)]
        for key, value in scene.info.options.items():
            words += ["--option", f"{key}={value}"]
        bottleneck = getattr(decision, "path", "")
        if bottleneck:
            words += ["--bottleneck", bottleneck]
        elif not decision.whole:
            if self.labels is None or not self.labels.source or place is None:
                return ()
            words += ["--labels", self.labels.source, "--at", f"{place[0]},{place[1]}"]
        words += words_of(self.changing.now)
        words += ["--why", decision.probe.classes[target]]
        return (*words, "--out", str(folder))

    def take_bottleneck(self, decision: BottleneckDecision) -> None:
        """Let a bottleneck decide on its image."""
        self._bottlenecks[decision.scene_id] = decision
        self._chosen[decision.scene_id] = BOTTLENECK
        self.follow()

    def _on_labels(self, scene_id: str) -> None:
        scene = self._workspace.active_scene
        if scene is not None and scene.id == scene_id:
            self.decided.emit()
