"""Scenes made ready for work: bad bands, stripes, parts, another sensor's bands, another grid.

The command line and the window ask for these in the same words, so that one is the other's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.spectra.reproject import Grid

WRITING = ("subset", "destripe", "denoise", "decorrelate", "resample", "reproject")
MOST_COMPONENTS = 2000


def prepare(
    scene: Scene,
    tool: str,
    told: Mapping[str, Any],
    out: Path,
    *,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write what a tool makes of a scene.

    Parameters
    ----------
    tool : str
        One of `WRITING`.
    told : mapping
        By the names of the options of ``clearband spectra TOOL``; what is missing is as there.
    out : Path
        ``.tif`` for GeoTIFF, else ENVI.

    Returns
    -------
    dict
        ``written``, ``rows``, ``columns``, ``bands``, ``type`` and what the tool has to say.

    Raises
    ------
    WrongUse, BadInput
        The words make no sense, or do not fit the scene.
    """
    common: dict[str, Any] = {"command": command, "progress": progress}
    match tool:
        case "destripe":
            from backends.spectra.band_quality import destripe

            return destripe(
                scene, out, window=told.get("window", 31), gains=told.get("gains", True), **common
            )
        case "subset":
            from backends.spectra.cubes import subset

            return subset(
                scene, out, window=window_of(scene, told), bands=bands_of(scene, told, progress),
                mask=_mask(scene, told, progress), **common,
            )  # fmt: skip
        case "denoise":
            from backends.spectra.restoring import denoise

            keep = told.get("keep")
            return denoise(
                scene, out, told.get("method") or "mnf",
                numbers_of(keep, MOST_COMPONENTS, "components") if keep else None,
                components=told.get("components") or 10, seed=told.get("seed") or 0,
                dark=dark_ground(scene, told, progress), **common,
            )  # fmt: skip
        case "decorrelate":
            from backends.spectra.restoring import decorrelate

            bands = bands_of(scene, told, progress)
            return decorrelate(scene, out, [] if bands is None else bands, **common)
        case "resample":
            return _resample(scene, told, out, common)
        case "reproject":
            from backends.spectra.reproject import reproject

            return reproject(
                scene, _grid(scene, told), out, how=told.get("resampling") or "", **common
            )
    raise WrongUse(f"There is no tool {tool}.", way_out=f"Use {', '.join(WRITING)}.")


def window_of(scene: Scene, told: Mapping[str, Any]) -> Window:
    """Return the part that ``rows``, ``cols`` or ``box`` with ``lonlat`` name; else all of it."""
    rows, cols, box = told.get("rows"), told.get("cols"), told.get("box")
    if box:
        from backends.spectra.cubes import window_of_box

        if rows or cols:
            raise WrongUse("Give either --box or --rows and --cols.")
        return window_of_box(scene, box_of(box), lonlat=bool(told.get("lonlat")))
    r0, r1 = range_of(rows, scene.shape[0], "--rows")
    c0, c1 = range_of(cols, scene.shape[1], "--cols")
    return Window(r0, c0, r1 - r0, c1 - c0)


def bands_of(
    scene: Scene, told: Mapping[str, Any], progress: Progress | None = None
) -> list[int] | None:
    """Return the bands that ``nm``, ``bands`` and ``good`` leave, in file order; None for all."""
    nm, numbers = told.get("nm") or (), told.get("bands")
    if not (nm or numbers or told.get("good")):
        return None
    chosen = set(range(scene.shape[2]))
    if numbers:
        chosen &= set(numbers_of(numbers, scene.shape[2]))
    if nm:
        if not scene.bands.has_wavelengths:
            raise WrongUse(f"{scene.title} does not know its wavelengths.", way_out="Use --bands.")
        chosen &= _at(scene, nm)
    if told.get("good"):
        from backends.spectra.band_quality import band_quality

        rows = band_quality(scene, progress=progress)
        chosen -= {row["band"] - 1 for row in rows if row["bad"]}
    return sorted(chosen)


def _at(scene: Scene, ranges: Sequence[str]) -> set[int]:
    known = scene.bands.wavelengths()
    wanted: set[int] = set()
    for text in ranges:
        low, high = nm_of(text)
        if high is None:
            band = scene.bands.nearest(low)
            wanted |= set() if band is None else {band}
        else:
            wanted |= set(np.flatnonzero((known >= low) & (known <= high)).tolist())
    return wanted


def nm_of(text: str) -> tuple[float, float | None]:
    """Return lowest and highest wavelength of ``450:900``; one alone has no highest."""
    low, sign, high = text.partition(":")
    try:
        found = float(low), float(high) if sign else None
    except ValueError:
        raise WrongUse(f"{text} is no range of wavelengths.", way_out="Write 450:900.") from None
    if found[1] is not None and not found[0] <= found[1]:
        raise WrongUse(f"{text} runs backwards.", way_out="Write 450:900.")
    return found


