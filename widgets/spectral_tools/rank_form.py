"""Which reference is a spectrum most like: a ranking that follows the mouse, weights at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QDoubleSpinBox, QGridLayout, QHeaderView, QLabel, QTableWidget

from backends.errors import ClearbandError
from backends.jobs import Job, Progress
from backends.regions import Region
from backends.scene import Scene
from backends.spectra.ranking import RULES
from backends.workspace import Workspace
from widgets.background import listen
from widgets.spectral_tools.asking import ReferenceChoice
from widgets.spectral_tools.forms import ToolForm
from widgets.tables import fit_table, fixed_cell, plain_table
from widgets.theme import wrapped

if TYPE_CHECKING:
    from backends.spectra.references import References

_MOUSE = "mouse"
_HEADS = ("Reference", "Score", "Angle", "Features", "Corr.", "Diverg.", "Distance")
_NOWHERE = "Move the mouse over the image to rank the references for the pixel under it."
_WAIT_MS = 60
_MOST_ROWS = 30


class RankForm(ToolForm):
    """Live, for a pixel under the mouse, a pin or a region; a press notes it in the run log.

    Parameters
    ----------
    choice : callable
        Returns what is ticked and named to compare with.
    """

    TOOL = "match"
    COMPARES = True

    def __init__(self, workspace: Workspace, choice: Callable[[], ReferenceChoice]) -> None:
        super().__init__("Which reference is this spectrum most like, all measures together?")
        self._workspace, self._choice = workspace, choice
        self._at: tuple[int, int] | None = None
        self._read: tuple[object, References] | None = None
        self.of_box = self._list("Spectrum", {_MOUSE: ("Under the mouse", "The pixel pointed at")})
        self.line = wrapped(_NOWHERE)
        self.column.addWidget(self.line)
        self.table: QTableWidget = plain_table(_HEADS)
        self.table.setWordWrap(False)
        header = self.table.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(0, 130)
        self.column.addWidget(self.table)
        self.table.hide()
        self.spins: dict[str, QDoubleSpinBox] = {}
        grid = QGridLayout()
        grid.addWidget(wrapped("How much each measure counts:"), 0, 0, 1, 2)
        for row, (name, rule) in enumerate(RULES.items(), 1):
            spin = QDoubleSpinBox()
            spin.setRange(0, 10)
            spin.setSingleStep(0.5)
            spin.setDecimals(1)
            spin.setValue(rule.default)
            spin.setAccessibleName(f"Weight of {rule.title}")
            spin.setToolTip(f"1 for the same spectrum: {rule.scale}")
            spin.valueChanged.connect(self._on_asked)
            grid.addWidget(QLabel(rule.title), row, 0)
            grid.addWidget(spin, row, 1)
            self.spins[name] = spin
        self.column.addLayout(grid)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_WAIT_MS)
        self._rest.timeout.connect(self._rank)
        self.of_box.currentIndexChanged.connect(self._on_asked)
        listen(self, workspace.cursor_moved, self._on_cursor)
        listen(self, workspace.pixel_selected, self._on_cursor)
        for signal in (
            workspace.active_scene_changed, workspace.pins_changed, workspace.regions_changed,
        ):  # fmt: skip
            listen(self, signal, self._fill)
        self._fill()

    # -- what is asked -------------------------------------------------------------------

    @property
    def go(self) -> str:
        return "Keep this ranking"

    @property
    def of(self) -> tuple[int, int] | Region | None:
        """The pixel or region whose spectrum is ranked."""
        key = str(self.of_box.currentData())
        pin = self._workspace.pins.get(key)
        if pin is not None:
            return pin.row, pin.col
        return self._workspace.regions.get(key) or (self._at if key == _MOUSE else None)

    def weights(self) -> dict[str, float]:
        """Return how much each measure counts."""
        return {name: round(spin.value(), 1) for name, spin in self.spins.items()}

    def others_than(self, choice: ReferenceChoice) -> ReferenceChoice:
        """Return a choice without the one that is ranked, which would be its own first."""
        of = self.of
        regions = tuple(r for r in choice.regions if r is not of)
        if len(regions) < len(choice.regions):
            choice = replace(choice, regions=regions, areas=None)
        key = str(self.of_box.currentData())
        return choice if key == _MOUSE else replace(
            choice, pixels=tuple(p for p in choice.pixels if p != of)
        )  # fmt: skip

    def settings(self) -> dict[str, Any]:
        of = self.of
        told: dict[str, Any] = {
            "weight": tuple(f"{k}={v:g}" for k, v in self.weights().items() if v != _default(k))
        }
        if isinstance(of, Region):
            told["rank_areas"] = self._choice().areas
            told["rank_areas_option"] = ("coordinates=pixels",)
            told["rank_name"] = of.name
        elif of is not None:
            told["rank"] = f"{of[0]},{of[1]}"
        return told

    def ranked(self) -> tuple[tuple[int, int] | Region, ...]:
        return () if self.of is None else (self.of,)

    def problem(self, scene: Scene, choice: ReferenceChoice) -> str:
        if not self.others_than(choice):
            return "Nothing is chosen to compare with."
        if not any(self.weights().values()):
            return "Give one of the measures a weight."
        return "" if self.of is not None else " "  # the line above the table says it

    # -- what there is -------------------------------------------------------------------

    def _fill(self, *_: object) -> None:
        scene, kept = self._workspace.active_scene, self.of_box.currentData()
        self.of_box.blockSignals(True)
        self.of_box.clear()
        self.of_box.addItem("Under the mouse", _MOUSE)
        if scene is not None:
            both = (*self._workspace.regions.values(), *self._workspace.pins.values())
            for item in both:
                if item.scene_id == scene.id:
                    what = "Mean of " if isinstance(item, Region) else ""
                    self.of_box.addItem(f"{what}{item.name}", item.id)
        self.of_box.setCurrentIndex(max(0, self.of_box.findData(kept)))
        self.of_box.blockSignals(False)
        if scene is None or self._at is None or not _inside(self._at, scene):
            self._at = None
        self._on_asked()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self.rank_anew()

    def rank_anew(self, *_: object) -> None:
        """Rank again: other references, other weights, another spectrum."""
        if self.isVisible():
            self._rest.start()

    def _on_asked(self, *_: object) -> None:
        self.changed.emit()
        self.rank_anew()

    def _on_cursor(self, scene_id: str, row: int, col: int) -> None:
        scene = self._workspace.active_scene
        if scene is None or scene.id != scene_id:
            return
        first, self._at = self._at is None, (row, col)
        if self.of_box.currentData() == _MOUSE:
            if first:
                self.changed.emit()
            if self.isVisible() and not self._rest.isActive():
                self._rest.start()  # follows, no more often than the table can be read

    def _rank(self) -> None:
        scene, of = self._workspace.active_scene, self.of
        choice = self.others_than(self._choice())
        if scene is None or not self.isVisible():
            return
        if of is None or not choice:
            self._show([], _NOWHERE if of is None else "")
            return
        key = (scene.id, choice)
        weights, before = self.weights(), self._read

        def run(progress: Progress) -> tuple[References | None, list[dict[str, Any]], str]:
            from backends.spectra.ranking import ranked, spectrum_of

            known = None
            try:
                same = before is not None and _same(before[0], key)
                known = before[1] if before and same else choice.read(scene, progress)
                return known, ranked(spectrum_of(scene, of, known, progress), known, weights), ""
            except ClearbandError as error:
                return known, [], str(error)

        def show(found: tuple[References | None, list[dict[str, Any]], str]) -> None:
            if found[0] is not None:
                self._read = key, found[0]
            self._show(found[1], found[2] or _of_words(of))

        job = Job(
            "Rank references", run, scene_id=scene.id, topic="ranking", quiet=True, in_view=True
        )
        self._workspace.submit(job, on_result=show)

    def _show(self, rows: list[dict[str, Any]], words: str) -> None:
        self.line.setText(words)
        self.line.setVisible(bool(words))
        shown = rows[:_MOST_ROWS]
        columns = ["reference", "score", *(rule.column for rule in RULES.values())]
        self.table.setRowCount(len(shown))
        for at, row in enumerate(shown):
            for column, name in enumerate(columns):
                value = row[name]
                text = "–" if value is None else value if column == 0 else f"{value:.3g}"
                cell = fixed_cell(f"{value:.3f}" if column == 1 else text)
                cell.setToolTip(f"{row['rank']}. {row['reference']}")
                self.table.setItem(at, column, cell)
        fit_table(self.table)


def _default(name: str) -> float:
    return RULES[name].default


def _inside(at: tuple[int, int], scene: Scene) -> bool:
    return 0 <= at[0] < scene.shape[0] and 0 <= at[1] < scene.shape[1]


def _of_words(of: tuple[int, int] | Region) -> str:
    return f"Mean of {of.name}" if isinstance(of, Region) else f"Row {of[0]}, column {of[1]}"


def _same(one: Any, other: tuple[str, ReferenceChoice]) -> bool:
    """Tell whether two choices are of the same scene, library, words, regions and pixels."""
    a, b = one[1], other[1]
    return (
        one[0] == other[0]
        and a.library is b.library
        and (a.names, a.pixels) == (b.names, b.pixels)
        and len(a.regions) == len(b.regions)
        and all(x is y for x, y in zip(a.regions, b.regions, strict=True))
    )
