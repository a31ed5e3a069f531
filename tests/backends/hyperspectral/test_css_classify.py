"""CSSMamba on the same road as every model: trained, mapped, measured, saved, loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.cluster_analysis import cluster_table, sizes_of
from backends.errors import BadInput, ClearbandError, WrongUse
from backends.hyperspectral.checkpoints import load_checkpoint, save_checkpoint
from backends.hyperspectral.classify import classify
from backends.hyperspectral.mapping import map_scene
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.io.writers.npz import CLUSTER_ARRAYS, MORE_CLUSTER_ARRAYS
from backends.jobs import Progress
from backends.overlays import ClassMap, ClusterField, Provenance, ScoreMap
from backends.scene import ArraySource, Scene
from backends.simulate import demo_scene

QUICK = {"steps": 60, "pixels_per_step": 512}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(tmp_path_factory.mktemp("css")))
        data, truth = demo_scene("valley", size=64)
        with open_scene(data) as scene:
            labels = open_labels(truth)
            yield scene, labels, classify(scene, labels, "css_mamba", settings=QUICK)


def test_it_learns_and_shows_its_inside(made: Any) -> None:
    scene, _labels, result = made
    assert result.metrics.overall_accuracy > 0.9
    first, *inside = result.overlays
    assert isinstance(first, ClassMap)
    assert first.shown
    assert [type(o) for o in inside] == [ClusterField, ScoreMap, ScoreMap]
    assert not any(o.shown for o in inside[1:])
    field = inside[0]
    assert field.shape == scene.shape[:2]
    assert len(field.blocks) == 2
    for block in field.blocks:
        assert block.cluster.min() >= 1
        assert block.cluster.max() <= block.clusters
        assert block.sequence.min() >= 1  # everything was read
        assert 0 <= block.certainty.min() and block.certainty.max() <= 1  # noqa: PT018
        assert block.step.min() > 0
        assert sum(block.fusion) == pytest.approx(1)
        assert 0.02 <= block.temperature <= 1
        # all memberships are kept, and the one it was read in is among them
        assert block.membership.shape == (*field.shape, block.clusters)
        np.testing.assert_allclose(block.membership.astype(float).sum(axis=2), 1, atol=0.01)
        own = np.take_along_axis(block.membership, block.cluster[..., None].astype(int) - 1, 2)
        np.testing.assert_array_equal(own[..., 0], block.certainty)
        parts = block.share * block.attention.astype(float)
        parts += (1 - block.share) * block.typical.astype(float)
        np.testing.assert_allclose(parts, block.score.astype(float), atol=0.02)
        # a sequence lies in one cluster, and its ranks rise with the score
        for number in np.unique(block.sequence)[:6]:
            mine = block.sequence == number
            assert len(np.unique(block.cluster[mine])) == 1
            score = block.score[mine][np.argsort(block.rank[mine])].astype(float)
            assert (np.diff(score) >= 0).all()
            assert len(np.unique(block.rank[mine])) == mine.sum()
    assert any("Weights of the branches" in note for note in result.notes)


def test_clusters_say_something_of_the_classes_and_are_not_overfull(made: Any) -> None:
    scene, labels, _result = made
    result = classify(
        scene, labels, "css_mamba", settings={**QUICK, "class_clusters": True}, both=False
    )
    for block in result.overlays[1].blocks:
        table = cluster_table(block, labels.values)
        assert table.purity > 0.85
        assert table.purity > table.chance_purity + 0.3
        assert block.moved < 0.2
        assert (sizes_of(block) > 0).all()


def test_its_own_figures_are_logged_every_step(made: Any) -> None:
    _scene, _labels, result = made
    series = result.curve.to_dict()["series"]
    names = ("cluster loss", "temperature", "spatial weight")
    assert set(series) == {f"{name}, block {b}" for name in names for b in (1, 2)}
    assert {len(values) for values in series.values()} == {QUICK["steps"]}
    assert series["cluster loss, block 1"][-1] < series["cluster loss, block 1"][0]
    assert series["temperature, block 2"][-1] != series["temperature, block 2"][0]


def test_a_checkpoint_gives_the_same_map(made: Any, tmp_path: Path) -> None:
    scene, _labels, result = made
    path = tmp_path / "c.safetensors"
    save_checkpoint(result.checkpoint, path)
    loaded, _ = load_checkpoint(path)
    again = map_scene(scene, loaded, Provenance("css_mamba"))
    np.testing.assert_array_equal(again.overlays[0].labels, result.class_map.labels)


@pytest.mark.parametrize("variant", ["a", "b"])
def test_variants_learn_and_come_back_from_a_file(made: Any, variant: str, tmp_path: Path) -> None:
    scene, labels, _ = made
    chosen = {**QUICK, "steps": 10, "variant": variant, "clusters": 9}
    result = classify(scene, labels, "css_mamba", settings=chosen)
    assert result.metrics.overall_accuracy > 0.9
    block = result.overlays[1].blocks[0]
    assert block.clusters == 9
    assert (len(np.unique(block.sequence)) == 1) == (variant == "a")
    path = tmp_path / "c.safetensors"
    save_checkpoint(result.checkpoint, path)
    again = classify(scene, None, "css_mamba", checkpoint=path)
    np.testing.assert_array_equal(again.class_map.labels, result.class_map.labels)
    _maps_any_size(result.checkpoint, scene)
    np.testing.assert_array_equal(again.overlays[1].blocks[0].cluster, block.cluster)


def _maps_any_size(checkpoint: Any, scene: Any) -> None:
    """Map scenes of other sizes, some smaller than what a network may wish for."""
    cube = scene.read()
    for rows, cols in ((1, 1), (1, 40), (37, 3), (64, 61)):
        part = Scene(ArraySource(np.ascontiguousarray(cube[:rows, :cols])), scene.info)
        mapped = map_scene(part, checkpoint, Provenance("css_mamba"))
        assert mapped.overlays[0].labels.shape == (rows, cols)
        assert (mapped.overlays[0].labels > 0).all()
        field = next(o for o in mapped.overlays if isinstance(o, ClusterField))
        assert field.shape == (rows, cols)


def test_a_scene_of_any_size_is_mapped(made: Any) -> None:
    scene, _labels, result = made
    _maps_any_size(result.checkpoint, scene)


def test_halves_and_quarters_where_memory_is_short(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from backends.hyperspectral.css_mamba import CssMamba

    scene, _labels, result = made
    forward, sizes = CssMamba.forward, []

    def short(self: Any, spectra: Any, **given: Any) -> Any:
        sizes.append(len(spectra))
        if len(spectra) > 2500:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, spectra, **given)

    monkeypatch.setattr(CssMamba, "forward", short)
    mapped = map_scene(scene, result.checkpoint, Provenance("css_mamba"))
    assert sizes[0] == 64 * 64  # the whole image in one pass, if it were possible
    assert max(s for s in sizes if s <= 2500) < 2500
    field = next(o for o in mapped.overlays if isinstance(o, ClusterField))
    assert field.tiles > 1
    same = mapped.overlays[0].labels == result.class_map.labels
    assert same.mean() > 0.97
    # no seam: borders of tiles are blended, not worse than elsewhere
    assert same[:, 30:34].mean() > 0.95


def test_a_checkpoint_that_does_not_fit_is_refused(made: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    scene, _labels, result = made
    plan = dict(result.checkpoint.settings)
    plan["network"] = {**plan["network"], "width": 48}
    path = tmp_path / "c.safetensors"
    save_checkpoint(replace(result.checkpoint, settings=plan), path)
    with pytest.raises(BadInput, match="is no checkpoint"):
        classify(scene, None, "css_mamba", checkpoint=path)


def test_kept_pixels_and_their_clusters(made: Any) -> None:
    scene, labels, _ = made
    result = classify(scene, labels, "css_mamba", settings={**QUICK, "kept": 0.5})
    block = result.overlays[1].blocks[0]
    assert block.kept == 0.5
    read = block.sequence > 0
    assert read.mean() == pytest.approx(0.5, abs=0.001)
    assert (block.cluster > 0).all()  # left out of the reading, not of the clusters
    assert np.isnan(block.step[~read]).all()
    assert np.median(block.score[read]) > np.median(block.score[~read])


def test_tiles_share_clusters_not_sequences(made: Any) -> None:
    from backends.hyperspectral.mapping import network_of
    from backends.hyperspectral.prediction import predict_scene

    scene, _labels, result = made
    stretch = result.checkpoint.stretch
    found = predict_scene(
        network_of(result.checkpoint), scene, stretch, stretch.bands, tile_pixels=1600
    )
    field = found.inside.overlays(scene, Provenance("css_mamba"), "css_mamba", {})[0]
    assert field.tiles > 1
    assert any(f"{field.tiles} tiles" in note for note in found.inside.notes())
    whole, tiled = result.overlays[1].blocks[0], field.blocks[0]
    assert (whole.cluster == tiled.cluster).mean() > 0.5  # the same centres
    top, bottom = tiled.sequence[:8, :8], tiled.sequence[-8:, -8:]
    assert not set(np.unique(top)) & set(np.unique(bottom))


def test_memberships_of_a_large_scene_are_kept_sparsely(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backends.hyperspectral import cluster_records
    from backends.hyperspectral.mapping import network_of
    from backends.hyperspectral.prediction import predict_scene

    scene, _labels, result = made
    whole = result.overlays[1].blocks
    monkeypatch.setattr(cluster_records, "MEMBERSHIP_BYTES", 64 * 64 * 2 * 2)
    stretch = result.checkpoint.stretch
    found = predict_scene(network_of(result.checkpoint), scene, stretch, stretch.bands)
    blocks = found.inside.overlays(scene, Provenance("css_mamba"), "css_mamba", {})[0].blocks
    step = blocks[0].membership_step
    assert step > 1
    assert sum(block.membership.nbytes for block in blocks) <= 64 * 64 * 2 * 2
    for one, two in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(one.membership[::step, ::step], two.membership)
    assert any(f"every {step}th row" in note for note in found.inside.notes())


def test_results_on_disk_hold_the_clusters(made: Any, tmp_path: Path) -> None:
    from backends.hyperspectral.results import write_results
    from backends.io.overlay_files import read_result

    scene, _labels, result = made
    names = {path.name for path in write_results(result, scene, tmp_path / "out")}
    assert "clusters.npz" in names
    again, field = read_result(tmp_path / "out" / "clusters.npz")
    again.close()
    assert isinstance(field, ClusterField)
    before = result.overlays[1]
    assert field.title == before.title
    for one, two in zip(before.blocks, field.blocks, strict=True):
        for name in (*CLUSTER_ARRAYS, *MORE_CLUSTER_ARRAYS):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert (one.fusion, one.kept, one.moved) == (two.fusion, two.kept, two.moved)
        assert one.share == two.share
    assert set(before.training) == set(result.curve.series)
    assert field.training == before.training


def test_same_seed_same_map_also_when_watched(made: Any) -> None:
    scene, labels, result = made
    seen: list[Any] = []
    watched = Progress(on_partial=seen.append)
    again = classify(scene, labels, "css_mamba", settings=QUICK, progress=watched)
    np.testing.assert_array_equal(again.class_map.labels, result.class_map.labels)
    assert again.curve.series == result.curve.series
    fields = [part for part in seen if isinstance(part, ClusterField)]
    assert [f.provenance.parameters["step"] for f in fields] == [1, 10, 20, 30, 40, 50]
    assert len({f.id for f in fields}) == 1  # each takes the place of the one before
    for field in fields:
        assert field.partial
        step = int(field.placement.row_step)
        assert field.shape == tuple(-(-side // step) for side in scene.shape[:2])
        assert field.blocks[0].cluster.min() >= 1
    changed = fields[0].blocks[0].cluster != fields[-1].blocks[0].cluster
    assert changed.any()


def test_wrong_settings_are_sentences(made: Any) -> None:
    scene, labels, _ = made
    with pytest.raises(WrongUse, match="no setting called depth"):
        classify(scene, labels, "css_mamba", settings={"depth": 3})
    with pytest.raises(ClearbandError, match="divisible"):
        classify(scene, labels, "css_mamba", settings={"width": 18})


def test_svm_on_means_of_squares(made: Any) -> None:
    scene, labels, _ = made
    plain = classify(scene, labels, "svm")
    means = classify(scene, labels, "svm_window")
    assert means.metrics is not None
    assert plain.metrics is not None
    assert not np.array_equal(means.class_map.labels, plain.class_map.labels)
    # every pixel sees its neighbours: fewer lonely pixels
    assert _lonely(means.class_map.labels) < _lonely(plain.class_map.labels)


def _lonely(labels: np.ndarray) -> int:
    inner = labels[1:-1, 1:-1]
    around = (labels[:-2, 1:-1], labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:])
    return int(np.all([inner != side for side in around], axis=0).sum())
