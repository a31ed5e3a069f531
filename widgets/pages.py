"""A dock of several pages: the state they speak of, the page, its tabs, a list that fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from backends.jobs import Job, Progress
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.eliding import ElidedBox
from widgets.theme import GRID

IN_A_ROW = 4
# A dock that has only a sentence to say would else be a strip of single words.
_NARROWEST = 240


class PageDesk(QObject):
    """The state the pages of a dock speak of: an overlay they call the field.

    Attributes
    ----------
    topic : str
        Of its jobs: a newer question of the same kind takes the place of an older one.
    """

    changed = pyqtSignal()
    topic = ""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.field: Any = None

    @property
    def scene(self) -> Scene | None:
        """The scene of the field."""
        return None if self.field is None else self.workspace.scenes.get(self.field.scene_id)

    def submit(
        self,
        title: str,
        topic: str,
        run: Callable[[Progress], Any],
        show: Callable[[Any], None],
        quiet: bool = True,
        partial: Callable[[Any], None] | None = None,
    ) -> Any:
        """Run a job for the field; its answer is dropped when another field came meanwhile."""
        field = self.field
        assert field is not None

        def answer(result: Any) -> None:
            if self.field is field:
                show(result)

        job = Job(title, run, scene_id=field.scene_id, topic=f"{self.topic} {topic}", quiet=quiet)
        return self.workspace.submit(job, on_result=answer, on_partial=partial)


class Page(QWidget):
    """One page; it computes when it is seen and something changed."""

    def __init__(self, desk: Any) -> None:
        super().__init__()
        self.desk = desk
        self._stale = True
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(GRID)
        desk.changed.connect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Draw anew, now or when the page is seen."""
        self._stale = True
        if self.isVisible() and self.desk.field is not None:
            self._stale = False
            self.draw()

    def draw(self) -> None:
        """Show the state of the desk."""

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        if self._stale:
            self.refresh()


class PageTabs(QGridLayout):
    """A button a page, four in a row; what is beyond them is the dock's business.

    Parameters
    ----------
    names : iterable of str
    tips : mapping of str to str
    turn : callable
        Told the name of the page that is wanted.
    in_a_row : int
    """

    def __init__(
        self,
        names: Iterable[str],
        tips: Mapping[str, str],
        turn: Callable[[str], None],
        in_a_row: int = IN_A_ROW,
    ) -> None:
        super().__init__()
        self.setSpacing(2)
        self.buttons: dict[str, QToolButton] = {}
        for number, name in enumerate(names):
            tab = QToolButton()
            tab.setText(name)
            tab.setToolTip(tips[name])
            tab.setCheckable(True)
            tab.setAutoExclusive(True)
            tab.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            tab.setMinimumWidth(1)
            tab.setStyleSheet("QToolButton:checked { background: palette(highlight); }")
            tab.clicked.connect(partial(self._turn, turn, name))
            self.addWidget(tab, number // in_a_row, number % in_a_row)
            self.buttons[name] = tab

    @staticmethod
    def _turn(turn: Callable[[str], None], name: str, *_: object) -> None:
        turn(name)


def scrolled_column(dock: QWidget) -> QVBoxLayout:
    """Give a dock a column that scrolls upwards and downwards only, and return it."""
    outer = QVBoxLayout(dock)
    outer.setContentsMargins(0, 0, 0, 0)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setMinimumWidth(_NARROWEST)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    outer.addWidget(area)
    inside = QWidget()
    area.setWidget(inside)
    column = QVBoxLayout(inside)
    column.setContentsMargins(GRID, GRID, GRID, GRID)
    column.setSpacing(GRID)
    return column


def laid_out_anew(body: QWidget) -> None:
    """Forget the heights that layouts remember: lines that break take others after a change.

    Qt keeps the heights of a page that was hidden meanwhile, and squeezes its fields into them.
    """
    for part in (*body.findChildren(QWidget), body):
        layout = part.layout()
        if layout is not None:
            layout.invalidate()
        part.updateGeometry()


def narrow_box(tip: str = "") -> QComboBox:
    """Return a list that fits a narrow dock."""
    box = ElidedBox(mode=Qt.TextElideMode.ElideRight)
    make_narrow(box, tip)
    return box


def make_narrow(box: QComboBox, tip: str) -> None:
    """Let a list be narrower than its longest entry."""
    if tip:
        box.setToolTip(tip)
        box.setAccessibleName(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
