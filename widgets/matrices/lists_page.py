"""Which pixels the spatial scan reads together: coverage, order of a list, a path that plays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QSlider

from backends.matrix_lists import (
    EntryList,
    coverage_map,
    entry_list,
    list_settings,
    lists_are_clusters,
    order_map,
    path_overlay,
    point_overlay,
)
from backends.overlays import ScoreMap
from backends.palette import key_color
from backends.reading_lines import HOPS
from widgets.matrices.desk import Desk
from widgets.pages import Page, narrow_box
from widgets.pulse import Pulse
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped

_BEATS = 120  # a path plays in half a minute


class ListsPage(Page):
    """The token lists of a layer's mixer site."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self.plot = SmallPlot("Lists that hold a pixel", "Pixels, %", 150)
        self.column.addWidget(self.plot)
        self.cover_button = QPushButton("Map how many lists")
        self.cover_button.setToolTip("In how many lists each pixel is; 0: the scan left it alone")
        self.cover_button.clicked.connect(self.lay_coverage)
        self.column.addWidget(self.cover_button)
        self.entry_box = narrow_box("Which list: each entry of the matrix has one")
        self.part_box = narrow_box("Which part: a long list is dealt out to several scans")
        self.column.addWidget(self.entry_box)
        self.column.addWidget(self.part_box)
        self.path_line = wrapped()
        self.column.addWidget(self.path_line)
        row = QHBoxLayout()
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Follow the scan from pixel to pixel on the image")
        self.play_button.toggled.connect(self._on_play)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Place in the list")
        self.slider.valueChanged.connect(self._on_place)
        row.addWidget(self.play_button)
        row.addWidget(self.slider, 1)
        self.column.addLayout(row)
        self.order_button = QPushButton("Map the reading order")
        self.order_button.setToolTip("Each pixel's place in the list: 0 first, 1 last")
        self.order_button.clicked.connect(self.lay_order)
        self.column.addWidget(self.order_button)
        self.entry_box.currentIndexChanged.connect(self._find)
        self.part_box.currentIndexChanged.connect(self._find)
        self.found: EntryList | None = None
        self._wanted: tuple[int, int] | None = None
        self._drawn_from: int | None = None
        self._pulse = Pulse(self, self._step_on)

    @property
    def site(self) -> tuple[int, str]:
        """The mixer site of the layer chosen: that is where lists come from."""
        return self.desk.site[0], "mixer"

    # -- coverage ------------------------------------------------------------------------

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        self.play_button.setChecked(False)
        clusters = lists_are_clusters(field)
        for part in (
            self.plot, self.cover_button, self.entry_box, self.part_box, self.path_line,
            self.play_button, self.slider, self.order_button,
        ):  # fmt: skip
            part.setVisible(not clusters)
        if clusters:
            self.line.setText(
                "The lists of this network are clusters of pixels, each pixel in exactly one: "
                "see the Clusters tab for maps, order and paths."
            )
            return
        self._fill()
        entry, (share, _) = field.entry(*self.site), list_settings(field)
        n = len(field.group_names)

        def show(held: Any) -> None:
            counts = np.bincount(held.ravel())
            part = 100 * counts / held.size
            self.plot.plot_item.clear()
            bars = pg.BarGraphItem(
                x=np.arange(len(part)), height=part, width=0.8, brush=key_color(1), pen=None
            )
            self.plot.plot_item.addItem(bars)
            tiled = ""
            if field.partial:
                tiled = " Seen on a coarse grid while it learns."
            elif field.shape[0] * field.shape[1] > 65_536 or field.placement.row_step > 1:
                tiled = " The scene was read in tiles; these lists are as if it were read at once."
            chance = 100 * (1 - (1 - share) ** (n * n))
            self.line.setText(
                f"Layer {self.site[0]}: {n * n} lists of {100 * share:.0f} % of the pixels each, "
                f"one for each entry. {100 - part[0]:.1f} % of the pixels are in at least one "
                f"({chance:.1f} % if entries knew nothing of each other), {part[0]:.1f} % are not "
                f"read by the spatial scan.{tiled}"
            )

        self.desk.submit("Lists", "lists", lambda p: coverage_map(entry, share, p), show)
        self._find()

    def lay_coverage(self) -> None:
        """Lay the number of lists over the image."""
        field = self.desk.field
        if field is None:
            return
        entry, (share, _) = field.entry(*self.site), list_settings(field)
        title = f"Lists that hold the pixel, layer {self.site[0]}"

        def show(values: Any) -> None:
            made = ScoreMap(
                title, field.scene_id, field.provenance, placement=field.placement,
                id=f"{field.id}-lists", values=values.astype(np.float32), unit="lists",
            )  # fmt: skip
            self.desk.workspace.add_overlay(made)

        self.desk.submit(title, "coverage", lambda p: coverage_map(entry, share, p), show)

    # -- one list ------------------------------------------------------------------------

    def _fill(self) -> None:
        field, chosen = self.desk.field, self._wanted or self.entry_box.currentData()
        assert field is not None
        self._wanted = None
        names = field.group_names
        self.entry_box.blockSignals(True)
        self.entry_box.clear()
        for i, source in enumerate(names):
            for j, target in enumerate(names):
                self.entry_box.addItem(f"List of {source} → {target}", (i, j))
        keys = [self.entry_box.itemData(k) for k in range(self.entry_box.count())]
        self.entry_box.setCurrentIndex(keys.index(chosen) if chosen in keys else 0)
        self.entry_box.blockSignals(False)

    def choose(self, source: int, target: int) -> None:
        """Turn to the list of an entry."""
        self._wanted = source, target  # for when the page is seen
        for k in range(self.entry_box.count()):
            if self.entry_box.itemData(k) == (source, target):
                self.entry_box.setCurrentIndex(k)

    def _find(self, *_: object) -> None:
        field, chosen = self.desk.field, self.entry_box.currentData()
        if field is None or chosen is None:
            return
        self.play_button.setChecked(False)
        entry, (share, longest) = field.entry(*self.site), list_settings(field)
        part = self.part_box.currentData() or 1

        def run(progress: Any) -> EntryList:
            found = entry_list(entry, *chosen, share, longest, part)
            return found if part <= found.parts else entry_list(entry, *chosen, share, longest)

        self.desk.submit("Reading order", "path", run, self._show)

    def _show(self, found: EntryList) -> None:
        self.found, self._drawn_from = found, None
        if self.part_box.count() != found.parts:
            self.part_box.blockSignals(True)
            self.part_box.clear()
            for number in range(1, found.parts + 1):
                self.part_box.addItem(f"Scan {number} of {found.parts}", number)
            self.part_box.setCurrentIndex(found.part - 1)
            self.part_box.blockSignals(False)
        self.part_box.setVisible(found.parts > 1)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, len(found.points) - 1))
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        self._words(0)
        field = self.desk.field
        if field is not None and f"{field.id}-path" in self.desk.workspace.overlays:
            self._draw_place(0)

    def _words(self, at: int) -> None:
        if self.found is None or not len(self.found.points):
            return
        row, col = self.found.points[at].tolist()
        self.path_line.setText(
            f"Highest first: pixel {at + 1:,} of {len(self.found.points):,}, row {row}, column "
            f"{col}, value {self.found.values[at]:.4f}."
        )

    def _on_place(self, at: int) -> None:
        self._words(at)
        self._draw_place(at)

    def _draw_place(self, at: int) -> None:
        """Lay the point and the hops around it over the image."""
        field, found, workspace = self.desk.field, self.found, self.desk.workspace
        if field is None or found is None or not len(found.points):
            return
        first, active = at // HOPS * HOPS, workspace.active_overlay
        if first != self._drawn_from:
            self._drawn_from = first
            workspace.add_overlay(path_overlay(field, found, first))
        workspace.add_overlay(point_overlay(field, found, at))
        if active is not None and active.id in workspace.overlays:
            workspace.activate_overlay(active.id)

    def _on_play(self, on: bool) -> None:
        self.play_button.setText("Pause" if on else "Play")
        if not on:
            self._pulse.stop()
            return
        if self.slider.value() >= self.slider.maximum():
            self.slider.setValue(0)
        self._draw_place(self.slider.value())
        self._pulse.start()

    def _step_on(self) -> None:
        top = self.slider.maximum()
        if self.desk.field is None or not self.isVisible() or self.slider.value() >= top:
            self.play_button.setChecked(False)
            return
        self.slider.setValue(min(top, self.slider.value() + max(1, round(top / _BEATS))))

    def lay_order(self) -> None:
        """Lay the places in the list over the image."""
        field, found = self.desk.field, self.found
        if field is not None and found is not None:
            self.desk.workspace.add_overlay(order_map(field, self.site, found))
