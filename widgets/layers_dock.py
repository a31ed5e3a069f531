"""What lies over the picture: one row a layer, the legend of the active one, comparing."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, QSignalBlocker, QSize, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from backends.areas import ClassArea
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import LABELS, PICTURE, LayerBoard, Row
from widgets.eliding import ElidedBox, ElidedLabel
from widgets.icons import IconButton
from widgets.legend import LegendView

SWIPE_STEPS = 500


class LayersDock(QWidget):
    """Rows with eye, swatch, name, kind and opacity; the legend; blink and swipe."""

    ID = "layers"
    TITLE = "Layers"
    HELP = "What lies over the picture. The eye hides a layer, the slider fades it."

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        *,
        board: LayerBoard | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._board = workspace, board or LayerBoard()
        self.rows: dict[str, RowView] = {}
        self._shape: tuple[tuple[str, bool, int], ...] = ()
        self._build()
        for signal in (
            workspace.scene_added,
            workspace.scene_removed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._on_scenes)
        listen(self, self._board.changed, self._on_rows)
        listen(self, self._board.row_changed, self._on_row)
        listen(self, self._board.active_changed, self._on_active)
        listen(self, self._board.legend_changed, self._on_legend)
        listen(self, self._board.swipe_changed, self._on_swipe)
        self._on_scenes()

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        top = QHBoxLayout()
        top.setSpacing(4)
        self.scenes = ElidedBox()
        self.scenes.setAccessibleName("Open scenes")
        self.scenes.setToolTip("The scene on the canvas")
        self.scenes.activated.connect(self._on_scene_chosen)
        self.close_button = IconButton("close", "Close this scene", self)
        self.close_button.clicked.connect(self._close_scene)
        top.addWidget(self.scenes, 1)
        top.addWidget(self.close_button)
        self._top = QWidget()
        self._top.setLayout(top)
        top.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._top)
        self._empty = QLabel("Open a scene; what lies over it is listed here.")
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self._empty)
        area = QScrollArea()
        self._area = area
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        self._list = QVBoxLayout(inside)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(2)
        self._list.addStretch(1)
        area.setWidget(inside)
        self._below = self._lower()
        area.setMinimumHeight(56)
        # What there is to choose from comes before what one of them means.
        column.addWidget(area, 3)
        column.addWidget(self._below, 2)

    def _lower(self) -> QWidget:
        lower = QWidget()
        column = QVBoxLayout(lower)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        compare = QHBoxLayout()
        compare.setContentsMargins(0, 0, 0, 0)
        compare.setSpacing(4)
        self.blink = IconButton("blink", "Blink the active layer (Space)", self)
        self.blink.clicked.connect(self._on_blink)
        self.swipe_button = IconButton(
            "swipe", "Swipe: show only the left part of the active layer", self, other="swipe"
        )
        self.swipe_button.toggled.connect(self._on_swipe_toggled)
        self.swipe = QSlider(Qt.Orientation.Horizontal)
        self.swipe.setRange(0, SWIPE_STEPS)
        self.swipe.setValue(SWIPE_STEPS // 2)
        self.swipe.setEnabled(False)
        self.swipe.setAccessibleName("Where the active layer ends")
        self.swipe.valueChanged.connect(self._on_swiped)
        compare.addWidget(self.blink)
        compare.addWidget(self.swipe_button)
        compare.addWidget(self.swipe, 1)
        self._compare = QWidget()
        self._compare.setLayout(compare)
        column.addWidget(self._compare)
        self.heading = ElidedLabel()
        self.heading.setContentsMargins(4, 4, 4, 0)
        column.addWidget(self.heading)
        self.legend = LegendView()
        self.legend.class_chosen.connect(self._on_class_chosen)
        self.legend.class_renamed.connect(self._on_class_renamed)
        self.legend.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        column.addWidget(self.legend, 1)
        self.add_class = QPushButton("New class")
        self.add_class.setToolTip("Add a class and paint with it")
        self.add_class.clicked.connect(self._on_add_class)
        column.addWidget(self.add_class)
        return lower

    # -- following -----------------------------------------------------------------------

    def _scene_id(self) -> str:
        scene = self._workspace.active_scene
        return scene.id if scene else ""

    def _on_scenes(self, *_: object) -> None:
        scenes = list(self._workspace.scenes.values())
        active = self._workspace.active_scene
        with QSignalBlocker(self.scenes):
            self.scenes.clear()
            for scene in scenes:
                self.scenes.addItem(scene.title, scene.id)
                tip = str(scene.info.path or scene.title)
                self.scenes.setItemData(self.scenes.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
            if active is not None:
                self.scenes.setCurrentIndex(self.scenes.findData(active.id))
        self._top.setVisible(bool(scenes))
        self._area.setVisible(active is not None)
        self._below.setVisible(active is not None)
        self._empty.setVisible(active is None)
        self._on_rows(self._scene_id())

    def _on_rows(self, scene_id: str) -> None:
        if scene_id != self._scene_id():
            return
        rows = self._board.rows(scene_id)
        shape = tuple((r.id, r.on_canvas, len(r.choices)) for r in rows)
        if shape != self._shape or set(self.rows) != {r.id for r in rows}:
            self._make_rows(rows)
            self._shape = shape
        for row in rows:
            self.rows[row.id].show_row(row)
        overlays = bool(self._board.overlay_rows(scene_id))
        self._compare.setVisible(overlays)
        self._on_active(scene_id)

    def _make_rows(self, rows: tuple[Row, ...]) -> None:
        for view in self.rows.values():
            self._list.removeWidget(view)
            view.hide()
            view.deleteLater()
        self.rows = {}
        for index, row in enumerate(rows):
            view = RowView(row, self)
            self.rows[row.id] = view
            self._list.insertWidget(index, view)
        # As high as its rows where there is room, three fifths of the dock where there is not.
        wanted = sum(view.sizeHint().height() + 2 for view in self.rows.values()) + 4
        self._area.setMaximumHeight(max(56, wanted))

    def _on_row(self, scene_id: str, row_id: str) -> None:
        row = self._board.row(scene_id, row_id)
        if scene_id == self._scene_id() and row is not None and row_id in self.rows:
            self.rows[row_id].show_row(row)

    def _on_active(self, scene_id: str) -> None:
        if scene_id != self._scene_id():
            return
        active = self._board.active(scene_id)
        for row_id, view in self.rows.items():
            view.mark(row_id == active)
        row = self._board.row(scene_id, active) if active else None
        self.heading.setText(row.title if row else "")
        self.legend.set_editable(active == LABELS)
        self.add_class.setVisible(active == LABELS)
        if row is None:
            hint = "Maps that models make are listed here; click one to see its legend."
            self.legend.show_text(hint if len(self.rows) <= 1 else "")
        elif row.id == PICTURE or not row.on_canvas:
            self.legend.show_text(row.tooltip)
        else:
            self.legend.show_legend(self._board.legend(scene_id, row.id))
            if self._board.legend(scene_id, row.id) is None:
                self.legend.show_text(row.tooltip)

    def _on_legend(self, scene_id: str, row_id: str) -> None:
        if scene_id == self._scene_id() and row_id == self._board.active(scene_id):
            self.legend.show_legend(self._board.legend(scene_id, row_id))

    def _on_swipe(self, part: float | None) -> None:
        with QSignalBlocker(self.swipe_button), QSignalBlocker(self.swipe):
            self.swipe_button.setChecked(part is not None)
            self.swipe.setEnabled(part is not None)
            if part is not None:
                self.swipe.setValue(round(part * SWIPE_STEPS))
        self.swipe_button.update()

    # -- asking --------------------------------------------------------------------------

    def change(self, row_id: str, **changes: object) -> None:
        """Change a row of the active scene."""
        self._board.change(self._scene_id(), row_id, **changes)

    def activate(self, row_id: str) -> None:
        """Make a row the active one."""
        scene_id = self._scene_id()
        self._board.activate(scene_id, row_id)
        row = self._board.row(scene_id, row_id)
        if row is not None and not row.on_canvas:
            self._workspace.activate_overlay(row_id)

    def remove(self, row_id: str) -> None:
        """Take an overlay away."""
        self._workspace.remove_overlay(row_id)

    def _on_scene_chosen(self, index: int) -> None:
        self._workspace.activate(self.scenes.itemData(index))

    def _close_scene(self) -> None:
        scene = self._workspace.active_scene
        if scene is not None:
            self._workspace.remove_scene(scene.id)

    def _on_blink(self) -> None:
        self._board.blink_asked.emit(self._scene_id())

    def _on_swipe_toggled(self, on: bool) -> None:
        self._board.set_swipe(self.swipe.value() / SWIPE_STEPS if on else None)

    def _on_swiped(self, value: int) -> None:
        self._board.set_swipe(value / SWIPE_STEPS)

    def _on_class_chosen(self, value: int) -> None:
        self._board.class_asked.emit(self._scene_id(), value, "")

    def _on_class_renamed(self, value: int, name: str) -> None:
        self._board.class_asked.emit(self._scene_id(), value, name)

    def _on_add_class(self) -> None:
        legend = self._board.legend(self._scene_id(), LABELS)
        used = (
            {line.value for line in legend or () if isinstance(line, ClassArea)}
            if isinstance(legend, tuple)
            else set()
        )
        value = next(v for v in range(1, 256) if v not in used)
        self._board.class_asked.emit(self._scene_id(), value, f"Class {value}")


class RowView(QFrame):
    """One row."""

    def __init__(self, row: Row, dock: LayersDock) -> None:
        super().__init__(dock)
        self._dock, self._id = dock, row.id
        self._active = False
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 2)
        column.setSpacing(0)
        top = QHBoxLayout()
        top.setSpacing(4)
        self.eye = IconButton("eye", "Show or hide", self, other="eye-off")
        self.eye.toggled.connect(lambda on: dock.change(row.id, visible=on))
        self.swatch = _Swatch(self)
        self.name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        top.addWidget(self.eye)
        top.addWidget(self.swatch)
        top.addWidget(self.name, 1)
        if row.removable:
            cross = IconButton("close", "Remove this layer", self)
            cross.clicked.connect(lambda: dock.remove(row.id))
            top.addWidget(cross)
        column.addLayout(top)
        low = QHBoxLayout()
        low.setSpacing(4)
        low.setContentsMargins(28, 0, 4, 0)
        self.kind = ElidedLabel()
        self.kind.setEnabled(False)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setFixedWidth(48)
        self.opacity.setToolTip("Opacity")
        self.opacity.valueChanged.connect(lambda v: dock.change(row.id, opacity=v / 100))
        low.addWidget(self.kind, 1)
        low.addWidget(self.opacity)
        column.addLayout(low)
        self.choice: ElidedBox | None = None
        if row.choices:
            self.choice = ElidedBox(self)
            self.choice.addItems(list(row.choices))
            self.choice.setAccessibleName(f"Which of {row.title}")
            self.choice.activated.connect(lambda index: dock.change(row.id, choice=index))
            column.addWidget(self.choice)
        self.show_row(row)

    def show_row(self, row: Row) -> None:
        """Show a row's state."""
        with QSignalBlocker(self.eye), QSignalBlocker(self.opacity):
            self.eye.setChecked(row.visible)
            self.opacity.setValue(round(row.opacity * 100))
        self.eye.update()
        self.eye.setEnabled(row.on_canvas)
        self.opacity.setVisible(row.on_canvas)
        self.eye.setAccessibleName(f"Show {row.title}")
        self.opacity.setAccessibleName(f"Opacity of {row.title}")
        self.name.setText(row.title)
        self.kind.setText(row.kind)
        self.swatch.set_colors(row.swatch)
        self.setToolTip(row.tooltip)
        if self.choice is not None:
            self.choice.setCurrentIndex(row.choice)

    def mark(self, active: bool) -> None:
        """Show whether it is the active row."""
        if active != self._active:
            self._active = active
            self.update()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Become the active row."""
        self._dock.activate(self._id)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the surface of the active row."""
        super().paintEvent(event)
        if self._active:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setOpacity(0.14)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.palette().color(self.foregroundRole()))
            painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
            painter.end()


class _Swatch(QWidget):
    """Up to four colours side by side."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._colors: tuple[str, ...] = ()
        self.setFixedSize(QSize(16, 16))

    def set_colors(self, colors: tuple[str, ...]) -> None:
        self._colors = colors[:4]
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw them."""
        if not self._colors:
            return
        painter = QPainter(self)
        step = self.width() / len(self._colors)
        for index, color in enumerate(self._colors):
            painter.fillRect(QRectF(index * step, 1, step, 14), QColor(color))
        painter.end()
