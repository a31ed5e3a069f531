"""What the canvas shows of a perimeter, and what is drawn there: docks and canvas meet here."""

from __future__ import annotations

from typing import Any

from psygnal import Signal

from backends.fire.question import FireAnswer
from backends.perimeters.picture import Ink

# Tools: what is drawn with each arrives through `LineBoard.drawn`.
VERTICES, INSERT, DELETE = "vertices", "insert", "delete"
ADD, CUT, ISLAND, SPLIT = "add", "cut", "island", "split"
STRETCH_TOOLS = (VERTICES, INSERT, DELETE)


class LineBoard:
    """The line of the active scene as it is to be seen, and the tool in hand.

    ``drawn`` carries tool and places (rows and columns); ``stretch_edited`` the places of the
    stretch after a drag; ``look_asked`` a row and a column.
    """

    answered = Signal(str)
    inked = Signal()
    tool_changed = Signal(str)
    stretch_changed = Signal()
    drawn = Signal(str, object)
    stretch_edited = Signal(object)
    look_asked = Signal(str, float, float)

    def __init__(self) -> None:
        self.answers: dict[str, FireAnswer] = {}
        self.scene_id = ""
        self.inks: list[Ink] = []
        self.tool = ""
        self.stretch: Any = None  # rows and columns of the stretch in hand, (n, 2)
        self.stretch_is_whole = False

    def take(self, answer: FireAnswer) -> None:
        """Take in what was found in a scene."""
        self.answers[answer.image.scene.id] = answer
        self.answered.emit(answer.image.scene.id)

    def forget(self, scene_id: str) -> None:
        """A scene was closed."""
        self.answers.pop(scene_id, None)

    def ink(self, scene_id: str, inks: list[Ink]) -> None:
        """Draw this and nothing else."""
        self.scene_id, self.inks = scene_id, inks
        self.inked.emit()

    def hold(self, tool: str) -> None:
        """Take a tool in hand; an empty one puts it down."""
        if tool != self.tool:
            self.tool = tool
            self.tool_changed.emit(tool)

    def show_stretch(self, places: Any, whole: bool = False) -> None:
        """Offer some vertices to be moved; None takes them away."""
        self.stretch, self.stretch_is_whole = places, whole
        self.stretch_changed.emit()
