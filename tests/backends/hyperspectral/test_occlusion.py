"""Own groups and streams, snapshots, and the check whether matrices matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.classify import classify, write_results
from backends.hyperspectral.es_mhc import EsMhc, NetworkSettings
from backends.hyperspectral.groups import band_groups, group_text, groups_for, parse_groups
from backends.hyperspectral.normalise import BandStretch
from backends.hyperspectral.occlusion import held_out_mask, occluded, occlusion_check
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.io.overlay_files import read_result
from backends.matrix_history import structure_curve
from backends.overlays import MatrixField
from backends.simulate import demo_scene

SMALL = {"steps": 12, "layers": 1, "width_per_stream": 4, "d_state": 2, "snapshots": 3}


def stretch(nm: np.ndarray | None, count: int = 30) -> BandStretch:
    return BandStretch(np.arange(count), np.zeros(count), np.ones(count), nm)


def test_own_groups_and_expansion() -> None:
    bands = stretch(np.linspace(400, 2500, 30))
    text = "VNIR:400-1000;SWIR:1000-2400"
    assert group_text(parse_groups(text)) == text
    own = groups_for(bands, text)
    assert own.names == ("FULL", "VNIR", "SWIR")
    assert "lie in no group" in own.note
    eight = groups_for(bands, full=False, expansion=2)
    assert len(eight) == 8
    assert eight.names[:2] == ("VIS.1", "VIS.2")
    numbered = groups_for(stretch(None), "first:1-11;rest:11-")
    assert numbered.sizes() == {"FULL": 30, "first": 10, "rest": 20}
    assert "band numbers" in numbered.note
    for wrong in ("VIS", "A:5-3", "A:1-5;B:4-9", "A:1-2;A:3-4", "FULL:1-9"):
        with pytest.raises(WrongUse):
            parse_groups(wrong)
    with pytest.raises(BadInput, match="fewer than two"):
        groups_for(bands, "far:5000-6000", full=False)
    with pytest.raises(WrongUse, match="expansion"):
        groups_for(bands, expansion=0)


def test_fixed_and_shuffled_matrices() -> None:
    torch.manual_seed(0)
    groups = band_groups(np.linspace(400, 2500, 30), 30)
    settings = NetworkSettings(components=0, context=1, dynamic=2.0)
    network = EsMhc(groups, 3, settings).eval()
    spectra = torch.rand(80, 30)
    with torch.no_grad():
        plain, records = network(spectra, record=True)
        means = {(r.layer, r.site): r.mixing.mix.mean(0).numpy() for r in records}
        for what, mixes in (("mix", True), ("order", False), ("both", True)):
            with occluded(network, means, what):
                changed, seen = network(spectra, record=True)
            first = seen[0].mixing
            assert float((first.mix.std(0)).max() < 1e-7) == mixes
            assert float((changed - plain).abs().max()) > 1e-6, what
            if what == "mix":
                torch.testing.assert_close(first.order, records[0].mixing.mix)
        torch.testing.assert_close(network(spectra)[0], plain)


def test_ablate_hres(tmp_path: Path) -> None:
    image, truth = demo_scene("valley", size=48, folder=tmp_path)
    with open_scene(image) as scene:
        labels = open_labels(truth)
        made = classify(scene, labels, "es_mhc", settings=SMALL, device="cpu")
        field = next(o for o in made.overlays if isinstance(o, MatrixField))
        test = held_out_mask(made.checkpoint, scene, labels.values)
        assert made.split is not None
        np.testing.assert_array_equal(np.flatnonzero(test), np.sort(made.split.test))
        (found,) = occlusion_check(made.checkpoint, scene, labels.values, test)
        assert made.metrics is not None
        assert found.before == pytest.approx(made.metrics.overall_accuracy)
        assert found.delta == pytest.approx((found.won - found.lost) / found.pixels)
        assert f"{100 * found.delta:+.2f} points" in found.sentence
        each = occlusion_check(made.checkpoint, scene, labels.values, test, each=True, what="both")
        assert [f.sites for f in each] == [((1, "mixer"),), ((1, "ffn"),)]
        with pytest.raises(WrongUse, match="no site"):
            occlusion_check(made.checkpoint, scene, labels.values, test, sites=[(7, "ffn")])
        # What it was while it trained, kept with the result.
        assert field.history is not None
        assert field.history.steps == (1, 4, 8, 12)
        curve = structure_curve(field.history)
        assert len(curve.spread) == 2
        assert min(curve.spread[0]) > 0
        write_results(made, scene, tmp_path / "out")
    with np.load(tmp_path / "out" / "matrices.npz") as saved:
        assert saved["history_steps"].tolist() == [1, 4, 8, 12]
        assert saved["history_layer1_mixer_deviation"].shape[0] == 4
    _, again = read_result(tmp_path / "out" / "matrices.npz")
    assert isinstance(again, MatrixField)
    assert len(again.entries) == 2


def test_snapshots_change_nothing(tmp_path: Path) -> None:
    image, truth = demo_scene("valley", size=32, folder=tmp_path)
    weights = []
    for count in (0, 5):
        with open_scene(image) as scene:
            settings = SMALL | {"snapshots": count}
            made = classify(scene, open_labels(truth), "es_mhc", settings=settings, device="cpu")
        weights.append(made.checkpoint.arrays)
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name])