def numbers_of(text: str, count: int, what: str = "bands") -> list[int]:
    """Return bands or components from 0 for ``1,5-10``, which counts from 1."""
    found: list[int] = []
    for part in text.split(","):
        low, sign, high = part.partition("-")
        try:
            first, last = int(low), int(high) if sign else int(low)
        except ValueError:
            raise WrongUse(f"{text} are no numbers of {what}.", way_out="Write 1,5-10.") from None
        if not 1 <= first <= last <= count:
            raise WrongUse(f"There are the {what} 1 to {count}, not {part}.")
        found += range(first - 1, last)
    return found


def range_of(text: str | None, length: int, what: str) -> tuple[int, int]:
    """Return first and end of ``10:60``; all for None."""
    if not text:
        return 0, length
    low, sign, high = text.partition(":")
    try:
        first, end = int(low or 0), int(high) if high else length
    except ValueError:
        sign = ""
        first = end = 0
    if not sign or not 0 <= first < end:
        raise WrongUse(f"{what} is FIRST:END, such as 10:60, not {text}.")
    return first, end


def box_of(text: str) -> tuple[float, float, float, float]:
    """Return west, south, east, north of ``WEST,SOUTH,EAST,NORTH``."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise WrongUse(f"{text} is no box.", way_out="Give WEST,SOUTH,EAST,NORTH.") from None
    if not (west < east and south < north):
        raise WrongUse(f"The box {text} is empty.", way_out="Give WEST,SOUTH,EAST,NORTH.")
    return west, south, east, north


def dark_ground(
    scene: Scene, told: Mapping[str, Any], progress: Progress | None = None
) -> NDArray[np.bool_] | None:
    """Return the pixels that ``dark`` with ``dark_options`` and ``dark_name`` name; else None.

    Raises
    ------
    BadInput
        The file has no such area.
    """
    path = told.get("dark")
    if path is None:
        return None
    from backends.label_files import labels_for

    found = labels_for(scene, path, told.get("dark_options"), progress)
    name = told.get("dark_name")
    values = [v for v, n in found.class_names.items() if not name or n == name]
    if not values or found.values.shape != scene.shape[:2]:
        raise BadInput(
            f"{path.name} has no area {name or 'on this scene'}.",
            subject=path,
            way_out=f"It has {', '.join(found.class_names.values())[:200] or 'none'}.",
        )
    return np.asarray(np.isin(found.values, values))


def _mask(
    scene: Scene, told: Mapping[str, Any], progress: Progress | None
) -> NDArray[np.bool_] | None:
    areas = told.get("areas")
    if areas is None:
        return None
    from backends.label_files import labels_for

    found = labels_for(scene, areas, told.get("areas_options"), progress)
    if found.values.shape != scene.shape[:2]:
        raise BadInput(
            f"{areas.name} has another size than {scene.title}.",
            subject=areas,
            way_out="Give the labels or areas that belong to this scene.",
        )
    return np.asarray(found.values > 0)


def _resample(
    scene: Scene, told: Mapping[str, Any], out: Path, common: dict[str, Any]
) -> dict[str, Any]:
    from backends.io import open_scene
    from backends.spectra.cubes import resample_bands, sensor_bands

    sensor, like = told.get("sensor"), told.get("like")
    if bool(sensor) == (like is not None):
        raise WrongUse("Resampling needs a sensor.", way_out="Give --sensor or --like SCENE.")
    if like is None:
        return resample_bands(scene, sensor_bands(str(sensor)), out, sensor=str(sensor), **common)
    with open_scene(like) as other:
        table, name = other.bands, other.title
    return resample_bands(scene, table, out, sensor=name, **common)


def _grid(scene: Scene, told: Mapping[str, Any]) -> Grid:
    from backends.io import open_scene
    from backends.spectra.reproject import grid_for, grid_of

    crs, resolution, box = told.get("crs"), told.get("resolution"), told.get("box")
    part = told.get("rows") or told.get("cols")
    if told.get("like") is not None:
        if crs or resolution or box or part:
            raise WrongUse(
                "--like says everything; leave --crs, --resolution, --box, --rows and --cols out."
            )
        with open_scene(told["like"]) as other:
            return grid_of(other)
    if not (crs or resolution or box or part):
        raise WrongUse("A new grid needs --crs, --resolution, --box, --rows and --cols or --like.")
    if box and part:
        raise WrongUse("Give either --box or --rows and --cols.")
    return grid_for(
        scene, crs, resolution, box_of(box) if box else None,
        window=window_of(scene, {**told, "box": None}) if part else None,
    )  # fmt: skip
