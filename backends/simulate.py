"""Scenes that the project makes itself: a hyperspectral valley and a burning slope.

Everything is drawn by formula from a seed; no measured spectrum and no picture
of anybody is inside. Good for trying things out, not for judging a method:
simulated classes are easier than real ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.georeference import GeoReference
from backends.jobs import Progress
from backends.scene import Scene

Array = NDArray[Any]

CLASSES = (
    "Deciduous trees",
    "Conifer forest",
    "Meadow",
    "Crop",
    "Bare soil",
    "Water",
    "Asphalt",
    "Tile roof",
)
# Raised whenever the formulas change, so that cached scenes are made anew.
VERSION = 1


@dataclass(frozen=True, eq=False)
class SimulatedScene:
    """A made-up scene with its truth.

    Attributes
    ----------
    cube : int16 or uint16 array of shape (rows, cols, bands)
        ``unit`` = value × ``gain``.
    labels : uint8 array of shape (rows, cols)
        1 to the number of classes; 0 on mixed pixels between fields.
    bands : BandTable
    place : GeoReference
    class_names : dict of int to str
    gain : float
    unit : str
    """

    cube: Array
    labels: NDArray[np.uint8]
    bands: BandTable
    place: GeoReference
    class_names: dict[int, str]
    gain: float
    unit: str


def sensor_bands(count: int = 200) -> BandTable:
    """Return about ``count`` bands from 400 to 2500 nm, as two spectrometers give them.

    FWHM 6.5 nm below 1000 nm, 10 nm above; bands in the water-vapour lines near
    1400 and 1900 nm are marked bad.
    """
    visible = round(count * 0.42)
    nm = np.concatenate([np.linspace(400, 995, visible), np.linspace(1005, 2500, count - visible)])
    fwhm = np.where(nm < 1000, 6.5, 10.0)
    good = ~(((nm > 1345) & (nm < 1425)) | ((nm > 1800) & (nm < 1955)))
    return BandTable.build(count, wavelength_nm=nm, fwhm_nm=fwhm, good=good)


def spectra(nm: Array) -> NDArray[np.float64]:
    """Return one reflectance spectrum a class, shape (classes, bands), 0 to 1.

    Built from smooth curves and Gaussian absorptions at the wavelengths where
    nature has them: chlorophyll 450 and 670, the red edge near 715, leaf water
    980, 1200, 1450 and 1940, cellulose 2100 and 2300, iron 870, clay 2200 nm.
    """
    vegetation = {
        "Deciduous trees": _leaf(nm, plateau=0.46, chlorophyll=1.0, water=1.0, edge=716),
        "Conifer forest": _leaf(nm, plateau=0.29, chlorophyll=1.25, water=1.35, edge=718),
        "Meadow": _leaf(nm, plateau=0.41, chlorophyll=0.75, water=0.75, edge=712),
        "Crop": _leaf(nm, plateau=0.52, chlorophyll=0.9, water=0.85, edge=721),
    }
    soil = 0.08 + 0.30 * (1 - np.exp(-(nm - 350) / 700))
    soil *= 1 - 0.10 * _dip(nm, 870, 90) - 0.09 * _dip(nm, 2205, 22) - 0.18 * _water(nm)
    water = 0.055 * np.exp(-(((nm - 540) / 95) ** 2)) + 0.012 * np.exp(-(nm - 400) / 250)
    asphalt = 0.075 + 0.035 * (nm - 400) / 2100 - 0.006 * _dip(nm, 2310, 30)
    roof = 0.05 + 0.34 / (1 + np.exp(-(nm - 590) / 28))
    roof *= 1 - 0.16 * _dip(nm, 865, 80) - 0.05 * _dip(nm, 2200, 40) - 0.05 * _water(nm)
    table = vegetation | {"Bare soil": soil, "Water": water, "Asphalt": asphalt, "Tile roof": roof}
    return np.stack([np.clip(table[name], 0.002, 0.95) for name in CLASSES])


def simulate_valley(
    size: int = 256, *, bands: int = 200, seed: int = 0, progress: Progress | None = None
) -> SimulatedScene:
    """Make the hyperspectral demo scene.

    Fields (Voronoi cells) of eight classes, a river, roads and a village; pixels mix at
    borders, slopes and cloud shade change the light, each field differs a little from
    its class, and noise follows the sensor.

    Parameters
    ----------
    size : int
        Rows and columns.
    bands : int
    seed : int
        The same seed gives the same scene.
    """
    from scipy.ndimage import gaussian_filter, zoom

    progress = progress or Progress()
    rng = np.random.default_rng(seed)
    table = sensor_bands(bands)
    nm = table.wavelengths()
    pure = spectra(nm)
    fine = 2  # classes are drawn twice as fine as pixels, so that borders mix
    classes, fields = _map(size * fine, rng)
    blocks = classes.reshape(size, fine, size, fine)
    share = np.stack([(blocks == c).mean(axis=(1, 3)) for c in range(len(CLASSES))], axis=-1)
    share = np.stack([gaussian_filter(share[..., c], 0.45) for c in range(len(CLASSES))], axis=-1)
    share /= share.sum(axis=-1, keepdims=True)
    labels = (share.argmax(axis=-1) + 1).astype(np.uint8)
    labels[share.max(axis=-1) < 0.85] = 0

    # Each field has a vigour and a moisture of its own; both vary softly inside it.
    number = fields.reshape(size, fine, size, fine)[:, 0, :, 0]
    vigour = rng.normal(0, 0.06, fields.max() + 1)[number]
    vigour += 0.04 * _soft(size, rng, 6)
    moist = rng.normal(0, 0.35, fields.max() + 1)[number] + 0.25 * _soft(size, rng, 4)
    hill = gaussian_filter(zoom(rng.normal(size=(9, 9)), size / 9, order=3)[:size, :size], 3)
    down, right = np.gradient(hill / max(1e-6, float(np.abs(hill).max())) * 14)
    light = np.clip(1 + 0.55 * (0.7 * right - 0.5 * down), 0.45, 1.5)
    shade = 1 - 0.62 * _cloud_shade(size, rng)
    sky = (500 / nm) ** 1.3  # what still reaches the shade is blue
    noise = 0.0012 + 0.0045 * np.exp(-(nm - 400) / 60) + 0.004 * ((nm - 400) / 2100) ** 3
    noise[~table.good_mask()] = 0.03
    water_lines = _water(nm)
    cube = np.empty((size, size, bands), np.int16)
    progress.start(size, "rows", "Making the demo scene")
    for row in range(size):
        value = share[row] @ pure
        value *= (1 + vigour[row])[:, None]
        value *= np.exp(-0.22 * moist[row][:, None] * water_lines)
        direct = (light[row] * shade[row])[:, None]
        value *= direct + 0.10 * (1 - shade[row])[:, None] * sky
        value += rng.normal(size=value.shape) * noise
        cube[row] = np.clip(np.round(value * 1e4), -200, 32_000)
        progress.advance()
    place = GeoReference((10.0, 0.0, 500_000.0, 0.0, -10.0, 5_250_000.0), "EPSG:32632")
    names = dict(enumerate(CLASSES, 1))
    return SimulatedScene(cube, labels, table, place, names, 1e-4, "reflectance")


THERMAL_NM = (460, 560, 660, 860, 1610, 2160, 3900, 8600, 11000, 12000)


def simulate_fire(
    size: int = 256, *, seed: int = 0, progress: Progress | None = None
) -> SimulatedScene:
    """Make the thermal demo scene: a burning front, warm ash behind it, smoke downwind.

    Reflective bands hold reflectance, thermal bands (3.9 µm and longer) brightness
    temperature in K, both × 100; the truth has ``Fire`` and ``Burnt ground``.
    Planck's law mixes flame and ground within a pixel at each wavelength.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    progress = progress or Progress()
    rng = np.random.default_rng(seed)
    progress.start(len(THERMAL_NM), "bands", "Making the thermal demo scene")
    y, x = np.mgrid[0:size, 0:size] / size
    edge = 0.34 + 0.10 * _soft(size, rng, 4) + 0.03 * _soft(size, rng, 14)
    inside = np.hypot((x - 0.42) * 1.1, y - 0.55) < edge
    depth = distance_transform_edt(inside)
    front = inside & (depth < 2.2 + 1.2 * _soft(size, rng, 9))
    spots = (rng.random((size, size)) < 0.0006) & inside
    flame = np.clip(np.where(front, rng.gamma(2.0, 0.035, (size, size)), 0), 0, 0.6)
    flame += np.where(spots, 0.04, 0)
    flame = gaussian_filter(flame, 0.5)
    ground = 301 + 4 * _soft(size, rng, 5) + 45 * np.exp(-depth / 14) * inside + 9 * inside
    smoke = np.clip(
        gaussian_filter(np.roll(front.astype(float), 22, axis=1), (7, 18)) * 3.2, 0, 0.8
    )
    green = np.clip(0.75 + 0.2 * _soft(size, rng, 8), 0, 1)
    cube = np.empty((size, size, len(THERMAL_NM)), np.uint16)
    leaf, soil = _leaf(np.asarray(THERMAL_NM, float)), 0.22
    for band, nm in enumerate(THERMAL_NM):
        if nm < 3000:
            unburnt = green * leaf[band] + (1 - green) * soil
            value = np.where(inside, 0.045 + 0.02 * (nm / 2160), unburnt)
            haze = smoke * (500 / nm) ** 1.6
            value = value * (1 - np.clip(haze, 0, 0.95)) + 0.42 * np.clip(haze, 0, 0.95)
            value += flame * _planck(nm, 950) / _planck(2160, 950) * (0.9 if nm > 1500 else 0.05)
            value += rng.normal(0, 0.004, value.shape)
            cube[..., band] = np.clip(value * 100 * 100, 0, 32_000)
        else:
            radiance = (1 - flame) * _planck(nm, ground) + flame * _planck(nm, 950)
            kelvin = _brightness_temperature(nm, radiance) + rng.normal(0, 0.25, flame.shape)
            cube[..., band] = np.clip(kelvin, 200, 620) * 100  # sensors saturate, too
        progress.advance()
    labels = np.zeros((size, size), np.uint8)
    labels[inside] = 2
    labels[flame > 0.01] = 1
    names = [f"{nm} nm" if nm < 3000 else f"{nm / 1000:.1f} µm" for nm in THERMAL_NM]
    table = BandTable.build(len(THERMAL_NM), names=names, wavelength_nm=THERMAL_NM)
    place = GeoReference((15.0, 0.0, 730_000.0, 0.0, -15.0, 4_270_000.0), "EPSG:32610")
    return SimulatedScene(
        cube, labels, table, place, {1: "Fire", 2: "Burnt ground"}, 0.01, "% or K"
    )


