"""The line around the fire: draft, edit, check and sign, growth, hand over."""

from __future__ import annotations

from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.perimeters.review import ReviewState
from backends.workspace import Workspace
from widgets.boards import PictureBoard
from widgets.pages import PageTabs, laid_out_anew, scrolled_column
from widgets.perimeter.board import LineBoard
from widgets.perimeter.check_page import CheckPage
from widgets.perimeter.desk import PerimeterDesk
from widgets.perimeter.edit_page import EditPage
from widgets.perimeter.growth_page import GrowthPage
from widgets.perimeter.line_page import LinePage
from widgets.theme import GRID, EmptyState, wrapped

_TIPS = {
    "Line": "Where the line comes from, whose fire it is, acres, objects",
    "Edit": "Vertices, brush, islands, split, merge, snap",
    "Check": "Yesterday's line, checks, signature, delivery",
    "Growth": "The fire from day to day",
}


class PerimeterDock(QWidget):
    """State and message on top, then a page."""

    ID = "perimeter"
    TITLE = "Perimeter"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        lines: LineBoard | None = None,
        pictures: PictureBoard | None = None,
    ) -> None:
        super().__init__(parent)
        self.desk = PerimeterDesk(workspace, lines or LineBoard(), self, pictures)
        column = scrolled_column(self)
        self.empty = EmptyState("Open a scene, find fire in it, and draw a line around it.")
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.state_line, self.said_line = wrapped(), wrapped()
        body.addWidget(self.state_line)
        body.addWidget(self.said_line)
        self.said_line.hide()
        self.line, self.edit = LinePage(self.desk), EditPage(self.desk)
        self.check, self.growth = CheckPage(self.desk), GrowthPage(self.desk)
        self.pages: dict[str, QWidget] = {
            "Line": self.line, "Edit": self.edit, "Check": self.check, "Growth": self.growth
        }  # fmt: skip
        tabs = PageTabs(self.pages, _TIPS, self.show_page)
        self.tabs = tabs.buttons
        body.addLayout(tabs)
        for page in self.pages.values():
            body.addWidget(page)
        self.show_page("Line")
        self.desk.changed.connect(self._on_changed)
        self.desk.figured.connect(lambda: laid_out_anew(self.content))
        self.desk.said.connect(self.say)
        self._on_changed()
        self.desk.look_for_kept()

    def show_page(self, name: str, *_: object) -> None:
        """Turn to a page; a tool stays in hand only while its page is seen."""
        self.tabs[name].setChecked(True)
        for other, page in self.pages.items():
            page.setVisible(other == name)
        laid_out_anew(self.content)
        if name != "Edit":
            self.desk.lines.hold("")
        if name == "Growth":
            self.growth.compute()

    def say(self, sentence: str) -> None:
        """Say a sentence until the next change."""
        self.said_line.setText(f"<b>{sentence}</b>")
        self.said_line.setVisible(bool(sentence))
        laid_out_anew(self.content)

    def _on_changed(self) -> None:
        scene, document = self.desk.scene, self.desk.document
        self.empty.setVisible(scene is None)
        self.content.setVisible(scene is not None)
        if scene is None:
            return
        title = scene.title.replace("&", "&amp;").replace("<", "&lt;")
        if document is None:
            self.state_line.setText(f"<b>{title}</b>: no line yet.")
            return
        words = document.state.value
        signature = document.signature
        if signature is not None:
            words = f"{words} by {signature.who}, {signature.utc}, on {signature.image}"
        elif document.state in (ReviewState.DRAFT, ReviewState.IN_REVIEW):
            words = f"DRAFT, {words}" if words != "draft" else "DRAFT, not verified"
        self.state_line.setText(f"<b>{title}</b>: {words}.")
        laid_out_anew(self.content)
