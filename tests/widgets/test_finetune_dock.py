"""The Train dock from an empty page to figures: what can be done, stopped, kept, gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.bridge import Bridge
from backends.jobs import JobState, ThreadRunner
from backends.workspace import Workspace
from widgets.finetune_dock import FinetuneDock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for kind, label in enumerate(("benign", "normal")):
        (tmp_path / "slices" / label).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 60, (32, 32))
            pixels[4 + 16 * kind : 12 + 16 * kind, 8:24] += 180
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(tmp_path / "slices" / label / f"{label}_{number:03}.png")
    return tmp_path / "slices"


@pytest.fixture
def opened() -> list[Path]:
    return []


@pytest.fixture
def dock(qtbot: Any, opened: list[Path]) -> Any:
    bridge = Bridge(lambda error, details="": None)
    workspace = Workspace(ThreadRunner(), dispatch=bridge.main_thread_dispatch)
    made = FinetuneDock(workspace, None, opened.append)
    qtbot.addWidget(made)
    made.resize(320, 1400)
    made.show()
    made.settings.size_box.setValue(32)
    made.settings.epochs_box.setValue(3)
    yield made
    workspace.close()
    bridge.close()


def choose(dock: Any, qtbot: Any, folder: Path) -> None:
    dock.choose(folder)
    qtbot.waitUntil(lambda: dock._images is not None, timeout=5000)


def test_empty_page_has_one_action(dock: Any) -> None:
    assert dock.empty.isVisible()
    assert dock.empty.button is not None
    assert not dock.choices.isVisible()


def test_classes_and_groups_are_listed(dock: Any, qtbot: Any, folder: Path) -> None:
    choose(dock, qtbot, folder)
    assert not dock.empty.isVisible()
    assert "40 images of 2 classes" in dock.source_line.text()
    assert dock.classes.item(0, 0).text() == "benign"
    dock.groups.kind_box.setCurrentIndex(dock.groups.kind_box.findData("block"))
    dock.groups.block_box.setValue(5)
    qtbot.waitUntil(lambda: dock._images is not None, timeout=5000)
    qtbot.waitUntil(lambda: "in 8 groups" in dock.source_line.text(), timeout=5000)
    assert dock.classes.item(0, 2).text() == "4"
    assert "(about " in dock.go_button.text()
    # Nothing is wider than the dock.
    assert dock.choices.minimumSizeHint().width() <= dock.width()


def test_wrong_folders_and_patterns_are_sentences(dock: Any, qtbot: Any, tmp_path: Path) -> None:
    (tmp_path / "one" / "only").mkdir(parents=True)
    (tmp_path / "one" / "only" / "a.png").write_bytes(b"x")
    dock.choose(tmp_path / "one")
    qtbot.waitUntil(lambda: "one class only" in dock.problem_line.text(), timeout=5000)
    assert dock.problem_line.isVisible()
    dock.groups.pattern_edit.setText("(")
    dock.groups.kind_box.setCurrentIndex(dock.groups.kind_box.findData("pattern"))
    qtbot.waitUntil(lambda: "cannot be read" in dock.problem_line.text(), timeout=5000)


def test_check_says_how_it_splits(dock: Any, qtbot: Any, folder: Path) -> None:
    (folder / "normal" / "normal_003.png").write_bytes(b"")
    choose(dock, qtbot, folder)
    dock.check_button.click()
    qtbot.waitUntil(dock.check_line.isVisible, timeout=20_000)
    assert "normal_003.png" in dock.check_line.text()
    assert "no group stands in two parts" in dock.check_line.text()
    assert dock.classes.item(0, 1).text().count("/") == 2
    assert dock.go_button.isEnabled()


def test_a_training_ends_in_figures(
    dock: Any, qtbot: Any, folder: Path, opened: list[Path]
) -> None:
    choose(dock, qtbot, folder)
    dock.go_button.click()
    assert not dock.go_button.isEnabled()
    handle = dock._handle
    assert handle.job.command[0] == "finetune"
    qtbot.waitUntil(lambda: handle.state.is_final, timeout=90_000)
    assert handle.state is JobState.DONE
    qtbot.waitUntil(lambda: "Accuracy" in dock.result.line.text(), timeout=5000)
    assert "Leakage check" in dock.result.line.text()
    assert "reconstruction" in dock.result.line.text()
    assert dock.result.classes.rowCount() == 2
    counts = [[int(dock.result.confusion.item(r, c).text()) for c in (1, 2)] for r in (0, 1)]
    card = handle.result[0].card
    assert counts == card["figures"]["test"]["confusion"]
    assert (dock.out / "network.safetensors").is_file()
    qtbot.waitUntil(lambda: "Round 3 of 3" in dock.curves.line.text(), timeout=2000)
    qtbot.waitUntil(dock.go_button.isEnabled, timeout=2000)
    rows = [["p"], ["benign/benign_001.png", "test", "benign", "normal", "0.9"]]
    dock.result.show_card(card, rows, [card, card])
    assert dock.result.errors.rowCount() == 1
    assert dock.result.others.rowCount() == 2
    cost = card["cost"]
    shown = [dock.result.others.item(0, column).text() for column in range(1, 4)]
    assert shown == [
        f"{cost['parameters'] / 1e6:.1f}", f"{cost['flops'] / 1e9:.2f}",
        f"{cost['latency_ms']:.0f}",
    ]  # fmt: skip
    heads = [dock.result.others.horizontalHeaderItem(c).text() for c in range(1, 4)]
    assert heads == ["M", "GF", "ms"]
    dock.result.errors.cellDoubleClicked.emit(0, 0)
    assert opened == [folder / "benign" / "benign_001.png"]


def test_stopped_it_offers_to_go_on_and_enough_is_kept(dock: Any, qtbot: Any, folder: Path) -> None:
    choose(dock, qtbot, folder)
    dock.settings.epochs_box.setValue(300)
    dock.settings.patience_box.setValue(0)
    dock.go_button.click()
    qtbot.waitUntil(dock.keep_button.isEnabled, timeout=60_000)
    dock.stop_button.click()
    qtbot.waitUntil(lambda: "can go on" in dock.problem_line.text(), timeout=20_000)
    assert dock.go_button.text().startswith("Go on")
    dock.go_button.click()
    qtbot.waitUntil(dock.keep_button.isEnabled, timeout=60_000)
    dock.keep_button.click()
    qtbot.waitUntil(lambda: "Accuracy" in dock.result.line.text(), timeout=60_000)
    assert "best state kept" in dock._handle.result[0].card["curve"]["ended"]
    assert dock.go_button.text().startswith("Train")


def test_showing_the_dock_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, widgets.finetune_dock; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip().splitlines()[-1] == "False"


def test_weights_are_random_published_or_a_file(
    dock: Any, qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from widgets.teaching import choices

    choose(dock, qtbot, folder)
    start = dock.start
    assert dock.chosen().weights == ""
    start.box.setCurrentIndex(start.box.findData("published"))
    start.box.activated.emit(1)
    assert dock.chosen().weights == "published"
    answers = [(str(folder / "net.safetensors"), ""), ("", "")]
    monkeypatch.setattr(choices.QFileDialog, "getOpenFileName", lambda *_: answers.pop(0))
    for _ in range(2):  # closed without an answer, the file stays
        start.box.setCurrentIndex(start.box.findData("file"))
        start.box.activated.emit(2)
        assert dock.chosen().weights == str(folder / "net.safetensors")
        assert start.label.text() == "net.safetensors"
