"""Teaching a network to tell a folder of labelled images apart, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.errors import ClearbandError
from backends.hyperspectral.estimate import in_words
from backends.jobs import Job, JobHandle, JobState, Progress
from backends.learning.grouping import GroupRule
from backends.learning.image_folder import ImageSet, find_images
from backends.learning.teaching_time import expected_teaching_seconds
from backends.learning.trained_networks import TrainedNetwork
from backends.learning.training_checkpoint import checkpoint_words
from backends.learning.training_plan import ImageCurve
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box, scrolled_column
from widgets.teaching.choices import (
    NETWORKS,
    FoldedSettings,
    GroupChoice,
    StartChoice,
    sentence,
)
from widgets.teaching.curves import ImageTrainingPlot
from widgets.teaching.results import TeachingResult, fill, table
from widgets.theme import GRID, EmptyState, wrapped

if TYPE_CHECKING:
    from backends.learning.finetune import FinetuneSettings


class FinetuneDock(QWidget):
    """Reads as a sentence: images, groups, network, settings, go, curves, figures."""

    ID = "finetune"
    TITLE = "Train"

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        open_file: Callable[[Path], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._open_file = workspace, open_file
        self._source: Path | None = None
        self._images: ImageSet | None = None
        self._known: list[TrainedNetwork] = []
        self._handle: JobHandle[Any] | None = None
        self._looking: JobHandle[Any] | None = None
        self._can_keep = False
        self._split: list[tuple[str, str, str]] = []  # rows of the classes, once checked
        self._build()
        listen(self, workspace.job_finished, self._on_finished)
        self._refresh()

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        column = scrolled_column(self)
        self.empty = EmptyState(
            "Teach a network to tell images apart: choose a folder with one folder of images a "
            "class.",
            "Choose a folder…",
            self._ask_folder,
        )
        column.addWidget(self.empty)
        self.source_line = wrapped()
        column.addWidget(self.source_line)
        row = QHBoxLayout()
        self.folder_button, self.table_button = QPushButton("Folder…"), QPushButton("Table…")
        self.folder_button.setToolTip("A folder with one folder a class")
        self.table_button.setToolTip(
            "A table (.csv) with the columns path and label and, where wanted, group, mask, part"
        )
        self.folder_button.clicked.connect(self._ask_folder)
        self.table_button.clicked.connect(self._ask_table)
        row.addWidget(self.folder_button)
        row.addWidget(self.table_button)
        column.addLayout(row)
        self.choices = QWidget()
        column.addWidget(self.choices)
        self._build_choices(QVBoxLayout(self.choices))
        self.problem_line, self.check_line = wrapped(), wrapped()
        for line in (self.problem_line, self.check_line):
            line.hide()
            column.addWidget(line)
        self.curves = ImageTrainingPlot()
        column.addWidget(self.curves)
        self.result = TeachingResult(self._open_image)
        column.addWidget(self.result)
        column.addStretch(1)

    def _build_choices(self, column: QVBoxLayout) -> None:
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.classes = table(("Class", "Images", "Groups"))
        column.addWidget(self.classes)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self.groups = GroupChoice()
        self.groups.changed.connect(self._look)
        form.addRow("Together", self.groups)
        self.model_box = narrow_box()
        for model, title in NETWORKS:
            self.model_box.addItem(title, model)
        self.model_box.currentIndexChanged.connect(self._refresh)
        form.addRow("Network", self.model_box)
        self.start = StartChoice()
        self.start.changed.connect(self._refresh)
        form.addRow("Starts from", self.start)
        column.addLayout(form)
        self.settings = FoldedSettings()
        self.settings.changed.connect(self._refresh)
        column.addWidget(self.settings)
        self.out_line = wrapped()
        column.addWidget(self.out_line)
        self.go_button = QPushButton("Train")
        self.go_button.setDefault(True)
        self.go_button.clicked.connect(self.train)
        column.addWidget(self.go_button)
        row = QHBoxLayout()
        self.check_button = QPushButton("Check the images")
        self.check_button.setToolTip(
            "Read every image: which cannot be used, how they split, doubles across the parts"
        )
        self.check_button.clicked.connect(self.check)
        self.keep_button, self.stop_button = QPushButton("Stop and keep"), QPushButton("Stop")
        self.keep_button.setToolTip("End now, measure and keep the best state so far")
        self.stop_button.setToolTip("Stop; 'Train' with the same settings goes on from here")
        self.keep_button.clicked.connect(self._keep)
        self.stop_button.clicked.connect(self._stop)
        for button in (self.check_button, self.keep_button, self.stop_button):
            row.addWidget(button)
        column.addLayout(row)

    # -- what there is -------------------------------------------------------------------

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder with one folder a class")
        if name:
            self.choose(Path(name))

    def _ask_table(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Table of images and labels", "", "Tables (*.csv *.tsv *.txt)"
        )
        if name:
            self.choose(Path(name))

    def choose(self, source: Path) -> None:
        """Take a folder or a table and look what is in it."""
        self._source = source
        self.result.clear()
        self.curves.clear()
        self._look()

    def _look(self) -> None:
        """List the images; none is opened."""
        self._images, self._split = None, []
        self.check_line.hide()
        self._refresh()
        if self._source is None:
            return
        try:
            rule = self.groups.rule()
        except ClearbandError as error:
            self._say(sentence(error))
            return
        self._say("Looking …")
        source = self._source
        job: Job[Any] = Job(
            f"List the images of {source.name}",
            partial(_list, source, rule),
            topic="finetune.look",
            quiet=True,
        )
        self._looking = self._workspace.submit(job, on_result=self._on_found)

    def _on_found(self, answer: Any) -> None:
        self._images, self._known = answer
        self._say("")
        self._refresh()

    def _refresh(self, *_: object) -> None:
        found, source = self._images, self._source
        self.empty.setVisible(source is None)
        for widget in (self.source_line, self.folder_button, self.table_button):
            widget.setVisible(source is not None)
        self.choices.setVisible(found is not None)
        if source is not None:
            self.source_line.setText(f"<b>{_escape(source.name)}</b>")
        if found is None or source is None:
            return
        groups = len(set(found.groups.names))
        own = "" if groups == len(found.images) else f" in {groups:,} groups"
        gone = f"; {len(found.skipped)} files left out" if found.skipped else ""
        self.source_line.setText(
            f"<b>{_escape(source.name)}</b>: {len(found.images):,} images of "
            f"{len(found.classes)} classes{own}{gone}."
        )
        self.source_line.setToolTip("\n".join(f"{s.name}: {s.why}" for s in found.skipped[:20]))
        rows = [(c["class"], f"{c['images']:,}", f"{c['groups']:,}") for c in found.counts()]
        fill(self.classes, self._split or rows, most=8)
        self.classes.setToolTip("Training / validation / test" if self._split else "")
        self.out_line.setText(f"Results go to the folder {_escape(self.out.name)} beside it.")
        self.out_line.setToolTip(str(self.out))
        busy = self._handle is not None and not self._handle.state.is_final
        self.go_button.setEnabled(not busy)
        self.check_button.setVisible(not busy)
        self.stop_button.setVisible(busy)
        self.keep_button.setVisible(busy)
        self.keep_button.setEnabled(busy and self._handle is not None and self._can_keep)
        self.go_button.setText(self._go_text(len(found.images)))

    def _go_text(self, images: int) -> str:
        shares = self.settings.split_box.currentData()
        side = self.settings.size_box.value()
        seconds = expected_teaching_seconds(
            self._model, round(images * shares[0] / 100), (side, side),
            self.settings.epochs_box.value(), known=self._known,
        )  # fmt: skip
        word = "Go on with the training" if self._goes_on else "Train"
        return word if seconds is None else f"{word} (about {in_words(seconds)})"

    @property
    def _model(self) -> str:
        return str(self.model_box.currentData())

    @property
    def _goes_on(self) -> bool:
        """Whether a stopped training with these settings lies in the folder."""
        if self._source is None:
            return False
        try:
            return checkpoint_words(self.out) == self.chosen().words(self._source)
        except ClearbandError:
            return False

    @property
    def out(self) -> Path:
        """Folder for the results."""
        assert self._source is not None
        seed = self.settings.seed_box.value()
        return self._source.parent / f"{self._source.stem}_{self._model}_{seed}"

    def chosen(self) -> FinetuneSettings:
        """Return what is chosen, as the command line would give it.

        Raises
        ------
        WrongUse
            The pattern for groups cannot be read.
        """
        from backends.learning.finetune import FinetuneSettings

        box = self.settings
        side = box.size_box.value()
        shares = box.split_box.currentData()
        return FinetuneSettings(
            self._model,
            self.start.path,
            (side, side),
            self.groups.rule(),
            (shares[0] / 100, shares[1] / 100, shares[2] / 100),
            str(box.kind_box.currentData()),
            {
                "epochs": box.epochs_box.value(),
                "batch": box.batch_box.value(),
                "patience": box.patience_box.value(),
                "scope": str(box.scope_box.currentData()),
                "balance": str(box.balance_box.currentData()),
            },
            box.seed_box.value(),
        )

    # -- do ------------------------------------------------------------------------------

    def train(self) -> None:
        """Teach the chosen network on the images."""
        settings = self._settings()
        if settings is None or self._source is None:
            return
        source, out = self._source, self.out
        words = [*settings.words(source), "--out", str(out)]
        job: Job[Any] = Job(
            f"Teach {self.model_box.currentText().split(' · ')[0]} on {source.name}",
            partial(_teach, source, settings, out, self._goes_on),
            parameters={"model": settings.model, "seed": settings.seed, **settings.training},
            command=tuple(words),
            topic="finetune",
        )
        self.result.clear()
        self.curves.clear()
        self.check_line.hide()
        self._submit(job, self._show)

    def check(self) -> None:
        """Read every image and say how they split and what leaks."""
        settings = self._settings()
        if settings is None or self._source is None:
            return
        job: Job[Any] = Job(
            f"Check the images of {self._source.name}",
            partial(_check, self._source, settings),
            topic="finetune",
        )
        self._submit(job, self._show_check)

    def _settings(self) -> FinetuneSettings | None:
        try:
            settings = self.chosen()
            settings.plan()
        except ClearbandError as error:
            self._say(sentence(error))
            return None
        return settings

    def _submit(self, job: Job[Any], show: Callable[[Any], None]) -> None:
        self._say("")
        self._can_keep = False
        handle = self._workspace.submit(job, on_result=show, on_partial=self._show_partial)
        self._handle = handle
        self._refresh()

    def _keep(self) -> None:
        if self._handle is not None:
            self._handle.finish()
            self._say("Ending; the best state so far is measured and kept …")

    def _stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _say(self, text: str) -> None:
        self.problem_line.setText(text)
        self.problem_line.setVisible(bool(text))

    # -- what came ------------------------------------------------------------------------

    def _show_partial(self, part: Any) -> None:
        if isinstance(part, ImageCurve):
            self.curves.show_curve(part)
            if part.done and not self._can_keep:
                self._can_keep = True
                self._refresh()

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is self._looking and handle.error is not None:
            self._say(sentence(handle.error))
        if handle is not self._handle:
            return
        self._say("" if handle.error is None else sentence(handle.error))
        if handle.state is JobState.CANCELLED and self._goes_on:
            self._say("Stopped; it can go on from the last whole round.")
        self._refresh()

    def _show(self, answer: Any) -> None:
        found, known = answer
        self._known = known
        mine = found.card["data"]["source"]
        others = [n.card for n in known if n.card["data"]["source"] == mine]
        self.result.show_card(found.card, found.predictions, others)
        self._refresh()

    def _show_check(self, answer: Any) -> None:
        self._split, notes, skipped = answer
        gone = [f"{s.name} {s.why}." for s in skipped[:5]]
        more = [f"And {len(skipped) - 5} more files."] if len(skipped) > 5 else []
        self.check_line.setText("<br>".join(map(_escape, [*notes, *gone, *more])))
        self.check_line.show()
        self._refresh()

    def _open_image(self, name: str) -> None:
        if self._source is not None and self._open_file is not None:
            root = self._source if self._source.is_dir() else self._source.parent
            self._open_file(root / name)


def _list(source: Path, rule: GroupRule, progress: Progress) -> Any:
    from backends.learning.trained_networks import trained_networks

    return find_images(source, rule), trained_networks()


def _teach(
    source: Path, settings: FinetuneSettings, out: Path, resume: bool, progress: Progress
) -> Any:
    from backends.learning.finetune import finetune
    from backends.learning.trained_networks import trained_networks

    found = finetune(source, settings, out, resume=resume, progress=progress)
    return found, trained_networks()


def _check(source: Path, settings: FinetuneSettings, progress: Progress) -> Any:
    from backends.learning.image_data import load_images

    with load_images(
        source, settings.size, rule=settings.rule, shares=settings.shares, seed=settings.seed,
        progress=progress,
    ) as data:  # fmt: skip
        rows = [
            (
                str(row["class"]),
                " / ".join(str(row[part]["images"]) for part in ("train", "val", "test")),
                " / ".join(str(row[part]["groups"]) for part in ("train", "val", "test")),
            )
            for row in data.to_dict()["split"]["parts"]
        ]
        return rows, data.notes, data.images.skipped


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
