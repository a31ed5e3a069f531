"""The labels that only test, where a split is fixed by two files."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from backends.io.labels import Labels
from backends.jobs import Job, JobHandle, Progress
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.theme import GRID, wrapped


class TestLabels(QWidget):
    """Says which labels test, and opens others."""

    __test__ = False  # not a test case of pytest
    changed = pyqtSignal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._scene: Scene | None = None
        self._opened: dict[str, tuple[Labels, Path]] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.line = wrapped()
        self.button = QPushButton("Open labels that test…")
        self.button.setToolTip(
            "A second label file of this scene; one MATLAB file with TR and TE gives both"
        )
        self.button.clicked.connect(self.ask)
        column.addWidget(self.line)
        column.addWidget(self.button)
        listen(self, workspace.scene_removed, self._on_removed)

    def show_for(self, scene: Scene) -> None:
        """Show what tests on a scene."""
        self._scene = scene
        found = self._opened.get(scene.id)
        if found is None:
            self.line.setText("All labels above train. No labels test them yet.")
            return
        labels, path = found
        count = int((labels.values > 0).sum())
        self.line.setText(f"All labels above train; {count:,} pixels from {path.name} test.")

    def of(self, scene: Scene) -> tuple[Labels, Path] | None:
        """Return the labels that test on a scene, and their file."""
        return self._opened.get(scene.id)

    def ask(self) -> None:
        """Let the user choose a file."""
        name, _ = QFileDialog.getOpenFileName(self, "Labels that test")
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> JobHandle[tuple[Labels | None, Labels]] | None:
        """Read labels that test; a file with both also gives those that train."""
        scene = self._scene
        if scene is None:
            return None

        def run(progress: Progress) -> tuple[Labels | None, Labels]:
            from backends.errors import NeedsChoice
            from backends.hyperspectral.fixed import fixed_labels
            from backends.label_files import labels_for

            try:
                return None, labels_for(scene, path, progress=progress)
            except NeedsChoice:
                return fixed_labels(scene, path, progress=progress)

        def take(found: tuple[Labels | None, Labels]) -> None:
            train, test = found
            if scene.id not in self._workspace.scenes:
                return
            self._opened[scene.id] = (test, path)
            if train is not None:
                self._workspace.set_labels(
                    scene.id, train.values, train.class_names, source=str(path)
                )
            self.show_for(scene)
            self.changed.emit()

        job = Job(f"Read labels from {path.name}", run, scene_id=scene.id, topic="test labels")
        return self._workspace.submit(job, on_result=take)

    def _on_removed(self, scene_id: str) -> None:
        self._opened.pop(scene_id, None)
