"""Maps lie where they say: the place read back, and a vertex found on the page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import shapely

from backends.errors import BadInput
from backends.perimeters.coordinates import moved
from backends.perimeters.deliverables.backdrop import Backdrop
from backends.perimeters.deliverables.geopdf import PageReference, page_reference, viewport_of
from backends.perimeters.deliverables.options import DeliveryOptions
from backends.perimeters.deliverables.pdf import Canvas, plain_letters, write_pdf
from backends.perimeters.deliverables.pdf_reading import PdfFile
from backends.perimeters.deliverables.rows import delivered_line
from backends.perimeters.deliverables.sheet import sheet_for, write_map
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from tests.backends.perimeters.conftest import AFFINE


@pytest.mark.parametrize(
    "crs", ["EPSG:32611", "EPSG:26911", "EPSG:32733", "EPSG:5070", "EPSG:32661"]
)
def test_the_place_is_read_back(crs: str, tmp_path: Path) -> None:
    place = PageReference((30.0, 40.0, 630.0, 440.0), (4e5, 3.99e6, 4.12e5, 3.998e6), crs)
    if crs == "EPSG:32661":
        place = PageReference(place.frame, (2.3e6, 2.3e6, 2.312e6, 2.308e6), crs)
    path = tmp_path / "a.pdf"
    write_pdf(path, Canvas(700, 500), about={"Title": "É (a)"}, page=viewport_of(place, "Map"))
    found = page_reference(path)
    assert found.crs == crs
    assert found.frame == place.frame
    assert np.allclose(found.extent, place.extent, atol=1e-4)
    file = PdfFile.read(path)
    assert file.value(file.trailer["Info"])["Title"] == "É (a)"


def test_corners_are_degrees_of_the_own_datum(tmp_path: Path) -> None:
    place = PageReference((0.0, 0.0, 100.0, 100.0), (4e5, 4e6, 4.01e5, 4.001e6), "EPSG:26911")
    measure = viewport_of(place, "x")["VP"][0]["Measure"]
    corner = moved(shapely.Point(4e5, 4e6), "EPSG:26911", "EPSG:4269")
    assert measure["GPTS"][:2] == pytest.approx([corner.y, corner.x], abs=1e-12)
    assert 'PROJCS["NAD_1983_UTM_Zone_11N"' in measure["GCS"]["WKT"]


def test_vertices_are_drawn_where_they_lie(draft: PerimeterDocument, tmp_path: Path) -> None:
    line = delivered_line(draft)
    path = tmp_path / "map.pdf"
    write_map(line, path, DeliveryOptions())
    file = PdfFile.read(path)
    content = file.stream(file.first_page()["Contents"]).decode("latin-1")
    drawn = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+) [ml]\b", content), float)
    on_map = page_reference(path).to_map(drawn)
    exact = shapely.get_coordinates(draft.perimeter)
    away = np.array([np.hypot(*(on_map - p).T).min() for p in exact[::20]])
    # A thousandth of a point on paper.
    assert away.max() < 0.001 * page_reference(path).units_per_point
    assert content.count("DRAFT \x96 NOT VERIFIED") == 4
    assert "7,0" in content
    assert "planar" in content
    assert "Geodesic area on the WGS84" in content


def test_a_verified_map_has_no_mark(verified: PerimeterDocument, tmp_path: Path) -> None:
    write_map(delivered_line(verified), tmp_path / "map.pdf", DeliveryOptions())
    file = PdfFile.read(tmp_path / "map.pdf")
    content = file.stream(file.first_page()["Contents"]).decode("latin-1")
    assert "DRAFT" not in content
    assert "Verified by Ann Lee" in content


def test_upright_paper_for_an_upright_fire(tmp_path: Path) -> None:
    tall = Feature(HeatClass.PERIMETER, shapely.box(5e5, 4e6, 5.02e5, 4.009e6))
    line = delivered_line(PerimeterDocument("EPSG:32611", [tall]))
    sheet = sheet_for(line, "a4", mobile=False)
    assert sheet.size[0] < sheet.size[1]
    assert sheet.columns == 3
    assert shapely.box(*sheet.place.extent).contains(tall.geometry)
    metres = sheet.place.units_per_point * 72 / 0.0254
    assert metres == pytest.approx(sheet.scale)
    write_map(line, tmp_path / "a.pdf", DeliveryOptions(page="a4"))
    assert page_reference(tmp_path / "a.pdf").extent == pytest.approx(sheet.place.extent)


def test_imagery_lies_below(raster, probability, tmp_path: Path) -> None:
    fire = Feature(HeatClass.PERIMETER, shapely.box(400_500, 4_098_500, 401_500, 4_099_500))
    line = delivered_line(PerimeterDocument("EPSG:32611", [fire]))
    path = raster(probability)
    picture = Backdrop(path).for_frame(sheet_for(line, "letter", mobile=True).place)
    assert picture.shape[2] == 3
    assert (picture == 255).any()  # paper where there is no imagery
    assert picture.min() == round(255 * 0.45) or picture.min() == int(255 * 0.45)
    write_map(line, tmp_path / "m.pdf", DeliveryOptions(), backdrop=Backdrop(path))
    assert b"/Subtype /Image" in (tmp_path / "m.pdf").read_bytes()
    with pytest.raises(BadInput, match="has no coordinate system"):
        Backdrop(raster(probability, "n.tif", None, AFFINE)).for_frame(
            sheet_for(line, "letter", mobile=True).place
        )
    with pytest.raises(BadInput, match="cannot be shown by bands"):
        Backdrop(path, (4,)).for_frame(sheet_for(line, "letter", mobile=True).place)


@pytest.mark.parametrize("damage", ["plain", "cut", "no page"])
def test_a_page_without_a_place_is_told(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    write_pdf(path, Canvas(100, 100), about={}, page={})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "no page":
        path.write_bytes(path.read_bytes().replace(b"/Kids [", b"/Kids <"))
    with pytest.raises(BadInput):
        page_reference(path)


def test_letters_that_helvetica_lacks() -> None:
    assert plain_letters("p ≥ 0.3, Č, 火") == "p >= 0.3, C, ?"
