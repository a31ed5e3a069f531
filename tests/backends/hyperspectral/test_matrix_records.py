"""What a training and a map keep of the matrices: streams, lists, the state half-way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends.errors import WrongUse
from backends.hyperspectral.batches import network_arguments
from backends.hyperspectral.classify import classify
from backends.hyperspectral.features import read_window
from backends.hyperspectral.mapping import network_of
from backends.hyperspectral.normalise import match_bands
from backends.hyperspectral.occlusion import held_out_mask, occlusion_check
from backends.hyperspectral.records import MatrixRecords
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.jobs import Progress
from backends.overlays import ClusterField, MatrixField
from backends.scene import Window
from backends.simulate import demo_scene

SMALL = {"steps": 12, "layers": 1, "width_per_stream": 4, "d_state": 2, "snapshots": 3}


def test_streams_are_those_of_the_network_and_the_way_there_is_shown(tmp_path: Path) -> None:
    image, truth = demo_scene("valley", size=32, folder=tmp_path)
    parts: list[Any] = []
    with open_scene(image) as scene:
        progress = Progress(on_partial=parts.append)
        made = classify(
            scene, open_labels(truth), "es_mhc", settings=SMALL, device="cpu", progress=progress
        )
        field = next(o for o in made.overlays if isinstance(o, MatrixField))
        network = network_of(made.checkpoint)
        bands = match_bands(scene, made.checkpoint.stretch.bands, None)
        found = read_window(
            scene, made.checkpoint.stretch, bands, Window(0, 0, 32, 32), network.context
        )
        with torch.no_grad():
            _, records = network(**network_arguments(network, found, "cpu"), record=True)
    for entry, record in zip(field.entries, records, strict=True):
        assert entry.read is not None
        assert entry.write is not None
        for kept, values in ((entry.read, record.mixing.read), (entry.write, record.mixing.write)):
            wanted = values.numpy().reshape(32, 32, -1)
            for stream in range(wanted.shape[2]):
                np.testing.assert_allclose(kept.map(stream), wanted[:, :, stream], atol=2e-4)
    live = [part for part in parts if isinstance(part, MatrixField)]
    assert [part.history.steps[-1] for part in live if part.history] == [1, 4, 8, 12]
    assert all(part.partial and part.id == live[0].id for part in live)
    assert live[0].group_names == field.group_names
    assert "step 4 of 12" in live[1].title
    # The last look at it is what the history ends with.
    assert field.history is not None
    assert live[-1].entries is field.history.snapshots[-1].entries


def test_lists_that_are_clusters_come_as_clusters(tmp_path: Path) -> None:
    image, truth = demo_scene("valley", size=32, folder=tmp_path)
    settings = SMALL | {"cluster_source": "lcm", "clusters": 6}
    with open_scene(image) as scene:
        labels = open_labels(truth)
        made = classify(scene, labels, "es_mhc", settings=settings, device="cpu")
        lists = next(o for o in made.overlays if isinstance(o, ClusterField))
        assert len(lists.blocks) == 1
        assert lists.blocks[0].clusters == 6
        assert (lists.blocks[0].sequence > 0).all()  # a partition: every pixel is read
        test = held_out_mask(made.checkpoint, scene, labels.values)
        with pytest.raises(WrongUse, match="come from clusters"):
            occlusion_check(made.checkpoint, scene, labels.values, test, what="order")
        (found,) = occlusion_check(made.checkpoint, scene, labels.values, test)
        assert made.metrics is not None
        assert found.before == pytest.approx(made.metrics.overall_accuracy)


def test_memory_of_a_large_scene_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.hyperspectral import records

    monkeypatch.setattr(records, "MATRIX_BYTES", 1 << 20)
    kept = MatrixRecords((500, 400), 5, 4)
    assert kept.step > 1
    assert sum(a.nbytes for a in kept._kept.values()) < 1 << 20
    assert f"every {kept.step}" in kept.notes()[0]
