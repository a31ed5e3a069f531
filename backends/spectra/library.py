"""Spectral libraries: ENVI ``.sli``, tables, texts of ECOSTRESS and USGS; on a scene's bands."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.identity import digest_of
from backends.io import envi_header as header
from backends.spectra.text_spectra import (
    SUFFIXES,
    is_text_spectrum,
    on_one_grid,
    read_text_spectra,
)

MOST_SPECTRA = 100_000
MOST_BANDS = 1 << 16
LARGEST = 256 << 20  # bytes of a library, far above any published one
_DATA = (".sli", ".lib", "", ".dat", ".img", ".bin")
_TIMES = re.compile(r"\*\s*(1e\d+|\d+(?:\.\d+)?)\s*\]?")
_GAP_STEPS = 2.5  # a wider hole between neighbours is a gap, not a step
_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True)
class SpectralLibrary:
    """Named reference spectra on one common set of bands.

    Attributes
    ----------
    names : tuple of str
        One a spectrum.
    wavelength_nm : float64 array of shape (bands,), or None
        Centre wavelengths in nm, rising; None where the file says nothing.
    values : float32 array of shape (spectra, bands)
        ``nan`` where a spectrum has no value.
    unit : str
        ``"reflectance"`` where the file says how it is scaled, else empty.
    digest : str
        Of its files (`backends.identity.digest_of`); empty for one that is in no file.
    facts : tuple of mapping
        What the file tells of each spectrum, by its own words; empty where it tells nothing.
    note : str
        What was done to read it; empty for nothing.
    """

    title: str
    names: tuple[str, ...]
    wavelength_nm: NDArray[np.float64] | None
    values: NDArray[np.float32]
    unit: str = ""
    path: Path | None = None
    digest: str = ""
    facts: tuple[Mapping[str, str], ...] = ()
    note: str = ""

    @property
    def summary(self) -> str:
        """How many spectra, over which wavelengths, in which unit, and what reading them took."""
        spectra, bands = self.values.shape
        parts = [f"{spectra:,} spectra" if spectra != 1 else "1 spectrum", f"{bands:,} wavelengths"]
        nm = self.wavelength_nm
        if nm is not None and nm.size:
            parts[-1] += f" from {nm[0]:,.0f} to {nm[-1]:,.0f} nm"
        parts += [self.unit] if self.unit else []
        return f"{', '.join(parts)}. {self.note}".strip()

    def facts_of(self, number: int) -> Mapping[str, str]:
        """Return what the file tells of a spectrum."""
        return self.facts[number] if number < len(self.facts) else {}


def is_library(path: Path) -> bool:
    """Return whether a file or folder is a spectral library in a form that is read here."""
    try:
        if path.is_dir() or path.suffix.lower() in SUFFIXES:
            return is_text_spectrum(path)
        if not path.is_file():
            return False
        if path.suffix.lower() == ".csv":
            with path.open("rb") as file:
                first = file.read(4096).decode("utf-8-sig", errors="replace")
            return _looks_like_table(first)
        found = path if path.suffix.lower() == ".hdr" else _header_beside(path)
        if found is None:
            return False
        with found.open("rb") as file:
            head = file.read(4096)
        return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:4].upper() == b"ENVI" and bool(
            re.search(rb"file type\s*=\s*ENVI Spectral Library", head, re.IGNORECASE)
        )
    except OSError:
        return False


def read_library(path: Path, check: Callable[[], None] = lambda: None) -> SpectralLibrary:
    """Read a spectral library.

    Parameters
    ----------
    path : Path
        ENVI (``.sli`` or its header), table (``.csv``), text of ECOSTRESS or USGS, or a folder
        of such texts.
    check : callable
        Called between the files of a folder; may raise to end it.

    Raises
    ------
    BadInput
        It is missing, damaged, or no library.
    """
    try:
        if path.is_dir() or path.suffix.lower() in SUFFIXES:
            return _read_texts(path, check)
        size = path.stat().st_size
        if size > LARGEST:
            raise BadInput(
                f"{path.name} is {size / 2**20:,.0f} MB, too large for a spectral library.",
                subject=path,
                way_out="Open it as an image, or choose a smaller library.",
            )
        if path.suffix.lower() == ".csv":
            library = replace(_read_table(path), digest=digest_of((path,)))
        else:
            library = _read_envi(path)
    except OSError as error:
        raise BadInput(
            f"{path.name} cannot be read: {error.strerror or error}.",
            subject=path,
            way_out="Check that it is still there and that you may read it.",
        ) from error
    return _sorted(library)


def resampled(
    library: SpectralLibrary,
    wavelength_nm: NDArray[np.float64],
    fwhm_nm: Sequence[float] | None = None,
) -> SpectralLibrary:
    """Return the library on other bands.

    A band wider than the library's steps takes the mean of the spectrum under its
    Gaussian response; a narrower one is interpolated. Where the library has no
    value near a band (outside its range, in a gap) the result is ``nan``.

    Parameters
    ----------
    wavelength_nm : float array of shape (bands,)
        Centres wanted, in nm, in any order; ``nan`` where a band has none.
    fwhm_nm : sequence of float of shape (bands,), optional
        Full widths at half maximum in nm.

    Raises
    ------
    BadInput
        The library has no wavelengths.
    """
    nm = library.wavelength_nm
    if nm is None:
        raise BadInput(
            f"{library.title} does not say at which wavelengths it was measured.",
            subject=library.path,
            way_out="Add a line 'wavelength = {…}' to its header.",
        )
    wanted = np.asarray(wavelength_nm, np.float64)
    width = np.full(wanted.shape, np.nan) if fwhm_nm is None else np.asarray(fwhm_nm, np.float64)
    step = _steps(nm)
    out = np.full((len(library.names), wanted.size), np.nan, np.float32)
    known = np.isfinite(library.values)
    filled = np.where(known, library.values, 0).astype(np.float64)
    for band, (centre, fwhm) in enumerate(zip(wanted, width, strict=True)):
        if not math.isfinite(centre) or not nm[0] - step[0] <= centre <= nm[-1] + step[-1]:
            continue
        right = min(max(int(np.searchsorted(nm, centre)), 1), nm.size - 1) if nm.size > 1 else 0
        left = max(right - 1, 0)
        local = max(step[left], step[right])
        if min(abs(nm[left] - centre), abs(nm[right] - centre)) > _GAP_STEPS / 2 * local:
            continue  # within a gap
        if math.isfinite(fwhm) and fwhm > 1.5 * local:
            weight = np.exp(-0.5 * ((nm - centre) * _FWHM_PER_SIGMA / fwhm) ** 2)
            weight[weight < 1e-3] = 0.0
            weight = weight * step
            total = known @ weight
            mean = filled @ weight / np.where(total > 0, total, 1)
            out[:, band] = np.where(total > 0.5 * weight.sum(), mean, np.nan)
        elif left == right or nm[right] == nm[left]:
            out[:, band] = library.values[:, left]
        else:
            part = min(max((centre - nm[left]) / (nm[right] - nm[left]), 0.0), 1.0)
            near = np.array([1 - part, part])
            both = library.values[:, [left, right]].astype(np.float64)
            out[:, band] = (both * near).sum(axis=1) if 0 < part < 1 else both[:, round(part)]
    return replace(library, wavelength_nm=wanted, values=out)


def _steps(nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far apart samples lie around each, gaps not counted, shape (bands,)."""
    if nm.size < 2:
        return np.full(nm.shape, 1.0)
    apart = np.diff(nm)
    usual = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
    left = np.concatenate([[apart[0]], apart])
    right = np.concatenate([apart, [apart[-1]]])
    smaller = np.minimum(left, right)
    return np.asarray(np.where(smaller > 0, np.minimum(smaller, 10 * usual), usual), np.float64)


