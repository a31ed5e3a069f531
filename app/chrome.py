"""Small parts of the window: workbench buttons, geometry, keys that widgets need themselves."""

from __future__ import annotations

from collections.abc import Callable

from napari.utils.theme import get_theme
from PyQt6.QtCore import QEvent, QObject, QRect, Qt
from PyQt6.QtGui import QGuiApplication, QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QMainWindow,
    QToolButton,
    QWidget,
)

from app.settings import WindowGeometry
from app.workbenches import WORKBENCHES

DEFAULT_SIZE = (1600, 1000)
# The few tokens of our own on top of napari's sheet: thin separators leave room for the canvas.
TOKENS = """
/* Many tabs in a narrow dock: whole words that scroll, and little air around them. */
QMainWindow > QTabBar { qproperty-elideMode: ElideNone; qproperty-usesScrollButtons: true; }
QMainWindow > QTabBar::tab { padding: 4px 3px; margin-right: 1px; }
QMainWindow::separator { width: 3px; height: 3px; padding: 0px; image: none; }
QToolButton#workbench { border: none; border-radius: 3px; padding: 2px 8px; }
QToolButton#workbench:checked { background-color: palette(highlight); }
QToolButton#workbench:focus { border: 1px solid palette(highlight); }
/* Icons come from one set; those of the desktop's style are of another. */
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
"""
# napari's grey for what is off has a contrast of 2; words that stand beside others need 4.5.
QUIET_ALPHA = 190


def tokens(theme: str) -> str:
    """Return our sheet for one of napari's themes."""
    red, green, blue = get_theme(theme).text.as_rgb_tuple(alpha=False)
    return f"{TOKENS}QLabel:disabled {{ color: rgba({red}, {green}, {blue}, {QUIET_ALPHA}); }}\n"


class WorkbenchBar(QWidget):
    """One button a workbench, in the corner of the menu bar."""

    def __init__(self, choose: Callable[[str], None], parent: QWidget) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 2, 8, 2)
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        for bench in WORKBENCHES:
            button = QToolButton(self)
            button.setObjectName("workbench")
            button.setText(bench.title)
            button.setToolTip(f"{bench.about} ({bench.shortcut})")
            button.setAccessibleName(f"Workbench {bench.title}")
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.clicked.connect(lambda _=False, name=bench.id: choose(name))
            self._group.addButton(button)
            self.buttons[bench.id] = button
            row.addWidget(button)

    def mark(self, workbench_id: str) -> None:
        """Show which one is on."""
        self.buttons[workbench_id].setChecked(True)


class KeyGuard(QObject):
    """Leaves the space bar to a button, list or box that has the keyboard.

    Space blinks overlays everywhere else; without this nobody could press a button
    from the keyboard.
    """

    _KINDS = (QAbstractButton, QComboBox, QAbstractItemView)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._application = QApplication.instance()
        if isinstance(self._application, QApplication):
            self._application.focusChanged.connect(self._follow)
            self._follow(None, self._application.focusWidget())

    def stop(self) -> None:
        """Look at no more keys."""
        if isinstance(self._application, QApplication):
            self._application.focusChanged.disconnect(self._follow)
            self._follow(self._application.focusWidget(), None)

    def _follow(self, before: QWidget | None, now: QWidget | None) -> None:
        """Look at the widget with the keyboard only.

        Looking at all of them would call Python for every event of every widget, and each
        call waits for a training that runs.
        """
        if before is not None:
            before.removeEventFilter(self)
        if isinstance(now, self._KINDS):
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Claim the key for the widget that has the focus."""
        if (
            event is not None
            and event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Space
        ):
            event.accept()
            return True
        return False


def place_window(window: QMainWindow, geometry: WindowGeometry | None) -> None:
    """Give the window its last place and size, as far as the screens allow."""
    screen = QGuiApplication.primaryScreen()
    area = screen.availableGeometry() if screen is not None else QRect(0, 0, *DEFAULT_SIZE)
    if geometry is None:
        width, height = (min(a, b) for a, b in zip(DEFAULT_SIZE, _size(area), strict=True))
        window.resize(width, height)
        return
    at = QRect(geometry.x, geometry.y, geometry.width, geometry.height)
    home = QGuiApplication.screenAt(at.center())
    if home is None:  # that screen is gone
        at.moveTopLeft(area.topLeft())
        home = screen
    if home is not None:
        at = at.intersected(home.availableGeometry())
    window.setGeometry(at)
    if geometry.maximized:
        window.setWindowState(window.windowState() | Qt.WindowState.WindowMaximized)


def take_geometry(window: QMainWindow) -> WindowGeometry:
    """Return where the window is."""
    at = window.normalGeometry() if window.isMaximized() else window.geometry()
    return WindowGeometry(
        x=at.x(),
        y=at.y(),
        width=min(16384, max(640, at.width())),
        height=min(16384, max(480, at.height())),
        maximized=window.isMaximized(),
    )


def _size(area: QRect) -> tuple[int, int]:
    return area.width(), area.height()
