"""The export dialog offers what there is, says what it will do, and does it in a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from PyQt6.QtCore import QSize
from PyQt6.QtGui import QGuiApplication, QImage
from PyQt6.QtPdf import QPdfDocument

from backends.bands import BandTable
from backends.errors import BadInput
from backends.export import CanvasShot
from backends.georeference import GeoReference
from backends.jobs import JobState, ThreadRunner
from backends.overlays import ClassMap, MatrixEntry, MatrixField, Provenance, ScoreMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Pin, Workspace
from widgets.export_dialog import ExportDialog
from widgets.pdf import write_pdf

FIGURES = {
    "overall_accuracy": 0.9,
    "confusion": [[4, 1], [0, 5]],
    "classes": [{"value": 1, "name": "Water"}, {"value": 2, "name": "Soil"}],
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace()
    place = GeoReference((10.0, 0, 5e5, 0, -10.0, 5e6), "EPSG:32633")
    bands = BandTable.build(3, wavelength_nm=(460, 550, 650))
    info = SceneInfo(tmp_path / "field.dat", "hyperspectral", bands, place=place)
    cube = np.random.default_rng(0).integers(0, 999, (20, 30, 3)).astype(np.uint16)
    scene = Scene(ArraySource(cube), info)
    made.add_scene(scene)
    yield made
    made.close()


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    found = workspace.active_scene
    assert found is not None
    return found


@pytest.fixture
def class_map(workspace: Workspace, scene: Scene) -> ClassMap:
    labels = np.random.default_rng(1).integers(0, 3, (20, 30)).astype(np.uint8)
    made = ClassMap(
        "SVM map",
        scene.id,
        Provenance("svm", figures=FIGURES),
        labels=labels,
        class_names={1: "Water", 2: "Soil"},
        confidence=np.ones((20, 30), np.float32),
    )
    workspace.add_overlay(made)
    return made


@pytest.fixture
def dialog(workspace: Workspace, qtbot: Any) -> Callable[..., ExportDialog]:
    def make(**more: Any) -> ExportDialog:
        made = ExportDialog(workspace, **more)
        qtbot.addWidget(made)
        return made

    return make


def items(box: Any) -> list[str]:
    return [str(box.itemData(i)) for i in range(box.count())]


def choose(box: Any, value: str) -> None:
    at = box.findData(value)
    assert at >= 0, (value, items(box))
    box.setCurrentIndex(at)


def test_nothing_to_export(dialog: Callable[..., ExportDialog]) -> None:
    made = dialog()
    assert items(made.kind_box) == []
    assert not made.export_button.isEnabled()
    assert "nothing to export yet" in made.problem_line.text()


def test_only_what_there_is_is_offered(
    dialog: Callable[..., ExportDialog], workspace: Workspace, scene: Scene, class_map: ClassMap
) -> None:
    first = dialog()
    offered = items(first.kind_box)
    assert offered == ["layer", "report", "areas", "confusion", "confidence"]
    workspace.add_pin(Pin(scene.id, 1, 1, "Pin"))
    shot = CanvasShot(np.zeros((10, 10, 3), np.uint8))
    second = dialog(grab=lambda: shot)
    assert items(second.kind_box) == [*offered, "spectra", "canvas"]


def test_formats_follow_the_layer(
    dialog: Callable[..., ExportDialog], workspace: Workspace, scene: Scene, class_map: ClassMap
) -> None:
    entry = MatrixEntry(1, "mixer", np.eye(2), np.zeros((20, 30, 2, 2)))
    field = MatrixField(
        "Matrices", scene.id, Provenance("x"), group_names=("a", "b"), entries=(entry,)
    )
    workspace.add_overlay(field)
    workspace.activate_overlay(class_map.id)
    made = dialog()
    assert made.overlay is class_map
    assert items(made.format_box) == ["geotiff", "envi", "png", "csv"]
    choose(made.layer_box, field.id)
    assert items(made.format_box) == ["npz", "geotiff"]
    choose(made.kind_box, "report")
    assert items(made.format_box) == ["pdf", "html"]


def test_the_name_follows_the_format(
    dialog: Callable[..., ExportDialog], class_map: ClassMap, tmp_path: Path
) -> None:
    made = dialog()
    assert made.path == tmp_path / "field_SVM_map.tif"
    choose(made.format_box, "png")
    assert made.path.name == "field_SVM_map.png"
    choose(made.kind_box, "report")
    assert made.path.name == "field_SVM_map_report.pdf"
    made.path_line.setText(str(tmp_path / "mine.pdf"))
    choose(made.format_box, "html")
    assert made.path == tmp_path / "mine.html"


def test_what_stands_in_the_way_is_said(
    dialog: Callable[..., ExportDialog], class_map: ClassMap, tmp_path: Path
) -> None:
    made = dialog()
    assert made.export_button.isEnabled()
    for text, words in (
        ("", "Choose a file"),
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "no" / "x.tif"), "There is no folder"),
    ):
        made.path_line.setText(text)
        assert words in made.problem_line.text()
        assert not made.export_button.isEnabled()
        assert made.command_line.text() == ""


def test_it_runs_as_a_job(
    dialog: Callable[..., ExportDialog], workspace: Workspace, class_map: ClassMap, tmp_path: Path
) -> None:
    made = dialog()
    made.path_line.setText(str(tmp_path / "out.tif"))
    made.export_button.click()
    assert made.result() == ExportDialog.DialogCode.Accepted
    assert made.handle is not None
    assert made.handle.state is JobState.DONE
    with rasterio.open(tmp_path / "out.tif") as file:
        np.testing.assert_array_equal(file.read(1), class_map.labels)
    assert workspace.run_log.lines == []  # no command was known, so none is logged


def test_the_same_on_the_command_line(
    dialog: Callable[..., ExportDialog], workspace: Workspace, class_map: ClassMap, tmp_path: Path
) -> None:
    made = dialog()
    assert made.command_line.text() == ""
    assert "save the session" in made.log_line.text()
    saved = dialog(session=tmp_path / "my work.clearband", opacities={class_map.id: 0.25})
    choose(saved.format_box, "png")
    saved.path_line.setText(str(tmp_path / "a b.png"))
    text = saved.command_line.text()
    assert text.startswith(f"clearband export '{tmp_path}/my work.clearband' --what layer")
    assert "--layer 'SVM map'" in text
    assert "--opacity" not in text
    saved.over_box.setChecked(True)
    assert "--opacity 0.25" in saved.command_line.text()
    saved.copy_button.click()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == saved.command_line.text()
    saved.export_button.click()
    assert [line.command[0] for line in workspace.run_log.lines] == ["export"]
    with Image.open(tmp_path / "a b.png") as image:
        image.verify()


def test_a_classified_layer_needs_no_session(
    dialog: Callable[..., ExportDialog], workspace: Workspace, scene: Scene, class_map: ClassMap
) -> None:
    path = str(scene.info.path)
    workspace.run_log.add("Classify", ("classify", path, "--model", "svm", "--out", "made"))
    made = dialog()
    assert "export made/class_map.tif" in made.command_line.text()


def test_canvas(dialog: Callable[..., ExportDialog], class_map: ClassMap, tmp_path: Path) -> None:
    grabbed: list[int] = []

    def grab() -> CanvasShot:
        grabbed.append(1)
        return CanvasShot(np.full((120, 160, 4), 99, np.uint8), "Canvas")

    made = dialog(grab=grab, session=tmp_path / "s.clearband")
    choose(made.kind_box, "canvas")
    assert grabbed == []
    assert made.command_line.text() == ""
    assert "no command" in made.log_line.text()
    made.path_line.setText(str(tmp_path / "c.png"))
    made.export_button.click()
    assert grabbed == [1]
    with Image.open(tmp_path / "c.png") as image:
        assert image.size > (120, 100)


def test_spectra(
    dialog: Callable[..., ExportDialog], workspace: Workspace, scene: Scene, tmp_path: Path
) -> None:
    workspace.add_pin(Pin(scene.id, 1, 1, "Pin 1"))
    made = dialog()
    assert items(made.kind_box) == ["spectra"]
    made.path_line.setText(str(tmp_path / "s.csv"))
    made.export_button.click()
    assert "Pin 1" in (tmp_path / "s.csv").read_text()


def test_a_failure_is_the_jobs_to_tell(
    dialog: Callable[..., ExportDialog], workspace: Workspace, class_map: ClassMap, tmp_path: Path
) -> None:
    workspace.add_overlay(replace(class_map, labels=class_map.labels.astype(int) - 5))
    made = dialog()
    made.path_line.setText(str(tmp_path / "out.tif"))
    made.export_button.click()
    assert made.handle is not None
    assert made.handle.state is JobState.FAILED
    assert "between 0 and 65535" in str(made.handle.error)
    assert not list(tmp_path.glob("out*"))


# -- PDF -------------------------------------------------------------------------------------


def pages(path: Path) -> tuple[int, str, QImage]:
    document = QPdfDocument(None)
    assert document.load(str(path)) == QPdfDocument.Error.None_
    text = document.getAllText(0).text()
    image = document.render(0, QSize(600, 849))
    count = document.pageCount()
    document.close()
    return count, text, image


def test_pdf_from_a_thread(
    workspace: Workspace, class_map: ClassMap, qtbot: Any, tmp_path: Path
) -> None:
    workspace.runner = ThreadRunner(1)
    made = ExportDialog(workspace)
    qtbot.addWidget(made)
    choose(made.kind_box, "report")
    made.path_line.setText(str(tmp_path / "r.pdf"))
    made.export_button.click()
    handle = made.handle
    assert handle is not None
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=20_000)
    assert handle.state is JobState.DONE, handle.details
    count, text, image = pages(tmp_path / "r.pdf")
    assert count == 1
    assert "SVM map" in text
    assert "Water" in text
    assert "WGS 84 / UTM zone 33N" in text.replace("\xa0", " ")
    colors = {image.pixelColor(x, y).name() for x in range(0, 600, 4) for y in range(0, 849, 4)}
    assert len(colors) > 20  # the picture is in it


@pytest.mark.parametrize("rows", [5, 80, 400])
def test_a_long_report_stays_one_page(qtbot: Any, tmp_path: Path, rows: int) -> None:
    lines = "".join(f"<tr><td>Class {n}</td><td>{n}</td></tr>" for n in range(rows))
    html = f"<html><head><title>T</title></head><body><table>{lines}</table>last</body></html>"
    count, text, _ = pages(write_pdf(html, tmp_path / "long.pdf"))
    assert count == 1
    assert "last" in text


def test_pdf_where_nothing_can_be_written(qtbot: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder"):
        write_pdf("<p>x</p>", tmp_path / "nowhere" / "x.pdf")


def test_scores_can_lie_over_the_scene(
    dialog: Callable[..., ExportDialog], workspace: Workspace, scene: Scene, tmp_path: Path
) -> None:
    score = ScoreMap("S", scene.id, Provenance("x"), values=np.ones((20, 30), np.float32))
    workspace.add_overlay(score)
    made = dialog()
    choose(made.format_box, "png")
    assert made.over_box.isVisibleTo(made)
    choose(made.format_box, "geotiff")
    assert not made.over_box.isVisibleTo(made)
