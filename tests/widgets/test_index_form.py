"""The catalogue of indices in the dock: searched, greyed with the reason, drawn, computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import Workspace
from widgets.spectral_tools_dock import SpectralToolsDock

pytest.importorskip("spyndex", reason="the environment is older than the lock file")


def field(path: Path) -> Scene:
    """Return a scene with a band every 40 nm."""
    nm = np.arange(450, 2300, 40.0)
    cube = np.random.default_rng(0).uniform(0.1, 0.6, (40, 50, nm.size)).astype(np.float32)
    bands = BandTable.build(nm.size, wavelength_nm=nm)
    return Scene(ArraySource(cube), SceneInfo(path, "hyperspectral", bands, title="Field"))


def texts(dock: SpectralToolsDock) -> list[str]:
    return [dock.index.list.item(i).text().split(":")[0] for i in range(dock.index.list.count())]


def test_an_index_is_searched_drawn_and_computed(qtbot: Any) -> None:
    workspace = Workspace()
    dock = SpectralToolsDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(300, 1200)
    dock.show()
    scene = field(Path("field.dat"))
    workspace.add_scene(scene)
    dock.show_tool("Index")
    form = dock.index
    assert len(texts(dock)) > 250
    assert dock.problem_line.text() == "Choose an index."
    form.search_edit.setText("burn normalized")
    assert "NBR" in texts(dock)
    assert "NDVI" not in texts(dock)
    form.search_edit.setText("ndvi")
    form.choose("NDVI")
    preview = workspace.overlays[f"{scene.id}-index"]
    cube = scene.read(physical=True)
    nm = scene.bands.wavelengths()
    n, r = (int(np.abs(nm - w).argmin()) for w in (842, 665))
    wanted = (cube[..., n] - cube[..., r]) / (cube[..., n] + cube[..., r])
    np.testing.assert_allclose(preview.values, wanted, rtol=1e-4, atol=1e-6)
    assert f"band {n + 1} at {nm[n]:.1f} nm" in form.about_line.text()
    # The other pages do not draw it.
    dock.show_tool("Match")
    assert f"{scene.id}-index" not in workspace.overlays
    dock.show_tool("Index")
    assert f"{scene.id}-index" in workspace.overlays
    dock.run()
    np.testing.assert_allclose(workspace.active_overlay.values, wanted, rtol=1e-4, atol=1e-6)
    assert f"{scene.id}-index" not in workspace.overlays
    assert "median" in dock.result.facts_line.text()
    assert list(workspace.run_log.lines[0].command) == [
        "spectra", "index", "field.dat", "NDVI", "--out", "field_index"
    ]  # fmt: skip
    # Thermal bands are not there: the index is grey, and the reason stands below it.
    grey = next(one for one in form._fitted.values() if "thermal" in one.reason).index.id
    form.search_edit.setText(grey)
    form.choose(grey)
    assert not dock.go_button.isEnabled()
    assert "No good band from" in dock.problem_line.text()
    workspace.close()
