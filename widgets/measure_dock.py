"""Lines, areas, profiles, single pixels and places: what is read off an image by hand."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.scene import Scene, Window
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import PictureBoard
from widgets.measuring.board import PROFILE, MeasureBoard
from widgets.measuring.find_page import FindPage
from widgets.measuring.measure_page import MeasurePage
from widgets.measuring.pixels_page import PixelsPage
from widgets.measuring.profile_page import ProfilePage
from widgets.pages import PageTabs, laid_out_anew, scrolled_column
from widgets.theme import GRID, EmptyState

_TIPS = {
    "Measure": "Distance and area, on Earth where the image says where it lies",
    "Profile": "Values along a line",
    "Pixels": "Values of a pixel and its neighbours in every band",
    "Find": "Go to coordinates; find the highest or lowest value",
}


class MeasureDock(QWidget):
    """Four pages; the tools also have their keys."""

    ID = "measure"
    TITLE = "Measure"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        *,
        measures: MeasureBoard | None = None,
        pictures: PictureBoard | None = None,
        visible: Callable[[Scene], Window] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.board = measures or MeasureBoard()
        pictures = pictures or PictureBoard()
        column = scrolled_column(self)
        self.empty = EmptyState("Open a scene to measure in it.")
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.measure = MeasurePage(workspace, self.board)
        self.profile = ProfilePage(workspace, self.board, pictures)
        self.pixels = PixelsPage(workspace, self.board)
        self.find = FindPage(workspace, self.board, pictures, visible)
        self.pages: dict[str, QWidget] = {
            "Measure": self.measure, "Profile": self.profile, "Pixels": self.pixels,
            "Find": self.find,
        }  # fmt: skip
        tabs = PageTabs(self.pages, _TIPS, self.show_page)
        self.tabs = tabs.buttons
        body.addLayout(tabs)
        for page in self.pages.values():
            body.addWidget(page)
        self.show_page("Measure")
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, self.board.tool_changed, self._on_tool)
        self._on_scene(workspace.active_scene)

    def show_page(self, name: str) -> None:
        """Turn to a page; a tool of another page is put down."""
        self.tabs[name].setChecked(True)
        for other, page in self.pages.items():
            page.setVisible(other == name)
        holds = {
            "Measure": self.board.tool not in ("", PROFILE),
            "Profile": self.board.tool == PROFILE,
        }
        if self.board.tool and not holds.get(name, False):
            self.board.hold("")
        self.board.set_mark(None)
        laid_out_anew(self.pages[name])

    def _on_tool(self, tool: str) -> None:
        name = "Profile" if tool == PROFILE else "Measure"
        if tool and not self.tabs[name].isChecked():
            self.show_page(name)

    def _on_scene(self, scene: Scene | None) -> None:
        self.empty.setVisible(scene is None)
        self.content.setVisible(scene is not None)
