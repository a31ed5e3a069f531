"""The demo scenes: the same by seed, physically plausible, whole on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import Cancelled
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.jobs import CancelToken, Progress
from backends.simulate import (
    CLASSES,
    demo_scene,
    sensor_bands,
    simulate_fire,
    simulate_valley,
    spectra,
)


def test_same_seed_same_scene() -> None:
    one, two, other = (simulate_valley(48, bands=40, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.cube, two.cube)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert (one.cube != other.cube).mean() > 0.5


def test_spectra_look_like_their_names() -> None:
    nm = np.arange(400.0, 2500, 5)
    table = dict(zip(CLASSES, spectra(nm), strict=True))

    def at(name: str, wavelength: float) -> float:
        return float(table[name][np.abs(nm - wavelength).argmin()])

    for name in ("Deciduous trees", "Conifer forest", "Meadow", "Crop"):
        assert at(name, 860) > 4 * at(name, 670), "red edge"
        assert at(name, 550) > at(name, 670), "green peak"
        assert at(name, 1450) < 0.65 * at(name, 1300), "leaf water, even among straw"
    assert at("Water", 860) < 0.02
    assert at("Bare soil", 2205) < 0.97 * at("Bare soil", 2130), "clay"
    assert at("Tile roof", 650) > 3 * at("Tile roof", 480), "red"


def test_sensor_bands() -> None:
    table = sensor_bands(200)
    nm = table.wavelengths()
    assert len(table) == 200
    assert nm[0] == 400
    assert nm[-1] == 2500
    assert not table.good[int(np.abs(nm - 1900).argmin())]
    assert table.good[int(np.abs(nm - 1650).argmin())]


def test_files_open_with_place_scale_and_truth(tmp_path: Path) -> None:
    data, truth = demo_scene("valley", size=64, folder=tmp_path)
    stamp = data.stat().st_mtime_ns
    assert demo_scene("valley", size=64, folder=tmp_path) == (data, truth)
    assert data.stat().st_mtime_ns == stamp, "made once"
    with open_scene(data) as scene:
        assert scene.shape == (64, 64, 200)
        assert scene.info.unit == "reflectance"
        assert scene.place is not None
        assert scene.place.crs == "EPSG:32632"
        assert 0 <= np.nanmin(scene.read(physical=True)[..., 20]) < 1
        labels = open_labels(truth)
        assert labels.values.shape == (64, 64)
        assert set(labels.class_names.values()) <= set(CLASSES)
        # Water is dark in the infrared: the truth lies where the pixels are.
        water = next(v for v, n in labels.class_names.items() if n == "Water")
        crop = next(v for v, n in labels.class_names.items() if n == "Crop")
        infrared = scene.read(bands=[scene.bands.nearest(860) or 0], physical=True)[..., 0]
        assert (
            infrared[labels.values == water].mean() < 0.2 * infrared[labels.values == crop].mean()
        )
    assert not list(tmp_path.glob(".*"))


def test_fire_is_hot_where_the_truth_says() -> None:
    scene = simulate_fire(96, seed=1)
    kelvin = scene.cube[..., 6] * scene.gain
    assert kelvin[scene.labels == 1].mean() > 380
    assert 295 < np.median(kelvin[scene.labels == 0]) < 310


def test_cancel_leaves_no_file(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        demo_scene("valley", size=64, folder=tmp_path, progress=Progress(token))
    assert not list(tmp_path.iterdir())
