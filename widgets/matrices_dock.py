"""How the spectrum's parts talk to each other: the network's own matrices, made visible."""

from __future__ import annotations

from PyQt6.QtWidgets import (
    QVBoxLayout,
    QWidget,
)

from backends.matrix_maps import entry_map
from backends.overlays import MatrixField, Overlay
from backends.workspace import Workspace
from widgets.background import listen
from widgets.matrices.check_page import CheckPage
from widgets.matrices.classes_page import ClassesPage
from widgets.matrices.compare_page import ComparePage
from widgets.matrices.depth_page import DepthPage
from widgets.matrices.desk import Desk, SubjectBox, site_title
from widgets.matrices.groups_page import GroupsPage
from widgets.matrices.lists_page import ListsPage
from widgets.matrices.maps_page import SCALES, MapsPage
from widgets.matrices.pairs_page import PairsPage
from widgets.matrices.pixel_page import PixelPage
from widgets.matrices.streams_page import StreamsPage
from widgets.matrices.training_page import TrainingPage
from widgets.pages import Page, PageTabs, narrow_box, scrolled_column
from widgets.theme import GRID, wrapped

_TIPS = {
    "Maps": "Every entry as a map of the scene",
    "Streams": "What feeds a site, and who receives its answer, as maps",
    "Pixel": "One matrix as numbers: of a pixel, a class, a region, the scene",
    "Classes": "What sets a class apart, and how well entries tell it",
    "Depth": "What is left of the streams on the way through the network",
    "Lists": "Which pixels the spatial scan reads together, and in which order",
    "Pairs": "Both directions between two groups against each other",
    "Training": "When structure came, step by step",
    "Compare": "Trainings with more or fewer streams beside each other",
    "Check": "Do the matrices matter for the result?",
    "Groups": "The bands of each group, to change for the next training",
}


