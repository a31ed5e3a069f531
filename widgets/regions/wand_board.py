"""Whether a click takes what is like a pixel: state that dock and canvas share."""

from __future__ import annotations

from collections.abc import Callable

from psygnal import Signal
from PyQt6 import sip
from PyQt6.QtWidgets import QWidget


class WandBoard:
    """The wand: in hand or not, and where it touched (scene, row, col).

    Attributes
    ----------
    seen_in : callable
        Returns the widget that shows whether it is in hand.
    """

    held_changed = Signal(bool)
    touched = Signal(str, int, int)

    def __init__(self) -> None:
        self.held = False
        self.seen_in: Callable[[], QWidget | None] = lambda: None

    def hold(self, on: bool) -> None:
        """Take it in hand, or put it down."""
        if on != self.held:
            self.held = on
            self.held_changed.emit(on)

    def touch(self, scene_id: str, row: int, col: int) -> bool:
        """Touch a pixel; False where it is not in hand, or out of the user's sight."""
        widget = self.seen_in()
        hidden = widget is None or sip.isdeleted(widget) or widget.visibleRegion().isEmpty()
        if self.held and hidden:
            self.hold(False)  # behind another dock nobody knows that it still is
        if self.held:
            self.touched.emit(scene_id, row, col)
        return self.held
