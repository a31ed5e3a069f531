"""Learning concepts from a folder in the dock, and files that do not fit the open image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends.io import open_scene
from backends.workspace import Workspace
from tests.widgets.red_network import weights_file
from widgets.boards import LayerBoard
from widgets.concepts_dock import ConceptsDock


@pytest.fixture
def dock(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    from backends.concepts import desk_encoders

    real = desk_encoders.settings_for
    monkeypatch.setattr(
        desk_encoders, "settings_for", lambda *a, **k: real(*a, **{**k, "steps": 40})
    )
    workspace = Workspace()
    made = ConceptsDock(workspace, None, LayerBoard())
    qtbot.addWidget(made)
    made.resize(320, 1200)
    made.show()
    yield made
    workspace.close()


def picture(path: Path, color: tuple[int, int, int], seed: int, side: int = 96) -> Path:
    rng = np.random.default_rng(seed)
    noise = rng.integers(-40, 40, (side, side, 3)) + np.array(color)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two classes, eight images each, and one file that is none."""
    for name, color in (("red", (190, 60, 60)), ("blue", (60, 60, 190))):
        for number in range(8):
            picture(tmp_path / "set" / name / f"{number}.png", color, number)
    (tmp_path / "set/red/broken.png").write_bytes(b"no picture at all")
    return tmp_path / "set"


def opened(dock: Any, path: Path) -> Any:
    scene = open_scene(path, {})
    dock._workspace.add_scene(scene)
    return scene


def test_a_folder_teaches_concepts_classes_and_a_bottleneck(
    dock: Any, folder: Path, tmp_path: Path
) -> None:
    opened(dock, picture(tmp_path / "open.png", (180, 70, 70), 99))
    learn = dock.learn
    learn.choose_file(weights_file(tmp_path))
    assert not learn.few_box.isVisible()
    learn.choose_folder(folder)
    assert learn.few_box.isVisible()
    assert "set (folder)" in learn.source_box.currentText()
    learn.few_box.setCurrentIndex(1)  # a bottleneck of 8
    assert dock.minimumSizeHint().width() <= 320
    learn.go_button.click()
    reading = dock.desk.field
    assert reading is not None, learn.problem_line.text()
    made = reading.dictionary
    assert set(made.card["classes"]) == {"red", "blue"}
    assert not reading.learnt_here
    # What was left out is said, with the reason; where it was learnt, too.
    assert "images" in learn.done_line.text()
    assert "1 left out" in learn.done_line.text()
    assert "broken.png" in learn.done_line.text()
    # The bottleneck decides, with its control; the layer that came with the concepts could.
    why = dock.why
    assert why.isVisible()
    assert "random ones" in why.state_line.text()
    assert why.kind_box.count() == 2
    # How much of the images its concepts stand for, one after another, to where they end.
    assert why.kept.isVisible()
    count, percent = why.kept.curve.getData()
    explained = dock.desk.decision.made.selection.explained
    assert (count[0], percent[0]) == (0, 0)
    assert len(count) == len(explained) + 1
    assert percent[-1] == pytest.approx(100 * explained[-1])
    assert f"{100 * explained[-1]:.0f}" in why.kept.line.text()
    assert {row[0] for row in why.outcome.rows} <= {"red", "blue"}
    why.kind_box.setCurrentIndex(why.kind_box.findText("By what came with the concepts"))
    why.kind_box.activated.emit(why.kind_box.currentIndex())
    assert dock.desk.decision.of_dictionary
    assert not why.kept.isVisible()
    assert why.chart.total == pytest.approx(
        float(dock.desk.decision.probe.logits(dock.desk.decision.code(0)).max()), abs=1e-4
    )
    # Both are in the log, as command lines on the same folder.
    commands = [line.command for line in dock._workspace.run_log.lines]
    assert [c[:2] for c in commands] == [("concepts", "train"), ("bottleneck", str(folder))]
    assert commands[0][2] == str(folder)


