"""Cluster fields: checked, laid over, saved in sessions, exported and read back."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.bands import BandTable
from backends.cluster_analysis import reading_path
from backends.cluster_maps import (
    MAPS,
    block_map,
    border_overlay,
    has_map,
    order_of,
    path_overlay,
    point_overlay,
)
from backends.errors import BadInput, WrongUse
from backends.export import export, formats_for
from backends.io.writers.npz import add_array
from backends.overlays import (
    ClassMap,
    ClusterBlock,
    ClusterField,
    GraphOverlay,
    Placement,
    Provenance,
    ScoreMap,
)
from backends.scene import ArraySource, Scene, SceneInfo
from backends.session_overlays import ArrayBox, ArrayShelf, overlay_of, record_of

ROWS, COLS = 6, 8


def a_block(kept: float = 1.0) -> ClusterBlock:
    cluster = np.ones((ROWS, COLS), np.uint8)
    cluster[:, 4:], cluster[0, 0] = 2, 0
    sequence = cluster.astype(np.uint32)
    rank = np.zeros((ROWS, COLS), np.uint16)
    for k in (1, 2):
        mine = np.flatnonzero(cluster.ravel() == k)
        rank.ravel()[mine] = np.rint(np.linspace(0, 65535, len(mine)))
    half = np.linspace(0, 1, ROWS * COLS).reshape(ROWS, COLS).astype(np.float16)
    made = ClusterBlock(cluster, half, rank, sequence, -half, half / 10, 3, (0.3, 0.7), 0.2, kept)
    if kept == 1:
        return made  # as in files from before these were kept
    membership = np.full((ROWS // 2, COLS // 2, 3), 0.25, np.float16)
    membership[..., 1] = 0.5
    return replace(
        made, share=0.6, attention=half, typical=half * 2, membership=membership, membership_step=2
    )


@pytest.fixture
def scene() -> Scene:
    info = SceneInfo(None, "raster", BandTable.build(3))
    return Scene(ArraySource(np.zeros((ROWS, COLS, 3), np.float32)), info)


@pytest.fixture
def field(scene: Scene) -> ClusterField:
    made = Provenance("css_mamba")
    return ClusterField(
        "Clusters", scene.id, made, blocks=(a_block(), a_block(0.5)), tiles=2,
        training={"temperature, block 1": (0.1, 0.2)},
    )  # fmt: skip


def test_what_does_not_fit_is_refused(field: ClusterField) -> None:
    block = a_block()
    with pytest.raises(BadInput, match="no blocks"):
        replace(field, blocks=())
    for wrong in (
        {"rank": block.rank[:-1]},
        {"cluster": block.cluster.astype(float)},
        {"clusters": 1},
        {"clusters": 0},
        {"fusion": (1.0,)},
        {"attention": block.score[:2]},
        {"membership": np.zeros((ROWS, COLS, 2), np.float16)},
        {"membership": np.zeros((ROWS, COLS, 3), np.float16), "membership_step": 0},
    ):
        with pytest.raises(BadInput, match="block 2 do not fit"):
            replace(field, blocks=(block, replace(block, **wrong)))


def test_maps_on_demand(field: ClusterField) -> None:
    block = field.blocks[0]
    made = {what: block_map(field, 2, what) for what in MAPS}
    assert [what for what in MAPS if not has_map(block, what)] == ["attention", "typical"]
    with pytest.raises(BadInput, match="before the parts of the score were kept"):
        block_map(field, 1, "typical")
    assert len({overlay.id for overlay in made.values()}) == 1  # the next replaces the last
    clusters = made["clusters"]
    assert isinstance(clusters, ClassMap)
    np.testing.assert_array_equal(clusters.labels, block.cluster)
    assert clusters.fade
    np.testing.assert_array_equal(clusters.confidence, block.certainty.astype(np.float32))
    assert clusters.class_names == {1: "Cluster 1", 2: "Cluster 2", 3: "Cluster 3"}
    for what in ("certainty", "score", "step"):
        found = made[what]
        assert isinstance(found, ScoreMap)
        np.testing.assert_array_equal(found.values, getattr(block, what).astype(np.float32))
    order = made["order"]
    assert isinstance(order, ScoreMap)
    assert np.isnan(order.values[0, 0])
    assert np.nanmin(order.values) == 0
    assert np.nanmax(order.values) == 1
    kept = made["kept"]
    assert isinstance(kept, ClassMap)
    np.testing.assert_array_equal(kept.labels, np.where(block.cluster > 0, 1, 0))
    chosen = block_map(field, 1, "kept", np.zeros((ROWS, COLS), bool))
    assert isinstance(chosen, ClassMap)
    np.testing.assert_array_equal(chosen.labels, np.where(block.cluster > 0, 2, 0))
    with pytest.raises(WrongUse, match="no map called"):
        block_map(field, 1, "beauty")
    assert order_of(block).dtype == np.float32


def test_borders_lie_over_any_map(field: ClusterField, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends import cluster_maps

    field = replace(field, placement=Placement(1.0, 2.0, 3.0, 4.0))
    lines = border_overlay(field, 1)
    assert isinstance(lines, GraphOverlay)
    # between columns 3 and 4 from top to bottom, in pixels of the scene
    np.testing.assert_allclose(lines.nodes, [[1 - 1.5, 2 + 14], [1 + 16.5, 2 + 14]])
    assert lines.edges.tolist() == [[0, 1]]
    monkeypatch.setattr(cluster_maps, "MOST_LINES", 0)
    marked = border_overlay(field, 1)
    assert isinstance(marked, ClassMap)
    assert marked.id == lines.id
    assert (marked.labels[:, 3:5] == 1).all()
    assert marked.labels.sum() == 2 * ROWS


def test_path_lies_in_scene_pixels(field: ClusterField) -> None:
    field = replace(field, placement=Placement(1.0, 2.0, 3.0, 4.0))
    path = reading_path(field.blocks[0], 2)
    graph = path_overlay(field, path, first=1)
    np.testing.assert_allclose(graph.nodes, path.points[1:] * [3, 4] + [1, 2])
    assert graph.edges.tolist() == [[i, i + 1] for i in range(len(path.points) - 2)]
    now = point_overlay(field, path, 5)
    np.testing.assert_allclose(now.nodes, [path.points[5] * [3, 4] + [1, 2]])
    assert len(now.edges) == 0
    end = path_overlay(field, path, first=len(path.points))
    assert len(end.nodes) == 0


def test_sessions_keep_it(field: ClusterField) -> None:
    shelf = ArrayShelf()
    record = record_of(field, shelf)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in zip(shelf.names, shelf.arrays, strict=True):
            add_array(archive, name, array)
    text = record.model_dump_json()
    with zipfile.ZipFile(stream) as archive:
        back = overlay_of(type(record).model_validate_json(text), ArrayBox(archive, 1 << 20))
    assert isinstance(back, ClusterField)
    assert (back.id, back.title, back.tiles) == (field.id, field.title, 2)
    assert back.training == field.training
    for one, two in zip(field.blocks, back.blocks, strict=True):
        for name in ClusterBlock.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_memberships_of_a_pixel(field: ClusterField) -> None:
    one, two = field.blocks
    assert one.memberships(3, 3) is None
    np.testing.assert_array_equal(two.memberships(5, 7), [0.25, 0.5, 0.25])
    assert two.memberships(5, 7).dtype == np.float32


def test_exports(field: ClusterField, scene: Scene, tmp_path: Path) -> None:
    import rasterio

    assert [f.id for f in formats_for("layer", field)] == ["npz", "geotiff"]
    path = export(field, tmp_path / "clusters.tif", scene=scene)
    with rasterio.open(path) as file:
        assert file.count == 14
        assert file.descriptions[0] == "block 1: cluster"
        np.testing.assert_array_equal(file.read(1), field.blocks[0].cluster)
        np.testing.assert_allclose(file.read(12), field.blocks[1].step.astype(np.float32))
        assert file.tags(12)["MAP"] == "step"
    with np.load(export(field, tmp_path / "clusters.npz", scene=scene)) as arrays:
        np.testing.assert_array_equal(arrays["block2_rank"], field.blocks[1].rank)
        np.testing.assert_allclose(arrays["block2_facts"], [3, 0.3, 0.7, 0.2, 0.5, 0, 0.6, 2])
    with pytest.raises(WrongUse, match="no format for this"):
        export(field, tmp_path / "clusters.png", "png", scene=scene)