def write_scene(scene: SimulatedScene, folder: Path, name: str, about: str) -> tuple[Path, Path]:
    """Write a scene and its truth as ENVI files (BIL) and return both paths.

    Whole or not at all: data and headers are written beside and renamed, headers last.
    """
    from backends.io.envi_header import map_info, write_header
    from backends.palette import class_colors, to_rgb

    folder.mkdir(parents=True, exist_ok=True)
    rows, cols, count = scene.cube.shape
    shared: dict[str, Any] = {
        "samples": cols,
        "lines": rows,
        "header offset": 0,
        "byte order": 0,
        "map info": map_info(scene.place),
    }
    image: dict[str, Any] = {
        "description": about,
        "bands": count,
        "file type": "ENVI Standard",
        "data type": 2 if scene.cube.dtype == np.int16 else 12,
        "interleave": "bil",
        "wavelength units": "Nanometers",
        "wavelength": [round(float(v), 3) for v in scene.bands.wavelengths()],
        "fwhm": scene.bands.fwhm_nm,
        "bbl": [int(good) for good in scene.bands.good],
        "band names": scene.bands.names,
    }
    if scene.unit == "reflectance":
        image["reflectance scale factor"] = 10_000.0
    else:
        image["data gain values"] = [scene.gain] * count
        image["data units"] = scene.unit
    colors = class_colors(scene.class_names)
    lookup = [0, 0, 0, *(part for value in colors for part in to_rgb(colors[value]))]
    truth: dict[str, Any] = {
        "description": f"Truth of {about}",
        "bands": 1,
        "file type": "ENVI Classification",
        "data type": 1,
        "interleave": "bsq",
        "classes": len(colors) + 1,
        "class names": ["Unclassified", *scene.class_names.values()],
        "class lookup": lookup,
    }
    data, labels = folder / f"{name}.bil", folder / f"{name}_truth.dat"
    _replace(
        data, scene.cube.transpose(0, 2, 1).astype(scene.cube.dtype.newbyteorder("<")).tobytes()
    )
    _replace(labels, scene.labels.tobytes())
    _replace(labels.with_suffix(".hdr"), write_header(shared | truth).encode())
    _replace(data.with_suffix(".hdr"), write_header(shared | image).encode())
    return data, labels


