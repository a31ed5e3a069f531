"""Tables as CSV: areas of classes, confusion, spectra.

UTF-8, comma separated; lines that start with # tell where the numbers come from.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.io.writers.atomic import write_text
from backends.io.writers.tags import provenance_lines
from backends.overlays import Provenance

if TYPE_CHECKING:
    from backends.areas import ClassArea


@dataclass(frozen=True, eq=False)
class NamedSpectrum:
    """One column of a spectra table.

    Attributes
    ----------
    name : str
    values : float array of shape (bands,)
        ``nan`` where nothing is known.
    note : str
        Where it was taken, e.g. ``"row 12, column 40"``.
    """

    name: str
    values: NDArray[Any]
    note: str = ""


def write_class_areas(
    areas: Sequence[ClassArea], path: str | Path, provenance: Provenance | None = None
) -> Path:
    """Write the area of every class: pixels, share of classified pixels, m², ha."""
    rows: list[list[Any]] = [["value", "class", "color", "pixels", "percent", "area_m2", "area_ha"]]
    for area in areas:
        m2 = "" if area.area_m2 is None else f"{area.area_m2:.3f}"
        ha = "" if area.area_ha is None else f"{area.area_ha:.6f}"
        share = f"{100 * area.share:.4f}"
        rows.append([area.value, area.name, area.color, area.pixels, share, m2, ha])
    notes = sorted({area.method for area in areas if area.method})
    return write_rows(rows, path, provenance, notes)


def write_confusion(
    matrix: NDArray[Any] | Sequence[Sequence[int]],
    names: Sequence[str],
    path: str | Path,
    provenance: Provenance | None = None,
) -> Path:
    """Write a confusion matrix: a row a true class, a column a predicted one, with sums.

    Adds user and producer accuracy (share of a column, of a row, on the diagonal).

    Parameters
    ----------
    matrix : integer array of shape (classes, classes) or (classes, classes + 1)
        The further column holds pixels that were given no class.
    names : sequence of str

    Raises
    ------
    BadInput
        Names and matrix do not fit.
    """
    table = np.asarray(matrix)
    count = len(names)
    if table.ndim != 2 or table.shape[0] != count or table.shape[1] not in (count, count + 1):
        raise BadInput(f"The confusion table has shape {table.shape} for {count} classes.")
    columns = [*names, "no class"][: table.shape[1]]
    rows: list[list[Any]] = [["true \\ predicted", *columns, "sum", "producer_accuracy"]]
    for i, name in enumerate(names):
        line = table[i]
        rows.append([name, *line.tolist(), int(line.sum()), _ratio(line[i], line.sum())])
    sums = table.sum(axis=0)
    rows.append(["sum", *sums.tolist(), int(sums.sum()), ""])
    right: list[Any] = [_ratio(table[i, i], sums[i]) for i in range(count)]
    right += [""] * (len(columns) - count)
    overall = _ratio(np.trace(table), sums.sum())
    rows.append(["user_accuracy", *right, "", overall])
    return write_rows(rows, path, provenance, ["The last number is the overall accuracy."])


def write_spectra(
    spectra: Sequence[NamedSpectrum],
    bands: BandTable,
    path: str | Path,
    *,
    unit: str = "",
    provenance: Provenance | None = None,
) -> Path:
    """Write spectra: a row a band, a column a spectrum; bands without a value stay empty.

    Raises
    ------
    BadInput
        There are none, or one has another number of bands.
    """
    if not spectra:
        raise BadInput("There is no spectrum to write.", way_out="Pin a pixel with S first.")
    for spectrum in spectra:
        if len(spectrum.values) != len(bands):
            raise BadInput(f"{spectrum.name} does not have the {len(bands)} bands of the scene.")
    rows: list[list[Any]] = [["band", "wavelength_nm", "good", *(s.name for s in spectra)]]
    nm = bands.wavelengths()
    for i, name in enumerate(bands.names):
        values = [_number(s.values[i]) for s in spectra]
        rows.append([name, _number(nm[i]), int(bands.good[i]), *values])
    notes = [f"{s.name}: {s.note}" for s in spectra if s.note]
    return write_rows(rows, path, provenance, [f"unit: {unit}"] * bool(unit) + notes)


def write_rows(
    rows: Iterable[Sequence[Any]],
    path: str | Path,
    provenance: Provenance | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write a table, the head as its first row.

    Parameters
    ----------
    rows : iterable of rows
    path : str or Path
    provenance : Provenance or None
        Told above the table, as lines that start with #.
    notes : sequence of str
        Further such lines.
    """
    text = io.StringIO()
    told = provenance_lines(provenance) if provenance is not None else []
    for line in [*(f"{name}: {value}" for name, value in told), *notes]:
        text.write(f"# {' '.join(line.split())}\n")
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([_safe(cell) for cell in row])
    write_text(path, text.getvalue())
    return Path(path)


def _safe(cell: Any) -> Any:
    """Keep a spreadsheet from running a class name as a formula."""
    if (
        isinstance(cell, str)
        and cell[:1] in ("=", "+", "-", "@", "\t", "\r")
        and not _is_number(cell)
    ):
        return f"'{cell}"
    return cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(value: Any) -> str:
    return f"{float(value):.9g}" if math.isfinite(float(value)) else ""


def _ratio(part: Any, whole: Any) -> str:
    return f"{float(part) / float(whole):.6f}" if whole else ""
