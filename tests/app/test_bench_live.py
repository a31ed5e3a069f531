"""``bench live``: its scene can be opened and its formulas have their bands."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.bench import live
from backends.io import open_scene
from backends.spectra.expression import parse


def test_the_scene_has_what_is_asked_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SIDE", 60)
    with open_scene(live._write(tmp_path)) as scene:
        assert scene.shape == (60, 60, live.BANDS)
        for text in live.FORMULAS:
            taken = parse(text, {"b": scene}).taken
            assert all(abs(t.away_nm) < 60 for t in taken)
