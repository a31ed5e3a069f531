"""Go to a place by its coordinates; find where a band is highest or lowest."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFormLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from backends.errors import ClearbandError
from backends.jobs import Job, JobHandle, Progress
from backends.measuring.asking import extreme_command
from backends.measuring.places import EXAMPLES, KINDS, WrittenPlace, parse_place, place_words
from backends.measuring.places import to_pixel as pixel_of
from backends.measuring.reading import Extreme, extreme, labels_of
from backends.scene import Scene, Window
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import PictureBoard
from widgets.measuring.board import MeasureBoard
from widgets.pages import narrow_box
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped

VIEW, SCENE = "view", "scene"


class FindPage(QWidget):
    """Two questions: where is this place, and where is the extreme."""

    def __init__(
        self,
        workspace: Workspace,
        board: MeasureBoard,
        pictures: PictureBoard,
        visible: Callable[[Scene], Window] | None,
    ) -> None:
        super().__init__()
        self._workspace, self._board, self._pictures = workspace, board, pictures
        self._visible = visible or (lambda scene: Window(0, 0, *scene.shape[:2]))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(wrapped("<b>Go to</b>"))
        rows = QFormLayout()
        rows.setSpacing(GRID)
        self.kind_box = narrow_box("How the place is written")
        for kind, words in KINDS.items():
            self.kind_box.addItem(words, kind)
        self.kind_box.currentIndexChanged.connect(lambda *_: self._hint())
        self.place_edit = QLineEdit()
        self.place_edit.setAccessibleName("Place to go to")
        self.place_edit.returnPressed.connect(lambda: self.go())
        rows.addRow("As", self.kind_box)
        rows.addRow("Place", self.place_edit)
        column.addLayout(rows)
        self.go_button = QPushButton("Go there")
        self.go_button.clicked.connect(lambda: self.go())
        self.place_line = wrapped()
        self.place_line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self.go_button)
        column.addWidget(self.place_line)
        column.addSpacing(GRID)
        column.addWidget(wrapped("<b>Find the extreme</b>"))
        form = QFormLayout()
        form.setSpacing(GRID)
        self.which_box = narrow_box("Highest or lowest")
        self.which_box.addItem("Highest value", "maximum")
        self.which_box.addItem("Lowest value", "minimum")
        self.band_box = narrow_box("Of which band")
        self.where_box = narrow_box("Where to look")
        form.addRow("Find", self.which_box)
        form.addRow("Of", self.band_box)
        form.addRow("In", self.where_box)
        column.addLayout(form)
        self.find_button = QPushButton("Find and go there")
        self.find_button.clicked.connect(lambda: self.find())
        self.running = RunningRow()
        self.found_line = wrapped()
        self.found_line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for part in (self.find_button, self.running, self.found_line):
            column.addWidget(part)
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.regions_changed, self._fill_where)
        listen(self, pictures.shown_changed, self._on_picture)
        self._on_scene(workspace.active_scene)
        self._hint()

    # -- go to ---------------------------------------------------------------------------

    def _hint(self) -> None:
        self.place_edit.setPlaceholderText(EXAMPLES[str(self.kind_box.currentData())])
        self.place_edit.setToolTip(
            "Degrees may be decimal, or with minutes and seconds; N, S, E, W or a sign"
        )

    def go(self) -> JobHandle[object] | None:
        """Go to the place that was written, or say what is wrong with it."""
        scene = self._workspace.active_scene
        if scene is None:
            return None
        try:
            place = parse_place(self.place_edit.text(), str(self.kind_box.currentData()))
        except ClearbandError as error:
            self._say(str(error))
            return None

        def run(progress: Progress) -> object:
            try:
                row, col = pixel_of(scene, place)
            except ClearbandError as error:
                return error
            return row, col, place_words(scene, round(row), round(col))

        job = Job("Go to a place", run, scene_id=scene.id, topic="go to", quiet=True)
        return self._workspace.submit(job, on_result=lambda found: self._gone(scene, place, found))

    def _gone(self, scene: Scene, place: WrittenPlace, found: object) -> None:
        if isinstance(found, ClearbandError):
            self._say(str(found))
            return
        assert isinstance(found, tuple)
        row, col, words = found
        self._show_there(scene, row, col)
        lines = [f"Row {round(row)}, column {round(col)}"]
        lines += [words[name] for name in ("map", "lat_lon", "dms") if name in words]
        self._say("\n".join(lines))

    def _say(self, text: str) -> None:
        self.place_line.setText(text)

    def _show_there(self, scene: Scene, row: float, col: float) -> None:
        self._board.look_asked.emit(scene.id, float(row), float(col))
        self._board.set_mark((scene.id, float(row), float(col)))

    # -- extremes ------------------------------------------------------------------------

    def _on_scene(self, scene: Scene | None) -> None:
        self.setEnabled(scene is not None)
        self.place_line.setText("")
        self.found_line.setText("")
        self.band_box.clear()
        if scene is not None:
            for band, label in enumerate(labels_of(scene, range(scene.shape[2]))):
                self.band_box.addItem(label, band)
            self._on_picture(scene.id)
        self._fill_where()

    def _on_picture(self, scene_id: str) -> None:
        """Begin with the first band on the screen."""
        scene, recipe = self._workspace.active_scene, self._pictures.wanted(scene_id)
        if scene is not None and scene.id == scene_id and recipe is not None:
            self.band_box.setCurrentIndex(recipe.bands[0])

    def _fill_where(self, *_: object) -> None:
        scene, kept = self._workspace.active_scene, self.where_box.currentData()
        self.where_box.clear()
        self.where_box.addItem("What is in view", VIEW)
        self.where_box.addItem("The whole scene", SCENE)
        for region in self._workspace.regions.values():
            if scene is not None and region.scene_id == scene.id:
                self.where_box.addItem(region.name, region.id)
        self.where_box.setCurrentIndex(max(0, self.where_box.findData(kept)))

    def find(self) -> JobHandle[Extreme] | None:
        """Look for the extreme and go there."""
        scene = self._workspace.active_scene
        if scene is None or self.band_box.count() == 0:
            return None
        band, which = int(self.band_box.currentData()), str(self.which_box.currentData())
        where = str(self.where_box.currentData())
        window = self._visible(scene) if where == VIEW else None
        region = self._workspace.regions.get(where)

        def run(progress: Progress) -> Extreme:
            return extreme(scene, band, which, window=window, region=region, progress=progress)

        def show(found: Extreme) -> None:
            self._show_there(scene, found.row, found.col)
            unit = f" {scene.info.unit}" if scene.info.unit else ""
            said = f"{found.value:.5g}{unit} at row {found.row}, column {found.col} ({found.label})"
            if found.equal > 1:
                said += f"; {found.equal:,} pixels have it, this is the first."
            self.found_line.setText(said)

        command = () if region is not None else extreme_command(scene, band, which, window)
        job = Job(
            f"Find the {which} in {scene.title}", run, scene_id=scene.id, topic="extreme",
            command=command,
        )  # fmt: skip
        handle = self._workspace.submit(job, on_result=show)
        self.running.follow(handle)
        return handle
