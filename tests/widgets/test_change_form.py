"""Two open scenes compared in the dock: what is asked, what is laid, what is logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends.scene import ArraySource, Scene
from backends.workspace import Workspace
from tests.widgets.test_spectral_tools_dock import by_title, field, logged
from widgets.spectral_tools_dock import SpectralToolsDock


def test_a_later_scene_is_compared_with_the_active_one(qtbot: Any) -> None:
    workspace = Workspace()
    dock = SpectralToolsDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(300, 1200)
    dock.show()
    scene = field(Path("early.dat"), "Early")
    workspace.add_scene(scene)
    dock.show_tool("Change")
    assert "Open a second scene" in dock.problem_line.text()
    assert not dock.go_button.isEnabled()
    cube = scene.read().copy()
    cube[10:20, 10:20] += 0.5
    later = Scene(ArraySource(cube), field(Path("late.dat"), "Late").info)
    workspace.add_scene(later)
    workspace.activate(scene.id)
    form = dock.change
    assert form.later_box.currentText() == "Late"
    assert dock.go_button.isEnabled()
    dock.run()
    layers = by_title(workspace)
    assert layers["Changed"].labels.sum() == 100
    assert "lie on each other within" in dock.result.notes_line.text()
    assert logged(workspace)[0] == [
        "spectra", "change", "early.dat", "late.dat", "--method", "vector",
        "--out", "early_change",
    ]  # fmt: skip
    # The threshold of the change is live.
    row = dock.result.threshold
    assert row.name.text() == "How large a change must be"
    assert 0 < row.value < 0.5 * np.sqrt(23)  # at Otsu's, between nothing and what was added
    row.slider.setValue(row.slider.minimum())
    assert by_title(workspace)["Changed"].labels.sum() != 100
    row.settle()
    assert logged(workspace)[-1][-4:-2] == ["--threshold", str(row.value)]
    form.method_box.setCurrentIndex(1)
    assert "Say at which wavelengths" in dock.problem_line.text()
    form.nm_edit.setText("x")
    assert "numbers in nm" in dock.problem_line.text()
    form.nm_edit.setText("532, 859")
    form.normalise_box.setChecked(True)
    dock.run()
    assert logged(workspace)[-1][4:10] == [
        "--method",
        "difference",
        "--nm",
        "532.0",
        "--nm",
        "859.0",
    ]
    assert "--normalise" in logged(workspace)[-1]
    made = [t for t in by_title(workspace) if t.startswith("Difference")]
    assert len(made) == 1  # the first; the other is a double click away
    assert dock.result.table.rowCount() == 2
    assert np.isfinite(by_title(workspace)[made[0]].values).all()
    workspace.close()
