"""An analyst's night, step by step: feed, draft, edit, a crash, compare, verify, deliver.

The evening ends with the program killed; the morning begins in another one. What is told of the
line before and after is compared: nothing may be lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from PyQt6.QtWidgets import QPushButton

from app.hand import Hand
from app.tour import Step, settle, wait_for
from backends.errors import ClearbandError
from backends.io.writers.atomic import write_text
from backends.perimeters.coordinates import WGS84, moved
from backends.perimeters.review import ReviewState
from backends.simulate.night import INCIDENT, IRWIN, TAKEN_UTC, ZONE, Night

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

ANALYST = "A. Analyst"
_REASON = "looked at on the image: a spot of yesterday has gone out"


class FireNight:
    """The steps of a night on a window.

    Parameters
    ----------
    night : Night
        Its files.
    folder : Path
        Gets what is delivered, and what was known of the line when the program died.
    """

    def __init__(self, night: Night, folder: Path) -> None:
        self.night, self.folder = night, folder
        self._strokes = 0

    def evening(self) -> tuple[Step, ...]:
        """Return the steps before the crash."""
        return (
            Step("arrival", "The night's flight line, as the heat bands see it", self._open),
            Step("feed", "The line is flown: tiles are read as scan lines come in", self._feed),
            Step("found", "What was found, and that no frame was late or dropped", self._found),
            Step("pixel", "A clicked pixel: what decided in each rule", self._pixel),
            Step("draft", "A draft around the fire, marked so, with its acres", self._draft),
            Step("vertex", "A vertex moved by the mouse", self._vertex),
            Step("brush", "A gap of the front closed with the brush", self._brush),
            Step("island", "An unburned island cut out by the mouse", self._island),
            Step("split", "The area cut in two by a stroke", self._split),
            Step("merge", "Made one again", self._merge),
            Step("undo", "Undone and done again by keys", self._undo),
            Step("waived", "Yesterday's line beside it; a check waived with a reason", self._waive),
        )

    def morning(self) -> tuple[Step, ...]:
        """Return the steps after it."""
        return (
            Step("offered", "The next start offers what the crash left", self._offered, tidy=False),
            Step("recovered", "The line is back with all that was done", self._recovered),
            Step("growth", "The fire by day: before 06:00 it is still yesterday", self._growth),
            Step("draft-delivered", "Products of a line nobody signed: DRAFT", self._deliver_draft),
            Step("verified", "Signed, with name, time and image", self._verify),
            Step("delivered", "Everything in one action, each file read again", self._deliver),
        )

    # -- evening -------------------------------------------------------------------------

    def _keep(self, window: ClearbandWindow, what: str, places: Any = ()) -> None:
        """Keep a stroke as the command line takes it."""
        self._strokes += 1
        path = self.folder / "strokes" / f"{self._strokes}-{what}.geojson"
        path.parent.mkdir(exist_ok=True)
        held = _dock(window).desk.held
        if len(places):
            line = shapely.linestrings(held.plane.to_map(np.asarray(places)))
            write_text(path, shapely.to_geojson(moved(line, held.document.crs, WGS84)))
        else:
            write_text(path, "null")

    def _open(self, window: ClearbandWindow) -> None:
        window.show_workbench("fire")
        window.open_paths([self.night.image])
        wait_for(window, lambda: window.workspace.active_scene is not None, "the image")
        _idle(window)
        window.show_dock("composer")
        composer = window.docks["composer"].inner
        hand = Hand(window)
        hand.press(composer.one_button)
        composer.slider.slider.setValue(_HEAT_BAND)
        settle(window, 0.2)
        _idle(window)
        window.show_dock("fire")
        wait_for(window, lambda: window.docks["fire"].inner.desk.look is not None, "its bands")

    def _feed(self, window: ClearbandWindow) -> None:
        hand, fire = Hand(window), window.docks["fire"].inner
        hand.press(fire.tabs["Feed"])
        fire.feed.speed.put(160)
        hand.press(fire.feed.play_button)
        wait_for(window, lambda: len(fire.feed.grid.tiles) >= 3, "the first tiles")

    def _found(self, window: ClearbandWindow) -> None:
        fire = window.docks["fire"].inner
        fire.feed.speed.slider.setValue(0)  # as fast as tiles are read
        wait_for(window, lambda: fire.desk.answer is not None, "the end of the line")
        _idle(window)

    def _pixel(self, window: ClearbandWindow) -> None:
        hand, fire = Hand(window), window.docks["fire"].inner
        hand.press(fire.tabs["Detect"])
        mask = fire.desk.answer.found.mask
        burning = np.argwhere(mask)
        row, col = burning[len(burning) // 2]
        hand.look(row, col, 120)
        hand.click(row, col)
        _idle(window)

    def _draft(self, window: ClearbandWindow) -> None:
        window.show_dock("perimeter")
        settle(window, 0.2)
        hand, dock = Hand(window), _dock(window)
        for edit, text in (
            (dock.line.name_edit, INCIDENT),
            (dock.line.irwin_edit, IRWIN),
            (dock.line.time_edit, TAKEN_UTC),
            (dock.line.who_edit, ANALYST),
        ):
            hand.type(edit, text)
        hand.press(dock.line.draft_button)
        wait_for(window, lambda: _figured(window), "the draft")
        scene = window.workspace.active_scene
        assert scene is not None
        for overlay in window.workspace.overlays_of(scene.id):  # the line alone from here on
            window.canvas.board.change(scene.id, overlay.id, visible=False)
        window.canvas.stage.fit()

    def _vertex(self, window: ClearbandWindow) -> None:
        hand, dock = Hand(window), _dock(window)
        hand.press(dock.tabs["Edit"])
        hand.press(dock.edit.tools["vertices"])
        ring = _ring(window)
        at = ring[int(ring[:, 1].argmax())]
        hand.look(*at, 60)
        hand.click(*at)
        wait_for(window, lambda: dock.edit.stretch is not None, "vertices in hand")
        settle(window, 0.3)
        before, was = dock.desk.document.trail.head, np.array(window.lines.stretch)
        moved_to: list[Any] = []
        window.lines.stretch_edited.connect(moved_to.append)
        window.lines.drawn.connect(lambda what, places: self._keep(window, what, places))
        hand.drag([(at[0], at[1] + 0.25 * n) for n in range(13)])
        wait_for(window, lambda: dock.desk.document.trail.head != before, "the vertex to move")
        (number,) = np.flatnonzero((moved_to[-1] != was).any(axis=1))
        self._keep(window, "move", [was[number], moved_to[-1][number]])
        wait_for(window, lambda: _figured(window), "the figures")

    def _brush(self, window: ClearbandWindow) -> None:
        """Close the line where the front has gone out, along a circle around its middle."""
        hand, dock = Hand(window), _dock(window)
        hand.press(dock.edit.tools["add"])
        dock.edit.brush.put(60)
        ring = _ring(window)
        middle = (ring.min(axis=0) + ring.max(axis=0)) / 2
        away = ring - middle
        angles = np.sort(np.arctan2(away[:, 0], away[:, 1]))
        gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
        widest = int(gaps.argmax())
        start, end = angles[widest], angles[widest] + gaps[widest]
        window.canvas.stage.fit()
        scene = window.workspace.active_scene
        assert scene is not None
        heat = scene.read(bands=(_HEAT_BAND,))[:, :, 0].astype(float)
        reach = np.arange(0.7, 1.1, 0.005)[:, None] * np.hypot(*away.T).max()
        places = []
        for angle in np.linspace(start - 0.05, end + 0.05, 30):
            # What an eye does: along the ray to where it is brightest.
            ray = middle + reach * np.array([np.sin(angle), np.cos(angle)])
            ray = np.clip(ray, 0, np.array(heat.shape) - 1)
            values = heat[tuple(np.round(ray).astype(int).T)]
            places.append(tuple(ray[int(values.argmax())]))
        _edit(window, lambda: hand.drag(places))

    def _island(self, window: ClearbandWindow) -> None:
        hand, dock = Hand(window), _dock(window)
        hand.press(dock.edit.tools["island"])
        at = _pixels(window, dock.desk.document.perimeter.representative_point())[0]
        hand.look(*at, 80)
        turn = np.linspace(0, 2 * np.pi, 25)
        places = [(at[0] + 3 * np.sin(t), at[1] + 3 * np.cos(t)) for t in turn]
        _edit(window, lambda: hand.drag(places))

    def _split(self, window: ClearbandWindow) -> None:
        hand, dock = Hand(window), _dock(window)
        hand.press(dock.edit.tools["split"])
        ring = _ring(window)
        row = float(np.quantile(ring[:, 0], 0.7))
        left, right = ring[:, 1].min() - 12, ring[:, 1].max() + 12
        window.canvas.stage.fit()
        _edit(window, lambda: hand.drag([(row, c) for c in np.linspace(left, right, 30)]))

    def _merge(self, window: ClearbandWindow) -> None:
        hand, dock = Hand(window), _dock(window)
        _edit(window, lambda: hand.press(dock.edit.merge_button))
        self._keep(window, "merge")

    def _undo(self, window: ClearbandWindow) -> None:
        hand = Hand(window)
        was = _dock(window).desk.document.perimeter
        for keys in ("Ctrl+Z", "Ctrl+Z", "Ctrl+Shift+Z", "Ctrl+Shift+Z"):
            _edit(window, lambda keys=keys: hand.key(keys))
        if not _dock(window).desk.document.perimeter.equals(was):
            raise ClearbandError("Undone and done again, the line is another one.")

    def _waive(self, window: ClearbandWindow) -> None:
        hand, dock = Hand(window), _dock(window)
        hand.press(dock.tabs["Check"])
        dock.check.compare_with(self.night.yesterday)
        wait_for(window, lambda: _figured(window) and dock.desk.figures.comparison, "yesterday")
        opened = [n for n, c in enumerate(dock.check._checks) if not c.passed]
        for number in opened:
            hand.choose(dock.check.table, number)
            hand.type(dock.check.reason_edit, _REASON)
            hand.press(dock.check.waive_button)
            wait_for(window, lambda: _figured(window), "the checks")
        handle = window.sessions.autosaver.save_now()
        wait_for(window, lambda: handle is None or handle.state.is_final, "the kept session")
        write_text(self.folder / "before.json", json.dumps(facts_of(dock.desk.document)))

    # -- morning -------------------------------------------------------------------------

    def _offered(self, window: ClearbandWindow) -> None:
        from app.window import offer_what_was_left

        offer_what_was_left(window)
        wait_for(window, lambda: bool(window.toaster.toasts()), "the offer")

    def _recovered(self, window: ClearbandWindow) -> None:
        toast = window.toaster.toasts()[0]
        button = next(b for b in toast.findChildren(QPushButton) if b.text() in _OFFERS)
        Hand(window).press(button)
        wait_for(window, lambda: window.workspace.active_scene is not None, "the image")
        window.show_workbench("fire")
        window.show_dock("perimeter")
        wait_for(window, lambda: _figured(window), "the line")
        dock = _dock(window)
        before = json.loads((self.folder / "before.json").read_text(encoding="utf-8"))
        after = json.loads(json.dumps(facts_of(dock.desk.document)))
        write_text(self.folder / "after.json", json.dumps(after))
        lost = [name for name in before if before[name] != after[name]]
        if lost:
            raise ClearbandError(f"The crash has cost something: {', '.join(lost)}.")
        dock.desk.who = ANALYST
        dock.line.who_edit.setText(ANALYST)

    def _growth(self, window: ClearbandWindow) -> None:
        hand, dock = Hand(window), _dock(window)
        hand.press(dock.tabs["Growth"])
        hand.type(dock.growth.zone_edit, ZONE)
        wait_for(window, lambda: len(dock.growth.days) == 2, "two days")
        _idle(window)

    def _deliver_draft(self, window: ClearbandWindow) -> None:
        self._hand_over(window, self.folder / "draft")

    def _verify(self, window: ClearbandWindow) -> None:
        hand, dock = Hand(window), _dock(window)
        wait_for(window, lambda: _figured(window), "the checks")
        hand.press(dock.check.verify_button)
        signed = ReviewState.VERIFIED
        wait_for(window, lambda: dock.desk.document.state is signed, "the signature")
        wait_for(window, lambda: _figured(window), "the figures")

    def _deliver(self, window: ClearbandWindow) -> None:
        self._hand_over(window, self.folder / "delivered")

    def _hand_over(self, window: ClearbandWindow, folder: Path) -> None:
        dock = _dock(window)
        Hand(window).press(dock.tabs["Check"])
        handle = dock.check.deliver(folder)
        wait_for(window, lambda: handle is not None and handle.state.is_final, "the products")
        settle(window, 0.2)
        Hand.scroll_to(dock.check.delivered_line)


_HEAT_BAND = 10  # AMS channel 11, 3.75 µm
_OFFERS = ("Restore", "Go on with it")


def facts_of(document: Any) -> dict[str, Any]:
    """Return everything that a crash could cost a line, in few words."""
    document.trail.check()
    return {
        "id": document.id,
        "vertices": int(shapely.get_num_coordinates(document.perimeter)),
        "geometry": [
            [f.id, f.heat.value, hashlib.sha256(shapely.to_wkb(f.geometry)).hexdigest()]
            for f in document.features
        ],
        "attributes": document.attributes,
        "state": document.state.value,
        "waivers": [w.to_dict() for w in document.waivers.values()],
        "previous": document.previous_label,
        "trail": [e.to_dict() for e in document.trail.entries],
    }


def _dock(window: ClearbandWindow) -> Any:
    return window.docks["perimeter"].inner


def _figured(window: ClearbandWindow) -> bool:
    desk = _dock(window).desk
    return desk.document is not None and desk.figures is not None


def _edit(window: ClearbandWindow, act: Callable[[], Any]) -> None:
    """Do something that changes the line, and wait until all has followed."""
    dock = _dock(window)
    before = dock.desk.document.trail.head
    act()
    wait_for(window, lambda: dock.desk.document.trail.head != before, dock.said_line.text() or "it")
    wait_for(window, lambda: _figured(window), "the figures")
    _idle(window)


def _idle(window: ClearbandWindow) -> None:
    wait_for(window, lambda: not window.workspace.running_jobs(), "the work to end")
    settle(window, 0.2)


def _pixels(window: ClearbandWindow, geometry: Any) -> Any:
    held = _dock(window).desk.held
    return held.plane.to_pixels(shapely.get_coordinates(geometry))


def _ring(window: ClearbandWindow) -> Any:
    """Return rows and columns of the outer ring of the largest area."""
    parts = shapely.get_parts(_dock(window).desk.perimeter_feature().geometry)
    return _pixels(window, max(parts, key=lambda p: p.area).exterior)
