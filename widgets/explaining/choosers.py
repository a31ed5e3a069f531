"""Which class is explained, where, and at which layer: lists that answers and regions fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QCompleter, QSizePolicy

from backends.scene import Scene
from backends.workspace import Region
from widgets.eliding import ElidedBox
from widgets.explaining.words import share
from widgets.pages import make_narrow, narrow_box

if TYPE_CHECKING:
    from backends.explain.layers import Layer

SEEN, PIXEL = "seen", "pixel"


class ClassBox(QComboBox):
    """Classes, the likeliest first; a few letters find one among a thousand."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setToolTip("What is explained; type a few letters to find a class")
        completer = QCompleter(self.model(), self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setCompleter(completer)
        self.fill((), ())

    def wanted(self) -> int | None:
        """Return the number of the chosen class; None is the likeliest."""
        place = self.findText(self.currentText().strip())
        found = self.itemData(place) if place >= 0 else None
        return None if found is None else int(found)

    def fill(self, names: Sequence[str], top: Sequence[tuple[int, str, float]]) -> None:
        """Offer the likeliest classes with their share, then all others by name.

        Parameters
        ----------
        top : sequence of (number, name, probability)
        """
        wanted = self.wanted()
        self.blockSignals(True)
        self.clear()
        self.addItem("the likeliest", None)
        for number, name, probability in top:
            self.addItem(f"{name} · {share(probability)}", number)
        shown = {number for number, _, _ in top}
        rest = [(name, number) for number, name in enumerate(names) if number not in shown]
        for name, number in sorted(rest):
            self.addItem(name, number)
        place = 0 if wanted is None else self.findData(wanted)
        self.setCurrentIndex(max(0, place))
        self.blockSignals(False)


class PlaceBox(ElidedBox):
    """Whose answer is explained, of a network that classifies pixels."""

    def __init__(self) -> None:
        super().__init__(mode=Qt.TextElideMode.ElideRight)
        make_narrow(self, "Whose answer is explained: the network classifies pixels")
        self._pixel: tuple[str, int, int] | None = None

    def take(self, scene_id: str, row: int, col: int) -> None:
        """A pixel was clicked."""
        self._pixel = (scene_id, row, col)

    def fill(self, scene: Scene | None, regions: Sequence[Region]) -> None:
        """Offer all pixels of the class, the pixel in hand and the areas that are drawn."""
        chosen = self.currentData()
        self.clear()
        self.addItem("all pixels of the class", SEEN)
        if scene is not None and self._pixel is not None and self._pixel[0] == scene.id:
            self.addItem(f"row {self._pixel[1]}, column {self._pixel[2]}", PIXEL)
            if chosen in (None, SEEN):
                chosen = PIXEL
        for region in regions:
            self.addItem(region.name, region.id)
        self.setCurrentIndex(max(0, self.findData(chosen)))

    def place(
        self, scene: Scene, regions: Sequence[Region]
    ) -> tuple[tuple[int, int] | None, NDArray[np.bool_] | None]:
        """Return the pixel or the mask that is chosen; neither for all pixels of the class."""
        chosen = self.currentData()
        if self.isHidden():
            return None, None
        if chosen == PIXEL and self._pixel is not None:
            return self._pixel[1:], None
        drawn = next((r for r in regions if r.id == chosen), None)
        return None, None if drawn is None else drawn.mask(scene.shape[:2])


class LayerBox:
    """Layers of a network, the last first, and why one was found.

    Attributes
    ----------
    box : QComboBox
    automatic : Layer or None
        What "found for you" found last.
    """

    def __init__(self) -> None:
        self.box = narrow_box("The layer that the map is made at")
        self.automatic: Layer | None = None
        self.fill(())

    @property
    def chosen(self) -> str:
        """The name of the layer; empty finds it."""
        return str(self.box.currentData() or "")

    def fill(self, layers: Sequence[Layer]) -> None:
        """Offer layers with their grid."""
        chosen = self.box.currentData()
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItem("found for you", "")
        for layer in reversed(layers):
            rows, cols = layer.grid
            self.box.addItem(f"{layer.name or 'output'} · {rows} × {cols}", layer.name)
        self.box.setCurrentIndex(max(0, self.box.findData(chosen)))
        self.box.blockSignals(False)
        if not layers:
            self.automatic = None

    def reason(self) -> str:
        """Return why the layer was found; empty where it was chosen, or none is known."""
        layer = self.automatic
        if layer is None or self.chosen:
            return ""
        return layer.reason if layer.name in layer.reason else f"{layer.name}: {layer.reason}"
