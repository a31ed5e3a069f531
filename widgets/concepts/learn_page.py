"""Encoder, how many concepts, one button; or concepts that were learnt before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.explain.model_choices import NAMED, SPECTRAL, TAUGHT, ModelChoice, of_file
from backends.jobs import JobHandle, JobState, Progress
from backends.scene import Scene
from backends.spectra.library import SpectralLibrary
from widgets.background import listen
from widgets.concepts.curves import LearningCurves
from widgets.concepts.desk import Desk
from widgets.concepts.folder_work import LearnFolder
from widgets.concepts.named_encoder import NamedEncoder, NamedEncoderDialog
from widgets.concepts.work import SPECTRA, Learn, Learnt, Read
from widgets.explaining.words import escape, sentence
from widgets.pages import narrow_box
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped

ANOTHER, BY_NAME = "file…", "name…"
_AWAY = "Its weights are not on this machine: tick the box to download them, or choose a file."
_NOTHING_YET = (
    "Nothing is learnt of this image yet. Learn concepts, or open learnt ones; then point at the "
    "image."
)
_SIZES = (64, 128, 256, 512, 1024, 2048)
_FEW = (8, 16, 32, 64)
_DEPTHS = (
    ("parts and textures", "finer"),
    ("whole things", "last"),
)


class LearnPage(QWidget):
    """Reads as a sentence and asks the desk."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk, self._workspace = desk, desk.workspace
        self._choices: list[ModelChoice] = []
        self._listing = self._by_hand = False
        self._handle: JobHandle[Any] | None = None
        self._work: Learn | None = None
        self._named: dict[ModelChoice, NamedEncoder] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.source_box = narrow_box("What concepts are learnt from")
        self.source_box.addItem("this image", None)
        self.source_box.addItem("a folder of images…", ANOTHER)
        self.source_box.activated.connect(self._on_source)
        form.addRow("Learn from", self.source_box)
        self.model_box = narrow_box("Through whose eyes the image is seen")
        self.model_box.addItem("Looking …", None)
        self.model_box.activated.connect(self._on_chosen)
        form.addRow("Seen by", self.model_box)
        self.model_line = wrapped()
        form.addRow(self.model_line)
        self.fetch_check = QCheckBox("Download its weights")
        self.fetch_check.setMinimumWidth(1)
        self.fetch_check.setToolTip("Those that were published; once, they are checked and kept")
        form.addRow("", self.fetch_check)
        self.depth_box = narrow_box(
            "How deep into the network one looks: parts and textures in fine cells, or whole "
            "things in the coarser cells of its last layer"
        )
        for words, depth in _DEPTHS:
            self.depth_box.addItem(words, depth)
        form.addRow("Looks for", self.depth_box)
        self.size_box = narrow_box("How many concepts are learnt; small images want few")
        self.size_box.addItem("as suits the image", 0)
        for size in _SIZES:
            self.size_box.addItem(f"{size:,}", size)
        form.addRow("Concepts", self.size_box)
        self.few_box = narrow_box(
            "Of a folder with one folder a class: a bottleneck, a few independent concepts that "
            "decide alone, with as many random ones beside them"
        )
        self.few_box.addItem("all of them", 0)
        for size in _FEW:
            self.few_box.addItem(f"a bottleneck of {size}", size)
        form.addRow("Classes by", self.few_box)
        self.form = form
        column.addLayout(form)
        row = QHBoxLayout()
        self.go_button = QPushButton("Learn concepts")
        self.go_button.setDefault(True)
        self.go_button.setToolTip("Finds what the encoder sees in this image, in parts")
        self.go_button.clicked.connect(self.learn)
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip(
            "Read this image with concepts that were learnt before, or let a bottleneck decide"
        )
        self.open_button.clicked.connect(self._ask_file)
        row.addWidget(self.go_button, 1)
        row.addWidget(self.open_button)
        column.addLayout(row)
        self.same_button = QPushButton("Use the concepts read last")
        self.same_button.setToolTip("One concept then means the same in both images")
        self.same_button.clicked.connect(self.read_same)
        column.addWidget(self.same_button)
        self.on_button = QPushButton("Go on where it was stopped")
        self.on_button.setToolTip("Its steps so far are kept")
        self.on_button.clicked.connect(self.go_on)
        self.on_button.hide()
        column.addWidget(self.on_button)
        self.problem_line = wrapped()
        self.problem_line.hide()
        self.running = RunningRow()
        self.running.keep_button.setText("End now")
        self.running.keep_button.setToolTip("End the learning now and read the image with it")
        self.running.cancel_button.setToolTip("Stop; it can go on later")
        self.curves = LearningCurves()
        self.done_line = wrapped()
        for widget in (self.problem_line, self.running, self.curves, self.done_line):
            column.addWidget(widget)
        listen(self, self._workspace.active_scene_changed, self._on_scene)
        listen(self, self._workspace.libraries_changed, self._on_model)
        listen(self, self._workspace.job_finished, self._on_finished)
        desk.changed.connect(self._say_done)
        self._on_scene(self._workspace.active_scene)

    # -- what there is -------------------------------------------------------------------

    def list_networks(self) -> None:
        """Look for networks, once; it imports the libraries."""
        if not self._listing:
            self._listing = True
            self._desk.quiet("List networks", "list", _list, self._on_listed)

    def _on_listed(self, choices: list[ModelChoice]) -> None:
        chosen = self.choice
        self._choices = [*choices, *(c for c in self._choices if c not in choices)]
        self._fill(chosen)

    def _fill(self, chosen: ModelChoice | None) -> None:
        scene = self._workspace.active_scene
        cube = scene is not None and scene.bands.axis == "spectral" and scene.shape[2] > 3
        self.model_box.clear()
        if cube:
            self.model_box.addItem("its own spectra", SPECTRA)
        for number, choice in enumerate(self._choices):
            if choice.kind == SPECTRAL and not cube:
                continue
            mine = " · taught here" if choice.kind == TAUGHT else ""
            away = "" if choice.here else " (download)"
            self.model_box.addItem(choice.title.split(", taught")[0] + mine + away, number)
        self.model_box.addItem("A file…", ANOTHER)
        self.model_box.addItem("By name, with words…", BY_NAME)
        if chosen in self._choices:
            place = self.model_box.findData(self._choices.index(chosen))
            self.model_box.setCurrentIndex(max(0, place))
        self._on_model()

    @property
    def choice(self) -> ModelChoice | None:
        """The network that is chosen; None for spectra."""
        number = self.model_box.currentData()
        return self._choices[number] if isinstance(number, int) else None

    def choose_file(self, path: str | Path) -> None:
        """See the image through a network from a file."""
        choice = of_file(path)
        if choice not in self._choices:
            self._choices.append(choice)
        self._by_hand = True
        self._fill(choice)

    def choose_name(self, encoder: NamedEncoder) -> None:
        """See the image through a network by its name."""
        choice = encoder.choice
        self._named[choice] = encoder
        if choice not in self._choices:
            self._choices.append(choice)
        self._by_hand = True
        self._fill(choice)

    @property
    def folder(self) -> Path | None:
        """The folder that is learnt from; None takes the open image."""
        chosen = self.source_box.currentData()
        return Path(chosen) if chosen not in (None, ANOTHER) else None

    def choose_folder(self, folder: str | Path) -> None:
        """Learn from a folder of images."""
        folder = Path(folder)
        place = self.source_box.findData(str(folder))
        if place < 0:
            place = self.source_box.count() - 1
            self.source_box.insertItem(place, f"{folder.name} (folder)", str(folder))
        self.source_box.setCurrentIndex(place)
        self._on_model()

    def _on_source(self, *_: object) -> None:
        if self.source_box.currentData() == ANOTHER:
            self.source_box.setCurrentIndex(0)
            name = QFileDialog.getExistingDirectory(
                self, "Folder of images, or with one folder a class"
            )
            if name:
                self.choose_folder(name)
        self._on_model()

    def choose_spectra(self) -> None:
        """Take the spectra themselves, where the scene is a cube."""
        self.model_box.setCurrentIndex(max(0, self.model_box.findData(SPECTRA)))
        self._on_model()

    def _on_chosen(self, *_: object) -> None:
        if self.model_box.currentData() == ANOTHER:
            self.model_box.setCurrentIndex(0)
            name, _filter = QFileDialog.getOpenFileName(
                self, "Weights of a network", "", "Weights (*.safetensors *.pt *.pth *.th)"
            )
            if name:
                self.choose_file(name)
            return
        if self.model_box.currentData() == BY_NAME:
            self.model_box.setCurrentIndex(0)
            asked = NamedEncoderDialog(self, next(reversed(self._named.values()), None))
            if asked.exec():
                self.choose_name(asked.encoder)
            asked.deleteLater()
            return
        self._by_hand = True
        self._on_model()

    def _on_model(self) -> None:
        choice, data = self.choice, self.model_box.currentData()
        said = ""
        if choice is not None:
            said = escape(choice.about) + "."
            if not choice.here:
                said += f" {_AWAY}"
        elif data == SPECTRA:
            said = "A concept is a direction in the bands: a material, a shade, a mixture."
            library = self._library()
            if library is not None:
                said += f" Called by the nearest spectrum of {escape(library.title)}."
        self.model_line.setText(said)
        self.form.setRowVisible(self.fetch_check, choice is not None and not choice.here)
        deep = choice is not None and choice.kind not in (SPECTRAL, NAMED)
        self.form.setRowVisible(self.depth_box, deep)
        self.form.setRowVisible(self.few_box, self.folder is not None)
        self._refresh()

    def _on_scene(self, scene: Scene | None) -> None:
        self.problem_line.hide()
        self.curves.clear()
        self._fill(self.choice if self._by_hand else None)
        self._say_done()

    @property
    def _busy(self) -> bool:
        return self._handle is not None and not self._handle.state.is_final

    def _refresh(self) -> None:
        busy = self._busy
        known = self.choice is not None or self.model_box.currentData() == SPECTRA
        scene = self._workspace.active_scene
        self.go_button.setEnabled(scene is not None and known and not busy)
        self.open_button.setEnabled(scene is not None and not busy)
        self.same_button.setVisible(self._other() is not None)
        self.same_button.setEnabled(not busy)
        self.on_button.setVisible(self._stopped(scene) and not busy)

    def _stopped(self, scene: Scene | None) -> bool:
        """Whether a learning for this image was stopped on its way, after it had begun."""
        work, handle = self._work, self._handle
        if work is None or handle is None or scene is None:
            return False
        stopped = handle.state is JobState.CANCELLED and self.curves.begun
        return stopped and work.scene.id == scene.id

    def _other(self) -> Learnt | None:
        scene = self._workspace.active_scene
        if scene is None or self._desk.learnt is not None:
            return None
        return self._desk.readings.newest(scene.id)

    def _say_done(self) -> None:
        learnt = self._desk.learnt
        if learnt is None:
            scene = self._workspace.active_scene
            self.done_line.setText(_NOTHING_YET if scene is not None and not self._busy else "")
        else:
            made = learnt.reading.dictionary
            rows, cols = learnt.reading.grid
            words = (
                f"{made.sizes.concepts:,} concepts (coarse, medium, fine) over "
                f"{rows}\u00a0×\u00a0{cols} cells. Seen by: {escape(str(made.encoder['title']))}."
            )
            if len(made.card.get("files") or ()) > 1:
                words += f" Learnt from {made.card['trained_on']}."
            left = made.card.get("skipped") or []
            if left:
                words += f" {len(left)} left out; {escape(left[0][0])}: {escape(left[0][1])}"
            self.done_line.setText(words)
        self._refresh()

    # -- do ------------------------------------------------------------------------------

    def learn(self) -> None:
        """Learn concepts from the active scene."""
        scene = self._workspace.active_scene
        if scene is None or not self.go_button.isEnabled():
            return
        choice = self.choice
        fetch = choice is not None and not choice.here and self.fetch_check.isChecked()
        how: dict[str, Any] = {
            "scene": scene, "choice": choice, "networks": self._desk.networks,
            "depth": str(self.depth_box.currentData()),
            "concepts": int(self.size_box.currentData()), "fetch": fetch,
            "library": self._library(),
            "named": None if choice is None else self._named.get(choice),
        }  # fmt: skip
        if self.folder is None:
            self._learn(Learn(**how))
        else:
            few = int(self.few_box.currentData())
            self._learn(LearnFolder(**how, folder=self.folder, bottleneck=few))

    def go_on(self) -> None:
        """Go on with the learning that was stopped last."""
        if self._work is not None and self.on_button.isEnabled():
            self._learn(replace(self._work, resume=True))

    def _learn(self, work: Learn) -> None:
        self._begin()
        self._work = work
        self._handle = self._desk.learn(work, self.curves.show_curves)
        self._follow_job()

    def _library(self) -> SpectralLibrary | None:
        opened = self._workspace.libraries
        return opened[-1].library if opened else None

    def open_file(self, path: str | Path) -> None:
        """Read the active scene with concepts from a file, or let a bottleneck decide on it."""
        scene, path = self._workspace.active_scene, Path(path)
        if scene is None:
            return
        self._begin()
        self._handle = self._desk.read(Read(scene, path))
        self._follow_job()

    def read_same(self) -> None:
        """Read the active scene with the concepts of the image read last."""
        scene, other = self._workspace.active_scene, self._other()
        if scene is not None and other is not None:
            self._begin()
            source = (other.reading.dictionary, other.encoder)
            self._handle = self._desk.read(Read(scene, source))
            self._follow_job()

    def _begin(self) -> None:
        self.problem_line.hide()
        self._work = None
        self.curves.clear()

    def _follow_job(self) -> None:
        self.running.follow(self._handle)
        self._say_done()
        if self._handle is not None and self._handle.state.is_final:  # it ran at once
            self._on_finished(self._handle)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is not self._handle:
            return
        self.running.refresh()
        if handle.state is JobState.FAILED and handle.error is not None:
            self.problem_line.setText(sentence(handle.error))
            self.problem_line.show()
        self._say_done()

    def _ask_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Concepts that were learnt", "", "Concepts (*.safetensors)"
        )
        if name:
            self.open_file(name)


def _list(progress: Progress) -> list[ModelChoice]:
    from backends import devices

    # Before the libraries: beside a window not all of torch may be loaded.
    devices.choose("auto")
    from backends.explain.model_choices import model_choices

    return model_choices()
