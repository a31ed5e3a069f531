"""A probability around a fire with an island, a small spot, a faint one and a gap in the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.probability import ArraySource

AFFINE = (10.0, 0.0, 400_000.0, 0.0, -10.0, 4_100_000.0)
CRS = "EPSG:32611"


@pytest.fixture
def probability() -> NDArray[np.float32]:
    y, x = np.mgrid[0:200, 0:220]
    p = np.clip(1.3 - np.hypot(y - 100, x - 100) / 50, 0, 1)
    p[90:110, 90:110] = 0.0  # an island of 9.9 ac
    p[100, 40:160] = np.maximum(p[100, 40:160], 0.0)
    p[20:22, 20:22] = 0.9
    p[150:154, 190:193] = 0.4
    p[:20, 180:] = np.nan
    return np.asarray(p, np.float32)


@pytest.fixture
def source(probability: NDArray[np.float32]) -> ArraySource:
    return ArraySource(probability, AFFINE, CRS)


@pytest.fixture
def raster(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes an array as GeoTIFF."""

    def write(
        values: NDArray[np.float32],
        name: str = "p.tif",
        crs: str | None = CRS,
        affine: tuple = AFFINE,
    ) -> Path:
        import rasterio
        from affine import Affine

        rows, cols = values.shape
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", height=rows, width=cols, count=1,
            dtype=values.dtype, crs=crs, transform=Affine(*affine),
        ) as out:  # fmt: skip
            out.write(values, 1)
        return tmp_path / name

    return write


def ring(n: int = 2000, *, x: float = 500_000.0, y: float = 4_000_000.0) -> shapely.Polygon:
    """Return a crooked outline of about 3 km radius."""
    a = np.linspace(0, 2 * np.pi, n, endpoint=False)
    r = 3000 + 200 * np.sin(9 * a) + 60 * np.sin(57 * a)
    return shapely.Polygon(np.column_stack((x + r * np.cos(a), y + r * np.sin(a))))


@pytest.fixture
def document() -> PerimeterDocument:
    island = shapely.Point(500_000, 4_000_000).buffer(300)
    point = Feature(
        HeatClass.ISOLATED, shapely.Point(505_000, 4_001_000), {"method": "isolated", "text": "one"}
    )
    return PerimeterDocument(
        CRS,
        [Feature(HeatClass.PERIMETER, ring().difference(island)), point],
        attributes={
            "IncidentName": "Goat Peak",
            "IRWINID": "{7B2F6C0E-3A7D-4B0E-9C42-1F0A5D3E8A11}",
            "ContactName": "Ann Lee",
        },
        image="night.tif",
        image_digest="ab" * 32,
        image_utc="2026-08-29T04:12:00Z",
        who="Ann Lee",
    )
