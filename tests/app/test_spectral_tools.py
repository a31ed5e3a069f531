"""The spectral tools in the real window: a real scene, a match cut live, a formula in sight."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.replay import replay
from backends.io import open_scene as read_scene
from tests.app.conftest import wait_for_picture


def test_a_morning_with_spectra(shown_window, qtbot, clearband_data: Path, tmp_path: Path) -> None:
    window, workspace = shown_window, shown_window.workspace
    window.show_workbench("remote_sensing")
    window.open_paths([clearband_data / "hsi" / "envi" / "enmap_potsdam_a.hdr"])
    qtbot.waitUntil(lambda: workspace.active_scene is not None, timeout=30_000)
    scene = workspace.active_scene
    wait_for_picture(qtbot, window, scene)
    window.show_dock("spectral_tools")
    dock = window.docks["spectral_tools"].inner

    def done() -> bool:
        return dock._handle is not None and dock._handle.state.is_final

    for row, col in ((20, 20), (40, 100)):
        workspace.pin_here(scene.id, row, col)
    for at in range(2):
        dock.references.list.item(at).setCheckState(dock.references.list.item(0).checkState())
    dock.go_button.click()
    qtbot.waitUntil(lambda: done() and dock.result.isVisible(), timeout=30_000)
    made = workspace.active_overlay
    (layer,) = window.canvas.overlays.layers(made.id)
    assert (np.asarray(layer.data) > 0).mean() > 0.95  # all but the holes of the scene
    slider = dock.result.threshold.slider
    slider.setValue(slider.maximum() // 2)
    qtbot.waitUntil(lambda: 0.4 < (np.asarray(layer.data) > 0).mean() < 0.6, timeout=30_000)
    assert window.canvas.overlays.layers(made.id) == [layer]  # the same layer, other values
    qtbot.waitUntil(lambda: len(workspace.run_log.lines) == 2, timeout=30_000)
    wanted = np.asarray(layer.data).copy()

    dock.show_tool("Formula")
    dock.formula.edit.setText("(b[860] - b[660]) / (b[860] + b[660])")
    preview_id = f"{scene.id}-formula"
    qtbot.waitUntil(lambda: preview_id in workspace.overlays, timeout=30_000)
    window.viewer.scene.camera.zoom *= 4
    small = scene.shape[0] * scene.shape[1] / 4
    qtbot.waitUntil(lambda: workspace.overlays[preview_id].values.size < small, timeout=30_000)
    (seen,) = window.canvas.overlays.layers(preview_id)
    part = window.canvas.visible_window(scene)
    np.testing.assert_allclose(
        seen.translate, window.canvas.stage.frame(scene).to_canvas(part.row, part.col)
    )
    window.show_dock("composer")  # out of sight, the preview makes room
    qtbot.waitUntil(lambda: preview_id not in workspace.overlays, timeout=30_000)

    log = tmp_path / "run.log"
    log.write_text(workspace.run_log.text(), encoding="utf-8")
    replay(log, tmp_path / "again")
    path = tmp_path / "again" / "enmap_potsdam_a_match" / "spectral_angle_most_alike.tif"
    with read_scene(path) as again:
        np.testing.assert_array_equal(again.read()[..., 0], wanted)
