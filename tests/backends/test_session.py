"""Sessions: everything comes back; what is missing is said; what is hostile is refused."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from session_samples import FOLDER, full_state, full_workspace, one_of_each, write_library

from backends.bands import BandTable
from backends.errors import BadInput, Cancelled, ClearbandError
from backends.io import open_scene
from backends.jobs import Progress
from backends.overlays import ClassMap, MatrixField, Provenance
from backends.scene import ArraySource, Scene, SceneInfo
from backends.session import SessionState, collect_state, load_session, save_session
from backends.session_records import VERSION, SessionRecord, plain_value
from backends.session_restore import Restored, open_scenes, restore
from backends.spectra.library import SpectralLibrary
from backends.workspace import Workspace

SceneFile = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[2]


def same(a: Any, b: Any, *, leave: tuple[str, ...] = ()) -> bool:
    """Compare records and arrays, ``nan`` with ``nan``, tuples with lists."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if is_dataclass(a):
        names = [f.name for f in fields(a) if f.name not in leave]
        return type(a) is type(b) and all(
            same(getattr(a, n), getattr(b, n), leave=leave) for n in names
        )
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k], leave=leave) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(x, y, leave=leave) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return bool(a == b)


@pytest.fixture
def saved(tmp_path: Path, scene_file: SceneFile) -> Path:
    """A session of two scenes beside their files."""
    scenes = [
        open_scene(scene_file(tmp_path / f"{name}.dat", seed=i)) for i, name in enumerate("ab")
    ]
    workspace = full_workspace(scenes)
    path = save_session(full_state(workspace), tmp_path / "work.clearband")
    workspace.close()
    return path


def bring_back(path: Path) -> tuple[Workspace, Restored]:
    state = load_session(path)
    workspace = Workspace()
    return workspace, restore(open_scenes(state, path), workspace)


def test_everything_comes_back(tmp_path: Path, scene_file: SceneFile) -> None:
    scene = open_scene(scene_file(tmp_path / "a.dat"))
    before = full_workspace([scene])
    state = full_state(before)
    path = save_session(state, tmp_path / "work")
    assert path.suffix == ".clearband"
    after, restored = bring_back(path)
    assert restored.notes == ()
    assert restored.absent.scenes == ()
    new = after.active_scene
    assert new is not None
    assert new.id != scene.id  # a late answer to an old question must not land here
    assert new.digest == scene.digest
    assert new.bands.good == (False, True, True, True)
    assert list(after.overlays) == list(before.overlays)
    for overlay_id, overlay in before.overlays.items():
        got = after.overlays[overlay_id]
        assert got.scene_id == new.id
        assert same(overlay, got, leave=("scene_id", "parameters")), overlay.title
    assert list(after.slice_maps) == ["why"]
    assert list(after.slice_maps["why"]) == [0, 3]
    for number, heatmap in after.slice_maps["why"].items():
        assert heatmap.scene_id == new.id
        wanted = before.slice_maps["why"][number]
        assert same(wanted, heatmap, leave=("scene_id", "parameters"))
    assert after.overlays["map"].provenance.parameters == {
        "layers": 2,
        "rates": [0.1, 0.2],
        "where": "x",
    }
    assert after.active_overlay is after.overlays["score"]
    region, pin = after.regions["region"], after.pins["pin"]
    np.testing.assert_array_equal(region.vertices, before.regions["region"].vertices)
    assert (region.name, region.color, pin.row, pin.col, pin.color) == ("Field", 1, 3, 4, 2)
    sheet = after.labels[new.id]
    np.testing.assert_array_equal(sheet.values, before.labels[scene.id].values)
    assert (sheet.class_names, sheet.source) == ({1: "Water"}, "truth.tif")
    sheet.values[0, 0] = 1  # can be painted on
    assert restored.recipes == {new.id: replace(state.scenes[0].recipe)}  # type: ignore[type-var]
    assert after.run_log.lines == before.run_log.lines
    assert after.commands.undo_label is None
    again = load_session(path)
    assert again.workbench == "fire"
    assert again.view == state.view


