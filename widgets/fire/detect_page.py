"""Rules and networks over the open scene: what with, go, what was found, live numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from backends.fire.combined import tile_windows
from backends.fire.question import FireAnswer, FireQuestion
from backends.fire.results import TilePartial
from backends.jobs import Job, JobHandle, Progress
from backends.scene import Scene
from widgets.background import listen
from widgets.eliding import ElidedLabel
from widgets.fire.desk import FireDesk
from widgets.fire.rules_list import RulesList
from widgets.fire.tuning import TuningRows
from widgets.fire.verdict_grid import VerdictGrid
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped

NETWORK_FILES = "Fire networks (*.safetensors *.h5)"


class DetectPage(QWidget):
    """Reads as a sentence: rules and networks, find, figures, turn the numbers."""

    def __init__(self, desk: FireDesk) -> None:
        super().__init__()
        self._desk = desk
        self._handle: JobHandle[Any] | None = None
        self._asked: Job[Any] | None = None
        self._build()
        desk.looked.connect(self._on_look)
        desk.loaded.connect(self._on_networks)
        desk.answered.connect(self._show)
        listen(self, desk.workspace.job_finished, self._on_finished)
        self._on_networks()
        self._show()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(wrapped("<b>Ask these rules</b>"))
        self.rules = RulesList()
        column.addWidget(self.rules)
        self.networks_line = wrapped()
        column.addWidget(self.networks_line)
        row = QHBoxLayout()
        self.load_button = QPushButton("Open networks…")
        self.load_button.setToolTip(
            "Networks of 'clearband fire train', or both files of the published Keras pair"
        )
        self.forget_button = QPushButton("Without networks")
        row.addWidget(self.load_button)
        row.addWidget(self.forget_button)
        column.addLayout(row)
        self.go_button = QPushButton("Find fire")
        self.go_button.setDefault(True)
        column.addWidget(self.go_button)
        self.running = RunningRow()
        column.addWidget(self.running)
        self.result = QWidget()
        column.addWidget(self.result)
        inner = QVBoxLayout(self.result)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(GRID)
        self.found_line = wrapped()
        inner.addWidget(self.found_line)
        self.tuning = TuningRows()
        inner.addWidget(self.tuning)
        self.grid_line = wrapped()
        inner.addWidget(self.grid_line)
        self.grid = VerdictGrid()
        inner.addWidget(self.grid)
        again = QHBoxLayout()
        self.command_line = ElidedLabel()
        self.command_line.setToolTip("The command line that does the same")
        self.copy_button = QToolButton()
        self.copy_button.setText("Copy")
        self.copy_button.setToolTip("Copy the command line that does the same")
        again.addWidget(self.command_line, 1)
        again.addWidget(self.copy_button)
        inner.addLayout(again)
        self.go_button.clicked.connect(lambda: self.find())
        self.load_button.clicked.connect(lambda: self.ask_networks())
        self.forget_button.clicked.connect(lambda: self._desk.forget_networks())
        self.copy_button.clicked.connect(lambda: self._copy())
        self.tuning.changed.connect(self._turn)
        self.grid.asked.connect(self._go_to)
        self.rules.ticked.connect(self._on_ready)

    # -- what there is -------------------------------------------------------------------

    def _on_look(self) -> None:
        look = self._desk.look
        if look is not None and look.image is not None:
            self.rules.offer(look.reasons)
        self._on_ready()

    def _on_networks(self) -> None:
        networks = self._desk.networks
        self.forget_button.setVisible(networks is not None)
        if networks is None:
            self.networks_line.setText("No networks: the rules alone are asked.")
            self.networks_line.setToolTip("")
        else:
            channels = ", ".join(map(str, networks.channels))
            name = self._desk.question.model
            title = name.name if name is not None else "Networks"
            self.networks_line.setText(f"Networks {title}: AMS channels {channels}.")
            facts = {k: v for k, v in networks.facts.items() if isinstance(v, (str, int, float))}
            self.networks_line.setToolTip("\n".join(f"{k}: {v}" for k, v in facts.items()))
            default = float(networks.facts.get("pixel_threshold", 0.5))
            self.tuning.put(replace(self.tuning.tuning, threshold=default))
        self._on_ready()

    def _on_ready(self) -> None:
        look, networks = self._desk.look, self._desk.networks
        busy = self._handle is not None and not self._handle.state.is_final
        ready = look is not None and look.image is not None
        asks = bool(self.rules.chosen()) or networks is not None
        self.go_button.setEnabled(ready and asks and not busy)
        lacks: list[int] = []
        if ready and networks is not None and look is not None and look.image is not None:
            lacks = [n for n in networks.channels if n not in look.image.bands.ams]
        tip = ""
        if lacks:
            named = ", ".join(map(str, lacks))
            tip = f"The scene lacks AMS channels {named} that the networks need."
            self.go_button.setEnabled(False)
        elif not asks:
            tip = "Tick a rule, or open networks."
        self.go_button.setToolTip(tip)
        self.rules.setEnabled(ready)

    # -- do ------------------------------------------------------------------------------

    def ask_networks(self) -> None:
        """Let the user choose networks."""
        names, _ = QFileDialog.getOpenFileNames(self, "Open fire networks", "", NETWORK_FILES)
        if names:
            self._desk.load([Path(name) for name in names])

    def question(self) -> FireQuestion:
        """Return how fire would be looked for now."""
        desk, tuning = self._desk, self.tuning.tuning
        return replace(
            desk.question, rules=self.rules.chosen(), gate=tuning.gate, min_size=tuning.min_size,
            threshold=tuning.threshold if desk.networks is not None else None,
        )  # fmt: skip

    def find(self) -> JobHandle[Any] | None:
        """Look for fire in the active scene."""
        desk, scene = self._desk, self._desk.scene
        if scene is None:
            return None
        question = self.question()

        def run(progress: Progress) -> FireAnswer:
            return question.ask(scene, progress=progress)

        job = Job(
            f"Find fire in {scene.title}", run, scene_id=scene.id, topic="fire",
            parameters={"rules": ",".join(question.rules or ()), "model": str(question.model)},
            command=question.command(scene),
        )  # fmt: skip
        self._asked = job
        self._handle = desk.workspace.submit(
            job, on_result=desk.take, on_partial=self._show_partial
        )
        self.running.follow(self._handle)
        self._on_ready()
        return self._handle

    def _turn(self) -> None:
        """Draw anew with other numbers."""
        answer, tuning = self._desk.answer, self.tuning.tuning
        if answer is None or answer.found.tuning == tuning:
            return
        scene = answer.image.scene
        lower = tuning.gate < answer.found.tuning.gate

        def run(progress: Progress) -> FireAnswer:
            return answer.retuned(tuning.gate, tuning.threshold, tuning.min_size, progress)

        job = Job(
            f"Draw the fire of {scene.title} anew", run, scene_id=scene.id, topic="fire turn",
            quiet=not lower,
        )  # fmt: skip
        handle = self._desk.workspace.submit(job, on_result=self._desk.take)
        if lower:
            self.running.follow(handle)
        if self.grid.tiles:
            self.grid.show_tiles(self.grid.tiles, tuning.gate, self._places(scene), over=True)

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        self.running.refresh()
        if handle.job is self._asked:
            if handle.result is None and handle.job.scene_id is not None:
                self._desk.take_away_partial(handle.job.scene_id)
                self._show()
            self._on_ready()

    def _go_to(self, row: float, col: float) -> None:
        scene = self._desk.scene
        if scene is not None:
            self._desk.workspace.commands.shown.emit((scene.id, row, col))

    def _copy(self) -> None:
        board = QApplication.clipboard()
        if board is not None:
            board.setText(self.command_line.text())

    # -- what came -----------------------------------------------------------------------

    def _show_partial(self, part: Any) -> None:
        if not isinstance(part, TilePartial):
            return
        self._desk.lay(part.overlays)
        scene = self._desk.scene
        if scene is None or self._asked is None or self._asked.scene_id != scene.id:
            return
        self.result.show()
        self.found_line.setText("Partial, still being read.")
        self.tuning.with_networks(True)
        places = self._places(scene)
        self.grid.show_tiles(part.tiles, self.tuning.tuning.gate, places)
        self.grid_line.setText(f"{len(part.tiles)} of {len(places)} tiles read.")
        self.grid_line.show()

    @staticmethod
    def _places(scene: Scene) -> list[tuple[int, int]]:
        rows, cols, _ = scene.shape
        return [(w.row, w.col) for w in tile_windows(rows, cols)]

    def _show(self) -> None:
        answer = self._desk.answer
        self.result.setVisible(answer is not None)
        if answer is None:
            return
        found = answer.found
        self.found_line.setText(found_words(answer))
        self.tuning.put(found.tuning)
        has_tiles = bool(found.tiles)
        self.tuning.with_networks(answer.networks is not None)
        places = self._places(answer.image.scene) if has_tiles else ()
        self.grid.show_tiles(found.tiles, found.tuning.gate, places, over=True)
        self.grid_line.setVisible(has_tiles)
        if has_tiles:
            self.grid_line.setText(
                f"{self.grid.opened} of {len(found.tiles)} tiles are let in by the gate. "
                "Click one to go there."
            )
        line = answer.question.line(answer.image.scene)
        self.command_line.setText(line)
        self.command_line.setToolTip(line)
        self.command_line.setVisible(bool(line))
        self.copy_button.setVisible(bool(line))


def found_words(answer: FireAnswer) -> str:
    """Return how much fire was found, and by what."""
    found, summary = answer.found, answer.found.summary
    size = "" if summary["fire_ha"] is None else f", {summary['fire_ha']:,.1f}\u00a0ha"
    who = "the networks" if answer.networks is not None else "any rule"
    lines = [f"<b>{summary['fire_pixels']:,} px{size}</b> by {who}. Draft, not verified."]
    if found.rules:
        parts = [f"{a.rule.id} {int(a.mask.sum()):,}" for a in found.rules.values()]
        lines.append("Pixels a rule: " + ", ".join(parts) + ".")
    if "feed" in summary:
        feed = summary["feed"]
        lines.append(f"Of a feed: {feed['late']} frames late, {feed['dropped']} dropped.")
    return "<br>".join(lines)
