"""A swath is laid on the local UTM grid at a click; the grid becomes a scene of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from backends.fire.question import reader_words
from backends.georeference import GeolocationTable
from backends.jobs import Job, JobHandle, Progress
from widgets.background import listen
from widgets.fire.desk import FireDesk
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped


class GridRow(QWidget):
    """Shown for a swath only."""

    def __init__(self, desk: FireDesk) -> None:
        super().__init__()
        self._desk = desk
        self._handle: JobHandle[Any] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(
            wrapped("A swath: it has a place for each pixel, but no grid to draw a line on.")
        )
        self.button = QPushButton("Grid to UTM")
        self.button.setToolTip(
            "Lay it on the local UTM grid by its own geolocation; gaps stay without data"
        )
        column.addWidget(self.button)
        self.running = RunningRow()
        column.addWidget(self.running)
        self.button.clicked.connect(lambda: self.grid())
        listen(self, desk.workspace.job_finished, self._on_finished)
        desk.looked.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show it for a swath that is in a file."""
        scene = self._desk.scene
        swath = scene is not None and isinstance(scene.place, GeolocationTable)
        self.setVisible(swath and scene is not None and scene.info.path is not None)
        busy = self._handle is not None and not self._handle.state.is_final
        self.button.setEnabled(not busy)

    def grid(self) -> JobHandle[Any] | None:
        """Grid the active scene; the swath stays open beside it."""
        scene = self._desk.scene
        if scene is None or scene.info.path is None:
            return None
        path, options = scene.info.path, dict(scene.info.options)

        def run(progress: Progress) -> Any:
            from backends.fire.gridding import grid_to_utm
            from backends.io import open_scene

            # Opened anew: the grid reads from a swath of its own and closes it.
            swath = open_scene(path, options)
            try:
                return grid_to_utm(swath, progress=progress)
            except BaseException:
                swath.close()
                raise

        def take(made: Any) -> None:
            self._desk.workspace.add_scene(made)

        command = ("fire", "grid", str(path), "--out", f"{Path(path).stem}_utm.tif")
        job = Job(
            f"Grid {scene.title} to UTM", run, scene_id=scene.id, topic="fire grid",
            command=(*command, *reader_words(scene)),
        )  # fmt: skip
        self._handle = self._desk.workspace.submit(job, on_result=take)
        self.running.follow(self._handle)
        self.refresh()
        return self._handle

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        self.running.refresh()
        if handle is self._handle:
            self.refresh()
