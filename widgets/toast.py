"""Messages in the corner: one sentence, what to do, and the details for those who ask."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from PyQt6.QtCore import QEvent, QObject, QPoint, QRectF, Qt, QTimer
from PyQt6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from widgets.icons import IconButton, paint

WIDTH = 400
MARGIN = 16
INFO_MS = 6000
MOST = 4
_numbers = itertools.count()
_COLORS = {"error": "#D55E00", "warning": "#E69F00", "info": "#56B4E9"}

Actions = Sequence[tuple[str, Callable[[], None]]]


class Toast(QFrame):
    """One message.

    Parameters
    ----------
    text : str
        A sentence, and the way out.
    kind : str
        ``"error"``, ``"warning"`` or ``"info"``; an info leaves by itself.
    details : str
        Technical facts; shown when asked for.
    actions : sequence of (title, callable)
    """

    def __init__(
        self,
        text: str,
        kind: str,
        parent: QWidget,
        *,
        details: str = "",
        actions: Actions = (),
    ) -> None:
        super().__init__(parent)
        self.number = next(_numbers)
        self.text, self.kind, self.details = text, kind, details
        self.setAutoFillBackground(True)
        self.setFixedWidth(min(WIDTH, max(200, parent.width() - 2 * MARGIN)))
        self.setProperty("foreground", True)  # napari's token for a raised surface
        self.setAccessibleName(f"{kind}: {text}")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 8)
        column.setSpacing(8)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(_Mark(kind, self), 0, Qt.AlignmentFlag.AlignTop)
        label = QLabel(text, self)
        label.setWordWrap(True)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        label.setMinimumHeight(24)
        top.addWidget(label, 1)
        self.close_button = IconButton("close", "Close this message", self)
        self.close_button.clicked.connect(self.leave)
        top.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(top)
        self._box: QPlainTextEdit | None = None
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch()
        for title, run in actions:
            button = QPushButton(title, self)
            button.clicked.connect(lambda _=False, run=run: self._act(run))
            row.addWidget(button)
        if details:
            self.details_button = QPushButton("Details", self)
            self.details_button.setCheckable(True)
            self.details_button.toggled.connect(self._show_details)
            row.addWidget(self.details_button)
        if row.count() > 1:
            column.addLayout(row)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INFO_MS)
        self._timer.timeout.connect(self.leave)
        if kind == "info":
            self._timer.start()

    def leave(self) -> None:
        """Go away."""
        self.hide()
        self.deleteLater()
        stack = self.parent()
        if isinstance(stack, QWidget):
            # The others move up.
            QTimer.singleShot(0, lambda: _arrange(stack))

    def enterEvent(self, event: QEvent | None) -> None:
        """Stay while it is being read."""
        self._timer.stop()

    def leaveEvent(self, event: QEvent | None) -> None:
        """Go on counting."""
        if self.kind == "info" and self._box is None:
            self._timer.start()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the coloured edge that tells the kind."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.fillRect(0, 0, 3, self.height(), QColor(_COLORS[self.kind]))
        painter.end()

    def _act(self, run: Callable[[], None]) -> None:
        self.leave()
        run()

    def _show_details(self, on: bool) -> None:
        self._timer.stop()
        if on and self._box is None:
            self._box = QPlainTextEdit(self.details, self)
            self._box.setReadOnly(True)
            self._box.setFixedHeight(144)
            self._box.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
            copy = QPushButton("Copy", self)
            copy.clicked.connect(self._copy)
            layout = self.layout()
            assert isinstance(layout, QVBoxLayout)
            layout.insertWidget(1, self._box)
            layout.insertWidget(2, copy, 0, Qt.AlignmentFlag.AlignRight)
            self._copy_button = copy
            self._box.show()
            copy.show()
        elif self._box is not None:
            self._box.setVisible(on)
            self._copy_button.setVisible(on)
        parent = self.parentWidget()
        if parent is not None:
            _arrange(parent)

    def fit(self) -> None:
        """Be as high as the text needs at this width."""
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.setFixedHeight(max(40, layout.totalHeightForWidth(self.width())))

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(f"{self.text}\n\n{self.details}")


class Toaster(QObject):
    """Shows messages in the lower right corner of a widget, newest lowest."""

    def __init__(self, surface: QWidget) -> None:
        super().__init__(surface)
        self._surface = surface
        surface.installEventFilter(self)

    def show(
        self, text: str, kind: str = "info", *, details: str = "", actions: Actions = ()
    ) -> Toast:
        """Show a message; the same one is not shown twice at a time."""
        for shown in self.toasts():
            if shown.text == text and shown.kind == kind:
                return shown
        for old in self.toasts()[: -(MOST - 1)]:
            old.leave()
        toast = Toast(text, kind, self._surface, details=details, actions=actions)
        toast.show()
        _arrange(self._surface)
        return toast

    def toasts(self) -> list[Toast]:
        """Return the messages on the screen, oldest first."""
        return _toasts(self._surface)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the messages in their corner."""
        if event is not None and event.type() == QEvent.Type.Resize:
            _arrange(self._surface)
        return False


class _Mark(QWidget):
    """The sign of a message's kind."""

    def __init__(self, kind: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._kind = kind
        self.setFixedSize(16, 24)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        name = "info" if self._kind == "info" else "warning"
        paint(painter, name, QRectF(0, 4, 16, 16), QColor(_COLORS[self._kind]))
        painter.end()


def _toasts(surface: QWidget) -> list[Toast]:
    """Return the messages on a surface, oldest first; Qt's own order follows who is on top."""
    shown = [t for t in surface.findChildren(Toast) if not t.isHidden()]
    return sorted(shown, key=lambda toast: toast.number)


def _arrange(surface: QWidget) -> None:
    bottom = surface.height() - MARGIN
    for toast in reversed(_toasts(surface)):
        toast.fit()
        bottom -= toast.height()
        toast.move(QPoint(surface.width() - toast.width() - MARGIN, max(0, bottom)))
        toast.raise_()
        bottom -= 8
