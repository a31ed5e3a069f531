"""Letters at the edges of the canvas: which side of the body lies there."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import QLabel, QWidget

NAMES = {"L": "left", "R": "right", "A": "front", "P": "back", "H": "head", "F": "feet"}
_MARGIN = 8
_STYLE = "color: #F0E442; background: rgba(0, 0, 0, 110); font-weight: bold; padding: 1px 4px;"


class SideLetters(QObject):
    """Four letters over a widget; clicks go through them.

    Parameters
    ----------
    surface : QWidget
    """

    def __init__(self, surface: QWidget) -> None:
        super().__init__(surface)
        self._surface = surface
        self.labels = [QLabel("", surface) for _ in range(4)]
        for label in self.labels:
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            label.setStyleSheet(_STYLE)
            label.hide()
        surface.installEventFilter(self)

    def set_sides(self, sides: tuple[str, ...]) -> None:
        """Show the letters at the left, right, top and bottom; none hides them."""
        for number, label in enumerate(self.labels):
            text = sides[number] if len(sides) == 4 else ""
            label.setText(text)
            label.setAccessibleName(f"Side of the body: {NAMES.get(text, text)}")
            label.adjustSize()
            label.setVisible(bool(text))
        self._place()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stay at the edges."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        wide, high = self._surface.width(), self._surface.height()
        left, right, top, bottom = self.labels
        left.move(_MARGIN, (high - left.height()) // 2)
        right.move(wide - right.width() - _MARGIN, (high - right.height()) // 2)
        top.move((wide - top.width()) // 2, _MARGIN)
        bottom.move((wide - bottom.width()) // 2, high - bottom.height() - _MARGIN)
