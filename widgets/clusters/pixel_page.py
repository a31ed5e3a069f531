"""One pixel: its cluster, its place in the order, its membership in every cluster."""

from __future__ import annotations

import numpy as np

from backends.overlays import ClusterBlock
from widgets.clusters.desk import Desk
from widgets.clusters.drawings import MembershipBars
from widgets.pages import Page
from widgets.theme import wrapped

HINT = "Point at a pixel of the image to read its cluster; click to follow it."


class PixelPage(Page):
    """The pixel under the mouse, else the one that was clicked."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.pixel_line = wrapped(HINT)
        self.column.addWidget(self.pixel_line)
        self.bars = MembershipBars()
        self.column.addWidget(self.bars)
        self.bars_line = wrapped()
        self.column.addWidget(self.bars_line)
        self._under: tuple[int, int] | None = None
        desk.pointed.connect(self.refresh)

    def under_mouse(self, place: tuple[int, int] | None) -> None:
        """Read another pixel while the mouse is on it; None returns to the clicked one."""
        self._under = place
        self.refresh()

    def draw(self) -> None:
        place = self._under or self.desk.pixel
        block = self.desk.block
        field = self.desk.field
        assert field is not None
        outside = place is None or place[0] >= field.shape[0] or place[1] >= field.shape[1]
        if outside:
            self.pixel_line.setText(HINT)
        self.bars.setVisible(not outside)
        self.bars_line.setVisible(not outside)
        if place is None or outside:
            return
        self.pixel_line.setText(self._words(*place))
        values = block.memberships(*place)
        if values is None:
            self.bars.hide()
            self.bars_line.setText("Memberships in the other clusters were not kept.")
            return
        own = int(block.cluster[place]) or None
        self.bars.show_memberships(values.tolist(), self.desk.colors, own)
        self.bars_line.setText(_memberships(values, block))

    def _words(self, row: int, col: int) -> str:
        block = self.desk.block
        cluster = int(block.cluster[row, col])
        at = self.desk.scene_pixel(row, col)
        head = f"Row {at[0]}, column {at[1]}: "
        if cluster == 0:
            return head + "nothing was measured here."
        figures = self.desk.figures
        sizes = "" if figures is None else f" ({figures.table.sizes[cluster - 1]:,} px)"
        sure = 100 * float(block.certainty[row, col])
        text = f"{head}cluster {cluster}{sizes}, membership {sure:.0f}\u00a0%."
        if sure < 100 / block.clusters:  # the best of so many is never less
            text += " Its best cluster was full."
        if block.sequence[row, col] == 0:
            return text + " Not read."
        place = 100 * float(block.rank[row, col]) / 65535
        step = float(block.step[row, col])
        return f"{text} Read {place:.0f}\u00a0% down its sequence, step size {step:.3f}."


def _memberships(values: np.ndarray, block: ClusterBlock) -> str:
    """Return the largest memberships in words."""
    best = np.argsort(-values, kind="stable")[:3]
    said = ", ".join(f"cluster {k + 1} {100 * values[k]:.0f}\u00a0%" for k in best if values[k] > 0)
    if not said:
        return ""
    text = f"Membership in every cluster, by number; most in {said}."
    if block.membership_step > 1:
        text += f" Kept for every {block.membership_step}th row and column: those of the nearest."
    return text
