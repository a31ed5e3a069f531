"""The trade's allowed values travel inside the GeoPackage, and a foreign value is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyogrio
import pytest

from backends.perimeters.deliverables.deliver import deliver
from backends.perimeters.deliverables.domains import check_domains
from backends.perimeters.deliverables.options import DeliveryOptions
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.schema import MAP_METHODS, STATUSES


def test_fields_and_domains_are_in_the_file(draft: PerimeterDocument, tmp_path: Path) -> None:
    made = deliver(draft, tmp_path / "out", DeliveryOptions(("geopackage",)))
    path = next(f.path for f in made.files if f.product == "geopackage")
    layers = [str(n) for n in pyogrio.list_layers(path)[:, 0] if "Perimeter" in n]
    with closing(sqlite3.connect(path)) as base:
        domains: dict[str, set[str]] = {}
        for name, value in base.execute(
            "SELECT constraint_name, value FROM gpkg_data_column_constraints"
        ):
            domains.setdefault(name, set()).add(value)
        told = dict(
            base.execute(
                "SELECT column_name, constraint_name FROM gpkg_data_columns WHERE table_name = ?",
                (layers[0],),
            )
        )
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        extensions = {row[0] for row in base.execute("SELECT extension_name FROM gpkg_extensions")}
    assert "gpkg_schema" in extensions
    assert domains["nifs_mapmethod"] == set(MAP_METHODS)
    assert domains[told["FeatureStatus"]] == set(STATUSES)
    assert told["IncidentName"] is None
    check_domains(path, layers)
    # Another program reads the file as before.
    assert pyogrio.read_info(path, layer=layers[0])["features"] == 1

    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE gpkg_data_column_constraints SET value = 'Maybe' WHERE value = 'Yes'")
    with pytest.raises(OSError, match="lacks the allowed values of IsVisible"):
        check_domains(path, layers)


def test_a_value_of_no_domain_is_found(draft: PerimeterDocument, tmp_path: Path) -> None:
    made = deliver(draft, tmp_path / "out", DeliveryOptions(("geopackage",)))
    path = next(f.path for f in made.files if f.product == "geopackage")
    layer = next(str(n) for n in pyogrio.list_layers(path)[:, 0] if "Perimeter" in n)
    with closing(sqlite3.connect(path)) as base, base:
        for (name,) in base.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            base.execute(f'DROP TRIGGER "{name}"')  # they want GDAL's functions
        base.execute(f"UPDATE \"{layer}\" SET FeatureStatus = 'Fine'")
    with pytest.raises(OSError, match="FeatureStatus in .* is Fine, not allowed"):
        check_domains(path, [layer])
