"""The process of the tests may die once: the test is named, and what is left runs on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from installer.checks import run_tests
from installer.environment import ROOT

THREE = """
import os, pathlib, signal
HERE = pathlib.Path(__file__).parent

def note(name):
    with (HERE / "ran.txt").open("a") as file:
        file.write(name + " ")

def test_before():
    note("before")

def test_dies():
    note("dies")
    if {always} or not (HERE / "died").exists():
        (HERE / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)

def test_dies_not():
    note("after")
    assert {passes}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
@pytest.mark.parametrize(
    ("always", "passes", "good", "ran"),
    [
        (False, True, True, "before dies dies after "),
        (False, False, False, "before dies dies after "),
        (True, True, False, "before dies dies "),
    ],
)
def test_rest_after_a_death(
    tmp_path: Path, capfd: pytest.CaptureFixture[str],
    always: bool, passes: bool, good: bool, ran: str,
) -> None:  # fmt: skip
    (tmp_path / "test_three.py").write_text(THREE.format(always=always, passes=passes))
    words = ["-m", "pytest", "-q", "-c", os.devnull, "-p", "conftest", str(tmp_path)]
    env = dict(os.environ) | {"PYTHONPATH": str(ROOT / "tests")}
    code = run_tests([sys.executable, *words], env, tmp_path / "done.txt")
    assert (code == 0) is good
    assert (tmp_path / "ran.txt").read_text() == ran
    said = capfd.readouterr().err
    assert "died (signal 9) in" in said
    assert "test_three.py::test_dies." in said
