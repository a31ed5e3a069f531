"""Trainings with more or fewer streams beside each other, from jobs and from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run as clearband
from backends.errors import BadInput
from backends.hyperspectral.classify import classify, write_results
from backends.hyperspectral.structure_runs import read_run, train_rates
from backends.hyperspectral.whitebox import look_inside, write_whitebox
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.jobs import Progress
from backends.overlays import MatrixField
from backends.simulate import demo_scene

SMALL = {"steps": 10, "layers": 1, "width_per_stream": 4, "d_state": 2, "snapshots": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A trained es_mhc in a folder: (scene file, label file, folder, field)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(tmp_path_factory.mktemp("runs")))
        data, truth = demo_scene("valley", size=32)
        folder = tmp_path_factory.mktemp("trained") / "out"
        with open_scene(data) as scene:
            result = classify(scene, open_labels(truth), "es_mhc", settings=SMALL, device="cpu")
            write_results(result, scene, folder)
        yield data, truth, folder, result.overlays[1]


def test_rates_are_trained_with_all_else_equal(made: Any) -> None:
    data, truth, _, _ = made
    parts: list[Any] = []
    with open_scene(data) as scene:
        labels = open_labels(truth)
        progress = Progress(on_partial=parts.append)
        settings = SMALL | {"full": 0}
        runs = train_rates(scene, labels, (1, 2), settings=settings, progress=progress)
        again = train_rates(scene, labels, (1,), settings=settings)
    assert [run.streams for run in runs] == [4, 8]
    assert runs[0].curve == again[0].curve  # same seed, same training
    assert runs[0].curve.steps == runs[1].curve.steps
    assert [len(part) for part in parts if isinstance(part, tuple)] == [1, 2]
    assert "half of its structure came by step" in runs[0].sentence


def test_a_training_is_read_from_what_it_left(made: Any, tmp_path: Path) -> None:
    _, _, folder, field = made
    assert isinstance(field, MatrixField)
    assert field.history is not None
    for path in (folder, folder / "checkpoint.safetensors", folder / "metrics.json"):
        run = read_run(path)
        assert run.streams == 5
        assert run.curve.steps == field.history.steps
    assert "seed 0" in read_run(folder).title
    junk = tmp_path / "metrics.json"
    junk.write_text("[1]")
    with pytest.raises(BadInput, match="no structure"):
        read_run(junk)
    with pytest.raises(BadInput, match="does not exist"):
        read_run(tmp_path / "nothing")


def test_whitebox_says_all_of_the_matrices(
    made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, truth, folder, field = made
    out = tmp_path / "out"
    words = ["whitebox", str(folder / "checkpoint.safetensors"), str(data), "--labels", str(truth)]
    assert clearband([*words, "--beside", str(folder), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Check 1" in said
    assert "Left of the streams" in said
    names = {p.name for p in out.iterdir()}
    for site in ("mixer", "ffn"):
        assert {f"layer1_{site}_grid.png", f"layer1_{site}_streams.png"} <= names
    assert {"layer1_lists.png", "depth.png", "structure_spread.png"} <= names
    figures = json.loads((out / "matrices.json").read_text())
    site = figures["sites"][0]
    labels = open_labels(truth)
    entry = field.entries[0]
    value = int(labels.values.max())
    mean = site["classes"][labels.class_names[value]]["mean"]
    np.testing.assert_allclose(mean, entry.mean(labels.values == value), atol=1e-4)
    held = sum(c["pixels"] for c in site["auc_on_held_out_pixels"].values())
    assert held < int((labels.values > 0).sum())  # what taught it does not count
    assert held == figures["does_it_matter"][0]["test_pixels"]
    assert [check["what"] for check in figures["does_it_matter"]] == ["mix", "order", "both"]
    present = np.unique(labels.values[labels.values > 0]).tolist()
    assert set(figures["depth"]) == {"scene", *(labels.class_names[v] for v in present)}
    assert len(figures["structure"]) == 2
    assert figures["structure"][0]["steps"] == list(field.history.steps)
    assert site["read"]["static"][0] > site["read"]["static"][1]
    with open_scene(data) as scene:
        overlays = look_inside(folder / "checkpoint.safetensors", scene, device="cpu").overlays
        bare = write_whitebox(overlays, scene, tmp_path / "bare").figures["matrices"]
    assert bare["does_it_matter"] == []
    assert "classes" not in bare["sites"][0]
