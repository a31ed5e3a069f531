"""What is learnt from and what is kept out, which cube of a file, and features kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from backends.concepts.encoded_images import encode_folder
from backends.concepts.encoders import SpectraEncoder
from backends.concepts.feature_cache import FeatureCache
from backends.io import open_scene


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


@pytest.mark.parametrize(
    ("shares", "learnt"), [((50, 20, 30), 28), ((85, 0, 15), 34), ((70, 15, 15), 34)]
)
def test_images_without_classes_are_split_as_told(
    tmp_path: Path, cache: FeatureCache, shares: Sequence[float], learnt: int
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    make = np.random.default_rng(0)
    for number in range(40):
        pixels = make.integers(0, 255, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    images, _ = encode_folder(folder, SpectraEncoder.of, shares=shares, cache=cache)
    # Nothing is validated without classes, so those of the second share are learnt from.
    assert len(images.of(0)) == learnt
    assert len(images.of(2)) == 40 - learnt
    assert images.of(1) == []


def test_the_cube_of_a_file_is_chosen_and_its_features_are_its_own(
    tmp_path: Path, cache: FeatureCache
) -> None:
    path = tmp_path / "two.mat"
    low = np.random.default_rng(1).random((6, 7, 8), np.float32)
    savemat(path, {"low": low, "high": low[::-1] + 5})
    found = {}
    with open_scene(path, {"key": "low"}) as scene:
        encoder = SpectraEncoder.of(scene)
    for key in ("low", "high"):  # the same encoder and the same file: only the option differs
        images, _ = encode_folder(path, lambda _: encoder, options={"key": key}, cache=cache)
        found[key] = np.asarray(images.patches[0], np.float32)
    assert np.abs(found["low"] - found["high"]).min() > 0.1
