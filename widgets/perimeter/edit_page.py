"""Tools for the line: vertices of the stretch in hand, a brush, islands, split, merge, snap."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import shapely
from PyQt6.QtWidgets import (
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from backends.errors import ClearbandError
from backends.perimeters.brushing import apply_stroke, stroke_off, stroke_on
from backends.perimeters.drawn import change_of, merge_all
from backends.perimeters.editing import clean
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.stretch import Stretch, snapped, take_stretch
from widgets.background import listen
from widgets.fire.number_row import NumberRow
from widgets.pages import narrow_box
from widgets.perimeter.board import (
    ADD,
    CUT,
    DELETE,
    INSERT,
    ISLAND,
    SPLIT,
    STRETCH_TOOLS,
    VERTICES,
)
from widgets.perimeter.desk import PerimeterDesk, Turn
from widgets.perimeter.line_page import symbol
from widgets.theme import GRID, wrapped

# Few enough that a drag stays within a frame.
MOST_IN_HAND = 80
_TOOLS = {
    VERTICES: ("Move", "Click near the line, then drag its vertices"),
    INSERT: ("Insert", "Click near the line, then click on it for a new vertex"),
    DELETE: ("Delete", "Click near the line, then click vertices away"),
    ADD: ("Add", "Brush area of the chosen class on; a source is set where you draw"),
    CUT: ("Cut", "Brush area of the chosen class off; sources under the brush go"),
    ISLAND: ("Island", "Draw around an unburned island to cut it out"),
    SPLIT: ("Split", "Draw a stroke through the area to make two of it"),
}
_HINTS = {name: tip for name, (_, tip) in _TOOLS.items()}


class EditPage(QWidget):
    """Tools, brush, and what is done at once."""

    def __init__(self, desk: PerimeterDesk) -> None:
        super().__init__()
        self._desk = desk
        self.stretch: Stretch | None = None
        self._feature: Feature | None = None
        self._build()
        lines = desk.lines
        listen(self, lines.tool_changed, self._on_tool)
        listen(self, lines.drawn, self._on_drawn)
        listen(self, lines.stretch_edited, self._on_stretch)
        listen(self, desk.workspace.pixel_selected, self._on_pixel)
        desk.changed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        grid = QGridLayout()
        grid.setSpacing(4)
        self.tools: dict[str, QToolButton] = {}
        for number, (name, (title, tip)) in enumerate(_TOOLS.items()):
            button = QToolButton()
            button.setText(title)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setMinimumWidth(60)
            button.setStyleSheet("QToolButton:checked { background: palette(highlight); }")
            button.clicked.connect(partial(self._take, name))
            grid.addWidget(button, number // 4, number % 4)
            self.tools[name] = button
        column.addLayout(grid)
        self.hint = wrapped()
        column.addWidget(self.hint)
        self.brush = NumberRow(
            "Brush", "Radius of the brush on the ground", 5, 300, 5, lambda v: f"{v:.0f} m"
        )
        self.brush.put(40)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.class_box = narrow_box("Class of heat that Add and Cut paint; points are set singly")
        for heat in (*list(HeatClass)[1:], HeatClass.NO_DATA):
            self.class_box.addItem(symbol(heat), heat.value, heat.name)
        form.addRow("Paints", self.class_box)
        column.addLayout(form)
        column.addWidget(self.brush)
        row = QHBoxLayout()
        self.merge_button = QPushButton("Merge all")
        self.merge_button.setToolTip("Make one heat perimeter of all of them")
        self.snap_button = QPushButton("Snap")
        self.snap_button.setToolTip(
            "Lay vertices of the stretch in hand onto yesterday's line where they are within "
            "two pixels of it"
        )
        row.addWidget(self.merge_button)
        row.addWidget(self.snap_button)
        column.addLayout(row)
        row = QHBoxLayout()
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        row.addWidget(self.undo_button)
        row.addWidget(self.redo_button)
        column.addLayout(row)
        self.merge_button.clicked.connect(lambda: self.merge_all())
        self.snap_button.clicked.connect(lambda: self.snap())
        self.undo_button.clicked.connect(lambda: self._desk.workspace.commands.undo())
        self.redo_button.clicked.connect(lambda: self._desk.workspace.commands.redo())

    def refresh(self) -> None:
        """Show what can be done."""
        document = self._desk.document
        may = document is not None and document.state.may_be_edited
        for button in (*self.tools.values(), self.merge_button):
            button.setEnabled(may)
        self.snap_button.setEnabled(may and document is not None and document.previous is not None)
        history = None if document is None else document.history
        for button, label in (
            (self.undo_button, None if history is None else history.undo_label),
            (self.redo_button, None if history is None else history.redo_label),
        ):
            button.setEnabled(label is not None)
            button.setToolTip(label or "")
        if not may and self._desk.lines.tool:
            self._desk.lines.hold("")
        if document is not None and not may:
            self.hint.setText(f"The line is {document.state.value}: reopen it to edit it.")
        elif document is None:
            self.hint.setText("There is no line yet.")
        elif not self._desk.lines.tool:
            self.hint.setText("Choose a tool. Esc or a second click puts it down.")

    # -- tools ---------------------------------------------------------------------------

    def _take(self, name: str, checked: bool) -> None:
        self._desk.lines.hold(name if checked else "")

    def _on_tool(self, name: str) -> None:
        for other, button in self.tools.items():
            button.setChecked(other == name)
        self.hint.setText(_HINTS.get(name, ""))
        if name not in STRETCH_TOOLS:
            self.stretch = None
            if self._desk.lines.stretch is not None:
                self._desk.lines.show_stretch(None)
        self.refresh()

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        """A click near the line takes the stretch there in hand."""
        held, scene = self._desk.held, self._desk.scene
        if self._desk.lines.tool not in STRETCH_TOOLS or held is None or scene is None:
            return
        if scene.id == scene_id:
            self.pick(row, col)

    def pick(self, row: float, col: float) -> None:
        """Take the stretch nearest to a pixel in hand, unless it is there already."""
        held = self._desk.held
        feature = self._nearest(row, col)
        if held is None or feature is None:
            return
        x, y = held.plane.to_map(np.array([[row, col]]))[0]
        found = take_stretch(feature.geometry, float(x), float(y), MOST_IN_HAND)
        if self.stretch is not None and self._feature is not None:
            same = (self.stretch.part, self.stretch.ring) == (found.part, found.ring)
            inside = shapely.linestrings(self.stretch.points).distance(shapely.Point(x, y))
            near = 12 * held.document.pixel_m
            if same and self._feature.id == feature.id and inside < near:
                return
        self._show(feature, found)

    def _nearest(self, row: float, col: float) -> Feature | None:
        held = self._desk.held
        if held is None:
            return None
        place = shapely.Point(held.plane.to_map(np.array([[row, col]]))[0])
        lines = [f for f in held.document.features if f.heat is HeatClass.PERIMETER]
        return min(lines, key=lambda f: f.geometry.boundary.distance(place), default=None)

    def _show(self, feature: Feature, stretch: Stretch) -> None:
        held = self._desk.held
        assert held is not None
        self._feature, self.stretch = feature, stretch
        self._desk.lines.show_stretch(held.plane.to_pixels(stretch.points), stretch.whole)

    def _on_stretch(self, places: Any) -> None:
        """Vertices were moved, inserted or deleted on the canvas."""
        held = self._desk.held
        if held is not None:
            label = _TOOLS[self._desk.lines.tool][0] if self._desk.lines.tool else "Move"
            self._put(held.plane.to_map(places), f"{label} vertices")

    def _put(self, points: Any, label: str) -> None:
        held, stretch, feature = self._desk.held, self.stretch, self._feature
        if held is None or stretch is None or feature is None:
            return
        done = self._desk.do(
            lambda d: d.edit_stretch(feature.id, stretch, points, self._desk.who, label)
        )
        if not done:
            self._show(feature, stretch)  # as it was
            return
        now = held.document.feature(feature.id)
        new = Stretch(
            stretch.part, stretch.ring, 0 if stretch.whole else stretch.first, len(points),
            np.asarray(points, float), stretch.whole,
        )  # fmt: skip
        # The ring begins with the stretch now: `put_back` lays it first.
        self._feature, self.stretch = now, _at_start(new)

    def _on_drawn(self, tool: str, places: Any) -> None:
        """Something was drawn with a tool."""
        held = self._desk.held
        if held is None or len(places) < 2:
            return
        points = held.plane.to_map(places)
        radius = self.brush.value
        if tool in (ADD, CUT) and self.heat is not HeatClass.PERIMETER:
            self._paint(self.heat, shapely.linestrings(points).buffer(radius), on=tool == ADD)
        elif tool != ISLAND or len(points) >= 3:
            self._desk.edit(*change_of(tool, points, radius))

    @property
    def heat(self) -> HeatClass:
        """The class that the brush paints."""
        return HeatClass[self.class_box.currentData()]

    def _paint(self, heat: HeatClass, shape: Any, *, on: bool) -> None:
        """Paint an area onto a class or off it, worked out in the background."""
        desk, document, scene = self._desk, self._desk.document, self._desk.scene
        if document is None or scene is None:
            return
        make, who = (stroke_on if on else stroke_off), desk.who

        def begin() -> Turn:
            return Turn(
                lambda: make(document, heat, shape),
                lambda stroke: desk.do(lambda d: apply_stroke(d, stroke, who)) and None,
            )

        desk.in_turn(scene, document, f"Paint {heat.value}", begin)

    # -- at once -------------------------------------------------------------------------

    def merge_all(self) -> None:
        """Make one heat perimeter of all of them."""
        who = self._desk.who
        if self._desk.perimeter_feature() is not None:
            self._desk.do(lambda d: merge_all(d, who))

    def snap(self) -> None:
        """Lay the stretch in hand, or the whole line, onto yesterday's line."""
        document = self._desk.document
        if document is None or document.previous is None:
            return
        near = 2 * document.pixel_m
        if self.stretch is not None:
            points = snapped(self.stretch.points, document.previous, near)
            self._put(points, "Snap")
            held = self._desk.held
            if held is not None and self.stretch is not None:
                places = held.plane.to_pixels(self.stretch.points)
                self._desk.lines.show_stretch(places, self.stretch.whole)
            return
        previous = document.previous

        def lay(geometry: Any) -> Any:
            return clean(shapely.snap(geometry, previous, near))

        try:
            self._desk.edit("Snap to yesterday's line", lay)
        except ClearbandError as error:
            self._desk.said.emit(str(error))


def _at_start(stretch: Stretch) -> Stretch:
    """Return where a stretch lies in its ring after it was put back: at its beginning."""
    return Stretch(stretch.part, stretch.ring, 0, stretch.count, stretch.points, stretch.whole)
