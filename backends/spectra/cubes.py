"""Other images made of a scene: a part of it, or the bands of another sensor; streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput, WrongUse
from backends.georeference import GeoReference
from backends.io.writers.cubes import Cube, write_cube
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

BUDGET = 48 << 20
MISSING = 0.02  # share of a response that may lie on empty bands
# Centre and full width at half maximum in nm, as their operators give them.
SENSORS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "sentinel2": (
        ("B01", 442.7, 20), ("B02", 492.4, 66), ("B03", 559.8, 36), ("B04", 664.6, 31),
        ("B05", 704.1, 15), ("B06", 740.5, 15), ("B07", 782.8, 20), ("B08", 832.8, 106),
        ("B8A", 864.7, 21), ("B09", 945.1, 20), ("B11", 1613.7, 91), ("B12", 2202.4, 175),
    ),
    "landsat8": (
        ("B1", 443.0, 16), ("B2", 482.0, 60), ("B3", 561.4, 57), ("B4", 654.6, 37),
        ("B5", 864.7, 28), ("B6", 1608.9, 85), ("B7", 2200.7, 187),
    ),
    "modis": (
        ("B1", 645.0, 50), ("B2", 858.5, 35), ("B3", 469.0, 20), ("B4", 555.0, 20),
        ("B5", 1240.0, 20), ("B6", 1640.0, 24), ("B7", 2130.0, 50),
    ),
}  # fmt: skip


def subset(
    scene: Scene,
    path: Path,
    *,
    window: Window | None = None,
    bands: Sequence[int] | None = None,
    mask: NDArray[np.bool_] | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a part of a scene as it is: the same values, scale and empty value.

    Parameters
    ----------
    window : Window, optional
        In pixels of the scene.
    bands : sequence of int, optional
    mask : bool array of shape (rows, cols), optional
        Pixels where it is False become empty.

    Raises
    ------
    BadInput
        No pixel or no band is left.
    """
    rows, cols, count = scene.shape
    window = Window(0, 0, rows, cols) if window is None else window.clip(rows, cols)
    chosen = list(range(count)) if bands is None else list(bands)
    if mask is not None and mask.any():
        r, c = np.nonzero(mask)
        r0, c0 = max(window.row, int(r.min())), max(window.col, int(c.min()))
        r1 = min(window.row + window.height, int(r.max()) + 1)
        c1 = min(window.col + window.width, int(c.max()) + 1)
        window = Window(r0, c0, max(0, r1 - r0), max(0, c1 - c0))
    if not window.height or not window.width or (mask is not None and not mask.any()):
        raise BadInput(
            f"The part lies outside {scene.title}.", way_out=f"It has {rows} × {cols} pixels."
        )
    if not chosen:
        raise BadInput("No band is left.", way_out="Choose other wavelengths (in nm) or bands.")
    raw = scene.info.offset == 0.0
    dtype = scene.dtype if raw else np.dtype(np.float32)
    empty = empty_value(scene, dtype) if mask is not None or scene.info.nodata is not None else None
    cube = Cube(
        (window.height, window.width, len(chosen)), dtype, taken_bands(scene.bands, chosen),
        part_of(scene, window), empty, scene.info.gain if raw else 1.0, scene.info.unit,
        scene.title, made_by("subset", scene, command), dict(scene.info.class_names),
    )  # fmt: skip

    def strips() -> Iterator[NDArray[Any]]:
        height = max(1, BUDGET // (window.width * len(chosen) * 8))
        for low in range(window.row, window.row + window.height, height):
            if progress is not None:
                progress.check()
            part = Window(
                low, window.col, min(height, window.row + window.height - low), window.width
            )
            values = scene.read(part, chosen, physical=not raw)
            if mask is not None:
                values = values.copy()
                values[~mask[part.slices]] = empty
            yield values

    written = write_cube(cube, strips(), path, progress=progress)
    return cube_summary(cube, written, row=window.row, col=window.col)


def resample_bands(
    scene: Scene,
    bands: BandTable,
    path: Path,
    *,
    sensor: str = "",
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a scene as another sensor would see it: means under Gaussian responses.

    Parameters
    ----------
    bands : BandTable
        With wavelengths; where it knows widths, they are the responses' widths at half maximum.

    Raises
    ------
    BadInput
        One of both knows no wavelengths, or the scene covers none of the bands.
    """
    from backends.spectra.library import SpectralLibrary, resampled

    for table, title in ((scene.bands, scene.title), (bands, sensor or "the other sensor")):
        if not table.has_wavelengths:
            raise BadInput(f"{title} does not know its wavelengths.", way_out="Give them to it.")
    nm = scene.bands.wavelengths()
    own = np.flatnonzero(scene.bands.good_mask() & np.isfinite(nm))
    own = own[np.argsort(nm[own], kind="stable")]
    names = tuple(scene.bands.names[b] for b in own)
    plain = SpectralLibrary(scene.title, names, nm[own], np.eye(own.size, dtype=np.float32))
    # Resampling is linear: that of each band alone gives the weights.
    weight = resampled(plain, bands.wavelengths(), bands.fwhm_nm).values
    covered = np.flatnonzero(np.isfinite(weight).all(axis=0))
    if not covered.size:
        raise BadInput(f"{scene.title} covers none of the bands of {sensor or 'the other sensor'}.")
    weight = weight[:, covered]
    used = np.flatnonzero(np.abs(weight).sum(axis=1) > 0)
    weight, read = weight[used].astype(np.float32), own[used].tolist()
    rows, cols, _ = scene.shape
    cube = Cube(
        (rows, cols, covered.size), np.dtype(np.float32), taken_bands(bands, covered.tolist()),
        scene.place if isinstance(scene.place, GeoReference) else None, float("nan"), 1.0,
        scene.info.unit, scene.title, made_by("resample", scene, command),
    )  # fmt: skip

    def strips() -> Iterator[NDArray[Any]]:
        for window, values in scene.blocks(read, budget_bytes=BUDGET, progress=progress):
            flat = values.reshape(-1, len(read))
            holes = ~np.isfinite(flat)
            if holes.any():
                missing = holes.astype(np.float32) @ weight
                found = np.where(holes, 0, flat) @ weight / np.maximum(1 - missing, 0.5)
                found[missing > MISSING] = np.nan
            else:
                found = flat @ weight
            yield found.reshape(window.height, window.width, covered.size)

    written = write_cube(cube, strips(), path, progress=progress)
    left = [bands.names[b] for b in range(len(bands)) if b not in covered]
    return cube_summary(cube, written, left_out=left, sensor=sensor or None)


def sensor_bands(name: str) -> BandTable:
    """Return the bands of a sensor that is known by name."""
    if name not in SENSORS:
        raise WrongUse(
            f"There is no sensor {name} here.",
            way_out=f"Use {', '.join(SENSORS)}, or --like SCENE for the bands of another scene.",
        )
    entries = SENSORS[name]
    return BandTable.build(
        len(entries),
        names=[n for n, _, _ in entries],
        wavelength_nm=[c for _, c, _ in entries],
        fwhm_nm=[w for _, _, w in entries],
    )


def taken_bands(table: BandTable, chosen: Sequence[int]) -> BandTable:
    """Return some of the bands of a table, in this order."""

    def of(values: tuple[Any, ...] | None) -> list[Any] | None:
        return None if values is None else [values[b] for b in chosen]

    return BandTable.build(
        len(chosen), names=of(table.names), wavelength_nm=of(table.wavelength_nm),
        fwhm_nm=of(table.fwhm_nm), good=of(table.good), axis=table.axis,
    )  # fmt: skip


def part_of(scene: Scene, window: Window) -> GeoReference | None:
    """Return the georeference of a window of a scene."""
    place = scene.place
    return place.window(window.row, window.col) if isinstance(place, GeoReference) else None


def empty_value(scene: Scene, dtype: np.dtype[Any]) -> float:
    """Return the value that means "nothing measured" in a file of this type."""
    if dtype.kind == "f":
        return float("nan")
    if scene.info.nodata is not None:
        return scene.info.nodata
    return float(np.iinfo(dtype).min)


def window_of_box(scene: Scene, box: Sequence[float], *, lonlat: bool = False) -> Window:
    """Return the pixels inside west, south, east, north, in map coordinates or degrees.

    Raises
    ------
    BadInput
        The scene has no place, or the box lies elsewhere.
    """
    place = scene.place
    if not isinstance(place, GeoReference):
        raise BadInput(
            f"{scene.title} has no place on the map.", way_out="Give --rows and --cols instead."
        )
    west, south, east, north = box
    corners = [(x, y) for x in (west, east) for y in (south, north)]
    if lonlat:
        from pyproj import Transformer

        if place.crs is None:
            raise BadInput(f"{scene.title} names no coordinate system.", way_out="Leave --lonlat.")
        turn = Transformer.from_crs("EPSG:4326", place.crs, always_xy=True)
        corners = [turn.transform(x, y) for x, y in corners]
    pixels = np.array([place.to_pixel(x, y) for x, y in corners]) + 0.5
    r0, c0 = np.floor(pixels.min(axis=0) + 1e-6).astype(int)
    r1, c1 = np.ceil(pixels.max(axis=0) - 1e-6).astype(int)
    found = Window(int(r0), int(c0), int(r1 - r0), int(c1 - c0)).clip(*scene.shape[:2])
    if not found.height or not found.width:
        raise BadInput(f"The box lies outside {scene.title}.", way_out="Check its coordinates.")
    return found


def made_by(what: str, scene: Scene, command: str) -> dict[str, str]:
    from backends import __version__

    made = {"method": what, "clearband": __version__, "scene": str(scene.info.path or scene.title)}
    return made | ({"command": command} if command else {})


def cube_summary(cube: Cube, written: Path, **more: Any) -> dict[str, Any]:
    rows, cols, count = cube.shape
    return {
        "written": [str(written)], "rows": rows, "columns": cols, "bands": count,
        "type": cube.dtype.name, **more,
    }  # fmt: skip
