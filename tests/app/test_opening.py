"""Every way in comes to the same function; what cannot be opened costs one sentence."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent

from app.opening import ChoiceDialog, Opener
from app.settings import Settings
from backends.errors import NeedsChoice
from tests.app.conftest import wait_for_picture, write_envi
from widgets.boards import LABELS

CUBE = np.arange(12 * 10 * 5, dtype=np.int16).reshape(12, 10, 5)


@pytest.fixture
def said() -> list[tuple[str, str, dict]]:
    return []


@pytest.fixture
def opener(desk, said) -> Opener:
    def tell(text, kind="info", **more) -> None:
        said.append((text, kind, more))

    return Opener(desk.canvas, Settings(), tell, None)


def test_file_becomes_the_active_scene_and_a_recent_file(desk, opener, tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bip", CUBE)
    (handle,) = opener.open_paths([path])
    scene = desk.workspace.active_scene
    assert scene is not None
    assert scene.info.path == path
    assert handle.wait(0).scene is scene
    assert opener.settings.recent == [str(path)]
    np.testing.assert_array_equal(scene.read(), CUBE)


def test_several_at_once_and_a_broken_one_between(desk, opener, tmp_path: Path) -> None:
    good = [write_envi(tmp_path / f"{n}.bip", CUBE) for n in "ab"]
    broken = tmp_path / "broken.bip"
    broken.write_bytes(b"")
    handles = opener.open_paths([good[0], broken, good[1], tmp_path / "nowhere.img"])
    assert [h.error is None for h in handles] == [True, False, True, False]
    assert "empty" in str(handles[1].error)
    assert "does not exist" in str(handles[3].error)
    assert len(desk.workspace.scenes) == 2
    assert str(broken) not in opener.settings.recent


def test_label_file_of_the_same_size_is_taken_as_labels(desk, opener, said, tmp_path: Path) -> None:
    opener.open_paths([write_envi(tmp_path / "scene.bip", CUBE)])
    scene = desk.workspace.active_scene
    labels = (np.arange(120, dtype=np.uint8).reshape(12, 10, 1) % 3).astype(np.uint8)
    header = {
        "file type": "ENVI Classification",
        "classes": "3",
        "class names": "{Unclassified, Water, Meadow}",
        "class lookup": "{0,0,0, 0,0,255, 0,255,0}",
    }
    opener.open_paths([write_envi(tmp_path / "truth.dat", labels, **header)])
    assert desk.workspace.active_scene is scene
    assert list(desk.workspace.scenes) == [scene.id]
    sheet = desk.workspace.labels[scene.id]
    np.testing.assert_array_equal(sheet.values, labels[:, :, 0])
    assert sheet.class_names == {1: "Water", 2: "Meadow"}
    text, kind, more = said[-1]
    assert "training labels" in text
    assert kind == "info"
    (title, as_image), *_ = more["actions"]
    assert title == "Open as image"
    as_image()
    assert len(desk.workspace.scenes) == 2
    assert scene.id not in desk.workspace.labels


def test_label_file_of_another_size_opens_as_an_image(desk, opener, tmp_path: Path) -> None:
    opener.open_paths([write_envi(tmp_path / "scene.bip", CUBE)])
    labels = np.ones((5, 5, 1), np.uint8)
    header = {
        "file type": "ENVI Classification",
        "classes": "2",
        "class names": "{Unclassified, Water}",
    }
    opener.open_paths([write_envi(tmp_path / "small.dat", labels, **header)])
    assert len(desk.workspace.scenes) == 2
    # Its classes have names and colours all the same: they lie over its own numbers.
    (scene_id,) = desk.workspace.labels
    assert desk.workspace.active_scene.id == scene_id
    assert desk.workspace.labels[scene_id].class_names == {1: "Water"}
    assert desk.canvas.board.row(scene_id, LABELS) is not None


def test_labels_of_another_coordinate_system_are_not_taken(
    desk, opener, said, tmp_path: Path
) -> None:
    from backends.errors import BadInput

    place = "{{UTM, 1, 1, 360000, 5810000, 30, 30, {}, North, WGS-84, units=Meters}}"
    cube = write_envi(tmp_path / "scene.bip", CUBE, **{"map info": place.format(33)})
    opener.open_paths([cube])
    scene = desk.workspace.active_scene
    labels = (np.arange(120, dtype=np.uint8).reshape(12, 10, 1) % 3).astype(np.uint8)
    header = {
        "file type": "ENVI Classification",
        "classes": "3",
        "class names": "{Unclassified, Water, Meadow}",
        "map info": place.format(32),
    }
    path = write_envi(tmp_path / "truth.dat", labels, **header)
    opener.open_paths([path])
    assert scene.id not in desk.workspace.labels
    assert len(desk.workspace.scenes) == 2
    assert any("different coordinate systems" in text for text, *_ in said)
    # Asked for outright it is refused, in the same words.
    handle = opener.open_labels(path, scene)
    assert isinstance(handle.error, BadInput)
    assert "different coordinate systems" in str(handle.error)
    assert scene.id not in desk.workspace.labels


def test_labels_that_do_not_fit_are_refused_in_a_sentence(desk, opener, tmp_path: Path) -> None:
    from app.bridge import plain_error
    from backends.errors import BadInput

    opener.open_paths([write_envi(tmp_path / "scene.bip", CUBE)])
    scene = desk.workspace.active_scene
    path = write_envi(tmp_path / "small.dat", np.ones((5, 5, 1), np.uint8))
    with pytest.raises(Exception, match="5×5 pixels") as caught:
        opener.open_labels(path, scene)
    assert isinstance(plain_error(caught.value), BadInput)
    assert not desk.workspace.labels


def test_the_user_is_asked_which_one(window, qtbot, tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "two.mat"
    first = np.random.default_rng(0).random((9, 8, 6))
    savemat(path, {"first": first, "second": first + 1})
    window.open_paths([path])
    qtbot.waitUntil(lambda: window.opener.choice_dialog is not None)
    dialog = window.opener.choice_dialog
    assert isinstance(dialog, ChoiceDialog)
    names = [dialog.list.item(i).text() for i in range(dialog.list.count())]
    assert len(names) == 2
    dialog.list.setCurrentRow(next(i for i, n in enumerate(names) if "second" in n))
    dialog.accept()
    qtbot.waitUntil(lambda: window.workspace.active_scene is not None)
    scene = window.workspace.active_scene
    np.testing.assert_allclose(scene.read(), first + 1)
    wait_for_picture(qtbot, window, scene)
    assert not window.toaster.toasts()


def test_a_choice_shows_words_and_gives_what_they_stand_for(qtbot) -> None:
    chosen = []
    named = NeedsChoice(
        "Two.", option="series", choices=("1.2", "1.3"), titles=("CT", "MR"), subject="x"
    )
    assert "1.2 (CT), 1.3 (MR)" in str(pickle.loads(pickle.dumps(named)))
    dialog = ChoiceDialog(named, chosen.append, None)
    dialog.show()
    assert [dialog.list.item(n).text() for n in range(2)] == ["CT", "MR"]
    dialog.list.setCurrentRow(1)
    dialog.accept()
    assert chosen == ["1.3"]


def test_a_wrong_guess_of_axes_is_one_press_away(desk, opener, said, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.random((150, 72, 89)).astype(np.float32))
    opener.open_paths([tmp_path / "a.npy"])
    assert desk.workspace.active_scene.shape == (150, 72, 89)
    text, _, more = said[-1]
    assert "last axis was taken as bands" in text
    (title, again) = more["actions"][0]
    assert title == "Take the first axis"
    again()
    (scene,) = desk.workspace.scenes.values()
    assert scene.shape == (72, 89, 150)


def test_choice_can_be_declined(qtbot) -> None:
    chosen = []
    error = NeedsChoice("Two cubes.", option="key", choices=("a", "b"), subject="x.mat")
    dialog = ChoiceDialog(error, chosen.append, None)
    dialog.show()
    dialog.reject()
    assert chosen == []


def drop(mime: QMimeData) -> QDropEvent:
    return QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )


def test_dropped_files_open_wherever_they_fall(window, qtbot, tmp_path: Path) -> None:
    for number, target in enumerate((window.welcome, window.viewer.window._qt_viewer)):
        path = write_envi(tmp_path / f"{number}.bip", CUBE)
        mime = QMimeData()  # Qt keeps only a pointer to it
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        event = drop(mime)
        assert target.acceptDrops()
        # Qt delivers drops of its own only; the filter is where they arrive.
        assert window.eventFilter(target, event)
        qtbot.waitUntil(lambda count=number + 1: len(window.workspace.scenes) == count)
        wait_for_picture(qtbot, window, window.workspace.active_scene)


def test_changed_and_deleted_files_are_said_once_and_nothing_is_lost(
    window, qtbot, tmp_path: Path
) -> None:
    path = write_envi(tmp_path / "a.bip", CUBE)
    window.open_paths([path])
    qtbot.waitUntil(lambda: window.workspace.active_scene is not None)
    scene = window.workspace.active_scene
    wait_for_picture(qtbot, window, scene)
    window.watch.look()
    qtbot.wait(100)
    assert not window.toaster.toasts()
    os.utime(path, (1, 1))
    for _ in range(2):
        window.watch.look()
        qtbot.waitUntil(lambda: len(window.toaster.toasts()) == 1)
    assert "changed by another program" in window.toaster.toasts()[0].text
    path.unlink()
    window.watch.look()
    qtbot.waitUntil(lambda: len(window.toaster.toasts()) == 2)
    assert "moved or deleted" in window.toaster.toasts()[1].text
    assert scene.id in window.workspace.scenes
    assert len(window.viewer.layers) > 0


def test_samples_need_no_network(desk, opener, monkeypatch) -> None:
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("ihc", "retina"):
        opener.open_sample(name)
        scene = desk.workspace.active_scene
        assert scene is not None
        assert scene.info.is_rgb
        assert scene.info.facts["Source"]
    assert len(desk.workspace.scenes) == 2


def test_demo_offers_its_truth(desk, opener, said) -> None:
    opener.open_sample("demo")
    scene = desk.workspace.active_scene
    text, _, more = said[-1]
    assert "truth" in text
    more["actions"][0][1]()
    assert len(desk.workspace.labels[scene.id].class_names) == 8


def test_real_envi_cube(desk, opener, clearband_data: Path) -> None:
    opener.open_paths([clearband_data / "hsi" / "envi" / "enmap_potsdam_a.bil"])
    scene = desk.workspace.active_scene
    assert scene.shape == (64, 128, 224)
    assert desk.canvas.stage.frame(scene).unit == "m"
    assert desk.canvas.pictures.shown(scene.id).recipe.id == "natural"
