"""Whether the heatmap can be believed: not assessed until asked, then every part of its card."""

from __future__ import annotations

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

from backends.jobs import Job, JobHandle, Progress
from backends.overlays import Heatmap
from widgets.background import listen
from widgets.explaining.curve_plot import CurvePlot
from widgets.explaining.desk import Desk
from widgets.explaining.picture_label import PictureLabel
from widgets.explaining.questions import Answer, Assess
from widgets.explaining.trust_parts import PartsTable, parts_of
from widgets.explaining.words import badge, escape, sentence, share
from widgets.pages import Page, narrow_box
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped

if TYPE_CHECKING:
    from backends.explain.trust_card import TrustCard

NONE, FILE, LABELS = "none", "file…", "labels"


class TrustPage(Page):
    """Assess, then figures, curves with a cursor, and what the network saw at the cursor."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._handle: JobHandle[Any] | None = None
        self._files: list[Path] = []
        self._shown: TrustCard | None = None
        self.empty = wrapped("No heatmap here yet. Make one first (Explain).")
        self.column.addWidget(self.empty)
        self.content = QWidget()
        self.column.addWidget(self.content)
        self._build(QVBoxLayout(self.content))
        self.content.hide()
        listen(self, desk.workspace.regions_changed, self._fill_truth)
        listen(self, desk.workspace.labels_changed, lambda scene_id: self._fill_truth())
        listen(self, desk.workspace.job_finished, self._on_finished)

    def _build(self, column: QVBoxLayout) -> None:
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.title_line, self.verdict_line = wrapped(), wrapped()
        column.addWidget(self.title_line)
        column.addWidget(self.verdict_line)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.truth_box = narrow_box("Where the thing really is, if somebody knows")
        self.truth_box.activated.connect(self._on_truth)
        form.addRow("It lies in", self.truth_box)
        self.gone_box = narrow_box("What stands where something was taken away from the image")
        self.gone_box.addItem("what suits it", None)
        self.gone_box.addItem("air, black (CT)", 0.0)
        form.addRow("Taken away is", self.gone_box)
        column.addLayout(form)
        row = QHBoxLayout()
        self.assess_button, self.save_button = QPushButton("Assess"), QPushButton("Save…")
        self.assess_button.setDefault(True)
        self.save_button.setToolTip("Map, picture, curves and card into a folder")
        self.assess_button.clicked.connect(self.assess)
        self.save_button.clicked.connect(lambda: self.save())
        row.addWidget(self.assess_button, 1)
        row.addWidget(self.save_button)
        column.addLayout(row)
        self.problem_line, self.running = wrapped(), RunningRow()
        self.problem_line.hide()
        column.addWidget(self.problem_line)
        column.addWidget(self.running)
        self.parts = PartsTable()
        column.addWidget(self.parts)
        self.curves = QWidget()
        column.addWidget(self.curves)
        inside = QVBoxLayout(self.curves)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(2)
        self.curves_line = wrapped()
        self.deletion, self.insertion = CurvePlot("taken away", 5), CurvePlot("shown", 2)
        self.deletion.moved.connect(lambda fraction: self._at_cursor(fraction, False))
        self.insertion.moved.connect(lambda fraction: self._at_cursor(fraction, True))
        self.cursor_line, self.picture = wrapped(), PictureLabel(190)
        for widget in (
            self.curves_line,
            self.deletion,
            self.insertion,
            self.cursor_line,
            self.picture,
        ):
            inside.addWidget(widget)
        self.curves.hide()

    # -- what there is -------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """Draw anew; without a heatmap there is one sentence."""
        there = self.desk.field is not None
        self.empty.setVisible(not there)
        self.content.setVisible(there)
        super().refresh()

    def draw(self) -> None:
        """Show the card of the heatmap, or that it has none."""
        heatmap, answer = self.desk.field, self.desk.answer
        assert heatmap is not None
        card = None if answer is None else answer.card
        self.title_line.setText(f"<b>{escape(heatmap.title)}</b>")
        measurable = answer is not None and answer.found is not None
        self.verdict_line.setText(_verdict(heatmap, card, measurable))
        self._fill_truth()
        busy = self._handle is not None and not self._handle.state.is_final
        self.assess_button.setEnabled(measurable and not busy)
        self.assess_button.setToolTip(
            "Measures the map against random ones, changed images and random networks"
        )
        self.assess_button.setText("Assess" if card is None else "Assess again")
        self.save_button.setVisible(measurable)
        self.parts.show_parts(parts_of(card, heatmap.trust))
        if card is self._shown and card is not None:
            return
        self._shown = card
        self._show_curves(card)

    def _show_curves(self, card: TrustCard | None) -> None:
        of = None if card is None else card.faithfulness
        self.curves.setVisible(of is not None)
        self.picture.show_array(None)
        if of is None or card is None:
            return
        self.curves_line.setText(
            f"<b>What the network says while pixels go, hottest first</b>; grey: "
            f"{len(of.random_gaps)} random maps as smooth. In place of what is taken away: "
            f"{escape(of.substrates[0].title)}; before it is shown: "
            f"{escape(of.substrates[1].title)}."
        )
        self.deletion.show_curve(of.deletion, of.random_deletion)
        self.insertion.show_curve(of.insertion, of.random_insertion)
        self.insertion.place(0.0)
        self.deletion.place(0.0)
        self.deletion.place(10.0)

    def _fill_truth(self) -> None:
        heatmap = self.desk.field
        if heatmap is None:
            return
        chosen, box = self.truth_box.currentData(), self.truth_box
        box.clear()
        box.addItem("nobody said", NONE)
        for region in self.desk.workspace.regions.values():
            if region.scene_id == heatmap.scene_id:
                box.addItem(region.name, region.id)
        sheet = self.desk.workspace.labels.get(heatmap.scene_id)
        if sheet is not None and sheet.values.any():
            box.addItem("what is labelled", LABELS)
        for path in self._files:
            box.addItem(path.name, str(path))
        box.addItem("a file…", FILE)
        box.setCurrentIndex(max(0, box.findData(chosen)))

    def _on_truth(self, *_: object) -> None:
        if self.truth_box.currentData() != FILE:
            return
        self.truth_box.setCurrentIndex(0)
        name, _filter = QFileDialog.getOpenFileName(self, "Mask of where the thing is")
        if name:
            self.choose_truth(Path(name))

    def choose_truth(self, path: Path) -> None:
        """Compare with a mask from a file."""
        if path not in self._files:
            self._files.append(path)
        self._fill_truth()
        self.truth_box.setCurrentIndex(self.truth_box.findData(str(path)))

    # -- do ------------------------------------------------------------------------------

    def assess(self) -> None:
        """Measure the heatmap's trust."""
        answer = self.desk.answer
        if answer is None or answer.found is None:
            return
        self.problem_line.hide()
        work = Assess(answer, self._truth(answer), self.gone_box.currentData())
        self._handle = self.desk.assess(work)
        self.running.follow(self._handle)
        if self._handle.state.is_final:  # it ran at once
            self._on_finished(self._handle)
        self.refresh()

    def _truth(self, answer: Answer) -> Any:
        chosen, scene = self.truth_box.currentData(), answer.question.scene
        region = self.desk.workspace.regions.get(str(chosen))
        if region is not None:
            return region.mask(scene.shape[:2])
        if chosen == LABELS:
            return self.desk.workspace.label_sheet(scene.id).values > 0
        if chosen in (NONE, FILE, None):
            return None
        return Path(str(chosen))

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is not self._handle:
            return
        self.running.refresh()
        if handle.error is not None:
            self.problem_line.setText(sentence(handle.error))
            self.problem_line.show()
        self.refresh()

    def _at_cursor(self, fraction: float, insert: bool) -> None:
        """Show the image as the network got it at a point of a curve."""
        answer, card = self.desk.answer, self._shown
        if answer is None or answer.found is None or card is None or card.faithfulness is None:
            return
        plot = self.insertion if insert else self.deletion
        if plot.shown is None:
            return
        word = "shown" if insert else "taken away"
        name = escape(answer.found.explanation.target.name.split(",")[0])
        self.cursor_line.setText(
            f"{100 * fraction:.0f}\u00a0% of the pixels {word}: “{name}” "
            f"{share(plot.score_at(fraction))}. The network then sees:"
        )
        found, substrate = answer.found, card.faithfulness.substrates[int(insert)]

        def run(progress: Progress) -> Any:
            from backends.explain.curves import perturbed_at
            from backends.explain.input_picture import input_picture

            image = found.prepared.tensor[0]
            values = found.explanation.values
            changed = perturbed_at(image, values, fraction, substrate, insert=insert)
            return input_picture(changed, image, found.prepared.wavelength_nm)

        def show(picture: Any) -> None:
            if self._shown is card:
                self.picture.show_array(picture)

        self.desk.quiet("Image at the cursor", "cursor", run, show)

    # -- files ---------------------------------------------------------------------------

    def save(self, folder: str | Path | None = None) -> None:
        """Write map, picture, curves and card into a folder; without one, ask for it."""
        answer = self.desk.answer
        if answer is None or answer.found is None:
            return
        if folder is None:
            folder = QFileDialog.getExistingDirectory(self, "Folder for map, curves and card")
            if not folder:
                return
        place, found, card, scene = Path(folder), answer.found, answer.card, answer.question.scene

        def run(progress: Progress) -> list[Path]:
            from backends.explain.heatmap_files import write_found
            from backends.explain.trust_files import write_trust

            place.mkdir(parents=True, exist_ok=True)
            stem = Path(scene.info.path or scene.title).stem
            stem = f"{stem}_{found.explanation.method.id}"
            files, _ = write_found(found, scene, place, stem, card)
            if card is not None:
                files += write_trust(card, place, stem, found.heatmap.provenance)
            return files

        def show(files: list[Path]) -> None:
            self.save_button.setToolTip(f"{len(files)} files written to {place}")

        job: Job[Any] = Job(
            f"Save {found.heatmap.title}", run, scene_id=scene.id, topic="explain files"
        )
        self.desk.workspace.submit(job, on_result=show)


def _verdict(heatmap: Heatmap, card: TrustCard | None, measurable: bool) -> str:
    """Return badge and reasons, as text with marks."""
    lines = [badge(heatmap.verdict if card is None else card.verdict)]
    if card is not None:
        lines += [escape(reason) for reason in card.reasons]
    else:
        told = dict(heatmap.provenance.figures.get("trust") or {})
        lines += [escape(str(reason)) for reason in told.get("reasons", ())]
        if not told:
            lines.append("Nobody has measured yet whether this map shows what the network used.")
            if not measurable:
                lines.append(
                    "It came from tiles, a file or an earlier session: explain the image, or "
                    "one part of it, once more to assess it."
                )
    return "<br>".join(lines)
