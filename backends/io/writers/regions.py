"""Regions as files: GeoPackage of the map, GeoJSON of the pixels, tables, ENVI library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import BadInput
from backends.georeference import GeoReference
from backends.io.writers.atomic import replacing
from backends.regions import Region
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.spectra.region_figures import AreaFigures

KINDS = {
    ".geojson": "Areas in pixels, as QuPath reads them", ".gpkg": "GeoPackage on the map",
    ".csv": "Tables of sizes and spectra", ".sli": "ENVI library of mean spectra",
}  # fmt: skip


def write_regions(
    scene: Scene, regions: Sequence[Region], path: Path, *, progress: Progress | None = None
) -> list[Path]:
    """Write regions; the suffix says as what (`KINDS`).

    Returns
    -------
    list of Path
        What was written: a table has its spectra in a second file.

    Raises
    ------
    BadInput
        There are none, the suffix is unknown, a region holds no pixel, or the scene has no place.
    """
    from backends.io.annotations import write_annotations
    from backends.spectra.region_figures import region_figures, size_rows, spectrum_rows

    path = Path(path).expanduser()
    if not regions:
        raise BadInput("There are no regions to write.", way_out="Draw some with R.")
    kind = path.suffix.lower()
    if kind in (".geojson", ".json", ".gz"):
        return [write_annotations(regions, path, progress=progress)]
    if kind not in KINDS:
        raise BadInput(
            f"Regions are not written as {kind or 'a file without a suffix'}.",
            way_out=f"End the name with {', '.join(KINDS)}.",
        )
    found = region_figures(scene, regions, progress=progress)
    if kind == ".gpkg":
        return [write_geopackage(scene, regions, found, path)]
    if kind == ".sli":
        return [library_of(found, scene, path)]
    second = path.with_name(f"{path.stem}_spectra.csv")
    for target, rows in ((path, size_rows(found)), (second, spectrum_rows(found, scene))):
        _write_table(target, rows)
    return [path, second]


def library_of(figures: Sequence[AreaFigures], scene: Scene, path: Path) -> Path:
    """Write the mean spectrum of each area as an ENVI library."""
    from backends.io.writers.envi_library import write_envi_library
    from backends.io.writers.tables import NamedSpectrum

    means = [NamedSpectrum(f.name, f.mean, f"mean of {f.measured:,} pixels") for f in figures]
    return write_envi_library(means, scene.bands, path)


def write_geopackage(
    scene: Scene, regions: Sequence[Region], figures: Sequence[AreaFigures], path: Path
) -> Path:
    """Write regions as polygons of the map with name, class, colour and size.

    Raises
    ------
    BadInput
        The scene does not say where it lies.
    """
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    place = scene.place
    if not isinstance(place, GeoReference) or place.crs is None:
        raise BadInput(
            f"{scene.title} does not say where it lies on the map.",
            subject=path,
            way_out="Save the regions as GeoJSON, in pixels.",
        )
    shapes = [shapely.to_wkb(_on_map(region, place)) for region in regions]
    columns: dict[str, Any] = {
        "name": np.array([f.name for f in figures], object),
        "class": np.array([f.class_name for f in figures], object),
        "color": np.array([f.color for f in figures], object),
        "pixels": np.array([f.pixels for f in figures], np.int64),
        "area_m2": np.array([np.nan if f.area_m2 is None else f.area_m2 for f in figures]),
        "area_ha": np.array([np.nan if f.area_ha is None else f.area_ha for f in figures]),
    }
    with replacing(path, folders=True) as inner:
        try:
            pyogrio.raw.write(
                str(inner), np.asarray(shapes, object), list(columns.values()), list(columns),
                layer="regions", driver="GPKG", geometry_type="MultiPolygon",
                promote_to_multi=True, crs=place.crs,
            )  # fmt: skip
        except (DataLayerError, DataSourceError) as error:
            raise OSError(f"{path.name}: {error}") from error
    return path


def _on_map(region: Region, place: GeoReference) -> Any:
    import shapely

    def ring(points: Any) -> Any:
        x, y = place.to_map(points[:, 0], points[:, 1])
        return np.column_stack([x, y])

    return shapely.MultiPolygon(
        [shapely.Polygon(ring(p.exterior), [ring(h) for h in p.holes]) for p in region.outlines]
    )


def _write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    from backends.io.writers.tables import write_rows

    write_rows([list(rows[0]), *[list(row.values()) for row in rows]], path)
