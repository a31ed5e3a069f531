"""A large band-by-band file gets its copy behind the user's back, announced and stoppable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.settings import Settings
from app.spectral_caching import SpectralCaching
from backends.io import open_scene, spectral_cache
from backends.io.spectral_cache import PixelOrdered
from backends.workspace import Workspace
from tests.app.conftest import write_envi

CUBE = np.random.default_rng(0).integers(0, 999, (20, 16, 12)).astype(np.int16)


def bsq(folder: Path) -> Path:
    path = write_envi(folder / "a.dat", CUBE, interleave="bsq")
    path.write_bytes(np.ascontiguousarray(CUBE.transpose(2, 0, 1)).tobytes())
    return path


@pytest.fixture
def caching(qtbot: Any) -> Any:
    workspace, said = Workspace(), []
    made = SpectralCaching(workspace, Settings(), lambda text, *_: said.append(text))
    made.least_bytes = 0
    yield workspace, made, said
    made.stop()
    for scene_id in list(workspace.scenes):
        workspace.remove_scene(scene_id)


def test_copy_is_made_announced_and_used(caching: Any, tmp_path: Path) -> None:
    workspace, made, said = caching
    scene = open_scene(bsq(tmp_path))
    workspace.add_scene(scene)
    made._next()
    (job,) = workspace.jobs
    assert job.job.title.startswith("Quick spectra of")
    assert not job.job.quiet
    assert isinstance(scene.source, PixelOrdered)
    np.testing.assert_array_equal(scene.spectrum(3, 4, physical=False), CUBE[3, 4])
    assert said == []
    made.clear()
    assert "copies deleted" in said[-1]
    assert spectral_cache.used_bytes() == 0


def test_switched_off_makes_none(caching: Any, tmp_path: Path) -> None:
    workspace, made, _ = caching
    made.toggle()
    scene = open_scene(bsq(tmp_path))
    workspace.add_scene(scene)
    made._next()
    assert not isinstance(scene.source, PixelOrdered)
    made.toggle()
    made._next()
    assert isinstance(scene.source, PixelOrdered)


def test_no_room_is_told_and_nothing_else_happens(
    caching: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, made, said = caching
    made._settings.spectral_copies_gb = 1e-6
    scene = open_scene(bsq(tmp_path))
    workspace.add_scene(scene)
    made._next()
    assert "are allowed" in said[-1]
    np.testing.assert_array_equal(scene.spectrum(3, 4, physical=False), CUBE[3, 4])
