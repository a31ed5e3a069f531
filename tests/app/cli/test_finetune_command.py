"""``clearband finetune`` as a person types it, and the benchmark over it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.bench import finetune as bench
from app.main import run


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """Return a folder of numbered images of two classes."""
    rng = np.random.default_rng(0)
    for kind, label in enumerate(("benign", "normal")):
        (tmp_path / "lung_ct" / label).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(0, 60, (24, 24))
            pixels[4 + 10 * kind : 10 + 10 * kind, 8:16] += 180
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(tmp_path / "lung_ct" / label / f"{label}_{number:04}.png")
    return tmp_path / "lung_ct"


QUICK = ["--size", "16", "--group-block", "5", "--set", "epochs=2", "--set", "batch=16"]


def test_check_says_how_it_splits(slices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (slices / "benign" / "benign_0003.png").write_bytes(b"")
    assert run(["finetune", str(slices), "--check", *QUICK]) == 0
    said = capsys.readouterr().out
    assert "79 in lung_ct" in said
    assert "benign_0003.png" in said
    assert "no group stands in two parts" in said
    assert "training" in said


def test_a_network_is_taught_listed_and_compared(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ["finetune", str(slices), "--out", str(out), *QUICK]
    assert run([*words, "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["architecture"] == "compact_cnn"
    assert Path(card["files"][0]).is_file()
    # The command in the card teaches the same network again.
    again = [*card["command"][1:], "--out", str(tmp_path / "again"), "--json"]
    assert run(again) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["figures"] == card["figures"]
    assert run(["models"]) == 0
    assert "taught on lung_ct" in capsys.readouterr().out
    assert run(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert any(str(card["files"][0]) == str(m.get("path")) for m in listed)
    two = [*words, "--model", "compact_cnn", "--model", "squeezenet1_0", "--set", "epochs=1"]
    two[two.index("16")] = "32"
    assert run(two) == 0
    table = capsys.readouterr().out
    head, *rows = [line.split() for line in table.splitlines() if line.strip()][-3:]
    assert head[:4] == ["network", "parameters", "GFLOPs", "ms/image"]
    for row, name in zip(rows, ("compact_cnn", "squeezenet1_0"), strict=True):
        cost = json.loads((out / name / "network.json").read_text())["cost"]
        assert row[0] == name
        assert int(row[1].replace(",", "")) == cost["parameters"]
        assert float(row[2]) == pytest.approx(cost["flops"] / 1e9, abs=0.006)
        assert float(row[3]) == pytest.approx(cost["latency_ms"], abs=0.06)
    assert (out / "squeezenet1_0" / "network.safetensors").is_file()


def test_wrong_use_is_a_sentence(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "x")]
    assert run(["finetune", str(slices)]) == 2
    assert "need a folder" in capsys.readouterr().err
    assert run(["finetune", str(slices), *out, "--split", "1,2"]) == 2
    assert run(["finetune", str(slices), *out, "--size", "big"]) == 3
    assert run(["finetune", str(tmp_path / "none"), *out]) == 3
    assert run(["finetune", str(slices), *out, "--weights", "no.safetensors"]) == 3
    assert "do not exist" in capsys.readouterr().err
    for path in (slices / "normal").iterdir():
        path.unlink()
    (slices / "normal").rmdir()
    assert run(["finetune", str(slices), *out]) == 3
    said = capsys.readouterr().err
    assert "one class only, benign" in said
    assert "Traceback" not in said
    assert not (tmp_path / "x").exists()


def test_bench_keeps_its_runs(
    slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("CLEARBAND_DATA", str(tmp_path))
    monkeypatch.setattr(bench, "SIZE", 16)
    out = tmp_path / "table.json"
    words = ["bench", "finetune", "--model", "compact_cnn", "--set", "epochs=1", "--out", str(out)]
    assert run([*words, "--seeds", "1"]) == 0
    capsys.readouterr()
    assert run([*words, "--seeds", "2", "--resume"]) == 0
    said = capsys.readouterr()
    assert said.err.count("compact_cnn, SEPARATE, seed") == 1
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [r["seed"] for r in found["runs"]] == [0, 1]
    assert found["table"][0]["seeds"] == 2
    assert found["runs"][0]["groups_in_two_parts"] == []
    assert found["command"].startswith("clearband bench ")
    monkeypatch.setenv("CLEARBAND_DATA", str(tmp_path / "nowhere"))
    assert run(words) == 4
