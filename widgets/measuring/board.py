"""What is being measured, as state that the dock reads and changes and the canvas obeys."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

DISTANCE, AREA, PROFILE = "distance", "area", "profile"
TOOLS = (DISTANCE, AREA, PROFILE)
Points = NDArray[np.float64]


class MeasureBoard:
    """The tool in hand, what is drawn with it, and what lies on the image.

    `drawn` carries scene, tool and points (row, col) of what was finished; `corners_changed`
    comes with each corner; `said` is the live figure. `marked` asks for a mark at a pixel (or
    None), `look_asked` for the view to go to one.
    """

    tool_changed = Signal(str)
    corners_changed = Signal()
    drawn = Signal(str, str, object)
    said = Signal(str)
    shown_changed = Signal()
    marked = Signal(object)
    finish_asked = Signal()
    look_asked = Signal(str, float, float)

    def __init__(self) -> None:
        self.tool = ""
        self.corners: list[tuple[float, float]] = []
        self.live = ""
        self.shown = True
        # The line whose profile is on the plot, with its scene; and a place on it.
        self.line: tuple[str, Points] | None = None
        self.mark: tuple[str, float, float] | None = None

    def hold(self, tool: str) -> None:
        """Take a tool in hand; empty puts it down. What was begun with another is dropped."""
        self.corners = []
        self.live = ""
        self.tool = tool
        self.tool_changed.emit(tool)
        self.corners_changed.emit()
        self.said.emit("")

    def add_corner(self, row: float, col: float) -> None:
        """Set the next corner."""
        self.corners.append((row, col))
        self.corners_changed.emit()

    def drop_corner(self) -> bool:
        """Take the last corner back; False when there is none."""
        if not self.corners:
            return False
        self.corners.pop()
        self.corners_changed.emit()
        return True

    def take_corners(self) -> list[tuple[float, float]]:
        """Return the corners and begin anew with the same tool."""
        corners, self.corners = self.corners, []
        self.corners_changed.emit()
        return corners

    def say(self, text: str) -> None:
        """Say how much it is so far."""
        if text != self.live:
            self.live = text
            self.said.emit(text)

    def show(self, shown: bool) -> None:
        """Show what was measured on the image, or not."""
        self.shown = shown
        self.shown_changed.emit()

    def set_line(self, scene_id: str, points: Points | None) -> None:
        """Say whose profile is on the plot."""
        self.line = None if points is None else (scene_id, points)
        self.shown_changed.emit()

    def set_mark(self, mark: tuple[str, float, float] | None) -> None:
        """Mark a pixel on the image."""
        if mark != self.mark:
            self.mark = mark
            self.marked.emit(mark)

    def forget(self, scene_id: str) -> None:
        """Drop what belongs to a closed scene."""
        if self.line is not None and self.line[0] == scene_id:
            self.set_line(scene_id, None)
        if self.mark is not None and self.mark[0] == scene_id:
            self.set_mark(None)


def as_points(value: Any) -> Points:
    """Return points as an array of shape (n, 2)."""
    return np.asarray(value, np.float64).reshape(-1, 2)
