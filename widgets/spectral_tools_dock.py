"""The daily work with spectra: prepare, match, compute, transform, find what is odd, unmix."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QDockWidget, QPushButton, QVBoxLayout, QWidget

from backends.jobs import Job, JobHandle
from backends.overlays import ClassMap
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import PageTabs, scrolled_column
from widgets.running_row import RunningRow
from widgets.sight import Sight
from widgets.spectral_tools.asking import Answer, Question
from widgets.spectral_tools.change_form import ChangeForm
from widgets.spectral_tools.forms import (
    AnomaliesForm,
    ClusterForm,
    MatchForm,
    TargetForm,
    ToolForm,
    TransformForm,
    UnmixForm,
)
from widgets.spectral_tools.formula_form import FormulaForm
from widgets.spectral_tools.index_form import IndexForm
from widgets.spectral_tools.prepare_form import PrepareForm
from widgets.spectral_tools.rank_form import RankForm
from widgets.spectral_tools.references_box import ReferencesBox
from widgets.spectral_tools.result_panel import ResultPanel
from widgets.spectral_tools.scatter_form import ScatterForm
from widgets.theme import GRID, EmptyState, wrapped

_TIPS = {
    "Prepare": "Bad bands, stripes, a part, another sensor's bands, another map grid",
    "Match": "Which reference spectrum each pixel is most like",
    "Rank": "References ranked for one spectrum by several measures, as you weigh them",
    "Formula": "Indices and band mathematics, by wavelength",
    "Index": "Spectral indices by name: NDVI, NBR and 280 others",
    "Transform": "PCA, MNF, ICA",
    "Cluster": "Pixels that belong together, without labels (k-means, ISODATA)",
    "Anomalies": "What is unlike its background (RX)",
    "Target": "Where a known spectrum is, also within pixels",
    "Unmix": "Shares of pure materials",
    "Change": "What changed between two open scenes of one place",
    "Scatter": "Two bands or maps against each other, brushed on both sides",
}
_GO = {
    "Prepare": "",
    "Match": "Match every pixel",
    "Rank": "",
    "Formula": "Compute for the whole scene",
    "Index": "Compute for the whole scene",
    "Transform": "Transform the scene",
    "Cluster": "Cluster the scene",
    "Anomalies": "Find anomalies",
    "Target": "Look for it",
    "Unmix": "Unmix the scene",
    "Change": "Compare the scenes",
    "Scatter": "",
}
# What comes as a layer at once; the rest is a double click away.
_MOST_AT_ONCE = 1


class SpectralToolsDock(QWidget):
    """Reads as a sentence: scene, tool, with what, go, what was found."""

    ID = "spectral_tools"
    TITLE = "Spectral tools"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        *,
        sight: Sight | None = None,
        open_file: Callable[[Path], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._open_file = workspace, open_file
        self._written: dict[Path, Answer] = {}
        self._handle: JobHandle[Answer] | None = None
        self._job: Job[Answer] | None = None
        self._answers: dict[str, Answer] = {}
        self._frame: QDockWidget | None = None
        self._build(sight or Sight())
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_added, self._on_added)
        listen(self, workspace.scene_removed, self._on_removed)
        listen(self, workspace.job_finished, self._on_finished)
        self._on_scene(workspace.active_scene)

    def _build(self, sight: Sight) -> None:
        column = scrolled_column(self)
        self.empty = EmptyState("Open a scene with several bands to work with its spectra.")
        column.addWidget(self.empty)
        self.content = QWidget()
        column.addWidget(self.content)
        column.addStretch(1)
        body = QVBoxLayout(self.content)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        self.scene_line = wrapped()
        body.addWidget(self.scene_line)
        self.references = ReferencesBox(self._workspace)
        self.rank = RankForm(self._workspace, self.references.chosen)
        self.match, self.cluster = MatchForm(), ClusterForm()
        self.transform = TransformForm(self._workspace, self.references.chosen)
        self.formula = FormulaForm(self._workspace, sight)
        self.index = IndexForm(self._workspace, sight)
        self.prepare = PrepareForm(self._workspace, sight)
        self.change, self.scatter = ChangeForm(self._workspace), ScatterForm(self._workspace)
        self.anomalies, self.target, self.unmix = AnomaliesForm(), TargetForm(), UnmixForm()
        self.forms: dict[str, ToolForm] = {
            "Prepare": self.prepare, "Match": self.match, "Rank": self.rank,
            "Formula": self.formula, "Index": self.index,
            "Transform": self.transform, "Cluster": self.cluster,
            "Anomalies": self.anomalies, "Target": self.target, "Unmix": self.unmix,
            "Change": self.change, "Scatter": self.scatter,
        }  # fmt: skip
        tabs = PageTabs(self.forms, _TIPS, self.show_tool)
        self.tabs = tabs.buttons
        body.addLayout(tabs)
        for form in self.forms.values():
            body.addWidget(form)
            form.changed.connect(self._on_asked)
        self.references.changed.connect(self._on_asked)
        self.references.changed.connect(self.rank.rank_anew)
        body.addWidget(self.references)
        self.go_button = QPushButton()
        self.go_button.setDefault(True)
        self.go_button.clicked.connect(partial(self._press))
        self.problem_line = wrapped()
        self.running = RunningRow()
        self.result = ResultPanel(self._workspace)
        for part in (self.problem_line, self.go_button, self.running, self.result):
            body.addWidget(part)
        self._tool = "Match"
        self.show_tool("Match")

    def show_tool(self, name: str, *_: object) -> None:
        """Turn to a tool."""
        self._tool = name
        self.tabs[name].setChecked(True)
        for other, form in self.forms.items():
            form.setVisible(other == name)
        self.go_button.setVisible(self.form.RUNS)
        self._on_asked()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        # A dock behind another's tab counts as visible; only its frame knows.
        frame = self.parentWidget()
        while frame is not None and not isinstance(frame, QDockWidget):
            frame = frame.parentWidget()
        if isinstance(frame, QDockWidget) and frame is not self._frame:
            self._frame = frame
            frame.visibilityChanged.connect(self.formula.come_forward)
            frame.visibilityChanged.connect(self.index.come_forward)

    @property
    def form(self) -> ToolForm:
        """The form of the tool chosen."""
        return self.forms[self._tool]

    # -- what there is -------------------------------------------------------------------

    def _on_scene(self, scene: Scene | None) -> None:
        self.empty.setVisible(scene is None)
        self.content.setVisible(scene is not None)
        if scene is not None:
            title = scene.title.replace("&", "&amp;").replace("<", "&lt;")
            self.scene_line.setText(f"<b>{title}</b>")
        self.result.show_answer(self._answers.get(scene.id) if scene is not None else None)
        self._on_asked()

    def _on_removed(self, scene_id: str) -> None:
        self._answers.pop(scene_id, None)

    def _on_asked(self, *_: object) -> None:
        """Say what is missing, or let it be run."""
        scene, form = self._workspace.active_scene, self.form
        self.go_button.setText(form.go or _GO[self._tool])
        self.references.setVisible(form.compares)
        problem = ""
        if scene is not None and form.RUNS:
            problem = form.problem(scene, self.references.chosen())
        busy = self._handle is not None and not self._handle.state.is_final
        self.problem_line.setText(problem.strip())
        self.problem_line.setVisible(bool(problem.strip()))
        self.go_button.setEnabled(scene is not None and not problem and not busy)

    # -- do ------------------------------------------------------------------------------

    def _press(self, *_: object) -> None:
        self.run()

    def run(self) -> JobHandle[Answer] | None:
        """Run the chosen tool on the active scene."""
        scene, form = self._workspace.active_scene, self.form
        if scene is None or not form.RUNS or form.problem(scene, self.references.chosen()):
            return None
        asked = Question(
            scene,
            form.title or self._tool,
            form.tool,
            form.settings(),
            form.others_than(self.references.chosen()) if form.compares else None,
            form.others(),
            str(form.target or self._folder(scene, form.tool)),
            form.regions(),
            form.replaces,
            form.ranked(),
        )
        self.formula.end_preview()
        self.index.end_preview()
        job: Job[Answer] = Job(
            f"{form.title or self._tool} of {scene.title}",
            asked,
            scene_id=scene.id,
            parameters=dict(asked.settings),
            command=asked.command,
            topic="spectral tools",
        )
        self.result.show_answer(None)
        self._job = job
        self._handle = self._workspace.submit(job, on_result=self._show)
        self.running.follow(self._handle)
        self._on_asked()
        return self._handle

    def _folder(self, scene: Scene, tool: str) -> str:
        """Return a folder for the files of a run that no other run of the log has."""
        words = [word for line in self._workspace.run_log.lines for word in line.command]
        stem = scene.info.path.stem if scene.info.path is not None else "scene"
        name, number = f"{stem}_{tool}", 2
        while name in words:
            name, number = f"{stem}_{tool}_{number}", number + 1
        return name

    def _show(self, answer: Answer) -> None:
        product = answer.product
        maps = [o for o in product.overlays if not isinstance(o, ClassMap)]
        classes = [o for o in product.overlays if isinstance(o, ClassMap)]
        # Scores lie below the classes that were cut from them; of many only the first one.
        first = maps[:_MOST_AT_ONCE] if not classes or len(maps) == 1 else []
        for overlay in (*first, *classes):
            self._workspace.add_overlay(overlay)
        if product.overlays:
            self._workspace.activate_overlay([*first, *classes][-1].id)
        self._answers[answer.asked.scene.id] = answer
        self.scatter.offer(answer.asked.scene.id, product.overlays)
        scene = self._workspace.active_scene
        if scene is answer.asked.scene:
            self.result.show_answer(answer)
        if "written" in product.summary:
            self.prepare.name_anew()
            self._open(answer)

    def _open(self, answer: Answer) -> None:
        """Open what was written, and say of the new scene what it came from."""
        for name in answer.product.summary["written"]:
            path = Path(name)
            self._written[path.with_suffix("")] = answer
            if self._open_file is not None:
                self._open_file(path)

    def _on_added(self, scene: Scene) -> None:
        path = scene.info.path
        answer = None if path is None else self._written.pop(path.with_suffix(""), None)
        if answer is not None:
            self._answers[scene.id] = answer

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle.job is self._job:
            if handle.error is not None:
                self.result.say(str(handle.error))
            self._on_asked()
            self.running.refresh()
