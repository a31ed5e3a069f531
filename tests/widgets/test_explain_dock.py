"""The explain dock from an empty page to a heatmap with its trust, compared and gone through."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from red_network import RED, picture_file, weights_file

from app.bridge import Bridge
from backends.io import open_scene
from backends.jobs import JobState, ThreadRunner
from backends.overlays import Heatmap
from backends.scene import Window
from backends.workspace import Region, Workspace
from widgets.boards import LayerBoard
from widgets.explain_dock import ExplainDock
from widgets.explaining.words import RED as RED_TEXT

QUICK = {"steps": 8, "random_maps": 20, "random_steps": 4, "random_networks": 1, "road": False}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return weights_file(tmp_path)


@pytest.fixture
def opened() -> list[Path]:
    return []


@pytest.fixture
def dock(qtbot: Any, tmp_path: Path, opened: list[Path]) -> Any:
    workspace = Workspace()
    made = ExplainDock(
        workspace, None, LayerBoard(), None, lambda scene: Window(0, 0, 24, 24), opened.append
    )
    qtbot.addWidget(made)
    made.resize(320, 1400)
    made.show()
    yield made
    workspace.close()


def give(dock: Any, path: Path) -> Any:
    scene = open_scene(path, {})
    dock._workspace.add_scene(scene)
    return scene


def explained(dock: Any, tmp_path: Path, weights: Path) -> Heatmap:
    give(dock, picture_file(tmp_path))
    dock.ask.choose_file(weights)
    dock.ask.go_button.click()
    found = dock.desk.field
    assert found is not None, dock.ask.problem_line.text()
    return found


def quick(dock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from widgets.explaining import trust_page

    real = trust_page.Assess
    monkeypatch.setattr(trust_page, "Assess", lambda *a: real(*a, settings=QUICK))


def test_empty_page_is_one_sentence(dock: Any) -> None:
    assert dock.empty.isVisible()
    assert not dock.content.isVisible()


def test_a_map_lands_on_its_image_with_what_the_network_said(
    dock: Any, tmp_path: Path, weights: Path
) -> None:
    heatmap = explained(dock, tmp_path, weights)
    row, col = np.unravel_index(heatmap.values.argmax(), heatmap.values.shape)
    assert 8 <= row < 20
    assert 8 <= col < 20
    assert heatmap.grid_shape == (5, 5)
    assert f"class {RED} 8" in dock.ask.result.line.text()
    assert "Not assessed" in dock.ask.result.line.text()
    assert dock.ask.layer_line.text().startswith("pool2 is the last layer")
    assert dock.ask.class_box.itemText(1).startswith(f"class {RED} ·")
    assert "(about" in dock.ask.go_button.text()
    line = dock._workspace.run_log.lines[-1]
    assert line.command[:2] == ("explain", str(tmp_path / "picture.png"))
    assert "--weights" in line.command
    assert dock.content.minimumSizeHint().width() <= dock.width()


def test_the_first_look_fills_classes_and_layers_without_a_map(
    dock: Any, tmp_path: Path, weights: Path
) -> None:
    give(dock, picture_file(tmp_path))
    dock.ask.choose_file(weights)
    dock.ask.look_button.click()
    assert dock.desk.field is None
    assert dock.ask.class_box.count() == 11
    assert dock.ask.layer_box.count() > 2
    assert "The network says" in dock.ask.result.line.text()
    # A class that is chosen is the one that is explained, at the layer that is chosen.
    dock.ask.class_box.setCurrentIndex(dock.ask.class_box.findData(3))
    dock.ask.layer_box.setCurrentIndex(dock.ask.layer_box.findData("conv2"))
    dock.ask.go_button.click()
    made = dock.desk.field.provenance
    assert made.parameters["target_index"] == 3
    assert made.parameters["layer"] == "conv2"
    assert "chance" in dock.ask.result.line.text()


def test_methods_say_what_they_do_and_errors_are_sentences(
    dock: Any, tmp_path: Path, weights: Path
) -> None:
    give(dock, picture_file(tmp_path))
    dock.ask.choose_file(weights)
    box = dock.ask.method_box
    assert box.count() == 17
    box.setCurrentIndex(box.findData("rise"))
    assert "random masks" in dock.ask.method_line.text()
    assert dock.ask.layer_box.isHidden()
    box.setCurrentIndex(box.findData("attention_rollout"))
    dock.ask.go_button.click()
    assert "tokens" in dock.ask.problem_line.text()
    assert dock.desk.field is None


def test_part_of_the_image(dock: Any, tmp_path: Path, weights: Path) -> None:
    scene = give(dock, picture_file(tmp_path))
    dock.ask.choose_file(weights)
    outline = np.array([[4.0, 4.0], [4.0, 27.0], [27.0, 27.0], [27.0, 4.0]])
    dock._workspace.add_region(Region("Nodule", scene.id, outline, 0, "r1"))
    box = dock.ask.where.part_box
    for chosen, shape, corner in (("screen", (24, 24), 0), ("r1", (24, 24), 4)):
        box.setCurrentIndex(box.findData(chosen))
        dock.ask.go_button.click()
        found = dock.desk.field
        assert found.values.shape == shape
        assert (found.placement.row, found.placement.col) == (corner, corner)
    assert "4,4,24,24" in dock._workspace.run_log.lines[-1].command
    # What a map of tiles may show beside the image is said where the map is spoken of.
    assert "Stitched from tiles" not in dock.ask.result.line.text()
    dock.ask.where.tiles_check.setChecked(True)
    dock.ask.go_button.click()
    assert dock.desk.answer.found is None
    assert "Stitched from tiles" in dock.ask.result.line.text()


def test_not_assessed_until_asked(
    dock: Any, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(dock, monkeypatch)
    heatmap = explained(dock, tmp_path, weights)
    dock.show_page("Trust")
    page = dock.trust
    assert "Not assessed" in page.verdict_line.text()
    assert page.parts.table.rowCount() == 0
    assert not page.curves.isVisible()
    outline = np.array([[8.0, 8.0], [8.0, 20.0], [20.0, 20.0], [20.0, 8.0]])
    dock._workspace.add_region(Region("Square", heatmap.scene_id, outline, 0, "r1"))
    page.truth_box.setCurrentIndex(page.truth_box.findData("r1"))
    page.assess_button.click()
    lines = {
        page.parts.table.item(r, 0).text(): page.parts.table.item(r, 1).text()
        for r in range(page.parts.table.rowCount())
    }
    assert {"Trust T", "Faithfulness F", "Stability S", "Randomisation R"} <= set(lines)
    assert float(lines["Faithfulness F"]) >= 0.9
    assert lines["Hottest pixel"] == "inside"
    assert float(lines["Precision"]) > 0.3
    assert page.curves.isVisible()
    # The cursor shows the image as the network then got it.
    assert "10\u00a0% of the pixels taken away" in page.cursor_line.text()
    assert not page.picture.empty
    page.insertion.place(50)
    assert "50\u00a0% of the pixels shown" in page.cursor_line.text()
    now = dock._workspace.overlays[heatmap.id]
    assert now.trust["faithfulness"] == pytest.approx(float(lines["Faithfulness F"]), abs=0.01)
    assert now.verdict == page.verdict_line.text().split("</b>")[0].split()[-1].lower()
    said = dock.ask.result.line.text()
    assert now.verdict.capitalize() in said
    assert f"T {now.trust['trust']:.2f} of F" in said
    # Other colours leave trust and curves where they are.
    dock.desk.change_view(now, colormap="inferno")
    assert page.parts.table.rowCount() == len(lines)


def test_failing_parts_are_red(dock: Any, tmp_path: Path, weights: Path) -> None:
    from widgets.explaining.trust_parts import parts_of

    parts = parts_of(None, {"trust": 0.2, "faithfulness": 0.4, "stability": 0.9})
    dock.trust.parts.show_parts(parts)
    table = dock.trust.parts.table
    colors = [table.item(r, 1).foreground().color().name() for r in range(3)]
    assert colors[:2] == [RED_TEXT, RED_TEXT]
    assert colors[2] != RED_TEXT
    assert parts_of(None, {}) == []


def test_everything_is_written(
    dock: Any, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(dock, monkeypatch)
    explained(dock, tmp_path, weights)
    dock.show_page("Trust")
    dock.trust.assess_button.click()
    dock.trust.save(tmp_path / "out")
    names = {p.name.replace("picture_grad_cam_", "") for p in (tmp_path / "out").iterdir()}
    wanted = {"map.tif", "map.npy", "overlay.png", "trust.json", "curves.csv"}
    assert wanted <= names
    told = json.loads((tmp_path / "out" / "picture_grad_cam_trust.json").read_text())
    assert told["verdict"] in dock.trust.verdict_line.text().lower()


def test_two_maps_side_by_side(dock: Any, tmp_path: Path, weights: Path) -> None:
    heatmap = explained(dock, tmp_path, weights)
    dock.show_page("Compare")
    assert "Explain the image twice" in dock.compare.line.text()
    dock.ask.method_box.setCurrentIndex(dock.ask.method_box.findData("hires_cam"))
    dock.ask.go_button.click()
    found = dock.compare.found
    assert found is not None
    assert 0.5 < found.rank <= 1
    assert f"{found.iou:.2f}" in dock.compare.result_line.text()
    assert not dock.compare.pictures[0].empty
    dock.compare.pictures[0].clicked.emit()
    assert dock._workspace.active_overlay.id == heatmap.id
    # A map and itself.
    dock.compare.boxes[1].setCurrentIndex(0)
    dock.compare._compare()
    assert dock.compare.found.rank == pytest.approx(1)
    assert dock.compare.found.iou == pytest.approx(1)


def test_one_contrast_for_all_images(dock: Any, tmp_path: Path, weights: Path) -> None:
    first = explained(dock, tmp_path, weights)
    give(dock, picture_file(tmp_path, "faint.png", faint=True))
    dock.ask.go_button.click()
    second = dock.desk.field
    assert second.scene_id != first.scene_id
    dock.ask.view.shared_check.setChecked(True)
    limits = {dock._workspace.overlays[o.id].view.limits for o in (first, second)}
    assert len(limits) == 1
    low, high = limits.pop()
    assert high == pytest.approx(-low)
    dock.ask.view.shared_check.setChecked(False)
    assert dock.desk.field.view.limits is None


def test_surest_errors_open_with_their_map(
    dock: Any, tmp_path: Path, weights: Path, opened: list[Path]
) -> None:
    folder = tmp_path / "labelled"
    for label, channel in ((f"class {RED}", 0), ("class 1", 0), ("class 2", 2)):
        (folder / label).mkdir(parents=True)
        picture_file(folder / label, f"{label[-1]}.png", channel)
    give(dock, picture_file(tmp_path))
    dock.ask.choose_file(weights)
    dock.show_page("Errors")
    dock.errors.find(folder)
    assert "of 3 images wrong" in dock.errors.result_line.text(), dock.errors.problem_line.text()
    first = dock.errors.cards[0]
    assert (first.error.truth, first.error.said) == ("class 1", f"class {RED}")
    assert first.error.explained.shape == first.error.picture.shape
    first.clicked.emit()
    assert opened == [first.error.path]
    scene = give(dock, opened[0])
    assert [o.scene_id for o in dock._workspace.overlays.values()] == [scene.id]
    # A broken image is counted and named; the rest goes on.
    (folder / "class 2" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    dock.errors.find(folder)
    assert "of 3 images wrong" in dock.errors.result_line.text()
    assert "1 could not be read" in dock.errors.result_line.text()
    assert "broken.png" in dock.errors.result_line.toolTip()
    # One class only.
    one = tmp_path / "one" / f"class {RED}"
    one.mkdir(parents=True)
    picture_file(one, "a.png")
    dock.errors.find(one.parent)
    assert "one class only" in said(dock, dock.errors)
    # One folder of nothing it knows.
    (tmp_path / "other" / "ab").mkdir(parents=True)
    (tmp_path / "other" / "cd").mkdir()
    for label in ("ab", "cd"):
        picture_file(tmp_path / "other" / label)
    dock.errors.find(tmp_path / "other")
    assert "None of the classes in other" in dock.errors.problem_line.text()


def test_of_its_own_images_only_the_test_part_counts(tmp_path: Path) -> None:
    from backends.explain import shelf
    from backends.explain.confident_errors import confident_errors
    from backends.explain.heatmaps import Request

    weights = weights_file(tmp_path)
    folder = tmp_path / "labelled"
    rows = [["path", "part", "truth", "prediction", "certainty"]]
    for label in (f"class {RED}", "class 1"):
        (folder / label).mkdir(parents=True)
        for part in ("train", "test"):
            picture_file(folder / label, f"{part}.png")
            rows.append([f"{label}/{part}.png", part, label, f"class {RED}", "0.8"])
    with (tmp_path / "predictions.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    found = confident_errors(shelf.load("", weights), folder, Request(), weights=weights)
    assert (found.part, found.asked, found.wrong) == ("test", 2, 1)
    assert found.found[0].sure == pytest.approx(0.8)


def test_a_late_map_stays_on_the_image_it_was_asked_for(
    qtbot: Any, tmp_path: Path, weights: Path
) -> None:
    bridge = Bridge(lambda error, details="": None)
    workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
    dock = ExplainDock(workspace)
    qtbot.addWidget(dock)
    dock.show()
    try:
        qtbot.waitUntil(lambda: dock.ask.method_box.count() > 0, timeout=20_000)
        first = give(dock, picture_file(tmp_path))
        dock.ask.choose_file(weights)
        dock.ask.method_box.setCurrentIndex(dock.ask.method_box.findData("rise"))
        dock.ask.go_button.click()
        handle = dock.ask._handle
        second = give(dock, picture_file(tmp_path, "second.png", 2))
        qtbot.waitUntil(lambda: handle.state.is_final, timeout=20_000)
        qtbot.waitUntil(lambda: bool(workspace.overlays), timeout=5000)
        assert [o.scene_id for o in workspace.overlays.values()] == [first.id]
        assert workspace.active_scene is second
        assert dock.desk.field is None
        # One that is stopped leaves nothing.
        dock.ask.go_button.click()
        stopped = dock.ask._handle
        stopped.cancel()
        qtbot.waitUntil(lambda: stopped.state.is_final, timeout=20_000)
        assert stopped.state is JobState.CANCELLED
        assert not workspace.overlays_of(second.id)
        qtbot.waitUntil(dock.ask.go_button.isEnabled, timeout=5000)
    finally:
        workspace.close()
        bridge.close()


def said(dock: Any, page: Any) -> str:
    """Return the sentence on a page; one, with its way out, and nothing technical."""
    text = page.problem_line.text()
    assert page.problem_line.isVisible()
    for word in ("Traceback", "Error", " tensor", "state_dict", "shape"):
        assert word not in text
    return str(text)


def test_what_does_not_fit_is_one_sentence(
    dock: Any, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from PIL import Image

    from backends.explain.model_choices import PUBLISHED, SPECTRAL, ModelChoice

    quick(dock, monkeypatch)
    give(dock, picture_file(tmp_path))
    # Weights of an architecture nobody knows, and no weights at all.
    torch.save({"a.weight": torch.zeros(3, 3)}, tmp_path / "odd.pt")
    (tmp_path / "text.safetensors").write_text("hello")
    for name in ("odd.pt", "text.safetensors"):
        dock.ask.choose_file(tmp_path / name)
        dock.ask.go_button.click()
        assert name in said(dock, dock.ask)
    assert dock.desk.field is None
    # Published weights that are not here, and no network connection.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    box = dock.ask.model_box
    box.setCurrentIndex(box.findText("ResNet-50 (download)"))
    box.activated.emit(box.currentIndex())
    dock.ask.go_button.click()
    assert "weights of ResNet-50 are not here" in said(dock, dock.ask)
    dock.ask.fetch_check.setChecked(True)
    dock.ask.go_button.click()
    assert "out of reach" in said(dock, dock.ask)
    # Weights of another network than was asked for, and a cube of bands it does not read.
    other = ModelChoice("SqueezeNet 1.0", PUBLISHED, "squeezenet1_0", weights)
    dock.ask._follow(dock.desk.explain(replace(dock.ask.question(), choice=other)))
    assert "weights of another network than SqueezeNet 1.0" in said(dock, dock.ask)
    spectral = next(c for c in dock.ask._choices if c.kind == SPECTRAL)
    dock.ask._follow(dock.desk.explain(replace(dock.ask.question(), choice=spectral)))
    assert "bands" in said(dock, dock.ask)
    # A class it does not have.
    dock.ask.choose_file(weights)
    question = replace(dock.ask.question(), wanted=99)
    dock.ask._follow(dock.desk.explain(question))
    assert "99" in said(dock, dock.ask)
    # A mask of another size; the map stays as it is.
    dock.ask.go_button.click()
    heatmap = dock.desk.field
    Image.fromarray(np.ones((10, 20), np.uint8)).save(tmp_path / "mask.png")
    dock.show_page("Trust")
    dock.trust.choose_truth(tmp_path / "mask.png")
    dock.trust.assess_button.click()
    assert "10" in said(dock, dock.trust)
    assert dock.desk.field is heatmap
    assert dock.trust.assess_button.isEnabled()


def test_networks_by_name_are_read_or_asked_for(
    dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PyQt6.QtWidgets import QInputDialog

    give(dock, picture_file(tmp_path))
    answers = iter(["", "timm:no_such_network", "torchvision:fcn_resnet50"])
    monkeypatch.setattr(QInputDialog, "getText", lambda *given: (next(answers), True))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")

    def ask() -> None:
        box = dock.ask.model_box
        box.setCurrentIndex(box.findText("By name…"))
        box.activated.emit(box.currentIndex())

    before = dock.ask.choice
    ask()
    assert dock.ask.choice == before
    ask()
    dock.ask.go_button.click()
    assert "There is no network called timm:no_such_network" in said(dock, dock.ask)
    ask()
    assert dock.ask.fetch_check.isVisible()
    dock.ask.go_button.click()
    assert "are not here" in said(dock, dock.ask)
    dock.ask.fetch_check.setChecked(True)
    dock.ask.go_button.click()
    assert "out of reach" in said(dock, dock.ask)
    assert dock.ask.model_box.currentText() == "torchvision:fcn_resnet50"
    line = dock.ask.question().command
    assert line[line.index("--model") + 1] == "torchvision:fcn_resnet50"


def test_a_segmenter_is_explained_where_a_pixel_was_clicked(
    dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from backends.explain import shelf
    from backends.explain.preparing import InputSpec

    torch.manual_seed(0)
    made = shelf.load("torchvision:lraspp_mobilenet_v3_large", untrained=True, classes=["a", "b"])
    made.spec = InputSpec((64, 64), 3, (0.5,) * 3, (0.5,) * 3)
    made.card = replace(made.card, title="Small segmenter", trained_on="nothing")
    monkeypatch.setattr(shelf, "load", lambda *given, **named: made)
    scene = give(dock, picture_file(tmp_path))
    dock.ask.choose_name("torchvision:lraspp_mobilenet_v3_large")
    assert not dock.ask.place_box.isVisible()
    dock.ask.look_button.click()
    assert dock.ask.place_box.isVisible(), dock.ask.problem_line.text()
    dock._workspace.select_pixel(scene.id, 12, 20)
    dock.ask.go_button.click()
    assert "row 12 and column 20" in dock.desk.field.title
    outline = np.array([[4.0, 4.0], [4.0, 27.0], [27.0, 27.0], [27.0, 4.0]])
    dock._workspace.add_region(Region("Nodule", scene.id, outline, 0, "r1"))
    dock.ask.place_box.setCurrentIndex(dock.ask.place_box.findData("r1"))
    dock.ask.go_button.click()
    assert "in the region" in dock.desk.field.title


def test_a_network_without_a_picture_inside_is_one_sentence(
    dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch import nn

    from backends.explain import shelf
    from backends.explain.classifier import Card, ImageClassifier, InputSpec

    spec = InputSpec((8, 8), 3, (0.5,) * 3, (0.5,) * 3, fixed=True)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    made = ImageClassifier(flat, ("a", "b"), spec, Card("flat", "Flat network", trained_on="x"))
    monkeypatch.setattr(shelf, "load", lambda *given, **named: made)
    give(dock, picture_file(tmp_path))
    dock.ask.choose_name("timm:flat")
    dock.ask.go_button.click()
    assert "Flat network has no layer that is still a picture" in said(dock, dock.ask)
    dock.ask.method_box.setCurrentIndex(dock.ask.method_box.findData("saliency"))
    dock.ask.go_button.click()
    assert dock.desk.field is not None


def test_a_network_of_spectra_has_no_picture_inside(dock: Any, tmp_path: Path) -> None:
    """Its channels are no patches; what mattered is shown by wavelength."""
    from backends.explain.model_choices import SPECTRAL
    from backends.simulate import demo_scene

    give(dock, demo_scene("valley", size=32, folder=tmp_path)[0])
    assert dock.ask.choice.kind == SPECTRAL  # a cube: no network of photographs
    assert dock.ask.method_box.currentData() == "integrated_gradients"
    dock._workspace.select_pixel(dock._workspace.active_scene.id, 12, 20)
    dock.ask.go_button.click()
    heatmap = dock.desk.field
    assert heatmap is not None, dock.ask.problem_line.text()
    assert len(dock.ask.result.bands.curve) > 100
    assert "12,20" in dock.ask.result.command_line.text()
    dock.ask.method_box.setCurrentIndex(dock.ask.method_box.findData("occlusion_spectral"))
    dock.ask.go_button.click()
    assert "VIS" in dock.ask.result.bands.bars
    assert "one value" in dock.ask.result.line.text()
    row = dock.desk._board.row(dock.desk.scene.id, dock.desk.field.id)
    assert row is None or not row.visible


def test_one_sided_view_keeps_the_values(dock: Any, tmp_path: Path, weights: Path) -> None:
    from app.overlay_looks import colormap_name, limits

    heatmap = explained(dock, tmp_path, weights)
    assert colormap_name(heatmap) == "cold_hot"
    low, high = limits(heatmap)
    assert low == pytest.approx(-high)
    dock.ask.view.positive_check.setChecked(True)
    now = dock._workspace.overlays[heatmap.id]
    assert now.values is heatmap.values
    assert colormap_name(now) == "inferno"
    assert limits(now) == (0.0, pytest.approx(high))


def test_curves_change_their_ground_with_the_theme(qtbot: Any) -> None:
    from PyQt6.QtWidgets import QVBoxLayout, QWidget

    from widgets.explaining.curve_plot import CurvePlot

    dock = QWidget()
    qtbot.addWidget(dock)
    plot = CurvePlot("taken away", 5)
    QVBoxLayout(dock).addWidget(plot)
    dock.setStyleSheet("QWidget { background: #101010; color: #f0f0f0; }")
    dock.show()
    assert plot.grab().toImage().pixelColor(3, 3).lightness() < 60
    dock.setStyleSheet("QWidget { background: #f0f0f0; color: #101010; }")
    assert plot.grab().toImage().pixelColor(3, 3).lightness() > 180
    assert plot.plot_item.getAxis("left").textPen().color().lightness() < 60