def _sorted(library: SpectralLibrary) -> SpectralLibrary:
    nm = library.wavelength_nm
    if nm is None:
        return library
    order = np.argsort(nm, kind="stable")
    order = order[np.isfinite(nm[order])]
    return replace(library, wavelength_nm=nm[order], values=library.values[:, order])


def _read_texts(path: Path, check: Callable[[], None]) -> SpectralLibrary:
    found = read_text_spectra(path, check)
    nm, values, note = on_one_grid(found)
    units = {one.unit for one in found}
    digest = "" if path.is_dir() else digest_of((path,))
    title = path.name if path.is_dir() else found[0].name
    return SpectralLibrary(
        title, tuple(one.name for one in found), nm, values, units.pop() if len(units) == 1 else "",
        path, digest, tuple(one.facts for one in found), note,
    )  # fmt: skip


def _check_units(wavelengths: Iterable[float], path: Path) -> None:
    """Refuse wavelengths of which some are in nm and some in µm."""
    if header.mixed_units(wavelengths):
        raise BadInput(
            f"The wavelengths of {path.name} are partly in nm, partly in µm.",
            subject=path,
            way_out="Write all of them in nm.",
        )


# -- ENVI ------------------------------------------------------------------------------------


def _header_beside(path: Path) -> Path | None:
    from backends.io.envi import find_header

    return find_header(path)


