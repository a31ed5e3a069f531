"""A working day at the explorer's desk: from a scene to a map that is measured and handed over.

What the window did is then done again, twice, from its run log alone.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from scipy import ndimage

from app.exporting import ask
from app.hand import Hand
from app.same_files import differences
from app.tour import Step, settle, wait_for
from backends.errors import ClearbandError
from backends.io.writers.atomic import write_text
from widgets.boards import LABELS

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

FORMULA = "(b[860] - b[660]) / (b[860] + b[660])"
MODEL = "maximum_likelihood"
_REGIONS = 2


class WorkingDay:
    """The steps of a day on a window.

    Parameters
    ----------
    scene, labels : Path
        An image with wavelengths, and a label image on its grid.
    library : Path or None
        Reference spectra; without them the regions alone are matched.
    folder : Path
        Gets what is exported, and the run log.
    """

    def __init__(self, scene: Path, labels: Path, library: Path | None, folder: Path) -> None:
        self.scene, self.labels, self.library, self.folder = scene, labels, library, folder
        self.log = folder / "day.log"

    def steps(self) -> tuple[Step, ...]:
        """Return what is done in the window."""
        return (
            Step("scene", "A scene of many bands, as the eye sees it", self._open),
            Step("composite", "The same in colour infrared", self._composite),
            Step("regions", "Two areas drawn with the lasso", self._regions),
            Step("means", "Their mean spectra, with spread", self._means),
            Step("match", "Which reference each pixel is most like", self._match),
            Step("index", "A vegetation index, by wavelength", self._index),
            Step("mnf", "Minimum noise fractions, best signal first", self._mnf),
            Step("trained", "Maximum likelihood, on random and on separate blocks", self._train),
            Step("measured", "Class by class: found, and right", self._measured),
            Step("handed-over", "Map and report are written", self._handed_over),
        )

    # -- look ----------------------------------------------------------------------------

    def _open(self, window: ClearbandWindow) -> None:
        window.show_workbench("remote_sensing")
        window.open_paths([self.scene])
        wait_for(window, lambda: window.workspace.active_scene is not None, "the scene")
        _idle(window)

    def _composite(self, window: ClearbandWindow) -> None:
        window.show_dock("composer")
        settle(window, 0.1)
        presets = window.docks["composer"].inner.presets
        items = [presets.item(row) for row in range(presets.count())]
        item = next(i for i in items if i.data(Qt.ItemDataRole.UserRole) == "cir")
        presets.scrollToItem(item)
        place = presets.visualItemRect(item).center()
        QTest.mouseClick(presets.viewport(), Qt.MouseButton.LeftButton, pos=place)
        _idle(window)

    def _regions(self, window: ClearbandWindow) -> None:
        """Go around the middle of the widest area of each of the two commonest classes."""
        from backends.io.labels import open_labels

        hand, workspace = Hand(window), window.workspace
        window.show_dock("regions")
        window.canvas.stage.fit()
        settle(window, 0.1)
        known = open_labels(self.labels)
        values, dock = known.values, window.docks["regions"].inner
        commonest = np.argsort(np.bincount(values[values > 0]))[::-1][:_REGIONS]
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        for number, value in enumerate(commonest, 1):
            inside = ndimage.distance_transform_edt(np.pad(values == value, 1))[1:-1, 1:-1]
            row, col = np.unravel_index(int(inside.argmax()), inside.shape)
            reach = max(1.5, float(inside.max()) - 1)
            around = [(row + reach * np.sin(t), col + reach * np.cos(t)) for t in turn]
            window.tools.lasso()
            hand.drag(around, pause_s=0.02)
            wait_for(window, lambda n=number: len(workspace.regions) == n, "the area")
            dock.table.item(number - 1, 1).setText(known.class_names[int(value)])
        window.canvas.drawing.put_down()
        _idle(window)

    def _means(self, window: ClearbandWindow) -> None:
        dock, areas = window.docks["regions"].inner, self.folder / "areas.geojson"
        dock.save_file(areas)
        wait_for(window, areas.is_file, "the areas")
        region = next(iter(window.workspace.regions.values()))
        Hand(window).look(*region.vertices.mean(axis=0), 24)
        words = ("spectra", "regions", str(self.scene), "--areas", str(areas))
        words += ("--areas-option", "coordinates=pixels", "--out", "means")
        window.workspace.run_log.add("Means of the areas", words)
        _idle(window)

    # -- compute -------------------------------------------------------------------------

    def _match(self, window: ClearbandWindow) -> None:
        dock = _tools(window)
        if self.library is not None:
            dock.references.open_library(self.library)
            wait_for(window, lambda: dock.references.library is not None, "the library")
            dock.references.filter_edit.setText("water1, potatoes, coniferous, asphalt (1)")
        window.canvas.stage.fit()
        dock.references.save_areas(self.folder / "areas.geojson")
        wait_for(window, lambda: dock.references.chosen().areas is not None, "the areas")
        self._run(window, "Match")
        self._keep(window, "match.tif")

    def _index(self, window: ClearbandWindow) -> None:
        dock = _tools(window)
        dock.show_tool("Formula")
        Hand(window).type(dock.formula.edit, FORMULA)
        self._run(window, "Formula")
        self._keep(window, "index.tif")

    def _mnf(self, window: ClearbandWindow) -> None:
        dock = _tools(window)
        dock.show_tool("Transform")
        box = dock.transform.method_box
        box.setCurrentIndex(box.findData("mnf"))
        dock.transform.components_spin.setValue(6)
        self._run(window, "Transform")
        self._keep(window, "mnf.tif")

    def _run(self, window: ClearbandWindow, tool: str) -> None:
        dock, lines = _tools(window), window.workspace.run_log.lines
        dock.show_tool(tool)
        _clear(window)
        before = len(lines)
        Hand(window).press(dock.go_button)
        wait_for(window, lambda: len(lines) > before, tool)
        _idle(window)
        Hand.scroll_to(dock.result)

    # -- train, measure, hand over -------------------------------------------------------

    def _train(self, window: ClearbandWindow) -> None:
        workspace, scene = window.workspace, window.workspace.active_scene
        assert scene is not None
        window.show_dock("classify")
        window.opener.open_labels(self.labels, scene)
        wait_for(window, lambda: scene.id in workspace.labels, "the labels")
        dock = window.docks["classify"].inner
        dock.form.choose(MODEL)
        _clear(window)
        dock.form.apart_box.setChecked(True)
        before = len(workspace.run_log.lines)
        Hand(window).press(dock.go_button)
        wait_for(window, lambda: len(workspace.run_log.lines) > before, "the class map")
        _idle(window)
        window.canvas.board.change(scene.id, LABELS, visible=False)
        Hand.scroll_to(dock.result.figures)

    def _measured(self, window: ClearbandWindow) -> None:
        dock = window.docks["classify"].inner
        Hand.scroll_to(dock.result.save_button)
        # The window measures what it trains; a finished map is measured by a line of the log.
        made = Path(f"{self.scene.stem}_{MODEL}") / "class_map.tif"
        words = ("assess", str(made), "--reference", str(self.labels), "--out", "assessed")
        window.workspace.run_log.add("Assess the class map", words)

    def _handed_over(self, window: ClearbandWindow) -> None:
        dialog = _ask(window, "layer", "geotiff", self.folder / "map.tif")
        settle(window, 0.1)
        dialog.grab().save(str(self.folder / "export-dialog.png"))
        self._write(window, dialog)
        self._write(window, _ask(window, "report", "html", self.folder / "report.html"))
        self._write(window, _ask(window, "areas", "csv", self.folder / "areas.csv"))
        write_text(self.log, window.workspace.run_log.text())

    def _keep(self, window: ClearbandWindow, name: str) -> None:
        """Export the layer just made, to be compared with what the log makes."""
        self._write(window, _ask(window, "layer", "geotiff", self.folder / name))

    @staticmethod
    def _write(window: ClearbandWindow, dialog: Any) -> None:
        path = dialog.path
        dialog.accept()
        wait_for(window, lambda: dialog.handle.state.is_final, path.name)
        _idle(window)

    # -- again ---------------------------------------------------------------------------

    def again(self) -> None:
        """Replay the log twice; every file must be the same but for when it was made.

        Raises
        ------
        ClearbandError
            A file differs; the sentence says which and where.
        """
        from app.replay import replay

        folders = [self.folder / "again", self.folder / "and-again"]
        for folder in folders:
            folder.mkdir(exist_ok=True)
            # What the actions print is no part of what the story says.
            with redirect_stdout(sys.stderr):
                replay(self.log, folder)
        stem, first = self.scene.stem, folders[0]
        pairs = [(f, folders[1] / f.relative_to(first)) for f in sorted(first.rglob("*.*"))]
        pairs += [(self.folder / n, first / n) for n in ("map.tif", "report.html", "areas.csv")]
        for name, made in (("match", "match"), ("index", "expr"), ("mnf", "mnf")):
            kept = self.folder / f"{name}.tif"
            pairs.append((kept, _twin(kept, first / f"{stem}_{made}")))
        found = {str(one.relative_to(self.folder)): differences(one, two) for one, two in pairs}
        write_text(self.folder / "replayed.json", json.dumps(found, indent=1))
        differ = [f"{name} ({what})" for name, what in found.items() if what]
        if differ:
            raise ClearbandError(f"Done again from the log, files differ: {', '.join(differ)}.")


def _twin(path: Path, folder: Path) -> Path:
    """Return the file of a folder that holds the layer of the same title."""
    import rasterio

    def title(file: Path) -> str:
        with rasterio.open(file) as opened:
            return str(opened.tags().get("CLEARBAND_TITLE"))

    wanted = title(path)
    return next(file for file in sorted(folder.glob("*.tif")) if title(file) == wanted)


def _ask(window: ClearbandWindow, kind: str, format: str, path: Path) -> Any:
    dialog = ask(window)
    dialog.kind_box.setCurrentIndex(dialog.kind_box.findData(kind))
    active = window.workspace.active_overlay
    assert active is not None
    dialog.layer_box.setCurrentIndex(dialog.layer_box.findData(active.id))
    dialog.format_box.setCurrentIndex(dialog.format_box.findData(format))
    dialog.path_line.setText(str(path))
    return dialog


def _tools(window: ClearbandWindow) -> Any:
    window.show_dock("spectral_tools")
    settle(window, 0.05)
    return window.docks["spectral_tools"].inner


def _clear(window: ClearbandWindow) -> None:
    """Leave only the scene to be seen: what is made next is not to lie over what was before."""
    scene = window.workspace.active_scene
    assert scene is not None
    for overlay in window.workspace.overlays_of(scene.id):
        window.canvas.board.change(scene.id, overlay.id, visible=False)


def _idle(window: ClearbandWindow) -> None:
    wait_for(window, lambda: not window.workspace.running_jobs(), "the work to end")
    settle(window, 0.1)
