"""What the pages of the matrices dock share: field, site, whose matrices, last check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QComboBox

from backends.matrix_analysis import on_grid
from backends.matrix_lists import lists_are_clusters
from backends.overlays import MatrixEntry, MatrixField
from backends.workspace import LabelSheet, Workspace
from widgets.pages import PageDesk, make_narrow

SITES = {"mixer": "mixer", "ffn": "feed-forward"}
NO_LABELS = "No labels on this scene: open a label file or paint some (Classify tab)."
NOT_CHECKED = "Whether this matters for the classes is not checked yet (Check page)."


def site_title(layer: int, site: str) -> str:
    """Return a site in words."""
    return f"Layer {layer}, {SITES.get(site, site)}"


@dataclass(frozen=True, eq=False)
class Subject:
    """Whose matrices are shown: one pixel's, or the mean over a mask or the scene.

    Attributes
    ----------
    words : str
    pixel : (row, col) in the matrices, or None
    mask : bool array of the matrices' shape, or None
    """

    words: str
    pixel: tuple[int, int] | None = None
    mask: NDArray[np.bool_] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no pixel of the matrices lies there."""
        return self.mask is not None and not self.mask.any()


class Desk(PageDesk):
    """The state the pages speak of."""

    topic = "matrices"
    field: MatrixField | None
    checked = pyqtSignal()
    subject_changed = pyqtSignal()

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(workspace, parent)
        self.site: tuple[int, str] = (0, "")
        self.scale = "stretch"
        self.clicked: tuple[int, int] | None = None  # in the scene
        self.choice: tuple[str, Any] = ("pixel", "")
        self.findings: dict[str, str] = {}  # sentence of the last check, by field

    # -- what there is -------------------------------------------------------------------

    @property
    def entry(self) -> MatrixEntry | None:
        """The matrices of the site shown."""
        return None if self.field is None else self.field.entry(*self.site)

    @property
    def labels(self) -> LabelSheet | None:
        """The labels of its scene, where some are set."""
        sheet = None
        if self.field is not None:
            sheet = self.workspace.labels.get(self.field.scene_id)
        return sheet if sheet is not None and sheet.values.any() else None

    @property
    def pixel(self) -> tuple[int, int] | None:
        """The pixel of the matrices that was clicked."""
        if self.field is None or self.clicked is None:
            return None
        place, (rows, cols) = self.field.placement, self.field.shape
        row = int((self.clicked[0] - place.row) / place.row_step)
        col = int((self.clicked[1] - place.col) / place.col_step)
        return (row, col) if 0 <= row < rows and 0 <= col < cols else None

    def subject(self) -> Subject:
        """Return whose matrices are chosen."""
        kind, key = self.choice
        if kind == "pixel" and self.pixel is not None and self.clicked is not None:
            row, col = self.clicked
            return Subject(f"Pixel at row {row}, column {col}.", pixel=self.pixel)
        sheet, mask, name = self.labels, None, ""
        if kind == "class" and sheet is not None and key in sheet.class_names:
            mask, name = self.grid(sheet.values == key), sheet.class_names[key]
        elif kind == "region" and self.scene is not None and key in self.workspace.regions:
            region = self.workspace.regions[key]
            mask = self.grid(region.mask(self.scene.shape[:2]))
            name = f"region {region.name}"
        if mask is None:
            hint = " Click a pixel in the image for its own." if kind == "pixel" else ""
            return Subject(f"Mean of the scene.{hint}")
        if not mask.any():
            return Subject("No pixel of these matrices lies there.", mask=mask)
        return Subject(f"Mean of {int(mask.sum()):,} pixels: {name}.", mask=mask)

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

    # -- words ---------------------------------------------------------------------------

    def site_note(self, layer: int, site: str) -> str:
        """Return what the matrices of a site are used for beside mixing."""
        if self.field is None:
            return ""
        last = max(entry.layer for entry in self.field.entries)
        if site != "mixer":
            return "last layer" if layer == last else ""
        return "" if lists_are_clusters(self.field) else "sorted the pixels"

    def claim(self) -> str:
        """Return what the last check found, to stand beside claims of relevance."""
        found = self.findings.get(self.field.id) if self.field is not None else None
        return found or NOT_CHECKED

    # -- what happens --------------------------------------------------------------------

    def choose(self, kind: str, key: Any = "") -> None:
        """Choose whose matrices are shown."""
        if (kind, key) != self.choice:
            self.choice = (kind, key)
            self.subject_changed.emit()

    def set_finding(self, sentence: str) -> None:
        """Keep what the last check found."""
        if self.field is not None:
            self.findings[self.field.id] = sentence
            self.checked.emit()


class SubjectBox(QComboBox):
    """Whose matrices: the clicked pixel's, the scene's, those of a class or a region."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        make_narrow(self, "Whose matrices: click a pixel, or choose a class or a region")
        self._desk = desk
        self.currentIndexChanged.connect(self._on_choice)
        desk.changed.connect(self.fill)
        self.fill()

    def fill(self, *_: object) -> None:
        """List what can be shown; keep the choice where it still exists."""
        desk = self._desk
        self.blockSignals(True)
        self.clear()
        self.addItem("Clicked pixel", ("pixel", ""))
        self.addItem("Whole scene", ("scene", ""))
        if desk.labels is not None:
            for value, name in desk.labels.class_names.items():
                self.addItem(f"Class {name}" if name.isdigit() else name, ("class", value))
        if desk.field is not None:
            for region in desk.workspace.regions.values():
                if region.scene_id == desk.field.scene_id:
                    self.addItem(f"Region {region.name}", ("region", region.id))
        choices = [self.itemData(i) for i in range(self.count())]
        self.setCurrentIndex(choices.index(desk.choice) if desk.choice in choices else 0)
        self.blockSignals(False)
        self._on_choice()

    def _on_choice(self, *_: object) -> None:
        self._desk.choose(*self.currentData())
