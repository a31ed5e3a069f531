"""What the pages of the concepts dock share: the reading, the place, the concept in hand."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial as partial_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QImage, QPixmap

from backends.concepts.desk_pictures import AROUND
from backends.jobs import Job, JobHandle, Progress
from backends.overlays import ConceptMaps
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import LayerBoard
from widgets.concepts.decisions import Decisions
from widgets.concepts.folder_work import FolderLearnt, LearnFolder
from widgets.concepts.work import Learn, Learnt, Read, Readings
from widgets.explaining.questions import LoadedNetworks
from widgets.pages import PageDesk

if TYPE_CHECKING:
    from backends.concepts.desk import ConceptReading
    from backends.concepts.desk_decision import Decision
    from backends.overlays import Overlay

# One layer holds so many concepts; the one shown longest ago goes first.
MAPS_KEPT = 12


class Desk(PageDesk):
    """The state the pages speak of; `field` is the reading of the active scene."""

    topic = "concepts"
    field: ConceptReading | None
    pointed = pyqtSignal()  # another place, under the mouse or clicked
    concept_changed = pyqtSignal()
    opened_card = pyqtSignal()

    def __init__(
        self, workspace: Workspace, parent: QObject, board: LayerBoard | None = None
    ) -> None:
        super().__init__(workspace, parent)
        self._board = board
        self.networks = LoadedNetworks()
        self.readings = Readings()
        self.decisions = Decisions(workspace, self, self.topic)
        self.concept: int | None = None
        self._under: tuple[int, int] | None = None
        self._clicked: dict[str, tuple[int, int]] = {}
        self._maps: dict[str, tuple[str, list[int]]] = {}
        self._coming: set[str] = set()
        self._laid: dict[str, list[str]] = {}
        self._pixmaps: dict[tuple[str, int], QPixmap] = {}
        listen(self, workspace.active_scene_changed, self._follow)
        listen(self, workspace.scene_removed, self._on_removed)
        listen(self, workspace.pixel_selected, self._on_pixel)
        listen(self, workspace.cursor_moved, self._on_hover)
        listen(self, workspace.cursor_left, self._on_left)

    # -- what there is -------------------------------------------------------------------

    @property
    def learnt(self) -> Learnt | None:
        """Reading, pictures and encoder of the active scene."""
        scene = self.workspace.active_scene
        return None if scene is None else self.readings.get(scene.id)

    @property
    def place(self) -> tuple[int, int] | None:
        """The pixel under the mouse, else the one that was clicked."""
        return self._under or self.clicked

    @property
    def clicked(self) -> tuple[int, int] | None:
        """The pixel that was clicked."""
        return None if self.field is None else self._clicked.get(self.field.scene_id)

    @property
    def decision(self) -> Decision | None:
        """What decides by concepts on the active scene."""
        return self.decisions.current

    def pixmap(self, concept: int) -> QPixmap | None:
        """Return what a concept looks like where it is strongest; None of cubes and the dead."""
        learnt = self.learnt
        if learnt is None:
            return None
        found = learnt.faces.cuttings.get(concept)
        if not found or learnt.reading.spectrum(concept) is not None:
            return None
        key = (learnt.reading.scene_id, concept)
        if key not in self._pixmaps:
            self._pixmaps[key] = pixmap_of(found[0][1])
        return self._pixmaps[key]

    # -- who speaks of what --------------------------------------------------------------

    def _follow(self, *_: object) -> None:
        learnt = self.learnt
        self.field = None if learnt is None else learnt.reading
        self._under = None
        self.concept = None
        self.decisions.reading = self.field
        self.decisions.follow()
        self.changed.emit()

    def _on_removed(self, scene_id: str) -> None:
        self.readings.forget(scene_id)
        self.decisions.forget(scene_id)
        self._clicked.pop(scene_id, None)
        self._maps.pop(scene_id, None)
        self._laid.pop(scene_id, None)
        self._pixmaps.clear()
        if self.field is not None and self.field.scene_id == scene_id:
            self._follow()

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        self._clicked[scene_id] = (row, col)
        self._under = None
        if self.field is not None and self.field.scene_id == scene_id:
            self.pointed.emit()

    def _on_hover(self, scene_id: str, row: int, col: int) -> None:
        if self.field is not None and self.field.scene_id == scene_id:
            self._under = (row, col)
            self.pointed.emit()

    def _on_left(self) -> None:
        if self._under is not None:
            self._under = None
            self.pointed.emit()

    def take_concept(self, concept: int, *, card: bool = False) -> None:
        """Speak of a concept from now on."""
        if concept != self.concept:
            self.concept = concept
            self.concept_changed.emit()
        if card:
            self.opened_card.emit()

    def renamed(self) -> None:
        """A concept got another name: keep it in the file of the concepts, say it everywhere."""
        reading = self.field
        if reading is None:
            return
        made = reading.dictionary
        written = made.card.get("kept_at")
        self.concept_changed.emit()
        if written:

            def save(progress: Progress) -> None:
                from backends.concepts.autoencoder_files import save_dictionary

                save_dictionary(made, Path(str(written)))

            self.quiet("Keep the names of concepts", "names", save, lambda _: None)

    # -- what is done --------------------------------------------------------------------

    def learn(self, work: Learn, partial: Callable[[Any], None]) -> JobHandle[Any]:
        """Learn concepts from a scene, or from a folder."""
        scene = work.scene
        title = "its spectra" if work.choice is None else work.choice.title
        source = work.folder.name if isinstance(work, LearnFolder) else scene.title
        job: Job[Any] = Job(
            f"Learn concepts of {source} from {title}",
            work,
            scene_id=scene.id,
            topic=self.topic,
        )
        return self.workspace.submit(
            job, on_result=partial_of(self._on_learnt, job.title), on_partial=partial
        )

    def _on_learnt(self, title: str, found: Any) -> None:
        # Layer and look of an encoder are only found on the way, and so the command.
        learnt = found.learnt if isinstance(found, FolderLearnt) else found
        commands = found.commands if isinstance(found, FolderLearnt) else (learnt.command,)
        for command in filter(None, commands):
            self.workspace.run_log.add(title, command)
        self.take(learnt)
        if isinstance(found, FolderLearnt) and found.decision is not None:
            self.decisions.take_bottleneck(found.decision)

    def read(self, work: Read) -> JobHandle[Any]:
        """Read a scene with concepts that are there already, or let a bottleneck decide."""
        path, source = work.scene.info.path, work.source
        kept = source if isinstance(source, Path) else source[0].card.get("kept_at")
        command: tuple[str, ...] = ()
        if path is not None and kept:
            out = Path(str(kept)).parent
            command = ("concepts", str(path), "--model", str(kept), "--out", str(out))
        title = f"Read concepts of {work.scene.title}"
        job: Job[Any] = Job(title, work, scene_id=work.scene.id, topic=self.topic)
        return self.workspace.submit(job, on_result=partial_of(self._on_read, title, command))

    def _on_read(self, title: str, command: tuple[str, ...], found: Any) -> None:
        if not isinstance(found, Learnt):
            self.decisions.take_bottleneck(found)
            return
        if command:
            self.workspace.run_log.add(title, command)
        self.take(found)

    def take(self, learnt: Learnt) -> None:
        """Speak of a new reading."""
        scene_id = learnt.reading.scene_id
        self.readings.put(learnt)
        self.decisions.forget_taught(scene_id)
        self._maps.pop(scene_id, None)
        self._pixmaps.clear()
        scene = self.workspace.active_scene
        if scene is not None and scene.id == scene_id:
            self._follow()

    # -- layers --------------------------------------------------------------------------

    def show_layer(self, concept: int) -> None:
        """Lay over the image where a concept is present."""
        reading = self.field
        if reading is None:
            return
        scene_id = reading.scene_id
        overlay_id, shown = self._maps.get(scene_id, ("", []))
        before = self.workspace.overlays.get(overlay_id)
        if before is None and overlay_id not in self._coming:
            overlay_id, shown = uuid.uuid4().hex, []
        shown = [*[n for n in shown if n != concept][-(MAPS_KEPT - 1) :], concept]
        self._maps[scene_id] = (overlay_id, shown)
        self._coming.add(overlay_id)
        wanted = shown[::-1]  # the newest comes first

        def run(progress: Progress) -> ConceptMaps:
            known = before if isinstance(before, ConceptMaps) else None
            return reading.presence_maps(wanted, overlay_id, known)

        self.quiet("Show where a concept is", f"layer {scene_id}", run, self._put_maps)

    def _put_maps(self, overlay: ConceptMaps) -> None:
        self._coming.discard(overlay.id)
        if not self.lay(overlay):
            return
        if self._board is not None:
            self._board.change(overlay.scene_id, overlay.id, choice=0, visible=True)
        self.workspace.activate_overlay(overlay.id)

    def lay(self, overlay: Overlay) -> bool:
        """Lay a result over the image; those laid before are hidden, not taken away.

        Two heatmaps over each other can be read by nobody.
        """
        if not self.workspace.add_overlay(overlay):
            return False
        before = self._laid.setdefault(overlay.scene_id, [])
        if self._board is not None:
            for other in before:
                if other != overlay.id and self._board.row(overlay.scene_id, other) is not None:
                    self._board.change(overlay.scene_id, other, visible=False)
        if overlay.id not in before:
            before.append(overlay.id)
        return True

    def show_both(self, one: int, other: int) -> None:
        """Lay over the image where two concepts are on together."""
        reading = self.field
        if reading is not None:
            self.quiet(
                "Show where both are", "both", lambda _: reading.both_map(one, other),
                self.lay,
            )  # fmt: skip

    def show_used(self, concept: int, target: int) -> None:
        """Lay over the image what a concept adds to a class."""
        decision = self.decision
        if decision is not None:
            self.quiet(
                "Show where a concept counts", "used",
                lambda _: decision.used_map(concept, target), self.lay,
            )  # fmt: skip

    def find_alike(self, show: Callable[[Any], None]) -> None:
        """Look for places alike to the clicked one, in all images read with these concepts."""
        learnt, place = self.learnt, self.clicked or self.place
        if learnt is None or place is None:
            return
        others = [one.reading for one in self.readings.others(learnt)]
        mine = learnt.reading

        def run(progress: Progress) -> Any:
            found = mine.image.alike(*place, [one.image for one in others])
            return [
                (one, one.alike_map(values, *place))
                for one, values in zip((mine, *others), found, strict=True)
            ]

        self.submit("Find places alike", "alike", run, show)

    def quiet(
        self, title: str, topic: str, run: Callable[[Progress], Any], show: Callable[[Any], None]
    ) -> JobHandle[Any]:
        """Compute something small; a newer question of the kind takes its place."""
        job: Job[Any] = Job(title, run, topic=f"{self.topic} {topic}", quiet=True)
        return self.workspace.submit(job, on_result=show)

    def scene_of(self, reading: ConceptReading) -> Scene | None:
        """Return the scene of a reading."""
        return self.workspace.scenes.get(reading.scene_id)


def pixmap_of(cutting: NDArray[np.uint8], *, frame: bool = False) -> QPixmap:
    """Return a cutting as a picture, on request with a frame around its own cell."""
    data = np.array(cutting)
    if frame:
        reach = data.shape[0] / (2 * (1 + 2 * AROUND))
        low, high = round(data.shape[0] / 2 - reach), round(data.shape[0] / 2 + reach)
        data[[low, high], low : high + 1] = data[low : high + 1, [low, high]] = (
            0 if data[low:high, low:high].mean() > 150 else 255
        )
    rows, cols = data.shape[:2]
    image = QImage(data.tobytes(), cols, rows, 3 * cols, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)