def home() -> Path:
    """Return the folder where made scenes are kept: ``CLEARBAND_HOME`` or the user's cache."""
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "scenes"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "scenes"


_DEMOS: Mapping[str, tuple[Callable[..., SimulatedScene], str]] = {
    "valley": (simulate_valley, "Simulated valley made by Clearband"),
    "fire": (simulate_fire, "Simulated fire made by Clearband"),
}


def demo_scene(
    name: str = "valley",
    *,
    size: int = 256,
    seed: int = 0,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, Path]:
    """Return the demo scene and its truth as files, made on first use.

    Parameters
    ----------
    name : str
        ``"valley"`` or ``"fire"``.
    """
    make, about = _DEMOS[name]
    folder = folder or home()
    stem = f"{name}_{size}_{seed}_v{VERSION}"
    data, labels = folder / f"{stem}.bil", folder / f"{stem}_truth.dat"
    # The image's header is written last: where it is, everything is.
    if not data.with_suffix(".hdr").is_file():
        write_scene(make(size, seed=seed, progress=progress), folder, stem, about)
    return data, labels


def make_demo_scene(*, progress: Progress | None = None) -> Scene:
    """Open the hyperspectral demo scene, made on first use."""
    from backends.io import open_scene

    data, _ = demo_scene("valley", progress=progress)
    scene = open_scene(data)
    scene.with_info(title="Demo valley (simulated)")
    return scene


