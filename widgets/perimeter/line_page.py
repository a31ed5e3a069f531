"""Where a line comes from, whose fire it is, how large it is, what its objects are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.perimeters.heat import HeatClass
from backends.perimeters.journal import SUFFIX
from backends.perimeters.picture import GREY, RED, SYMBOLS
from backends.perimeters.scenes import has_place
from widgets.fire.number_row import NumberRow
from widgets.perimeter.desk import PerimeterDesk
from widgets.theme import GRID, wrapped

OUTLINES = "Outlines (*.gpkg *.geojson *.json *.shp *.zip *.kml *.kmz)"
_ROWS = 6


class LinePage(QWidget):
    """Draft, facts, acres, objects."""

    def __init__(self, desk: PerimeterDesk) -> None:
        super().__init__()
        self._desk = desk
        self._build()
        desk.changed.connect(self.refresh)
        desk.figured.connect(self.refresh)
        desk.lines.answered.connect(self._on_answer)
        self.refresh()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.name_edit, self.irwin_edit = QLineEdit(), QLineEdit()
        self.time_edit, self.who_edit = QLineEdit(), QLineEdit(self._desk.who)
        self.time_edit.setPlaceholderText("2026-08-29T04:12Z")
        self.time_edit.setToolTip("When the image was taken, UTC; it belongs to a new draft")
        self.who_edit.setToolTip("Stands in the audit trail and in the signature")
        for title, edit in (
            ("Incident", self.name_edit),
            ("IRWIN ID", self.irwin_edit),
            ("Image, UTC", self.time_edit),
            ("You", self.who_edit),
        ):
            form.addRow(title, edit)
            edit.editingFinished.connect(self._describe)
        column.addLayout(form)
        self.begin_line = wrapped()
        column.addWidget(self.begin_line)
        self.intense = NumberRow(
            "Intense from", "Temperature near 4 µm from which the draft calls heat intense",
            350, 800, 10, lambda v: f"{v:.0f} K",
        )  # fmt: skip
        self.intense.put(500)
        column.addWidget(self.intense)
        self.draft_button = QPushButton("Draw a draft around the fire")
        self.draft_button.setDefault(True)
        column.addWidget(self.draft_button)
        row = QHBoxLayout()
        self.open_button, self.import_button = QPushButton("Open…"), QPushButton("Import…")
        self.open_button.setToolTip("A line that was kept (.perimeter)")
        self.import_button.setToolTip("GeoPackage, GeoJSON, shapefile, KML or KMZ")
        row.addWidget(self.open_button)
        row.addWidget(self.import_button)
        column.addLayout(row)
        self.recover_button = QPushButton()
        column.addWidget(self.recover_button)
        self.area_line = wrapped()
        column.addWidget(self.area_line)
        self.objects = QListWidget()
        self.objects.setAccessibleName("Objects of the perimeter")
        self.objects.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column.addWidget(self.objects)
        self.file_line = wrapped()
        column.addWidget(self.file_line)
        self.draft_button.clicked.connect(lambda: self.draft())
        self.open_button.clicked.connect(lambda: self._ask_open())
        self.import_button.clicked.connect(lambda: self._ask_import())
        self.recover_button.clicked.connect(lambda: self.recover())

    # -- do ------------------------------------------------------------------------------

    def draft(self) -> Any:
        """Draw a draft around what the fire dock found."""
        return self._desk.draft(
            self.time_edit.text().strip(), self._attributes(), self.intense.value
        )

    def recover(self) -> Any:
        """Go on with the newest line of this image."""
        return self._desk.open(self._desk.kept[0]) if self._desk.kept else None

    def _attributes(self) -> dict[str, str]:
        found = {"IncidentName": self.name_edit.text(), "IRWINID": self.irwin_edit.text().strip()}
        return {name: value for name, value in found.items() if value}

    def _describe(self) -> None:
        """Take over who and which fire."""
        desk = self._desk
        desk.who = self.who_edit.text().strip()
        document, said = desk.document, self._attributes()
        if document is None or not document.state.may_be_edited:
            return
        if any(document.attributes.get(name, "") != value for name, value in said.items()):
            desk.do(lambda d: d.describe(said, desk.who))

    def _ask_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a line", "", f"Lines (*{SUFFIX})")
        if name:
            self._desk.open(Path(name))

    def _ask_import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import an outline", "", OUTLINES)
        if name:
            self._desk.import_outline(Path(name), self.time_edit.text().strip())

    # -- show ----------------------------------------------------------------------------

    def _on_answer(self, scene_id: str) -> None:
        scene = self._desk.scene
        if scene is not None and scene.id == scene_id:
            self.refresh()

    def refresh(self) -> None:
        """Show the state again."""
        desk = self._desk
        document, held, answer = desk.document, desk.held, desk.answer
        words = "Find fire first (Fire tab): the draft is drawn around its mask."
        if answer is not None:
            pixels = answer.found.summary["fire_pixels"]
            words = f"{pixels:,} px of fire were found in this scene."
        nowhere = desk.scene is not None and not has_place(desk.scene)
        if nowhere:
            words = "This image has no georeference, so no line can be drawn on it. "
            words += "Open a georeferenced one; a swath is gridded first."
        for button in (self.open_button, self.import_button):
            button.setEnabled(not nowhere)
        self.draft_button.setEnabled(answer is not None and not nowhere)
        self.begin_line.setText(words)
        self.begin_line.setVisible(document is None)
        again = "Draw the draft anew" if document is not None else "Draw a draft around the fire"
        self.draft_button.setText(again)
        self.recover_button.setVisible(document is None and bool(desk.kept))
        if desk.kept:
            self.recover_button.setText(f"Go on with {desk.kept[0].stem}")
            self.recover_button.setToolTip("A line of this image that was being worked on")
        for part in (self.area_line, self.objects, self.file_line):
            part.setVisible(document is not None)
        if document is None or held is None:
            return
        for edit, name in ((self.name_edit, "IncidentName"), (self.irwin_edit, "IRWINID")):
            value = str(document.attributes.get(name) or "")
            if value and not edit.hasFocus():
                edit.setText(value)
        if document.image_utc:
            self.time_edit.setText(document.image_utc)
        self.area_line.setText(area_words(desk))
        self.file_line.setText("Every change is on disk at once.")
        self.file_line.setToolTip(str(held.journal.path))
        self._show_objects()

    def _show_objects(self) -> None:
        document = self._desk.document
        assert document is not None
        self.objects.clear()
        for heat in (*list(HeatClass)[1:], HeatClass.NO_DATA):
            mine = [f for f in document.features if f.heat is heat]
            if not mine:
                continue
            item = QListWidgetItem(symbol(heat), f"{heat.value}: {len(mine)}")
            rules = dict.fromkeys(str(f.rule.get("text") or f.rule["method"]) for f in mine[:12])
            item.setToolTip(f"{SYMBOLS[heat]}\n" + "\n".join(rules))
            self.objects.addItem(item)
        height = max(20, self.objects.sizeHintForRow(0))
        self.objects.setFixedHeight(min(_ROWS, max(1, self.objects.count())) * height + 6)


def area_words(desk: PerimeterDesk) -> str:
    """Return acres with interval and method."""
    figures, document = desk.figures, desk.document
    if figures is None or document is None or figures.area is None:
        return ""
    area = figures.area
    lines = [
        f"<b>{area.gross_ac:,.1f} ac</b> geodesic, {area.net_ac:,.1f} ac without "
        f"{area.islands} islands.",
        f"Planar: {area.planar_gross_ac:,.1f} ac in {area.planar_crs}.",
    ]
    between = document.origin.get("interval_ac")
    if between and between[0] == between[1]:
        lines.insert(1, "Rules say yes or no: an interval needs the networks' probability.")
    elif between:
        said = f"The draft lay between {between[0]:,.1f} and {between[1]:,.1f} ac"
        shown = " (thin pink contours)" if document.origin.get("band") else ""
        lines.insert(1, f"{said}{shown}.")
    return "<br>".join(lines)


def symbol(heat: HeatClass) -> QIcon:
    """Return the trade's symbol of a class as an icon."""
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    color = QColor(GREY if heat is HeatClass.NO_DATA else RED)
    painter.setPen(QPen(color, 3))
    box = QRectF(4, 4, 24, 24)
    if heat is HeatClass.ISOLATED:
        painter.setBrush(color)
        painter.setPen(QPen(QColor("black"), 3))
        painter.drawEllipse(box.adjusted(3, 3, -3, -3))
        painter.setBrush(QColor("black"))
        painter.drawEllipse(box.adjusted(10, 10, -10, -10))
    elif heat is HeatClass.POSSIBLE:
        painter.translate(16, 16)
        painter.rotate(45)
        painter.fillRect(QRectF(-8, -8, 16, 16), color)
    else:
        brush = {
            HeatClass.INTENSE: Qt.BrushStyle.BDiagPattern,
            HeatClass.SCATTERED: Qt.BrushStyle.Dense6Pattern,
            HeatClass.NO_DATA: Qt.BrushStyle.DiagCrossPattern,
        }.get(heat)
        if brush is not None:
            painter.setPen(QPen(color, 1))
            painter.setBrush(brush)
            # A brush takes the painter's colour only when told so.
            painted = painter.brush()
            painted.setColor(color)
            painter.setBrush(painted)
        painter.drawRect(box)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)
