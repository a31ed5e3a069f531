"""The catalogue of indices: the right bands, the numbers of spyndex, reasons for gaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.main import run
from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.scene import ArraySource, Scene, SceneInfo

spyndex = pytest.importorskip("spyndex", reason="the environment is older than the lock file")

from backends.spectra.expression import parse  # noqa: E402
from backends.spectra.index_catalogue import (  # noqa: E402
    catalogue,
    compute_indices,
    fit_index,
    index_called,
    index_table,
)

NM = np.array([443, 490, 531, 560, 605, 665, 705, 740, 783, 842, 865, 945, 1610, 2190, 10_900.0])


def scene_of(nm: Any = NM, scale: float = 1.0, **table: Any) -> Scene:
    rng = np.random.default_rng(0)
    cube = (rng.uniform(0.05, 0.6, (12, 9, len(nm))) * scale).astype(np.float32)
    bands = BandTable.build(len(nm), wavelength_nm=nm, **table)
    return Scene(ArraySource(cube), SceneInfo(None, "hyperspectral", bands, title="Plain"))


def test_every_index_gives_what_spyndex_gives() -> None:
    scene = scene_of()
    cube = scene.read(physical=True).astype(float)
    done = 0
    for index in catalogue().values():
        fitted = fit_index(scene, index)
        if fitted.reason or index.domain == "kernel":
            continue
        found = parse(fitted.text, {"b": scene}).evaluate()
        given = {t.letter: cube[:, :, t.band] for t in fitted.taken} | dict(fitted.constants or {})
        with np.errstate(all="ignore"):
            wanted = spyndex.computeIndex(index.id, given)
        close = np.isclose(found, wanted, rtol=2e-3, atol=1e-5)
        assert (close | ~np.isfinite(wanted)).mean() > 0.95, index.id
        done += 1
    assert done > 230


def test_kernels_are_written_out() -> None:
    scene = scene_of()
    found = parse(fit_index(scene, index_called("kNDVI")).text, {"b": scene}).evaluate()
    cube = scene.read(physical=True).astype(float)
    kernel = np.exp(-((cube[:, :, 9] - cube[:, :, 5]) ** 2) / (2 * 0.5**2))
    np.testing.assert_allclose(found, (1 - kernel) / (1 + kernel), rtol=1e-4, atol=1e-6)


def test_bands_are_the_nearest_good_ones_and_how_far_is_said() -> None:
    good = [True] * 15
    good[9] = False  # 842 nm: the next one in the near infrared stands in
    made = compute_indices(scene_of(good=good), ["ndvi", "NBR"])
    assert [o.title for o in made.overlays] == ["NDVI", "NBR"]
    rows = {(r["index"], r["letter"]): r for r in made.tables["index_bands"]}
    assert rows["NDVI", "N"] == {
        "index": "NDVI", "letter": "N", "meaning": "near infrared", "band": 11,
        "wavelength_nm": 865.0, "away_nm": 23.0,
    }  # fmt: skip
    assert rows["NBR", "S2"]["away_nm"] == 0
    assert made.overlays[0].provenance.parameters["formula"] == (
        "(band[11]-band[6])/(band[11]+band[6])"
    )


def test_what_a_scene_lacks_is_a_reason() -> None:
    visible = scene_of(NM[:6])
    assert fit_index(visible, index_called("NDVI")).reason == (
        "No good band from 760 to 900 nm (near infrared)."
    )
    with pytest.raises(BadInput, match=r"Plain cannot have NDVI\. No good band from 760"):
        compute_indices(visible, ["NDVI"])
    table = {r["index"]: r["missing"] for r in index_table(visible)}
    assert table["NGRDI"] is None
    assert "radar" in table["RFDI"]
    nameless = Scene(
        ArraySource(np.ones((3, 3, 4), np.float32)),
        SceneInfo(None, "raster", BandTable.build(4), title="Plain"),
    )
    assert "wavelengths" in fit_index(nameless, index_called("NDVI")).reason
    with pytest.raises(WrongUse, match="no index NDV"):
        index_called("NDV")
    with pytest.raises(WrongUse, match="No index is named"):
        compute_indices(visible, [])


def test_constants_made_for_reflectance_are_said_where_values_go_beyond() -> None:
    counts = scene_of(scale=10_000)
    notes = {n: compute_indices(counts, [n]).summary["notes"] for n in ("NDVI", "SAVI", "EVI")}
    assert not notes["NDVI"]
    assert "made for reflectance" in notes["SAVI"][0]
    assert "made for reflectance" in notes["EVI"][0]
    assert not compute_indices(scene_of(), ["SAVI"]).summary["notes"]


def test_the_command_line_lists_searches_and_computes(
    clearband_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["spectra", "index", "--list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["indices"]) > 250
    scene = next(clearband_data.rglob("hls_10band_224.tif"), None)
    assert run(["spectra", "index", "--search", "burn normalized", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["indices"]
    assert "NBR" in [row["index"] for row in found]
    assert all(row["domain"] == "burn" or "burn" in row["title"].lower() for row in found)
    assert run(["spectra", "index", "--search", "no such thing"]) == 2
    assert run(["spectra", "index"]) == 2
    assert scene is not None
    assert run(["spectra", "index", str(scene), "NDVI"]) == 3  # a TIFF without wavelengths
    assert "wavelengths" in capsys.readouterr().err
    from backends.simulate import demo_scene

    valley, _ = demo_scene("valley", size=24, folder=tmp_path)
    words = ["spectra", "index", str(valley), "NDVI", "CRI550", "--out", str(tmp_path / "o")]
    assert run([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["index"] for row in said["figures"]] == ["NDVI", "CRI550"]
    assert said["indices"] == ["NDVI", "CRI550"]
    assert {path.name for path in (tmp_path / "o").iterdir()} >= {
        "ndvi.tif", "cri550.tif", "indices.csv", "index_bands.csv", "result.json"
    }  # fmt: skip