def make_thermal_scene(*, progress: Progress | None = None) -> Scene:
    """Open the thermal demo scene, made on first use."""
    from backends.io import open_scene

    data, _ = demo_scene("fire", progress=progress)
    scene = open_scene(data)
    scene.with_info(title="Demo fire (simulated)", kind="thermal")
    return scene


# -- how things look -----------------------------------------------------------------------


def _dip(nm: Array, center: float, width: float) -> Array:
    return np.exp(-0.5 * ((nm - center) / width) ** 2)


def _water(nm: Array) -> Array:
    """Return how strongly liquid water absorbs, about 0 to 1."""
    return (
        0.10 * _dip(nm, 975, 30)
        + 0.20 * _dip(nm, 1195, 45)
        + 0.75 * _dip(nm, 1455, 65)
        + 1.00 * _dip(nm, 1940, 85)
        + 0.45 * np.clip((nm - 2150) / 400, 0, 1)
    )


def _leaf(
    nm: Array,
    *,
    plateau: float = 0.45,
    chlorophyll: float = 1.0,
    water: float = 1.0,
    edge: float = 716,
) -> Array:
    """Return the reflectance of leaves."""
    value = 0.05 + (plateau - 0.05) / (1 + np.exp(-(nm - edge) / 12))
    value += 0.055 * np.exp(-(((nm - 552) / 32) ** 2)) / chlorophyll
    value *= 1 - 0.28 * chlorophyll * (_dip(nm, 455, 45) + _dip(nm, 672, 20))
    value *= np.exp(-1.15 * water * _water(nm))
    value *= 1 - 0.35 * np.clip((nm - 1300) / 1200, 0, 1)
    return np.asarray(value * (1 - 0.04 * _dip(nm, 2100, 35) - 0.05 * _dip(nm, 2300, 35)))


