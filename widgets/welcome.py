"""The first page: open something, go on with something, try something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtCore import QEvent, QObject, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from widgets.eliding import ElidedLabel
from widgets.icons import paint

COLUMN = 400
RECENT_SHOWN = 8
FORMATS = (
    "Anywhere in the window: ENVI, AVIRIS, ERDAS, GeoTIFF, EMIT, PRISMA, EnMAP, MATLAB, HDF5, "
    "NetCDF, NumPy, Zarr, whole slides, DICOM, NIfTI, PNG, JPEG, TIFF, spectral libraries, and "
    "Clearband sessions. Several at once, too."
)


@dataclass(frozen=True)
class SampleCard:
    """A sample as it is offered.

    ``terms`` tell all about a download, ``cost`` and ``licence`` in few words; empty for none.
    """

    id: str
    title: str
    about: str
    workbench: str
    terms: str = ""
    cost: str = ""
    licence: str = ""


class Welcome(QWidget):
    """Recent files, samples, and what can be dropped.

    Parameters
    ----------
    recent : sequence of str
        Paths, newest first.
    samples : sequence of SampleCard
    """

    open_clicked = pyqtSignal()
    folder_clicked = pyqtSignal()
    recent_clicked = pyqtSignal(str)
    sample_clicked = pyqtSignal(str)

    def __init__(
        self, recent: Sequence[str], samples: Sequence[SampleCard], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAutoFillBackground(True)
        self.setAcceptDrops(True)
        self.setAccessibleName("Welcome page")
        self._recent: tuple[str, ...] = ()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        area = QScrollArea(self)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer.addWidget(area)
        page = QWidget()
        area.setWidget(page)
        column = QVBoxLayout(page)
        column.setContentsMargins(32, 32, 32, 32)
        column.setSpacing(24)
        column.addStretch(1)
        column.addWidget(_middle(self._head()))
        both = QHBoxLayout()
        both.setSpacing(48)
        both.addStretch(1)
        left, self._recent_rows = self._start_column()
        both.addWidget(left, 0, Qt.AlignmentFlag.AlignTop)
        both.addWidget(self._sample_column(samples), 0, Qt.AlignmentFlag.AlignTop)
        both.addStretch(1)
        column.addLayout(both)
        column.addStretch(2)
        self.set_recent(recent)
        parent.installEventFilter(self)

    def set_recent(self, recent: Sequence[str]) -> None:
        """Show other recent files."""
        shown = tuple(recent[:RECENT_SHOWN])
        if shown == self._recent and self._recent_rows.count():
            return
        self._recent = shown
        while (item := self._recent_rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for path in shown:
            name = Path(path)
            row = _Line(name.name, str(name.parent), "open", self)
            row.setToolTip(path)
            row.clicked.connect(lambda path=path: self.recent_clicked.emit(path))
            self._recent_rows.addWidget(row)
        if not shown:
            text = _quiet(QLabel("What you open appears here."))
            text.setContentsMargins(8, 4, 8, 4)
            self._recent_rows.addWidget(text)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Fill the canvas."""
        if event is not None and event.type() == QEvent.Type.Resize:
            parent = self.parentWidget()
            if parent is not None and watched is parent:
                self.setGeometry(parent.rect())
        return False

    def _head(self) -> QWidget:
        head = QWidget()
        column = QVBoxLayout(head)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        title = QLabel("Clearband")
        font = QFont(title.font())
        font.setPointSizeF(26)
        title.setFont(font)
        title.setStyleSheet("font-size: 26pt;")  # napari's sheet sets a size for all labels
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        about = _quiet(QLabel("Look at an image, let a model read it, answer for what it said."))
        about.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(title)
        column.addWidget(about)
        head.setMinimumWidth(2 * COLUMN)
        return head

    def _start_column(self) -> tuple[QWidget, QVBoxLayout]:
        box, column = _column("Start")
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip("Open images of any format (Ctrl+O)")
        self.open_button.setMinimumHeight(32)
        self.open_button.clicked.connect(self.open_clicked)
        folder = QPushButton("Open folder…")
        folder.setToolTip("A DICOM series or a Zarr store (Ctrl+Shift+O)")
        folder.setMinimumHeight(32)
        folder.clicked.connect(self.folder_clicked)
        buttons.addWidget(self.open_button)
        buttons.addWidget(folder)
        column.addLayout(buttons)
        column.addSpacing(8)
        column.addWidget(_heading("Recent"))
        rows = QVBoxLayout()
        rows.setSpacing(0)
        column.addLayout(rows)
        column.addSpacing(16)
        column.addWidget(_heading("What can be dropped"))
        note = _quiet(QLabel(FORMATS))
        note.setWordWrap(True)
        note.setFixedWidth(COLUMN)
        note.setContentsMargins(8, 4, 8, 4)
        column.addWidget(note)
        return box, rows

    def _sample_column(self, samples: Sequence[SampleCard]) -> QWidget:
        box, column = _column("Try a sample, no network needed")
        bench = ""
        for card in [card for card in samples if not card.terms]:
            if card.workbench != bench:
                bench = card.workbench
                label = _quiet(QLabel(bench))
                label.setContentsMargins(8, 4, 0, 0)
                column.addWidget(label)
            row = _Line(card.title, card.about, "scene", self)
            row.clicked.connect(lambda name=card.id: self.sample_clicked.emit(name))
            column.addWidget(row)
        asked = [card for card in samples if card.terms]
        if asked:
            column.addSpacing(8)
            column.addWidget(_heading("From the literature, downloaded when you ask"))
        for card in asked:
            about = f"{card.cost[:1].upper()}{card.cost[1:]} · {card.licence}"
            row = _Line(card.title, about, "download", self)
            row.setToolTip(f"{card.about}\n{card.terms[:1].upper()}{card.terms[1:]}")
            row.clicked.connect(lambda name=card.id: self.sample_clicked.emit(name))
            column.addWidget(row)
        return box


