"""``bench known-answers``: a planted scene is measured rightly, Samson stays where it was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.bench import known_answers
from app.bench.known_answers import Known, compare, matched
from backends.bands import BandTable
from backends.scene import ArraySource, Scene, SceneInfo


def planted(shift: float = 0.0) -> Known:
    """Return mixtures of three spectra with a pure pixel each; ``shift`` bends what is "known"."""
    random = np.random.default_rng(0)
    nm = np.linspace(0, 1, 40)
    ends = np.array([0.4 + 0.3 * np.sin((2 + k) * 2.1 * nm + k) for k in range(3)])
    shares = random.dirichlet((0.7, 0.7, 0.7), (30, 30))
    shares[0, :3] = np.eye(3)
    cube = (shares @ ends + 1e-4 * random.normal(size=(30, 30, 40))).astype(np.float32)
    scene = Scene(ArraySource(cube), SceneInfo(None, "raster", BandTable.build(40)))
    return Known(scene, ("a", "b", "c"), ends + shift * nm, shares)


def test_planted_endmembers_and_shares_are_found() -> None:
    found = compare(planted(), range(3))
    assert found["number"] == {"known": 3, "hysime": 3, "hfc": pytest.approx(3, abs=1)}
    for method, row in found["found"].items():
        assert row["angle_rad"]["mean"] < 0.01, method
        assert row["angle_deg"]["mean"] == pytest.approx(
            np.degrees(row["angle_rad"]["mean"]), abs=0.01
        )
        assert row["rmse"]["mean"] < 0.02, method
    for row in found["rmse_with_known_endmembers"].values():
        assert row["mean"] < 0.005
    assert found["factors"] == pytest.approx([1, 1, 1], abs=1e-3)


def test_a_wrong_truth_is_seen() -> None:
    found = compare(planted(0.3), range(2))
    for row in found["found"].values():
        assert row["angle_rad"]["mean"] > 0.05
    known = found["rmse_with_known_endmembers"]
    assert known["as published"]["mean"] > 0.02
    assert known["refitted to the published shares"]["mean"] < 0.005


def test_a_scale_is_taken_out_and_said() -> None:
    right = planted()
    scaled = Known(
        right.scene, right.materials, right.spectra * np.array([[2.0], [4.0], [5.0]]), right.shares
    )
    found = compare(scaled, range(1))
    assert found["factors"] == pytest.approx([0.5, 0.25, 0.2], abs=1e-3)
    assert found["rmse_with_known_endmembers"]["as published"]["mean"] > 0.1
    assert found["rmse_with_known_endmembers"]["one factor each"]["mean"] < 0.005
    assert found["found"]["vca"]["angle_rad"]["mean"] < 0.01


def test_found_spectra_are_matched_to_the_known_in_any_order() -> None:
    ends = planted().spectra
    order, angle = matched(ends[[2, 0, 1]], ends)
    assert order.tolist() == [1, 2, 0]
    assert angle.max() < 1e-3


def test_samson_stays_where_it_was_found(
    clearband_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARBAND_DATA", str(clearband_data))
    if not (clearband_data / "hsi" / "unmixing" / "Samson.mat").exists():
        pytest.skip("Samson.mat is not among the real data")
    made = known_answers.tabulate(range(4))
    found = made["samson"]
    assert found["number"] == {"known": 3, "hysime": 43, "hfc": 9}
    assert found["found"]["n_findr"]["angle_rad"]["mean"] == pytest.approx(0.0702, abs=2e-3)
    assert found["found"]["vca"]["angle_rad"]["mean"] < 0.2
    assert found["found"]["ppi"]["angle_rad"]["mean"] < 0.2
    known = found["rmse_with_known_endmembers"]
    assert known["one factor each"]["mean"] == pytest.approx(0.162, abs=3e-3)
    assert known["refitted to the published shares"]["mean"] < known["one factor each"]["mean"]
    # Water is the third in both, and the darkest.
    assert found["factors"][2] < 0.1 < min(found["factors"][:2])
    assert "HySime 43" in known_answers.text(made)


def test_without_the_data_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.errors import MissingCapability

    monkeypatch.setenv("CLEARBAND_DATA", "/no/such/folder")
    with pytest.raises(MissingCapability, match="real data are not here"):
        known_answers.tabulate(range(1))
