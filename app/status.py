"""The status bar: where the mouse is, what is there, what the machine does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QWidget

from app.canvas import Canvas
from backends.describe import size_text
from backends.devices import badge
from backends.georeference import GeoReference
from backends.jobs import Job, JobHandle, Progress
from backends.scene import Scene, Window
from widgets.eliding import ElidedLabel
from widgets.icons import IconButton
from widgets.pause_button import pause_word
from widgets.pulse import Pulse


class StatusBar(QWidget):
    """Row, col · map · lon, lat · value · scene, and at the right jobs and device."""

    jobs_clicked = pyqtSignal()

    def __init__(self, canvas: Canvas, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._canvas, self._workspace = canvas, canvas.workspace
        self._ready: set[str] = set()
        self.place = ElidedLabel()
        self.place.setAccessibleName("Position and value under the mouse")
        self.facts = ElidedLabel()
        self.facts.setAccessibleName("Scene")
        # As wide as its words; where there is no room it gives way, as the place does.
        self.facts.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.magnification = QLabel("")
        self.magnification.setAccessibleName("Magnification")
        self.magnification.setToolTip("Magnification on the screen; View > Magnification sets it")
        self.magnification.hide()
        self.window = QLabel("")
        self.window.setAccessibleName("Display window")
        self.window.setToolTip("Level and width of the display window; W shows the next one")
        self.window.hide()
        self.jobs = JobSummary(self)
        self.jobs.clicked.connect(self.jobs_clicked)
        self.device = QLabel("")
        self.device.setAccessibleName("Device that models run on")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(16)
        row.addWidget(self.place, 1)
        row.addWidget(self.facts)
        row.addWidget(self.window)
        row.addWidget(self.magnification)
        row.addWidget(self.jobs)
        row.addWidget(self.device)
        self._timer = Pulse(self, self._poll)
        workspace = self._workspace
        workspace.cursor_moved.connect(self._on_cursor)
        workspace.cursor_left.connect(self._on_left)
        workspace.active_scene_changed.connect(self._on_scene)
        workspace.scene_info_changed.connect(self._on_info)
        workspace.job_submitted.connect(self._on_job)
        workspace.job_finished.connect(self._on_job)
        self._show_device()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep half of the bar for what is under the mouse; the scene is the same all along."""
        super().resizeEvent(event)
        self.place.setMinimumWidth(max(160, self.width() // 2))

    def _show_device(self) -> None:
        device = badge()
        name = device.name if device.id.startswith(("cuda", "mps")) else "CPU"
        self.device.setText(f"{name} · {device.memory_bytes / 2**30:.0f} GB")
        self.device.setToolTip(f"Models run on: {device.label}")

    def _on_scene(self, scene: Scene | None) -> None:
        self.place.setText("")
        if scene is None:
            self.facts.setText("")
            return
        kind = scene.info.kind
        self.facts.setText(f"{size_text(scene)} · {kind}")  # its name is in the title bar
        self.facts.setToolTip("\n".join([str(scene.info.path or ""), *scene.info.notes]).strip())
        self._prepare(scene)

    def _on_info(self, scene_id: str) -> None:
        active = self._workspace.active_scene
        if active is not None and active.id == scene_id:
            self._on_scene(active)

    def _prepare(self, scene: Scene) -> None:
        """Look up the coordinate system off the window's thread before the mouse asks."""
        if scene.place is None or scene.id in self._ready:
            return
        place = scene.place

        def run(progress: Progress) -> None:
            place.to_lonlat(0, 0)

        def done(_: None) -> None:
            self._ready.add(scene.id)

        job = Job("Look up coordinates", run, scene_id=scene.id, quiet=True)
        self._workspace.submit(job, on_result=done)

    def _on_cursor(self, scene_id: str, row: int, col: int) -> None:
        scene = self._workspace.scenes.get(scene_id)
        if scene is None:
            return
        parts = [f"row {row}, col {col}"]
        if scene_id in self._ready and scene.place is not None:
            parts += place_text(scene, row, col)
        values = self._canvas.value_at(scene, row, col)
        if values is not None:
            parts.append(value_text(values, scene.info.unit))
        self.place.setText("  ·  ".join(parts))
        recipe = self._canvas.pictures.wanted(scene_id)
        if values is None and recipe is not None:
            self._read_value(scene, recipe.bands, row, col)

    def _read_value(self, scene: Scene, bands: Sequence[int], row: int, col: int) -> None:
        """Add the pixel's own values where the picture is not in memory."""
        said = self.place.text()

        def run(progress: Progress) -> tuple[float, ...]:
            found = scene.read(Window(row, col, 1, 1), bands, physical=not scene.info.is_rgb)
            return tuple(float(value) for value in found[0, 0])

        def show(values: tuple[float, ...]) -> None:
            if self.place.text() == said:  # the mouse is still there
                self.place.setText(f"{said}  ·  {value_text(values, scene.info.unit)}")

        job = Job("Value under the mouse", run, scene_id=scene.id, topic="value", quiet=True)
        self._workspace.submit(job, on_result=show)

    def show_window(self, words: str) -> None:
        """Name the display window a CT is seen in; empty where there is none."""
        if words != self.window.text():
            self.window.setText(words)
            self.window.setVisible(bool(words))

    def show_magnification(self, words: str) -> None:
        """Say at how many × the scene is shown; empty where that means nothing."""
        if words != self.magnification.text():
            self.magnification.setText(words)
            self.magnification.setVisible(bool(words))

    def _on_left(self) -> None:
        self.place.setText("")

    def _on_job(self, handle: JobHandle[Any]) -> None:
        if self._workspace.running_jobs():
            self._timer.start()  # what is done before its first beat needs no bar
        else:
            self._poll()

    def _poll(self) -> None:
        running = self._workspace.running_jobs()
        self.jobs.show_jobs(running)
        if not running:
            self._timer.stop()


class JobSummary(QWidget):
    """The job in front: bar, title, time left, and a cross to stop it."""

    clicked = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._handle: JobHandle[Any] | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(8)
        self.bar = QProgressBar(self)
        self.bar.setFixedSize(QSize(96, 12))
        self.bar.setTextVisible(False)
        # Gives way in its middle: a long title must not widen the window.
        self.text = ElidedLabel("", self, Qt.TextElideMode.ElideMiddle)
        self.text.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.stop = IconButton("close", "Stop this job", self)
        self.stop.setFixedSize(20, 20)
        self.stop.clicked.connect(self.cancel)
        row.addWidget(self.bar)
        row.addWidget(self.text)
        row.addWidget(self.stop)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Show all jobs")
        self.hide()

    def show_jobs(self, running: list[JobHandle[Any]]) -> None:
        """Show the first running job and how many wait behind it."""
        self._handle = running[0] if running else None
        self.setVisible(bool(running))
        if self._handle is None:
            return
        state = self._handle.progress
        fraction = state.fraction
        self.bar.setRange(0, 0 if fraction is None else 1000)
        if fraction is not None:
            self.bar.setValue(round(1000 * fraction))
        words = [] if fraction is None else [f"{100 * fraction:.0f} %"]
        title = self._handle.job.title
        words.append(title if len(title) <= 36 else title[:35] + "…")
        if pause_word(self._handle):
            words.append(pause_word(self._handle))
        elif state.seconds_left is not None:
            words.append(clock(state.seconds_left))
        if len(running) > 1:
            words.append(f"+{len(running) - 1}")
        self.text.setText("  ".join(words))
        self.stop.setToolTip(f"Stop: {title}")

    def cancel(self) -> None:
        """Stop the job shown."""
        if self._handle is not None:
            self._handle.cancel()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Open the list of jobs."""
        self.clicked.emit()


def place_text(scene: Scene, row: int, col: int) -> list[str]:
    """Return map position and lon/lat of a pixel in words."""
    parts: list[str] = []
    place = scene.place
    if isinstance(place, GeoReference) and not place.is_geographic:
        x, y = place.to_map(row, col)
        parts.append(f"E {_metres(x)}, N {_metres(y)}")
    lonlat = place.to_lonlat(row, col) if place is not None else None
    if lonlat is not None:
        lon, lat = lonlat
        east, north = "E" if lon >= 0 else "W", "N" if lat >= 0 else "S"
        parts.append(f"{abs(lon):.5f}° {east}, {abs(lat):.5f}° {north}")
    return parts


def _metres(value: float) -> str:
    """Return map units in groups of three digits, as on a map's margin."""
    return f"{value:,.1f}".replace(",", "\u202f")


def value_text(values: tuple[float, ...], unit: str) -> str:
    """Return pixel values with sensible digits."""
    words = ["no data" if not math.isfinite(v) else f"{v:.4g}" for v in values]
    if all(word == "no data" for word in words):
        return "no data"
    return ", ".join(words) + (f" {unit}" if unit else "")


def clock(seconds: float) -> str:
    """Return seconds as ``0:31`` or ``1:02:10``."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
