"""The values of the shown bands along a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from backends.jobs import Job, JobHandle, Progress
from backends.measuring.asking import profile_command
from backends.measuring.files import write_table
from backends.measuring.lengths import length_text
from backends.measuring.reading import Profile, profile, profile_rows
from backends.palette import key_color
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import PictureBoard
from widgets.measuring.board import PROFILE, MeasureBoard, Points
from widgets.small_plot import SmallPlot
from widgets.theme import GRID, wrapped

# As they are on the screen.
_ON_SCREEN = ("#E05050", "#40A840", "#5080F0")
_HINT = "Draw a line on the image: its values, as shown, are plotted along it."


class ProfilePage(QWidget):
    """Reads as a sentence: draw, see, read off, keep."""

    def __init__(self, workspace: Workspace, board: MeasureBoard, pictures: PictureBoard) -> None:
        super().__init__()
        self._workspace, self._board, self._pictures = workspace, board, pictures
        self.found: Profile | None = None
        self._scene_id = ""
        self._scale, self._unit = 1.0, "px"
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        self.draw_button = QPushButton("Draw a line")
        self.draw_button.setCheckable(True)
        self.draw_button.setToolTip("Click each corner on the image; a double click ends")
        self.draw_button.clicked.connect(self._press)
        self.line = wrapped(_HINT)
        self.plot = SmallPlot("Distance", "Value", height=220)
        self.curves: list[Any] = []
        self.cross = pg.InfiniteLine(angle=90, pen=pg.mkPen("#F0E442"))
        self.cross.hide()
        self.plot.addItem(self.cross, ignoreBounds=True)
        self.plot.scene().sigMouseMoved.connect(self._on_mouse)
        self.readout = wrapped()
        row = QHBoxLayout()
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip("Write distance, place and values as a table (CSV)")
        self.clear_button = QPushButton("Clear")
        self.save_button.clicked.connect(lambda: self._ask_save())
        self.clear_button.clicked.connect(lambda: self.clear())
        row.addWidget(self.save_button)
        row.addWidget(self.clear_button)
        for part in (self.draw_button, self.line, self.plot, self.readout):
            column.addWidget(part)
        column.addLayout(row)
        listen(self, board.tool_changed, self._on_tool)
        listen(self, board.drawn, self._on_drawn)
        listen(self, pictures.shown_changed, self._on_picture)
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_removed, self._on_removed)
        self._show(None)

    def _press(self, *_: object) -> None:
        self._board.hold("" if self._board.tool == PROFILE else PROFILE)

    def _on_tool(self, tool: str) -> None:
        self.draw_button.setChecked(tool == PROFILE)

    def _on_drawn(self, scene_id: str, tool: str, points: Points) -> None:
        scene = self._workspace.scenes.get(scene_id)
        if tool == PROFILE and scene is not None:
            self.read(scene, points)

    def _on_picture(self, scene_id: str) -> None:
        """Other bands are shown: read those along the same line."""
        found, scene = self.found, self._workspace.scenes.get(scene_id)
        if found is None or scene is None or scene_id != self._scene_id:
            return
        if tuple(self._bands(scene)) != found.bands:
            self.read(scene, found.points)

    def _on_scene(self, scene: Scene | None) -> None:
        if scene is None or scene.id != self._scene_id:
            self.clear()

    def _on_removed(self, scene_id: str) -> None:
        if scene_id == self._scene_id:
            self.clear()

    def _bands(self, scene: Scene) -> tuple[int, ...]:
        recipe = self._pictures.wanted(scene.id)
        return tuple(recipe.bands) if recipe is not None else (0,)

    def read(self, scene: Scene, points: Points) -> JobHandle[Profile]:
        """Read the shown bands along a line."""
        bands = self._bands(scene)
        self._board.set_line(scene.id, points)
        self.line.setText("Reading along the line …")

        def run(progress: Progress) -> Profile:
            return profile(scene, points, bands, progress=progress)

        def show(found: Profile) -> None:
            self._scene_id = scene.id
            self._show(found)

        job = Job(
            f"Profile in {scene.title}", run, scene_id=scene.id, topic="profile",
            command=profile_command(scene, points, bands, self._file(scene)),
        )  # fmt: skip
        return self._workspace.submit(job, on_result=show)

    def _file(self, scene: Scene) -> str:
        """Return a file that no other run of the log writes."""
        words = [word for line in self._workspace.run_log.lines for word in line.command]
        stem = scene.info.path.stem if scene.info.path is not None else "scene"
        number, name = 2, f"{stem}_profile.csv"
        while name in words:
            number, name = number + 1, f"{stem}_profile_{number}.csv"
        return name

    def clear(self) -> None:
        """Forget the line."""
        if self._scene_id:
            self._board.set_line(self._scene_id, None)
        self._board.set_mark(None)
        self._scene_id = ""
        self._show(None)

    def _show(self, found: Profile | None) -> None:
        self.found = found
        for curve in self.curves:
            self.plot.removeItem(curve)
        self.curves = []
        self.cross.hide()
        self.readout.setText("")
        for part in (self.plot, self.readout, self.save_button, self.clear_button):
            part.setVisible(found is not None)
        if found is None:
            self.line.setText(_HINT)
            return
        far = length_text(float(found.along[-1]) if found.unit == "m" else None, found.along[-1])
        self.line.setText(f"{len(found.along):,} pixels over {far}: {', '.join(found.labels)}")
        in_km = found.unit == "m" and found.along[-1] >= 5000
        self._scale = 1e-3 if in_km else 1.0
        small = found.unit == "m" and found.along[-1] < 0.01
        self._scale = 1e6 if small else self._scale
        unit = "km" if in_km else "µm" if small else found.unit
        self._unit = unit
        self.plot.plot_item.setLabel("bottom", f"Distance ({unit})")
        self.plot.plot_item.setLabel("left", found.value_unit or "Value")
        several = len(found.bands) == 3
        for number in range(len(found.bands)):
            color = _ON_SCREEN[number] if several else key_color(number)
            curve = pg.PlotDataItem(
                found.along * self._scale, found.values[:, number],
                pen=pg.mkPen(color, width=1.5), connect="finite", antialias=False,
            )  # fmt: skip
            self.plot.addItem(curve)
            self.curves.append(curve)
        self.plot.plot_item.getViewBox().autoRange()

    # -- reading off ---------------------------------------------------------------------

    def _on_mouse(self, at: Any) -> None:
        """Follow the mouse over the plot: the place on the image, the values there."""
        found = self.found
        box = self.plot.plot_item.getViewBox()
        if found is None or not box.sceneBoundingRect().contains(at):
            self.cross.hide()
            self._board.set_mark(None)
            return
        x = box.mapSceneToView(at).x() / self._scale
        index = int(np.abs(found.along - x).argmin())
        along = float(found.along[index] * self._scale)
        self.cross.setPos(along)
        self.cross.show()
        row, col = int(found.rows[index]), int(found.cols[index])
        values = ", ".join(
            "no data" if not np.isfinite(v) else f"{v:.4g}" for v in found.values[index]
        )
        self.readout.setText(f"{along:.4g} {self._unit} · row {row}, col {col} · {values}")
        self._board.set_mark((self._scene_id, float(row), float(col)))

    # -- files ---------------------------------------------------------------------------

    def _ask_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save profile", "profile.csv", "Table (*.csv)")
        if name:
            self.save_file(Path(name))

    def save_file(self, path: Path) -> JobHandle[Path] | None:
        """Write the profile as CSV."""
        found = self.found
        if found is None:
            return None
        path = path if path.suffix else path.with_suffix(".csv")

        def run(progress: Progress) -> Path:
            return write_table(path, *profile_rows(found))

        def show(written: Path) -> None:
            self.readout.setText(f"Written to {written.name}.")

        return self._workspace.submit(Job(f"Write {path.name}", run), on_result=show)
