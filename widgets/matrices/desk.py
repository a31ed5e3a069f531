"""What the pages of the matrices dock share: the field, the site, the pixel, the last check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from backends.jobs import Job, Progress
from backends.matrix_analysis import on_grid
from backends.overlays import MatrixEntry, MatrixField
from backends.scene import Scene
from backends.workspace import LabelSheet, Workspace
from widgets.theme import GRID

SITES = {"mixer": "mixer", "ffn": "feed-forward"}


def site_title(layer: int, site: str) -> str:
    """Return a site in words."""
    return f"Layer {layer}, {SITES.get(site, site)}"


class Desk(QObject):
    """The state the pages speak of."""

    changed = pyqtSignal()
    checked = pyqtSignal()

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.field: MatrixField | None = None
        self.site: tuple[int, str] = (0, "")
        self.pixel: tuple[int, int] | None = None
        self.findings: dict[str, str] = {}  # sentence of the last check, by field

    @property
    def entry(self) -> MatrixEntry | None:
        """The matrices of the site shown."""
        return None if self.field is None else self.field.entry(*self.site)

    @property
    def scene(self) -> Scene | None:
        """The scene of the field."""
        return None if self.field is None else self.workspace.scenes.get(self.field.scene_id)

    @property
    def labels(self) -> LabelSheet | None:
        """The labels of its scene, where some are set."""
        sheet = None
        if self.field is not None:
            sheet = self.workspace.labels.get(self.field.scene_id)
        return sheet if sheet is not None and sheet.values.any() else None

    def grid(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the scene's values at the pixels of the field."""
        assert self.field is not None
        return on_grid(values, self.field.placement, self.field.shape)

    def held_out(self) -> NDArray[np.bool_] | None:
        """Return labelled pixels the network did not learn from, over the scene.

        None where the network is not at hand, so that nobody knows which those are.
        """
        scene, sheet = self.scene, self.labels
        if self.field is None or self.field.checkpoint is None or scene is None or sheet is None:
            return None
        from backends.hyperspectral.occlusion import held_out_mask

        return held_out_mask(self.field.checkpoint, scene, sheet.values)

    def set_finding(self, sentence: str) -> None:
        """Keep what the last check found."""
        if self.field is not None:
            self.findings[self.field.id] = sentence
            self.checked.emit()

    def submit(
        self,
        title: str,
        topic: str,
        run: Callable[[Progress], Any],
        show: Callable[[Any], None],
        quiet: bool = True,
    ) -> Any:
        """Run a job for the field; its answer is dropped when another field came meanwhile."""
        field = self.field
        assert field is not None

        def answer(result: Any) -> None:
            if self.field is field:
                show(result)

        job = Job(title, run, scene_id=field.scene_id, topic=f"matrices {topic}", quiet=quiet)
        return self.workspace.submit(job, on_result=answer)


class Page(QWidget):
    """One page; it computes when it is seen and something changed."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._stale = True
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(GRID)
        desk.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Draw anew, now or when the page is seen."""
        self._stale = True
        if self.isVisible() and self.desk.field is not None:
            self._stale = False
            self.draw()

    def draw(self) -> None:
        """Show the state of the desk."""

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        if self._stale:
            self.refresh()


def narrow_box(tip: str) -> QComboBox:
    """Return a list that fits a narrow dock."""
    box = QComboBox()
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box
