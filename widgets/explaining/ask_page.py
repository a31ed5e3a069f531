"""Image, network, method, layer, class; one button; what the network said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QInputDialog,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.explain.model_choices import (
    FILE,
    NAMED,
    PUBLISHED,
    SPECTRAL,
    TAUGHT,
    ModelChoice,
    by_name,
    of_file,
    of_saved,
)
from backends.jobs import JobHandle, JobState
from backends.scene import Scene, Window
from widgets.background import listen
from widgets.classify_jobs import SaveModel
from widgets.explaining.choosers import PIXEL, ClassBox, LayerBox, PlaceBox
from widgets.explaining.desk import Desk
from widgets.explaining.questions import Answer, Question, Where, networks_and_methods
from widgets.explaining.result_box import ResultBox
from widgets.explaining.view_box import ViewBox
from widgets.explaining.where_box import WhereBox
from widgets.explaining.words import escape, sentence
from widgets.pages import narrow_box
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped

if TYPE_CHECKING:
    from backends.explain.asking import Method
    from backends.explain.layers import Layer

ANOTHER, BY_NAME = "file…", "name…"


class AskPage(QWidget):
    """Reads as a sentence and asks the desk.

    Parameters
    ----------
    desk : Desk
    visible, shown_slice : callable
        See `WhereBox`.
    """

    def __init__(
        self,
        desk: Desk,
        visible: Callable[[Scene], Window] | None,
        shown_slice: Callable[[Scene], int],
    ) -> None:
        super().__init__()
        self._desk = desk
        self._workspace = desk.workspace
        self._choices: list[ModelChoice] = []
        self._methods: dict[str, Method] = {}
        self._handle: JobHandle[Any] | None = None
        self._seconds: dict[tuple[object, ...], float] = {}
        self._asked: tuple[str, str] | None = None  # scene and network the classes are of
        self._listing = False
        self._files: list[ModelChoice] = []
        self._chosen_by_hand = self._method_by_hand = False
        self._build(visible, shown_slice)
        workspace = self._workspace
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.regions_changed, self._on_regions)
        listen(self, workspace.pixel_selected, self._on_pixel)
        listen(self, workspace.job_finished, self._on_finished)
        desk.answered.connect(self._on_answer)
        self._on_scene(workspace.active_scene)

    # -- layout --------------------------------------------------------------------------

    def _build(
        self, visible: Callable[[Scene], Window] | None, shown_slice: Callable[[Scene], int]
    ) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.where = WhereBox(self._workspace, visible, shown_slice)
        column.addWidget(self.where)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.model_box = narrow_box("The network whose answer is explained")
        self.model_box.addItem("Looking …", None)
        self.model_box.activated.connect(self._on_chosen)
        form.addRow("Network", self.model_box)
        self.model_line = wrapped()
        form.addRow(self.model_line)
        self.fetch_check = QCheckBox("Download its published weights")
        self.fetch_check.setToolTip("Once; they are checked and kept")
        form.addRow("", self.fetch_check)
        self.method_box = narrow_box("How it is explained")
        self.method_box.currentIndexChanged.connect(self._on_method)
        self.method_box.activated.connect(self._on_method_by_hand)
        form.addRow("Method", self.method_box)
        self.method_line = wrapped()
        form.addRow(self.method_line)
        self.class_box = ClassBox()
        form.addRow("Class", self.class_box)
        self.place_box = PlaceBox()
        form.addRow("At", self.place_box)
        self.layers = LayerBox()
        self.layer_box = self.layers.box
        self.layer_box.currentIndexChanged.connect(self._say_layer)
        form.addRow("Layer", self.layer_box)
        self.layer_line = wrapped()
        form.addRow(self.layer_line)
        self.form = form
        column.addLayout(form)
        self.assess_check = QCheckBox("Assess the map at once")
        self.assess_check.setToolTip("Measures its trust, too: some hundred looks at the image")
        column.addWidget(self.assess_check)
        row = QHBoxLayout()
        self.go_button, self.look_button = QPushButton("Explain"), QPushButton("What does it say?")
        self.go_button.setDefault(True)
        self.look_button.setToolTip("Classes with their probability; no map yet")
        self.go_button.clicked.connect(self.explain)
        self.look_button.clicked.connect(self.look)
        row.addWidget(self.go_button, 1)
        row.addWidget(self.look_button)
        column.addLayout(row)
        self.problem_line = wrapped()
        self.running = RunningRow()
        self.result = ResultBox(self._desk)
        for widget in (self.problem_line, self.running, self.result):
            column.addWidget(widget)
        self.problem_line.hide()
        self.view = ViewBox(self._desk)
        column.addWidget(self.view)
        self._fill_places()
        self._on_model()

    # -- what there is -------------------------------------------------------------------

    def list_networks(self) -> None:
        """Look for networks and methods, once; it imports the libraries."""
        if self._listing:
            return
        self._listing = True
        self._desk.quiet("List networks and methods", "list", networks_and_methods, self._on_listed)

    def list_again(self) -> None:
        """A network may have been taught meanwhile."""
        if self._choices:
            self._listing = False
            self.list_networks()

    def _on_listed(self, answer: Any) -> None:
        chosen = self.choice
        self._choices, methods = [*answer[0], *self._files], answer[1]
        if not self._methods:
            self._methods = {m.id: m for m in methods}
            self.method_box.blockSignals(True)
            for m in methods:
                self.method_box.addItem(m.title, m.id)
            self.method_box.blockSignals(False)
        self._fill_models(chosen)
        self._on_method()
        if self._here:
            self._here = False
            self.explain_here()

    def _fill_models(self, chosen: ModelChoice | None) -> None:
        self.model_box.blockSignals(True)
        self.model_box.clear()
        for number, choice in enumerate(self._choices):
            away = " (download)" if choice.kind == PUBLISHED and not choice.here else ""
            mine = " · taught here" if choice.kind == TAUGHT else ""
            self.model_box.addItem(choice.title.split(", taught")[0] + mine + away, number)
        self.model_box.addItem("A file…", ANOTHER)
        self.model_box.addItem("By name…", BY_NAME)
        if chosen in self._choices:
            self.model_box.setCurrentIndex(self._choices.index(chosen))
        else:
            self._suit_scene()
        self.model_box.blockSignals(False)
        self._last = max(0, self.model_box.currentIndex())
        self._on_model()

    @property
    def choice(self) -> ModelChoice | None:
        """The network that is chosen."""
        number = self.model_box.currentData()
        return self._choices[number] if isinstance(number, int) else None

    def choose_file(self, path: str | Path) -> None:
        """Explain a network from a file."""
        self._add_file(of_file(path))

    def choose_name(self, name: str) -> None:
        """Explain a network of timm, torchvision or transformers by its name."""
        if name.strip():
            self._add_file(by_name(name))

    def _add_file(self, choice: ModelChoice) -> None:
        if choice not in self._choices:
            self._files.append(choice)
            self._choices.append(choice)
        self._chosen_by_hand = True
        self._fill_models(choice)

    def _suit_scene(self) -> None:
        """Until the user chooses, offer a network that can read the scene."""
        scene = self._workspace.active_scene
        if self._chosen_by_hand or scene is None:
            return
        cube = scene.bands.axis == "spectral"
        for number, choice in enumerate(self._choices):
            if (choice.kind == SPECTRAL) == cube:
                self.model_box.setCurrentIndex(number)
                return

    def _on_chosen(self, *_: object) -> None:
        self._chosen_by_hand = True
        if self.model_box.currentData() == ANOTHER:
            name, _filter = QFileDialog.getOpenFileName(
                self, "Weights of a network", "", "Weights (*.safetensors *.pt *.pth *.th)"
            )
            self.model_box.setCurrentIndex(getattr(self, "_last", 0))
            if name:
                self.choose_file(name)
            return
        if self.model_box.currentData() == BY_NAME:
            self.model_box.setCurrentIndex(getattr(self, "_last", 0))
            name, _wanted = QInputDialog.getText(
                self, "A network by name", "timm:…, torchvision:… or transformers:…"
            )
            self.choose_name(name)
            return
        self._on_model()

    def _on_model(self) -> None:
        self._last = self.model_box.currentIndex()
        choice = self.choice
        self.model_line.setText("" if choice is None else escape(choice.about) + ".")
        self._suit_method()
        self.form.setRowVisible(self.fetch_check, choice is not None and not choice.here)
        self._forget_answer()
        self._refresh()

    def _suit_method(self) -> None:
        """Networks that read single spectra have no picture inside: begin with one that works."""
        spectral = self.choice is not None and self.choice.kind == SPECTRAL
        wanted = self.method_box.findData("integrated_gradients" if spectral else "grad_cam")
        if wanted >= 0 and not self._method_by_hand:
            self.method_box.setCurrentIndex(wanted)

    def _forget_answer(self) -> None:
        """The classes and layers on offer are those of another network or image."""
        scene, choice = self._workspace.active_scene, self.choice
        now = None if scene is None or choice is None else (scene.id, _key(choice))
        if self._asked is not None and self._asked == now:
            return
        same_network = self._asked is not None and now is not None and self._asked[1] == now[1]
        if not same_network:
            self.class_box.fill((), ())
            self._fill_layers(())
            self.form.setRowVisible(self.place_box, choice is not None and choice.kind == SPECTRAL)
        self._asked = None

    def _on_method_by_hand(self, *_: object) -> None:
        self._method_by_hand = True

    def _on_method(self, *_: object) -> None:
        chosen = self._methods.get(str(self.method_box.currentData()))
        if chosen is None:
            self.method_line.setText("")
            return
        source = "" if chosen.source.startswith("after") else f" ({chosen.source})"
        self.method_line.setText(f"{escape(chosen.about)}{escape(source)}")
        self.form.setRowVisible(self.layer_box, bool(chosen.needs))
        self._say_layer()
        self._refresh()

    def _on_scene(self, scene: Scene | None) -> None:
        self.where.show_scene(scene)
        self._fill_places()
        self.problem_line.hide()
        if self._choices and not self._chosen_by_hand:
            self._suit_scene()
            self._on_model()
        self._forget_answer()
        self._refresh()

    def _on_regions(self) -> None:
        self.where.fill_parts()
        self._fill_places()

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        self.place_box.take(scene_id, row, col)
        self._fill_places()

    def _fill_places(self) -> None:
        self.place_box.fill(self._workspace.active_scene, self.where.regions())

    def _refresh(self) -> None:
        scene, choice = self._workspace.active_scene, self.choice
        busy = self._handle is not None and not self._handle.state.is_final
        ready = scene is not None and choice is not None and bool(self._methods)
        self.go_button.setEnabled(ready and not busy)
        self.look_button.setEnabled(ready and not busy)
        how = str(self.method_box.currentData())
        at = None if scene is None else self.where.where(scene)
        took = None if choice is None else self._seconds.get((_key(choice), how, _much(at)))
        about = "" if took is None else f" (about {max(1, round(took))}\u00a0s)"
        self.go_button.setText(f"Explain{about}")

    # -- do ------------------------------------------------------------------------------

    def question(self) -> Question | None:
        """Return what would be asked now."""
        scene, choice = self._workspace.active_scene, self.choice
        if scene is None or choice is None:
            return None
        pixel, region = self.place_box.place(scene, self.where.regions())
        wanted = self.class_box.wanted()
        how = str(self.method_box.currentData())
        layer = ""
        if self._methods[how].needs:
            layer = self.layers.chosen
        return Question(
            scene, choice, self.where.where(scene), how, wanted, layer, pixel, region,
            self.fetch_check.isChecked() and not choice.here, self.assess_check.isChecked(),
        )  # fmt: skip

    def explain(self) -> None:
        """Make the map."""
        question = self.question()
        if question is not None:
            self._follow(self._desk.explain(question))

    def explain_here(self) -> None:
        """Explain the pixel in hand, if the network classifies pixels; else only come near."""
        choice = self.choice
        if choice is None or not self._methods:
            self._here = True  # as soon as the networks are listed
        elif self.place_box.currentData() == PIXEL and not self.place_box.isHidden():
            if self.go_button.isEnabled():
                self.explain()
        else:
            self.go_button.setFocus()

    _here = False

    def look(self) -> None:
        """Ask what the network says."""
        question = self.question()
        if question is not None:
            self._follow(self._desk.look(question))

    def _follow(self, handle: JobHandle[Any]) -> None:
        self.problem_line.hide()
        self._handle = handle
        self.running.follow(handle)
        self._refresh()
        if handle.state.is_final:  # it ran at once
            self._on_finished(handle)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is not self._handle:
            saved = handle.job.run
            if handle.state is JobState.DONE and handle.job.topic == "finetune":
                self.list_again()
            elif handle.state is JobState.DONE and isinstance(saved, SaveModel):
                self._add_file(of_saved(saved.path, saved.checkpoint.model_id))
            return
        self.running.refresh()
        if handle.error is not None:
            self.problem_line.setText(sentence(handle.error))
            self.problem_line.show()
        self._refresh()

    # -- what came -----------------------------------------------------------------------

    def _on_answer(self, answer: Answer) -> None:
        scene, choice, asked = self._workspace.active_scene, self.choice, answer.question
        heatmap = answer.heatmap
        if heatmap is not None and answer.card is None:
            key = (_key(asked.choice), asked.how, _much(asked.where))
            self._seconds[key] = heatmap.provenance.seconds
        if scene is None or choice is None or asked.scene.id != scene.id:
            return
        if _key(choice) == _key(asked.choice) and answer.top:
            self._asked = (scene.id, _key(choice))
            self.class_box.fill(answer.classifier.class_names, answer.top)
            self.layers.automatic = answer.layer if not asked.layer else None
            self._fill_layers(answer.layers)
            self.form.setRowVisible(self.place_box, answer.classifier.pixelwise)
            self._say_layer()
            if choice.kind in (FILE, NAMED):
                card = answer.classifier.card
                self.model_line.setText(escape(f"{card.title}; trained on: {card.trained_on}."))
            if not choice.here and choice.kind == PUBLISHED:
                self.list_again()
        if answer.overlay is None:
            self.result.show_likeliest(answer.top)

    def _fill_layers(self, layers: Sequence[Layer]) -> None:
        self.layers.fill(layers)
        self._say_layer()

    def _say_layer(self, *_: object) -> None:
        chosen = self._methods.get(str(self.method_box.currentData()))
        said = self.layers.reason() if chosen is not None and chosen.needs else ""
        self.layer_line.setText(escape(said))
        self.form.setRowVisible(self.layer_line, bool(said))


def _much(at: Where | None) -> object:
    """Return what of a scene's part decides for how long it takes."""
    return None if at is None else (at.tiles, at.every_slice, at.tiles and at.window)


def _key(choice: ModelChoice) -> str:
    return f"{choice.model} {choice.weights or ''}"
