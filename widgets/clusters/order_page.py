"""In which order the pixels of a cluster were read, on the image and played."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QSlider

from backends.cluster_analysis import ReadingPath, reading_path
from backends.cluster_maps import path_overlay, point_overlay
from backends.jobs import Progress
from backends.reading_lines import HOPS
from widgets.clusters.desk import Desk
from widgets.clusters.maps_page import map_buttons
from widgets.pages import Page
from widgets.pulse import Pulse
from widgets.theme import wrapped

# A path plays in about half a minute, however long it is.
_BEATS = 120
_WORDS = {
    "ours": "Each cluster is read by itself, the pixels that belong to it least first: the last "
    "have heard all before them. Long clusters are dealt out to several sequences.",
    "a": "The pixels that are read form one sequence: line by line when all are read, else "
    "those with the highest score first.",
    "b": "Each cluster is read by a reader of its own, the least typical pixels first. Then all "
    "pixels are read line by line.",
}


class OrderPage(Page):
    """The path of one sequence."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.path: ReadingPath | None = None
        self._drawn_from: int | None = None
        self._asked: tuple[object, ...] = ()
        self.how_line = wrapped()
        self.column.addWidget(self.how_line)
        self.column.addWidget(map_buttons(desk, ("order",))["order"])
        self.path_line = wrapped()
        self.column.addWidget(self.path_line)
        row = QHBoxLayout()
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Follow the reader from pixel to pixel on the image")
        self.play_button.toggled.connect(self._on_play)
        self.path_slider = QSlider(Qt.Orientation.Horizontal)
        self.path_slider.setAccessibleName("Place in the reading order")
        self.path_slider.valueChanged.connect(self._on_place)
        row.addWidget(self.play_button)
        row.addWidget(self.path_slider, 1)
        self.column.addLayout(row)
        self.column.addWidget(
            wrapped("Click a pixel of the image, or choose a cluster on the Classes page.")
        )
        self._pulse = Pulse(self, self.step_on)
        desk.chosen.connect(self.refresh)

    def draw(self) -> None:
        desk = self.desk
        block, cluster, sequence = desk.block, desk.cluster, desk.sequence
        self.how_line.setText(_WORDS.get(desk.variant, _WORDS["ours"]))
        asked = (block, cluster, sequence)
        if cluster is None or asked == self._asked:
            return
        self._asked = asked
        self.play_button.setChecked(False)

        def run(progress: Progress) -> ReadingPath:
            return reading_path(block, cluster, sequence)

        def show(path: ReadingPath) -> None:
            if desk.block is block:
                self._show_path(path)

        desk.submit("Reading order", "path", run, show)

    def rest(self) -> None:
        """Stop playing, and forget the path."""
        self.play_button.setChecked(False)
        self.path, self._asked, self._drawn_from = None, (), None
        self.path_line.setText("")

    def _show_path(self, path: ReadingPath) -> None:
        self.path = path
        field = self.desk.field
        drawn = field is not None and f"{field.id}-path" in self.desk.workspace.overlays
        self._drawn_from = None
        count = len(path.points)
        self.path_slider.blockSignals(True)
        self.path_slider.setRange(0, max(0, count - 1))
        self.path_slider.setValue(0)
        self.path_slider.blockSignals(False)
        for widget in (self.path_slider, self.play_button):
            widget.setEnabled(count > 1)
        self._path_words(0)
        if drawn and count:
            self._draw_place(0)

    def _path_words(self, at: int) -> None:
        path = self.path
        if path is None or not len(path.points):
            self.path_line.setText("Nothing of this cluster was read.")
            return
        of = f", sequence {path.number} of {path.of}" if path.of > 1 else ""
        row, col = path.points[at].tolist()
        whose = f"Cluster {path.cluster}{of}"
        if not path.alone:
            found = int(self.desk.block.cluster[row, col])
            whose = f"The sequence through all clusters, now cluster {found}"
        row, col = self.desk.scene_pixel(row, col)
        self.path_line.setText(
            f"{whose}: pixel {at + 1:,} of {len(path.points):,}, row {row}, column {col}."
        )

    def _on_place(self, at: int) -> None:
        self._path_words(at)
        self._draw_place(at)

    def _draw_place(self, at: int) -> None:
        """Lay the point and the hops around it over the image."""
        field, path = self.desk.field, self.path
        if field is None or path is None or not len(path.points):
            return
        first = at // HOPS * HOPS
        if first != self._drawn_from:
            self._drawn_from = first
            self.desk.put_above(path_overlay(field, path, first))
        self.desk.put_above(point_overlay(field, path, at))

    def _on_play(self, on: bool) -> None:
        self.play_button.setText("Pause" if on else "Play")
        if not on:
            self._pulse.stop()
            return
        if self.path_slider.value() >= self.path_slider.maximum():
            self.path_slider.setValue(0)
        self._draw_place(self.path_slider.value())
        self._pulse.start()

    def step_on(self) -> None:
        """Go on to the next place of a path that plays."""
        top = self.path_slider.maximum()
        if self.desk.field is None or self.path_slider.value() >= top:
            self.play_button.setChecked(False)
            return
        step = max(1, round(top / _BEATS))
        self.path_slider.setValue(min(top, self.path_slider.value() + step))
