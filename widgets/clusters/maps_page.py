"""What a block is set to, and its maps to lay over the image."""

from __future__ import annotations

from functools import partial

from PyQt6.QtWidgets import QGridLayout, QPushButton

from backends.cluster_maps import MAPS, border_overlay
from backends.jobs import Progress
from backends.overlays import ClusterBlock, ClusterField, Overlay
from widgets.clusters.desk import Desk, title
from widgets.clusters.drawings import FusionBar
from widgets.pages import Page
from widgets.theme import wrapped

TIPS = {
    "clusters": "One colour a cluster, faint where pixels hardly belong to it",
    "certainty": "Membership of each pixel in its cluster",
    "order": "Dark is read first, bright last: the last have heard all before them",
    "step": "What the reader took in: small steps pass a pixel over, large ones start anew",
    "score": "By which the pixels of a cluster are ordered and chosen",
    "attention": "What attention says of each pixel, one part of the score",
    "typical": "How much a pixel belongs to its cluster, the other part of the score",
    "kept": "Pixels that would be read at the share set above",
}
_HERE = ("clusters", "certainty", "order", "step")


class MapsPage(Page):
    """Facts, the weights of both readers, buttons for maps."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.facts_line = wrapped()
        self.column.addWidget(self.facts_line)
        self.fusion = FusionBar()
        self.column.addWidget(self.fusion)
        self.column.addWidget(wrapped(title("Lay over the image")))
        self.buttons = map_buttons(desk, _HERE)
        grid = QGridLayout()
        grid.setSpacing(4)
        for number, button in enumerate(self.buttons.values()):
            grid.addWidget(button, number // 2, number % 2)
        self.borders_button = borders_button(desk)
        grid.addWidget(self.borders_button, 2, 0, 1, 2)
        self.column.addLayout(grid)

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        self.fusion.show_weights(self.desk.block.fusion)
        self.facts_line.setText(facts(self.desk.block, field.tiles, self.desk.variant))


def map_buttons(desk: Desk, names: tuple[str, ...]) -> dict[str, QPushButton]:
    """Return a button for each map."""
    out = {}
    for what in names:
        button = QPushButton(MAPS[what])
        button.setToolTip(TIPS[what])
        button.setMinimumWidth(1)
        button.clicked.connect(partial(_lay_over, desk, what))
        out[what] = button
    return out


def borders_button(desk: Desk) -> QPushButton:
    """Return a button that draws where clusters end."""
    button = QPushButton("Borders over the map")
    button.setToolTip("Lines where clusters end, over whatever map lies on the image")
    button.clicked.connect(partial(_borders, desk))
    return button


def _lay_over(desk: Desk, what: str, *_: object) -> None:
    desk.lay_over(what)


def _borders(desk: Desk, *_: object) -> None:
    field, number = desk.field, desk.number
    if field is not None:
        make = partial(_make_borders, field, number)
        desk.submit("Borders", "borders", make, desk.put_above)


def _make_borders(field: ClusterField, number: int, progress: Progress) -> Overlay:
    return border_overlay(field, number)


def facts(block: ClusterBlock, tiles: int, variant: str) -> str:
    """Return in words how a block grouped and read."""
    words = f"{block.clusters} clusters, temperature {block.temperature:.2f}"
    words += f", {100 * block.kept:.0f}\u00a0% of the pixels read." if block.kept < 1 else "."
    if variant == "a":
        words += " Variant a: all are read in one sequence."
    if variant == "b":
        words += " Variant b: clusters are held to a first grouping around training pixels."
    if block.moved > 0.0005:
        words += f" {100 * block.moved:.1f}\u00a0% of the pixels went to their next best cluster: "
        words += "the best was full."
    if tiles > 1:
        words += f" Read in {tiles} tiles: clusters are the same in all, orders are each tile's."
    return words
