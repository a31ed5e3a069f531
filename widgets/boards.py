"""What the canvas shows, as state that docks read and change and the application obeys.

Docks never touch the canvas: they change a board, and ``app`` follows it. When
the canvas changes by other ways, ``app`` changes the board and the docks follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from psygnal import Signal

from backends.areas import ClassArea
from backends.composite import Limits, Recipe


@dataclass(frozen=True)
class ColorScale:
    """What the colours of a continuous layer stand for.

    Attributes
    ----------
    colormap : str
        A name in `backends.colormaps.NAMES`.
    low, high : float
        Values at the ends of the colour bar.
    smallest, largest : float
        Values that occur; a bar that does not reach them is stretched.
    """

    colormap: str
    low: float
    high: float
    smallest: float
    largest: float
    unit: str = ""
    centre: float | None = None

    @property
    def stretched(self) -> bool:
        """Whether values outside the bar are shown in its end colours."""
        slack = 1e-6 * max(abs(self.low), abs(self.high), 1e-12)
        return self.smallest < self.low - slack or self.largest > self.high + slack


@dataclass(frozen=True)
class Row:
    """One line of the layers dock.

    Attributes
    ----------
    id : str
        The overlay's id, or one of `PICTURE`, `LABELS`, `REGIONS`, `PINS`.
    kind : str
        In words: ``"class map"``, ``"explanation"``.
    swatch : tuple of str
        Up to four colours.
    choices : tuple of str
        What can be shown of it, one at a time; empty where there is only one thing.
    on_canvas : bool
        False for what only docks can show: it has no eye and no opacity.
    """

    id: str
    title: str
    kind: str
    swatch: tuple[str, ...] = ()
    visible: bool = True
    opacity: float = 1.0
    partial: bool = False
    tooltip: str = ""
    choices: tuple[str, ...] = ()
    choice: int = 0
    removable: bool = True
    on_canvas: bool = True


Legend = tuple[ClassArea, ...] | ColorScale
PICTURE, LABELS, REGIONS, PINS = "picture", "labels", "regions", "pins"


class LayerBoard:
    """The rows of every scene, top row first, and what belongs to them.

    `changed` tells that a scene has other rows, `row_changed` that one row differs.
    `class_asked` carries scene, class value and name: paint with this class, called so (an
    empty name leaves the one it has).
    """

    changed = Signal(str)
    row_changed = Signal(str, str)
    legend_changed = Signal(str, str)
    active_changed = Signal(str)
    swipe_changed = Signal(object)
    blink_asked = Signal(str)
    class_asked = Signal(str, int, str)

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._legends: dict[tuple[str, str], Legend] = {}
        self._active: dict[str, str] = {}
        self._swipe: float | None = None

    def rows(self, scene_id: str) -> tuple[Row, ...]:
        """Return the rows of a scene, top first."""
        return tuple(self._rows.get(scene_id, ()))

    def row(self, scene_id: str, row_id: str) -> Row | None:
        """Return one row."""
        return next((r for r in self._rows.get(scene_id, ()) if r.id == row_id), None)

    def put(self, scene_id: str, row: Row, *, at: int = 0) -> None:
        """Add a row, or replace the one of the same id where it stands."""
        rows = self._rows.setdefault(scene_id, [])
        for index, found in enumerate(rows):
            if found.id == row.id:
                rows[index] = row
                self.changed.emit(scene_id)
                return
        rows.insert(at, row)
        self.changed.emit(scene_id)

    def take(self, scene_id: str, row_id: str) -> None:
        """Remove a row."""
        rows = self._rows.get(scene_id, [])
        self._rows[scene_id] = [r for r in rows if r.id != row_id]
        self._legends.pop((scene_id, row_id), None)
        if self._active.get(scene_id) == row_id:
            del self._active[scene_id]
        self.changed.emit(scene_id)

    def forget(self, scene_id: str) -> None:
        """Remove all rows of a scene that was closed."""
        self._rows.pop(scene_id, None)
        self._active.pop(scene_id, None)
        for key in [k for k in self._legends if k[0] == scene_id]:
            del self._legends[key]
        self.changed.emit(scene_id)

    def change(self, scene_id: str, row_id: str, **changes: Any) -> None:
        """Change a row: ``visible``, ``opacity``, ``choice``, ``title`` …"""
        rows = self._rows.get(scene_id, [])
        for index, row in enumerate(rows):
            if row.id == row_id:
                new = replace(row, **changes)
                if new != row:
                    rows[index] = new
                    self.row_changed.emit(scene_id, row_id)
                return

    # -- the active row and its legend ---------------------------------------------------

    def active(self, scene_id: str) -> str | None:
        """Return the id of the row that the legend and the keys speak of."""
        return self._active.get(scene_id)

    def activate(self, scene_id: str, row_id: str) -> None:
        """Make a row the active one."""
        if self._active.get(scene_id) != row_id and self.row(scene_id, row_id) is not None:
            self._active[scene_id] = row_id
            self.active_changed.emit(scene_id)

    def legend(self, scene_id: str, row_id: str) -> Legend | None:
        """Return what the colours of a row mean."""
        return self._legends.get((scene_id, row_id))

    def set_legend(self, scene_id: str, row_id: str, legend: Legend) -> None:
        """Say what the colours of a row mean."""
        self._legends[scene_id, row_id] = legend
        self.legend_changed.emit(scene_id, row_id)

    # -- comparing -----------------------------------------------------------------------

    @property
    def swipe(self) -> float | None:
        """Where the active overlay ends, as a part of the width from the left; None is off."""
        return self._swipe

    def set_swipe(self, part: float | None) -> None:
        """Show only the left part of the active overlay."""
        part = None if part is None else min(1.0, max(0.0, part))
        if part != self._swipe:
            self._swipe = part
            self.swipe_changed.emit(part)

    def overlay_rows(self, scene_id: str) -> list[Row]:
        """Return the rows that can be blinked and swiped, top first."""
        fixed = (PICTURE, LABELS, REGIONS, PINS)
        return [r for r in self.rows(scene_id) if r.on_canvas and r.id not in fixed]


@dataclass(frozen=True)
class Shown:
    """The picture a scene is seen in.

    Attributes
    ----------
    limits : tuple of (low, high)
        Contrast limits a plane.
    sampled : int or None
        Pixels the limits were estimated from; None where all were looked at.
    coarse : bool
        True while a finer picture is on its way.
    """

    recipe: Recipe
    limits: Limits
    sampled: int | None = None
    coarse: bool = False


class PictureBoard:
    """Which picture of which scene is wanted, and which is shown."""

    asked = Signal(str, Recipe)
    shown_changed = Signal(str)

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}
        self._wanted: dict[str, Recipe] = {}

    def ask(self, scene_id: str, recipe: Recipe) -> None:
        """Ask for another picture of a scene."""
        self._wanted[scene_id] = recipe
        self.asked.emit(scene_id, recipe)

    def wanted(self, scene_id: str) -> Recipe | None:
        """Return the recipe asked for last; it may still be on its way."""
        return self._wanted.get(scene_id)

    def shown(self, scene_id: str) -> Shown | None:
        """Return the picture on the screen."""
        return self._shown.get(scene_id)

    def set_shown(self, scene_id: str, shown: Shown) -> None:
        """Say what is on the screen now."""
        self._shown[scene_id] = shown
        self.shown_changed.emit(scene_id)

    def forget(self, scene_id: str) -> None:
        """Forget a scene that was closed."""
        self._shown.pop(scene_id, None)
        self._wanted.pop(scene_id, None)
