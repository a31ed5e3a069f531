"""What each tool is asked with; the defaults do for a first look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QDoubleSpinBox, QFormLayout, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.pages import narrow_box
from widgets.spectral_tools.asking import ReferenceChoice
from widgets.spectral_tools.prepare_pages import NOISE_TIP, fill_noise
from widgets.theme import GRID, wrapped

MEASURES = {
    "spectral_angle": ("Spectral angle", "Shape alone; brightness does not matter (Kruse 1993)"),
    "spectral_information_divergence": (
        "Information divergence", "Spectra as chances, how far apart they are (Chang 2000)",
    ),
    "spectral_correlation": ("Correlation", "Shape, without level and contrast"),
    "euclidean_distance": ("Distance", "Shape and level; both in the same unit"),
    "spectral_feature_fit": (
        "Absorption features", "Continuum removed, depths fitted (Clark 1990)",
    ),
}  # fmt: skip
TRANSFORMS = {
    "pca": ("Principal components (PCA)", "Directions of largest variance first"),
    "mnf": ("Minimum noise fraction (MNF)", "Best signal-to-noise first"),
    "ica": ("Independent components (ICA)", "Most peaked first"),
}
DETECTORS = {
    "ace": ("ACE", "Coherence with the target, 0 to 1"),
    "matched_filter": ("Matched filter", "1 at the target, 0 at the scene's mean"),
    "cem": ("CEM", "1 at the target, everything else pressed down"),
}
FINDERS = {
    "vca": ("Found in the scene (VCA)", "Vertex component analysis"),
    "n_findr": ("Found in the scene (N-FINDR)", "The largest simplex"),
    "ppi": ("Found in the scene (pixel purity)", "Most often the outermost"),
    "references": ("Chosen below", "Spectra of a library, of regions or of pins"),
}
GROUPINGS = {
    "kmeans": ("k-means", "As many clusters as asked for, each pixel in the nearest"),
    "isodata": ("ISODATA", "Splits wide clusters and merges close ones on the way"),
}
MOST_COMPONENTS = 200


class ToolForm(QWidget):
    """One tool's questions; what is compared with stands below, shared by the tools."""

    changed = pyqtSignal()
    TOOL = ""
    COMPARES = False
    RUNS = True  # has something to run with the button below

    def __init__(self, about: str) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(GRID // 2)
        self.column.addWidget(wrapped(about))
        self.rows = QFormLayout()
        self.rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.column.addLayout(self.rows)

    @property
    def tool(self) -> str:
        """Name of the command that does the same."""
        return self.TOOL

    @property
    def compares(self) -> bool:
        """Whether the references are used."""
        return self.COMPARES

    @property
    def title(self) -> str:
        """Name of what it does; empty leaves it to the dock."""
        return ""

    @property
    def go(self) -> str:
        """What the button says; empty leaves it to the dock."""
        return ""

    @property
    def target(self) -> Path | None:
        """The file it writes, which becomes a scene; None where it makes layers."""
        return None

    @property
    def replaces(self) -> bool:
        """Whether that file may take the place of another."""
        return False

    def settings(self) -> dict[str, Any]:
        """Return what was chosen, by the names of the command's options."""
        return {}

    def regions(self) -> tuple[Region, ...]:
        """Return the regions it cuts out."""
        return ()

    def ranked(self) -> tuple[tuple[int, int] | Region, ...]:
        """Return the pixels and regions for which references are ranked."""
        return ()

    def others_than(self, choice: ReferenceChoice) -> ReferenceChoice:
        """Return what of the references it compares with."""
        return choice

    def others(self) -> dict[str, Scene]:
        """Return further scenes it reads, by the names it gives them."""
        return {}

    def problem(self, scene: Scene, choice: ReferenceChoice) -> str:
        """Return why it cannot be run, or nothing."""
        return "" if choice or not self.compares else "Nothing is chosen to compare with."

    def _list(self, name: str, entries: dict[str, tuple[str, str]]) -> Any:
        box = narrow_box(name)
        for key, (title, tip) in entries.items():
            box.addItem(title, key)
            box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        box.currentIndexChanged.connect(lambda *_: self.changed.emit())
        self.rows.addRow(name, box)
        return box

    def _count(self, name: str, value: int, least: int, zero: str = "", tip: str = "") -> QSpinBox:
        spin = QSpinBox()
        spin.setRange(least, MOST_COMPONENTS)
        spin.setSpecialValueText(zero)
        spin.setValue(value)
        spin.setToolTip(tip)
        spin.setAccessibleName(name)
        self.rows.addRow(name, spin)
        return spin


class MatchForm(ToolForm):
    """Every pixel beside every reference."""

    TOOL = "match"
    COMPARES = True

    def __init__(self) -> None:
        super().__init__("Which reference is each pixel most like?")
        self.measure_box = self._list("Measure", MEASURES)

    def settings(self) -> dict[str, Any]:
        return {"measure": self.measure_box.currentData()}


class TransformForm(ToolForm):
    """Few layers that hold most of what the bands say.

    Parameters
    ----------
    choice : callable
        Returns what is ticked to compare with, which knows the file regions were saved to.
    """

    def __init__(self, workspace: Workspace, choice: Callable[[], ReferenceChoice]) -> None:
        super().__init__("What do the bands say together, the most telling first?")
        self._workspace, self._choice = workspace, choice
        self.method_box = self._list("Method", TRANSFORMS)
        self.noise_box = narrow_box(NOISE_TIP)
        self.rows.addRow("Noise from", self.noise_box)
        self.components_spin = self._count("Components", 10, 1)
        self.noise_box.currentIndexChanged.connect(lambda *_: self.changed.emit())
        self.method_box.currentIndexChanged.connect(self._on_method)
        for signal in (workspace.active_scene_changed, workspace.regions_changed):
            listen(self, signal, self._fill)
        self._fill()
        self._on_method()

    @property
    def tool(self) -> str:
        return str(self.method_box.currentData())

    def settings(self) -> dict[str, Any]:
        told: dict[str, Any] = {"components": self.components_spin.value()}
        file = self._choice().areas
        for region in self.regions():
            if file is not None:
                told |= {"dark": file, "dark_option": ("coordinates=pixels",)}
                told["dark_name"] = region.label
        return told

    def regions(self) -> tuple[Region, ...]:
        region = self._workspace.regions.get(str(self.noise_box.currentData()))
        return (region,) if region is not None and self.tool == "mnf" else ()

    def _fill(self, *_: object) -> None:
        fill_noise(self.noise_box, self._workspace)

    def _on_method(self, *_: object) -> None:
        self.rows.setRowVisible(self.noise_box, self.tool == "mnf")


class ClusterForm(ToolForm):
    """Classes without labels."""

    TOOL = "cluster"

    def __init__(self) -> None:
        super().__init__("Which pixels belong together, without any labels?")
        self.method_box = self._list("Method", GROUPINGS)
        self.count_spin = self._count("Clusters", 8, 2, tip="For ISODATA: to begin with")
        self.passes_spin = self._count("Passes", 20, 1, tip="Over the scene, at most")

    def settings(self) -> dict[str, Any]:
        return {
            "method": self.method_box.currentData(),
            "count": self.count_spin.value(),
            "passes": self.passes_spin.value(),
        }


class AnomaliesForm(ToolForm):
    """Pixels unlike their background."""

    TOOL = "rx"

    def __init__(self) -> None:
        super().__init__("Which pixels are unlike their background (RX)?")
        self.against_box = self._list(
            "Against",
            {
                "scene": ("The whole scene", "One background for all pixels"),
                "ring": ("What lies around", "A ring around each pixel; slow, finds local ones"),
            },
        )
        self.window_edit = QLineEdit("3,15")
        self.window_edit.setToolTip("Inner and outer side of the ring, odd: 3,15 or 90m,450m")
        self.rows.addRow("Ring", self.window_edit)
        self.components_spin = self._count(
            "Components", 0, 0, "all bands",
            "Principal components only: a ring must hold more pixels than these",
        )  # fmt: skip
        self.rate_spin = QDoubleSpinBox()
        self.rate_spin.setDecimals(5)
        self.rate_spin.setRange(0.00001, 0.5)
        self.rate_spin.setSingleStep(0.0005)
        self.rate_spin.setValue(0.001)
        self.rate_spin.setToolTip("Share of ordinary background pixels that may pass")
        self.rows.addRow("False alarms", self.rate_spin)
        self.against_box.currentIndexChanged.connect(self._on_against)
        self._on_against()

    def settings(self) -> dict[str, Any]:
        ring = self.against_box.currentData() == "ring"
        return {
            "false_alarms": round(self.rate_spin.value(), 5),
            "window": self.window_edit.text().strip() if ring else None,
            "components": self.components_spin.value() or None if ring else None,
        }

    def _on_against(self, *_: object) -> None:
        ring = self.against_box.currentData() == "ring"
        for field in (self.window_edit, self.components_spin):
            self.rows.setRowVisible(field, ring)
        if ring and self.components_spin.value() == 0:
            self.components_spin.setValue(10)


class TargetForm(ToolForm):
    """A known spectrum looked for."""

    TOOL = "target"
    COMPARES = True

    def __init__(self) -> None:
        super().__init__("Where is this material, also where it fills a part of a pixel?")
        self.method_box = self._list("Method", DETECTORS)

    def settings(self) -> dict[str, Any]:
        return {"method": self.method_box.currentData()}


class UnmixForm(ToolForm):
    """Shares of pure materials."""

    TOOL = "unmix"

    def __init__(self) -> None:
        super().__init__("Which share of each pixel is which pure material?")
        self.from_box = self._list("Materials", FINDERS)
        self.count_spin = self._count(
            "How many", 0, 0, "as many as HySime says", "Pure materials to find"
        )
        self.from_box.currentIndexChanged.connect(self._on_from)

    @property
    def compares(self) -> bool:
        return bool(self.from_box.currentData() == "references")

    def settings(self) -> dict[str, Any]:
        if self.compares:
            return {}
        return {"count": self.count_spin.value() or None, "method": self.from_box.currentData()}

    def problem(self, scene: Scene, choice: ReferenceChoice) -> str:
        if not self.compares and self.count_spin.value() == 1:
            return "One material alone cannot be unmixed."
        return super().problem(scene, choice)

    def _on_from(self, *_: object) -> None:
        self.rows.setRowVisible(self.count_spin, not self.compares)
