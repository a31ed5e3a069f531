"""Which docks there are, where they stand, and which a workbench shows.

Docks are imported when they are first shown, so that the window is up at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PyQt6.QtCore import QByteArray, QSize, Qt
from PyQt6.QtWidgets import QDockWidget, QMainWindow, QScrollArea, QTabWidget, QWidget

from backends.workspace import Workspace

# Together they leave 55 % of a 1600×1000 window to the canvas.
LEFT_WIDTH, DESK_WIDTH, BOTTOM_HEIGHT = 192, 304, 136
LAYOUT_VERSION = 2


@dataclass(frozen=True)
class DockSpec:
    """A dock.

    Attributes
    ----------
    path : str
        ``"module:Class"``.
    area : str
        ``"left"``, ``"desk"`` (right, in tabs) or ``"bottom"``.
    needs : tuple of str
        Boards it takes besides the workspace, by the name of its argument.
    """

    id: str
    title: str
    path: str
    area: str
    needs: tuple[str, ...] = ()


DOCKS: tuple[DockSpec, ...] = (
    DockSpec("layers", "Layers", "widgets.layers_dock:LayersDock", "left", ("board",)),
    DockSpec("provenance", "Origin", "widgets.provenance_dock:ProvenanceDock", "left"),
    DockSpec("composer", "Composer", "widgets.composer_dock:ComposerDock", "desk", ("pictures",)),
    DockSpec("fire", "Fire", "widgets.fire_dock:FireDock", "desk", ("lines", "pictures")),
    DockSpec(
        "perimeter",
        "Perimeter",
        "widgets.perimeter_dock:PerimeterDock",
        "desk",
        ("lines", "pictures"),
    ),
    DockSpec("regions", "Regions", "widgets.regions_dock:RegionsDock", "desk", ("do", "wand")),
    DockSpec(
        "spectral_tools",
        "Spectral",
        "widgets.spectral_tools_dock:SpectralToolsDock",
        "desk",
        ("sight", "open_file"),
    ),
    DockSpec("classify", "Classify", "widgets.classify_dock:ClassifyDock", "desk", ("do",)),
    DockSpec("finetune", "Train", "widgets.finetune_dock:FinetuneDock", "desk", ("open_file",)),
    DockSpec(
        "explain",
        "Explain",
        "widgets.explain_dock:ExplainDock",
        "desk",
        ("board", "pictures", "visible", "open_file"),
    ),
    DockSpec("concepts", "Concepts", "widgets.concepts_dock:ConceptsDock", "desk", ("board", "do")),
    DockSpec("matrices", "Matrices", "widgets.matrices_dock:MatricesDock", "desk"),
    DockSpec("clusters", "Clusters", "widgets.clusters_dock:ClustersDock", "desk"),
    DockSpec("spectrum", "Spectrum", "widgets.spectrum_dock:SpectrumDock", "bottom"),
    DockSpec(
        "measure",
        "Measure",
        "widgets.measure_dock:MeasureDock",
        "desk",
        ("measures", "pictures", "visible"),
    ),
    DockSpec("pair", "Two scenes", "widgets.pair_dock:PairDock", "desk", ("pair", "open_files")),
    DockSpec("jobs", "Jobs", "widgets.jobs_dock:JobsDock", "desk"),
)


@dataclass(frozen=True)
class Workbench:
    """What one kind of user needs on the desk.

    Attributes
    ----------
    about : str
        Whom it serves, in a few words.
    docks : tuple of str
        Ids, desk tabs in their order.
    """

    id: str
    title: str
    about: str
    shortcut: str
    docks: tuple[str, ...]


WORKBENCHES: tuple[Workbench, ...] = (
    Workbench(
        "remote_sensing",
        "Remote sensing",
        "Hyperspectral and multispectral scenes, maps of the ground",
        "Ctrl+1",
        (
            "layers",
            "spectrum",
            "composer",
            "regions",
            "spectral_tools",
            "classify",
            "explain",
            "concepts",
            "matrices",
            "clusters",
        ),
    ),
    Workbench(
        "pathology",
        "Pathology",
        "Slides and medical pictures",
        "Ctrl+2",
        ("layers", "provenance", "composer", "regions", "finetune", "explain", "concepts"),
    ),
    Workbench(
        "fire",
        "Fire",
        "Thermal scenes and fire perimeters",
        "Ctrl+3",
        ("layers", "spectrum", "fire", "perimeter", "composer", "regions"),
    ),
)


def workbench(workbench_id: str) -> Workbench:
    """Return a workbench by id; the first one when there is none of that id."""
    return next((w for w in WORKBENCHES if w.id == workbench_id), WORKBENCHES[0])


class Dock(QDockWidget):
    """A dock without a title bar of its own while it is docked: its tab or place names it."""

    def __init__(self, spec: DockSpec, inner: QWidget, parent: QWidget) -> None:
        super().__init__(spec.title, parent)
        self.spec, self.inner = spec, inner
        self.setObjectName(f"clearband.{spec.id}")
        self.setAccessibleName(spec.title)
        self.setWidget(_framed(spec, inner))
        self._bare = QWidget(self)
        self._bare.setFixedHeight(0)
        self.setTitleBarWidget(self._bare)
        self.topLevelChanged.connect(self._on_floating)

    def sizeHint(self) -> QSize:
        """Return the size the layouts are planned with."""
        hint = super().sizeHint()
        if self.spec.area == "bottom":
            return QSize(hint.width(), BOTTOM_HEIGHT)
        return QSize(LEFT_WIDTH if self.spec.area == "left" else DESK_WIDTH, hint.height())

    def _on_floating(self, floating: bool) -> None:
        # A window of its own needs a bar to be moved and closed by.
        self.setTitleBarWidget(None if floating else self._bare)


class DockBook:
    """Loads docks, places them, and turns from one workbench to another.

    Parameters
    ----------
    window : QMainWindow
    workspace : Workspace
    boards : mapping of str to object
        What docks may need besides the workspace.
    """

    def __init__(
        self, window: QMainWindow, workspace: Workspace, boards: Mapping[str, Any]
    ) -> None:
        self._window, self._workspace, self._boards = window, workspace, boards
        self.docks: dict[str, Dock] = {}
        self.current = WORKBENCHES[0].id
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        window.setCorner(Qt.Corner.BottomLeftCorner, bottom)
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        every = Qt.DockWidgetArea.AllDockWidgetAreas
        window.setTabPosition(every, QTabWidget.TabPosition.North)

    def load(self, dock_id: str) -> Dock:
        """Return a dock, made on first use."""
        if dock_id in self.docks:
            return self.docks[dock_id]
        spec = next(s for s in DOCKS if s.id == dock_id)
        module, _, name = spec.path.partition(":")
        make = getattr(importlib.import_module(module), name)
        extra = {need: self._boards[need] for need in spec.needs}
        inner = make(self._workspace, None, **extra)
        dock = Dock(spec, inner, self._window)
        self.docks[dock_id] = dock
        dock.hide()  # docks made ahead stay out of sight until a workbench shows them
        self._place(dock)
        return dock

    def show(self, dock_id: str) -> None:
        """Show a dock and bring it to the front."""
        dock = self.load(dock_id)
        dock.show()
        dock.raise_()

    def hide_all(self) -> None:
        """Hide every dock: nothing is open that they could speak of."""
        for dock in self.docks.values():
            dock.hide()

    def show_workbench(self, workbench_id: str, layout: str | None = None) -> None:
        """Show the docks of a workbench and hide the others.

        Parameters
        ----------
        layout : str, optional
            An arrangement from `layout`; without it, or where it no longer fits, the
            planned one is used.
        """
        bench = workbench(workbench_id)
        self.current = bench.id
        for dock_id in bench.docks:
            self.load(dock_id)
        # Those a kept arrangement does not know yet would stand where they were.
        for dock_id, dock in self.docks.items():
            if dock_id not in bench.docks:
                dock.hide()
        if layout and self._window.restoreState(
            QByteArray.fromBase64(layout.encode()), LAYOUT_VERSION
        ):
            return
        self.arrange(bench)

    def arrange(self, bench: Workbench) -> None:
        """Put the docks of a workbench where they are planned."""
        order = [s.id for s in DOCKS]
        # A dock is put beside those before it, which must not move away afterwards.
        for dock in sorted(self.docks.values(), key=lambda d: order.index(d.spec.id)):
            dock.setFloating(False)
            self._place(dock)
            dock.setVisible(dock.spec.id in bench.docks)
        mine = [self.docks[dock_id] for dock_id in bench.docks]
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        for area, size, way in (
            ("left", LEFT_WIDTH, across),
            ("desk", DESK_WIDTH, across),
            ("bottom", BOTTOM_HEIGHT, down),
        ):
            inside = [dock for dock in mine if dock.spec.area == area]
            if inside:
                inside[0].raise_()
                self._window.resizeDocks(inside[:1], [size], way)

    def layout(self) -> str:
        """Return the arrangement of the docks as text."""
        state = self._window.saveState(LAYOUT_VERSION)
        return bytes(state.toBase64().data()).decode()

    def _place(self, dock: Dock) -> None:
        window, area = self._window, dock.spec.area
        sides = {
            "left": Qt.DockWidgetArea.LeftDockWidgetArea,
            "desk": Qt.DockWidgetArea.RightDockWidgetArea,
            "bottom": Qt.DockWidgetArea.BottomDockWidgetArea,
        }
        order = [s.id for s in DOCKS]
        before = [
            d
            for d in self.docks.values()
            if d is not dock
            and d.spec.area == area
            and order.index(d.spec.id) < order.index(dock.spec.id)
            and window.dockWidgetArea(d) == sides[area]
        ]
        window.addDockWidget(sides[area], dock)
        if not before:
            return
        last = max(before, key=lambda d: order.index(d.spec.id))
        if area == "bottom":
            window.splitDockWidget(last, dock, Qt.Orientation.Horizontal)
        else:
            window.tabifyDockWidget(last, dock)


def _framed(spec: DockSpec, inner: QWidget) -> QWidget:
    """Let a desk dock scroll when the window is low, so that nothing is cut off."""
    if spec.area != "desk":
        return inner
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inner)
    return area
