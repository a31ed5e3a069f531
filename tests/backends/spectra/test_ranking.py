"""References ranked by several measures: scores by hand, weights, what cannot be told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.cli.root import invoke
from backends.errors import BadInput, WrongUse
from backends.spectra.ranking import RULES, ranked, weights_of
from backends.spectra.references import References

NM = np.linspace(450, 2400, 40)


def references(*spectra: np.ndarray, nm: np.ndarray = NM) -> References:
    names = tuple(f"ref {i}" for i in range(len(spectra)))
    return References(names, np.stack(spectra).astype(np.float32), tuple(range(nm.size)), nm)


def shape(centre: float, depth: float = 0.3) -> np.ndarray:
    return 0.5 - depth * np.exp(-(((NM - centre) / 120) ** 2))


def test_the_spectrum_itself_is_first_by_every_measure() -> None:
    refs = references(shape(900), shape(1400), shape(2200))
    for name in RULES:
        only = {n: float(n == name) for n in RULES}
        rows = ranked(shape(1400).astype(np.float32), refs, only)
        assert rows[0]["reference"] == "ref 1", name
        assert rows[0]["score"] == pytest.approx(1, abs=2e-3), name
        assert [row["rank"] for row in rows] == [1, 2, 3]


def test_scores_are_the_weighted_mean_of_the_scales() -> None:
    one, other = shape(900), 0.5 * shape(1400)
    weights = {"angle": 2, "correlation": 0, "features": 0, "distance": 1, "divergence": 1}
    (row,) = ranked(one.astype(np.float32), references(other), weights)
    angle = np.arccos(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    distance = np.linalg.norm(one - other)
    p, q = one / one.sum(), other / other.sum()
    divergence = (p * np.log(p / q)).sum() + (q * np.log(q / p)).sum()
    wanted = (
        2 * (1 - angle / 0.78) + (1 - distance / np.linalg.norm(one)) + 1 / (1 + 10 * divergence)
    ) / 4
    assert row["score"] == pytest.approx(wanted, abs=1e-4)
    assert row["spectral_angle"] == pytest.approx(angle, abs=1e-4)
    assert row["divergence"] == pytest.approx(divergence, abs=1e-4)


def test_weights_turn_the_order() -> None:
    bright = references(2 * shape(900), shape(1000))  # the same shape; the same level
    pixel = shape(900).astype(np.float32)
    by_shape = ranked(pixel, bright, {"angle": 1, "correlation": 0, "features": 0})
    by_level = ranked(pixel, bright, {"angle": 0, "correlation": 0, "features": 0, "distance": 1})
    assert by_shape[0]["reference"] == "ref 0"
    assert by_level[0]["reference"] == "ref 1"


def test_what_cannot_be_told_is_left_out_or_refused() -> None:
    pixel = shape(900).astype(np.float32)
    (row,) = ranked(pixel, references(1e4 * shape(900)), {"distance": 1})
    assert row["distance"] is None  # another unit
    assert row["score"] == pytest.approx(1, abs=2e-3)
    (row,) = ranked(pixel, references(shape(900), nm=np.full(40, np.nan)))
    assert row["feature_fit"] is None
    with pytest.raises(BadInput, match="Distance cannot be told here"):
        ranked(pixel, references(1e4 * shape(900)), dict.fromkeys(RULES, 0) | {"distance": 1})
    with pytest.raises(BadInput, match="Nothing was measured there"):
        ranked(np.full(40, np.nan, np.float32), references(shape(900)))
    holed = pixel.copy()
    holed[3] = np.nan
    assert ranked(holed, references(shape(900)))[0]["score"] == pytest.approx(1, abs=2e-3)
    for given, sentence in (
        ({"colour": 1}, "no measure colour"),
        ({"angle": "much"}, "much is no weight"),
        ({"angle": -1}, "0 or more"),
        (dict.fromkeys(RULES, 0), "All weights are 0"),
    ):
        with pytest.raises(WrongUse, match=sentence):
            weights_of(given)


def test_pixels_and_areas_are_ranked_by_command(
    clearband_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hsi = clearband_data / "hsi"
    scene, library = (
        str(hsi / "envi" / "enmap_potsdam_a.hdr"),
        str(hsi / "speclib" / "library_berlin.hdr"),
    )
    areas = tmp_path / "green.gpkg"
    assert invoke(["spectra", "areas", scene, "--where", "b[860] > 0.4", "--name", "Green",
                   "--out", str(areas)]) == 0  # fmt: skip
    capsys.readouterr()
    words = ["spectra", "match", scene, "--library", library, "--rank", "10,20", "--json"]
    words += ["--rank-areas", str(areas), "--rank-name", "Green"]
    assert invoke([*words, "--weight", "angle=3", "--weight", "divergence=1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["of"] == ["row 10, column 20", "Green"]
    assert said["weights"] == {"angle": 3, "features": 1, "correlation": 1, "divergence": 1}
    green = [row for row in said["ranking"] if row["of"] == "Green"]
    assert any(word in green[0]["reference"] for word in ("grass", "tree", "potato"))
    assert invoke([*words, "--rank-name", "Blue"]) == 0
    capsys.readouterr()
    assert invoke([*words[:-1], "Blue"]) == 0  # the pixel is left
    capsys.readouterr()
    only = [w for w in words[:-1] if w not in ("--rank", "10,20")]
    assert invoke([*only, "Blue"]) == 2
    assert "has no area Blue" in capsys.readouterr().err
