"""Segmentation of a folder by concepts: cells that are clear, masks, and what both measure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_encoders import strided

from backends.concepts.autoencoder import NestedAutoencoder, Scaling, Sizes
from backends.concepts.autoencoder_files import Dictionary, save_dictionary
from backends.concepts.encoders import NetworkEncoder
from backends.concepts.feature_cache import FeatureCache
from backends.concepts.segment_folder import (
    clear_cells,
    directions_from_labels,
    directions_from_words,
    measure_segmentation,
    read_masked,
    split,
    to_pixels,
)
from backends.errors import BadInput


def test_only_cells_that_are_clearly_of_one_class_are_learnt_from() -> None:
    mask = np.zeros((4, 8), int)
    mask[:, 2:4] = 1  # half of the first cell of 4 × 4
    mask[:3, 4:] = 1  # three quarters of the second
    assert clear_cells(mask, (1, 2), 2).tolist() == [-1, 1]
    assert clear_cells(np.zeros((4, 8), int), (1, 2), 2).tolist() == [0, 0]
    mask[:] = 0
    mask[0, :4] = 1  # a quarter: background, but not clearly
    assert clear_cells(mask, (1, 2), 2).tolist() == [-1, 0]
    cells = np.array([[0, 1], [2, 3]])
    made = to_pixels(cells, (4, 6))
    assert made.shape == (4, 6)
    assert made[1, 2] == 0
    assert made[2, 3] == 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Bright squares on a dark ground of another colour, and their masks."""
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for number in range(6):
        mask = np.zeros((64, 64), np.uint8)
        for _ in range(3):
            r, c = rng.integers(0, 4, 2) * 16  # whole cells
            mask[r : r + 16, c : c + 16] = rng.integers(1, 9)
        values = np.where(mask[..., None] > 0, [200, 60, 90], [30, 90, 40])
        noisy = (values + rng.integers(0, 20, values.shape)).astype(np.uint8)
        Image.fromarray(noisy).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "labels" / f"{number}.png")
    return tmp_path


def _perfect(features: np.ndarray) -> Dictionary:
    """A dictionary that loses nothing: three features and their opposites."""
    import torch

    network = NestedAutoencoder(Sizes(3, 6, 3, (0.5, 0.5))).requires_grad_(False)
    axes = torch.cat([torch.eye(3), -torch.eye(3)])
    network.directions.copy_(axes)
    network.encode_weight.copy_(axes.t())
    return Dictionary(network, Scaling.of(features), {"digest": "d", "title": "t"})


def test_squares_are_found_by_concepts_as_by_features(folder: Path, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    encoder = NetworkEncoder(strided(), "cells")
    (folder / "labels" / "5.png").unlink()
    found = read_masked(folder / "images", folder / "labels", encoder, foreground=True, cache=cache)
    assert len(found.paths) == 5
    assert found.skipped[0][0] == "5.png"
    assert found.classes == ("background", "foreground")
    training, test = split(5, 0)
    assert not set(training) & set(test)
    assert len(test) == 2
    directions = directions_from_labels(found, training)
    made = _perfect(np.concatenate(found.patches).astype(np.float32))
    told, answers = measure_segmentation(made, directions, found, test)
    assert told["concepts"]["miou"] == pytest.approx(told["dense"]["miou"], abs=1e-6)
    assert told["concepts"]["miou"] > 0.8
    assert set(answers) == set(test)
    # Concepts that say nothing are measured as such.
    made.network.threshold.fill_(1e9)
    told, _ = measure_segmentation(made, directions, found, test)
    assert told["concepts"]["miou"] < 0.6 < told["dense"]["miou"]


def test_masks_that_are_none_are_said(folder: Path, tmp_path: Path) -> None:
    encoder, cache = NetworkEncoder(strided(), "cells"), FeatureCache(tmp_path / "cache")
    with pytest.raises(BadInput, match="None of 6 images has a mask"):
        read_masked(folder / "images", tmp_path / "images" / "0.png", encoder, cache=cache)
    rng = np.random.default_rng(0)
    numbers = rng.permutation(np.arange(64 * 64) % 200).astype(np.uint8).reshape(64, 64)
    Image.fromarray(numbers).save(folder / "labels" / "0.png")
    with pytest.raises(BadInput, match="look like numbered objects"):
        read_masked(folder / "images", folder / "labels", encoder, cache=cache)
    (folder / "one").mkdir()
    Image.fromarray(np.ones((64, 64), np.uint8)).save(folder / "one" / "0.png")
    with pytest.raises(BadInput, match="fewer than two classes"):
        read_masked(folder / "images", folder / "one", encoder, cache=cache)


def test_words_of_another_space_are_refused() -> None:
    class Tower:
        digest = "t"

        def embed(self, phrases):  # type: ignore[no-untyped-def]
            return np.eye(4, dtype=np.float32)[: len(phrases)]

    assert directions_from_words(["roof", "lawn"], Tower(), 4).classes == ("roof", "lawn")
    with pytest.raises(BadInput, match="not this encoder's"):
        directions_from_words(["roof", "lawn"], Tower(), 5)


def test_segmentation_by_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from app.main import run
    from backends.concepts import opening

    encoder = NetworkEncoder(strided(), "cells", about={"model": "strided", "weights": ""})
    monkeypatch.setattr(opening, "make_encoder", lambda *a, **k: encoder)
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    features = np.random.default_rng(0).random((100, 3)).astype(np.float32)
    made = _perfect(features)
    made.encoder = {**encoder.about, "digest": encoder.digest, "title": encoder.title}
    save_dictionary(made, tmp_path / "concepts.safetensors")
    words = ["concepts", "segment", str(folder / "images"), "--model",
             str(tmp_path / "concepts.safetensors"), "--out", str(tmp_path / "out")]  # fmt: skip
    assert run([*words, "--labels", str(folder / "labels"), "--foreground", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["segmentation"]["concepts"]["miou"] > 0.8
    assert told["test_images"] == 2
    assert told["led_by"] == "labels"
    assert told["also_learnt_from"] == 0
    written = json.loads((tmp_path / "out" / "segmentation.json").read_text())
    assert written["segmentation"] == told["segmentation"]
    for name in told["test"]:
        assert (tmp_path / "out" / f"{Path(name).stem}_classes.tif").is_file()
    assert run(words) != 0
    assert "Give the masks" in capsys.readouterr().err