def test_kept_concepts_are_opened_and_another_encoder_is_refused(
    dock: Any, folder: Path, tmp_path: Path
) -> None:
    opened(dock, picture(tmp_path / "open.png", (180, 70, 70), 99))
    weights = weights_file(tmp_path)
    dock.learn.choose_file(weights)
    dock.learn.go_button.click()
    assert dock.desk.field is not None, dock.learn.problem_line.text()
    kept = Path(dock.desk.field.dictionary.card["kept_at"])
    opened(dock, picture(tmp_path / "second.png", (60, 70, 180), 5))
    assert dock.desk.field is None
    dock.learn.open_file(kept)
    assert dock.desk.field is not None, dock.learn.problem_line.text()
    assert dock.desk.field.dictionary.name(0)
    # Another network lies in that file now.
    assert weights_file(tmp_path, bright=True) == weights
    opened(dock, picture(tmp_path / "third.png", (60, 180, 60), 6))
    dock.learn.open_file(kept)
    assert dock.desk.field is None
    said = dock.learn.problem_line.text()
    assert "were found in the features of" in said
    assert dock.learn.problem_line.isVisible()


def test_what_cannot_be_learnt_from_is_said_in_a_sentence(dock: Any, tmp_path: Path) -> None:
    opened(dock, picture(tmp_path / "open.png", (180, 70, 70), 99))
    dock.learn.choose_file(weights_file(tmp_path))
    said = {}
    (tmp_path / "empty").mkdir()
    (tmp_path / "corrupt").mkdir()
    (tmp_path / "corrupt" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n but cut")
    picture(tmp_path / "small" / "dot.png", (10, 10, 10), 1, side=4)
    for name in ("empty", "corrupt", "small", "gone"):
        dock.learn.choose_folder(tmp_path / name)
        dock.learn.go_button.click()
        assert dock.desk.field is None
        said[name] = dock.learn.problem_line.text()
    assert "is empty" in said["empty"]
    assert "a.png" in said["corrupt"]
    assert "4 × 4 pixels: too small" in said["small"]
    assert "does not exist" in said["gone"]
    assert not any("unexpected" in words for words in said.values())


def test_an_image_of_one_colour_is_refused_in_the_dock_and_by_command(
    dock: Any, tmp_path: Path
) -> None:
    from backends.concepts.encoded_images import encode_folder
    from backends.errors import BadInput

    path = tmp_path / "grey.png"
    Image.fromarray(np.full((96, 96, 3), 120, np.uint8)).save(path)
    opened(dock, path)
    dock.learn.choose_file(weights_file(tmp_path))
    dock.learn.go_button.click()
    assert dock.desk.field is None
    assert "grey.png is of one colour" in dock.learn.problem_line.text()
    with pytest.raises(BadInput, match="of one colour"):
        encode_folder(path, lambda scene: pytest.fail("it was not refused"))


def test_a_cube_with_other_bands_is_refused_and_what_was_learnt_is_kept(
    dock: Any, tmp_path: Path
) -> None:
    from tests.app.conftest import write_envi

    def cube(name: str, count: int) -> Path:
        rng = np.random.default_rng(count)
        nm = np.linspace(450, 2400, count)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        told = {"wavelength": "{" + ", ".join(f"{v:.1f}" for v in nm) + "}",
                "wavelength units": "Nanometers"}  # fmt: skip
        return write_envi(path, rng.integers(50, 4000, (16, 20, count)).astype(np.uint16), **told)

    cube("cubes/a.dat", 20)
    cube("cubes/b.dat", 20)
    opened(dock, cube("other.dat", 7))
    dock.learn.choose_spectra()
    dock.learn.choose_folder(tmp_path / "cubes")
    dock.learn.go_button.click()
    assert dock.desk.field is None
    said = dock.learn.problem_line.text()
    assert "were learnt and kept" in said
    assert "band" in said
    kept = list((tmp_path / "home" / "concepts").rglob("concepts.safetensors"))
    assert len(kept) == 1
    opened(dock, tmp_path / "cubes" / "b.dat")
    dock.learn.open_file(kept[0])
    assert dock.desk.field is not None, dock.learn.problem_line.text()
