"""A fire with every class of heat, an island, and yesterday's line."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass

CRS = "EPSG:32611"
PREVIOUS_AC = 5_000.0


def goat(*, east: float = 0.0, irwin: str = "7B2F6C0E", **attributes: str) -> PerimeterDocument:
    a = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    r = 3000 + 200 * np.sin(9 * a)
    x, y = 500_000 + east, 4_000_000
    line = shapely.Polygon(np.column_stack((x + r * np.cos(a), y + r * np.sin(a))))
    line = line.difference(shapely.Point(x, y).buffer(300))
    features = [
        Feature(HeatClass.PERIMETER, line, {"method": "hysteresis", "text": "p ≥ 0.3 near 0.5"}),
        Feature(HeatClass.INTENSE, shapely.Point(x + 1500, y + 1000).buffer(700)),
        Feature(HeatClass.SCATTERED, shapely.Point(x - 1500, y + 900).buffer(600)),
        Feature(HeatClass.NO_DATA, shapely.box(x, y - 4000, x + 5000, y - 1500)),
        Feature(HeatClass.ISOLATED, shapely.Point(x + 5000, y + 1000)),
        Feature(HeatClass.POSSIBLE, shapely.Point(x - 4000, y + 1500)),
    ]
    key = f"{irwin}-3A7D-4B0E-9C42-1F0A5D3E8A11" if irwin else ""
    values = {"IncidentName": "Goat Peak", "IRWINID": key, "ContactName": "Ann Lée", **attributes}
    return PerimeterDocument(
        CRS, features, attributes=values, image="night.tif", image_digest="ab" * 32,
        image_utc="2026-08-29T04:12:00Z", previous=line.buffer(-250), who="Ann Lee",
        previous_label="Goat Peak 2026-08-28", origin={"interval_ac": [6900.0, 7400.0]},
    )  # fmt: skip


@pytest.fixture
def draft() -> PerimeterDocument:
    return goat()


@pytest.fixture
def verified() -> PerimeterDocument:
    document = goat()
    document.to_review("Ann Lee")
    document.verify("Ann Lee", [])
    return document
