"""Every way in: dialogs, drag and drop, recent files, samples, napari's readers.

Opening is a job; the file is read off the window's thread and the window only
receives the finished scene. What cannot be opened costs a sentence, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from app.canvas import Canvas
from app.frames import Frame, frame_of
from app.samples import sample
from app.settings import Settings
from app.warm_up import import_what_comes_next
from backends.errors import BadInput, ClearbandError, NeedsChoice
from backends.io.labels import Labels, labels_of
from backends.jobs import Job, JobHandle, JobState, Progress
from backends.same_grid import check_same_grid
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.boards import LABELS

if TYPE_CHECKING:
    from backends.spectra.library import SpectralLibrary

Tell = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Opened:
    """What came out of a file.

    Attributes
    ----------
    frame : Frame
        Looked up with the file, so that the window need not.
    labels : Labels or None
        For a file of class numbers.
    """

    scene: Scene
    frame: Frame
    labels: Labels | None = None


class Opener:
    """Opens files and samples into a workspace.

    Parameters
    ----------
    canvas : Canvas
    settings : Settings
        Recent files are noted here.
    tell : callable
        ``tell(text, kind, details=…, actions=…)`` shows a message.
    parent : QWidget
        For dialogs.
    """

    def __init__(self, canvas: Canvas, settings: Settings, tell: Tell, parent: QWidget) -> None:
        self.canvas, self.settings = canvas, settings
        self.workspace: Workspace = canvas.workspace
        self._tell, self._parent = tell, parent
        # Files that are not scenes: the first that returns True has taken it.
        self.takers: list[Callable[[Path], bool]] = []
        self.on_remembered: list[Callable[[], None]] = []
        self.choice_dialog: ChoiceDialog | None = None
        self.workspace.job_finished.connect(self._on_finished)
        self._asked: dict[int, tuple[Path, dict[str, Any]]] = {}

    # -- what is asked for ---------------------------------------------------------------

    def open_paths(
        self, paths: Sequence[str | Path], options: Mapping[str, Any] | None = None
    ) -> list[JobHandle[Opened]]:
        """Open files or folders, each in a job of its own."""
        handles = []
        for path in map(Path, paths):
            path = path.expanduser()
            if any(take(path) for take in self.takers):
                continue
            handles.append(self._open(path, dict(options or {})))
        return handles

    def open_sample(self, sample_id: str) -> JobHandle[Opened | SpectralLibrary]:
        """Open a scene that comes with the application, or one of the literature."""
        wanted = sample(sample_id)

        def run(progress: Progress) -> Opened:
            scene = wanted.make(progress)
            return Opened(scene, frame_of(scene))

        def take(opened: Opened) -> None:
            self._take(opened)
            if wanted.truth is not None:
                self._offer_truth(opened.scene, wanted.truth(), wanted.label_options)

        return self.workspace.submit(Job(f"Open {wanted.title}", run), on_result=take)

    def open_scene(self, scene: Scene) -> None:
        """Take in a scene that is already open (tests, napari's readers, sessions)."""
        self.canvas.stage.frames.setdefault(scene.id, frame_of(scene))
        self.workspace.add_scene(scene)

    def ask_files(self) -> None:
        """Let the user choose files."""
        names, _ = QFileDialog.getOpenFileNames(self._parent, "Open images", self._folder())
        self.open_paths(names)

    def ask_folder(self) -> None:
        """Let the user choose a folder: a DICOM series, a Zarr store."""
        name = QFileDialog.getExistingDirectory(
            self._parent, "Open a folder (DICOM series, Zarr store)", self._folder()
        )
        if name:
            self.open_paths([name])

    def ask_labels(self) -> None:
        """Let the user choose a label file for the active scene."""
        scene = self.workspace.active_scene
        if scene is None:
            self._tell("Open a scene first; labels belong to one.", "warning")
            return
        name, _ = QFileDialog.getOpenFileName(
            self._parent, f"Labels for {scene.title}", self._folder()
        )
        if name:
            self.open_labels(Path(name), scene)

    def open_labels(
        self, path: Path, scene: Scene, options: Mapping[str, Any] | None = None
    ) -> JobHandle[Labels]:
        """Read a label file as the training labels of a scene."""

        def run(progress: Progress) -> Labels:
            from backends.label_files import labels_for

            return labels_for(scene, path, options, progress)

        def take(labels: Labels) -> None:
            self.workspace.set_labels(scene.id, labels.values, labels.class_names, source=str(path))

        job = Job(f"Read labels from {path.name}", run, scene_id=scene.id)
        return self.workspace.submit(job, on_result=take)

    # -- how it goes ---------------------------------------------------------------------

    def _open(self, path: Path, options: dict[str, Any]) -> JobHandle[Opened | SpectralLibrary]:
        def run(progress: Progress) -> Opened | SpectralLibrary:
            from backends.io import open_scene, spectral_cache
            from backends.spectra.library import is_library, read_library

            progress.note("Looking at the file")
            import_what_comes_next()
            if is_library(path):
                return read_library(path, progress.check)
            scene = open_scene(path, options)
            try:
                progress.check()
                spectral_cache.attach(scene)
                labels = _labels(scene) if scene.info.kind == "labels" else None
                return Opened(scene, frame_of(scene), labels)
            except BaseException:
                scene.close()
                raise

        def take(opened: Opened | SpectralLibrary) -> None:
            self.settings.remember(path)
            for told in self.on_remembered:
                told()
            if isinstance(opened, Opened):
                self._take(opened)
            else:
                self._take_library(opened)

        handle = self.workspace.submit(Job(f"Open {path.name}", run), on_result=take)
        if handle.state.is_final:
            self._ask_if_needed(handle, path, options)
        else:
            self._asked[handle.number] = (path, options)
        return handle

    def _take(self, opened: Opened) -> None:
        scene, labels = opened.scene, opened.labels
        target = None if labels is None else self._scene_under(scene)
        if labels is not None and target is not None:
            self._take_labels(scene, labels, target, opened)
            return
        self._add(opened)
        if labels is not None:  # a label file on its own: its classes lie over its numbers
            source = str(scene.info.path or "")
            self.workspace.set_labels(scene.id, labels.values, labels.class_names, source=source)
            self.canvas.board.activate(scene.id, LABELS)

    def _take_library(self, library: SpectralLibrary) -> None:
        """Reference spectra are no image: they stand beside those of the scene."""
        self.workspace.add_library(library)
        if self.workspace.active_scene is None:
            self._tell(
                f"{library.title} holds {len(library.names)} spectra: open a scene, then choose "
                "some with Library… in the Spectrum dock.",
                "info",
            )

    def _add(self, opened: Opened) -> None:
        scene = opened.scene
        self.canvas.stage.frames[scene.id] = opened.frame
        self.workspace.add_scene(scene)
        ways = [
            (title, partial(self._open_otherwise, scene, options))
            for title, options in scene.info.other_ways.items()
        ]
        for note in scene.info.notes[:2]:
            self._tell(f"{scene.title}: {note}", "info", actions=ways)
            ways = []  # one offer is enough

    def _open_otherwise(self, scene: Scene, options: Mapping[str, Any]) -> None:
        """Open the file of a scene with other options, in its place."""
        path = scene.info.path
        if path is not None:
            if scene.id in self.workspace.scenes:
                self.workspace.remove_scene(scene.id)
            self.open_paths([path], {**scene.info.options, **options})

    def _take_labels(self, scene: Scene, labels: Labels, target: Scene, opened: Opened) -> None:
        """A label file of the size of an open scene belongs to it, most likely."""
        source = str(scene.info.path or scene.title)
        self.workspace.set_labels(target.id, labels.values, labels.class_names, source=source)
        self.workspace.activate(target.id)
        self.canvas.board.activate(target.id, LABELS)
        title = scene.title

        def as_image() -> None:
            self.workspace.commands.undo()
            self._add(opened)

        self._tell(
            f"{title} was taken as training labels of {target.title} "
            f"({len(labels.class_names)} classes).",
            "info",
            actions=[("Open as image", as_image)],
        )

    def _offer_truth(self, scene: Scene, path: Path, options: Mapping[str, Any]) -> None:
        self._tell(
            f"{scene.title} comes with its truth: train a model from it, or compare a map with it.",
            "info",
            actions=[("Take as training labels", lambda: self.open_labels(path, scene, options))],
        )

    def _scene_under(self, labels: Scene) -> Scene | None:
        """Return the open scene that has the size of a label file and does not lie elsewhere."""
        scenes = list(self.workspace.scenes.values())[::-1]
        if self.workspace.active_scene is not None:
            scenes.insert(0, self.workspace.active_scene)
        why = ""
        for scene in scenes:
            if scene.shape[:2] != labels.shape[:2] or scene.info.kind == "labels":
                continue
            try:
                check_same_grid(scene, labels)
            except BadInput as error:
                why = why or str(error)
            else:
                return scene
        if why:
            self._tell(f"{labels.title} was opened as an image of its own. {why}", "info")
        return None

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        asked = self._asked.pop(handle.number, None)
        if asked is not None:
            self._ask_if_needed(handle, *asked)

    def _ask_if_needed(self, handle: JobHandle[Any], path: Path, options: dict[str, Any]) -> None:
        error = handle.error
        if handle.state is not JobState.FAILED or not isinstance(error, NeedsChoice):
            return

        option = error.option

        def chosen(value: str) -> None:
            self.open_paths([path], {**options, option: value})

        self.choice_dialog = ChoiceDialog(error, chosen, self._parent)
        self.choice_dialog.open()

    def _folder(self) -> str:
        recent = self.settings.recent
        return str(Path(recent[0]).parent) if recent else str(Path.home())


class ChoiceDialog(QDialog):
    """Asks which of several things in a file is meant."""

    def __init__(
        self, error: NeedsChoice, chosen: Callable[[str], None], parent: QWidget | None
    ) -> None:
        super().__init__(parent)
        self._chosen, self._choices = chosen, error.choices
        self.setWindowTitle("Which one?")
        self.setMinimumWidth(400)
        self.setModal(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        text = QLabel(error.sentence)
        text.setWordWrap(True)
        column.addWidget(text)
        self.list = QListWidget()
        self.list.addItems(list(error.titles))
        self.list.setCurrentRow(0)
        self.list.setAccessibleName(f"Choices of {error.option}")
        self.list.itemDoubleClicked.connect(lambda _: self.accept())
        column.addWidget(self.list)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.accepted.connect(self._on_accepted)
        self.finished.connect(self.deleteLater)

    def _on_accepted(self) -> None:
        row = self.list.currentRow()
        if row >= 0:
            self._chosen(self._choices[row])


def _labels(scene: Scene) -> Labels | None:
    """Return the labels in a scene of kind "labels"; None where they are no class numbers."""
    try:
        return labels_of(scene)
    except ClearbandError:
        return None  # it opens as an image, which every raster can