def _read_envi(path: Path) -> SpectralLibrary:
    is_header = path.suffix.lower() == ".hdr"
    found = path if is_header else _header_beside(path)
    if found is None:
        raise BadInput(
            f"{path.name} has no header beside it.",
            subject=path,
            way_out=f"Put {path.stem}.hdr into the same folder.",
        )
    entries = header.read_header(found)
    if "spectral library" not in entries.get("file type", "").lower():
        raise BadInput(f"{found.name} describes no spectral library.", subject=path)
    data = _data_beside(found) if is_header else path
    count = header.whole(entries, "samples", found)
    spectra = header.whole(entries, "lines", found)
    offset = header.whole(entries, "header offset", found, default=0)
    code = header.whole(entries, "data type", found)
    dtype_code = header.DTYPES.get(code)
    if not (0 < count <= MOST_BANDS and 0 < spectra <= MOST_SPECTRA and offset >= 0):
        raise BadInput(
            f"The header {found.name} describes {spectra} spectra of {count} values.",
            subject=path,
            way_out="Correct its lines 'samples' and 'lines'.",
        )
    if dtype_code is None or dtype_code.startswith("c"):
        raise BadInput(
            f"The header {found.name} names data type {code}, which no library has.",
            subject=path,
            way_out="Correct that line.",
        )
    big = header.whole(entries, "byte order", found, default=0) == 1
    dtype = np.dtype((">" if big else "<") + dtype_code)
    needed = offset + spectra * count * dtype.itemsize
    size = data.stat().st_size
    if size < needed or needed > LARGEST:
        raise BadInput(
            f"{data.name} is {size:,} bytes long, but its header describes {needed:,}.",
            subject=data,
            way_out="The file is cut off, or the header belongs to another library.",
        )
    with data.open("rb") as file:
        file.seek(offset)
        raw = np.frombuffer(file.read(spectra * count * dtype.itemsize), dtype)
    values = raw.reshape(spectra, count).astype(np.float32)
    _check_units(header.numbers(entries.get("wavelength")) or (), path)
    table, _ = header.band_table(entries, count)
    nodata = header.numbers(entries.get("data ignore value"))
    if nodata:
        values[values == np.float32(nodata[0])] = np.nan
    good = table.good_mask()
    values[:, ~good] = np.nan
    factor = _factor(entries)
    names = header.as_list(entries.get("spectra names"))
    return SpectralLibrary(
        title=data.stem,
        names=_named(names, spectra),
        wavelength_nm=table.wavelengths() if table.has_wavelengths else None,
        values=values if factor is None else values / np.float32(factor),
        unit="" if factor is None else "reflectance",
        path=path,
        digest=digest_of((found, data)),
    )


