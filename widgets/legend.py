"""What the colours of a layer mean: classes with their areas, or a bar with true values."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backends.areas import ClassArea
from backends.colormaps import table
from widgets.boards import ColorScale, Legend

WIDE = 300
_NAME, _PIXELS, _AREA, _SHARE = range(4)


class LegendView(QStackedWidget):
    """The legend of one layer.

    `class_chosen` and `class_renamed` only come while it is `set_editable`.
    """

    class_chosen = pyqtSignal(int)
    class_renamed = pyqtSignal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editable = False
        self._filling = False
        self.nothing = QLabel("")
        self.nothing.setWordWrap(True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.nothing.setEnabled(False)
        self.classes = QTreeWidget()
        self.classes.setAccessibleName("Classes")
        self.classes.setRootIsDecorated(False)
        self.classes.setIndentation(0)
        self.classes.setUniformRowHeights(True)
        self.classes.setHeaderLabels(["Class", "Pixels", "Area", "Share"])
        self.classes.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.classes.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.classes.setIconSize(QSize(12, 12))
        header = self.classes.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setMinimumSectionSize(24)
            header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
            for column in (_PIXELS, _AREA, _SHARE):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.classes.itemClicked.connect(self._on_clicked)
        self.classes.itemChanged.connect(self._on_changed)
        self.bar = ScaleBar()
        # Words wrap in a narrow dock; they scroll rather than take the height from its list.
        self._words, self._scale = _scrolling(self.nothing), _scrolling(self.bar)
        for page in (self._words, self.classes, self._scale):
            self.addWidget(page)

    def set_editable(self, on: bool) -> None:
        """Let names be changed and classes be taken in hand."""
        self._editable = on

    def show_text(self, text: str) -> None:
        """Show a sentence instead of a legend."""
        self.nothing.setText(text)
        self.setCurrentWidget(self._words)

    def show_legend(self, legend: Legend | None) -> None:
        """Show a legend; None while it is being worked out."""
        if legend is None:
            self.show_text("")
        elif isinstance(legend, ColorScale):
            self.bar.set_scale(legend)
            self.setCurrentWidget(self._scale)
        else:
            self._show_classes(legend)
            self.setCurrentWidget(self.classes)

    def _show_classes(self, lines: tuple[ClassArea, ...]) -> None:
        self._filling = True
        chosen = self.classes.currentItem()
        value = None if chosen is None else chosen.data(_NAME, Qt.ItemDataRole.UserRole)
        self.classes.clear()
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for line in lines:
            percent = 100 * line.share
            share = f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"
            area = "" if line.area_m2 is None else line.area_text()
            pixels = f"{line.pixels:,}".replace(",", "\u202f")
            item = QTreeWidgetItem([line.name, pixels, area, share])
            item.setIcon(_NAME, swatch_icon(line.color))
            item.setData(_NAME, Qt.ItemDataRole.UserRole, line.value)
            for column in (_PIXELS, _AREA, _SHARE):
                item.setTextAlignment(column, right)
            tip = f"{line.name}: {pixels} pixels, {share} of the classified"
            if area:
                tip += f", {area}. {line.method}"
            for column in range(4):
                item.setToolTip(column, tip)
            if self._editable:
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            self.classes.addTopLevelItem(item)
            if line.value == value:
                self.classes.setCurrentItem(item)
        self._known_area = any(line.area_m2 is not None for line in lines)
        self._choose_columns()
        self._filling = False

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show as many columns as there is room for."""
        super().resizeEvent(event)
        self._choose_columns()

    def _choose_columns(self) -> None:
        area = getattr(self, "_known_area", False)
        wide = self.width() >= WIDE
        self.classes.setColumnHidden(_AREA, not area)
        self.classes.setColumnHidden(_PIXELS, area and not wide)
        self.classes.setColumnHidden(_SHARE, not area and not wide and self.width() < 200)

    def _on_clicked(self, item: QTreeWidgetItem, column: int) -> None:
        if self._editable:
            self.class_chosen.emit(item.data(_NAME, Qt.ItemDataRole.UserRole))

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        name = item.text(_NAME).strip()
        if not self._filling and column == _NAME and name:
            self.class_renamed.emit(item.data(_NAME, Qt.ItemDataRole.UserRole), name)


def _scrolling(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(page)
    return area


class ScaleBar(QWidget):
    """A colour bar with the values at its ends, and its middle where that means something."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale: ColorScale | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(4)
        self.gradient = _Gradient(self)
        self.ends = QLabel("")
        self.ends.setTextFormat(Qt.TextFormat.RichText)
        self.ends.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.words = QLabel("")
        self.words.setWordWrap(True)
        self.words.setEnabled(False)
        column.addWidget(self.gradient)
        column.addWidget(self.ends)
        column.addWidget(self.words)
        column.addStretch(1)

    def set_scale(self, scale: ColorScale) -> None:
        """Show another scale."""
        self._scale = scale
        self.gradient.set_colormap(scale.colormap)
        unit = f" {scale.unit}" if scale.unit else ""
        middle = "" if scale.centre is None else figure(scale.centre)
        self.ends.setText(
            "<table width='100%'><tr>"
            f"<td align='left'>{figure(scale.low)}</td><td align='center'>{middle}</td>"
            f"<td align='right'>{figure(scale.high)}{unit}</td></tr></table>"
        )
        words = f"Values {figure(scale.smallest)} to {figure(scale.largest)}{unit}."
        if scale.stretched:
            words += " Stretched: what lies beyond the bar has the colour of its end."
        if scale.centre is not None:
            words += f" The middle colour means no effect ({figure(scale.centre)})."
        self.words.setText(words)
        self.setAccessibleName(f"Colour bar from {scale.low:.3g} to {scale.high:.3g}{unit}")


def figure(value: float) -> str:
    """Return a number in three digits; large ones in full, in groups of three."""
    value += 0.0  # nought has no sign
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", "\u202f")
    return text.replace("-", "−")


_RGB = QImage.Format.Format_RGB888


class _Gradient(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.set_colormap("gray")
        self.setFixedHeight(16)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_colormap(self, name: str) -> None:
        colors = np.ascontiguousarray(table(name), np.uint8)
        image = QImage(colors.data, len(colors), 1, 3 * len(colors), _RGB)
        self._image = image.convertToFormat(QImage.Format.Format_RGB32)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw 256 colours side by side."""
        painter = QPainter(self)
        painter.drawImage(self.rect(), self._image)
        painter.end()


def swatch_icon(color: str) -> QIcon:
    """Return a square of a colour with a thin dark edge, seen on dark and on light."""
    pixmap = QPixmap(24, 24)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(0, 0, 0, 120))
    painter.setBrush(QColor(color))
    painter.drawRoundedRect(QRectF(1, 1, 22, 22), 4, 4)
    painter.end()
    return QIcon(pixmap)