class _Line(QFrame):
    """A line that can be clicked: a name and a smaller remark."""

    clicked = pyqtSignal()

    def __init__(self, title: str, about: str, icon: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._icon = icon
        self.setFixedHeight(48)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"{title}: {about}")
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        column = QVBoxLayout(self)
        column.setContentsMargins(40, 4, 8, 4)
        column.setSpacing(0)
        name = ElidedLabel(title)
        # Of a folder the end matters, of a sentence the beginning.
        left, right = Qt.TextElideMode.ElideLeft, Qt.TextElideMode.ElideRight
        remark = ElidedLabel(about, mode=left if icon == "open" else right)
        column.addWidget(name)
        column.addWidget(_quiet(remark))
        for label in (name, remark):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Be clicked."""
        if event is not None and self.rect().contains(event.pos()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Be clicked from the keyboard."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the icon, and a surface under the mouse."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = self.palette().color(self.foregroundRole())
        if self.underMouse() or self.hasFocus():
            painter.setOpacity(0.12)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
        painter.setOpacity(0.7)
        paint(painter, self._icon, QRectF(12, 16, 16, 16), color)
        painter.end()


def _column(title: str) -> tuple[QWidget, QVBoxLayout]:
    box = QWidget()
    box.setFixedWidth(COLUMN)
    column = QVBoxLayout(box)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    column.addWidget(_heading(title))
    column.addSpacing(4)
    return box, column


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = QFont(label.font())
    font.setBold(True)
    label.setFont(font)
    label.setContentsMargins(8, 0, 0, 0)
    return label


def _quiet(label: QLabel) -> QLabel:
    """Draw a label in half-strong colour, in the dark theme and in the light one."""
    from PyQt6.QtWidgets import QGraphicsOpacityEffect

    effect = QGraphicsOpacityEffect(label)
    effect.setOpacity(0.72)
    label.setGraphicsEffect(effect)
    return label


def _middle(widget: QWidget) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.addStretch(1)
    row.addWidget(widget)
    row.addStretch(1)
    return box
