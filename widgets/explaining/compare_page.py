"""Two heatmaps of the image side by side: two methods, two networks, two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import QGridLayout, QWidget

from backends.jobs import Progress
from backends.overlays import Heatmap
from widgets.background import listen
from widgets.explaining.desk import Desk, short_title
from widgets.explaining.picture_label import PictureLabel
from widgets.pages import Page, narrow_box
from widgets.theme import wrapped

if TYPE_CHECKING:
    from backends.explain.map_comparison import ComparedMaps


class ComparePage(Page):
    """Which two, how alike they are, both pictures; a click on one brings it to the front."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.found: ComparedMaps | None = None
        self._pair: tuple[Heatmap, Heatmap] | None = None
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.content = QWidget()
        self._grid = grid = QGridLayout(self.content)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        self.boxes = (narrow_box("Map on the left"), narrow_box("Map on the right"))
        self.pictures = (PictureLabel(240, fits=True), PictureLabel(240, fits=True))
        for side, (box, picture) in enumerate(zip(self.boxes, self.pictures, strict=True)):
            # The names are long, and only their ends tell them apart: a line each.
            grid.addWidget(box, side, 0, 1, 2)
            grid.addWidget(picture, 2, side)
            grid.setColumnStretch(side, 1)
            picture.setToolTip("Click: bring this map to the front")
            box.activated.connect(self._compare)
        self.pictures[0].clicked.connect(lambda: self._front(0))
        self.pictures[1].clicked.connect(lambda: self._front(1))
        self.column.addWidget(self.content)
        self.result_line = wrapped()
        self.column.addWidget(self.result_line)
        desk.listed.connect(self.refresh)
        listen(self, desk.workspace.job_finished, self._on_job)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Offer the maps there are."""
        maps = self.desk.heatmaps
        self.content.setVisible(len(maps) > 1)
        self.result_line.setVisible(len(maps) > 1)
        self.line.setText(
            "Do they point at the same places?"
            if len(maps) > 1
            else "Explain the image twice, with two methods, networks or classes: here both maps "
            "stand side by side."
        )
        super().refresh()

    def draw(self) -> None:
        """Show the two chosen maps; at first the newest two."""
        maps = self.desk.heatmaps
        if len(maps) < 2:
            self._pair = None
            return
        for side, box in enumerate(self.boxes):
            chosen = box.currentData()
            box.blockSignals(True)
            box.clear()
            for heatmap in maps:
                box.addItem(short_title(heatmap, maps), heatmap.id)
            place = box.findData(chosen)
            box.setCurrentIndex(place if place >= 0 else len(maps) - 2 + side)
            box.blockSignals(False)
        self._compare()

    def _chosen(self) -> tuple[Heatmap, Heatmap] | None:
        by_id = {m.id: m for m in self.desk.heatmaps}
        pair = [by_id.get(box.currentData()) for box in self.boxes]
        return None if None in pair else (pair[0], pair[1])  # type: ignore[return-value]

    def _compare(self, *_: object) -> None:
        pair, scene = self._chosen(), self.desk.scene
        if pair is None or scene is None:
            return
        same = self._pair is not None and all(
            a.values is b.values for a, b in zip(self._pair, pair, strict=True)
        )
        if same:
            return
        self._pair = pair

        def run(progress: Progress) -> Any:
            from backends.explain.map_comparison import compare_maps

            return compare_maps(*pair, scene, progress=progress)

        self.desk.quiet("Compare two maps", "compare", run, self._show)

    def _show(self, found: ComparedMaps) -> None:
        self.found = found
        self._arrange(found.pictures[0].shape[1] > 1.3 * found.pictures[0].shape[0])
        for label, picture in zip(self.pictures, found.pictures, strict=True):
            label.show_array(picture)
        rank = f"{found.rank:.2f}".replace("-", "−")
        self.result_line.setText(
            f"<b>Rank correlation {rank}</b> of all places. "
            f"<b>Overlap (IoU) {found.iou:.2f}</b> of what lies above half of each map's highest "
            f"value; {found.iou_hottest:.2f} of the hottest tenth of each, where chance gives "
            f"{found.chance:.2f}."
        )

    def _arrange(self, wide: bool) -> None:
        """Put wide pictures below each other, others side by side."""
        for side, picture in enumerate(self.pictures):
            self._grid.removeWidget(picture)
            at = (2 + side, 0, 1, 2) if wide else (2, side, 1, 1)
            self._grid.addWidget(picture, *at)
        self._grid.activate()

    def _on_job(self, handle: Any) -> None:
        if handle.job.topic == f"{self.desk.topic} compare" and handle.error is not None:
            self.result_line.setText(str(handle.error))

    def _front(self, side: int) -> None:
        key = self.boxes[side].currentData()
        overlay = self.desk.workspace.overlays.get(key)
        if overlay is not None:
            self.desk.bring_to_front(overlay)
