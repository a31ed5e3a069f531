"""Maps of burnt and burning ground: which, against which flight before the fire, as layers."""

from __future__ import annotations

from typing import Any

from PyQt6.QtGui import QShowEvent, QStandardItemModel
from PyQt6.QtWidgets import QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from backends.errors import BadInput
from backends.fire.maps import MAPS, make_map, map_command, why_not
from backends.fire.several_passes import why_not_one_grid
from backends.jobs import Job, JobHandle, Progress
from backends.scene import Scene
from widgets.background import listen
from widgets.fire.desk import FireDesk
from widgets.pages import narrow_box
from widgets.running_row import RunningRow
from widgets.theme import GRID, wrapped


class MapsPage(QWidget):
    """Map, flight before the fire, bands it takes, show."""

    def __init__(self, desk: FireDesk) -> None:
        super().__init__()
        self._desk = desk
        self._handle: JobHandle[Any] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.map_box = narrow_box("Map of burnt or burning ground")
        for made in MAPS.values():
            self.map_box.addItem(made.title, made.id)
        form.addRow("Map", self.map_box)
        self.before_box = narrow_box("Open scene from before the fire, on the same grid")
        self.before_label = QLabel("Before")
        form.addRow(self.before_label, self.before_box)
        column.addLayout(form)
        self.line = wrapped()
        column.addWidget(self.line)
        self.go_button = QPushButton("Show as layer")
        self.go_button.setDefault(True)
        column.addWidget(self.go_button)
        self.running = RunningRow()
        column.addWidget(self.running)
        self.map_box.activated.connect(lambda _: self.refresh())
        self.go_button.clicked.connect(lambda: self.make())
        listen(self, desk.workspace.scene_added, self._on_scenes)
        listen(self, desk.workspace.scene_removed, self._on_scenes)
        listen(self, desk.workspace.job_finished, self._on_finished)
        desk.looked.connect(self.refresh)
        self.refresh()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show the scenes that are open now."""
        super().showEvent(event)
        self.refresh()

    def _on_scenes(self, *_: object) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Say what the chosen map takes, or why this scene cannot have it."""
        scene, look = self._desk.scene, self._desk.look
        if scene is None:
            return
        image = None if look is None else look.image
        reasons = {}
        for number, made in enumerate(MAPS.values()):
            reason, _ = why_not(made.id, scene, image or BadInput("The bands are not known."))
            reasons[made.id] = reason
            model = self.map_box.model()
            if isinstance(model, QStandardItemModel):
                item = model.item(number)
                if item is not None:
                    item.setEnabled(not reason)
                    item.setToolTip(reason or made.purpose)
        self._choose_usable(reasons)
        chosen = MAPS[self.map_box.currentData()]
        self._offer_before(scene)
        for part in (self.before_label, self.before_box):
            part.setVisible(chosen.wants_before)
        reason, taken = why_not(chosen.id, scene, image or BadInput("The bands are not known."))
        parts = " and ".join(f"{part} ({band})" for part, band in taken.items())
        words = f"{chosen.purpose}. It takes {parts}."
        lacks = chosen.wants_before and not self.before_box.count()
        if reason:
            words = reason
        elif lacks:
            words = f"{chosen.purpose}. Open the scene from before the fire, on the same grid."
        self.line.setText(words)
        busy = self._handle is not None and not self._handle.state.is_final
        self.go_button.setEnabled(not reason and not lacks and not busy)

    def _choose_usable(self, reasons: dict[str, str]) -> None:
        """Leave a map that this scene cannot have for one that it can."""
        if reasons[self.map_box.currentData()]:
            usable = [m for m, reason in reasons.items() if not reason]
            if usable:
                self.map_box.setCurrentIndex(self.map_box.findData(usable[0]))

    def _offer_before(self, scene: Scene) -> None:
        found = [
            other
            for other in self._desk.workspace.scenes.values()
            if other is not scene
            and not why_not_one_grid(scene, other)
            and other.shape[:2] == scene.shape[:2]
        ]
        ids = [self.before_box.itemData(n) for n in range(self.before_box.count())]
        if ids != [other.id for other in found]:
            chosen = self.before_box.currentData()
            self.before_box.clear()
            for other in found:
                self.before_box.addItem(other.title, other.id)
            self.before_box.setCurrentIndex(max(0, self.before_box.findData(chosen)))

    def make(self) -> JobHandle[Any] | None:
        """Make the chosen map of the active scene and lay it over the image."""
        desk, scene, look = self._desk, self._desk.scene, self._desk.look
        if scene is None:
            return None
        made, question = MAPS[self.map_box.currentData()], desk.question
        image = None if look is None else look.image
        other = None
        if made.wants_before:
            other = desk.workspace.scenes.get(self.before_box.currentData() or "")
        command = map_command(made.id, scene, question, other)

        def run(progress: Progress) -> Any:
            earlier = None if other is None else question.image(other)
            return make_map(
                made.id, scene, image, before=earlier, command=" ".join(("clearband", *command)),
                progress=progress,
            )  # fmt: skip

        job = Job(f"Map {made.title}", run, scene_id=scene.id, topic="fire map", command=command)
        self._handle = desk.workspace.submit(job, on_result=desk.lay)
        self.running.follow(self._handle)
        self.refresh()
        return self._handle

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        self.running.refresh()
        if handle is self._handle:
            self.refresh()