def test_matrices_keep_streams_and_training(
    matrices: MatrixField, tmp_path: Path, scene_file: SceneFile
) -> None:
    workspace = Workspace()
    scene = open_scene(scene_file(tmp_path / "a.dat", shape=(48, 36, 4)))
    workspace.add_scene(scene)
    workspace.add_overlay(replace(matrices, scene_id=scene.id))
    path = save_session(collect_state(workspace), tmp_path / "m.clearband")
    (back,) = load_session(path).overlays
    assert same(back, matrices, leave=("parameters", "history", "scene_id"))
    assert isinstance(back, MatrixField)
    assert back.history is not None
    assert matrices.history is not None
    assert same(back.history, matrices.history)


def test_saved_again_it_is_the_same(saved: Path, tmp_path: Path) -> None:
    workspace, restored = bring_back(saved)
    state = collect_state(workspace, recipes=restored.recipes)
    second = save_session(state, tmp_path / "second.clearband")
    one, two = load_session(saved), load_session(second)
    assert same(one.overlays, two.overlays, leave=("scene_id",))
    assert same(one.labels, two.labels, leave=("scene_id",))
    assert [s.digest for s in one.scenes] == [s.digest for s in two.scenes]


def test_uncompressed_is_the_same(tmp_path: Path, scene_file: SceneFile) -> None:
    state = full_state(full_workspace([open_scene(scene_file(tmp_path / "a.dat"))]))
    one = load_session(save_session(state, tmp_path / "one.clearband"))
    two = load_session(save_session(state, tmp_path / "two.clearband", compress=False))
    assert same(one.overlays, two.overlays)


@pytest.mark.parametrize("sample", sorted(FOLDER.glob("v*.clearband")), ids=lambda p: p.stem)
def test_sessions_of_every_version_open(sample: Path) -> None:
    workspace, restored = bring_back(sample)
    assert restored.notes == ()
    scene = workspace.active_scene
    assert scene is not None
    assert scene.shape == (12, 10, 4)
    version = int(sample.stem.removeprefix("v"))
    for overlay in one_of_each(scene, version):
        got = workspace.overlays[overlay.id]
        assert same(overlay, got, leave=("provenance",))
        assert got.provenance.method == "es_mhc"
        assert got.provenance.notes == ("A note.",)
    assert list(workspace.slice_maps.get("why", {})) == ([0, 3] if version >= 4 else [])
    assert workspace.labels[scene.id].values[2:5].all()
    assert workspace.pins["pin"].name == "Pin 1"
    region = workspace.regions["region"]
    kept = (region.class_name, region.class_color, len(region.holes), len(region.more))
    assert kept == (("Meadow", "#10A0F0", 1, 1) if version >= 3 else ("", "", 0, 0))
    measured = [(m.name, m.points.tolist(), m.size.text()) for m in workspace.measurements.values()]
    line = ("Line 1", [[0.0, 0.0], [3.0, 4.0]], "150 m, bearing 128°")
    assert measured == ([line] if version >= 5 else [])
    assert workspace.run_log.lines[0].command == ("classify", "a b.dat", "--out", "it's")
    drawn = [(o.library.names, o.shown, o.scale) for o in workspace.libraries]
    assert drawn == ([(("moss", "clay"), (1,), 1e4)] if version >= 2 else [])
    workspace.close()


def test_a_sample_of_this_version_is_kept() -> None:
    assert (FOLDER / f"v{VERSION}.clearband").is_file()


# -- spectral libraries ----------------------------------------------------------------------


