"""Where it burns: rules and networks over the scene, a pixel explained, a feed played."""

from __future__ import annotations

from PyQt6.QtWidgets import QVBoxLayout, QWidget

from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import PictureBoard
from widgets.fire.bands_form import BandsForm
from widgets.fire.bands_page import BandsPage
from widgets.fire.desk import FireDesk
from widgets.fire.detect_page import DetectPage
from widgets.fire.feed_page import FeedPage
from widgets.fire.grid_row import GridRow
from widgets.fire.maps_page import MapsPage
from widgets.fire.passes_page import PassesPage
from widgets.fire.pixel_page import PixelPage
from widgets.fire.views_row import ViewsRow
from widgets.pages import PageTabs, scrolled_column
from widgets.perimeter.board import LineBoard
from widgets.theme import GRID, EmptyState, wrapped

_TIPS = {
    "Detect": "Rules and networks over the open scene; gate, threshold and least size",
    "Pixel": "What every rule and network says of a clicked pixel, by which number",
    "Feed": "Play a flight line as it is flown, or watch a folder",
    "Passes": "Several passes over one fire: what burns in several, what one saw alone",
    "Bands": "Which bands matter in this scene, beside what the paper published",
    "Maps": "Burn ratio and its fall, vegetation, flames by HFDI, GOES codes",
}


class FireDock(QWidget):
    """The scene's bands, then a page."""

    ID = "fire"
    TITLE = "Fire"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        lines: LineBoard | None = None,
        pictures: PictureBoard | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.desk = FireDesk(workspace, self, None if lines is None else lines.take)
        column = scrolled_column(self)
        self.empty = EmptyState("Open a scene with heat or shortwave infrared bands to find fire.")
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.scene_line = wrapped()
        self.bands = BandsForm(self.desk)
        body.addWidget(self.scene_line)
        body.addWidget(self.bands)
        self.grid_row = GridRow(self.desk)
        body.addWidget(self.grid_row)
        self.views = ViewsRow(self.desk, pictures or PictureBoard())
        body.addWidget(self.views)
        self.detect, self.pixel = DetectPage(self.desk), PixelPage(self.desk)
        self.feed = FeedPage(self.desk)
        self.passes = PassesPage(self.desk, self.detect.question)
        self.importance = BandsPage(self.desk, self.detect.question)
        self.maps = MapsPage(self.desk)
        self.pages: dict[str, QWidget] = {
            "Detect": self.detect, "Pixel": self.pixel, "Feed": self.feed,
            "Passes": self.passes, "Bands": self.importance, "Maps": self.maps,
        }  # fmt: skip
        tabs = PageTabs(self.pages, _TIPS, self.show_page)
        self.tabs = tabs.buttons
        body.addLayout(tabs)
        for page in self.pages.values():
            body.addWidget(page)
        self.show_page("Detect")
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.pixel_selected, self._on_pixel)
        self._on_scene(workspace.active_scene)
        self.desk.look_again()

    def show_page(self, name: str, *_: object) -> None:
        """Turn to a page."""
        self.tabs[name].setChecked(True)
        for other, page in self.pages.items():
            page.setVisible(other == name)

    def _on_scene(self, scene: Scene | None) -> None:
        self.empty.setVisible(scene is None)
        self.content.setVisible(scene is not None)
        if scene is not None:
            title = scene.title.replace("&", "&amp;").replace("<", "&lt;")
            self.scene_line.setText(f"<b>{title}</b>")

    def _on_pixel(self, *_: object) -> None:
        """A click on the image while detection is looked at asks what its pixel is."""
        if self.detect.isVisible() and not self.detect.visibleRegion().isEmpty():
            self.show_page("Pixel")
