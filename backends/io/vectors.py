"""Objects of vector files as they are: GeoPackage, shapefile (also zipped), GeoJSON, KML, KMZ.

The one place where such files are opened; what their shapes mean is for those who ask
(`backends.io.vector_areas` for regions, `backends.perimeters.importing` for fire perimeters).
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import BadInput, NeedsChoice
from backends.io.kml import LARGEST_BYTES, checked_zip, read_kml

LONLAT = "OGC:CRS84"
_IN_ARCHIVES = (".shp", ".gpkg", ".geojson", ".fgb")
Chooser = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class Vectors:
    """What a file holds, in its own coordinates.

    Attributes
    ----------
    shapes : sequence of shapely geometry or None
    fields : sequence of mapping
        The values of each.
    crs : str
        Empty where the file names none.
    """

    shapes: Sequence[Any]
    fields: Sequence[Mapping[str, Any]]
    crs: str


def read_vectors(
    path: Path,
    layer: str | None = None,
    *,
    what: str = "areas",
    option: str = "layer",
    likely: Chooser | None = None,
) -> Vectors:
    """Read the objects of a file as they are.

    Parameters
    ----------
    layer : str, optional
        Of a GeoPackage, or a file in an archive by its stem.
    what : str
        What is looked for, in messages.
    option : str
        How the caller's user names a layer.
    likely : callable, optional
        Of the names of several layers returns those that may be meant; one is then taken.

    Raises
    ------
    BadInput
        It cannot be read, or is not safe to.
    NeedsChoice
        It has several layers and it is not clear which is meant.
    """
    if not path.exists():
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Check the name and the folder."
        )
    if path.is_file() and path.stat().st_size > LARGEST_BYTES:
        raise BadInput(f"{path.name} is too large for {what}.", subject=path)
    if _is_kml(path):
        placed = read_kml(path)
        return Vectors([p.geometry for p in placed], [p.fields for p in placed], LONLAT)

    def choose(names: Sequence[str], titles: Sequence[str]) -> str:
        if layer is not None and layer in titles:
            return names[titles.index(layer)]
        meant = [names[titles.index(t)] for t in (likely(titles) if likely else ())]
        if len(names) > 1 and len(meant) != 1:
            raise NeedsChoice(
                f"{path.name} holds {len(names)} layers.",
                option=option, choices=tuple(titles), subject=path,
            )  # fmt: skip
        return meant[0] if len(names) > 1 else names[0]

    return _with_gdal(path, layer, what, choose)


def _is_kml(path: Path) -> bool:
    if path.suffix.lower() in (".kml", ".kmz"):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return b"<kml" in stream.read(4096)


def _with_gdal(
    path: Path, layer: str | None, what: str, choose: Callable[[Sequence[str], Sequence[str]], str]
) -> Vectors:
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    source = _source(path, what, choose)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's doubts about a broken file
            if source != str(path):
                layer = None  # it named the file in the archive
            layers = [str(name) for name, kind in pyogrio.list_layers(source) if kind is not None]
            if layer is None and len(layers) > 1:
                layer = choose(layers, layers)
            meta, _, wkb, columns = pyogrio.raw.read(source, layer=layer, force_2d=True)
        shapes = list(shapely.from_wkb(wkb, on_invalid="ignore"))
    except (DataSourceError, DataLayerError, ValueError, OSError) as error:
        raise BadInput(
            f"{path.name} cannot be read as {what}.",
            subject=path,
            way_out="Give a GeoPackage, GeoJSON, shapefile with its .shx and .dbf, KML or KMZ.",
            details=str(error),
        ) from error
    names = [str(name) for name in meta["fields"]]
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    return Vectors(shapes, rows or [{} for _ in shapes], str(meta["crs"] or ""))


def _source(path: Path, what: str, choose: Callable[[Sequence[str], Sequence[str]], str]) -> str:
    """Return what GDAL opens: the file, or the one within an archive."""
    if not zipfile.is_zipfile(path):
        return str(path)
    with zipfile.ZipFile(path) as archive:
        inside = [item.filename for item in checked_zip(path, archive)]
    shapes = [name for name in inside if name.lower().endswith(_IN_ARCHIVES)]
    if not shapes:
        raise BadInput(f"{path.name} holds no {what}.", subject=path)
    return f"/vsizip/{path}/{choose(shapes, [Path(name).stem for name in shapes])}"
