"""F1: what the thing under the mouse is; the list of keys; about."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.actions import Action
from backends import __version__

CANVAS_HELP = (
    "The image. Move the mouse to read spectrum and position, click to choose a pixel, "
    "drag to move, turn the wheel to zoom."
)


def describe(widget: QWidget | None) -> str:
    """Return what a widget is, from its own help, tooltip or accessible name."""
    while widget is not None:
        for text in (widget.whatsThis(), widget.toolTip(), widget.accessibleDescription()):
            if text:
                return text
        if type(widget).__name__ == "CanvasBackendDesktop":
            return CANVAS_HELP
        name = widget.accessibleName()
        if name:
            return name
        doc = getattr(type(widget), "HELP", "")
        if doc:
            return str(doc)
        widget = widget.parentWidget()
    return "Point at something and press F1 to learn what it is."


class TextDialog(QDialog):
    """A page of text with one button."""

    def __init__(self, title: str, inner: QWidget, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(16)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(inner)
        column.addWidget(area)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)


def keys_dialog(actions: Iterable[Action], parent: QWidget | None) -> TextDialog:
    """Return the list of keys, a menu a block."""
    inner = QWidget()
    grid = QGridLayout(inner)
    grid.setContentsMargins(0, 0, 16, 0)
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(4)
    line, menu = 0, ""
    for action in sorted((a for a in actions if a.shortcut), key=lambda a: a.menu):
        top = action.menu.split("/")[0]
        if top != menu:
            menu = top
            heading = QLabel(f"<b>{menu}</b>")
            heading.setContentsMargins(0, 8 if line else 0, 0, 0)
            grid.addWidget(heading, line, 0, 1, 2)
            line += 1
        keys = QKeySequence(action.shortcut)
        grid.addWidget(QLabel(keys.toString(QKeySequence.SequenceFormat.NativeText)), line, 0)
        grid.addWidget(QLabel(action.title), line, 1)
        line += 1
    dialog = TextDialog("Keys", inner, parent)
    dialog.resize(400, 560)
    return dialog


def about_dialog(parent: QWidget | None) -> TextDialog:
    """Return what this program is."""
    text = QLabel(
        f"<h3>Clearband {__version__}</h3>"
        "<p>Look at an image, let a model read it, and answer for what it said.</p>"
        "<p>Free software under the GNU General Public License, version 3 or later. "
        "The canvas is napari's; the list of all libraries is in the project's "
        "<i>pyproject.toml</i>.</p>"
    )
    text.setWordWrap(True)
    text.setAlignment(Qt.AlignmentFlag.AlignTop)
    dialog = TextDialog("About Clearband", text, parent)
    dialog.resize(400, 240)
    return dialog
