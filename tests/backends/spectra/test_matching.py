"""Matching many references keeps within memory and gives the same answer."""

from __future__ import annotations

import numpy as np
import pytest

from backends.bands import BandTable
from backends.scene import ArraySource, Scene, SceneInfo
from backends.spectra import products


def test_maps_that_would_not_fit_leave_the_most_alike_one(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    cube = random.random((12, 9, 5)).astype(np.float32)
    cube[2, 3] = np.nan
    scene = Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(5)))
    references = products.References(
        ("a", "b"), cube[[0, 5], [1, 6]], tuple(range(5)), np.full(5, np.nan)
    )
    whole = products.match(scene, references)
    monkeypatch.setattr(products, "MOST_MAP_BYTES", 100)
    small = products.match(scene, references)
    np.testing.assert_array_equal(small.overlays[0].labels, whole.overlays[0].labels)
    assert (len(whole.overlays), len(small.overlays)) == (3, 1)
    assert small.overlays[0].labels[2, 3] == 0
    assert any("not fit into memory" in n for n in small.overlays[0].provenance.notes)
