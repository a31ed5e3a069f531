"""The benchmark of fire: parts are kept on disk, seeds become mean and spread, no peeking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.bench.fire_accuracy import Parts, hysteresis_rows, open_patches, over_seeds, text
from backends.fire.measures import PixelCounts


def test_a_stopped_run_goes_on_with_what_it_measured(tmp_path: Path) -> None:
    out, made = tmp_path / "fire.json", []

    def measure() -> dict[str, int]:
        made.append(1)
        return {"hits": 3}

    assert Parts(out).of({"seed": 1}, measure) == {"hits": 3}
    again = Parts(out, resume=True)
    assert again.of({"seed": 1}, measure) == {"hits": 3}
    assert len(made) == 1
    again.of({"seed": 2}, measure)
    assert len(made) == 2
    Parts(out).of({"seed": 1}, measure)  # begun anew without --resume
    assert len(made) == 3


def test_seeds_become_mean_and_spread() -> None:
    rows = [
        {"method": "m", "split": "s", "seed": n, **PixelCounts(hits, 10, 10, 100).to_dict()}
        for n, hits in enumerate((10, 20, 30))
    ]
    (found,) = over_seeds([*rows, {"method": "rule", **PixelCounts(1, 1, 1, 1).to_dict()}])
    assert found["seeds"] == [0, 1, 2]
    ious = [10 / 30, 20 / 40, 30 / 50]
    assert found["fire_iou"] == pytest.approx([np.mean(ious), np.std(ious, ddof=1)], abs=1e-4)
    said = text({part: {"rows": rows, "over_seeds": [found]} for part in ("real", "simulated")})
    assert "47.8 ± 13.5" in said


def test_thresholds_are_chosen_without_the_patch_they_are_judged_on(clearband_data: Path) -> None:
    patches = open_patches(clearband_data / "wildfire" / "ams")
    rows: dict[str, Any] = {r["split"]: r for r in hysteresis_rows(patches)}
    place = rows["one place left out"]
    assert 0.6 < place["fire_iou"] < 0.65  # no better than 310 K alone
    chosen = place["chosen_k"]["00, 02, 05"]
    image, truth = patches["02"]
    patches["02"] = (image, np.zeros_like(truth))  # what is left out has no say
    again = {r["split"]: r for r in hysteresis_rows(patches)}["one place left out"]
    assert again["chosen_k"]["00, 02, 05"] == chosen
    for image, _ in patches.values():
        image.scene.close()
