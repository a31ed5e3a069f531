"""The space bar belongs to the button or list that has the keyboard; quiet words can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from napari.utils.theme import get_theme
from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QPushButton, QWidget

from app.chrome import KeyGuard, tokens


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


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_quiet_words_can_be_read(theme: str) -> None:
    ground = get_theme(theme).background.as_rgb_tuple(alpha=False)
    *text, alpha = map(int, re.findall(r"\d+", tokens(theme).split("rgba")[1]))
    mixed = [(c * alpha + g * (255 - alpha)) / 255 for c, g in zip(text, ground, strict=True)]

    def luminance(color: Sequence[float]) -> float:
        linear = [((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(mixed), luminance(ground)))
    assert (light + 0.05) / (dark + 0.05) > 4.5
