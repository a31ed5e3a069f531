"""Statistics equal NumPy's, in one pass and with holes in the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.bands import BandTable
from backends.errors import Cancelled
from backends.jobs import CancelToken, Progress
from backends.scene import ArraySource, Scene, SceneInfo
from backends.statistics import band_statistics, sample_pixels


def make(array: np.ndarray, **facts: object) -> Scene:
    info = SceneInfo(None, "raster", BandTable.build(array.shape[2]), **facts)  # type: ignore[arg-type]
    return Scene(ArraySource(array), info)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 90),
    cols=st.integers(1, 40),
    bands=st.integers(1, 5),
    holes=st.floats(0, 0.9),
    shift=st.sampled_from([0.0, 1e4]),
)
def test_streamed_equals_numpy(
    rows: int, cols: int, bands: int, holes: float, shift: float
) -> None:
    rng = np.random.default_rng(rows * 1000 + cols)
    array = (rng.normal(size=(rows, cols, bands)) + shift).astype(np.float32)
    array[rng.random(array.shape) < holes] = np.nan
    found = band_statistics(make(array))
    flat = array.reshape(-1, bands).astype(np.float64)
    for band in range(bands):
        values = flat[np.isfinite(flat[:, band]), band]
        assert found.count[band] == values.size
        if values.size == 0:
            assert band in found.dead_bands
            assert np.isnan(found.mean[band])
            continue
        assert found.minimum[band] == values.min()
        assert found.maximum[band] == values.max()
        assert found.mean[band] == pytest.approx(values.mean(), rel=1e-5, abs=1e-6)
        assert found.std[band] == pytest.approx(values.std(), rel=1e-3, abs=1e-4)
    assert not found.estimated


def test_nodata_gain_and_offset_are_taken_into_account() -> None:
    array = np.array([[[10], [-99]], [[30], [50]]], dtype=np.int16)
    found = make(array, nodata=-99, gain=0.1, offset=1.0).statistics()
    assert found.count.tolist() == [3]
    assert found.mean[0] == pytest.approx(4.0)
    assert found.maximum[0] == pytest.approx(6.0)


def test_percentiles_of_many_blocks_are_close() -> None:
    array = np.arange(300 * 400, dtype=np.float32).reshape(300, 400, 1)
    found = make(array).statistics()
    assert found.percentile(50)[0] == pytest.approx(60_000, rel=0.01)


def test_sample_is_marked_as_estimate() -> None:
    array = np.random.default_rng(0).normal(size=(500, 500, 2)).astype(np.float32)
    found = make(array).statistics(sample=10_000)
    assert found.estimated
    assert 5_000 <= found.pixels_seen <= 40_000
    assert found.mean == pytest.approx([0, 0], abs=0.05)


def test_sample_covers_the_whole_image() -> None:
    rows = np.repeat(np.arange(1000, dtype=np.float32), 200).reshape(1000, 200, 1)
    values = sample_pixels(make(rows), size=5_000)
    assert values.min() < 20
    assert values.max() > 980


def test_cancel_stops_the_pass() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        make(np.zeros((50, 50, 3), np.float32)).statistics(progress=Progress(token))