class MatricesDock(QWidget):
    """The pages of a matrix field."""

    ID = "matrices"
    TITLE = "Matrices"

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.desk = Desk(workspace, self)
        self._build()
        for signal in (
            workspace.overlay_added,
            workspace.overlay_removed,
            workspace.active_overlay_changed,
            workspace.active_scene_changed,
        ):
            listen(self, signal, self._find_field)
        listen(self, workspace.overlay_replaced, lambda old, new: self._find_field())
        listen(self, workspace.pixel_selected, self._on_pixel)
        self._find_field()

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        column = scrolled_column(self)
        self.empty = wrapped(
            "No matrices yet. Classify the scene with es_mhc (Classify tab): the map comes "
            "with the matrices that made it."
        )
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.heading = wrapped()
        body.addWidget(self.heading)
        self.site_box = narrow_box("Which matrices of the network")
        self.site_box.currentIndexChanged.connect(self._on_site)
        self.scale_box = narrow_box("How values become colours")
        for key, title in SCALES.items():
            self.scale_box.addItem(title, key)
        self.scale_box.currentIndexChanged.connect(self._on_scale)
        self.subject_box = SubjectBox(self.desk)
        self.maps, self.pixel = MapsPage(self.desk), PixelPage(self.desk)
        self.streams, self.lists = StreamsPage(self.desk), ListsPage(self.desk)
        self.groups = GroupsPage(self.desk)
        self.check = CheckPage(self.desk)
        self.pages: dict[str, Page] = {
            "Maps": self.maps,
            "Streams": self.streams,
            "Pixel": self.pixel,
            "Classes": ClassesPage(self.desk),
            "Depth": DepthPage(self.desk),
            "Lists": self.lists,
            "Pairs": PairsPage(self.desk),
            "Training": TrainingPage(self.desk),
            "Compare": ComparePage(self.desk),
            "Check": self.check,
            "Groups": self.groups,
        }
        tabs = PageTabs(self.pages, _TIPS, self.show_page)
        self.tabs = tabs.buttons
        body.addLayout(tabs)
        for box in (self.site_box, self.subject_box, self.scale_box):
            body.addWidget(box)
        for page in self.pages.values():
            body.addWidget(page)
        self.claim_line = wrapped()
        body.addWidget(self.claim_line)
        # The parts by which others know the dock.
        self.grid, self.range_line = self.maps.grid, self.maps.range_line
        self.table, self.pixel_line = self.pixel.table, self.pixel.pixel_line
        self.sums_line = self.pixel.sums_line
        self.grid.chosen.connect(self._lay_over)
        self.table.chosen.connect(self._lay_over)
        for signal in (self._workspace.labels_changed, self._workspace.regions_changed):
            listen(self, signal, self.subject_box.fill)
        self.desk.checked.connect(self._show_claim)
        self.show_page("Maps")
        self.content.hide()

    def show_page(self, name: str, *_: object) -> None:
        """Turn to a page."""
        self.tabs[name].setChecked(True)
        for other, page in self.pages.items():
            page.setVisible(other == name)
        self.site_box.setVisible(name not in ("Groups", "Compare"))
        self.scale_box.setVisible(name in ("Maps", "Streams", "Pixel"))
        self.subject_box.setVisible(name in ("Streams", "Pixel", "Depth"))
        self.claim_line.setVisible(name not in ("Classes", "Check", "Groups"))

    # -- what is shown -------------------------------------------------------------------

    @property
    def field(self) -> MatrixField | None:
        """The matrices shown now."""
        return self.desk.field

    def _find_field(self, *_: object) -> None:
        """Take the active overlay's matrices, else the newest of the scene."""
        scene = self._workspace.active_scene
        active = self._workspace.active_overlay
        found: Overlay | None = None
        if scene is not None:
            fields = [
                o for o in self._workspace.overlays_of(scene.id) if isinstance(o, MatrixField)
            ]
            found = fields[-1] if fields else None
            if isinstance(active, MatrixField) and active in fields:
                found = active
        if found is self.desk.field:
            return
        field = found if isinstance(found, MatrixField) else None
        before, self.desk.field = self.desk.field, field
        # A newer state of the same training, or what came of it: stay where the user is.
        same = before is not None and field is not None and before.scene_id == field.scene_id
        same = same and before.group_names == field.group_names  # type: ignore[union-attr]
        if field is not None:
            sites = [(entry.layer, entry.site) for entry in field.entries]
            if not same or self.desk.site not in sites:
                self.desk.site = sites[-1]
        if not same:
            self.desk.clicked = None
            self.grid.selected = self.table.selected = self.streams.strip.selected = None
        self.empty.setVisible(field is None)
        self.content.setVisible(field is not None)
        if field is None:
            self.grid.show_picture((), None)
            return
        self.site_box.blockSignals(True)
        self.site_box.clear()
        for entry in field.entries:
            title = site_title(entry.layer, entry.site)
            note = self.desk.site_note(entry.layer, entry.site)
            self.site_box.addItem(f"{title} ({note})" if note else title, (entry.layer, entry.site))
        self.site_box.setCurrentIndex(sites.index(self.desk.site))
        self.site_box.blockSignals(False)
        n = len(field.group_names)
        self.heading.setText(f"{field.title}." if field.partial else "Row: source. Column: target.")
        tip = (
            f"{field.title}\nRows and columns add up to 1, so only {(n - 1) ** 2} of the "
            f"{n * n} maps are free: where one is high, others must be low."
        )
        self.heading.setToolTip(tip)
        self._show_claim()
        self._on_site()

    def _on_site(self, *_: object) -> None:
        if self.desk.field is not None and self.site_box.currentData() is not None:
            layer, site = self.site_box.currentData()
            self.desk.site = (layer, site)
            self.desk.changed.emit()

    def _on_scale(self, *_: object) -> None:
        self.desk.scale = str(self.scale_box.currentData())
        self.desk.changed.emit()

    def _on_pixel(self, scene_id: str, row: int, col: int) -> None:
        field = self.desk.field
        if field is None or field.scene_id != scene_id:
            return
        self.desk.clicked = (row, col)
        if self.desk.choice[0] != "pixel":
            self.subject_box.setCurrentIndex(0)  # who clicks wants to see that pixel
        else:
            self.desk.subject_changed.emit()

    def _show_claim(self) -> None:
        self.claim_line.setText(self.desk.claim())

    def _lay_over(self, source: int, target: int) -> None:
        field = self.maps.shown if self.maps.isVisible() else self.desk.field
        if field is None:
            return
        self.grid.selected = self.table.selected = (source, target)
        self.grid.update()
        self.table.update()
        self.lists.choose(source, target)
        self._workspace.add_overlay(entry_map(field, *self.desk.site, source, target))
