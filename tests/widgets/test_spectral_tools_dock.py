"""The spectral tools dock: each tool run, thresholds turned, formulas in sight, errors said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli.root import invoke
from backends.bands import BandTable
from backends.io import open_scene
from backends.overlays import ClassMap, ScoreMap
from backends.regions import Region
from backends.scene import ArraySource, Scene, SceneInfo, Window
from backends.spectra.similarity import spectral_angle
from backends.workspace import Workspace
from widgets.sight import Sight
from widgets.spectral_tools_dock import SpectralToolsDock

ROWS, COLS, BANDS = 40, 50, 23
NM = np.linspace(450, 2250, BANDS)


def field(path: Path | None = None, title: str = "Field") -> Scene:
    """Return a scene of two grounds, one pixel of which is like neither."""
    rng = np.random.default_rng(0)
    one, other = np.linspace(0.1, 0.6, BANDS), np.linspace(0.5, 0.2, BANDS)
    share = np.linspace(0, 1, COLS)[None, :, None]
    cube = share * one + (1 - share) * other + rng.normal(0, 0.01, (ROWS, COLS, BANDS))
    cube[7, 9] += 0.2 * (-1.0) ** np.arange(BANDS)
    info = SceneInfo(path, "hyperspectral", BandTable.build(BANDS, wavelength_nm=NM), title=title)
    return Scene(ArraySource(cube.astype(np.float32)), info)


@pytest.fixture
def opened(qtbot: Any) -> Iterator[tuple[Workspace, Scene, SpectralToolsDock]]:
    workspace = Workspace()
    dock = SpectralToolsDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(300, 1200)
    dock.show()
    assert dock.empty.isVisible()
    scene = field(Path("field.dat"))
    workspace.add_scene(scene)
    yield workspace, scene, dock
    workspace.close()


def by_title(workspace: Workspace) -> dict[str, Any]:
    return {o.title: o for o in workspace.overlays.values()}


def logged(workspace: Workspace) -> list[list[str]]:
    return [list(line.command) for line in workspace.run_log.lines]


def box(row: float, col: float, size: float = 5) -> np.ndarray:
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float)
    return corners * size + (row + 0.25, col + 0.25)


def cells(dock: SpectralToolsDock) -> list[list[str]]:
    table = dock.result.table
    return [
        [table.item(r, c).text() for c in range(table.columnCount())]
        for r in range(table.rowCount())
    ]


def test_pins_are_matched_and_the_threshold_is_live(opened: Any) -> None:
    workspace, scene, dock = opened
    assert "Nothing is chosen to compare with" in dock.problem_line.text()
    assert not dock.go_button.isEnabled()
    workspace.pin_here(scene.id, 3, 1)
    workspace.pin_here(scene.id, 3, 48)
    assert dock.references.line.text() == "1 pixel"  # the first is ticked, later ones are not
    dock.references.list.item(1).setCheckState(dock.references.list.item(0).checkState())
    dock.go_button.click()
    found = by_title(workspace)["Spectral angle: most alike"]
    assert workspace.active_overlay is found
    assert (found.labels > 0).all()
    assert [row[0] for row in cells(dock)] == ["row 3, column 1", "row 3, column 48"]
    (command,) = logged(workspace)
    assert command == [
        "spectra", "match", "field.dat", "--at", "3,1", "--at", "3,48",
        "--measure", "spectral_angle", "--out", "field_match",
    ]  # fmt: skip
    row = dock.result.threshold
    row.slider.setValue(row.slider.maximum() // 2)
    cut = by_title(workspace)["Spectral angle: most alike"]
    assert cut.id == found.id
    spectra = scene.read(physical=True).reshape(-1, BANDS)
    refs = np.stack([scene.spectrum(3, 1), scene.spectrum(3, 48)])
    angles = spectral_angle(spectra, refs).reshape(ROWS, COLS, 2)
    wanted = np.where(angles.min(axis=2) <= np.float32(row.value), angles.argmin(axis=2) + 1, 0)
    np.testing.assert_array_equal(cut.labels, wanted)
    assert 0.45 < (cut.labels > 0).mean() < 0.55
    assert "% of the pixels" in row.line.text()
    assert len(logged(workspace)) == 1  # not noted while it is turned
    row.settle()
    assert logged(workspace)[-1][-4:] == ["--threshold", str(row.value), "--out", "field_match"]
    assert f"--threshold {row.value}" in workspace.overlays[found.id].provenance.command
    shown = sum(int(line[1].replace(",", "")) for line in cells(dock))
    assert shown == (cut.labels > 0).sum()
    dock.result.lay(1)
    layer = by_title(workspace)["Spectral angle to row 3, column 48"]
    np.testing.assert_allclose(layer.values, angles[..., 1], atol=1e-6)


def test_regions_count_with_their_mean_and_are_logged_once_they_are_in_a_file(
    opened: Any, tmp_path: Path
) -> None:
    workspace, scene, dock = opened
    workspace.add_region(Region("Left", scene.id, box(10, 0)))
    workspace.add_region(Region("Right", scene.id, box(10, 40)))
    assert dock.references.line.text() == "2 regions"
    dock.run()
    assert logged(workspace) == []
    assert "Not in the run log" in dock.result.notes_line.text()
    dock.references.save_areas(tmp_path / "areas.geojson")
    assert not dock.references.save_button.isVisible()
    dock.run()
    (command,) = logged(workspace)
    assert command[3:5] == ["--areas", str(tmp_path / "areas.geojson")]
    assert [row[0] for row in cells(dock)] == ["Left", "Right"]
    workspace.change_region(next(iter(workspace.regions)), name="West")
    assert dock.references.save_button.isVisible()  # the file says something else now


def test_the_command_line_makes_the_same_map(
    clearband_data: Path, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace()
    dock = SpectralToolsDock(workspace)
    qtbot.addWidget(dock)
    scene = open_scene(clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr")
    workspace.add_scene(scene)
    workspace.add_region(Region("Here", scene.id, box(5, 8)))
    workspace.add_region(Region("There", scene.id, box(30, 90)))
    dock.references.save_areas(tmp_path / "areas.geojson")
    dock.run()
    row = dock.result.threshold
    row.slider.setValue(120)
    row.settle()
    for command in logged(workspace):
        assert invoke(command) == 0
    made = by_title(workspace)["Spectral angle: most alike"]
    with open_scene(tmp_path / "enmap_potsdam_a_match" / "spectral_angle_most_alike.tif") as again:
        np.testing.assert_array_equal(again.read()[..., 0], made.labels)
    assert 0 < (made.labels > 0).mean() < 1
    workspace.close()


@pytest.mark.parametrize("tool", ["Transform", "Cluster", "Anomalies", "Unmix", "Target"])
def test_each_tool_lays_one_layer_and_lists_the_rest(opened: Any, tool: str) -> None:
    workspace, scene, dock = opened
    workspace.pin_here(scene.id, 7, 9)
    dock.show_tool(tool)
    assert dock.references.isVisible() == (tool == "Target")
    if tool == "Transform":
        dock.transform.components_spin.setValue(3)
    if tool == "Unmix":
        dock.unmix.count_spin.setValue(2)
    dock.run()
    layers = by_title(workspace)
    if tool == "Transform":
        assert list(layers) == ["Principal components 1"]
        assert [row[0] for row in cells(dock)] == ["1", "2", "3"]
        dock.result.all_button.click()
        assert len(by_title(workspace)) == 3
    elif tool == "Cluster":
        assert list(layers) == ["Clusters (k-means)"]
        assert [row[0] for row in cells(dock)] == [f"Cluster {i}" for i in range(1, 9)]
        assert logged(workspace)[0][3:7] == ["--method", "kmeans", "--count", "8"]
    elif tool == "Anomalies":
        assert set(layers) == {"RX score", "Anomalies"}
        assert layers["Anomalies"].labels[7, 9] == 1
        assert "Gaussian background" in dock.result.notes_line.text()
    elif tool == "Unmix":
        assert len(layers) == 1
        assert len(cells(dock)) == 2
        dock.result.all_button.click()
        shares = sum(o.values for t, o in by_title(workspace).items() if t.startswith("Share"))
        np.testing.assert_allclose(shares, 1, atol=1e-4)
    else:
        (layer,) = layers.values()
        assert np.unravel_index(layer.values.argmax(), layer.values.shape) == (7, 9)
    assert logged(workspace)[0][0] == "spectra"
    assert "--out" in logged(workspace)[0]
    dock.run()
    assert logged(workspace)[1][-1].endswith("_2")  # its own folder


def test_false_alarms_are_live(opened: Any) -> None:
    workspace, _, dock = opened
    dock.show_tool("Anomalies")
    dock.run()
    row = dock.result.threshold
    assert row.value == pytest.approx(1e-3)
    scores = by_title(workspace)["RX score"].values
    few = by_title(workspace)["Anomalies"]
    row.slider.setValue(row.slider.maximum())
    from scipy.stats import chi2

    many = by_title(workspace)["Anomalies"]
    assert many.id == few.id
    np.testing.assert_array_equal(many.labels > 0, scores > chi2.isf(0.1, BANDS))
    assert many.labels.sum() > few.labels.sum()
    row.settle()
    assert "--false-alarms 0.1" in " ".join(logged(workspace)[-1])
    assert "10.00%" in dock.result.notes_line.text()


def test_a_formula_is_in_sight_while_it_is_written(qtbot: Any) -> None:
    workspace = Workspace()
    part = Window(4, 6, 20, 30)
    sight = Sight(lambda scene: part, lambda: 150)
    dock = SpectralToolsDock(workspace, sight=sight)
    qtbot.addWidget(dock)
    scene, later = field(), field(title="2 later.dat")
    workspace.add_scene(later)
    workspace.add_scene(scene)
    dock.show()
    dock.show_tool("Formula")
    form = dock.formula
    assert "Write a formula" in dock.problem_line.text()
    form.edit.setText("b[860] - b[660]")
    preview = by_title(workspace)["Preview"]
    assert preview.values.shape == (10, 15)  # every second pixel of the part in sight
    assert preview.partial
    assert (preview.placement.row, preview.placement.col) == (4.5, 6.5)
    cube = scene.read(physical=True)
    nir, red = (int(np.abs(NM - nm).argmin()) for nm in (860, 660))
    wanted = (cube[..., nir] - cube[..., red])[4:24:2, 6:36:2]
    np.testing.assert_allclose(preview.values, wanted, atol=1e-6)
    assert f"band {nir + 1} at {NM[nir]:.1f} nm" in form.taken_line.text()
    assert "s_2_later[860] of 2 later.dat" in form.others_line.text()
    form.edit.setText("b[860] - s_2_later[860]")
    assert not np.nan_to_num(by_title(workspace)["Preview"].values).any()
    form.edit.setText("b[860] - b[66")
    assert "This is no formula" in form.error_line.text()
    assert not dock.go_button.isEnabled()
    assert dock.problem_line.isHidden()  # one sentence is enough
    form.edit.setText("b[5000]")
    assert "no good band within 50 nm of 5000 nm" in form.error_line.text()
    form.known_box.setCurrentIndex(1)
    form.known_box.activated.emit(1)
    assert form.edit.text() == "(b[860] - b[660]) / (b[860] + b[660])"
    assert dock.go_button.isEnabled()
    part = Window(0, 0, 10, 10)
    sight.moved.emit()
    qtbot.waitUntil(lambda: by_title(workspace)["Preview"].placement.row == 0)
    dock.run()
    layers = by_title(workspace)
    assert set(layers) == {"NDVI"}  # the preview makes room for the map
    with np.errstate(all="ignore"):
        ndvi = (cube[..., nir] - cube[..., red]) / (cube[..., nir] + cube[..., red])
    np.testing.assert_allclose(layers["NDVI"].values, ndvi, rtol=1e-4, atol=1e-6)
    form.edit.setText("b[860] * 2")
    assert "Preview" in by_title(workspace)
    dock.show_tool("Match")
    assert "Preview" not in by_title(workspace)
    workspace.close()


def test_a_library_is_filtered_and_errors_are_one_sentence(
    clearband_data: Path, opened: Any
) -> None:
    workspace, _, dock = opened
    box = dock.references
    box.open_library(clearband_data / "hsi" / "speclib" / "library_berlin.sli")
    assert "75 of 75 spectra of library_berlin" in box.line.text()
    box.filter_edit.setText("grass, tree")
    assert not box.line.text().startswith("75")
    dock.run()
    assert isinstance(workspace.active_overlay, ClassMap)
    words = logged(workspace)[-1]
    assert words[words.index("--name") :][:4] == ["--name", "grass", "--name", "tree"]
    box.filter_edit.setText("unobtainium")
    dock.run()
    assert "No spectrum of library_berlin is called unobtainium" in dock.result.facts_line.text()
    assert len(logged(workspace)) == 1
    dock.show_tool("Anomalies")
    dock.anomalies.against_box.setCurrentIndex(1)
    dock.anomalies.window_edit.setText("wide")
    dock.run()
    assert "wide is no window" in dock.result.facts_line.text()


def test_a_result_lands_on_its_own_scene(opened: Any) -> None:
    workspace, scene, dock = opened
    dock.show_tool("Transform")
    dock.run()
    assert dock.result.isVisible()
    other = field(title="Other")
    workspace.add_scene(other)
    assert not dock.result.isVisible()
    workspace.activate(scene.id)
    assert dock.result.isVisible()
    assert all(isinstance(o, ScoreMap) for o in workspace.overlays_of(scene.id))
    assert workspace.overlays_of(other.id) == []
    workspace.remove_scene(scene.id)
    assert not dock.result.isVisible()


def ranking(dock: SpectralToolsDock) -> list[list[str]]:
    table = dock.rank.table
    return [[table.item(r, c).text() for c in range(7)] for r in range(table.rowCount())]


def test_a_ranking_follows_the_mouse_and_its_weights(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    dock.show_tool("Rank")
    assert "Nothing is chosen to compare with" in dock.problem_line.text()
    workspace.pin_here(scene.id, 3, 1)
    workspace.pin_here(scene.id, 3, 48)
    dock.references.list.item(1).setCheckState(dock.references.list.item(0).checkState())
    assert not dock.go_button.isEnabled()  # the mouse has not been anywhere
    workspace.cursor_moved.emit(scene.id, 20, 45)
    qtbot.waitUntil(lambda: len(ranking(dock)) == 2, timeout=5000)
    assert [row[0] for row in ranking(dock)] == ["row 3, column 48", "row 3, column 1"]
    assert "Row 20, column 45" in dock.rank.line.text()
    workspace.cursor_moved.emit(scene.id, 20, 4)
    qtbot.waitUntil(lambda: ranking(dock)[0][0] == "row 3, column 1", timeout=5000)
    before = ranking(dock)[1][1]
    dock.rank.spins["distance"].setValue(5)
    qtbot.waitUntil(lambda: ranking(dock)[1][1] != before, timeout=5000)
    assert dock.go_button.text() == "Keep this ranking"
    dock.go_button.click()
    assert logged(workspace)[-1][3:] == [
        "--at", "3,1", "--at", "3,48", "--weight", "distance=5", "--rank", "20,4",
        "--out", "field_match",
    ]  # fmt: skip
    assert cells(dock)[0][0] == "row 3, column 1"
    for spin in dock.rank.spins.values():
        spin.setValue(0)
    assert "Give one of the measures a weight" in dock.problem_line.text()


def test_a_region_is_not_ranked_against_itself(opened: Any, qtbot: Any) -> None:
    workspace, scene, dock = opened
    workspace.add_region(Region("Left", scene.id, box(10, 0)))
    workspace.add_region(Region("Right", scene.id, box(10, 40)))
    dock.show_tool("Rank")
    left = next(iter(workspace.regions))
    dock.rank.of_box.setCurrentIndex(dock.rank.of_box.findData(left))
    qtbot.waitUntil(lambda: len(ranking(dock)) == 1, timeout=5000)
    assert ranking(dock)[0][0] == "Right"
    assert dock.rank.line.text() == "Mean of Left"
    dock.go_button.click()
    assert cells(dock)[0][0] == "Right"
    assert logged(workspace) == []  # the region is in no file
