"""Clusters: those of scikit-learn, the same on disk in strips, and ISODATA's own moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run
from backends.errors import BadInput, WrongUse
from backends.scene import ArraySource, BandTable, Scene, SceneInfo
from backends.spectra import pixels
from backends.spectra.clustering import IsodataLimits, cluster, find_clusters


def scene_of(cube: Any, **info: Any) -> Scene:
    bands = BandTable.build(cube.shape[2])
    return Scene(ArraySource(cube), SceneInfo(None, "raster", bands, title="Four fields", **info))


@pytest.fixture
def fields() -> tuple[Any, Any]:
    """Return four fields of unequal size, 40 × 60 pixels of 5 bands, and which is which."""
    rng = np.random.default_rng(1)
    truth = np.zeros((40, 60), int)
    truth[:, 25:] = 1
    truth[25:, 40:] = 2
    truth[:10, 50:] = 3
    level = rng.uniform(0, 100, (4, 5))
    cube = level[truth] + rng.normal(0, 6, (40, 60, 5))
    return cube.astype(np.float32), truth


def test_k_means_is_that_of_scikit_learn(
    fields: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.cluster import KMeans

    monkeypatch.setattr(pixels, "STRIP_BYTES", 60 * 5 * 4 * 7)  # seven rows at a time
    cube = fields[0]
    flat = cube.reshape(-1, 5).astype(float)
    start = flat[[3, 900, 1800, 2300, 2390]]
    theirs = KMeans(5, init=start, n_init=1, max_iter=200, tol=0).fit(flat)
    found = find_clusters(scene_of(cube), 5, start=start, passes=200)
    order = np.argsort(-np.bincount(theirs.labels_), kind="stable")
    assert found.moved <= 1e-3
    # We end when no more than a pixel in a thousand moves.
    np.testing.assert_allclose(found.centres, theirs.cluster_centers_[order], rtol=2e-3)
    wanted = np.argsort(order)[theirs.labels_].reshape(40, 60) + 1
    assert (found.labels == wanted).mean() > 0.997
    inertia = float((found.spread**2 * found.counts).sum())
    assert inertia == pytest.approx(theirs.inertia_, rel=1e-3)


def test_the_fields_are_found_and_what_was_not_measured_has_no_cluster(
    fields: tuple[Any, Any],
) -> None:
    cube, truth = fields
    cube = cube.copy()
    cube[5, 5] = np.nan
    made = cluster(scene_of(cube), 4)
    labels = made.overlays[0].labels  # type: ignore[attr-defined]
    assert labels[5, 5] == 0
    assert np.count_nonzero(labels == 0) == 1
    for field in range(4):
        own = labels[(truth == field) & (labels > 0)]
        assert (own == np.bincount(own).argmax()).mean() > 0.97
    counts = [row["pixels"] for row in made.summary["classes"]]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == 2399
    assert len(made.tables["centres"]) == 5


def test_isodata_splits_merges_and_drops(fields: tuple[Any, Any]) -> None:
    scene = scene_of(fields[0])
    # Two to begin with are split until no cluster is wider than twice the noise.
    split = find_clusters(scene, 2, "isodata", limits=IsodataLimits(2, 20, 25, 12.0, 5.0))
    assert len(split.counts) >= 4
    # Twelve to begin with are merged where their centres are as close as the noise.
    merged = find_clusters(scene, 12, "isodata", limits=IsodataLimits(2, 12, 25, 1e9, 25.0))
    assert len(merged.counts) == 4
    # The smallest field has 100 pixels.
    few = find_clusters(scene, 6, "isodata", limits=IsodataLimits(2, 12, 150, 1e9, 25.0))
    assert len(few.counts) < len(merged.counts)
    assert few.counts.sum() == 2400


def test_what_makes_no_sense_is_a_sentence(fields: tuple[Any, Any]) -> None:
    scene = scene_of(fields[0])
    with pytest.raises(BadInput, match="fewer than 3 different spectra"):
        cluster(scene_of(np.ones((4, 4, 2), np.float32) * np.float32(3)), 3)
    with pytest.raises(BadInput, match="no band with values"):
        cluster(scene_of(np.full((4, 4, 2), np.nan, np.float32)), 3)
    with pytest.raises(WrongUse, match="no method somehow"):
        cluster(scene, 4, "somehow")
    with pytest.raises(WrongUse, match="2 to 255"):
        cluster(scene, 1)
    with pytest.raises(WrongUse, match="9 to 12 clusters do not go with 4"):
        cluster(scene, 4, "isodata", limits=IsodataLimits(9, 12))


def test_the_command_line_writes_map_and_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from backends.io import open_scene
    from backends.simulate import demo_scene

    scene, _ = demo_scene("valley", size=32, folder=tmp_path)
    out = tmp_path / "o"
    words = ["spectra", "cluster", str(scene), "--method", "isodata", "--count", "5"]
    assert run([*words, "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sum(row["pixels"] for row in said["classes"]) > 900
    with open_scene(out / "clusters_isodata.tif") as made:
        assert len(made.info.class_names) >= len(said["classes"])
    assert (out / "centres.csv").read_text().startswith("band,wavelength_nm,Cluster 1")
