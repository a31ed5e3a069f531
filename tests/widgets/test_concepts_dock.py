"""The concept desk from an empty page to columns, layers, cards, decisions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QScrollArea

from backends.bands import BandTable
from backends.concepts.changes import REMOVED, Change
from backends.overlays import ConceptMaps, ScoreMap
from backends.scene import ArraySource, Scene, SceneInfo
from backends.workspace import LabelSheet, Workspace
from widgets.boards import LayerBoard, Row
from widgets.concepts_dock import ConceptsDock
from widgets.theme import GRID

LEFT = Qt.MouseButton.LeftButton


def fields(title: str = "Fields") -> tuple[Scene, np.ndarray]:
    rng = np.random.default_rng(5)
    nm = np.linspace(450, 2400, 24)
    shapes = np.stack([np.exp(-(((nm - c) / 300) ** 2)) for c in (600, 1300, 2100)])
    labels = np.repeat(np.arange(3), 12)[None].repeat(30, 0)
    cube = 0.2 + shapes[labels] * rng.uniform(0.7, 1.3, (30, 36, 1))
    info = SceneInfo(
        path=None, kind="hyperspectral", bands=BandTable.build(24, wavelength_nm=nm), title=title
    )
    return Scene(ArraySource((cube * 10_000).astype(np.uint16)), info), labels + 1


@pytest.fixture
def dock(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path))
    from backends.concepts import desk_encoders

    real = desk_encoders.settings_for
    monkeypatch.setattr(
        desk_encoders, "settings_for", lambda *a, **k: real(*a, **{**k, "steps": 60})
    )
    workspace = Workspace()
    made = ConceptsDock(workspace, None, LayerBoard())
    qtbot.addWidget(made)
    made.resize(320, 1400)
    made.show()
    yield made
    workspace.close()


def learnt(dock: Any) -> Scene:
    scene, labels = fields()
    dock._workspace.add_scene(scene)
    dock.learn.choose_spectra()
    dock.learn.size_box.setCurrentIndex(1)  # 64
    dock.learn.go_button.click()
    assert dock.desk.field is not None, dock.learn.problem_line.text()
    names = {1: "Water", 2: "Meadow", 3: "Soil"}
    dock._workspace.labels[scene.id] = LabelSheet(scene.id, labels.astype(np.uint8), names)
    dock._workspace.labels_changed.emit(scene.id)
    return scene


def first_cell(dock: Any) -> Any:
    cells = [c for some in dock.here.columns.cells.values() for c in some if c.line is not None]
    return cells[0]


def test_empty_dock_is_one_sentence_and_pages_wait_for_concepts(dock: Any) -> None:
    assert dock.empty.isVisible()
    assert not dock.content.isVisible()
    dock._workspace.add_scene(fields()[0])
    assert not dock.tabs["Here"].isEnabled()
    dock._workspace.select_pixel(dock._workspace.active_scene.id, 3, 4)
    assert "Nothing is learnt" in dock.learn.done_line.text()  # a click before says what to do
    assert dock.findChild(QScrollArea).minimumWidth() >= 240  # no strip of single words
    assert dock.learn.go_button.isEnabled()


def test_click_hover_layer_and_quality(dock: Any) -> None:
    scene = learnt(dock)
    workspace = dock._workspace
    assert dock.here.isVisible()
    assert dock.quality_line.isVisible()
    assert "FVU" in dock.quality_line.text()
    assert "L0" in dock.quality_line.text()
    assert dock.content.minimumSizeHint().width() <= dock.width()

    workspace.select_pixel(scene.id, 4, 5)
    kept = first_cell(dock).line.concept
    assert "kept" in dock.here.place_line.text()
    workspace.cursor_moved.emit(scene.id, 4, 30)
    assert "column 30" in dock.here.place_line.text()
    workspace.cursor_left.emit()
    assert first_cell(dock).line.concept == kept

    # A level in which nothing is on says so, once.
    for some in dock.here.columns.cells.values():
        assert [c.empty for c in some] == [some[0].line is None] + [False] * (len(some) - 1)

    cell = first_cell(dock)
    assert cell.line.curve is not None  # of a cube its spectrum
    QTest.mouseClick(cell, LEFT, pos=QPoint(10, 10))
    assert dock.desk.concept == kept
    QTest.mouseDClick(cell, LEFT, pos=QPoint(10, 10))
    other = next(n for n in np.argsort(-dock.desk.field.codes.mass).tolist() if n != kept)
    dock.desk.show_layer(other)
    (overlay,) = [o for o in workspace.overlays.values() if isinstance(o, ConceptMaps)]
    assert len(overlay.names) == 2  # one layer, the newest first
    np.testing.assert_array_equal(overlay.values[0], dock.desk.field.codes.layer(other))
    np.testing.assert_array_equal(overlay.values[1], dock.desk.field.codes.layer(kept))

    # Another result hides the one before; shown again, it hides that.
    board = dock.desk._board
    board.put(scene.id, Row(overlay.id, "Concepts", "concepts"))
    dock.here.find_alike()
    (alike,) = [
        o for o in workspace.overlays.values() if isinstance(o, ConceptMaps) and o.id != overlay.id
    ]
    board.put(scene.id, Row(alike.id, "Alike", "concepts"))
    assert not board.row(scene.id, overlay.id).visible
    dock.desk.show_layer(kept)
    assert board.row(scene.id, overlay.id).visible
    assert not board.row(scene.id, alike.id).visible

    times = []
    for col in range(36):
        began = time.perf_counter()
        workspace.select_pixel(scene.id, 7, col)
        times.append(time.perf_counter() - began)
    assert np.median(times) < 0.05


def test_alike_search_card_and_graph(dock: Any, tmp_path: Path) -> None:
    scene = learnt(dock)
    dock._workspace.select_pixel(scene.id, 4, 5)
    dock.here.alike_button.click()
    (alike,) = [o for o in dock._workspace.overlays.values() if isinstance(o, ConceptMaps)]
    assert alike.values[0, 4, 5] == pytest.approx(1, abs=1e-5)
    assert alike.values[0, :, :12].mean() > alike.values[0, :, 12:].mean() + 0.2
    assert alike.tops == (1.0,)
    assert "Fields" in dock.here.alike_line.text()

    first_cell(dock).chosen.emit(first_cell(dock).line.concept)
    dock.show_page("Card")
    concept = dock.desk.concept
    assert str(concept) in dock.card.head_line.text()
    assert dock.card.spectrum.isVisible()
    assert dock.card.cuttings[0].isVisible()
    dock.card.name_line.setText("Clear water")
    dock.card.name_line.editingFinished.emit()
    dock.card.find_line.setText("clear")
    assert dock.card.hits.count() == 1
    # An encoder without a text tower: a word that stands nowhere is answered plainly.
    dock.card.find_line.setText("harbour")
    assert not dock.card.hits.isVisible()
    assert "no text tower" in dock.card.none_line.text()
    assert dock.card.none_line.isVisible()
    dock.card.find_line.setText("clear")
    dock.desk.take_concept(0 if concept else 1)
    dock.card.find_line.returnPressed.emit()
    assert dock.desk.concept == concept
    # The name is in the file, too.
    from backends.concepts.autoencoder_files import load_dictionary

    made = load_dictionary(dock.desk.field.dictionary.card["kept_at"])
    assert made.name(concept) == "Clear water"

    dock.show_page("Graph")
    assert 0 < len(dock.graph.graph.nodes) <= 60
    few = len(dock.graph.graph.edges)
    dock.graph.strength.setValue(31)
    dock.graph.support.setValue(1)
    assert len(dock.graph.graph.edges) >= few
    assert len(dock.graph.places) == len(dock.graph.graph.nodes)
    # A line of the graph leads to where both are on; the graph is a file others read.
    graph = dock.graph.graph
    child, parent = (graph.nodes[n] for n in graph.edges[0].tolist())
    dock.desk.take_concept(child)
    assert f"{child},{parent}" in dock.graph.about_line.text()
    dock.graph.about_line.linkActivated.emit(f"{child},{parent}")
    both = list(dock._workspace.overlays.values())[-1]
    layers = [dock.desk.field.codes.layer(n) > 0 for n in (child, parent)]
    np.testing.assert_array_equal(both.values[0] > 0, layers[0] & layers[1])
    # The concept in hand is always called by its name; one that joins nothing says so.
    assert dock.desk.field.short(child).split(" · ")[0][:14] in [
        label.toPlainText() for label in dock.graph.labels
    ]
    dock.graph.strength.setValue(99)
    dock.graph.support.setValue(200)
    joined = {graph.nodes[n] for n in dock.graph.graph.edges.ravel().tolist()}
    alone = next(n for n in dock.graph.graph.nodes if n not in joined)
    dock.desk.take_concept(alone)
    assert "Joined with no other" in dock.graph.about_line.text()
    dock.graph.strength.setValue(31)
    dock.graph.support.setValue(1)
    dock.desk.take_concept(child)
    dock.graph.save(tmp_path / "graph.graphml")
    text = (tmp_path / "graph.graphml").read_text(encoding="utf-8")
    assert text.count("<edge ") == len(graph.edges)
    assert text.count("<node ") == len(graph.nodes)


def test_why_with_parts_that_sum_and_a_concept_taken_away(dock: Any) -> None:
    scene = learnt(dock)
    dock._workspace.select_pixel(scene.id, 4, 5)
    dock.show_page("Why")
    dock.why.learn_button.click()
    decision = dock.desk.decision
    assert decision is not None, dock.why.problem_line.text()
    assert "Water" in dock.why.why_line.text()
    token = 4 * 36 + 5
    logits = decision.probe.logits(decision.code(token))
    assert dock.why.chart.total == pytest.approx(logits[0], abs=1e-4)
    strongest = dock.why.chart.bars[0].concept
    QTest.mouseClick(dock.why.chart, LEFT, pos=QPoint(20, 5))
    assert dock.desk.concept == strongest
    bar = dock.findChild(QScrollArea).verticalScrollBar().sizeHint().width()
    assert dock.content.minimumSizeHint().width() <= dock.width() - 2 * GRID - bar
    high, classes = dock.why.outcome.height(), [row[0] for row in dock.why.outcome.rows]
    assert sorted(classes) == ["Meadow", "Soil", "Water"]
    dock.why.handles.away_button.click()
    after = decision.probabilities(token, {strongest: REMOVED})
    shown = {name: (was, now) for name, was, now in dock.why.outcome.rows}
    before = decision.probabilities(token)
    assert (dock.why.outcome.height(), list(shown)) == (high, classes)  # nothing jumps
    assert shown["Water"] == (pytest.approx(before[0]), pytest.approx(after[0]))
    assert dock.why.chart.bars[0].amount == 0
    dock.why.back_button.click()
    assert dock.why.chart.total == pytest.approx(logits[0], abs=1e-4)
    dock.why.used_button.click()
    (used,) = [o for o in dock._workspace.overlays.values() if isinstance(o, ScoreMap)]
    assert used.centre == 0.0


def test_without_labels_the_page_offers_what_makes_some(qtbot: Any, tmp_path: Path) -> None:
    workspace, asked = Workspace(), []
    made = ConceptsDock(workspace, None, LayerBoard(), asked.append)
    qtbot.addWidget(made)
    made.resize(320, 1400)
    made.show()
    try:
        page = made.why
        scene, labels = fields()
        workspace.add_scene(scene)
        made.show_page("Why")
        page.draw()
        assert page.no_labels.isVisible()
        assert not page.learn_button.isVisible()
        QTest.mouseClick(page.paint_button, LEFT)
        QTest.mouseClick(page.file_button, LEFT)
        assert asked == ["edit.brush", "file.labels"]
        workspace.set_labels(scene.id, labels.astype(np.uint8), {1: "Water"})
        page.draw()
        assert not page.no_labels.isVisible()
        assert page.learn_button.isVisible()
    finally:
        workspace.close()


def test_each_change_is_set_scaled_and_undone_by_itself(dock: Any) -> None:
    scene = learnt(dock)
    commands = dock._workspace.commands
    dock._workspace.select_pixel(scene.id, 4, 5)
    dock.show_page("Why")
    dock.why.learn_button.click()
    decision, token = dock.desk.decision, 4 * 36 + 5
    why, target = dock.why, 0
    on = dock.desk.field.codes.at(token)[0].tolist()
    off = next(n for n in np.argsort(-dock.desk.field.codes.mass).tolist() if n not in on)

    def score(changes: Any) -> float:
        return float(decision.probe.logits(decision.code(token, changes))[target])

    dock.desk.take_concept(on[0])
    assert why.handles.slider.isEnabled()
    why.handles.slider.setFocus()
    QTest.keyClick(why.handles.slider, Qt.Key.Key_Right)
    first = {on[0]: Change(1.1)}
    assert dock.desk.decisions.changing.now == first
    why.class_box.setCurrentIndex(1)
    assert why.chart.total == pytest.approx(score(first), abs=1e-4)
    # One that is off here is set: scaling it would do nothing.
    dock.desk.take_concept(off)
    assert not why.handles.slider.isEnabled()
    assert "off here" in why.handles.what_line.text()
    why.handles.value_box.setFocus()
    why.handles.value_box.selectAll()
    QTest.keyClicks(why.handles.value_box, why.handles.value_box.locale().toString(2.5, "f", 2))
    QTest.keyClick(why.handles.value_box, Qt.Key.Key_Return)
    both = {**first, off: Change(value=2.5)}
    assert dock.desk.decisions.changing.now == both
    assert why.chart.total == pytest.approx(score(both), abs=1e-4)
    assert set(why.changes.lines) == {on[0], off}
    assert "set to 2.50" in why.changes.labels[off].text()
    assert "Over the image" in why.answer_line.text()
    # Each has its own way back; Ctrl+Z takes the last step back, whatever it was.
    why.changes.buttons[on[0]].click()
    assert dock.desk.decisions.changing.now == {off: Change(value=2.5)}
    assert commands.undo() is not None
    assert dock.desk.decisions.changing.now == both
    commands.undo()
    assert dock.desk.decisions.changing.now == first
    assert why.chart.total == pytest.approx(score(first), abs=1e-4)
    commands.redo()
    assert dock.desk.decisions.changing.now == both
    # A drag is one step, however many values it went through.
    dock.desk.take_concept(on[0])
    why.handles.slider.setSliderDown(True)
    for value in (12, 15, 18):
        why.handles.slider.setValue(value)
    assert why.chart.total == pytest.approx(score({**both, on[0]: Change(1.8)}), abs=1e-4)
    why.handles.slider.setSliderDown(False)
    commands.undo()
    assert dock.desk.decisions.changing.now == both
    # Another decision: the steps speak of nothing any more.
    why.learn_button.click()
    assert dock.desk.decisions.changing.now == {}
    assert commands.undo_label is None
    assert not why.changes.isVisible()


def test_words_on_what_is_no_photograph_are_marked_everywhere(dock: Any) -> None:
    scene = learnt(dock)
    dock._workspace.select_pixel(scene.id, 4, 5)
    cell = first_cell(dock)
    concept = cell.line.concept
    names = dock.desk.field.dictionary.names
    names[concept] = {"name": "sail", "runners_up": ["yacht"], "how": "words, as a thing",
                      "verified": True}  # fmt: skip
    dock.desk.take_concept(concept)
    dock.desk.concept_changed.emit()
    line = first_cell(dock).line
    assert (line.name, line.marked) == ("sail", True)
    assert "unverified name" in line.tip
    assert "Also near: yacht" in line.tip
    dock.show_page("Card")
    assert "unverified name" in dock.card.head_line.text()
    dock.card.find_line.setText("sail")
    assert "unverified name" in dock.card.hits.item(0).text()
    dock.card.find_line.setText("harbour")
    assert dock.card.none_line.text() == "No concept of these is called so."
    # The mark stands before a name, for narrow lines lose its end.
    dock.show_page("Graph")
    assert "unverified name" in dock.graph.about_line.text()
    assert "? sail" in [label.toPlainText() for label in dock.graph.labels]
    dock.show_page("Why")
    dock.why.learn_button.click()
    assert dock.desk.decision.name(concept) == "? sail"
    assert dock.desk.field.presence_maps([concept], "layer").names == ("? sail, present here",)


def test_quality_and_tabs_stay_in_sight_however_far_a_page_is_scrolled(dock: Any) -> None:
    scene = learnt(dock)
    dock._workspace.select_pixel(scene.id, 4, 5)
    dock.resize(320, 420)
    for page in ("Here", "Card", "Graph", "Why"):
        dock.show_page(page)
        bar = dock.findChild(QScrollArea).verticalScrollBar()
        bar.setValue(bar.maximum())
        top = dock.quality_line.mapTo(dock, QPoint(0, 0)).y()
        assert 0 <= top < 120
        assert dock.quality_line.isVisible()


def test_another_image_with_the_same_concepts_and_a_file_that_is_none(
    dock: Any, tmp_path: Path
) -> None:
    learnt(dock)
    first = dock.desk.field
    second, _ = fields("Other fields")
    dock._workspace.add_scene(second)
    assert dock.desk.field is None
    assert dock.learn.same_button.isVisible()
    assert dock.learn.minimumSizeHint().width() <= 320 - 16
    dock.learn.same_button.click()
    assert dock.desk.field.dictionary is first.dictionary
    assert dock.desk.field.scene_id == second.id
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"nothing of the kind")
    dock.learn.open_file(wrong)
    dock.show_page("Learn")
    assert "wrong.safetensors is damaged" in dock.learn.problem_line.text()
    assert dock.desk.field is not None


def test_what_was_learnt_can_be_learnt_again_by_command(dock: Any, tmp_path: Path) -> None:
    from PIL import Image

    from backends.io import open_scene
    from tests.widgets.red_network import picture_file, weights_file

    path = picture_file(tmp_path)
    with Image.open(path) as small:
        large = small.resize((128, 128))
    large.save(path)
    scene = open_scene(path, {})
    dock._workspace.add_scene(scene)
    dock.learn.choose_file(weights_file(tmp_path))
    dock.learn.go_button.click()
    reading = dock.desk.field
    assert reading is not None, dock.learn.problem_line.text()
    command = dock._workspace.run_log.lines[-1].command
    assert command[:3] == ("concepts", "train", str(tmp_path / "picture.png"))
    about = reading.dictionary.encoder
    told = dict(zip(command[3::2], command[4::2], strict=True))
    assert told["--layer"] == about["layer"]
    assert told["--tile"] == str(about["tile"])
    assert told["--concepts"] == str(reading.dictionary.sizes.concepts)
    # The same encoder comes of these words.
    from backends.concepts.opening import make_encoder

    again = make_encoder("", told["--weights"], layer=told["--layer"], tile=int(told["--tile"]))
    assert again.digest == about["digest"]
    dock._workspace.select_pixel(scene.id, 50, 50)
    cell = first_cell(dock)
    assert cell.line.pixmap is not None  # of a picture a cutting
    cell.opened.emit(cell.line.concept)
    (overlay,) = dock._workspace.overlays.values()
    assert overlay.provenance.command.startswith("concepts ")