def with_library(tmp_path: Path, scene_file: SceneFile) -> Path:
    """Save a session with a library that lies beside it and return its path."""
    library = write_library(tmp_path / "rocks.csv")
    workspace = full_workspace([open_scene(scene_file(tmp_path / "a.dat"))], library)
    path = save_session(full_state(workspace), tmp_path / "work.clearband")
    workspace.close()
    return path


def test_libraries_come_back_with_what_was_drawn(tmp_path: Path, scene_file: SceneFile) -> None:
    path = with_library(tmp_path, scene_file)
    workspace, restored = bring_back(path)
    assert restored.notes == ()
    (opened,) = workspace.libraries
    assert opened.library.names == ("moss", "clay")
    assert (opened.shown, opened.scale) == ((1,), 1e4)
    workspace.close()
    # Another session in its place has none: what was open goes.
    there = Workspace()
    there.add_library(opened.library)
    empty = save_session(collect_state(Workspace()), tmp_path / "empty.clearband")
    restore(open_scenes(load_session(empty), empty), there)
    assert there.libraries == []


def test_a_library_that_moved_changed_or_went_away(tmp_path: Path, scene_file: SceneFile) -> None:
    path = with_library(tmp_path, scene_file)
    library = tmp_path / "rocks.csv"
    kept = library.read_text()
    library.write_text(kept.replace("0.75", "0.5"))
    workspace, restored = bring_back(path)
    assert len(workspace.libraries) == 1
    (note,) = restored.notes
    assert "rocks was changed since the session was saved" in note
    workspace.close()

    library.rename(tmp_path / "hidden.csv")
    workspace, restored = bring_back(path)
    assert workspace.libraries == []
    (note,) = restored.notes
    assert note.startswith("The spectral library rocks is missing: it is neither at ")
    # Saving now must not forget it.
    save_session(collect_state(workspace, absent=restored.absent), path)
    workspace.close()
    library.write_text(kept)
    workspace, restored = bring_back(path)
    assert restored.notes == ()
    assert workspace.libraries[0].shown == (1,)
    workspace.close()

    library.write_text("nothing\n")
    workspace, restored = bring_back(path)
    assert workspace.libraries == []
    assert "rocks could not be opened: rocks.csv is not a table" in restored.notes[0]
    workspace.close()


def test_a_library_in_no_file_is_said() -> None:
    workspace = Workspace()
    values = np.zeros((1, 2), np.float32)
    workspace.add_library(SpectralLibrary("mine", ("a",), np.array([500.0, 600.0]), values))
    state = collect_state(workspace)
    assert state.libraries == ()
    assert state.notes == ("mine is in no file and is not part of the session.",)


# -- scenes that moved, changed or went away -------------------------------------------------


