"""Perimeters that others made: GeoPackage, GeoJSON, shapefile, KML and KMZ."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from backends.errors import BadInput, NeedsChoice
from backends.io.vectors import LONLAT, read_vectors
from backends.perimeters.acreage import polygons_of
from backends.perimeters.clock import TOLERANCE, now, parsed, stamp
from backends.perimeters.coordinates import WGS84, moved, needed, short
from backends.perimeters.schema import BY_NAME, schema_name

_FAR_DEGREES = 0.03  # about 2 km: matching fires of real snapshots lie closer


@dataclass(frozen=True)
class ImportedFeature:
    """One object of a file.

    Attributes
    ----------
    geometry : shapely geometry
        As in the file, mended where it crossed itself.
    fields : mapping
        All values of the file, by the file's own names.
    attributes : mapping
        Those the schema knows, by its names.
    """

    geometry: Any
    fields: Mapping[str, Any]
    attributes: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the incident, as the file spells it."""
        return str(self.attributes.get("IncidentName") or self.fields.get("name") or "")


@dataclass(frozen=True)
class Imported:
    """What a file holds.

    Attributes
    ----------
    features : tuple of ImportedFeature
    crs : str
    notes : tuple of str
        What was mended or left out.
    """

    path: Path
    features: tuple[ImportedFeature, ...]
    crs: str
    notes: tuple[str, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the incidents, each spelling once."""
        return tuple(dict.fromkeys(f.name for f in self.features if f.name))

    def of_one_fire(self, which: str | None = None) -> tuple[Any, ImportedFeature]:
        """Return the union of one fire's polygons and the first of its objects.

        Parameters
        ----------
        which : str, optional
            Name or IRWIN ID; needed where the file holds several fires.

        Raises
        ------
        NeedsChoice
            Several fires fit: of different names, or two of one name at different places.
        """
        polygons = [f for f in self.features if polygons_of(f.geometry)]
        # Other objects of an infrared file lie inside its perimeter.
        outlines = [f for f in polygons if f.fields.get("FeatureCategory", "") in _OUTLINES]
        groups = _fires(outlines or polygons, self.crs)
        if which is not None:
            wanted = which.strip().strip("{}").casefold()
            groups = {k: v for k, v in groups.items() if wanted in _words(v[0], self.crs)}
        if not groups:
            said = f" called {which}" if which is not None else ""
            raise BadInput(f"{self.path.name} holds no perimeter{said}.", subject=self.path)
        if len(groups) > 1:
            names = {v[0].name for v in groups.values()}
            same = len(names) == 1 and any(names)
            what = f"{len(groups)} fires called {names.pop()}" if same else f"{len(groups)} fires"
            listed = list(groups.values())[:50]
            raise NeedsChoice(
                f"{self.path.name} holds {what}.",
                option="--fire",
                choices=tuple(_choice(v[0], self.crs) for v in listed),
                titles=tuple(v[0].name for v in listed),
                subject=self.path,
            )
        found = next(iter(groups.values()))
        return shapely.union_all([_area(f.geometry) for f in found]), found[0]


_HELD_LAYER = re.compile("(?<!un)contained", re.IGNORECASE)
_OUTLINES = (
    "Wildfire Daily Fire Perimeter", "Wildfire Final Fire Perimeter", "Prescribed Fire",
    "IR Heat Perimeter",
)  # fmt: skip


def read_perimeters(
    path: Path, *, crs: str | None = None, layer: str | None = None, held: bool = False
) -> Imported:
    """Read outlines from a file, chosen by its content.

    Parameters
    ----------
    crs : str, optional
        For a file that names none.
    layer : str, optional
        Of a GeoPackage.
    held : bool
        Of several layers take that of contained line, where there is one, not the perimeter.

    Raises
    ------
    BadInput
        Not readable, unsafe, too large, without coordinate system.
    NeedsChoice
        Several layers.
    """
    found = read_vectors(
        path, layer, what="outlines", option="--layer", likely=lambda names: _wanted(names, held)
    )
    # An absent system is a fact of the file and is not guessed from the numbers.
    system = WGS84 if found.crs == LONLAT else short(needed(found.crs or crs, path))
    return _imported(path, list(zip(found.shapes, found.fields, strict=True)), system)


def _wanted(names: Sequence[str], held: bool) -> list[str]:
    """Return the layers that are called as what is looked for."""
    if held and (found := [n for n in names if _HELD_LAYER.search(n)]):
        return found
    return [n for n in names if "perimeter" in n.lower()]


def _imported(path: Path, placed: Sequence[tuple[Any, Mapping[str, Any]]], crs: str) -> Imported:
    notes: list[str] = []
    features: list[ImportedFeature] = []
    late = 0
    for number, (geometry, fields) in enumerate(placed, 1):
        if geometry is None or geometry.is_empty:
            notes.append(f"Object {number} has no geometry and was left out.")
            continue
        if not np.isfinite(shapely.get_coordinates(geometry)).all():
            raise BadInput(f"Object {number} of {path.name} lies nowhere.", subject=path)
        if not geometry.is_valid:
            why = shapely.is_valid_reason(geometry)
            mended = shapely.make_valid(geometry)
            parts = polygons_of(mended)
            geometry = mended if not parts else shapely.union_all(parts)
            notes.append(f"Object {number} crossed itself ({why}); it was mended.")
        plain = {k: _plain(v) for k, v in fields.items()}
        known = {schema_name(k): v for k, v in plain.items() if v not in (None, "")}
        known.pop(None, None)
        attributes = {str(k): _value(str(k), v) for k, v in known.items()}
        late += any(_is_late(k, v) for k, v in attributes.items())
        features.append(ImportedFeature(geometry, plain, attributes))
    if not features:
        raise BadInput(f"{path.name} holds no geometry.", subject=path)
    if late:
        notes.append(f"{late} objects carry a time that lies in the future.")
    return Imported(path, tuple(features), crs, tuple(notes))


def _plain(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else f"{np.datetime_as_string(value, unit='s')}Z"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _value(name: str, value: Any) -> Any:
    """Return a value as the schema writes it; services give times in milliseconds."""
    if BY_NAME[name].kind != "time":
        return value
    try:
        if isinstance(value, (int, float)):
            return stamp(dt.datetime.fromtimestamp(value / 1000, dt.UTC))
        return stamp(parsed(str(value).replace("/", "-")))
    except (BadInput, ValueError, OverflowError, OSError):
        return str(value)


def _is_late(name: str, value: Any) -> bool:
    return BY_NAME[name].kind == "time" and str(value) > stamp(now() + TOLERANCE)


def _fires(features: list[ImportedFeature], crs: str) -> dict[str, list[ImportedFeature]]:
    """Gather objects of one fire: by IRWIN ID, else by name and place."""
    groups: dict[str, list[ImportedFeature]] = {}
    for feature in features:
        key = str(feature.attributes.get("IRWINID") or "").strip("{}").casefold()
        if not key:
            key = "".join(feature.name.split()).casefold()
            here = moved(feature.geometry, crs, WGS84)
            near = [
                k
                for k, v in groups.items()
                if k.startswith(f"{key}@")
                and moved(v[0].geometry, crs, WGS84).distance(here) < _FAR_DEGREES
            ]
            key = near[0] if near else f"{key}@{len(groups)}"
        groups.setdefault(key, []).append(feature)
    return groups


def _words(feature: ImportedFeature, crs: str) -> tuple[str, str, str]:
    key = str(feature.attributes.get("IRWINID") or "").strip("{}").casefold()
    return feature.name.strip().casefold(), key, _choice(feature, crs).casefold()


def _choice(feature: ImportedFeature, crs: str) -> str:
    """Return what tells a fire from others: its key, else its name and place."""
    key = str(feature.attributes.get("IRWINID") or "").strip("{}")
    if key:
        return key
    place = moved(feature.geometry.centroid, crs, WGS84)
    return f"{feature.name or 'unnamed'} {place.y:.3f} {place.x:.3f}"


def _area(geometry: Any) -> Any:
    return shapely.union_all(polygons_of(geometry))
