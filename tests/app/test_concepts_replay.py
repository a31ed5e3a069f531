"""What was changed of a decision in the dock is decided the same way by its command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.main import run
from backends.concepts.changes import REMOVED, Change
from backends.io import open_scene
from backends.label_files import labels_for
from backends.workspace import Workspace
from tests.app.conftest import write_envi
from widgets.boards import LayerBoard
from widgets.concepts_dock import ConceptsDock


@pytest.fixture
def dock(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    from backends.concepts import desk_encoders

    real = desk_encoders.settings_for
    monkeypatch.setattr(
        desk_encoders, "settings_for", lambda *a, **k: real(*a, **{**k, "steps": 60})
    )
    workspace = Workspace()
    made = ConceptsDock(workspace, None, LayerBoard())
    qtbot.addWidget(made)
    made.resize(320, 1200)
    made.show()
    yield made
    workspace.close()


@pytest.fixture
def cube(dock: Any, tmp_path: Path) -> Any:
    """Open a cube of two stripes with a label file, and learn its concepts."""
    rng = np.random.default_rng(3)
    nm = np.linspace(450, 2400, 20)
    shapes = np.stack([np.exp(-(((nm - c) / 300) ** 2)) for c in (700, 1900)])
    labels = np.repeat(np.arange(2), 15)[None].repeat(24, 0)
    values = 0.2 + shapes[labels] * rng.uniform(0.7, 1.3, (24, 30, 1))
    told = {"wavelength": "{" + ", ".join(f"{v:.1f}" for v in nm) + "}"}
    path = write_envi(
        tmp_path / "field.dat", (values * 10_000).astype(np.uint16),
        **told, **{"wavelength units": "Nanometers"},
    )  # fmt: skip
    truth = tmp_path / "truth.png"
    Image.fromarray((labels + 1).astype(np.uint8)).save(truth)
    scene = open_scene(path)
    workspace = dock._workspace
    workspace.add_scene(scene)
    found = labels_for(scene, truth)
    workspace.set_labels(scene.id, found.values, found.class_names, str(truth))
    dock.learn.choose_spectra()
    dock.learn.size_box.setCurrentIndex(1)
    dock.learn.go_button.click()
    assert dock.desk.field is not None, dock.learn.problem_line.text()
    workspace.select_pixel(scene.id, 4, 5)
    dock.show_page("Why")
    return scene


def replayed(dock: Any, folder: Path, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Save the decision, run the command of the log again, return both records."""
    folder.mkdir()
    dock.why.save(folder)
    command = list(dock._workspace.run_log.lines[-1].command)
    assert command[-2:] == ["--out", str(folder)]
    assert run([*command[:-1], str(out)]) == 0
    mine, again = (
        json.loads((f / "field_decision.json").read_text("utf-8")) for f in (folder, out)
    )
    return mine, again


def same(one: Any, other: Any) -> None:
    assert one["classes"] == other["classes"]
    assert one["changes"] == other["changes"]
    for side in ("before", "after"):
        np.testing.assert_allclose(one[side]["logits"], other[side]["logits"], rtol=1e-5)
        assert one[side]["target"] == other[side]["target"]
        parts = [[(p["concept"], p["amount"]) for p in o[side]["parts"]] for o in (one, other)]
        np.testing.assert_allclose(*parts, rtol=1e-5, atol=1e-9)
        total = sum(amount for _, amount in parts[0])
        assert total == pytest.approx(one[side]["logits"][one[side]["target"]], abs=1e-4)


def test_a_decision_taught_by_labels_is_decided_again(
    dock: Any, cube: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dock.why.learn_button.click()
    assert dock.desk.decision is not None, dock.why.problem_line.text()
    on = dock.desk.field.codes.at(4 * 30 + 5)[0].tolist()
    off = next(n for n in range(64) if n not in on)
    dock.why.change(on[0], Change(0.5))
    dock.why.change(off, Change(value=1.5))
    mine, again = replayed(dock, tmp_path / "mine", tmp_path / "again")
    assert [c["concept"] for c in mine["changes"]] == [on[0], off]
    same(mine, again)
    # Painted labels lie in no file: it is saved, but no command could do it again.
    scene, workspace = cube, dock._workspace
    sheet = workspace.labels[scene.id]
    workspace.set_labels(scene.id, sheet.values, sheet.class_names)
    count = len(workspace.run_log.lines)
    dock.why.save(tmp_path / "mine")
    assert len(workspace.run_log.lines) == count
    capsys.readouterr()


def test_a_bottleneck_decides_in_the_dock_as_by_command(
    dock: Any, cube: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from backends.concepts.bottleneck import BottleneckSettings, Embeddings, build, save_bottleneck
    from backends.concepts.candidates import from_directions

    learnt = dock.desk.learnt
    made = learnt.reading.dictionary
    patches = np.asarray(learnt.encoder.encode(cube).values, np.float32)
    label = (np.arange(len(patches)) % 30 >= 15).astype(np.int64)
    part = np.random.default_rng(0).integers(0, 3, len(patches))
    some = Embeddings(patches, label, part, ("Left", "Right"))
    found = from_directions(made.directions, [made.name(n) for n in range(64)], None)
    about = {**learnt.encoder.about, "digest": learnt.encoder.digest, "title": "spectra"}
    built = build(some, found, BottleneckSettings(patches.shape[1], 4), encoder=about)
    path = tmp_path / "bottleneck.safetensors"
    save_bottleneck(built, path)

    dock.learn.open_file(path)
    decision = dock.desk.decision
    assert decision is not None, dock.learn.problem_line.text()
    assert dock.why.isVisible()
    assert not decision.of_dictionary
    # What random concepts would do, and that as many as dimensions bind nothing, is in sight.
    told = dock.why.state_line.text()
    assert "random ones" in told
    assert "not binding" in told
    assert built.selection.warning
    before = decision.probabilities(0)
    strongest = dock.why.chart.bars[0].concept
    dock.why.chart.chosen.emit(strongest)
    assert dock.why.hand == strongest
    dock.why.handles.away_button.click()
    assert dock.desk.decisions.changing.now == {strongest: REMOVED}
    after = decision.probabilities(0, {strongest: REMOVED})
    assert [row[1:] for row in dock.why.outcome.rows] == [
        (pytest.approx(before[n]), pytest.approx(after[n])) for n in np.argsort(-before)
    ]
    same(*replayed(dock, tmp_path / "mine", tmp_path / "again"))
    dock.why.used_button.click()
    (layer,) = dock._workspace.overlays.values()
    assert layer.values.shape == (24, 30)
    capsys.readouterr()