def test_moved_together(saved: Path, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    there.mkdir()
    for name in ("a.dat", "a.hdr", "b.dat", "b.hdr", saved.name):
        shutil.move(tmp_path / name, there / name)
    workspace, restored = bring_back(there / saved.name)
    assert restored.notes == ()
    assert len(workspace.scenes) == 2


def test_only_the_session_moved(saved: Path, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    there.mkdir()
    workspace, restored = bring_back(Path(shutil.move(saved, there)))
    assert restored.notes == ()
    assert len(workspace.scenes) == 2


def test_the_right_one_of_two_files_of_the_same_name(
    saved: Path, tmp_path: Path, scene_file: SceneFile
) -> None:
    """Beside the moved session lies another a.dat; the digest tells them apart."""
    there = tmp_path / "elsewhere"
    scene_file(there / "a.dat", seed=99)
    workspace, restored = bring_back(Path(shutil.move(saved, there)))
    assert restored.notes == ()
    opened = {s.info.path for s in workspace.scenes.values() if s.info.path}
    assert tmp_path / "a.dat" in {Path(os.path.abspath(p)) for p in opened}


def test_a_missing_scene_is_said_and_not_lost(saved: Path, tmp_path: Path) -> None:
    for suffix in (".dat", ".hdr"):
        (tmp_path / f"a{suffix}").rename(tmp_path / f"hidden{suffix}")
    workspace, restored = bring_back(saved)
    assert [s.title for s in workspace.scenes.values()] == ["b.dat"]
    assert len(restored.notes) == 1
    assert restored.notes[0].startswith("a.dat is missing")
    assert not workspace.overlays
    # Saving now must not throw away what belongs to the missing scene.
    state = collect_state(workspace, absent=restored.absent)
    save_session(state, saved)
    for suffix in (".dat", ".hdr"):
        (tmp_path / f"hidden{suffix}").rename(tmp_path / f"a{suffix}")
    workspace, restored = bring_back(saved)
    assert restored.notes == ()
    assert len(workspace.overlays) == len(load_session(saved).overlays)
    assert workspace.labels
    assert workspace.pins


def test_a_changed_scene_is_told(saved: Path, tmp_path: Path, scene_file: SceneFile) -> None:
    scene_file(tmp_path / "a.dat", seed=5)
    workspace, restored = bring_back(saved)
    assert len(restored.notes) == 1
    assert "a.dat was changed since the session was saved" in restored.notes[0]
    assert len(workspace.overlays) == len(load_session(saved).overlays)


def test_a_scene_of_another_size_gets_nothing_laid_over(
    saved: Path, tmp_path: Path, scene_file: SceneFile
) -> None:
    scene_file(tmp_path / "a.dat", shape=(6, 10, 4))
    workspace, restored = bring_back(saved)
    assert "another size" in restored.notes[0]
    assert len(workspace.scenes) == 2
    assert not workspace.overlays
    assert not workspace.labels
    assert len(restored.absent.overlays) == len(load_session(saved).overlays)


def test_a_damaged_scene_does_not_stop_the_rest(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "a.hdr").write_text("ENVI\nsamples = nonsense\n")
    workspace, restored = bring_back(saved)
    assert restored.notes[0].startswith("a.dat could not be opened: ")
    assert len(workspace.scenes) == 1


def test_scenes_in_no_file_are_said(tmp_path: Path) -> None:
    info = SceneInfo(None, "picture", BandTable.build(1), title="Made here")
    workspace = Workspace()
    scene = Scene(ArraySource(np.zeros((3, 3, 1))), info)
    workspace.add_scene(scene)
    workspace.add_overlay(
        ClassMap("M", scene.id, Provenance("x"), labels=np.ones((3, 3), int), class_names={1: "a"})
    )
    state = collect_state(workspace)
    assert state.notes == ("Made here is in no file and is not part of the session.",)
    loaded = load_session(save_session(state, tmp_path / "w"))
    assert not loaded.scenes
    assert not loaded.overlays


def test_opening_replaces_what_is_open(saved: Path, tmp_path: Path, scene_file: SceneFile) -> None:
    workspace = Workspace()
    old = open_scene(scene_file(tmp_path / "old.dat"))
    workspace.add_scene(old)
    restore(open_scenes(load_session(saved), saved), workspace)
    assert old.is_closed
    assert [s.title for s in workspace.scenes.values()] == ["a.dat", "b.dat"]


def test_network_places_are_not_visited(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session from a stranger names a share of his; nobody must log in there."""
    from backends import session_restore

    asked: list[str] = []
    real = Path.is_file

    def watch(self: Path) -> bool:
        asked.append(str(self))
        return real(self)

    monkeypatch.setattr(session_restore.os.path, "abspath", str)
    monkeypatch.setattr(Path, "is_file", watch)
    state = load_session(saved)
    ref = replace(state.scenes[0], path=Path("//evil/share/a.dat"), relative="//evil/share/x.dat")
    assert session_restore._is_foreign(Path("//evil/share/a.dat"), saved.parent)
    session_restore._places(ref, saved.parent)
    assert not [path for path in asked if "evil" in path]


# -- saving is atomic ------------------------------------------------------------------------


def test_cancelled_saving_keeps_the_old_session(
    saved: Path, cancel_after: Callable[[int], Progress]
) -> None:
    content = saved.read_bytes()
    state = load_session(saved)
    with pytest.raises(Cancelled):
        save_session(state, saved, progress=cancel_after(3))
    assert saved.read_bytes() == content
    assert not [p for p in saved.parent.iterdir() if p.name.endswith(".part")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_while_saving(saved: Path) -> None:
    """``kill -9`` at any moment leaves the old session or the new one, and it opens."""
    import subprocess

    helper = Path(__file__).with_name("kill_while_saving.py")
    done = subprocess.run(
        [sys.executable, str(helper), str(saved)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["kills"] == 40
    assert facts["half_written"] > 5  # the kills did hit the saving
    assert facts["versions"] > 5  # and new sessions did get through
    state = load_session(saved)
    save_session(state, saved)
    assert not [p for p in saved.parent.iterdir() if p.name.endswith(".part")]


# -- hostile files ---------------------------------------------------------------------------


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the text of a session and keep its arrays."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    values = json.loads(parts["session.json"])
    change(values)
    parts["session.json"] = json.dumps(values).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_not_a_session(tmp_path: Path) -> None:
    path = tmp_path / "x.clearband"
    with pytest.raises(BadInput, match="does not exist"):
        load_session(path)
    for content in (b"", b"PK", b"hello" * 100):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"x\.clearband is damaged, or not what its name says"):
            load_session(path)
    for text in ("[]", "{", "{}", '{"format": "other"}', "[" * 100_000):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("session.json", text)
        with pytest.raises(BadInput, match="is not a Clearband session"):
            load_session(path)


def test_a_newer_version(saved: Path) -> None:
    rewrite(saved, lambda values: values.update(version=VERSION + 1))
    with pytest.raises(BadInput, match="newer Clearband"):
        load_session(saved)


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    *way, last, value = path

    def change(values: Any) -> None:
        for step in way:
            values = values[step]
        values[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("surprise", 1),
        _set("version", "1"),
        _set("scenes", 0, "shape", [-1, 3, 3]),
        _set("scenes", 1, "id", "0"),
        _set("overlays", 0, "kind", "Exec"),
        _set("overlays", 0, "scene", "nobody"),
        _set("overlays", 0, "labels", "../../etc/passwd"),
        _set("overlays", 0, "labels", "session.json"),
        _set("overlays", 0, "labels", "arrays/99.npy"),
        _set("overlays", 0, "labels", "arrays/2.npy"),
        _set("overlays", 0, "class_names", {"one": "x"}),
        _set("overlays", 2, "placement", "row_step", 0),
        _set("overlays", 2, "placement", "row", float("nan")),
        _set("overlays", 3, "names", ["only one"]),
        _set("overlays", 4, "group_names", ["a"]),
        _set("overlays", 4, "entries", []),
        _set("overlays", 5, "perimeters", 0, "rings", [10**12]),
        _set("overlays", 6, "node_names", ["a"]),
        _set("labels", 0, "values", "arrays/2.npy"),
        _set("regions", 0, "vertices", [[0, "x"]]),
        _set("pins", 0, "row", -5),
        _set("view", "zoom", 0),
        _set("run_log", 0, "command", "rm -rf /"),
    ],
)
def test_hostile_text(saved: Path, change: Callable[[dict[str, Any]], None]) -> None:
    def both(values: dict[str, Any]) -> None:
        if len(values["scenes"]) > 1:
            values["scenes"][0]["id"], values["scenes"][1]["id"] = "0", values["scenes"][1]["id"]
            for item in (*values["overlays"], *values["regions"], *values["pins"]):
                item["scene"] = "0"
            values["labels"][0]["scene"] = "0"
        change(values)

    rewrite(saved, both)
    with pytest.raises(BadInput) as caught:
        load_session(saved)
    assert saved.name in str(caught.value)
    assert "Traceback" not in str(caught.value)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _with_array(path: Path, content: bytes, **facts: Any) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["arrays/0.npy"] = content
    with zipfile.ZipFile(path, "w", **facts) as archive:
        for name, value in parts.items():
            archive.writestr(name, value)
    return path


@pytest.mark.parametrize(
    "content",
    [
        npy(np.array([{"run": "this"}], dtype=object)),
        npy(np.array(["text"])),
        npy(np.zeros(3, [("a", int)])),
        npy(np.zeros((12, 10), np.complex64)),
        b"",
        b"\x93NUMPY\x01\x00\xff\xff" + b"x" * 100,
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"x" * 100,
        b"\x93NUMPY\x09\x00",
        npy(np.zeros((12, 10), np.uint8))[:-5],
        npy(np.zeros((12, 10), np.uint8)) + b"more",
        npy(np.zeros((12, 10), np.uint8)).replace(b"(12, 10)", b"(99, 99)"),
        npy(np.zeros((12, 10), np.uint8)).replace(b"(12, 10)", b"(-2,-60)"),
        npy(np.zeros((12, 10), np.uint8)).replace(b"'|u1'", b"exit("),
    ],
)
def test_hostile_arrays(saved: Path, content: bytes) -> None:
    _with_array(saved, content)
    with pytest.raises(BadInput, match="damaged"):
        load_session(saved)


def test_other_packings_are_refused(saved: Path) -> None:
    good = npy(np.zeros((12, 10), np.uint8))
    _with_array(saved, good, compression=zipfile.ZIP_LZMA)
    with pytest.raises(BadInput):
        load_session(saved)


def test_flipped_bits_are_noticed(saved: Path) -> None:
    state = load_session(saved)
    path = save_session(state, saved.with_name("plain.clearband"), compress=False)
    content = bytearray(path.read_bytes())
    at = content.index(b"arrays/0.npy") + 400
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        load_session(path)


def test_more_than_memory_is_refused_before_it_is_taken(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    memory = type("Memory", (), {"available": 4096, "total": 1 << 30})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(BadInput, match="more than this machine can hold"):
        load_session(saved)


def test_a_bomb_does_not_go_off(tmp_path: Path) -> None:
    """A claim of many terabytes costs nothing."""
    path = tmp_path / "bomb.clearband"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("session.json", b"{}")
        archive.writestr("arrays/0.npy", b"x")
    content = path.read_bytes()
    # The central directory claims 3.9 GB for each of 4000 parts.
    start = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    end = content.index(b"PK\x05\x06")
    entry = bytearray(content[start:end])
    entry[24:28] = (3_900_000_000).to_bytes(4, "little")
    entries = b"".join(
        bytes(entry).replace(b"arrays/0.npy", f"arrays/{n:04}.np".encode()[:12])
        for n in range(4000)
    )
    first = content[content.index(b"PK\x01\x02") : start]
    tail = bytearray(content[end:])
    tail[8:12] = (4001).to_bytes(2, "little") * 2
    tail[12:16] = (len(first) + len(entries)).to_bytes(4, "little")
    path.write_bytes(content[: content.index(b"PK\x01\x02")] + first + entries + bytes(tail))
    with pytest.raises(BadInput, match="more than this machine can hold"):
        load_session(path)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_mutated_sessions_open_or_say_why(saved: Path, data: st.DataObject) -> None:
    content = bytearray(saved.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    path = saved.with_name("mutated.clearband")
    path.write_bytes(content[:cut])
    # Anything but a session or one of our own sentences fails the test.
    with suppress(ClearbandError):
        assert isinstance(load_session(path), SessionState)


def test_names_in_no_known_writing(tmp_path: Path) -> None:
    assert plain_value("a\udcffb") == "a?b"
    record = SessionRecord(workbench=plain_value("\udcff"))
    assert record.model_dump_json()
