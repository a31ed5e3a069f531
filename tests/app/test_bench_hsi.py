"""``bench hsi`` and ``bench scan``: runs kept in pieces, resumed, and made again by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.bench import hsi, scan, scenes
from app.bench.hsi import summarise, tabulate, text
from app.main import run
from backends.errors import BadInput, WrongUse
from backends.hyperspectral.splits import SEPARATE

WINDOW = "indian_pines_window"


@pytest.fixture
def window(clearband_data: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if not (clearband_data / "hsi" / "indian_pines" / "Indian_subset.mat").is_file():
        pytest.skip("the window of Indian Pines is not here")
    monkeypatch.setenv("CLEARBAND_DATA", str(clearband_data))
    return WINDOW


def test_both_splits_stand_side_by_side_and_resume_keeps_them(
    window: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "table.json"
    found = tabulate(window, models=["svm"], seeds=[0], out=out)
    assert {row["protocol"] for row in found["table"]} == {"P30", "HALVES"}
    assert json.loads(out.read_text())["runs"] == found["runs"]
    done: list[int] = []
    real = hsi.one

    def counted(*given: object, **named: object) -> dict[str, object]:
        done.append(1)
        return real(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(hsi, "one", counted)
    more = tabulate(window, models=["svm"], seeds=[0, 1], out=out, resume=True)
    assert len(done) == 2  # the two of seed 1 only
    assert [row["seeds"] for row in more["table"]] == [2, 2]
    assert "± " in text(more)


def test_a_run_carries_the_command_that_makes_it(
    window: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tabulate(window, models=["svm"], protocols=["HALVES"], seeds=[3])["runs"][0]
    words = first["command"].split()
    assert words[:2] == ["clearband", "bench"]
    assert run([*words[1:], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)["runs"][0]
    assert again["overall_accuracy"] == first["overall_accuracy"]
    assert again["parameters"] == first["parameters"] > 0


def test_what_fails_is_kept_with_its_sentence_and_tried_again(window: str, tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    settings = {"no_such_setting": 1}
    found = tabulate(
        window, models=["svm"], protocols=["P30"], seeds=[0], settings=settings, out=out
    )
    assert "failed" in found["runs"][0]
    assert found["table"] == []
    again = tabulate(
        window, models=["svm"], protocols=["P30"], seeds=[0], settings=settings, out=out,
        resume=True,
    )  # fmt: skip
    assert len(again["runs"]) == 1


def test_mean_and_deviation_are_those_of_a_sample() -> None:
    base = {
        "scene": "s", "model": "m", "protocol": "P30", "set": {}, "average_accuracy": None,
        "kappa": 0.5, "train_seconds": 1.0, "predict_seconds": 1.0, "parameters": 3,
        "device": "cpu",
    }  # fmt: skip
    runs = [{**base, "seed": i, "overall_accuracy": v} for i, v in enumerate((0.8, 0.9, 1.0))]
    row = summarise([*runs, {**base, "seed": 9, "failed": "it did"}])[0]
    assert row["seeds"] == 3
    assert row["overall_accuracy"] == {"mean": 0.9, "sd": 0.1}
    assert row["average_accuracy"] == {"mean": None, "sd": None}


def test_enmap_tiles_lie_as_on_the_ground(
    clearband_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARBAND_DATA", str(clearband_data))
    opened = scenes.bench_scene("enmap_potsdam").open()
    assert opened.scene.shape == (128, 128, 224)
    assert opened.labels.values.max() == 6
    assert (opened.labels.values[:32, :64] == 0).all()  # a corner without tiles


def test_wrong_names_and_files_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no scene called atlantis"):
        tabulate("atlantis")
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(BadInput, match="no table of this benchmark"):
        tabulate(WINDOW, out=tmp_path / "x.json", resume=True)
    assert run(["bench", "open", "--scene", WINDOW]) == 2
    assert {found.separate for found in scenes.SCENES.values()} <= set(SEPARATE)


def test_scan_bench_measures_both_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scan.SIZES, "small", (20, 15, 12, 3))
    for kind in ("raster", "clustered", "loop"):
        for backward in (False, True):
            assert scan.scan(kind, "small", backward)["seconds"] > 0
    assert scan.patch_loop("small")["times_faster"] > 1
    assert scan.training("small")["minutes_extrapolated"] >= 0
    assert scan.predicting("small")["peak_mb"] >= 0
