"""Zarr 2 and 3, OME-Zarr 0.4 and 0.5: what is written comes back; hostile stores are sentences."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.storage import ZipStore

from backends.errors import BadInput, ClearbandError, NeedsChoice
from backends.io import open_scene
from backends.scene import Window

CUBE = np.random.default_rng(2).integers(0, 4000, (24, 30, 12)).astype(np.int16)
NM = np.linspace(450, 2400, 12)


def save(
    path: Path,
    array: np.ndarray,
    version: int = 3,
    chunks: tuple[int, ...] | None = None,
    **more: Any,
) -> Any:
    made = zarr.create_array(
        path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=chunks or tuple(min(10, n) for n in array.shape),
        zarr_format=version,
        **more,
    )
    made[...] = array
    return made


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    version=st.sampled_from([2, 3]),
    dtype=st.sampled_from(["u1", "<i2", ">u2", "i4", "f4", "f8", "?"]),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5)),
    data=st.data(),
)
def test_any_array_comes_back(
    tmp_path_factory: pytest.TempPathFactory, version: int, dtype: str, shape: Any, data: Any
) -> None:
    array = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    path = tmp_path_factory.mktemp("z") / "a.zarr"
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    names = {"dimension_names": ["y", "x", "band"]} if version == 3 else {}
    save(path, array, version, chunks, **names)
    if version == 2:
        (path / ".zattrs").write_text(json.dumps({"_ARRAY_DIMENSIONS": ["y", "x", "band"]}))
    bands = data.draw(st.lists(st.integers(0, shape[2] - 1), min_size=1, max_size=6))
    row, col = data.draw(st.integers(0, shape[0] - 1)), data.draw(st.integers(0, shape[1] - 1))
    with open_scene(path) as scene:
        assert scene.shape == shape
        np.testing.assert_array_equal(scene.read(), array)
        got = scene.read(Window(row, col, 3, 4), bands)
        np.testing.assert_array_equal(got, array[row : row + 3, col : col + 4][:, :, bands])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("how", ["attribute", "coordinate"])
def test_xarrays_layout_gives_wavelengths_and_place(tmp_path: Path, version: int, how: str) -> None:
    path = tmp_path / "scene.zarr"
    group = zarr.create_group(path, zarr_format=version)
    cube = save(path / "reflectance", CUBE.transpose(2, 0, 1), version)
    names = ["wavelength", "y", "x"]
    if version == 2:
        cube.attrs["_ARRAY_DIMENSIONS"] = names
    else:
        meta = json.loads((path / "reflectance" / "zarr.json").read_text())
        meta["dimension_names"] = names
        (path / "reflectance" / "zarr.json").write_text(json.dumps(meta))
    if how == "attribute":
        group.attrs["wavelength_nm"] = NM.tolist()
    else:
        save(path / "wavelength", NM / 1000, version).attrs["units"] = "um"
    save(path / "x", 500_000 + 30 * np.arange(30.0) + 15, version)
    save(path / "y", 4_000_000 - 30 * np.arange(24.0) - 15, version)
    save(path / "spatial_ref", np.zeros((1,), "i4"), version).attrs["crs_wkt"] = "EPSG:32633"
    with open_scene(path) as scene:
        assert scene.shape == (24, 30, 12)
        np.testing.assert_allclose(scene.bands.wavelengths(), NM)
        np.testing.assert_array_equal(scene.read(bands=[3]), CUBE[:, :, 3:4])
        assert scene.place is not None
        assert scene.place.affine == pytest.approx((30, 0, 500_000, 0, -30, 4_000_000))  # type: ignore[union-attr]
    assert open_scene(path / "reflectance").shape == (24, 30, 12)


def write_ome(path: Path, version: str, *, depth: int = 3) -> np.ndarray:
    """Write a pyramid of t, c, z, y, x with two channels."""
    number = 2 if version == "0.4" else 3
    image = np.random.default_rng(0).integers(0, 60_000, (2, 2, depth, 40, 60)).astype("u2")
    group = zarr.create_group(path, zarr_format=number)
    datasets = []
    for level in range(3):
        step = 2**level
        save(path / str(level), image[..., ::step, ::step], number, (1, 1, 1, 16, 16))
        scale = [1, 1, 2.0, 0.5e-3 * step, 0.25e-3 * step]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
        )
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        *({"name": n, "type": "space", "unit": "millimeter"} for n in "zyx"),
    ]
    about = {
        "multiscales": [{"version": version, "axes": axes, "datasets": datasets}],
        "omero": {"channels": [{"label": "DAPI"}, {"label": "GFP"}]},
    }
    group.attrs.update(about if version == "0.4" else {"ome": about | {"version": version}})
    return image


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_pyramid(tmp_path: Path, version: str) -> None:
    image = write_ome(tmp_path / "a.zarr", version)
    with open_scene(tmp_path / "a.zarr") as scene:
        assert scene.shape == (40, 60, 2)
        assert list(scene.level_shapes) == [(40, 60), (20, 30), (10, 15)]
        assert scene.bands.names == ("DAPI", "GFP")
        assert scene.info.pixel_unit == "µm"
        assert scene.info.pixel_size == pytest.approx((0.5, 0.25))
        assert scene.info.facts == {"Axis t": "1 of 2", "Axis z": "2 of 3"}
        np.testing.assert_array_equal(scene.read(), image[0, :, 1].transpose(1, 2, 0))
        np.testing.assert_array_equal(
            scene.read(bands=[1], level=2)[:, :, 0], image[0, 1, 1, ::4, ::4]
        )
    with open_scene(tmp_path / "a.zarr", {"z": 3, "time": 2}) as scene:
        np.testing.assert_array_equal(scene.read(), image[1, :, 2].transpose(1, 2, 0))
    with pytest.raises(BadInput, match="has no z 4"):
        open_scene(tmp_path / "a.zarr", {"z": 4})


def test_several_images_ask(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "a.zarr")
    for name in "01":
        write_ome(tmp_path / "a.zarr" / name, "0.5")
    with pytest.raises(NeedsChoice) as caught:
        open_scene(tmp_path / "a.zarr")
    assert caught.value.choices == ("0", "1")
    with open_scene(tmp_path / "a.zarr", {"key": "1"}) as scene:
        assert scene.shape == (40, 60, 2)


def test_zip_and_shards(tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "a.zarr.zip", mode="w")
    made = zarr.create_array(
        store, shape=CUBE.shape, dtype=CUBE.dtype, chunks=(8, 10, 4), shards=(24, 30, 12)
    )
    made[...] = CUBE
    store.close()
    with open_scene(tmp_path / "a.zarr.zip") as scene:
        np.testing.assert_array_equal(scene.read(Window(3, 4, 9, 11)), CUBE[3:12, 4:15])


def test_only_the_pieces_under_the_window_are_needed(tmp_path: Path) -> None:
    save(tmp_path / "a.zarr", CUBE, 2, (8, 10, 12), compressors=None)
    for piece in (tmp_path / "a.zarr").glob("[0-9]*"):
        if piece.name != "0.0.0":
            piece.write_bytes(b"broken")
    with open_scene(tmp_path / "a.zarr") as scene:
        np.testing.assert_array_equal(scene.read(Window(0, 0, 8, 10)), CUBE[:8, :10])
        with pytest.raises(ClearbandError):
            scene.read(Window(8, 0, 1, 1))


def v2(folder: Path, **change: Any) -> Path:
    about = {
        "zarr_format": 2, "shape": [4, 5, 6], "chunks": [4, 5, 6], "dtype": "<i2",
        "compressor": None, "fill_value": 0, "order": "C", "filters": None,
    }  # fmt: skip
    folder.mkdir()
    (folder / ".zarray").write_text(json.dumps(about | change))
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtype": "|O", "filters": [{"id": "pickle"}]}, "holds Python objects"),
        ({"filters": [{"id": "pickle"}]}, "holds Python objects"),
        ({"compressor": {"id": "mystery"}}, "packed with 'mystery'"),
        ({"dtype": "<U8"}, "holds no numbers"),
        ({"shape": [10**12, 5, 6]}, "cannot be"),
        ({"shape": [-4, 5, 6]}, "cannot be"),
        ({"chunks": [0, 5, 6]}, "cannot be read"),
        ({"shape": [90000, 90000, 6], "chunks": [90000, 90000, 6]}, "cannot be read"),
        ({"chunks": [4, 5]}, "cannot be read"),
        ({"shape": [7], "chunks": [7]}, "has 1 axes"),
        ({"shape": "x"}, "incomplete"),
    ],
)
def test_hostile_descriptions(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ClearbandError, match=said):
        open_scene(v2(tmp_path / "a.zarr", **change))


def test_broken_json_and_empty_groups(tmp_path: Path) -> None:
    folder = v2(tmp_path / "a.zarr")
    (folder / ".zarray").write_text("{")
    with pytest.raises(BadInput, match="is no JSON"):
        open_scene(folder)
    zarr.create_group(tmp_path / "b.zarr")
    with pytest.raises(BadInput, match="holds no image"):
        open_scene(tmp_path / "b.zarr")


def test_damaged_metadata_never_escapes(tmp_path: Path) -> None:
    rng = random.Random(4)
    write_ome(tmp_path / "good5.zarr", "0.5", depth=1)
    write_ome(tmp_path / "good4.zarr", "0.4", depth=1)
    said: list[str] = []
    for number in range(200):
        folder = tmp_path / "bad.zarr"
        shutil.copytree(tmp_path / f"good{4 + number % 2}.zarr", folder)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        victim = rng.choice([p for p in files if p.name.startswith((".z", "zarr"))] or files)
        data = bytearray(victim.read_bytes())
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randint(1, 4)] = rng.choice([b"", b"9", b"-1", b"null", b"[", b'"'])
        victim.write_bytes(bytes(data))
        try:
            with open_scene(folder) as scene:
                scene.read(Window(0, 0, 4, 4))
        except ClearbandError as error:
            said.append(str(error))
        shutil.rmtree(folder)
    assert 50 < len(said) < 200
    assert max(len(sentence) for sentence in said) < 400
