"""The live feed: a flight line scan line by scan line, or a folder that fills up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.fire.combined import tile_windows
from backends.fire.feed import FeedCounts
from backends.fire.playing import Arrival, FeedPart, FeedRun, FolderRun
from backends.fire.rules import RULES
from backends.jobs import Job, JobHandle
from widgets.background import listen
from widgets.fire.desk import FireDesk
from widgets.fire.number_row import NumberRow
from widgets.fire.tuning import TuningRows
from widgets.fire.verdict_grid import VerdictGrid
from widgets.pages import narrow_box
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped

FASTEST = 0.0


class FeedPage(QWidget):
    """Play, pause, faster, stop; what came, what came late, what was left out."""

    def __init__(self, desk: FireDesk) -> None:
        super().__init__()
        self._desk = desk
        self._handle: JobHandle[Any] | None = None
        self._asked: Job[Any] | None = None
        self.run: FeedRun | None = None
        self._build()
        desk.looked.connect(self._on_ready)
        desk.loaded.connect(self._on_networks)
        listen(self, desk.workspace.job_finished, self._on_finished)
        self._on_ready()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.who_line = wrapped()
        column.addWidget(self.who_line)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.rule_box = narrow_box("The rule that reads the tiles")
        form.addRow("Rule", self.rule_box)
        column.addLayout(form)
        self._form = form
        self.speed = NumberRow(
            "Speed", "Scan lines a second; 0 plays as fast as tiles are read. Change it any time.",
            0, 2000, 20, _speed,
        )  # fmt: skip
        self.speed.put(200)
        self.waiting = NumberRow(
            "May wait", "Rows of tiles that may wait; older ones are dropped and counted",
            1, 8, 1, lambda v: f"{v:.0f} rows",
        )  # fmt: skip
        self.waiting.put(2)
        column.addWidget(self.speed)
        column.addWidget(self.waiting)
        self.tuning = TuningRows()
        column.addWidget(self.tuning)
        buttons = QHBoxLayout()
        self.play_button = QPushButton("Play this flight line")
        self.play_button.setDefault(True)
        self.folder_button = QPushButton("Watch a folder…")
        self.folder_button.setToolTip("Each file that is complete is opened and searched")
        buttons.addWidget(self.play_button)
        buttons.addWidget(self.folder_button)
        column.addLayout(buttons)
        self.running = RunningRow()
        self.running.keep_button.setText("Stop")
        self.running.keep_button.setToolTip("End the feed and keep what was read")
        column.addWidget(self.running)
        self.counts_line = wrapped()
        column.addWidget(self.counts_line)
        self.grid = VerdictGrid()
        column.addWidget(self.grid)
        self.grid.hide()
        self.files_line = wrapped()
        column.addWidget(self.files_line)
        self.play_button.clicked.connect(lambda: self.play())
        self.folder_button.clicked.connect(lambda: self.ask_folder())
        self.speed.changed.connect(self._on_speed)
        self.tuning.changed.connect(self._on_tuning)

    def _on_networks(self) -> None:
        networks = self._desk.networks
        if networks is not None:
            default = float(networks.facts.get("pixel_threshold", 0.5))
            self.tuning.put(replace(self.tuning.tuning, threshold=default))
        self._on_ready()

    def _on_ready(self, *_: object) -> None:
        look, networks = self._desk.look, self._desk.networks
        busy = self._handle is not None and not self._handle.state.is_final
        usable = [] if look is None else [r for r, why in look.reasons.items() if not why]
        chosen = self.rule_box.currentData()
        if [self.rule_box.itemData(n) for n in range(self.rule_box.count())] != usable:
            self.rule_box.clear()
            for rule_id in usable:
                self.rule_box.addItem(RULES[rule_id].title, rule_id)
            wanted = chosen if chosen in usable else "B" if "B" in usable else None
            if wanted is not None:
                self.rule_box.setCurrentIndex(self.rule_box.findData(wanted))
        by = "the networks" if networks is not None else "a rule: no networks are open"
        self.who_line.setText(f"Tiles are read by {by}.")
        self._form.setRowVisible(self.rule_box, networks is None)
        self.tuning.with_networks(networks is not None)
        there = look is not None and look.image is not None
        reads = networks is not None or bool(usable)
        self.play_button.setEnabled(there and reads and not busy)
        self.folder_button.setEnabled(not busy)

    # -- do ------------------------------------------------------------------------------

    def play(self) -> JobHandle[Any] | None:
        """Play the active scene as a flight line."""
        desk, scene = self._desk, self._desk.scene
        if scene is None:
            return None
        self.run = FeedRun(
            scene, desk.question, str(self.rule_box.currentData() or "B"), self.speed.value,
            int(self.waiting.value), self.tuning.tuning,
        )  # fmt: skip
        self.files_line.setText("")
        job: Job[Any] = Job(
            f"Play {scene.title} as a feed", self.run, scene_id=scene.id, topic="fire"
        )
        self._asked = job
        self.show_counts(FeedCounts())
        self._follow(desk.workspace.submit(job, on_result=desk.take, on_partial=self._show_part))
        return self._handle

    def ask_folder(self) -> None:
        """Let the user choose a folder to watch."""
        name = QFileDialog.getExistingDirectory(self, "Folder that images arrive in")
        if name:
            self.watch(Path(name))

    def watch(self, folder: Path) -> JobHandle[Any]:
        """Open and search each file that arrives in a folder."""
        question = self._desk.question
        self.grid.hide()
        job: Job[Any] = Job(f"Watch {folder.name} for images", FolderRun(folder, question))
        self._asked = job
        self.show_counts(FeedCounts(), "file")
        handle = self._desk.workspace.submit(job, on_partial=self._on_arrival)
        self._follow(handle)
        return handle

    def _follow(self, handle: JobHandle[Any]) -> None:
        self._handle = handle
        self.running.follow(handle)
        self._on_ready()

    def _on_speed(self, value: float) -> None:
        if self.run is not None:
            self.run.lines_per_second = value

    def _on_tuning(self) -> None:
        if self.run is not None:
            self.run.tuning = self.tuning.tuning
            self.grid.show_tiles(self.grid.tiles, self.run.tuning.gate)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        self.running.refresh()
        if handle.job is not self._asked:
            return
        self.run = None
        if handle.result is None and handle.job.scene_id is not None:
            self._desk.take_away_partial(handle.job.scene_id)
        found = getattr(handle.result, "found", None)
        if found is not None:
            self.show_counts(FeedCounts(**found.summary["feed"]))
            rows, cols, _ = handle.result.image.scene.shape
            places = [(w.row, w.col) for w in tile_windows(rows, cols)]
            self.grid.show_tiles(found.tiles, found.tuning.gate, places, over=True)
        self._on_ready()

    # -- what came -----------------------------------------------------------------------

    def _show_part(self, part: Any) -> None:
        scene = self._desk.scene
        if not isinstance(part, FeedPart) or scene is None or self.run is None:
            return
        self._desk.lay(part.overlays)
        self.show_counts(part.counts)
        if scene is self.run.scene:
            places = [(w.row, w.col) for w in tile_windows(*scene.shape[:2])]
            self.grid.show_tiles(part.tiles, self.run.tuning.gate, places)

    def _on_arrival(self, arrival: Any) -> None:
        if not isinstance(arrival, Arrival):
            return
        self.show_counts(arrival.counts, "file")
        if arrival.scene is None or arrival.answer is None:
            if arrival.error is not None:
                self.files_line.setText(f"{arrival.path.name} was left out: {arrival.error}")
            return
        arrival.taken = True
        self._desk.workspace.add_scene(arrival.scene)
        self._desk.take(arrival.answer)
        pixels = arrival.answer.found.summary["fire_pixels"]
        self.files_line.setText(f"{arrival.path.name}: {pixels:,} px of fire.")

    def show_counts(self, counts: FeedCounts, unit: str = "frame") -> None:
        """Say what became of what came."""
        lines = f"{counts.lines:,} scan lines, {counts.tiles:,} tiles. " if unit == "frame" else ""
        late = f"<b>{counts.late} late</b>" if counts.late else "0 late"
        dropped = f"<b>{counts.dropped} dropped</b>" if counts.dropped else "0 dropped"
        self.counts_line.setText(f"{lines}{counts.frames:,} {unit}s read, {late}, {dropped}.")


def _speed(value: float) -> str:
    return "fastest" if value == FASTEST else f"{value:.0f} /s"
