"""A concept: where it is strongest, how often, how strongly, its relatives, its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from backends.palette import key_color
from widgets.concepts.desk import Desk, pixmap_of
from widgets.explaining.words import escape
from widgets.pages import Page
from widgets.small_plot import SmallPlot
from widgets.theme import GRID, text_color, wrapped

HINT = "Click a concept in the columns or in the graph, or find one by a word or its number."
_NO_SUCH = "No concept of these is called so."
_NO_WORDS = (
    "No concept is called so. What saw this image was not taught with words (it has no text "
    "tower): find a concept by its number, or by a name you gave it."
)
_SHOWN = 9
_HITS = 4
_SIDE = 72
Floats = NDArray[Any]


class Cutting(QLabel):
    """One place where a concept is strong; a click goes there."""

    clicked = pyqtSignal(int)

    def __init__(self) -> None:
        super().__init__()
        self.cell = -1
        self.setFixedSize(_SIDE, _SIDE)
        self.setScaledContents(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if self.cell >= 0:
            self.clicked.emit(self.cell)


class CardPage(Page):
    """The concept in hand."""

    desk: Desk

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.find_line = QLineEdit()
        self.find_line.setPlaceholderText("Find by word or number")
        self.find_line.setClearButtonEnabled(True)
        self.find_line.textChanged.connect(self._find)
        self.find_line.returnPressed.connect(self._take_first)
        self.column.addWidget(self.find_line)
        self.hits = QListWidget()
        self.hits.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.hits.itemClicked.connect(self._on_hit)
        self.hits.hide()
        self.column.addWidget(self.hits)
        self.none_line = wrapped()
        self.none_line.hide()
        self.column.addWidget(self.none_line)
        self.head_line = wrapped(HINT)
        self.column.addWidget(self.head_line)
        self.body = QWidget()
        self.column.addWidget(self.body)
        rows = QGridLayout(self.body)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(GRID)
        self.name_line = QLineEdit()
        self.name_line.setPlaceholderText("Give it a name of your own")
        self.name_line.setToolTip("Your name stands wherever the concept is shown; Enter sets it")
        self.name_line.editingFinished.connect(self._rename)
        rows.addWidget(self.name_line, 0, 0)
        self.pictures = QWidget()
        grid = QGridLayout(self.pictures)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        self.cuttings = [Cutting() for _ in range(_SHOWN)]
        for number, cutting in enumerate(self.cuttings):
            cutting.clicked.connect(self._go_to)
            grid.addWidget(cutting, number // 3, number % 3)
        grid.setColumnStretch(3, 1)
        self.pictures_line = wrapped()
        rows.addWidget(self.pictures_line, 1, 0)
        rows.addWidget(self.pictures, 2, 0)
        self.spectrum = SmallPlot("Wavelength, nm", "", 150)
        faint = pg.mkBrush(86, 180, 233, 60)
        self.band = pg.BarGraphItem(x=[0.0], y0=[0.0], y1=[0.0], width=1, brush=faint, pen=None)
        self.spectrum.addItem(self.band)
        self.mean = self.spectrum.plot_item.plot(
            [], [], pen=pg.mkPen(key_color(1), width=2), connect="finite"
        )
        rows.addWidget(self.spectrum, 3, 0)
        self.often_line = wrapped()
        rows.addWidget(self.often_line, 4, 0)
        self.histogram = SmallPlot("Activation where it is on", "Places", 110)
        self.bars = pg.BarGraphItem(x=[0.0], height=[0.0], width=0.9, brush=key_color(1), pen=None)
        self.histogram.addItem(self.bars)
        rows.addWidget(self.histogram, 5, 0)
        self.family_line = wrapped()
        self.family_line.setTextFormat(Qt.TextFormat.RichText)
        self.family_line.linkActivated.connect(lambda n: desk.take_concept(int(n)))
        rows.addWidget(self.family_line, 6, 0)
        buttons = QHBoxLayout()
        self.layer_button = QPushButton("Show as layer")
        self.layer_button.setToolTip("Where the concept is present; one contrast on all images")
        self.layer_button.clicked.connect(self._show_layer)
        self.layer_button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        buttons.addWidget(self.layer_button)
        rows.addLayout(buttons, 7, 0)
        desk.concept_changed.connect(self.refresh)

    def draw(self) -> None:
        reading, concept = self.desk.field, self.desk.concept
        assert reading is not None
        self._find(self.find_line.text())
        self.body.setVisible(concept is not None)
        if concept is None:
            self.head_line.setText(HINT)
            return
        codes = reading.codes
        name = reading.dictionary.name(concept)
        level = reading.dictionary.sizes.level_of(concept)
        mark = reading.mark(concept)
        self.head_line.setText(
            f"<b>{escape(name[:1].upper() + name[1:])}</b>, {level}"
            + (f"<br><i>{mark}</i>: words are made for photographs" if mark else "")
        )
        told = reading.dictionary.names.get(concept, {})
        self.name_line.blockSignals(True)
        self.name_line.setText(name if told.get("how") == "by hand" else "")
        self.name_line.blockSignals(False)
        self._draw_faces(concept)
        often = float(codes.frequency[concept])
        total = float(codes.mass.sum()) or 1.0
        if often:
            self.often_line.setText(
                f"On at {_percent(often)} of the places of this image; "
                f"{_percent(float(codes.mass[concept]) / total)} of all activation."
            )
        else:
            self.often_line.setText("Nowhere on in this image.")
        self.histogram.setVisible(often > 0)
        edges, count = reading.histogram(concept)
        centres = (edges[1:] + edges[:-1]) / 2
        self.bars.setOpts(x=centres, height=count, width=0.9 * float(edges[1] - edges[0]))
        family = reading.family()
        self.family_line.setText(
            "<br>".join(
                f"{word}: {links or 'none'}"
                for word, links in (
                    ("Parents", self._links(family.parents(concept))),
                    ("Children", self._links(family.children(concept))),
                )
            )
        )
        self.layer_button.setEnabled(often > 0)

    def _draw_faces(self, concept: int) -> None:
        learnt, reading = self.desk.learnt, self.desk.field
        assert learnt is not None
        assert reading is not None
        found = learnt.faces.cuttings.get(concept, [])
        spectrum = reading.spectrum(concept)
        self.spectrum.setVisible(spectrum is not None)
        for number, cutting in enumerate(self.cuttings):
            there = number < len(found)
            cutting.setVisible(there)
            cutting.cell = found[number][0] if there else -1
            if there:
                cutting.setPixmap(pixmap_of(found[number][1], frame=True))
                row, col = reading.pixel(found[number][0])
                cutting.setToolTip(f"Row {row:.0f}, column {col:.0f}; click to go there")
        words = "Strongest here, no two alike:" if found else ""
        if spectrum is not None:
            mean, deviation = spectrum
            nm = reading.wavelength_nm
            x = np.arange(len(mean), dtype=float) if nm is None else nm
            self.spectrum.plot_item.setLabel("bottom", "Band" if nm is None else "Wavelength, nm")
            order = np.argsort(x)
            x, mean, deviation = x[order], mean[order], deviation[order]
            self._draw_spectrum(x, mean, deviation)
            words = "Strongest here; below its mean spectrum ± standard deviation:"
        self.pictures_line.setText(words)
        self.pictures.setVisible(bool(found))

    def _draw_spectrum(self, x: Floats, mean: Floats, deviation: Floats) -> None:
        step = np.diff(x, prepend=x[0])
        usual = float(np.median(step[1:])) if len(x) > 1 else 1.0
        self.band.setOpts(
            x=x, y0=mean - deviation, y1=mean + deviation,
            width=np.minimum(np.maximum(step, 0.5 * usual), 3 * usual),
        )  # fmt: skip
        gaps = np.flatnonzero(step > 4 * usual)  # bands that were left out: no line over them
        self.mean.setData(np.insert(x, gaps, x[gaps]), np.insert(mean, gaps, np.nan))
        low, high = float((mean - deviation).min()), float((mean + deviation).max())
        self.spectrum.plot_item.setXRange(float(x[0]), float(x[-1]), padding=0.02)
        self.spectrum.plot_item.setYRange(low, high, padding=0.05)

    def _links(self, concepts: list[int]) -> str:
        reading = self.desk.field
        assert reading is not None
        color = text_color(self).name()  # that of links is too dark for a dark window
        return ", ".join(
            f'<a href="{n}" style="color:{color}">{escape(reading.marked(n))}</a>'
            for n in concepts[:8]
        )

    def _show_layer(self) -> None:
        if self.desk.concept is not None:
            self.desk.show_layer(self.desk.concept)

    def _go_to(self, cell: int) -> None:
        reading = self.desk.field
        scene = None if reading is None else self.desk.scene_of(reading)
        if reading is not None and scene is not None:
            row, col = (round(v) for v in reading.pixel(cell))
            row, col = min(max(row, 0), scene.shape[0] - 1), min(max(col, 0), scene.shape[1] - 1)
            self.desk.workspace.select_pixel(scene.id, row, col)

    def _rename(self) -> None:
        reading, concept = self.desk.field, self.desk.concept
        if reading is None or concept is None:
            return
        before = reading.short(concept)
        reading.rename(concept, self.name_line.text())
        if reading.short(concept) != before:
            self.desk.renamed()

    # -- search --------------------------------------------------------------------------

    def _find(self, word: str) -> None:
        reading = self.desk.field
        found = [] if reading is None else reading.find(word)
        self.hits.setVisible(bool(found))
        self.none_line.setVisible(reading is not None and bool(word.strip()) and not found)
        self.hits.clear()
        if reading is None:
            return
        for concept in found:
            mark = f" ({reading.mark(concept)})" if reading.mark(concept) else ""
            item = QListWidgetItem(f"{reading.dictionary.name(concept)}{mark}")
            item.setData(Qt.ItemDataRole.UserRole, concept)
            self.hits.addItem(item)
        line = max(1, self.hits.sizeHintForRow(0))
        self.hits.setFixedHeight(line * min(len(found), _HITS) + 2 * self.hits.frameWidth() + 2)
        self.none_line.setText(_NO_SUCH if reading.knows_words else _NO_WORDS)

    def _take_first(self) -> None:
        item = self.hits.item(0)
        if item is not None:
            self._on_hit(item)

    def _on_hit(self, item: QListWidgetItem) -> None:
        concept = item.data(Qt.ItemDataRole.UserRole)
        if concept is not None:
            self.desk.take_concept(int(concept))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}\u00a0%" if value >= 0.001 else "below 0.1\u00a0%"
