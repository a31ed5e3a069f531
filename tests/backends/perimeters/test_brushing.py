"""Heat classes painted on and wiped off, one step of undo each."""

from __future__ import annotations

from typing import Any

import pytest
import shapely

from backends.errors import BadInput
from backends.perimeters.brushing import apply_stroke, stroke_off, stroke_on
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import HeatClass


def of(document: PerimeterDocument, heat: HeatClass) -> list[Any]:
    return [f.geometry for f in document.features if f.heat is heat]


def disc(x: float, radius: float = 60) -> shapely.Polygon:
    return shapely.Point(x, 4_001_000).buffer(radius)


def test_areas_grow_together_and_apart(document: PerimeterDocument) -> None:
    heat = HeatClass.INTENSE
    before = len(document.features)
    for x in (500_000, 500_400):
        apply_stroke(document, stroke_on(document, heat, disc(x)), "Ann Lee")
    assert len(of(document, heat)) == 2
    bridge = shapely.box(500_000, 4_000_990, 500_400, 4_001_010)
    apply_stroke(document, stroke_on(document, heat, bridge), "Ann Lee")
    (whole,) = of(document, heat)
    assert whole.is_valid
    assert whole.area == pytest.approx(
        shapely.union_all([disc(500_000), disc(500_400), bridge]).area
    )
    assert document.features[-1].rule["method"] == "drawn"
    apply_stroke(document, stroke_off(document, heat, disc(500_400, 90)), "Ann Lee")
    assert of(document, heat)[0].area < whole.area
    apply_stroke(document, stroke_off(document, heat, disc(500_200, 900)), "Ann Lee")
    assert not of(document, heat)
    with pytest.raises(BadInput, match="No IR Intense Heat lies under the brush"):
        stroke_off(document, heat, disc(500_000))
    for _ in range(5):
        document.history.undo()
    assert len(document.features) == before
    document.check_content()


def test_sources_are_set_and_wiped(document: PerimeterDocument) -> None:
    for heat in (HeatClass.ISOLATED, HeatClass.POSSIBLE):
        had = len(of(document, heat))
        apply_stroke(document, stroke_on(document, heat, disc(500_000)), "Ann Lee")
        assert of(document, heat)[-1].equals_exact(shapely.Point(500_000, 4_001_000), 1e-6)
        apply_stroke(document, stroke_off(document, heat, disc(500_000)), "Ann Lee")
        assert len(of(document, heat)) == had


def test_the_line_is_never_wiped_whole_nor_painted_by_a_stroke_without_area(
    document: PerimeterDocument,
) -> None:
    with pytest.raises(BadInput, match="Nothing would be left"):
        stroke_off(
            document, HeatClass.PERIMETER, shapely.box(490_000, 3_990_000, 510_000, 4_010_000)
        )
    with pytest.raises(BadInput, match="is an area"):
        stroke_on(document, HeatClass.SCATTERED, shapely.Point(500_000, 4_001_000))
    stroke = stroke_on(document, HeatClass.PERIMETER, disc(502_000))
    document.replace(document.features[0].id, disc(500_000, 900), "Move", "Ann Lee")
    with pytest.raises(BadInput, match="changed meanwhile"):
        apply_stroke(document, stroke, "Ann Lee")
