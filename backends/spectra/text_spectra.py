"""Single spectra as text: ECOSTRESS and ASTER files, USGS files of versions 6 and 7, or a folder.

ECOSTRESS (speclib.jpl.nasa.gov) and ASTER: lines ``Key: value``, then two columns. USGS version
6: a title within the header, then wavelength, reflectance, deviation. USGS version 7: a title,
then values only; the wavelengths stand in a file of their own beside it or one folder up.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

SUFFIXES = (".txt", ".asc")
MOST_FILES = 4_000
_LARGEST = 8 << 20  # bytes of one spectrum; the longest published ones have 0.2 MB
_DELETED = -1e30  # USGS writes -1.23e34 where a channel is none
_LOOKED_AT = 40  # texts of a folder, to tell whether it holds spectra
_ENTRIES = 2_000  # and no more of all that lies in it: it may be anybody's folder
_DEPTH = 3
_USGS_7 = re.compile(r"^\s*splib\d+\w*\s+Record=\d+:\s*(.+?)\s*$")
_COUNTED = re.compile(r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?(\s|$)")


@dataclass(frozen=True)
class TextSpectrum:
    """One spectrum of a file.

    Attributes
    ----------
    wavelength_nm, values : float64 arrays of shape (n,)
        As they stand in the file; ``nan`` where a value was deleted.
    unit : str
        ``"reflectance"`` (0 to 1) where the file says so, else its own word.
    facts : mapping
        What its head says: class, origin, how it was measured.
    """

    name: str
    wavelength_nm: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: str
    facts: Mapping[str, str]


def is_text_spectrum(path: Path) -> bool:
    """Tell whether a file, or the first files of a folder, are spectra as text."""
    if path.is_dir():
        return any(is_text_spectrum(p) for p in islice(_inside(path, _ENTRIES), _LOOKED_AT))
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(4096).decode("latin-1")
    if _is_keyed(head):
        return True
    first = head.lstrip("\r\n").split("\n", 1)[0]
    if (found := _USGS_7.match(first)) is not None:
        return "wavelengths" not in found[1].lower()
    return "USGS Digital Spectral Library" in head


def read_text_spectra(path: Path, check: Callable[[], None] = lambda: None) -> list[TextSpectrum]:
    """Read a file, or all spectra of a folder and the folders in it.

    Parameters
    ----------
    check : callable
        Called before each file; may raise to end it.

    Raises
    ------
    BadInput
        It holds no spectrum, too many, or values without wavelengths.
    """
    if not path.is_dir():
        return [_read(path)]
    files = [p for p in islice(_inside(path), MOST_FILES + 100) if is_text_spectrum(p)]
    if len(files) > MOST_FILES:
        raise BadInput(
            f"{path.name} holds more than {MOST_FILES:,} spectra.",
            subject=path,
            way_out="Open one of the folders in it.",
        )
    found = []
    for file in files:
        check()
        found.append(_read(file))
    if not found:
        raise BadInput(f"{path.name} holds no spectrum.", subject=path)
    return found


def on_one_grid(
    spectra: list[TextSpectrum],
) -> tuple[NDArray[np.float64], NDArray[np.float32], str]:
    """Return all spectra on the wavelengths of the longest, and a note where that changed some.

    Returns
    -------
    wavelength_nm : float64 array of shape (bands,), rising
    values : float32 array of shape (spectra, bands)
        ``nan`` outside what a spectrum covers.
    note : str
    """
    widest = max(spectra, key=lambda s: s.wavelength_nm.size)
    grid = np.unique(widest.wavelength_nm[np.isfinite(widest.wavelength_nm)])
    out = np.full((len(spectra), grid.size), np.nan, np.float32)
    moved = 0
    for row, one in enumerate(spectra):
        known = np.isfinite(one.wavelength_nm) & np.isfinite(one.values)
        nm, values = one.wavelength_nm[known], one.values[known]
        order = np.argsort(nm, kind="stable")
        nm, values = nm[order], values[order]
        if nm.size == 0:
            continue
        out[row] = np.interp(grid, nm, values, left=np.nan, right=np.nan)
        out[row, _in_gaps(grid, one.wavelength_nm[~known], nm)] = np.nan
        moved += not np.isin(nm, grid).all()
    note = f"{moved} of {len(spectra)} spectra were interpolated" if moved else ""
    return grid, out, f"{note} to the {grid.size:,} wavelengths of {widest.name}." if note else ""


def _in_gaps(
    grid: NDArray[np.float64], deleted: NDArray[np.float64], kept: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which places of the grid lie nearer to a deleted value than to a kept one."""
    if deleted.size == 0 or kept.size == 0:
        return np.zeros(grid.size, bool)
    return _nearest(grid, np.sort(deleted)) < _nearest(grid, kept)


