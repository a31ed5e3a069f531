"""Annotations as GeoJSON: QuPath's files are read, nothing is lost, bad files cost a sentence."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.errors import BadInput
from backends.io.annotations import (
    looks_like_annotations,
    read_annotations,
    write_annotations,
)
from backends.regions import Outline, Region

# As QuPath 0.5 writes it: a hole, two pieces, one object in the old style, a point.
QUPATH: dict[str, Any] = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "0a1b2c3d-0000-4000-8000-000000000001",
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [[10, 20], [30, 20], [30, 50], [10, 50], [10, 20]],
                    [[15, 25], [20, 25], [20, 30], [15, 30], [15, 25]],
                ],
            },
            "properties": {
                "objectType": "annotation",
                "name": "Front",
                "classification": {"name": "Tumor", "color": [200, 0, 0]},
            },
        },
        {
            "type": "Feature",
            "id": "PathAnnotationObject",
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [
                    [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]],
                    [[[8, 8], [9, 8], [9, 9], [8, 9], [8, 8]]],
                ],
            },
            "properties": {"classification": {"name": "Stroma", "colorRGB": -6895466}},
        },
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}},
    ],
}


def put(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_a_file_of_qupath(tmp_path: Path) -> None:
    found = read_annotations(put(tmp_path / "q.geojson", QUPATH), "scene", (100, 100))
    tumor, stroma = found.regions
    assert (tumor.name, tumor.class_name, tumor.class_color) == ("Front", "Tumor", "#C80000")
    # x 10 is the left edge of column 10, whose centre is 10: half a pixel to the left of it.
    np.testing.assert_array_equal(tumor.vertices[0], (19.5, 9.5))
    assert tumor.area_px == 20 * 30 - 25
    assert tumor.mask((100, 100)).sum() == 20 * 30 - 25
    assert (len(tumor.holes), len(stroma.outlines), stroma.area_px) == (1, 2, 17)
    assert (stroma.name, stroma.class_color) == ("Stroma", "#96C896")
    assert found.skipped == 1
    assert "1 objects in it are no areas" in found.sentence("q")
    assert tumor.scene_id == "scene"


def test_what_is_drawn_over_the_edge_counts_and_what_is_far_away_is_said(tmp_path: Path) -> None:
    path = put(tmp_path / "q.geojson", QUPATH)
    assert read_annotations(path, shape=(30, 12)).outside == 0
    assert read_annotations(path, shape=(6, 6)).outside == 1
    far = json.loads(json.dumps(QUPATH))
    far["features"] = far["features"][:1]
    with pytest.raises(BadInput, match="lie outside"):
        read_annotations(put(tmp_path / "far.geojson", far), shape=(8, 8))


# Two points nearer than the last bit beside half a pixel are one: drawn ones lie on a raster.
numbers = st.integers(-64_000_000, 64_000_000).map(lambda n: n / 64)
rings = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=8, unique=True).map(
    lambda points: np.array(points, np.float64)
)
outlines = st.builds(Outline, rings, st.lists(rings, max_size=2).map(tuple))
names = st.text(max_size=30).map(lambda t: " ".join("".join(filter(str.isprintable, t)).split()))
colors = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06X}")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(outlines, st.lists(outlines, max_size=2), names, names, colors),
        min_size=1,
        max_size=4,
    )
)
def test_round_trip(tmp_path: Path, drawn: list[Any]) -> None:
    regions = [
        Region(
            name or "A", "s", first.exterior, holes=first.holes, more=tuple(rest),
            class_name=kind, class_color=color,
        )
        for first, rest, name, kind, color in drawn
    ]  # fmt: skip
    for suffix in (".geojson", ".geojson.gz"):
        path = write_annotations(regions, tmp_path / f"a{suffix}")
        assert looks_like_annotations(path)
        back = read_annotations(path, "s").regions
        assert [(r.id, r.name, r.class_name) for r in back] == [
            (r.id, r.name, r.class_name) for r in regions
        ]
        for one, two in zip(regions, back, strict=True):
            assert one.shown_color == two.shown_color
            assert len(one.outlines) == len(two.outlines)
            for a, b in zip(one.outlines, two.outlines, strict=True):
                assert len(a.holes) == len(b.holes)
                for ring, again in zip(a.rings, b.rings, strict=True):
                    # Half a pixel is added and taken away: nothing but the last bit may go.
                    np.testing.assert_allclose(ring, again, rtol=0, atol=1e-9)


def _with(change: Any, where: str = "coordinates") -> dict[str, Any]:
    copy = json.loads(json.dumps(QUPATH))
    copy["features"] = copy["features"][:1]
    copy["features"][0]["geometry"][where] = change
    return copy  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 200_000,
        '{"type": "FeatureCollection"}',
        '{"type": "FeatureCollection", "features": 5}',
        '{"type": "FeatureCollection", "features": [1, 2]}',
        '{"type": "FeatureCollection", "features": []}',
        json.dumps(_with([[[0, 0], [1, 0], ["a", 1]]])),
        json.dumps(_with([[[0, 0], [1, 0], [True, 1]]])),
        json.dumps(_with([[[0, 0], [1, 0], None]])),
        json.dumps(_with([[[0, 0], [1, 0], [1e300, 1]]])),
        json.dumps(_with([[[0, 0], [1, 0], [10**400, 1]]])),
        json.dumps(_with([[[0, 0], [1, 0], [0, 0]]])),
        json.dumps(_with(7)),
        json.dumps(_with([7])),
        json.dumps(_with([[[0, 0], [1, 0], [float("nan"), 1]]])),
        json.dumps(_with("Volume", "type")),
    ],
)  # fmt: skip
def test_bad_files_cost_a_sentence(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_annotations(put(tmp_path / "bad.geojson", content))
    assert str(caught.value).startswith("bad.geojson")


def test_odd_properties_do_no_harm(tmp_path: Path) -> None:
    odd = json.loads(json.dumps(QUPATH))
    odd["features"][0]["properties"] = {
        "name": "a\x00b\u202e\n" + "x" * 10_000,
        "classification": {"names": ["Tumor", "Positive", 3], "color": [1, 2, "x"]},
    }
    odd["features"][1]["properties"] = ["no", "mapping"]
    odd["features"][1]["id"] = odd["features"][0]["id"]
    first, second = read_annotations(put(tmp_path / "odd.geojson", odd)).regions
    assert len(first.name) == 200
    assert first.name.startswith("a b x")
    assert (first.class_name, first.class_color) == ("Tumor: Positive", "")
    assert first.id != second.id


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import backends.io.annotations as module

    path = put(tmp_path / "q.geojson", QUPATH)
    packed = tmp_path / "q.geojson.gz"
    packed.write_bytes(gzip.compress(b" " * 5000 + path.read_bytes()))
    for limit, value, file in (
        ("LARGEST_BYTES", 100, path),
        ("LARGEST_BYTES", 4000, packed),
        ("MOST_AREAS", 2, path),
        ("MOST_POINTS", 9, path),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, value)
            with pytest.raises(BadInput, match="at most|unpacked|no pixel"):
                read_annotations(file)
    assert len(read_annotations(packed).regions) == 2


def test_what_else_is_json_is_no_annotation(tmp_path: Path) -> None:
    assert not looks_like_annotations(put(tmp_path / "a.json", {"zarr_format": 3}))
    assert not looks_like_annotations(put(tmp_path / "a.tif", QUPATH))
    assert looks_like_annotations(put(tmp_path / "b.json", QUPATH))
