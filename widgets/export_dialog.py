"""File > Export: what, in which form, where; one button, and the command line that does it too."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backends.composite import Recipe
from backends.export import (
    CanvasShot,
    ExportRequest,
    Format,
    export,
    export_command,
    formats_for,
)
from backends.export_source import replay_source
from backends.jobs import Job, JobHandle, Progress
from backends.overlays import ClassMap, Overlay, ScoreMap
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.pdf import write_pdf
from widgets.theme import GRID, wrapped

# What can be exported, in the order of the box.
KINDS = {
    "layer": "Layer",
    "report": "Report on a layer",
    "areas": "Areas of classes",
    "confusion": "Accuracy table",
    "confidence": "Confidence of a class map",
    "spectra": "Spectra of pins and regions",
    "canvas": "What the canvas shows",
}
PDF = Format("pdf", "Document (PDF)", (".pdf",))


class ExportDialog(QDialog):
    """Asks what to export and submits the job.

    Parameters
    ----------
    workspace : Workspace
    parent : QWidget, optional
    grab : callable, optional
        Returns what the canvas shows; without it the canvas is not offered.
    recipes : mapping of scene id to Recipe, optional
        How each scene is shown, for what lies below a layer.
    opacities : mapping of overlay id to float, optional
        How strongly each layer is shown.
    session : Path, optional
        The saved session, for the command line.
    done : callable, optional
        Told of the file once it is written.
    """

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        *,
        grab: Callable[[], CanvasShot] | None = None,
        recipes: Mapping[str, Recipe] | None = None,
        opacities: Mapping[str, float] | None = None,
        session: Path | None = None,
        done: Callable[[Path], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._grab, self._session = workspace, grab, session
        self._recipes, self._opacities = dict(recipes or {}), dict(opacities or {})
        self._done = done
        self.handle: JobHandle[Path] | None = None
        self._named = ""
        self.setWindowTitle("Export")
        self.setMinimumWidth(520)
        self._build()
        self._fill_kinds()
        self._choose_active()

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        form = QFormLayout()
        form.setSpacing(GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.kind_box, self.layer_box, self.format_box = QComboBox(), QComboBox(), QComboBox()
        for box in (self.kind_box, self.layer_box, self.format_box):
            box.setMinimumContentsLength(16)
        self.over_box = QCheckBox("With the scene below")
        self.over_box.setToolTip("Draw the layer over the scene, as strongly as it is shown now")
        form.addRow("What", self.kind_box)
        form.addRow("Layer", self.layer_box)
        form.addRow("Format", self.format_box)
        form.addRow("", self.over_box)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        self.path_line = QLineEdit()
        self.path_line.setAccessibleName("File")
        self.browse_button = QPushButton("Browse…")
        self.browse_button.setAutoDefault(False)
        row.addWidget(self.path_line, 1)
        row.addWidget(self.browse_button)
        form.addRow("File", row)
        column.addLayout(form)
        self.problem_line = wrapped()
        column.addWidget(self.problem_line)
        line = QHBoxLayout()
        line.setSpacing(GRID)
        self.command_line = QLineEdit()
        self.command_line.setReadOnly(True)
        self.command_line.setAccessibleName("The same on the command line")
        self.copy_button = QPushButton("Copy")
        self.copy_button.setAutoDefault(False)
        self.copy_button.setToolTip("Copy the command")
        line.addWidget(self.command_line, 1)
        line.addWidget(self.copy_button)
        self.command_title = wrapped("The same on the command line:")
        column.addWidget(self.command_title)
        column.addLayout(line)
        self.log_line = wrapped()
        column.addWidget(self.log_line)
        column.addStretch(1)
        buttons = QDialogButtonBox()
        buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        self.export_button = QPushButton("Export")
        self.export_button.setDefault(True)
        buttons.addButton(self.export_button, QDialogButtonBox.ButtonRole.AcceptRole)
        column.addWidget(buttons)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.kind_box.currentIndexChanged.connect(self._on_kind)
        self.layer_box.currentIndexChanged.connect(self._on_layer)
        self.format_box.currentIndexChanged.connect(self._on_format)
        self.over_box.toggled.connect(self._refresh)
        self.path_line.textChanged.connect(self._refresh)
        self.browse_button.clicked.connect(self._browse)
        self.copy_button.clicked.connect(self._copy)

    # -- what there is -------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """What is to be exported."""
        return str(self.kind_box.currentData() or "")

    @property
    def overlay(self) -> Overlay | None:
        """The layer that was chosen."""
        return self._workspace.overlays.get(str(self.layer_box.currentData() or ""))

    @property
    def scene(self) -> Scene | None:
        """The scene it belongs to."""
        overlay = self.overlay if self.kind not in ("spectra", "canvas") else None
        if overlay is not None:
            return self._workspace.scenes.get(overlay.scene_id)
        return self._workspace.active_scene

    @property
    def format(self) -> str:
        """Id of the format."""
        return str(self.format_box.currentData() or "")

    @property
    def path(self) -> Path:
        """Where to write."""
        return Path(self.path_line.text().strip()).expanduser()

    def request(self) -> ExportRequest | None:
        """Return what is asked for; None where it cannot be done."""
        scene = self.scene
        if scene is None:
            return None
        overlay = None if self.kind in ("spectra", "canvas") else self.overlay
        opacity = None
        if overlay is not None and (self.kind == "report" or self._is_over()):
            opacity = self._opacities.get(overlay.id, 0.7)
        return ExportRequest(
            scene,
            self.kind,
            overlay,
            pins=[p for p in self._workspace.pins.values() if p.scene_id == scene.id],
            regions=[r for r in self._workspace.regions.values() if r.scene_id == scene.id],
            canvas=None,
            recipe=self._recipes.get(scene.id),
            opacity=opacity,
        )

    def command(self) -> tuple[str, ...]:
        """Return the command line that does the same; empty where there is none."""
        request = self.request()
        if request is None or self.format == PDF.id:
            return ()
        source = replay_source(
            request.overlay, request.scene, self._workspace.run_log.lines, self._session
        )
        return export_command(request, self.path, self.format, source)

    # -- do ------------------------------------------------------------------------------

    def accept(self) -> None:
        """Submit the export and close; the job tells how it goes."""
        request = self.request()
        if request is None or self._problem():
            return
        path, format = self.path, self.format
        if request.what == "canvas" and self._grab is not None:
            request = ExportRequest(request.scene, "canvas", canvas=self._grab())
        if format == PDF.id:
            work = partial(_pdf, request, path)
        else:
            work = partial(_export, request, path, format)
        job = Job(
            f"Export {path.name}",
            work,
            parameters={"what": request.what, "format": format},
            command=self.command(),
        )
        self.handle = self._workspace.submit(job, on_result=self._done)
        super().accept()

    def _browse(self) -> None:
        chosen = self._chosen()
        filters = f"{chosen.title} (*{' *'.join(chosen.suffixes)})" if chosen else ""
        # It asks itself before a file is replaced.
        name, _ = QFileDialog.getSaveFileName(self, "Export to", self.path_line.text(), filters)
        if name:
            self.path_line.setText(name)

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.command_line.text())

    # -- following what is chosen --------------------------------------------------------

    def _is_over(self) -> bool:
        return self._is_picture() and self.over_box.isChecked()

    def _is_picture(self) -> bool:
        drawn = self.format == "png" and self.kind in ("layer", "confidence")
        return drawn and isinstance(self.overlay, (ClassMap, ScoreMap))

    def _fill_kinds(self) -> None:
        self.kind_box.blockSignals(True)
        for kind, title in KINDS.items():
            if self._layers(kind) or self._is_there(kind):
                self.kind_box.addItem(title, kind)
        self.kind_box.blockSignals(False)
        self._on_kind()

    def _is_there(self, kind: str) -> bool:
        scene = self._workspace.active_scene
        if scene is None:
            return False
        if kind == "canvas":
            return self._grab is not None
        owners = [pin.scene_id for pin in self._workspace.pins.values()]
        owners += [region.scene_id for region in self._workspace.regions.values()]
        return kind == "spectra" and scene.id in owners

    def _layers(self, kind: str) -> list[Overlay]:
        every = list(self._workspace.overlays.values())[::-1]
        if kind == "layer":
            return [o for o in every if formats_for("layer", o)]
        if kind == "report":
            return every
        if kind == "areas":
            return [o for o in every if isinstance(o, ClassMap)]
        if kind == "confusion":
            return [o for o in every if o.provenance.figures.get("confusion") is not None]
        if kind == "confidence":
            return [o for o in every if isinstance(o, ClassMap) and o.confidence is not None]
        return []

    def _choose_active(self) -> None:
        active = self._workspace.active_overlay
        at = -1 if active is None else self.layer_box.findData(active.id)
        if at >= 0:
            self.layer_box.setCurrentIndex(at)

    def _on_kind(self) -> None:
        before = self.layer_box.currentData()
        layers = self._layers(self.kind)
        self.layer_box.blockSignals(True)
        self.layer_box.clear()
        several = len(self._workspace.scenes) > 1
        for overlay in layers:
            scene = self._workspace.scenes.get(overlay.scene_id)
            of = f"  ({scene.title})" if several and scene is not None else ""
            self.layer_box.addItem(f"{overlay.title}{of}", overlay.id)
        at = self.layer_box.findData(before)
        self.layer_box.setCurrentIndex(max(0, at) if layers else -1)
        self.layer_box.setEnabled(bool(layers))
        self.layer_box.blockSignals(False)
        self._on_layer()

    def _on_layer(self) -> None:
        before = self.format_box.currentData()
        self.format_box.blockSignals(True)
        self.format_box.clear()
        for known in self._formats():
            self.format_box.addItem(f"{known.title}  {known.suffixes[0]}", known.id)
        at = self.format_box.findData(before)
        self.format_box.setCurrentIndex(max(0, at))
        self.format_box.blockSignals(False)
        self._on_format()

    def _formats(self) -> tuple[Format, ...]:
        offered = formats_for(self.kind, self.overlay)
        return (PDF, *offered) if self.kind == "report" else offered

    def _on_format(self) -> None:
        self.over_box.setVisible(self._is_picture())
        # A name the user typed keeps its stem; one that was proposed is proposed anew.
        current = self.path_line.text().strip()
        chosen = self._chosen()
        suffix = chosen.suffixes[0] if chosen is not None else ""
        if current and current != self._named:
            self.path_line.setText(str(Path(current).with_suffix(suffix)) if suffix else current)
        else:
            self._named = self._proposal(suffix)
            self.path_line.setText(self._named)
        self._refresh()

    def _chosen(self) -> Format | None:
        return next((f for f in self._formats() if f.id == self.format), None)

    def _proposal(self, suffix: str) -> str:
        scene = self.scene
        folder = Path.home()
        stem = "export"
        if scene is not None:
            path = scene.info.path
            folder = path.parent if path is not None else folder
            stem = path.stem if path is not None else scene.title
        if self._session is not None:
            folder = self._session.parent
        overlay = None if self.kind in ("spectra", "canvas") else self.overlay
        words = [stem, overlay.title if overlay is not None else "", self.kind]
        if self.kind == "layer":
            words.pop()
        name = "_".join(word for word in (_plain(w) for w in words) if word)
        return str(folder / f"{name[:80]}{suffix}")

    def _problem(self) -> str:
        """Return why it cannot be done now, in a sentence; empty when it can."""
        if not self.kind or self.scene is None:
            return "There is nothing to export yet: classify a scene, or pin a spectrum with S."
        if not self.path_line.text().strip():
            return "Choose a file."
        if self.path.is_dir():
            return "This is a folder; give the file a name."
        if not self.path.expanduser().absolute().parent.is_dir():
            return f"There is no folder {self.path.parent}."
        return ""

    def _refresh(self) -> None:
        problem = self._problem()
        self.problem_line.setText(problem)
        self.problem_line.setVisible(bool(problem))
        self.export_button.setEnabled(not problem)
        command = () if problem else self.command()
        self.command_line.setText(shlex.join(("clearband", *command)) if command else "")
        for widget in (self.command_title, self.command_line, self.copy_button):
            widget.setVisible(bool(command))
        self.log_line.setVisible(not command and not problem)
        if self.kind == "canvas":
            reason = "It shows this moment, so there is no command for it."
        elif self.format == PDF.id:
            reason = "A PDF is made by the window; the same report as HTML has a command."
        else:
            reason = "There is none yet: save the session, and it can be repeated."
        self.log_line.setText(reason)


def _export(request: ExportRequest, path: Path, format: str, progress: Progress) -> Path:
    return export(request, path, format, progress=progress)


def _pdf(request: ExportRequest, path: Path, progress: Progress) -> Path:
    from backends.report import build_report, to_html

    assert request.overlay is not None
    report = build_report(
        request.overlay,
        request.scene,
        recipe=request.recipe,
        opacity=0.7 if request.opacity is None else request.opacity,
        colors=request.colors,
        progress=progress,
    )
    return write_pdf(to_html(report), path, progress)


def _plain(text: str) -> str:
    """Return a text as part of a file name."""
    kept = "".join(c if c.isalnum() or c in "-." else "_" for c in text.strip())
    return "_".join(part for part in kept.split("_") if part)
