"""An encoder by its name in the dock: words name its concepts and make a bottleneck; replayed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtWidgets import QDialogButtonBox

from app.main import run
from backends.io import open_scene
from backends.workspace import Workspace
from tests.backends.concepts.small_clip import SMALL, known
from widgets.boards import LayerBoard
from widgets.concepts.learn_page import BY_NAME
from widgets.concepts.named_encoder import NamedEncoder, NamedEncoderDialog
from widgets.concepts_dock import ConceptsDock

VOCABULARY = ("meadow", "lake", "roof", "road", "sand")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with known(tmp_path_factory.mktemp("open_clip")) as (_, path):
        yield path


@pytest.fixture
def dock(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    from backends.concepts import desk_encoders

    real = desk_encoders.settings_for
    monkeypatch.setattr(
        desk_encoders, "settings_for", lambda *a, **k: real(*a, **{**k, "steps": 30})
    )
    workspace = Workspace()
    made = ConceptsDock(workspace, None, LayerBoard())
    qtbot.addWidget(made)
    made.resize(320, 1200)
    made.show()
    yield made
    workspace.close()


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(VOCABULARY))
    return path


def picture(path: Path, seed: int, level: int, side: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 60, (side, side, 3)) + level
    Image.fromarray(noise.astype(np.uint8)).save(path)
    return path


def named(weights: Path, words: Path | str = "") -> NamedEncoder:
    tower = f"{SMALL}:{weights}" if words else ""
    return NamedEncoder(f"open_clip:{SMALL}", str(weights), True, str(words), tower)


def test_words_name_the_concepts_of_an_image_and_the_log_says_how(
    dock: Any, weights: Path, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dock._workspace.add_scene(open_scene(picture(tmp_path / "open.png", 1, 100, 256), {}))
    learn = dock.learn
    learn.choose_name(named(weights, words))
    assert learn.choice.here
    assert not learn.fetch_check.isVisible()
    learn.go_button.click()
    reading = dock.desk.field
    assert reading is not None, learn.problem_line.text()
    alive = np.flatnonzero(reading.codes.mass > 0).tolist()
    names = {reading.dictionary.names[n]["name"] for n in alive}
    assert names <= set(VOCABULARY)
    assert reading.dictionary.names[alive[0]]["runners_up"]
    entry = dock._workspace.run_log.lines[-1]
    assert "--tower" in entry.command
    capsys.readouterr()
    command = [*entry.command[: entry.command.index("--out")], "--out", str(tmp_path / "again")]
    assert run([*command, "--json"]) == 0, shlex.join(command)
    from backends.concepts.autoencoder_files import load_dictionary

    again = load_dictionary(tmp_path / "again")
    assert {n: again.names[n] for n in alive} == {n: reading.dictionary.names[n] for n in alive}


def test_a_bottleneck_of_words(dock: Any, weights: Path, words: Path, tmp_path: Path) -> None:
    for level, name in enumerate(("field", "water")):
        for number in range(8):
            picture(tmp_path / "set" / name / f"{number}.png", number, 150 * level)
    dock._workspace.add_scene(open_scene(picture(tmp_path / "open.png", 1, 100), {}))
    learn = dock.learn
    learn.choose_folder(tmp_path / "set")
    learn.few_box.setCurrentIndex(1)
    learn.choose_name(named(weights, words))
    learn.go_button.click()
    decision = dock.desk.decision
    assert decision is not None, learn.problem_line.text()
    last = dock._workspace.run_log.lines[-1].command
    assert last[0] == "bottleneck"
    assert last[last.index("--words") + 1] == str(words)
    kept = next((tmp_path / "home" / "concepts").rglob("bottleneck.safetensors"))
    from backends.concepts.bottleneck import load_bottleneck

    assert set(load_bottleneck(kept).names) <= set(VOCABULARY)


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (NamedEncoder("nobody_made_this"), "nobody_made_this"),
        (NamedEncoder(f"open_clip:{SMALL}"), "weights"),
        (NamedEncoder("transformers:nobody/nothing"), "nobody/nothing"),
    ],
)
def test_what_is_not_there_is_a_sentence(
    encoder: NamedEncoder, said: str, dock: Any, weights: Path, tmp_path: Path
) -> None:
    dock._workspace.add_scene(open_scene(picture(tmp_path / "open.png", 1, 100), {}))
    dock.learn.choose_name(encoder)
    assert dock.learn.fetch_check.isVisible()
    dock.learn.go_button.click()
    told = dock.learn.problem_line.text()
    assert said in told
    assert "unexpected" not in told
    assert dock.desk.field is None


def test_words_without_a_tower_are_refused(
    dock: Any, weights: Path, words: Path, tmp_path: Path
) -> None:
    dock._workspace.add_scene(open_scene(picture(tmp_path / "open.png", 1, 100), {}))
    given = NamedEncoder(f"open_clip:{SMALL}", str(weights), True, str(words))
    dock.learn.choose_name(given)
    dock.learn.go_button.click()
    assert "needs both" in dock.learn.problem_line.text()


def test_the_dialog_asks_and_the_list_opens_it(
    dock: Any, qtbot: Any, weights: Path, words: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked = NamedEncoderDialog()
    qtbot.addWidget(asked)
    ok = asked.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert not ok.isEnabled()
    asked.model_edit.setText(" resnet50 ")
    assert ok.isEnabled()
    assert asked.encoder == NamedEncoder("resnet50")
    again = NamedEncoderDialog(None, named(weights, words))
    qtbot.addWidget(again)
    assert again.encoder == named(weights, words)
    dock._workspace.add_scene(open_scene(picture(tmp_path / "open.png", 1, 100), {}))
    monkeypatch.setattr(NamedEncoderDialog, "exec", lambda self: (
        self.model_edit.setText("resnet50"), True)[1])  # fmt: skip
    box = dock.learn.model_box
    box.setCurrentIndex(box.findData(BY_NAME))
    box.activated.emit(box.currentIndex())
    assert dock.learn.choice.model == "resnet50"
