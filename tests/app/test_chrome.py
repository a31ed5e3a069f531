"""The space bar belongs to the button or list that has the keyboard, and to the window else."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QPushButton, QWidget

from app.chrome import KeyGuard


def claims(widget: QWidget, key: Qt.Key = Qt.Key.Key_Space) -> bool:
    """Whether a key pressed there is kept from the shortcuts of the window."""
    event = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_space_goes_to_what_has_the_keyboard(qtbot: Any) -> None:
    window, owner = QWidget(), QObject()
    row = QHBoxLayout(window)
    one, two, plain = QPushButton("One"), QPushButton("Two"), QWidget()
    plain.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    for widget in (one, two, plain, QLineEdit()):
        row.addWidget(widget)
    qtbot.addWidget(window)
    guard = KeyGuard(owner)
    window.show()
    window.activateWindow()
    for button in (one, two, one):
        button.setFocus()
        qtbot.waitUntil(button.hasFocus, timeout=3000)
        assert claims(button)
        assert not claims(button, Qt.Key.Key_B)
    assert not claims(two)  # it had the keyboard before
    plain.setFocus()
    qtbot.waitUntil(plain.hasFocus, timeout=3000)
    assert not claims(plain)
    one.setFocus()
    qtbot.waitUntil(one.hasFocus, timeout=3000)
    guard.stop()
    assert not claims(one)