def _soft(size: int, rng: np.random.Generator, waves: int) -> Array:
    """Return a soft random field between about -1 and 1."""
    from scipy.ndimage import zoom

    field = zoom(rng.normal(size=(waves, waves)), size / waves, order=3)[:size, :size]
    return np.asarray(field / max(1e-6, float(np.abs(field).max())))


def _cloud_shade(size: int, rng: np.random.Generator) -> Array:
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(_soft(size, rng, 7) + 0.3 * _soft(size, rng, 15), 2)
    return np.asarray(1 / (1 + np.exp(-(field - np.quantile(field, 0.9)) / 0.03)))


def _map(size: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return class and field number a fine pixel."""
    from scipy.spatial import cKDTree

    y, x = np.mgrid[0:size, 0:size] / size
    bend = 0.02 * _soft(size, rng, 10), 0.02 * _soft(size, rng, 10)
    seeds = rng.random((70, 2))
    _, field = cKDTree(seeds).query(np.stack([y + bend[0], x + bend[1]], -1).reshape(-1, 2))
    field = field.reshape(size, size)
    index = {name: number for number, name in enumerate(CLASSES)}
    common = ["Deciduous trees", "Conifer forest", "Meadow", "Crop", "Bare soil"]
    classes = rng.permutation(np.resize([index[n] for n in common], 70))[field]
    middle = 0.32 + 0.10 * np.sin(5 * x + 1) + 0.04 * np.sin(13 * x)
    classes[np.abs(y - middle) < 0.030 + 0.012 * np.sin(7 * x)] = index["Water"]
    lake = np.hypot((x - 0.79) / 1.6, y - 0.80) < 0.075 + 0.015 * _soft(size, rng, 6)
    classes[lake] = index["Water"]
    for start, slope, bow in ((0.62, 0.18, 0.10), (0.12, 0.75, -0.2)):
        road = start + slope * x + bow * (x - 0.5) ** 2
        classes[np.abs(y - road) < 0.009] = index["Asphalt"]
    classes[np.abs(x - 0.44 - 0.1 * (y - 0.5) ** 2) < 0.008] = index["Asphalt"]
    village = np.hypot(x - 0.44, y - 0.66) < 0.14
    step = max(6, size // 40)
    grid_y, grid_x = (np.mgrid[0:size, 0:size] // step) % 2
    built = rng.random((size // step + 2, size // step + 2)) < 0.9
    there = built[np.mgrid[0:size, 0:size][0] // step, np.mgrid[0:size, 0:size][1] // step]
    roofs = village & (grid_y == 0) & (grid_x == 0) & there & (classes != index["Asphalt"])
    classes[village & (grid_y == 1) & (classes != index["Water"]) & (grid_x == 1)] = index[
        "Asphalt"
    ]
    classes[roofs] = index["Tile roof"]
    return classes, field


def _planck(nm: float, kelvin: Array | float) -> Array:
    """Return spectral radiance (Planck), in units that cancel."""
    return np.asarray(1 / (np.exp(1.438777e7 / (nm * np.asarray(kelvin, float))) - 1))


def _brightness_temperature(nm: float, radiance: Array) -> Array:
    return np.asarray(1.438777e7 / (nm * np.log(1 + 1 / radiance)))


def _replace(path: Path, data: bytes) -> None:
    """Write beside, flush, rename: the old file or the new one, never half."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
