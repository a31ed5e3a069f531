"""Which axis of a bare array is which, and which array in a file is the image.

Formats without a header (MATLAB, NumPy, HDF5) only give arrays; the rules are
here, once, and what was assumed is said in the scene's notes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput, NeedsChoice

LARGEST_SIDE = 1 << 24
_FIRST_TAKEN = "The first axis was taken as bands; open with bands=last if that is wrong."
_LAST_TAKEN = "The last axis was taken as bands; open with bands=first if that is wrong."


def choose_key(path: Path, shapes: Mapping[str, Sequence[int]], wanted: str | None) -> str:
    """Return the name of the array that is the image.

    The only three-dimensional array that is not tiny, else the only two-dimensional.

    Raises
    ------
    NeedsChoice
        Several fit.
    BadInput
        None fits, or the one asked for is not there.
    """
    if wanted is not None:
        if wanted not in shapes:
            known = ", ".join(shapes) or "nothing"
            raise BadInput(
                f"{path.name} has no array called {wanted}.",
                subject=path,
                way_out=f"It holds: {known}.",
            )
        return wanted
    for dimensions in (3, 2):
        fitting = [
            key
            for key, shape in shapes.items()
            if len([n for n in shape if n > 1]) == dimensions and len(shape) >= dimensions
        ]
        if dimensions == 3 and len(fitting) > 1:
            # A colour preview beside a cube is not what was meant.
            cubes = [k for k in fitting if 3 not in (shapes[k][-1], shapes[k][0])]
            fitting = cubes if len(cubes) == 1 else fitting
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise NeedsChoice(
                f"{path.name} holds several images.",
                option="key",
                choices=tuple(fitting),
                subject=path,
            )
    raise BadInput(
        f"{path.name} holds no image: no array with rows and columns.",
        subject=path,
        way_out=f"It holds: {', '.join(shapes) or 'nothing'}.",
    )


def band_axis(
    shape: Sequence[int], wanted: str | None = None, array: NDArray[Any] | None = None
) -> tuple[int, str]:
    """Return the axis of the bands in a three-dimensional array, and a note.

    Last, unless the first is much the smaller of the three (bands-first stacks of few
    bands). Where the shape leaves it open and the values are at hand, the axis along which
    neighbours are most alike: spectra are smoother than pictures. ``wanted`` may be
    ``"first"`` or ``"last"``.
    """
    if wanted in ("first", "last"):
        return (0 if wanted == "first" else 2), ""
    if wanted is not None:
        raise BadInput("The option bands must be first or last.")
    if shape[0] * 4 < min(shape[1:]):
        return 0, _FIRST_TAKEN
    if shape[0] >= 100 and shape[0] > shape[1] and shape[0] > shape[2] and shape[2] < 100:
        if array is not None and _first_is_smooth(array):
            return 0, _FIRST_TAKEN
        return 2, _LAST_TAKEN
    return 2, ""


def other_ways(notes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how else a file opens whose band axis was guessed, for `SceneInfo.other_ways`."""
    ways = {
        _FIRST_TAKEN: {"Take the last axis": {"bands": "last"}},
        _LAST_TAKEN: {"Take the first axis": {"bands": "first"}},
    }
    return next((way for note, way in ways.items() if note in notes), {})


def _first_is_smooth(array: NDArray[Any]) -> bool:
    """Tell whether neighbours along the first axis are twice as alike as along the others."""
    cut = tuple(slice(max(0, n // 2 - 48), n // 2 + 48) for n in array.shape)
    middle = np.asarray(array[cut], np.float64)
    steps = []
    for axis in range(3):
        step = np.abs(np.diff(middle, axis=axis))
        known = np.isfinite(step)
        steps.append(float(step[known].mean()) if known.any() else np.inf)
    return 2 * steps[0] < min(steps[1:])


def load_wavelengths(source: str, count: int) -> tuple[BandTable, str]:
    """Return the bands of a text file with wavelengths: one a line, or comma separated.

    Understands AVIRIS ``.spc`` calibration tables (centre, width, … a row), ENVI
    headers, and plain lists. Values below 100 are µm.

    Raises
    ------
    BadInput
        The number of wavelengths does not fit the bands.
    """
    path = Path(source).expanduser()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInput(f"The wavelength file {path.name} cannot be read.", subject=path) from error
    if text.lstrip("\ufeff \n").upper().startswith("ENVI"):
        from backends.io.envi_header import band_table, numbers, read_header

        entries = read_header(path)
        table, _ = band_table(entries, len(numbers(entries.get("wavelength")) or []))
        nm, fwhm = table.wavelengths(), np.asarray(table.fwhm_nm or [])
    else:
        rows = []
        for line in text.splitlines():
            try:
                values = [float(v) for v in line.replace(",", " ").replace(";", " ").split()]
            except ValueError:
                continue
            if values:
                rows.append(values)
        if len(rows) == 1:
            nm, fwhm = np.asarray(rows[0]), np.empty(0)
        else:
            nm = np.asarray([row[0] for row in rows])
            wide = all(len(row) > 1 for row in rows)
            fwhm = np.asarray([row[1] for row in rows]) if wide else np.empty(0)
        if nm.size and np.nanmax(nm) < 100:
            nm, fwhm = nm * 1e3, fwhm * 1e3
    note = f"wavelengths from {path.name}"
    if nm.size == 220 and count == 200:
        # Indian Pines "corrected": AVIRIS bands 104-108, 150-163 and 220 (water) left out.
        keep = np.ones(220, bool)
        keep[103:108] = keep[149:163] = keep[219] = False
        nm, fwhm = nm[keep], fwhm[keep] if fwhm.size == 220 else fwhm
        note += ", without the 20 water bands 104–108, 150–163 and 220"
    if nm.size != count:
        raise BadInput(
            f"{path.name} lists {nm.size} wavelengths for {count} bands.",
            subject=path,
            way_out="Choose the list that belongs to this image.",
        )
    table = BandTable.build(
        count, wavelength_nm=nm, fwhm_nm=fwhm if fwhm.size == count else None, note=note
    )
    return table, note


def check_size(path: Path, shape: Sequence[int], itemsize: int) -> None:
    """Refuse shapes that no file holds, before anything is allocated.

    Raises
    ------
    BadInput
    """
    total = itemsize
    for length in shape:
        total *= int(length)
    if any(n < 0 or n > LARGEST_SIDE for n in shape) or total > 1 << 44:
        raise BadInput(
            f"{path.name} claims the shape {tuple(shape)}, which cannot be.",
            subject=path,
            way_out="The file is damaged; copy it anew.",
        )
