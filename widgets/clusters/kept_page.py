"""What would be read if only a share of the pixels were, and the score that decides."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QSlider

from backends.cluster_maps import MAPS, has_map
from widgets.clusters.desk import Desk, escape, title
from widgets.clusters.maps_page import map_buttons
from widgets.pages import Page
from widgets.theme import wrapped

_HERE = ("kept", "score", "attention", "typical")


class KeptPage(Page):
    """A slider with live coverage, the parts of the score as maps."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.set_line = wrapped()
        self.column.addWidget(self.set_line)
        self.ratio_slider = QSlider(Qt.Orientation.Horizontal)
        self.ratio_slider.setRange(1, 100)
        self.ratio_slider.setAccessibleName("Share of the pixels that would be read")
        self.ratio_slider.valueChanged.connect(self._on_ratio)
        self.ratio_slider.sliderReleased.connect(self._on_ratio_set)
        self.column.addWidget(self.ratio_slider)
        self.ratio_line = wrapped()
        self.column.addWidget(self.ratio_line)
        self.column.addWidget(wrapped(title("Lay over the image")))
        grid = QGridLayout()
        grid.setSpacing(4)
        self.buttons = map_buttons(desk, _HERE)
        for number, button in enumerate(self.buttons.values()):
            grid.addWidget(button, number // 2, number % 2)
        self.column.addLayout(grid)
        self.score_line = wrapped()
        self.column.addWidget(self.score_line)
        desk.figured.connect(self.refresh)

    def draw(self) -> None:
        desk = self.desk
        block = desk.block
        self.set_line.setText(
            f"The network was set to read {100 * block.kept:.0f}\u00a0% of the pixels. If it read "
            "only those with the highest score:"
        )
        self.ratio_slider.blockSignals(True)
        self.ratio_slider.setValue(round(100 * desk.ratio))
        self.ratio_slider.blockSignals(False)
        for what, button in self.buttons.items():
            button.setEnabled(has_map(block, what))
        self.score_line.setText(_score_words(block.share, desk.field, has_map(block, "typical")))
        self._show_coverage()

    def _on_ratio(self, value: int) -> None:
        self.desk.ratio = value / 100
        self._show_coverage()

    def _show_coverage(self) -> None:
        figures, ratio = self.desk.figures, self.desk.ratio
        if figures is None:
            self.ratio_line.setText("")
            return
        kept = figures.coverage.kept(ratio)
        if kept == figures.coverage.pixels:
            self.ratio_line.setText("All pixels are read. Move the slider to read fewer.")
            return
        lines = [f"{100 * ratio:.0f}\u00a0% with the highest score: {kept:,} pixels."]
        parts = figures.coverage.of_classes(ratio)
        if parts:
            names = self.desk.label_names
            words = (f"{names.get(v, f'Class {v}')} {100 * p:.0f}\u00a0%" for v, p in parts.items())
            lines.append("Of the classes: " + ", ".join(words) + ".")
        else:
            clusters = figures.coverage.of_clusters(ratio)
            untouched = sum(1 for p in clusters.values() if p == 0)
            if untouched:
                lines.append(f"Of {untouched} clusters nothing would be read.")
        self.ratio_line.setText(escape(" ".join(lines)))

    def _on_ratio_set(self) -> None:
        """A map of kept pixels that lies over the image follows the slider."""
        field = self.desk.field
        shown = None if field is None else self.desk.workspace.overlays.get(f"{field.id}-map")
        if shown is not None and shown.title.startswith(MAPS["kept"]):
            self.desk.lay_over("kept")


def _score_words(share: float, field: object, kept: bool) -> str:
    if not kept:
        return "The parts of the score were not kept."
    parameters = getattr(getattr(field, "provenance", None), "parameters", {})
    chosen = parameters.get("selection", "hybrid")
    if chosen == "cluster":
        return "The score is the cluster part alone; attention is shown, but did not count."
    if chosen == "attention":
        return "The score is the attention part alone."
    return (
        f"The score is {100 * share:.0f}\u00a0% of the attention part and "
        f"{100 * (1 - share):.0f}\u00a0% of the cluster part; the shares are learned."
    )
