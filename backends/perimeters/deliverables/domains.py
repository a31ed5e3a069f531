"""The schema inside a GeoPackage: titles, descriptions and allowed values of its fields.

Written as the GeoPackage schema extension (OGC 12-128r19, annex F.9), which GIS programs read as
field domains: their forms then offer the trade's words only. Read back and compared like all else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from backends.perimeters.schema import FIELDS, Field

_URL = "http://www.geopackage.org/spec121/#extension_schema"
_TABLES = """
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
CREATE TABLE IF NOT EXISTS gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name));
CREATE TABLE IF NOT EXISTS gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
  min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
"""


def domain_name(field: Field) -> str:
    """Return what the domain of a field is called."""
    return f"nifs_{field.name.lower()}"


def describe(field: Field) -> str:
    """Return a field in words, for the column's description."""
    if field.kind == "number":
        return "Number."
    if field.kind == "time":
        return "UTC, ISO 8601."
    return f"Text, {field.width} letters at most."


def write_domains(path: Path, layers: Sequence[str]) -> None:
    """Write the schema of the fields of some layers into a GeoPackage.

    Raises
    ------
    OSError
        The file could not be written.
    """
    with _opened(path) as base, base:
        base.executescript(_TABLES)
        known = {str(row[0]) for row in base.execute("SELECT extension_name FROM gpkg_extensions")}
        if "gpkg_schema" not in known:
            base.executemany(
                "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
                [("gpkg_data_columns", _URL), ("gpkg_data_column_constraints", _URL)],
            )
        for field in FIELDS:
            base.executemany(
                "INSERT OR REPLACE INTO gpkg_data_column_constraints "
                "VALUES (?, 'enum', ?, NULL, NULL, NULL, NULL, ?)",
                [(domain_name(field), value, value) for value in field.domain],
            )
            base.executemany(
                "INSERT OR REPLACE INTO gpkg_data_columns VALUES (?, ?, NULL, ?, ?, NULL, ?)",
                [
                    (layer, field.name, field.name, describe(field),
                     domain_name(field) if field.domain else None)
                    for layer in layers
                ],
            )  # fmt: skip


def check_domains(path: Path, layers: Sequence[str]) -> None:
    """Look whether a GeoPackage has the schema, and whether every value is an allowed one.

    Raises
    ------
    OSError
        A field lacks its domain, or a value is none of it.
    """
    with _opened(path) as base:
        found: dict[str, set[str]] = {}
        rows = base.execute("SELECT constraint_name, value FROM gpkg_data_column_constraints")
        for name, value in rows:
            found.setdefault(str(name), set()).add(str(value))
        told = {
            (str(layer), str(column)): constraint
            for layer, column, constraint in base.execute(
                "SELECT table_name, column_name, constraint_name FROM gpkg_data_columns"
            )
        }
        for field in FIELDS:
            wanted = domain_name(field) if field.domain else None
            if wanted is not None and found.get(wanted) != set(field.domain):
                raise OSError(f"{path.name} lacks the allowed values of {field.name}.")
            for layer in layers:
                if told.get((layer, field.name), "") != wanted:
                    raise OSError(f"{path.name} does not describe {field.name} of {layer}.")
                for value in _values(base, layer, field) if wanted else ():
                    if value not in found[str(wanted)]:
                        raise OSError(f"{field.name} in {path.name} is {value}, not allowed.")


def _values(base: sqlite3.Connection, layer: str, field: Field) -> set[str]:
    # Names come from our own schema and layer list; quotes in them are doubled all the same.
    column, table = (name.replace('"', '""') for name in (field.name, layer))
    rows = base.execute(f'SELECT DISTINCT "{column}" FROM "{table}"')
    return {str(row[0]) for row in rows if row[0] not in (None, "")}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path)) as base:
            yield base
    except sqlite3.Error as error:
        raise OSError(f"{path.name}: {error}") from error
