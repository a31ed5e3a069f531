"""Files are replaced, not overwritten; nothing half-written stays."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backends.errors import BadInput, Cancelled
from backends.io.writers.atomic import replacing, replacing_folder, write_text


def only(folder: Path, *names: str) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def half_written(target: Path, failure: BaseException) -> None:
    with replacing(target) as inner:
        inner.write_text("half")
        raise failure


def half_filled(target: Path) -> None:
    with replacing_folder(target) as inner:
        (inner / "one.txt").write_text("1")
        raise Cancelled


def test_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with replacing(target) as inner:
        inner.write_text("new")
        assert target.read_text() == "old"
        assert inner.name == target.name
    assert target.read_text() == "new"
    only(tmp_path, "a.txt")


@pytest.mark.parametrize("failure", [Cancelled, KeyboardInterrupt, ValueError])
def test_a_failure_keeps_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(failure):
        half_written(target, failure())
    assert target.read_text() == "old"
    only(tmp_path, "a.txt")


def test_side_files_come_along(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.tif") as inner:
        inner.write_text("pixels")
        inner.with_name("a.tif.aux.xml").write_text("names")
    only(tmp_path, "a.tif", "a.tif.aux.xml")


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="was not written"), replacing(tmp_path / "a"):
        pass
    only(tmp_path)


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    real = tmp_path / "real.txt"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no folder nowhere to write a\.txt"):
        write_text(tmp_path / "nowhere" / "a.txt", "x")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        write_text(tmp_path, "x")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "may not be written")],
)
def test_system_errors_become_sentences(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        half_written(tmp_path / "a.txt", OSError(number, os.strerror(number)))
    only(tmp_path)


def test_a_silent_library_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GDAL raises an error without a number; the disk itself tells why."""
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("backends.io.writers.atomic.shutil.disk_usage", lambda _: usage)
    with pytest.raises(BadInput, match="disk is full"), replacing(tmp_path / "a.txt"):
        raise OSError("write failed")


def test_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with pytest.raises(Cancelled):
        half_filled(target)
    only(tmp_path)
    with replacing_folder(target) as inner:
        (inner / "one.txt").write_text("1")
        (inner / "deep").mkdir()
        (inner / "deep" / "two.txt").write_text("2")
        assert not target.exists()
    only(target, "one.txt", "deep")
    with replacing_folder(target) as inner:
        (inner / "one.txt").write_text("new")
    assert (target / "one.txt").read_text() == "new"
    assert (target / "deep" / "two.txt").read_text() == "2"


KILLED = """
import os, signal, sys
from backends.io.writers.atomic import replacing
with replacing(sys.argv[1]) as inner:
    inner.write_text("half")
    print("written", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[4])}
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False, env=env)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    write_text(target, "new")
    only(tmp_path, "a.txt")


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with replacing(target) as inner:
        inner.write_text("slow")
        write_text(target, "quick")
        assert inner.read_text() == "slow"
    assert target.read_text() == "slow"
    only(tmp_path, "a.txt")


def test_many_names_next_to_each_other(tmp_path: Path) -> None:
    started = time.perf_counter()
    for number in range(20):
        write_text(tmp_path / f"{number}{'x' * 180}.txt", "x")
    assert len(list(tmp_path.iterdir())) == 20
    assert time.perf_counter() - started < 5
