"""A replayed log makes the same files, stops at the first failure, and runs nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.main import run as clearband
from app.replay import replay
from backends.errors import BadInput, Cancelled, WrongUse
from backends.export_source import replay_source
from backends.io.envi_header import write_header
from backends.io.overlay_files import read_result
from backends.jobs import CancelToken, Progress
from backends.overlays import ClassMap, Provenance, ScoreMap
from backends.runlog import LogLine, RunLog
from backends.scene import Scene


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small scene of two grounds with labels, in the folder where commands run."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    truth = np.zeros((40, 40), np.uint8)
    truth[:, :18], truth[:, 22:] = 1, 2
    shape = np.linspace(0, 1, 12)
    cube = np.where(np.arange(40)[None, :, None] < 20, 1 + shape, 2 - shape) * 1000
    cube = (cube + rng.normal(0, 30, (40, 40, 12))).astype("<i2")
    path = tmp_path / "my field.dat"
    path.write_bytes(np.ascontiguousarray(cube).tobytes())
    entries = {
        "samples": 40,
        "lines": 40,
        "bands": 12,
        "data type": 2,
        "interleave": "bip",
        "byte order": 0,
        "wavelength units": "Nanometers",
        "wavelength": list(np.linspace(450, 2200, 12)),
    }
    path.with_suffix(".hdr").write_text(write_header(entries))
    Image.fromarray(truth).save(tmp_path / "truth.png")
    return path


def log_of(folder: Path, *commands: Sequence[str]) -> Path:
    lines = [LogLine(" ".join(c)[:40], tuple(c), "2026-01-01T00:00:00+00:00") for c in commands]
    path = folder / "run.log"
    path.write_text(RunLog(lines).text(), encoding="utf-8")
    return path


CLASSIFY = ("classify", "my field.dat", "--labels", "truth.png", "--model", "svm", "--out", "made")
EXPORT = ("export", "made/class_map.tif", "--what", "areas", "--out", "areas.csv")


def test_the_same_files_again(field: Path, tmp_path: Path) -> None:
    assert clearband(CLASSIFY) == 0
    assert clearband(EXPORT) == 0
    first = read_result("made/class_map.tif")[1]
    table = Path("areas.csv").read_text()
    names = sorted(p.name for p in Path("made").iterdir())
    os.rename("made", "before")
    os.rename("areas.csv", "before.csv")
    done = replay(log_of(tmp_path, CLASSIFY, EXPORT))
    assert [line.command[0] for line in done] == ["classify", "export"]
    again = read_result("made/class_map.tif")[1]
    assert isinstance(first, ClassMap)
    assert isinstance(again, ClassMap)
    np.testing.assert_array_equal(again.labels, first.labels)
    assert sorted(p.name for p in Path("made").iterdir()) == names
    numbers = [line for line in table.splitlines() if not line.startswith("#")]
    repeated = Path("areas.csv").read_text().splitlines()
    assert [line for line in repeated if not line.startswith("#")] == numbers


def test_results_go_to_another_folder(field: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    replay(log_of(tmp_path, CLASSIFY, EXPORT), there)
    assert not Path("made").exists()
    assert not Path("areas.csv").exists()
    assert (there / "made" / "class_map.tif").is_file()
    assert (there / "areas.csv").is_file()


def test_a_result_tells_the_line_that_made_it(field: Path, tmp_path: Path) -> None:
    """Wherever it is replayed: the same files, not the words that this program was started with."""
    line = ("spectra", "expr", field.name, "--out", "ratio", "--", "band[3] / band[2]")
    for folder in ("here", "there"):
        replay(log_of(tmp_path, line), tmp_path / folder)
        (path,) = (tmp_path / folder / "ratio").glob("*.tif")
        said = read_result(path)[1].provenance.command
        assert said == "clearband spectra expr 'my field.dat' --out ratio -- 'band[3] / band[2]'"


def test_a_folder_called_like_a_model(field: Path, tmp_path: Path) -> None:
    command = (*CLASSIFY[:-1], "svm")
    replay(log_of(tmp_path, command), tmp_path / "there")
    assert (tmp_path / "there" / "svm" / "class_map.tif").is_file()


def test_two_results_of_one_name(field: Path, tmp_path: Path) -> None:
    one, two = (*CLASSIFY[:-1], "a/made"), (*CLASSIFY[:-1], "b/made")
    with pytest.raises(BadInput, match="Two results of the log are called made"):
        replay(log_of(tmp_path, one, two), tmp_path / "there")


def test_it_stops_at_the_first_failure(
    field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ("info", "missing.dat")
    path = log_of(tmp_path, ("info", "my field.dat"), missing, CLASSIFY)
    with pytest.raises(BadInput, match=r"Action 2 of 3 in run\.log failed") as caught:
        replay(path)
    assert "The one after it was not run" in str(caught.value)
    assert caught.value.exit_code == 3
    assert "missing.dat does not exist" in capsys.readouterr().err
    assert not Path("made").exists()


@pytest.mark.parametrize(
    "command", [("open", "my field.dat"), ("replay", "run.log"), ("tour",), ("rm", "-rf", ".")]
)
def test_only_our_commands_that_belong_in_a_log(
    field: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with pytest.raises(WrongUse, match="Action 2"):
        replay(log_of(tmp_path, CLASSIFY, command))
    assert not Path("made").exists()


def test_no_shell_is_asked(field: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text("# clearband run log 1\nclearband info 'my field.dat' ; touch hacked\n")
    with pytest.raises(BadInput):
        replay(path)
    assert not Path("hacked").exists()


def test_wrong_options_are_a_failure_too(field: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        replay(log_of(tmp_path, ("classify", "my field.dat", "--bogus")))
    assert caught.value.exit_code == 2


def test_it_can_be_stopped(field: Path, tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        replay(log_of(tmp_path, CLASSIFY), progress=Progress(token))
    assert not Path("made").exists()


def test_the_command_line(field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log_of(tmp_path, ("info", "my field.dat"))
    assert clearband(["replay", str(path)]) == 0
    assert "1 actions replayed" in capsys.readouterr().out
    path.write_text("rm -rf /")
    assert clearband(["replay", str(path)]) == 3
    assert "is not a run log" in capsys.readouterr().err


# -- where a result lies ---------------------------------------------------------------------


def test_an_export_finds_what_the_log_makes(field: Path) -> None:
    from backends.io import open_scene

    with open_scene(field) as scene:
        _check_sources(scene)


def _check_sources(scene: Scene) -> None:
    path = str(scene.info.path)
    made = Provenance("svm", created_utc="2026-01-01T10:00:00+00:00")
    labels = np.ones((40, 40), np.uint8)
    overlay = ClassMap("M", scene.id, made, labels=labels, class_names={1: "a"})

    def line(when: str, *words: str) -> LogLine:
        return LogLine("", ("classify", path, *words), f"2026-01-01T{when}+00:00")

    earlier = line("09:00:00", "--model", "svm", "--out", "earlier")
    other = line("10:00:01", "--model", "random_forest", "--out", "other")
    mine = line("10:00:02", "--model", "svm", "--out", "mine")
    later = line("11:00:00", "--model", "svm", "--out", "later")
    lines = [earlier, other, mine, later]
    assert replay_source(overlay, scene, lines) == Path("mine/class_map.tif")
    assert replay_source(overlay, scene, [earlier, other]) is None
    assert replay_source(overlay, scene, [], "s.clearband") == Path("s.clearband")
    score = ScoreMap("S", scene.id, made, values=np.ones((40, 40)))
    assert replay_source(score, scene, lines) is None
    assert replay_source(score, scene, lines, "s.clearband") == Path("s.clearband")
    assert replay_source(None, scene, lines, "s.clearband") == Path("s.clearband")


def test_a_chain_of_images_finds_its_own_links(field: Path, tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        ("spectra", "subset", field.name, "--rows", "0:30", "--out", "part.bil"),
        ("spectra", "destripe", "part.bil", "--out", "calm.bil"),
        ("spectra", "change", "part.bil", "calm.bil", "--out", "changed"),
        CLASSIFY,
        ("assess", "made/class_map.tif", "--reference", "truth.png", "--out", "assessed"),
    )
    replay(log, tmp_path / "again")
    assert not (tmp_path / "part.bil").exists()
    for name in ("part.bil", "calm.bil", "changed/size_of_change.tif", "assessed/accuracy.csv"):
        assert (tmp_path / "again" / name).is_file()
