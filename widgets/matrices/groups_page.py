"""The groups of bands on the wavelength axis, to be moved for the next training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QSpinBox

from backends.hyperspectral.groups import MOST_EXPANSION, PHYSICAL, group_text
from backends.jobs import Progress
from backends.overlays import Provenance, ScoreMap
from backends.palette import key_color
from backends.scene import Scene
from widgets.matrices.desk import Desk
from widgets.pages import Page, narrow_box
from widgets.small_plot import SmallPlot
from widgets.theme import wrapped

MODEL = "es_mhc"


class GroupsPage(Page):
    """Neighbouring groups share an edge; drag it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._axis: NDArray[np.float64] = np.empty(0)
        self._of: Scene | None = None
        self.edges: list[float] = []
        self.names: list[str] = []
        self._lines: list[pg.InfiniteLine] = []
        self._areas: list[pg.LinearRegionItem] = []
        self.column.addWidget(
            wrapped("Drag the edges of the groups; the grey line is the mean spectrum.")
        )
        self.plot = SmallPlot("Wavelength, nm", "", 170)
        self.plot.plot_item.hideAxis("left")
        self.spectrum = self.plot.plot_item.plot([], [], pen=pg.mkPen("#888888", width=1))
        self.column.addWidget(self.plot)
        self.count_line = wrapped()
        self.column.addWidget(self.count_line)
        chosen = QHBoxLayout()
        self.group_box = narrow_box("Which group the buttons below are for")
        self.name_edit = QLineEdit()
        self.name_edit.setToolTip("Another name for the group")
        self.name_edit.setMaxLength(20)
        self.name_edit.editingFinished.connect(self._rename)
        chosen.addWidget(self.group_box, 1)
        chosen.addWidget(self.name_edit, 1)
        self.column.addLayout(chosen)
        row = QHBoxLayout()
        for title, tip, do in (
            ("Split", "Cut the chosen group in two", self.split),
            ("Join", "Join the chosen group with its neighbour", self.join),
            ("Image", "Lay the mean of the chosen group's bands over the image", self.lay_mean),
            ("Physical", "All groups anew: VIS, NIR, SWIR as in the source", self.reset),
        ):
            button = QPushButton(title)
            button.setToolTip(tip)
            button.setMinimumWidth(1)
            button.clicked.connect(lambda _, do=do: do())
            row.addWidget(button)
        self.column.addLayout(row)
        form = QFormLayout()
        self.full_box = QCheckBox("A stream of all bands, too")
        self.full_box.setChecked(True)
        self.times_box = QSpinBox()
        self.times_box.setRange(1, MOST_EXPANSION)
        self.times_box.setToolTip("Expansion rate: streams with the same bands, other weights")
        self.gain_box = narrow_box("What the streams start with")
        self.gain_box.addItem("1: mixed at once", 1.0)
        self.gain_box.addItem("2", 2.0)
        self.gain_box.addItem("4: kept apart", 4.0)
        form.addRow(self.full_box)
        form.addRow("Streams a group", self.times_box)
        form.addRow("Start (res_gain)", self.gain_box)
        self.lists_box = narrow_box("Which pixels the spatial scan reads together")
        self.lists_box.addItem("Matrix entries", "hres")
        self.lists_box.addItem("Learned clusters", "lcm")
        self.scans_box = narrow_box("Who reads the lists")
        self.scans_box.addItem("One scan for all", "shared")
        self.scans_box.addItem("A scan for each", "own")
        self.size_box = narrow_box("How large the network is")
        self.size_box.addItem("Small: any machine", "small")
        self.size_box.addItem("Width 320, 6 layers: GPU", "full")
        form.addRow("Lists from", self.lists_box)
        form.addRow("Scans", self.scans_box)
        form.addRow("Size", self.size_box)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.column.addLayout(form)
        self.use_button = QPushButton("Use in the next training")
        self.use_button.clicked.connect(self.use)
        self.column.addWidget(self.use_button)
        self.said_line = wrapped()
        self.column.addWidget(self.said_line)
        self.full_box.toggled.connect(self._count)
        self.times_box.valueChanged.connect(self._count)
        self.group_box.currentIndexChanged.connect(self._on_group)

    def draw(self) -> None:
        scene = self.desk.scene
        if scene is None or scene is self._of:
            return
        self._of = scene
        bands = scene.bands
        nm = bands.wavelengths() if bands.has_wavelengths else None
        has = nm is not None and bool(np.isfinite(nm).all())
        self._axis = np.asarray(nm if has else np.arange(1.0, len(bands) + 1), np.float64)
        self._has = has
        self.plot.plot_item.setLabel("bottom", "Wavelength, nm" if has else "Band")
        self.reset()
        step = max(1, scene.shape[0] // 16)

        def run(progress: Progress) -> NDArray[Any]:
            from backends.scene import Window

            rows = [
                np.nanmean(scene.read(Window(r, 0, 1, scene.shape[1]), None), axis=(0, 1))
                for r in range(0, scene.shape[0], step)
            ]
            return np.asarray(np.nanmean(rows, axis=0))

        def show(mean: NDArray[Any]) -> None:
            order = np.argsort(self._axis, kind="stable")
            span = float(np.nanmax(mean) - np.nanmin(mean)) or 1.0
            self.spectrum.setData(self._axis[order], ((mean - np.nanmin(mean)) / span)[order])

        self.desk.submit("Mean spectrum", "spectrum", run, show)

    def reset(self) -> None:
        """Begin with the groups of physics, or with equal slices of bands."""
        low, high = float(self._axis.min()), float(self._axis.max())
        if self._has:
            inside = [g for g in PHYSICAL if ((self._axis >= g[1]) & (self._axis < g[2])).any()]
            self.names = [g[0] for g in inside]
            cuts = [g[2] for g in inside[:-1]]
        else:
            cuts = [float(v) for v in np.linspace(low, high + 1, 5)[1:-1].round()]
            self.names = [f"part {i}" for i in range(1, 5)]
        self._put([low, *cuts, high + (1.0 if not self._has else 0.1)])

    def split(self) -> None:
        """Cut the chosen group in two."""
        k = self.group_box.currentIndex()
        if len(self.names) >= 8 or k < 0:
            return
        middle = (self.edges[k] + self.edges[k + 1]) / 2
        name = self.names[k]
        self.names[k : k + 1] = self._fresh(f"{name}a", f"{name}b")
        self._put([*self.edges[: k + 1], round(middle, 1), *self.edges[k + 1 :]])

    def join(self) -> None:
        """Join the chosen group with the one after it, the last with the one before."""
        if len(self.names) < 3:
            return
        first = min(max(0, self.group_box.currentIndex()), len(self.names) - 2)
        pair = self.names[first : first + 2]
        self.names[first : first + 2] = self._fresh("+".join(pair)[:20])
        self._put([*self.edges[: first + 1], *self.edges[first + 2 :]])

    def lay_mean(self) -> None:
        """Lay the mean of the chosen group's bands over the image."""
        scene, field, k = self.desk.scene, self.desk.field, self.group_box.currentIndex()
        if scene is None or field is None or k < 0:
            return
        low, high = self.edges[k], self.edges[k + 1]
        bands = np.flatnonzero((self._axis >= low) & (self._axis < high))
        if not bands.size:
            self.said_line.setText(f"The group {self.names[k]} holds no band of this scene.")
            return
        title = f"Mean of {self.names[k]}, {bands.size} bands"

        def run(progress: Progress) -> NDArray[np.float32]:
            out = np.empty(scene.shape[:2], np.float32)
            for window, part in scene.blocks(tuple(bands.tolist()), progress=progress):
                out[window.slices] = np.nanmean(part, axis=2)
            return out

        def show(values: NDArray[np.float32]) -> None:
            made = Provenance(
                "mean of bands",
                scene_digest=scene.digest,
                scene_path=str(scene.info.path or ""),
                parameters={"bands": (bands + 1).tolist()},
            )
            unit = scene.info.unit
            overlay = ScoreMap(
                title, scene.id, made, id=f"{scene.id}-group-mean", values=values, unit=unit
            )
            self.desk.workspace.add_overlay(overlay)

        self.desk.submit(title, "group mean", run, show, quiet=False)

    def text(self) -> str:
        """Return the groups as the setting has them."""
        cuts = [round(edge, 1) for edge in self.edges]
        ends = zip(self.names, cuts, cuts[1:], strict=False)
        return group_text(tuple(ends))

    def use(self) -> None:
        """Let the next training of this scene use these groups."""
        scene = self.desk.scene
        if scene is None:
            return
        settings: dict[str, Any] = {
            "groups": self.text(),
            "full": int(self.full_box.isChecked()),
            "expansion": self.times_box.value(),
            "res_gain": float(self.gain_box.currentData()),
        }
        for box, key in ((self.lists_box, "cluster_source"), (self.scans_box, "list_scans")):
            if box.currentIndex() > 0:  # the first is what it does anyway
                settings[key] = str(box.currentData())
        if self.size_box.currentData() == "full":
            from backends.hyperspectral.es_mhc import FULL_WIDTH

            settings |= FULL_WIDTH
        self.desk.workspace.set_next_settings(scene.id, MODEL, settings)
        said = self.text().replace(";", "; ")
        self.said_line.setText(
            f"The next training of {MODEL} on this scene (Classify tab) uses: {said}."
        )

    def _put(self, edges: list[float]) -> None:
        plot = self.plot.plot_item
        for item in (*self._lines, *self._areas):
            plot.removeItem(item)
        self.edges = edges
        self._areas = []
        for k in range(len(self.names)):
            color = QColor(key_color(k))
            color.setAlpha(70)
            area = pg.LinearRegionItem(
                (edges[k], edges[k + 1]), movable=False, brush=color, pen=pg.mkPen(None)
            )
            area.setZValue(-10)
            plot.addItem(area)
            self._areas.append(area)
        self._lines = []
        for k in range(1, len(edges) - 1):
            pen, hover = pg.mkPen("#888888", width=2), pg.mkPen("#d6604d", width=4)
            line = pg.InfiniteLine(edges[k], angle=90, movable=True, pen=pen, hoverPen=hover)
            line.sigPositionChanged.connect(lambda line, k=k: self._moved(k, line))
            plot.addItem(line)
            self._lines.append(line)
        plot.setXRange(edges[0], edges[-1], padding=0.02)
        self._fill_names()
        self._count()

    def _fill_names(self) -> None:
        k = self.group_box.currentIndex()
        self.group_box.blockSignals(True)
        self.group_box.clear()
        self.group_box.addItems(self.names)
        self.group_box.setCurrentIndex(min(max(0, k), len(self.names) - 1))
        self.group_box.blockSignals(False)
        self._on_group()

    def _on_group(self, *_: object) -> None:
        """Show which group is chosen."""
        k = self.group_box.currentIndex()
        self.name_edit.setText(self.names[k] if 0 <= k < len(self.names) else "")
        for number, area in enumerate(self._areas):
            color = QColor(key_color(number))
            color.setAlpha(120 if number == k else 60)
            area.setBrush(color)

    def _rename(self) -> None:
        k, name = self.group_box.currentIndex(), self.name_edit.text().strip()
        taken = [n for i, n in enumerate(self.names) if i != k] + ["FULL"]
        if k < 0 or not name or name in taken or set(name) & set(":;,"):
            self._on_group()  # as it was
        elif name != self.names[k]:
            self.names[k] = name
            self._fill_names()
            self._count()

    def _fresh(self, *wanted: str) -> list[str]:
        """Return names that no group has yet."""
        made: list[str] = []
        for name in wanted:
            number, free = 2, name
            while free in self.names or free in made:
                free, number = f"{name}{number}", number + 1
            made.append(free)
        return made

    def _moved(self, k: int, line: Any) -> None:
        gap = (self.edges[-1] - self.edges[0]) / 200
        value = float(np.clip(line.value(), self.edges[k - 1] + gap, self.edges[k + 1] - gap))
        self.edges[k] = value
        if value != line.value():
            line.setValue(value)
        self._areas[k - 1].setRegion((self.edges[k - 1], value))
        self._areas[k].setRegion((value, self.edges[k + 1]))
        self._count()

    def _count(self, *_: object) -> None:
        parts = []
        for k, name in enumerate(self.names):
            inside = (self._axis >= self.edges[k]) & (self._axis < self.edges[k + 1])
            color = key_color(k)
            parts.append(f"<span style='color:{color}'>■</span> {name} {int(inside.sum())}")
        streams = len(self.names) * self.times_box.value() + int(self.full_box.isChecked())
        self.count_line.setText(f"Bands: {', '.join(parts)}. {streams} streams, {streams**2} maps.")
