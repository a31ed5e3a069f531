"""What a network sees in the image, in parts one can name, weigh and take away."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import LayerBoard
from widgets.concepts.card_page import CardPage
from widgets.concepts.desk import Desk
from widgets.concepts.graph_page import GraphPage
from widgets.concepts.here_page import HerePage
from widgets.concepts.learn_page import LearnPage
from widgets.concepts.why_page import WhyPage
from widgets.explaining.words import AMBER, escape
from widgets.pages import PageTabs, scrolled_column
from widgets.theme import GRID, wrapped

_TIPS = {
    "Learn": "Through whose eyes the image is seen, and how many concepts are learnt",
    "Here": "What is at a place, in concepts: coarse, medium, fine",
    "Card": "One concept: where it is strongest, how often, its relatives; search",
    "Graph": "How the concepts of this image hang together",
    "Why": "What each concept adds to a decision; take one away",
}
_EMPTY = "Open an image, a slide or a cube: here one reads what a network sees in it, in concepts."
_POOR = 0.5


class ConceptsDock(QWidget):
    """The concept desk.

    Parameters
    ----------
    board : LayerBoard, optional
        Where layers are shown and hidden.
    do : callable, optional
        Runs an action of the window, by its id.
    """

    ID = "concepts"
    TITLE = "Concepts"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        board: LayerBoard | None = None,
        do: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.desk = Desk(workspace, self, board)
        column = scrolled_column(self)
        outer = self.layout()
        assert isinstance(outer, QVBoxLayout)
        # Image, quality and tabs stay in sight however far a page is scrolled.
        self.head = QWidget()
        head = QVBoxLayout(self.head)
        head.setContentsMargins(GRID, GRID, GRID, 0)
        head.setSpacing(GRID)
        outer.insertWidget(0, self.head)
        self.empty = wrapped(_EMPTY)
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.scene_line = wrapped()
        head.addWidget(self.scene_line)
        self.quality_line = wrapped()
        self.quality_line.setToolTip(
            "FVU: fraction of the variance of what the encoder saw that the concepts leave "
            "unexplained, on this image. L0: concepts that are on at a place."
        )
        head.addWidget(self.quality_line)
        self.learn = LearnPage(self.desk)
        self.here, self.card = HerePage(self.desk), CardPage(self.desk)
        self.graph, self.why = GraphPage(self.desk), WhyPage(self.desk, do)
        self.pages: dict[str, QWidget] = {
            "Learn": self.learn,
            "Here": self.here,
            "Card": self.card,
            "Graph": self.graph,
            "Why": self.why,
        }
        tabs = PageTabs(self.pages, _TIPS, self.show_page, in_a_row=5)
        self.tabs = tabs.buttons
        head.addLayout(tabs)
        for page in self.pages.values():
            body.addWidget(page)
        body.addStretch(1)
        listen(self, workspace.active_scene_changed, self._on_scene)
        self.desk.changed.connect(self._on_reading)
        self._decided: object = None
        self.desk.decisions.decided.connect(self._on_decided)
        self.desk.opened_card.connect(lambda: self.show_page("Card"))
        self.show_page("Learn")
        self._on_scene(workspace.active_scene)
        self._on_reading()

    def _on_decided(self) -> None:
        """A bottleneck decides without concepts that were learnt, too."""
        decision = self.desk.decision
        self.tabs["Why"].setEnabled(self.desk.field is not None or decision is not None)
        if decision is not None and not decision.of_dictionary and decision is not self._decided:
            self.show_page("Why")
        self._decided = decision

    def show_page(self, name: str) -> None:
        """Turn to a page."""
        self.tabs[name].setChecked(True)
        for other, page in self.pages.items():
            page.setVisible(other == name)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look for networks when the dock is first seen: not while the program starts."""
        super().showEvent(event)
        self.learn.list_networks()

    def _on_scene(self, scene: Scene | None) -> None:
        self.empty.setVisible(scene is None)
        self.content.setVisible(scene is not None)
        self.head.setVisible(scene is not None)
        self.scene_line.setText("" if scene is None else f"<b>{escape(scene.title)}</b>")

    def _on_reading(self) -> None:
        reading = self.desk.field
        ready = reading is not None
        for name, tab in self.tabs.items():
            tab.setEnabled(ready or name == "Learn")
        self.quality_line.setVisible(ready)
        self._on_decided()
        if reading is None:
            self.show_page("Learn")
            return
        quality = reading.image.quality
        words = (
            f"FVU {quality.fvu:.2f} ({100 * quality.fvu:.0f}\u00a0% unexplained), "
            f"L0 {quality.l0:.1f}"
        )
        if reading.learnt_here:
            words += ", on the image it was learnt from"
        if quality.fvu > _POOR:
            words += f': <span style="color:{AMBER}">concepts explain little here</span>'
        self.quality_line.setText(words)
        if self.learn.isVisible():
            self.show_page("Here")
