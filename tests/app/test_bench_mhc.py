"""``bench mhc``: runs kept in pieces and resumed, means over seeds, significance counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.bench import mhc
from app.main import run
from backends.errors import BadInput

QUICK: dict[str, Any] = {
    "components": 0, "context": 1, "steps": 6, "layers": 1, "d_state": 2, "snapshots": 2,
    "width_per_stream": 4,
}  # fmt: skip


def test_runs_are_kept_and_resumed(
    clearband_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARBAND_DATA", str(clearband_data))
    out, plans = tmp_path / "mhc.json", {"n=5, g=1": QUICK}
    found = mhc.tabulate((0,), out=out, plans=plans)
    kept = json.loads(out.read_text(encoding="utf-8"))
    assert kept["runs"] == found["runs"]
    assert kept["command"].startswith("clearband bench mhc --seeds 1")
    record = found["runs"][0]
    assert record["structure"]["steps"] == [1, 3, 6]
    assert [check["what"] for check in record["occlusion"]] == ["mix", "order", "both"]

    def none(*given: object) -> dict[str, Any]:
        raise AssertionError("this run was there")

    monkeypatch.setattr(mhc, "one", none)
    assert mhc.tabulate((0,), out=out, resume=True, plans=plans)["runs"] == found["runs"]
    assert "n=5, g=1" in mhc.text(found)
    with pytest.raises(AssertionError):  # other settings are another run
        mhc.tabulate((0,), out=out, resume=True, plans={"n=5, g=1": QUICK | {"steps": 7}})


def test_means_and_seeds_beyond_chance() -> None:
    def record(seed: int, accuracy: float, chance: float) -> dict[str, Any]:
        site = {"layer": 1, "site": "mixer", "spread": [0.1, 0.3], "morans_i": [0.2, 0.4]}
        check = {
            "what": "mix", "delta_overall_accuracy": -0.01 * seed, "changed_share": 0.1,
            "lost": 5, "won": 1, "sign_test_p": chance,
        }  # fmt: skip
        return {
            "run": "r", "seed": seed, "streams": 5, "settings": {}, "half_step": 10.0,
            "overall_accuracy": accuracy, "train_seconds": 1.0, "occlusion": [check],
            "structure": {"sites": [site]}, "retention_by_site": [0.5, 0.25],
        }  # fmt: skip

    (row,) = mhc.summarise([record(0, 0.8, 0.5), record(1, 0.9, 0.01)])
    assert row["seeds"] == 2
    assert row["overall_accuracy"] == {"mean": 0.85, "sd": pytest.approx(0.070711)}
    assert row["retention_at_the_end"]["mean"] == 0.25
    assert row["morans_i_at_the_end"]["mean"] == 0.4
    assert row["checks"]["mix"]["delta"]["mean"] == -0.005
    assert row["checks"]["mix"]["seeds_beyond_chance"] == 1
    assert (row["checks"]["mix"]["lost"], row["checks"]["mix"]["won"]) == (10, 2)


def test_the_plans_have_the_streams_they_say(clearband_data: Path) -> None:
    import numpy as np

    from backends.hyperspectral.groups import groups_for
    from backends.hyperspectral.normalise import BandStretch
    from backends.io.shaping import load_wavelengths

    table, _ = load_wavelengths(f"{clearband_data}/hsi/indian_pines/92AV3C.spc", 200)
    bands = BandStretch(np.arange(200), np.zeros(200), np.ones(200), table.wavelengths())
    for name, plan in mhc.PLANS.items():
        groups = groups_for(
            bands, plan.get("groups", ""), full=bool(plan.get("full", 1)),
            expansion=plan.get("expansion", 1),
        )  # fmt: skip
        assert name.startswith(f"n={len(groups)},")


def test_a_file_that_is_no_table_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(BadInput, match="no table of this benchmark"):
        mhc.tabulate((0,), out=tmp_path / "x.json", resume=True)
    assert run(["bench", "mhc", "--resume", "--out", str(tmp_path / "x.json")]) == 3
