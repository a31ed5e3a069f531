"""Areas of vector files lie on the right pixels, or a sentence says why they cannot."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from backends.bands import BandTable
from backends.errors import BadInput, NeedsChoice
from backends.georeference import GeoReference
from backends.io.areas import read_areas
from backends.io.vector_areas import read_vector_areas
from backends.label_files import labels_for
from backends.scene import ArraySource, Scene, SceneInfo

UTM = GeoReference((30.0, 0.0, 360_000.0, 0.0, -30.0, 5_810_000.0), "EPSG:32633")
FORMATS = {"areas.gpkg": "GPKG", "areas.shp": "ESRI Shapefile", "areas.fgb": "FlatGeobuf"}


def scene(place: GeoReference | None = UTM, rows: int = 20, cols: int = 30) -> Scene:
    info = SceneInfo(None, "hyperspectral", BandTable.build(4), title="Field", place=place)
    return Scene(ArraySource(np.ones((rows, cols, 4), np.float32)), info)


def box(row: float, col: float, height: float, width: float) -> Any:
    """Return a rectangle over whole pixels, on the map."""
    x, y = 360_000 + 30 * col, 5_810_000 - 30 * row
    return shapely.box(x, y - 30 * height, x + 30 * width, y)


def write(
    path: Path, driver: str, shapes: list[Any], names: list[str], crs: str | None, kind: str = ""
) -> Path:
    data = [np.array(names, object), np.array(["crop"] * len(names), object)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that one file names no system is the test
        pyogrio.raw.write(
            str(path), np.array(shapely.to_wkb(shapes), object), data, ["name", "class"],
            driver=driver, geometry_type=kind or "Polygon", crs=crs,
        )  # fmt: skip
    return path


def turned(shape: Any, crs: str) -> Any:
    turn = Transformer.from_crs("EPSG:32633", crs, always_xy=True)
    return shapely.transform(shape, lambda p: np.column_stack(turn.transform(p[:, 0], p[:, 1])))


def wanted() -> np.ndarray:
    out = np.zeros((20, 30), bool)
    out[3:9, 5:17] = True
    out[5:7, 8:10] = False
    return out


FIELD = box(3, 5, 6, 12) - box(5, 8, 2, 2)


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("name", FORMATS)
def test_areas_are_brought_to_the_scene(tmp_path: Path, name: str, crs: str) -> None:
    path = write(tmp_path / name, FORMATS[name], [turned(FIELD, crs)], ["North"], crs)
    found = read_vector_areas(path, scene())
    (region,) = found.regions
    assert (region.name, region.class_name) == ("North", "crop")
    np.testing.assert_array_equal(region.mask((20, 30)), wanted())
    assert labels_for(scene(), path).class_names == {1: "crop"}


def test_kml_and_zipped_shapefiles(tmp_path: Path) -> None:
    kml = tmp_path / "areas.kml"
    write(kml, "KML", [turned(FIELD, "EPSG:4326")], ["North"], "EPSG:4326")
    (region,) = read_vector_areas(kml, scene()).regions
    assert region.name == "North"
    np.testing.assert_array_equal(region.mask((20, 30)), wanted())
    write(tmp_path / "one.shp", "ESRI Shapefile", [FIELD], ["North"], "EPSG:32633")
    packed = tmp_path / "areas.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for part in tmp_path.glob("one.*"):
            archive.write(part, part.name)
    (region,) = read_vector_areas(packed, scene()).regions
    np.testing.assert_array_equal(region.mask((20, 30)), wanted())


def test_pieces_are_one_region_and_points_are_pixels(tmp_path: Path) -> None:
    both = shapely.MultiPolygon([box(1, 1, 2, 2), box(10, 20, 3, 3)])
    path = write(tmp_path / "a.gpkg", "GPKG", [both], ["Two"], "EPSG:32633", "MultiPolygon")
    (region,) = read_vector_areas(path, scene()).regions
    assert len(region.outlines) == 2
    assert region.mask((20, 30)).sum() == 4 + 9
    point = shapely.Point(360_000 + 30 * 7.9, 5_810_000 - 30 * 4.1)
    path = write(tmp_path / "p.gpkg", "GPKG", [point], ["Spot"], "EPSG:32633", "Point")
    (region,) = read_vector_areas(path, scene()).regions
    assert np.argwhere(region.mask((20, 30))).tolist() == [[4, 7]]


def test_long_edges_follow_the_earth(tmp_path: Path) -> None:
    # 120 km along a parallel: its middle lies 200 m from the straight line on the map.
    wide = GeoReference((30.0, 0.0, 600_000.0, 0.0, -30.0, 5_900_000.0), "EPSG:32633")
    strip = shapely.box(16.6, 52.5, 18.4, 53.0)
    path = write(tmp_path / "a.gpkg", "GPKG", [strip], ["Strip"], "EPSG:4326")
    (region,) = read_vector_areas(path, scene(wide, 3000, 4000)).regions
    assert len(region.vertices) > 10
    turn = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True)
    row, col = wide.to_pixel(*turn.transform(17.5, 53.0))
    mask = region.mask((3000, 4000))
    assert mask[int(row) + 2, int(col)]
    assert not mask[int(row) - 2, int(col)]


def test_geojson_of_a_map_and_of_an_image(tmp_path: Path) -> None:
    def geojson(shape: Any, **properties: Any) -> Path:
        path = tmp_path / "areas.geojson"
        feature = {
            "type": "Feature", "geometry": shapely.geometry.mapping(shape),
            "properties": properties,
        }  # fmt: skip
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        return path

    for path in (geojson(turned(FIELD, "EPSG:4326")), geojson(FIELD)):  # degrees; metres
        (region,) = read_areas(path, scene()).regions
        np.testing.assert_array_equal(region.mask((20, 30)), wanted())
    drawn = geojson(shapely.box(5, 3, 17, 9), objectType="annotation", name="Drawn")
    (region,) = read_areas(drawn, scene()).regions
    assert region.name == "Drawn"
    assert region.mask((20, 30))[3:9, 5:17].all()
    assert region.mask((20, 30)).sum() == 72


def test_what_cannot_be_laid_on_the_scene_is_one_sentence(tmp_path: Path) -> None:
    shape = write(tmp_path / "no.shp", "ESRI Shapefile", [FIELD], ["North"], None)
    with pytest.raises(NeedsChoice, match="does not say which coordinate system") as asked:
        read_vector_areas(shape, scene())
    assert asked.value.choices == ("scene", "lonlat", "pixels")
    (region,) = read_vector_areas(shape, scene(), {"coordinates": "scene"}).regions
    np.testing.assert_array_equal(region.mask((20, 30)), wanted())
    sound = write(tmp_path / "ok.gpkg", "GPKG", [FIELD], ["North"], "EPSG:32633")
    for place, sentence in (
        (None, "does not say where it lies on the map"),
        (GeoReference(UTM.affine, None), "names no coordinate system"),
        (GeoReference((30, 0, 500_000, 0, -30, 5_000_000), "EPSG:32633"), "lie outside Field"),
    ):
        with pytest.raises(BadInput, match=sentence):
            read_vector_areas(sound, scene(place))
    empty = write(tmp_path / "empty.gpkg", "GPKG", [], [], "EPSG:32633")
    with pytest.raises(BadInput, match=r"empty.gpkg is empty"):
        read_vector_areas(empty, scene())
    line = shapely.LineString([(360_000, 5_810_000), (360_300, 5_809_900)])
    lines = write(tmp_path / "l.gpkg", "GPKG", [line], ["Way"], "EPSG:32633", "LineString")
    with pytest.raises(BadInput, match=r"holds no area: 1 of its objects"):
        read_vector_areas(lines, scene())
    small = write(tmp_path / "small.gpkg", "GPKG", [box(3.1, 3.1, 0.2, 0.2)], ["Dot"], "EPSG:32633")
    with pytest.raises(BadInput, match="holds the centre of a pixel"):
        labels_for(scene(), small)
    broken = tmp_path / "broken.gpkg"
    broken.write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(BadInput, match="cannot be read as areas"):
        read_vector_areas(broken, scene())
    for options, sentence in (
        ({"class": "crops"}, "has no field crops"),
        ({"coordinates": "feet"}, "no coordinates called feet"),
        ({"sheet": "1"}, "takes no option sheet"),
        ({"layer": "fields"}, "cannot be read as areas"),
    ):
        with pytest.raises(BadInput, match=sentence):
            read_vector_areas(sound, scene(), options)
    text = tmp_path / "notes.txt"
    text.write_text("no areas")
    with pytest.raises(BadInput, match="no file of areas"):
        read_areas(text, scene())


def test_several_layers_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    for number, layer in enumerate(("fields", "roads")):
        pyogrio.raw.write(
            str(path), np.array(shapely.to_wkb([FIELD]), object), [np.array(["a"], object)],
            ["name"], driver="GPKG", layer=layer, geometry_type="Polygon", crs="EPSG:32633",
            append=number > 0,
        )  # fmt: skip
    with pytest.raises(NeedsChoice, match="2 layers") as asked:
        read_vector_areas(path, scene())
    assert asked.value.choices == ("fields", "roads")
    assert len(read_vector_areas(path, scene(), {"layer": "fields"}).regions) == 1


def test_several_files_in_an_archive_are_asked_about(tmp_path: Path) -> None:
    packed = tmp_path / "both.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("fields", "roads"):
            write(tmp_path / f"{name}.shp", "ESRI Shapefile", [FIELD], [name], "EPSG:32633")
            for part in tmp_path.glob(f"{name}.*"):
                archive.write(part, part.name)
    with pytest.raises(NeedsChoice, match="holds 2 layers") as caught:
        read_areas(packed, scene())
    assert set(caught.value.choices) == {"fields", "roads"}
    (region,) = read_areas(packed, scene(), {"layer": "roads"}).regions
    assert region.name == "roads"