def _data_beside(found: Path) -> Path:
    stem = found.name[: -len(found.suffix)]
    for suffix in _DATA:
        for name in (stem + suffix, stem + suffix.upper()):
            candidate = found.with_name(name)
            if candidate.is_file() and candidate != found:
                return candidate
    raise BadInput(
        f"The spectra that belong to {found.name} are missing.",
        subject=found,
        way_out=f"Put {stem}.sli into the same folder.",
    )


def _factor(entries: dict[str, str]) -> float | None:
    """Return by what values were multiplied: the scale factor, or what the axis title says."""
    listed = header.numbers(entries.get("reflectance scale factor"))
    if listed and math.isfinite(listed[0]) and listed[0] > 0:
        return listed[0]
    title = entries.get("z plot titles", "")
    match = _TIMES.search(title) if "reflectance" in title.lower() else None
    return float(match.group(1)) if match and float(match.group(1)) > 0 else None


def _named(names: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple(
        names[i] if i < len(names) and names[i] else f"Spectrum {i + 1}" for i in range(count)
    )


# -- tables ----------------------------------------------------------------------------------


def _looks_like_table(text: str) -> bool:
    """A header line with wavelengths: down the first columns, or along the first line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        return False
    first = [cell.strip().lower() for cell in lines[0].split(",")]
    if first[:2] == ["band", "wavelength_nm"]:
        return True
    if len(first) < 9:  # a table of a few numbers is no spectrum
        return False
    numbers = [_number(cell) for cell in first[1:-1]]  # the last may be cut off
    return math.isnan(_number(first[0])) and all(math.isfinite(v) and v > 0 for v in numbers)


def _read_table(path: Path) -> SpectralLibrary:
    text = path.read_text("utf-8-sig", errors="replace")
    rows: list[list[str]] = []
    unit = ""
    for line in text.splitlines():
        if line.startswith("# unit:"):
            unit = line.partition(":")[2].strip()
        elif line.strip() and not line.startswith("#"):
            rows.append([cell.strip() for cell in next(csv.reader([line]), [])])
    if not _looks_like_table("\n".join(",".join(row) for row in rows[:2])):
        raise BadInput(
            f"{path.name} is not a table of spectra.",
            subject=path,
            way_out="Its first line must list wavelengths, or begin with band,wavelength_nm.",
        )
    if [cell.lower() for cell in rows[0][:2]] == ["band", "wavelength_nm"]:
        return _from_columns(path, rows, unit)
    nm = np.array([_number(cell) for cell in rows[0][1:]])
    _check_units(nm.tolist(), path)
    nm = nm * (1e3 if np.nanmax(nm) < 100 else 1.0)
    body = [row for row in rows[1:] if len(row) == len(rows[0])]
    if len(body) < len(rows) - 1 or len(body) > MOST_SPECTRA:
        raise BadInput(
            f"{path.name} has lines with another number of values than its first.",
            subject=path,
            way_out="Give each spectrum one value a wavelength.",
        )
    values = np.array([[_number(cell) for cell in row[1:]] for row in body], np.float32)
    names = _named([row[0] for row in body], len(body))
    return SpectralLibrary(path.stem, names, nm, values, unit, path)


def _from_columns(path: Path, rows: list[list[str]], unit: str) -> SpectralLibrary:
    """Read a table as Clearband writes it: a line a band, a column a spectrum."""
    first = 3 if rows[0][2:3] == ["good"] else 2
    names = rows[0][first:]
    if not names or any(len(row) != len(rows[0]) for row in rows):
        raise BadInput(
            f"{path.name} has lines with another number of values than its first.",
            subject=path,
            way_out="Give each band one value a spectrum.",
        )
    table = np.array([[_number(cell) for cell in row[first:]] for row in rows[1:]], np.float32)
    nm: Any = np.array([_number(row[1]) for row in rows[1:]])
    _check_units(nm.tolist(), path)
    if first == 3:
        table[[row[2] == "0" for row in rows[1:]]] = np.nan
    known = nm if np.isfinite(nm).any() else None
    return SpectralLibrary(path.stem, _named(names, len(names)), known, table.T, unit, path)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