def _nearest(grid: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    right = np.clip(np.searchsorted(points, grid), 0, points.size - 1)
    left = np.maximum(right - 1, 0)
    return np.asarray(np.minimum(np.abs(grid - points[left]), np.abs(grid - points[right])))


def _inside(folder: Path, most: int = 10 * MOST_FILES) -> Iterator[Path]:
    """Yield text files of a folder, then of those in it, by name, among so many entries."""
    seen = 0
    level = [folder]
    for _ in range(_DEPTH):
        below: list[Path] = []
        for place in level:
            with os.scandir(place) as entries:
                names = sorted(islice(entries, max(most - seen, 0)), key=lambda e: e.name)
            seen += len(names)
            below += [Path(e.path) for e in names if e.is_dir(follow_symlinks=False)]
            for entry in names:
                if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith("."):
                    yield Path(entry.path)
        level = below


def _is_keyed(head: str) -> bool:
    return "X Units:" in head and "Y Units:" in head


def _read(path: Path) -> TextSpectrum:
    if path.stat().st_size > _LARGEST:
        raise BadInput(f"{path.name} is too large for one spectrum.", subject=path)
    lines = path.read_text("latin-1").splitlines()
    text = "\n".join(lines[:60])
    if _is_keyed(text):
        return _keyed(path, lines)
    if "USGS Digital Spectral Library" in text:
        return _usgs_6(path, lines)
    return _usgs_7(path, lines)


def _keyed(path: Path, lines: list[str]) -> TextSpectrum:
    facts: dict[str, str] = {}
    last = ""
    head: list[str] = []
    for line in lines:
        if _COUNTED.match(line) and "X Units" in facts:
            break
        head.append(line)
        key, colon, value = line.partition(":")
        if colon and not key[:1].isspace():
            last = key.strip()
            facts[last] = value.strip()
        elif line.strip() and last:  # a description runs over several lines
            facts[last] = f"{facts[last]} {line.strip()}"
    else:
        raise BadInput(f"{path.name} has a head but no values.", subject=path)
    columns = _columns(path, lines[len(head) :], 2)
    x, y = facts.get("X Units", "").lower(), facts.get("Y Units", "").lower()
    if "wavenumber" in x or "cm-1" in x or "cm^-1" in x:
        nm = 1e7 / np.where(columns[0] > 0, columns[0], np.nan)
    else:
        nm = columns[0] * (1.0 if "nano" in x or "(nm" in x else 1e3)
    percent = "percent" in y or "%" in y
    unit = "reflectance" if "reflect" in y else y
    name = facts.pop("Name", "") or path.stem
    values = columns[1] / (100 if percent else 1)
    shown = {
        k: v
        for k, v in facts.items()
        if v and v.lower() not in ("n/a", "none") and k[:2] not in ("X ", "Y ")
    }
    return TextSpectrum(name, nm, values, unit, shown)


def _usgs_6(path: Path, lines: list[str]) -> TextSpectrum:
    rule = next((n for n, line in enumerate(lines) if line.startswith("-----")), 0)
    body = next(
        (n for n in range(rule, len(lines)) if len(lines[n].split()) == 3
         and all(_COUNTED.match(word) for word in lines[n].split())), len(lines),
    )  # fmt: skip
    columns = _columns(path, lines[body:], 2)
    head = [line.strip() for line in lines[rule + 1 : body] if line.strip()]
    facts = {"History": head[1]} if len(head) > 1 else {}
    name = head[0] if head else path.stem
    return TextSpectrum(name, columns[0] * 1e3, _kept(columns[1]), "reflectance", facts)


def _usgs_7(path: Path, lines: list[str]) -> TextSpectrum:
    found = next((m for line in lines[:3] if (m := _USGS_7.match(line))), None)
    if found is None:
        raise BadInput(
            f"{path.name} is no spectrum that is known here.",
            subject=path,
            way_out="Give an ENVI library, a table, or a file of ECOSTRESS or USGS.",
        )
    values = _kept(_columns(path, lines[1:], 1)[0])
    return TextSpectrum(found[1], _wavelengths_of(path, values.size), values, "reflectance", {})


def _wavelengths_of(path: Path, count: int) -> NDArray[np.float64]:
    """Return the wavelengths that belong to a file of values, in nm.

    Raises
    ------
    BadInput
        None of that length lies near, or several of different instruments do.
    """
    fitting: dict[str, NDArray[np.float64]] = {}
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        for other in sorted(folder.glob("*avelengths*")):
            if other.suffix.lower() not in SUFFIXES or other.stat().st_size > _LARGEST:
                continue
            lines = other.read_text("latin-1").splitlines()
            nm = _columns(other, lines[1:], 1)[0] * 1e3
            if nm.size == count:
                fitting.setdefault(other.name, nm)
        if fitting:
            break
    words = set(re.split(r"[_\W]+", path.stem.lower()))
    named = [n for n in fitting if any(w.startswith(_instruments(n)) for w in words)]
    chosen = named if len(fitting) > 1 else list(fitting)
    if len(chosen) != 1:
        raise BadInput(
            f"{path.name} holds {count:,} values but not their wavelengths.",
            subject=path,
            way_out="Put the file of wavelengths of its instrument (…Wavelengths….txt) beside it.",
        )
    return fitting[chosen[0]]


def _instruments(name: str) -> tuple[str, ...]:
    """Return the words of a file of wavelengths that may name an instrument: ASD, BECK, NIC4."""
    words = re.split(r"[_\W]+", name.lower().partition("avelengths")[2])
    return tuple(w for w in words if len(w) >= 3 and w[0].isalpha() and w != "microns")


def _kept(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values < _DELETED, np.nan, values)


def _columns(path: Path, lines: list[str], count: int) -> NDArray[np.float64]:
    """Return columns of numbers, shape (count, n).

    Raises
    ------
    BadInput
        A line is no such row.
    """
    rows = []
    for line in lines:
        words = line.split()
        if not words:
            continue
        try:
            row = [float(word) for word in words[:count]]
        except ValueError:
            row = []
        if len(row) < count or any(math.isinf(v) for v in row):
            raise BadInput(
                f"{path.name} has a line that is no measurement: {line.strip()[:40]}.", subject=path
            )
        rows.append(row)
    if len(rows) < 2:
        raise BadInput(f"{path.name} holds no values.", subject=path)
    return np.array(rows, np.float64).T
