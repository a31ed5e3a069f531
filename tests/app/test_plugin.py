"""In a plain napari: the manifest holds, files open as layers, docks bring a workspace along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

from app import plugin
from tests.app.conftest import write_envi

CUBE = np.arange(12 * 10 * 5, dtype=np.int16).reshape(12, 10, 5)
MANIFEST = Path(plugin.__file__).with_name("napari.yaml")


@pytest.fixture
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_manifest_is_valid_and_every_command_exists(manifest) -> None:
    manifest.validate_imports()
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert module == "app.plugin"
        assert callable(getattr(plugin, name))
    named = {c.id for c in manifest.contributions.commands}
    used = {
        entry.command
        for kind in ("readers", "sample_data", "widgets")
        for entry in getattr(manifest.contributions, kind)
    }
    assert used == named


def test_reader_claims_what_it_knows_only(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bip", CUBE)
    assert plugin.get_reader(str(path)) is plugin.read
    assert plugin.get_reader(str(tmp_path / "nowhere")) is None
    text = tmp_path / "notes.xyz"
    text.write_text("hello")
    assert plugin.get_reader(str(text)) is None


def test_bare_napari_gets_its_layers(make_napari_viewer, tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bip", CUBE)
    viewer = make_napari_viewer()
    layers = [viewer._add_layer_from_data(*entry)[0] for entry in plugin.read(str(path))]
    assert len(layers) == 3
    assert layers[0].data.shape == (12, 10)
    assert isinstance(layers[0].metadata[plugin.SCENE].shape, tuple)
    for layer in layers:
        layer.metadata.clear()


def test_label_file_comes_with_names_and_colours(tmp_path: Path) -> None:
    header = {
        "file type": "ENVI Classification",
        "classes": "2",
        "class names": "{Unclassified, Water}",
        "class lookup": "{0,0,0, 0,0,255}",
    }
    path = write_envi(tmp_path / "t.dat", np.ones((4, 4, 1), np.uint8), **header)
    ((values, options, kind),) = plugin.read(str(path))
    assert kind == "labels"
    assert (values == 1).all()
    assert options["metadata"]["class_names"] == {1: "Water"}


def test_first_dock_takes_over_what_was_opened_before(
    make_napari_viewer, qtbot, tmp_path: Path
) -> None:
    path = write_envi(tmp_path / "a.bip", CUBE)
    viewer = make_napari_viewer()
    for entry in plugin.read(str(path)):
        viewer._add_layer_from_data(*entry)
    dock = plugin.layers_dock()
    qtbot.addWidget(dock)
    attachment = viewer.window._qt_window.clearband
    assert isinstance(attachment, plugin.Attachment)
    qtbot.waitUntil(lambda: attachment.workspace.active_scene is not None)
    scene = attachment.workspace.active_scene
    qtbot.waitUntil(lambda: attachment.canvas.pictures.shown(scene.id) is not None)
    assert len(viewer.layers) == 3
    assert dock.rows
    # From now on napari's File > Open brings scenes.
    second = write_envi(tmp_path / "b.bip", CUBE)
    assert plugin.read(str(second)) == plugin.NOTHING
    qtbot.waitUntil(lambda: len(attachment.workspace.scenes) == 2)
    qtbot.waitUntil(lambda: all(h.state.is_final for h in attachment.workspace.jobs))
    attachment.close()
    viewer.window._qt_window.clearband = None
    viewer.window._qt_window.removeEventFilter(attachment)
    vars(attachment).clear()


def test_inside_the_window_naparis_open_comes_to_the_same_function(
    window, qtbot, tmp_path: Path, monkeypatch
) -> None:
    path = write_envi(tmp_path / "a.bip", CUBE)
    monkeypatch.setattr("napari.current_viewer", lambda: window.viewer)
    assert plugin.read(str(path)) == plugin.NOTHING
    qtbot.waitUntil(lambda: window.workspace.active_scene is not None)
    assert window.workspace.active_scene.info.path == path
