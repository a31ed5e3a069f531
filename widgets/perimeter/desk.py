"""What the pages of the perimeter dock share: the document, its journal, its figures."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import EmitLoopError
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QInputDialog, QWidget

from backends.commands import Command
from backends.composite import Recipe
from backends.errors import ClearbandError, NeedsChoice
from backends.fire.question import FireAnswer
from backends.jobs import Job, JobHandle, Progress
from backends.perimeters.acreage import Acreage, acreage
from backends.perimeters.checks import Check, run_checks
from backends.perimeters.comparison import Comparison, compare
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.drawn import largest, put
from backends.perimeters.from_fire import draft_of_answer
from backends.perimeters.heat import Feature
from backends.perimeters.journal import Journal, load, was_left
from backends.perimeters.picture import Ink, inks_of
from backends.perimeters.scenes import (
    Plane,
    kept_lines,
    placed,
    working_file,
)
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import PictureBoard
from widgets.perimeter.board import LineBoard


@dataclass(frozen=True, eq=False)
class Figures:
    """What is computed of a document after each change."""

    inks: list[Ink]
    area: Acreage | None
    comparison: Comparison | None
    checks: list[Check]


@dataclass(eq=False)
class Held:
    """A document on a scene."""

    document: PerimeterDocument
    journal: Journal
    plane: Plane
    recovered: int = 0


@dataclass(frozen=True, eq=False)
class Turn:
    """An edit whose turn it is: what works it out in the background, what puts it in."""

    make: Callable[[], Any]
    put: Callable[[Any], None]


class PerimeterDesk(QObject):
    """The state the pages speak of."""

    changed = pyqtSignal()  # another document, or something in it
    figured = pyqtSignal()  # its figures are there
    said = pyqtSignal(str)  # a sentence for the user

    def __init__(
        self,
        workspace: Workspace,
        lines: LineBoard,
        parent: QObject,
        pictures: PictureBoard | None = None,
    ) -> None:
        super().__init__(parent)
        self.workspace, self.lines, self.pictures = workspace, lines, pictures
        self.who = _account()
        self.figures: Figures | None = None
        self.kept: list[Path] = []
        self.choose: Callable[[NeedsChoice], str | None] = self._choose
        self._held: dict[str, Held] = {}
        self._turns: list[tuple[Scene, PerimeterDocument, str, Callable[[], Turn]]] = []
        self._turn_job: tuple[Job[Any], Callable[[], Any]] | None = None
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_removed, self._on_removed)
        listen(self, workspace.job_finished, self._on_job_finished)

    # -- what there is -------------------------------------------------------------------

    @property
    def scene(self) -> Scene | None:
        """The scene the pages speak of."""
        return self.workspace.active_scene

    @property
    def held(self) -> Held | None:
        """The document of the scene, with its file."""
        scene = self.scene
        return None if scene is None else self._held.get(scene.id)

    @property
    def document(self) -> PerimeterDocument | None:
        """The document of the scene."""
        held = self.held
        return None if held is None else held.document

    def recipe(self) -> Recipe | None:
        """Return how the scene is being looked at, for the map."""
        if self.scene is None or self.pictures is None:
            return None
        return self.pictures.wanted(self.scene.id)

    @property
    def answer(self) -> FireAnswer | None:
        """What was found in the scene."""
        scene = self.scene
        return None if scene is None else self.lines.answers.get(scene.id)

    def _on_scene(self, scene: Scene | None) -> None:
        self.figures, self.kept = None, []
        self.lines.hold("")
        self.changed.emit()
        if scene is not None:
            self._refresh()
            self.look_for_kept()

    def _on_removed(self, scene_id: str) -> None:
        held = self._held.pop(scene_id, None)
        if held is not None:
            held.document.changed.disconnect()
            held.journal.close()

    def close(self) -> None:
        """Save what is held and take the journals away."""
        for scene_id in list(self._held):
            self._on_removed(scene_id)

    def look_for_kept(self) -> None:
        """Find lines of this image that were being worked on."""
        scene = self.scene
        if scene is None:
            return

        def run(progress: Progress) -> tuple[list[Path], bool]:
            found = kept_lines(scene)
            return found, bool(found) and was_left(found[0])

        def take(answer: tuple[list[Path], bool]) -> None:
            if self.scene is scene and self.held is None:
                self.kept, left = answer
                self.changed.emit()
                if left:  # the program died over it: nobody put it away
                    self.open(self.kept[0])

        job = Job("Look for kept lines", run, scene_id=scene.id, topic="perimeter kept", quiet=True)
        self.workspace.submit(job, on_result=take)

    # -- a document begins ---------------------------------------------------------------

    def draft(
        self, image_utc: str, attributes: dict[str, Any], intense_k: float = 500.0
    ) -> JobHandle[Any] | None:
        """Draw a draft around what was found in the scene."""
        scene, answer, who = self.scene, self.answer, self.who
        if scene is None or answer is None:
            return None

        def run(progress: Progress) -> Any:
            made, _ = draft_of_answer(
                answer,
                image_utc=image_utc,
                attributes=attributes,
                who=who,
                intense_k=intense_k,
                progress=progress,
            )
            path = working_file(scene)
            return made, Journal(made, path), 0

        return self._open_in(scene, f"Draw a line around the fire of {scene.title}", run)

    def open(self, path: Path) -> JobHandle[Any] | None:
        """Open a line that was kept; what its journal has since is done again."""
        scene = self.scene
        if scene is None:
            return None

        def run(progress: Progress) -> Any:
            placed(scene)
            document, recovered = load(path)
            return document, Journal(document, path), recovered

        return self._open_in(scene, f"Open {path.name}", run)

    def import_outline(
        self, path: Path, image_utc: str, fire: str | None = None
    ) -> JobHandle[Any] | None:
        """Begin with an outline of another program; which fire is asked where it holds several."""
        scene, who = self.scene, self.who
        if scene is None:
            return None

        def run(progress: Progress) -> Any:
            from backends.perimeters.importing import read_perimeters
            from backends.perimeters.opening import draft_from

            placed(scene)
            image = Path(scene.info.path) if scene.info.path else None
            try:
                document = draft_from(
                    read_perimeters(path),
                    fire=fire,
                    image=image,
                    image_digest=scene.digest,
                    image_utc=image_utc,
                    who=who,
                )
            except NeedsChoice as error:
                return error
            return document, Journal(document, working_file(scene)), 0

        return self._open_in(
            scene, f"Open the outline {path.name}", run,
            lambda which: self.import_outline(path, image_utc, which),
        )  # fmt: skip

    def ask_which(self, error: NeedsChoice, again: Callable[[str], Any]) -> None:
        """Let the user say which of several fires is meant, and go on with it."""
        which = self.choose(error)
        if which is None:
            self.said.emit(error.sentence)
        else:
            again(which)

    def _open_in(
        self,
        scene: Scene,
        title: str,
        run: Callable[[Progress], Any],
        again: Callable[[str], Any] | None = None,
    ) -> JobHandle[Any]:
        def take(made: Any) -> None:
            if isinstance(made, NeedsChoice) and again is not None:
                self.ask_which(made, again)
                return
            document, journal, recovered = made
            before = self._held.pop(scene.id, None)
            if before is not None:
                before.document.changed.disconnect()
                before.journal.close()
            plane = Plane(placed(scene), document.crs)
            self._held[scene.id] = Held(document, journal, plane, recovered)
            document.changed.connect(self._on_changed)
            self._on_changed()
            if recovered:
                changes = "change" if recovered == 1 else f"{recovered} changes"
                self.said.emit(
                    "Clearband did not close properly; the line is back as it was, its last "
                    f"{changes} included."
                )

        return self.workspace.submit(Job(title, run, scene_id=scene.id, topic="perimeter"), take)

    # -- changes -------------------------------------------------------------------------

    def _on_changed(self) -> None:
        self.figures = None  # nobody signs what was not looked at since
        self.changed.emit()
        self._refresh()

    def do(self, action: Callable[[PerimeterDocument], Any]) -> bool:
        """Change the document; what cannot be done is said. One step of the window's undo."""
        held, scene = self.held, self.scene
        if held is None or scene is None:
            return False
        history = held.document.history
        before = history.undo_label, len(history._done)
        try:
            action(held.document)
        except (ClearbandError, EmitLoopError) as error:
            # psygnal wraps what the journal could not write.
            inner = error.__cause__ if isinstance(error, EmitLoopError) else error
            if not isinstance(inner, ClearbandError):
                raise
            self.said.emit(str(inner))
            self._on_changed()
            return False
        self.said.emit("")
        if (history.undo_label, len(history._done)) != before and history.undo_label:
            document = held.document
            self.workspace.commands.record(
                Command(
                    history.undo_label,
                    lambda: self._step(document, "redo"),
                    lambda: self._step(document, "undo"),
                    (scene.id, None, None),
                )
            )
        return True

    def _step(self, document: PerimeterDocument, way: str) -> None:
        """Undo or redo from the window's own stack."""
        try:
            getattr(document.history, way)()
        except ClearbandError as error:
            self.said.emit(str(error))

    def edit(self, label: str, make: Callable[[Any], Any], feature: Feature | None = None) -> None:
        """Give the chosen object another geometry, worked out in the background.

        Parameters
        ----------
        make : callable
            Takes the geometry, returns the new one, or several: the first stays, the others
            become objects of their own.
        """
        held, scene = self.held, self.scene
        if held is None or scene is None:
            return
        chosen = feature or self.perimeter_feature()
        if chosen is None:
            self.said.emit("There is no perimeter to edit.")
            return
        document, who = held.document, self.who

        def begin() -> Turn:
            now = document.feature(chosen.id)
            before = now.geometry

            def take(made: Any) -> None:
                self.do(lambda d: put(d, now, before, made, label, who))

            return Turn(lambda: make(before), take)

        self.in_turn(scene, document, label, begin)

    def in_turn(
        self, scene: Scene, document: PerimeterDocument, label: str, begin: Callable[[], Turn]
    ) -> None:
        """Work an edit out in the background when those before it are done; none is lost.

        Parameters
        ----------
        begin : callable
            Called when it is its turn: looks at the document as it is then.
        """
        self._turns.append((scene, document, label, begin))
        if self._turn_job is None:
            self._next_turn()

    def _next_turn(self) -> None:
        while self._turns:
            scene, document, label, begin = self._turns.pop(0)
            held = self._held.get(scene.id)
            if held is None or held.document is not document:
                continue  # its line was put away meanwhile
            try:
                turn = begin()
            except ClearbandError as error:
                self.said.emit(str(error))
                continue
            self._turn_job = self._turn_of(scene, document, label, turn)
            self._turn_job[1]()
            return

    def _turn_of(
        self, scene: Scene, document: PerimeterDocument, label: str, turn: Turn
    ) -> tuple[Job[Any], Callable[[], Any]]:
        def run(progress: Progress) -> Any:
            try:
                return turn.make()
            except ClearbandError as error:
                return error

        def take(made: Any) -> None:
            if isinstance(made, ClearbandError):
                self.said.emit(str(made))
            elif self.document is document:
                turn.put(made)
            else:
                self.said.emit(f"{label} was left out: another scene is shown now.")

        # No topic: a newer stroke must not take the place of one that waits.
        job: Job[Any] = Job(label, run, scene_id=scene.id)
        return job, lambda: self.workspace.submit(job, on_result=take)

    def _on_job_finished(self, handle: JobHandle[Any]) -> None:
        if self._turn_job is not None and handle.job is self._turn_job[0]:
            self._turn_job = None
            self._next_turn()

    def _choose(self, error: NeedsChoice) -> str | None:
        titles = [
            choice if title == choice else f"{title} ({choice})"
            for choice, title in zip(error.choices, error.titles, strict=True)
        ]
        parent = self.parent()
        window = parent if isinstance(parent, QWidget) else None
        text, ok = QInputDialog.getItem(window, "Which fire?", error.sentence, titles, 0, False)
        return error.choices[titles.index(text)] if ok else None

    def perimeter_feature(self) -> Feature | None:
        """Return the largest heat perimeter."""
        return None if self.document is None else largest(self.document)

    # -- figures -------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Work out picture, area, comparison and checks anew."""
        held, scene = self.held, self.scene
        if scene is None:
            return
        if held is None:
            self.lines.ink(scene.id, [])
            return
        document, plane = held.document, held.plane

        def run(progress: Progress) -> Figures:
            line = document.perimeter
            area = None if line.is_empty else acreage(line, document.crs, document.crs)
            beside = None
            if document.previous is not None and not line.is_empty:
                beside = compare(line, document.previous, document.crs, document.pixel_m)
            inks = inks_of(document, plane, None if beside is None else beside.growth)
            return Figures(inks, area, beside, run_checks(document, comparison=beside))

        def take(figures: Figures) -> None:
            if self.document is document:
                self.figures = figures
                self.lines.ink(scene.id, figures.inks)
                self.figured.emit()

        job = Job("Measure the line", run, scene_id=scene.id, topic="perimeter figures", quiet=True)
        self.workspace.submit(job, on_result=take)


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
