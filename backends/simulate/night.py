"""An analyst's night as files: tonight's flight line, and the line that was drawn yesterday.

The same simulated fire on two days; yesterday's line goes around all that had burnt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from backends.io.writers.atomic import replacing, write_text
from backends.jobs import Progress
from backends.simulate.ams import AmsScene, simulate_ams

INCIDENT = "Cedar Ridge"
IRWIN = "{7B2F6C0E-0000-4000-8000-000000000001}"
# Long past, so that no clock takes them for the future; 02:50 and 02:58 in Boise.
TAKEN_UTC, YESTERDAY_UTC = "2025-08-29T08:50:00Z", "2025-08-28T08:58:00Z"
ZONE = "America/Boise"
_SIZE, _SEED, _SPREAD = 512, 4, 0.06


@dataclass(frozen=True)
class Night:
    """Files of a night.

    Attributes
    ----------
    image : Path
        Tonight's flight line in the published 12-band form.
    yesterday : Path
        Yesterday's line as GeoJSON.
    """

    image: Path
    yesterday: Path


def make_night(folder: Path, *, progress: Progress | None = None) -> Night:
    """Write the files of a night into a folder, made where it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    night = night_of(folder)
    tonight = simulate_ams(_SIZE, seed=_SEED, variant="night", spread=_SPREAD, progress=progress)
    write_published(tonight, night.image)
    before = simulate_ams(_SIZE, seed=_SEED, variant="night", progress=progress)
    write_text(night.yesterday, _outline(before))
    return night


def night_of(folder: Path) -> Night:
    """Return the names of a night's files in a folder."""
    return Night(folder / "AMS_CedarRidge_20250829.tif", folder / "CedarRidge_20250828.geojson")


def write_published(made: AmsScene, path: Path) -> None:
    """Write a simulated line in the published form: GeoTIFF of 12 bands, 8 bits, named."""
    import rasterio

    values = made.stored().transpose(2, 0, 1)
    count, rows, cols = values.shape
    with replacing(path) as beside, rasterio.open(
        beside, "w", driver="GTiff", height=rows, width=cols, count=count, dtype="uint8",
        crs=made.place.crs, transform=rasterio.Affine(*made.place.affine), compress="deflate",
    ) as file:  # fmt: skip
        file.write(values)
        for number, channel in enumerate(made.sensor.channels[:count], 1):
            file.set_band_description(number, f"AMS {number} ({channel.peak_um:g} µm)")


def _outline(made: AmsScene) -> str:
    from backends.perimeters.coordinates import WGS84, moved
    from backends.perimeters.scenes import draft_on_scene

    document, _ = draft_on_scene(made.to_scene(), made.burnt.astype(np.float32))
    line = document.perimeter
    west = min(shapely.get_coordinates(line), key=lambda place: place[0])
    # A spot at the heel that is out tonight: the analyst has to say why the line shrinks there.
    line = shapely.union(line, shapely.Point(west).buffer(90.0))
    shape = json.loads(shapely.to_geojson(moved(line, document.crs, WGS84)))
    facts = {
        "IncidentName": INCIDENT, "IRWINID": IRWIN, "PolygonDateTime": YESTERDAY_UTC,
        "FeatureCategory": "Wildfire Daily Fire Perimeter",
    }  # fmt: skip
    feature = {"type": "Feature", "properties": facts, "geometry": shape}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})
