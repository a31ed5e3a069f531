"""The run log is a list of commands that survives being a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import BadInput
from backends.runlog import HEADER, LogLine, RunLog, parse_log


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_round_trip(tmp_path: Path) -> None:
    log = RunLog()
    told: list[LogLine] = []
    log.added.connect(told.append)
    log.add("Classify my scene\nnow", ("classify", "my scene.dat", "--out", "it's here"))
    log.add("Export", ("export", "a.clearband", "--out", "x.tif"))
    path = write(tmp_path / "run.log", log.text())
    again = parse_log(path)
    assert [line.command for line in again] == [line.command for line in log.lines]
    assert again[0].title == "Classify my scene now"
    assert again[0].when_utc == log.lines[0].when_utc
    assert told == log.lines


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5))
def test_any_argument_survives(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    folder = tmp_path_factory.mktemp("log")
    line = LogLine("Title", tuple(words), "2026-01-01T00:00:00+00:00")
    after = LogLine("After", ("info", "x"), "2026-01-01T00:00:00+00:00")
    path = write(folder / "run.log", RunLog([line, after]).text())
    assert [found.command for found in parse_log(path)] == [line.command, after.command]


@pytest.mark.skipif(sys.platform == "win32", reason="no sh there")
def test_it_is_a_shell_script(tmp_path: Path) -> None:
    line = LogLine("Try", ("a b", "$HOME", "`id`", "it's", "x\ny"), "now")
    text = RunLog([line]).text()
    command = text.split("\n", 2)[2].replace("clearband", "printf '%s|'", 1)
    out = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert out == "a b|$HOME|`id`|it's|x\ny|"


def test_a_hostile_title_is_no_command(tmp_path: Path) -> None:
    line = LogLine("x\nclearband export a --out ~/.profile", ("info", "a"), "now\nclearband b c")
    path = write(tmp_path / "run.log", RunLog([line]).text())
    assert [found.command for found in parse_log(path)] == [("info", "a")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a run log"),
        ("#!/bin/sh\nrm -rf /", "is not a run log"),
        (f"{HEADER}\nrm -rf /", "Line 2 of run.log is not a clearband command"),
        (f"{HEADER}\nclearband", "Line 2"),
        (f"{HEADER}\n\n# t\nclearband info 'open", "Line 4 of run.log has an open quote"),
        (f"{HEADER}\nclearband info 'open\n" + "x\n" * 40_000, "open quote"),
    ],
)
def test_what_is_no_log(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words.replace(".", r"\.")):
        parse_log(write(tmp_path / "run.log", text))


def test_unreadable_logs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        parse_log(tmp_path / "missing.log")
    (tmp_path / "bytes.log").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        parse_log(tmp_path / "bytes.log")
    (tmp_path / "large.log").write_bytes(HEADER.encode() + b"\n" * (5 << 20))
    with pytest.raises(BadInput, match="too large"):
        parse_log(tmp_path / "large.log")


def test_windows_line_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "run.log", f"{HEADER}\r\n# now Title\r\nclearband info 'a b'\r\n")
    assert parse_log(path) == [LogLine("Title", ("info", "a b"), "now")]


def test_another_sessions_log_takes_its_place() -> None:
    log = RunLog()
    log.add("Old", ("info", "a"))
    told: list[None] = []
    log.replaced.connect(lambda: told.append(None))
    lines = log.lines
    log.replace([LogLine("New", ("info", "b"), "now")])
    assert [line.title for line in log.lines] == ["New"]
    assert log.lines is lines
    assert len(told) == 1
