"""Maps against reference labels: the paper's own figures, filters, and what cannot be compared."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from app.main import run
from backends.area_estimate import estimate_areas
from backends.errors import BadInput, WrongUse
from backends.map_filter import MapFilter, majority, sieve

# Olofsson et al. 2014, tables 8 and 9: deforestation, forest gain, stable forest, stable
# non-forest over 10 million Landsat pixels.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000.0])


def test_areas_are_those_of_the_papers_example() -> None:
    found = estimate_areas(COUNTS, PIXELS)
    np.testing.assert_allclose(found.user, [0.88, 0.73, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(found.user_error, [0.07, 0.10, 0.04, 0.02], atol=0.005)
    np.testing.assert_allclose(found.producer, [0.75, 0.85, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(found.producer_error, [0.21, 0.25, 0.03, 0.02], atol=0.005)
    assert found.overall == pytest.approx(0.95, abs=0.005)
    assert found.overall_error == pytest.approx(0.02, abs=0.005)
    hectares = PIXELS.sum() * 0.09
    assert found.area[0] * hectares == pytest.approx(21_158, abs=1)
    # The paper rounds its standard error to four digits before it goes on.
    assert found.area_error[0] * hectares == pytest.approx(6_158, rel=0.005)
    assert found.area.sum() == pytest.approx(1)
    # Equation 7 term by term, in pixels.
    rows = COUNTS.sum(axis=1)
    for j in range(4):
        there = sum(PIXELS[i] * COUNTS[i, j] / rows[i] for i in range(4))
        u, p = COUNTS[j, j] / rows[j], found.producer[j]
        own = PIXELS[j] ** 2 * (1 - p) ** 2 * u * (1 - u) / (rows[j] - 1)
        rest = sum(
            PIXELS[i] ** 2 * COUNTS[i, j] / rows[i] * (1 - COUNTS[i, j] / rows[i]) / (rows[i] - 1)
            for i in range(4)
            if i != j
        )
        wanted = 1.96 * np.sqrt((own + p**2 * rest) / there**2)
        assert found.producer_error[j] == pytest.approx(wanted)


def test_a_class_without_reference_pixels_is_said() -> None:
    counts = COUNTS.copy()
    counts[1] = [0, 1, 0, 0]
    with pytest.raises(BadInput, match="1 mapped classes have fewer than two"):
        estimate_areas(counts, PIXELS)
    # A class that only the truth knows has no stratum and still an area.
    wide = np.pad(COUNTS, ((0, 1), (0, 1)))
    wide[2, 4] = 10
    found = estimate_areas(wide, np.append(PIXELS, 0.0))
    assert found.area[4] > 0
    assert np.isnan(found.user[4])


def test_majority_is_that_of_a_plain_count_and_keeps_holes() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (30, 41)).astype(np.uint8)
    found = majority(labels, 5)
    for row, col in [(0, 0), (29, 40), (3, 7), (15, 20), (28, 1), (10, 33)]:
        near = labels[max(0, row - 2) : row + 3, max(0, col - 2) : col + 3]
        votes = np.bincount(near.ravel(), minlength=4)[1:]
        own = labels[row, col]
        if own == 0:
            assert found[row, col] == 0
        elif votes[own - 1] == votes.max():
            assert found[row, col] == own
        else:
            assert found[row, col] == votes.argmax() + 1
    assert ((found == 0) == (labels == 0)).all()
    with pytest.raises(WrongUse, match="odd and at least 3"):
        MapFilter(majority=4)
    with pytest.raises(WrongUse, match="at least 2 pixels"):
        MapFilter(sieve=1)


def test_a_sieve_gives_small_patches_to_the_largest_beside() -> None:
    labels = np.ones((9, 12), np.uint8)
    labels[:, 6:] = 2
    labels[2:4, 2:4] = 3  # four pixels in class 1
    labels[0, 11] = 0
    kept = sieve(labels, 4)
    np.testing.assert_array_equal(kept, labels)
    gone = sieve(labels, 5)
    assert (gone[2:4, 2:4] == 1).all()
    assert gone[0, 11] == 0
    assert gone.dtype == labels.dtype


def write(path: Path, values: Any, *, crs: str | None = "EPSG:32633", left: float = 0.0) -> Path:
    transform = rasterio.Affine(30.0, 0, 400_000 + left, 0, -30.0, 5_800_000)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": values.shape[0],
               "width": values.shape[1]}  # fmt: skip
    if crs:
        profile |= {"crs": crs, "transform": transform}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values.astype(np.uint8), 1)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path, Any, Any]:
    rng = np.random.default_rng(2)
    truth = np.ones((40, 50), int)
    truth[:, 20:], truth[25:, 30:] = 2, 3
    made = np.where(rng.random(truth.shape) < 0.15, rng.integers(1, 4, truth.shape), truth)
    sample = np.where(rng.random(truth.shape) < 0.4, truth, 0)
    return write(tmp_path / "map.tif", made), write(tmp_path / "ref.tif", sample), made, sample


def test_figures_are_those_of_scikit_learn_and_come_as_files(
    pair: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sklearn.metrics import cohen_kappa_score, confusion_matrix

    path, reference, made, sample = pair
    out = tmp_path / "o"
    words = ["assess", str(path), "--reference", str(reference), "--out", str(out)]
    assert run([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    at = sample > 0
    wanted = confusion_matrix(sample[at], made[at])
    np.testing.assert_array_equal(np.array(said["confusion"])[:, :3], wanted)
    assert said["kappa"] == pytest.approx(cohen_kappa_score(sample[at], made[at]), abs=1e-6)
    assert said["overall_accuracy"] == pytest.approx((sample[at] == made[at]).mean(), abs=1e-6)
    assert said["mapped_ha"] == pytest.approx(2000 * 0.09, rel=2e-3)
    total = sum(row["estimated_ha"] for row in said["classes"])
    assert total == pytest.approx(said["mapped_ha"], rel=1e-6)
    for row, true in zip(said["classes"], (800, 900, 300), strict=True):
        assert abs(row["estimated_ha"] - true * 0.09) < 3 * row["ha_plus_minus"]
    assert any("drawn at random within each mapped class" in note for note in said["notes"])
    lines = [x for x in (out / "accuracy.csv").read_text().splitlines() if x[0] != "#"]
    assert float(next(iter(csv.DictReader(lines)))["estimated_ha"]) == pytest.approx(
        said["classes"][0]["estimated_ha"]
    )
    assert run(words) == 0
    assert "±" in capsys.readouterr().out
    # The filter takes the speckle out, and the map that was measured is written.
    assert run([*words, "--majority", "5", "--sieve", "9", "--json"]) == 0
    better = json.loads(capsys.readouterr().out)
    assert better["overall_accuracy"] > said["overall_accuracy"] + 0.05
    with rasterio.open(out / "class_map.tif") as file:
        np.testing.assert_array_equal(file.read(1), sieve(majority(made.astype(np.uint8), 5), 9))


def test_points_with_a_class_are_a_reference(pair: Any, tmp_path: Path) -> None:
    path, _, made, _ = pair
    from backends.assessment import assess
    from backends.io import open_scene

    rng = np.random.default_rng(0)
    features = [
        {"type": "Feature", "properties": {"class": f"Class {made[r, c]}"},
         "geometry": {"type": "Point", "coordinates": [float(c), float(r)]}}
        for r, c in zip(rng.integers(0, 40, 60), rng.integers(0, 50, 60), strict=True)
    ]  # fmt: skip
    points = tmp_path / "points.geojson"
    points.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with open_scene(path) as scene:
        found = assess(scene, points, options={"coordinates": "pixels"})
    assert found.metrics.overall_accuracy == 1.0
    assert found.metrics.pixels > 50


def test_what_cannot_be_compared_is_a_sentence(
    pair: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _, _, sample = pair

    def refused(values: Any, **how: Any) -> str:
        other = write(tmp_path / "other.tif", values, **how)
        assert run(["assess", str(path), "--reference", str(other)]) == 3
        return capsys.readouterr().err

    assert "39 × 50 pixels" in refused(sample[:-1])
    assert "different coordinate systems" in refused(sample, crs="EPSG:32632")
    assert "lies 2.0 pixels beside" in refused(sample, left=60.0)
    assert "share no class" in refused(np.where(sample > 0, sample + 10, 0))
    assert "holds one class only (Class 2)" in refused(np.where(sample == 2, 2, 0))
    assert "no labelled pixel" in refused(sample * 0)
    assert run(["assess", str(path), "--reference", str(path), "--majority", "2"]) == 2
    # Without a place, the reference is taken at its word.
    plain = write(tmp_path / "plain.tif", sample, crs=None)
    assert run(["assess", str(path), "--reference", str(plain)]) == 0


def test_classify_filters_its_map_before_it_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from backends.simulate import demo_scene

    scene, labels = demo_scene("valley", size=48, folder=tmp_path)
    words = ["classify", str(scene), "--labels", str(labels), "--model", "k_nearest", "--no-both"]
    maps, notes = [], []
    for more in ([], ["--majority", "3", "--sieve", "6"]):
        out = tmp_path / f"o{len(more)}"
        assert run([*words, *more, "--out", str(out), "--json"]) == 0
        notes.append(json.loads(capsys.readouterr().out)["notes"])
        with rasterio.open(out / "class_map.tif") as file:
            maps.append(file.read(1))
    np.testing.assert_array_equal(maps[1], MapFilter(3, 6).apply(maps[0]))
    assert any("majority filter of 3 × 3 pixels and a sieve of 6" in note for note in notes[1])
    command = json.loads((tmp_path / "o4" / "metrics.json").read_text())["command"]
    assert "--majority 3 --sieve 6" in command
