"""One action: the whole set, checked, in a folder; or nothing of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from backends.errors import BadInput
from backends.io.writers.atomic import replacing_folder
from backends.perimeters.acreage import Acreage
from backends.perimeters.clock import not_in_future, parsed
from backends.perimeters.deliverables.backdrop import Below
from backends.perimeters.deliverables.geojson import write_geojson
from backends.perimeters.deliverables.geopackage import write_geopackage
from backends.perimeters.deliverables.kmz import write_kmz
from backends.perimeters.deliverables.log import FORMAT, log_facts, log_text
from backends.perimeters.deliverables.naming import file_names, stem_of
from backends.perimeters.deliverables.options import ALWAYS, PRODUCTS, DeliveryOptions
from backends.perimeters.deliverables.reopening import (
    check_geojson,
    check_geopackage,
    check_kmz,
    check_pdf,
    check_shapefiles,
    check_zip,
)  # fmt: skip
from backends.perimeters.deliverables.rows import (
    DeliveredLine,
    delivered_line,
    export_crs,
    planar_system,
)  # fmt: skip
from backends.perimeters.deliverables.shapefile import write_shapefiles
from backends.perimeters.deliverables.sheet import sheet_for, write_map
from backends.perimeters.document import PerimeterDocument
from backends.progress import Progress


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a set."""

    product: str
    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Delivery:
    """What was handed over.

    Attributes
    ----------
    folder : Path
    files : tuple of DeliveredFile
    mark : str
        DRAFT, SUPERSEDED, or nothing for a verified line.
    area : Acreage
    """

    folder: Path
    files: tuple[DeliveredFile, ...]
    mark: str
    area: Acreage

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "folder": str(self.folder),
            "mark": self.mark,
            "acres": self.area.to_dict(),
            "files": [
                {"product": f.product, "name": f.path.name, "sha256": f.sha256, "bytes": f.bytes}
                for f in self.files
            ],
        }


def deliver(
    document: PerimeterDocument,
    folder: Path,
    options: DeliveryOptions | None = None,
    *,
    backdrop: Below | None = None,
    progress: Progress | None = None,
) -> Delivery:
    """Write the set of products of a perimeter.

    Each is opened again and compared with the document; only then they take their places, all of
    them. A line that nobody verified has DRAFT in names, maps and attributes, and FeatureStatus
    Proposed.

    Parameters
    ----------
    document : PerimeterDocument
    folder : Path
        Made where it isn't there; other files in it stay.
    options : DeliveryOptions, optional
    backdrop : Below, optional
        Imagery below the lines of the maps.

    Raises
    ------
    BadInput
        No perimeter, a line that crosses itself, a time in the future, Web Mercator, products of
        another fire of the same name in the folder, a full disk. Nothing is left half-written.
    """
    options, progress = options or DeliveryOptions(), progress or Progress()
    _check_document(document)
    crs = export_crs(document, options.crs)
    line = delivered_line(document, planar_system(document, crs))
    names, stem = file_names(document, options), stem_of(document, options)
    _check_folder(line, folder, names["facts"])
    progress.start(len(names), "files", "Writing the products")
    with replacing_folder(folder) as scratch:
        made: dict[str, tuple[str, int]] = {}
        for product, write in _writers(line, options, crs, stem, backdrop).items():
            if product not in names:
                continue
            progress.check()
            write(scratch / names[product])
            made[product] = _digest(scratch / names[product])
            progress.advance()
        _write_log(line, options, crs, scratch, names, made)
        progress.advance(len(ALWAYS))
    files = tuple(DeliveredFile(p, folder / names[p], *made[p]) for p in names)
    return Delivery(folder, files, line.mark, line.area)


def _writers(
    line: DeliveredLine, options: DeliveryOptions, crs: str, stem: str, backdrop: Below | None
) -> Mapping[str, Callable[[Path], None]]:
    """Return how each product is written and checked."""

    def geopackage(path: Path) -> None:
        write_geopackage(line, path, crs)
        check_geopackage(line, path, crs)

    def shapefile(path: Path) -> None:
        write_shapefiles(line, path, crs, stem)
        check_zip(path)
        check_shapefiles(line, path, crs, stem)

    def kmz(path: Path) -> None:
        write_kmz(line, path, stem)
        check_zip(path)
        check_kmz(line, path)

    def geojson(path: Path) -> None:
        write_geojson(line, path)
        check_geojson(line, path)

    def sheet(path: Path, mobile: bool = False) -> None:
        write_map(line, path, options, backdrop=backdrop, mobile=mobile)
        page = "letter" if mobile else options.page
        check_pdf(path, sheet_for(line, page, mobile=mobile).place)

    made = {
        "geopackage": geopackage, "shapefile": shapefile, "kmz": kmz, "geojson": geojson,
        "map": sheet, "mobile": lambda path: sheet(path, True),
    }  # fmt: skip
    return {product: made[product] for product in PRODUCTS if product in made}


def _write_log(
    line: DeliveredLine,
    options: DeliveryOptions,
    crs: str,
    folder: Path,
    names: Mapping[str, str],
    made: dict[str, tuple[str, int]],
) -> None:
    files = [{"name": names[p], "sha256": m[0], "bytes": m[1]} for p, m in made.items()]
    facts = log_facts(line, options, crs, files)
    (folder / names["log"]).write_text(log_text(facts, line), encoding="utf-8")
    content = json.dumps(facts, ensure_ascii=False, indent=1, default=str)
    (folder / names["facts"]).write_text(content, encoding="utf-8")
    for product in ("log", "facts"):
        made[product] = _digest(folder / names[product])
    listed = "".join(f"{made[p][0]}  {names[p]}\n" for p in made)
    (folder / names["checksums"]).write_text(listed, encoding="utf-8")
    made["checksums"] = _digest(folder / names["checksums"])


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size


def _check_document(document: PerimeterDocument) -> None:
    document.check_content()
    document.check_clock("hand it over")
    if not document.crs:
        raise BadInput(
            "The perimeter has no coordinate system, so its lines lie nowhere on Earth.",
            way_out="Import the outline again and say which with --crs, for example EPSG:32611.",
        )
    if document.image_utc:
        what = "The time of the image"
        not_in_future(parsed(document.image_utc, what), what)


def _check_folder(line: DeliveredLine, folder: Path, name: str) -> None:
    """Keep the products of another fire that has the same name and time."""
    there = folder / name
    if not there.is_file():
        return
    try:
        facts = json.loads(there.read_bytes())
        if facts["format"] != FORMAT:
            return
        other, bounds = str(facts["irwin_id"]), [float(v) for v in facts["bounds_wgs84"]]
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing we made
    own = str(line.document.attributes.get("IRWINID") or "")
    same = facts["document"] == line.document.id
    if own and other:
        same = same or own == other
    else:
        from backends.perimeters.coordinates import WGS84, moved

        here = moved(line.perimeter.geometry, line.crs, WGS84)
        same = same or bool(shapely.box(*bounds).intersects(shapely.box(*here.bounds)))
    if not same:
        key = f" ({other})" if other else f" near {bounds[1]:.2f}, {bounds[0]:.2f}"
        raise BadInput(
            f"{folder.name} already holds products of another fire of that name{key}.",
            subject=folder,
            way_out="Choose another folder, or put {local} into the template of the names.",
        )
