"""Where a network looked, and whether that can be believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.explain.model_choices import ModelChoice
from backends.scene import Scene, Window
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import LayerBoard, PictureBoard
from widgets.explaining.ask_page import AskPage
from widgets.explaining.compare_page import ComparePage
from widgets.explaining.desk import Desk
from widgets.explaining.errors_page import ErrorsPage
from widgets.explaining.questions import Answer, Question
from widgets.explaining.trust_page import TrustPage
from widgets.explaining.words import escape
from widgets.pages import PageTabs, scrolled_column
from widgets.theme import GRID, wrapped

_TIPS = {
    "Explain": "Which network, how, and what it says of this image",
    "Trust": "Whether the map shows what the network used: measured, not judged by eye",
    "Compare": "Two maps side by side: two methods, networks or classes",
    "Errors": "Images that a network is sure of and wrong about",
}
_EMPTY = "Open an image, a slide, a volume or a cube: here a network says what it sees, and where."


class ExplainDock(QWidget):
    """Heatmaps that come with their own reliability.

    Parameters
    ----------
    board : LayerBoard, optional
        Where maps are shown and hidden.
    pictures : PictureBoard, optional
        Tells which slice of a volume is on the screen.
    visible : callable, optional
        Returns the part of a scene that is on the screen.
    open_file : callable, optional
        Opens an image in the window.
    """

    ID = "explain"
    TITLE = "Explain"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        board: LayerBoard | None = None,
        pictures: PictureBoard | None = None,
        visible: Callable[[Scene], Window] | None = None,
        open_file: Callable[[Path], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._pictures, self._open_file = workspace, pictures, open_file
        self.desk = Desk(workspace, self, board)
        column = scrolled_column(self)
        self.empty = wrapped(_EMPTY)
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.scene_line = wrapped()
        body.addWidget(self.scene_line)
        self.ask = AskPage(self.desk, visible, self._shown_slice)
        self.trust, self.compare = TrustPage(self.desk), ComparePage(self.desk)
        self.errors = ErrorsPage(self.desk, self._chosen, self.open_error)
        self.pages: dict[str, QWidget] = {
            "Explain": self.ask,
            "Trust": self.trust,
            "Compare": self.compare,
            "Errors": self.errors,
        }
        tabs = PageTabs(self.pages, _TIPS, self.show_page)
        self.tabs = tabs.buttons
        body.addLayout(tabs)
        for page in self.pages.values():
            body.addWidget(page)
        body.addStretch(1)
        self.show_page("Explain")
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_added, self._on_added)
        if pictures is not None:
            listen(self, pictures.shown_changed, self._on_picture)
        self.desk.answered.connect(self._on_answered)
        self._on_scene(workspace.active_scene)

    def show_page(self, name: str) -> None:
        """Turn to a page."""
        self.tabs[name].setChecked(True)
        for other, page in self.pages.items():
            page.setVisible(other == name)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look for networks when the dock is first seen: not while the program starts."""
        super().showEvent(event)
        self.ask.list_networks()

    def explain_here(self, row: int, col: int) -> None:
        """Explain a pixel, or come near where the network classifies whole images."""
        scene = self._workspace.active_scene
        if scene is not None:
            self.show_page("Explain")
            self._workspace.select_pixel(scene.id, row, col)
            self.ask.explain_here()

    def _on_scene(self, scene: Scene | None) -> None:
        self.empty.setVisible(scene is None)
        self.content.setVisible(scene is not None)
        self.scene_line.setText("" if scene is None else f"<b>{escape(scene.title)}</b>")

    def _shown_slice(self, scene: Scene) -> int:
        shown = None if self._pictures is None else self._pictures.shown(scene.id)
        return scene.shape[2] // 2 if shown is None else int(shown.recipe.bands[0])

    def _on_picture(self, scene_id: str) -> None:
        """Maps of a volume belong to their slice."""
        scene = self._workspace.scenes.get(scene_id)
        if scene is not None and scene.bands.axis == "slice":
            self.desk.show_slice(scene_id, self._shown_slice(scene))

    def _on_answered(self, answer: Answer) -> None:
        self._on_picture(answer.question.scene.id)

    # -- errors --------------------------------------------------------------------------

    def _chosen(self) -> tuple[ModelChoice, str] | None:
        choice, how = self.ask.choice, self.ask.method_box.currentData()
        return None if choice is None or not how else (choice, str(how))

    def open_error(self, path: Path, said: str) -> None:
        """Open an image and explain what was said of it."""
        chosen = self._chosen()
        if chosen is None or self._open_file is None:
            return
        choice, how = chosen
        for scene in self._workspace.scenes.values():
            if scene.info.path is not None and Path(scene.info.path) == path:
                self._workspace.activate(scene.id)
                self._explain(scene, choice, how, said)
                return
        self._waits_for = (path, choice, how, said)
        self._open_file(path)

    _waits_for: tuple[Path, ModelChoice, str, str] | None = None

    def _on_added(self, scene: Scene) -> None:
        if self._waits_for is None or scene.info.path is None:
            return
        path, choice, how, said = self._waits_for
        if Path(scene.info.path) == path:
            self._waits_for = None
            self._explain(scene, choice, how, said)

    def _explain(self, scene: Scene, choice: ModelChoice, how: str, said: str) -> None:
        self.desk.explain(Question(scene, choice, how=how, wanted=said))
