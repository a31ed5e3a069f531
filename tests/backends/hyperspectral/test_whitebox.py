"""What a network did inside, as files: complete, right, and with a sentence where it cannot be."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run as clearband
from backends.errors import BadInput, WrongUse
from backends.hyperspectral.checkpoints import load_checkpoint, save_checkpoint
from backends.hyperspectral.classify import classify
from backends.hyperspectral.whitebox import look_inside, whitebox_command, write_whitebox
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.runlog import LogLine
from backends.simulate import demo_scene

QUICK = {"steps": 30, "pixels_per_step": 512}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A trained css_mamba with its checkpoint: (scene file, label file, checkpoint)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(tmp_path_factory.mktemp("whitebox")))
        data, truth = demo_scene("valley", size=48)
        path = tmp_path_factory.mktemp("trained") / "checkpoint.safetensors"
        with open_scene(data) as scene:
            result = classify(scene, open_labels(truth), "css_mamba", settings=QUICK)
            save_checkpoint(result.checkpoint, path)
        yield data, truth, path


def test_command_writes_clusters(
    made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, truth, checkpoint = made
    out = tmp_path / "out"
    words = ["whitebox", str(checkpoint), str(data), "--labels", str(truth), "--out", str(out)]
    assert clearband([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(said["written"]) == sorted(str(p) for p in out.iterdir())
    names = {p.name for p in out.iterdir()}
    assert {"class_map.tif", "clusters.npz", "clusters.json"} <= names
    for what in ("clusters", "certainty", "order", "step", "score", "mean_spectra"):
        assert {f"block1_{what}.png", f"block2_{what}.png"} <= names
    figures = json.loads((out / "clusters.json").read_text())
    labels = open_labels(truth).values
    with np.load(out / "clusters.npz") as arrays, open_scene(data) as scene:
        cluster = arrays["block1_cluster"]
        block = figures["blocks"][0]
        known = labels > 0
        right = sum(
            np.bincount(labels[known & (cluster == k)]).max() for k in np.unique(cluster[known])
        )
        agreement = block["agreement_with_labels"]
        assert agreement["purity"] == pytest.approx(right / known.sum())
        assert 0 <= block["boundary_agreement"]["f1"] <= 1
        assert block["membership"]["mean"] == pytest.approx(
            arrays["block1_certainty"].astype(float).mean()
        )
        with (out / "block1_mean_spectra.csv").open() as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        k = int(np.bincount(cluster.ravel()).argmax())
        values = scene.read(physical=True)[cluster == k].astype(np.float64)
        found = [float(row[f"cluster {k} mean"]) for row in rows]
        np.testing.assert_allclose(found, values.mean(axis=0), rtol=1e-5)
        found = [float(row[f"cluster {k} sd"]) for row in rows]
        np.testing.assert_allclose(found, values.std(axis=0), rtol=1e-4, atol=1e-7)
    assert {"temperature, block 1", "cluster loss, block 2"} <= set(figures["training"])
    assert len(figures["training"]["temperature, block 1"]) == QUICK["steps"]
    assert {"block1_attention.png", "block2_typical.png"} <= names
    words[-1] = str(tmp_path / "again")
    words += ["--compare", str(out / "clusters.npz")]
    assert clearband(words) == 0
    printed = capsys.readouterr().out
    assert "purity" in printed
    assert "100.0 % of the pixels in matching clusters" in printed
    found = json.loads((tmp_path / "again" / "comparison.json").read_text())
    assert [block["same_cluster_when_matched"] for block in found["blocks"]] == [1, 1]
    words[-1] = str(out / "class_map.tif")
    assert clearband(words) == 2
    assert "holds no clusters" in capsys.readouterr().err


def test_matrices_of_the_shipped_weights(made: Any, tmp_path: Path) -> None:
    data, _, _ = made
    with open_scene(data) as scene:
        result = look_inside("es_mhc", scene, device="cpu")
        written = write_whitebox(result.overlays, scene, tmp_path / "out")
        field = result.overlays[1]
    entry, site = field.entries[0], written.figures["matrices"]["sites"][0]
    values = (entry.static + entry.deviation.astype(np.float64)).reshape(-1, *entry.static.shape)
    np.testing.assert_allclose(site["mean"], values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(site["variance"], values.var(axis=0), rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(site["smallest"], values.min(axis=0), atol=1e-5)
    np.testing.assert_allclose(site["largest"], values.max(axis=0), atol=1e-5)
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"matrices.npz", "matrices.json"} <= names
    assert sum(name.endswith("_grid.png") for name in names) == len(field.entries)


def test_wrong_checkpoints_are_sentences(
    made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, truth, checkpoint = made
    out = str(tmp_path / "out")
    with open_scene(data) as scene:
        svm = tmp_path / "svm.safetensors"
        save_checkpoint(classify(scene, open_labels(truth), "svm").checkpoint, svm)
        with pytest.raises(WrongUse, match="svm, which has no inner steps"):
            look_inside(svm, scene)
        with pytest.raises(BadInput, match="nowhere does not exist"):
            look_inside("nowhere", scene)
        with pytest.raises(BadInput, match="no inner steps to write"):
            write_whitebox((), scene, out)
        junk = tmp_path / "junk.safetensors"
        junk.write_bytes(b"not this")
        with pytest.raises(BadInput, match="no checkpoint of Clearband"):
            look_inside(junk, scene)
    assert clearband(["whitebox", str(svm), str(data), "--out", out]) == 2
    assert clearband(["whitebox", str(junk), str(data), "--out", out]) == 3
    assert not Path(out).exists()
    np.save(tmp_path / "other.npy", np.random.default_rng(0).random((20, 20, 7)))
    capsys.readouterr()
    assert clearband(["whitebox", str(checkpoint), str(tmp_path / "other.npy"), "--out", out]) == 3
    assert "band" in capsys.readouterr().err
    assert not Path(out).exists()


def test_labels_of_another_scene(made: Any, tmp_path: Path) -> None:
    data, _, checkpoint = made
    with open_scene(data) as scene:
        overlays = look_inside(checkpoint, scene).overlays
        with pytest.raises(BadInput, match="labels are 3 × 3"):
            write_whitebox(overlays, scene, tmp_path / "x", labels=np.ones((3, 3), np.uint8))
    assert not (tmp_path / "x").exists()


def test_command_of_the_window_and_its_replay(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.replay import replay
    from backends.runlog import RunLog

    data, truth, checkpoint = made
    monkeypatch.chdir(tmp_path)
    with open_scene(data) as scene:
        field = look_inside(checkpoint, scene).overlays[1]
        trained = replace(field.provenance, command="clearband classify x --labels LABELS")
        field = replace(field, provenance=trained)
        words = ("classify", str(data), "--model", "css_mamba", "--labels", str(truth))
        words += ("--set", "steps=30", "--out", "made")
        line = LogLine("Classify", words, "2999-01-01T00:00:00+00:00")
        assert whitebox_command(field, scene, [], Path("inside")) == ()
        command = whitebox_command(field, scene, [line], Path("inside"), str(truth))
        assert command[:3] == ("whitebox", "made/checkpoint.safetensors", str(data))
        shipped = replace(field, provenance=replace(trained, method="es_mhc", command=""))
        assert whitebox_command(shipped, scene, [], Path("i"))[:2] == ("whitebox", "es_mhc")
    log = RunLog([line, LogLine("Save", command, line.when_utc)])
    (tmp_path / "run.log").write_text(log.text(), encoding="utf-8")
    replay(tmp_path / "run.log", tmp_path / "again")
    assert (tmp_path / "again" / "inside" / "clusters.json").is_file()
    assert load_checkpoint(tmp_path / "again" / "made" / "checkpoint.safetensors")
    assert not (tmp_path / "made").exists()
