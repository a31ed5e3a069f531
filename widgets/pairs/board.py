"""Which second scene is seen beside the active one, and how: docks change it, canvases obey."""

from __future__ import annotations

from psygnal import Signal

from backends.pairs.alignment import Alignment

OFF, SWIPE, SIDE = "", "swipe", "side"
Place = tuple[float, float]


class PairBoard:
    """The second scene and the tie in hand.

    `changed` tells of another scene or way, `part_changed` that the edge between them moved,
    `aligned` that it is known how they lie, `tie_changed` that an end of a tie was set.
    """

    changed = Signal()
    part_changed = Signal()
    aligned = Signal()
    tie_changed = Signal()

    def __init__(self) -> None:
        self.mode = OFF
        self.other_id = ""
        self.part = 0.5
        self.alignment: Alignment | None = None
        self.tying = False
        # The same thing on the ground: row and column in the active scene and in the other.
        self.first: Place | None = None
        self.second: Place | None = None

    def show(self, mode: str, other_id: str) -> None:
        """Show a second scene beside the active one, or none."""
        other_id = other_id if mode else ""
        if (mode, other_id) != (self.mode, self.other_id):
            if other_id != self.other_id:
                self.alignment = None
            if mode == SIDE != self.mode:
                self.part = 0.5
            self.mode, self.other_id = mode, other_id
            self.tie(False)
            self.changed.emit()

    def set_part(self, part: float) -> None:
        """Move the edge between the scenes: a part of the width from the left."""
        part = min(0.98, max(0.02, part))
        if part != self.part:
            self.part = part
            self.part_changed.emit()

    def set_alignment(self, alignment: Alignment | None) -> None:
        """Say how the scenes lie on each other."""
        self.alignment = alignment
        self.aligned.emit()

    def tie(self, on: bool) -> None:
        """Begin a tie, or drop it."""
        if on or self.tying or self.first or self.second:
            self.tying, self.first, self.second = on, None, None
            self.tie_changed.emit()

    def set_end(self, row: float, col: float, *, in_other: bool) -> None:
        """Set an end of the tie; it may be set again."""
        if in_other:
            self.second = (row, col)
        else:
            self.first = (row, col)
        self.tie_changed.emit()
