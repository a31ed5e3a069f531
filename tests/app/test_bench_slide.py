"""The slide of ``bench slide``: little on disk, every tile in its place at every level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.bench import slide_file
from backends.io import open_scene
from backends.magnification import full_magnification
from backends.scene import Window


def test_a_slide_of_shared_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small fields: two shared levels, then levels drawn in full.
    monkeypatch.setattr(slide_file, "FIELD", 512)
    monkeypatch.setattr(slide_file, "_SHARED", 2)
    path = tmp_path / "slide.svs"
    plan = slide_file.write_slide(path, 4000, 5000)
    assert path.stat().st_size < 3_000_000
    with open_scene(path) as scene:
        assert scene.shape == (4000, 5000, 3)
        assert scene.info.kind == "slide"
        assert full_magnification(scene) == 40
        assert scene.level_shapes[1] == (2000, 2500)
        means = {}
        for level in range(len(scene.level_shapes)):
            step = 512 >> level
            for kind in range(3):
                r, c = np.argwhere(plan[:-1, :-1] == kind)[0]
                window = Window(int(r) * step, int(c) * step, step, step)
                part = scene.read(window, (0, 1, 2), level)
                means[level, kind] = part.mean()
        for kind in range(3):
            levels = [means[level, kind] for level in range(len(scene.level_shapes))]
            assert np.ptp(levels) < 6
        assert means[0, 0] > means[0, 1] > means[0, 2]
