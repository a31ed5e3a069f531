"""List entries of two lines: a title, and weaker below it a remark."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QSize, Qt
from PyQt6.QtGui import QPainter
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

REMARK = Qt.ItemDataRole.UserRole + 1


class TwoLines(QStyledItemDelegate):
    """Draws a title and, weaker, what it is good for or why it is not there."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Two lines of text and some air."""
        return QSize(64, 2 * option.fontMetrics.height() + 8)

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw both lines, cut where they do not fit."""
        if painter is None:
            return
        color = option.widget.palette().color(option.widget.foregroundRole())
        painter.save()
        enabled = bool(option.state & QStyle.StateFlag.State_Enabled)
        if enabled and option.state & QStyle.StateFlag.State_Selected:
            painter.setOpacity(0.25)
            painter.fillRect(option.rect, color)
        elif enabled and option.state & QStyle.StateFlag.State_MouseOver:
            painter.setOpacity(0.1)
            painter.fillRect(option.rect, color)
        rect = option.rect.adjusted(8, 4, -8, -4)
        metrics, width = option.fontMetrics, rect.width()
        elide = Qt.TextElideMode.ElideRight
        painter.setPen(color)
        painter.setOpacity(1.0 if enabled else 0.4)
        top = index.data(Qt.ItemDataRole.DisplayRole)
        painter.drawText(rect, Qt.AlignmentFlag.AlignTop, metrics.elidedText(top, elide, width))
        painter.setOpacity(0.65 if enabled else 0.4)
        low = index.data(REMARK)
        painter.drawText(rect, Qt.AlignmentFlag.AlignBottom, metrics.elidedText(low, elide, width))
        painter.restore()
