"""Copies ordered by pixel: same values, right file, bounded, gone when cancelled or stale."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_envi import write

from backends.errors import BadInput, Cancelled
from backends.io import open_scene, spectral_cache
from backends.io.spectral_cache import PixelOrdered
from backends.jobs import CancelToken, Progress
from backends.scene import Scene, Window

RNG = np.random.default_rng(5)


def cube_of(shape: tuple[int, int, int] = (30, 20, 12), dtype: str = "<i2") -> np.ndarray:
    return RNG.integers(0, 30_000, shape).astype(dtype)


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    with open_scene(write(tmp_path, cube_of())) as opened:
        yield opened


class Counting:
    """Stands before a source and counts the reads."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.reads = inner, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def read(self, *arguments: Any) -> Any:
        self.reads += 1
        return self.inner.read(*arguments)


def test_spectra_come_from_the_copy_and_pictures_from_the_file(scene: Scene) -> None:
    whole = scene.read()
    spectral_cache.make_copy(scene)
    assert spectral_cache.attach(scene)
    source = scene.source
    assert isinstance(source, PixelOrdered)
    source.source = Counting(source.source)  # type: ignore[assignment]
    np.testing.assert_array_equal(scene.read(Window(7, 3, 1, 1))[0, 0], whole[7, 3])
    np.testing.assert_array_equal(scene.read(Window(2, 3, 9, 8)), whole[2:11, 3:11])
    assert source.source.reads == 0
    np.testing.assert_array_equal(scene.read(bands=[4]), whole[:, :, 4:5])
    assert source.source.reads == 1


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    dtype=st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8"]),
    big=st.booleans(),
    offset=st.integers(0, 9),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(9, 14)),
    block=st.integers(1, 4000),
)
def test_every_type_and_order_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: str,
    big: bool,
    offset: int,
    shape: tuple[int, int, int],
    block: int,
) -> None:
    cube = RNG.integers(0, 200, shape).astype(dtype)
    path = write(tmp_path_factory.mktemp("c"), cube, big=big, offset=offset)
    with open_scene(path) as scene, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectral_cache, "BLOCK_BYTES", block)
        spectral_cache.make_copy(scene)
        assert spectral_cache.attach(scene)
        copy = scene.source.copy  # type: ignore[attr-defined]
        rows, cols, bands = shape
        np.testing.assert_array_equal(copy.read(Window(0, 0, rows, cols), range(bands), 0), cube)
    spectral_cache.clear()


def test_a_changed_file_gets_no_old_copy(tmp_path: Path) -> None:
    path = write(tmp_path, cube_of())
    with open_scene(path) as scene:
        spectral_cache.make_copy(scene)
    cube = cube_of()
    write(tmp_path, cube)
    os.utime(path, ns=(1, 1))
    with open_scene(path) as scene:
        assert not spectral_cache.attach(scene)
        np.testing.assert_array_equal(scene.read(Window(0, 0, 1, 1))[0, 0], cube[0, 0])


def test_a_damaged_copy_is_removed(scene: Scene) -> None:
    path = spectral_cache.make_copy(scene)
    path.write_bytes(path.read_bytes()[:-1])
    assert not spectral_cache.attach(scene)
    assert not path.exists()


def test_cancelling_leaves_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectral_cache, "BLOCK_BYTES", 1)
    token = CancelToken()
    token.cancel()
    progress = Progress(token)
    with pytest.raises(Cancelled):
        spectral_cache.make_copy(scene, progress)
    left = list(spectral_cache.folder().iterdir()) if spectral_cache.folder().exists() else []
    assert left == []


def test_bounded_longest_unused_goes_first(tmp_path: Path) -> None:
    paths = []
    one = 4096 + 30 * 20 * 12 * 2
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        with open_scene(write(tmp_path / str(number), cube_of())) as scene:
            copy = spectral_cache.make_copy(scene, limit_bytes=2 * one)
            os.utime(copy, (1000 + number, 1000 + number))
            paths.append(copy)
    assert [p.exists() for p in paths] == [False, True, True]
    assert spectral_cache.used_bytes() == 2 * one
    large = write(tmp_path, cube_of((40, 40, 12)))
    with open_scene(large) as scene, pytest.raises(BadInput, match="GB are allowed"):
        spectral_cache.make_copy(scene, limit_bytes=one)
    assert spectral_cache.clear() == 2 * one
    assert spectral_cache.used_bytes() == 0


def test_a_full_disk_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr(
        spectral_cache.shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, free=10**8)
    )
    with pytest.raises(BadInput, match="no room for a copy"):
        spectral_cache.make_copy(scene)


def test_only_large_band_by_band_files_gain(tmp_path: Path) -> None:
    with open_scene(write(tmp_path, cube_of(), "bip")) as scene:
        assert not spectral_cache.is_worthwhile(scene, 0)
    with open_scene(write(tmp_path, cube_of())) as scene:
        assert spectral_cache.is_worthwhile(scene, 0)
        assert not spectral_cache.is_worthwhile(scene)
