"""A working day in the real window, and all of it again from its log: the story of the tour."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.same_files import differences
from backends.runlog import parse_log


@pytest.mark.skipif(sys.platform == "darwin", reason="napari's window needs a session there")
@pytest.mark.timeout(300)
def test_a_day_and_the_same_files_again(clearband_data: Path, tmp_path: Path) -> None:
    """Pictures of every step; what the window wrote and two replays are equal but for times."""
    # In a process of its own: a window that was built by the program stays until the program ends.
    words = ["--story", "working-day", "--data", str(clearband_data), "--out", str(tmp_path)]
    played = subprocess.run(
        [sys.executable, "-m", "app", "tour", *words, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert played.returncode == 0, played.stderr
    taken = [Path(step["picture"]) for step in json.loads(played.stdout)]
    assert len(taken) == 10
    assert all(path.stat().st_size > 20_000 for path in taken)
    commands = [line.command for line in parse_log(tmp_path / "day.log")]
    assert [c[1] if c[0] == "spectra" else c[0] for c in commands] == [
        "regions", "match", "expr", "mnf", "classify", "assess", "export", "export", "export",
    ]  # fmt: skip
    compared = json.loads((tmp_path / "replayed.json").read_text(encoding="utf-8"))
    assert set(compared.values()) == {""}
    made = {Path(name).name for name in compared}
    assert made >= {
        "match.tif", "index.tif", "mnf.tif", "map.tif", "report.html", "areas.csv",
        "class_map.png", "checkpoint.safetensors", "assessment.json", "mnf.csv",
    }  # fmt: skip
    report = (tmp_path / "again" / "report.html").read_text(encoding="utf-8")
    assert "maximum_likelihood" in report


def test_only_times_may_differ(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("# Made: 2026-11-26T08:26:15+00:00\n# Time taken: 1.5 s\nwater,12\n")
    two.write_text("# Made: 2026-11-27T09:00:01+00:00\n# Time taken: 0.4 s\nwater,12\n")
    assert differences(one, two) == ""
    two.write_text(two.read_text().replace("water,12", "water,13"))
    assert differences(one, two) == "water,12 | water,13"
