"""The command line as a person types it: answers, sentences, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run


def test_info_says_what_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.arange(6000.0).reshape(20, 10, 30))
    assert run(["info", str(tmp_path / "a.npy")]) == 0
    assert "20 × 10 pixels, 30 bands" in capsys.readouterr().out
    assert run(["info", str(tmp_path / "a.npy"), "--json", "--statistics"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["shape"] == [20, 10, 30]
    assert values["statistics"]["maximum"][-1] == 5999


def test_options_reach_the_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((8, 9, 30)), y=np.zeros((8, 9, 31)))
    assert run(["info", str(tmp_path / "a.npz")]) == 3
    said = capsys.readouterr().err
    assert "Choose key from: x, y" in said
    assert run(["info", str(tmp_path / "a.npz"), "--option", "key=y", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shape"] == [8, 9, 31]


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(tmp_path / "nowhere.tif")]) == 3
    assert "nowhere.tif does not exist" in capsys.readouterr().err
    assert run(["info"]) == 2
    assert run(["models", "no_such_model"]) == 2
    assert run(["info", "--no-such-option", "x"]) == 2
    assert run(["--version"]) == 0


def test_errors_are_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(tmp_path / "x.tif"), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["exit_code"] == 3


def strict(text: str) -> Any:
    """Read JSON as other languages do: without the NaN that only Python knows."""

    def no(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=no)


def test_json_is_all_there_is_and_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.full((5, 6, 3), np.nan, np.float32))
    (tmp_path / "w.txt").write_text("500\nnan\n600\n")
    words = ["info", str(tmp_path / "a.npy"), "--option", f"wavelengths={tmp_path / 'w.txt'}"]
    assert run([*words, "--statistics", "--json"]) == 0
    assert strict(capsys.readouterr().out)["statistics"]["mean"] == [None, None, None]
    assert run(["info", "--json"]) == 2  # wrong use, too
    assert "path" in strict(capsys.readouterr().out)["error"]
    log = tmp_path / "run.log"
    log.write_text(f"# clearband run log 1\n# now Look\nclearband info {tmp_path}/a.npy\n")
    assert run(["replay", str(log), "--json"]) == 0
    assert strict(capsys.readouterr().out) == {"replayed": ["Look"]}


def test_help_beside_a_path_is_that_of_the_window(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["field.tif", "--help"]) == 0
    assert "clearband open" in capsys.readouterr().out


def test_info_imports_no_window_and_no_torch(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 5, 5)))
    code = (
        "import sys; from app.main import run; code = run(sys.argv[1:]); "
        "print([m for m in ('torch', 'napari', 'PyQt6', 'sklearn') if m in sys.modules]); "
        "sys.exit(code)"
    )
    words = [sys.executable, "-c", code, "info", str(tmp_path / "a.npy")]
    said = subprocess.run(words, capture_output=True, text=True, check=True)
    assert said.stdout.strip().splitlines()[-1] == "[]"


def test_a_log_runs_nothing_but_our_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 5, 5)))
    log = tmp_path / "run.log"
    log.write_text(f"# clearband run log 1\n# now Look\nclearband info {tmp_path}/a.npy\n")
    assert run(["replay", str(log)]) == 0
    assert "1 actions replayed" in capsys.readouterr().out
    log.write_text("# clearband run log 1\nrm -rf everything\n")
    assert run(["replay", str(log)]) == 3
    log.write_text("# clearband run log 1\nclearband open x.tif\n")
    assert run(["replay", str(log)]) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_a_training_is_ended_or_put_aside_by_keys(capsys: pytest.CaptureFixture[str]) -> None:
    import os
    import signal
    import threading
    import time

    from app.cli.console import run_job
    from backends.jobs import Job, Progress

    fingers: list[subprocess.Popen[bytes]] = []

    def train(progress: Progress) -> tuple[int, float]:
        progress.start(10_000, "steps")
        os.kill(os.getpid(), signal.SIGQUIT)  # too early: there is nothing to keep
        progress.keeps = True
        while not progress.enough:
            time.sleep(0.002)
            progress.advance()
            if progress.done == 20:
                # Ctrl-Z, and somebody types fg half a second later.
                line = f"import os, time; time.sleep(0.6); os.kill({os.getpid()}, {signal.SIGCONT})"
                fingers.append(subprocess.Popen([sys.executable, "-c", line]))
                os.kill(os.getpid(), signal.SIGTSTP)
            if progress.done == 60:
                threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGQUIT)).start()
        return int(progress.done), progress.paused_seconds

    steps, paused = run_job(Job("Train", train))
    fingers[0].wait(10)
    said = capsys.readouterr().err
    assert 60 <= steps < 10_000
    assert paused > 0.5
    assert "nothing to keep yet" in said
    assert "'fg' goes on" in said
    assert "what was learnt is kept" in said
