"""The hyperspectral demo scene: a valley with fields, forests, a river, roads and a village."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.georeference import GeoReference
from backends.jobs import Progress
from backends.simulate.ground import SimulatedScene, nearest_point, soft
from backends.simulate.spectra import CLASSES, sensor_bands, variants, water_lines

VARIANTS = 32
# Brightness of single pixels differs by crowns, furrows, pavement … a class, standard deviation.
TEXTURE = (0.10, 0.13, 0.03, 0.04, 0.05, 0.06, 0.06, 0.10)
_FINE = 2  # the ground is drawn twice as fine as the pixels, so that borders mix
_INDEX = {name: number for number, name in enumerate(CLASSES)}


@dataclass(frozen=True, eq=False)
class _Ground:
    """What lies where, a fine pixel.

    Attributes
    ----------
    classes, fields : int arrays of shape (size, size)
        Class number; number of the field, each of which has its own soil, age and moisture.
    """

    classes: NDArray[np.intp]
    fields: NDArray[np.intp]


def simulate_valley(
    size: int = 256, *, bands: int = 200, seed: int = 0, progress: Progress | None = None
) -> SimulatedScene:
    """Make the hyperspectral demo scene.

    Pixels mix at borders (and are unlabelled there), slopes and cloud shade change the
    light, every field is a variant of its class and varies softly inside, and noise
    follows the sensor.

    Parameters
    ----------
    size : int
        Rows and columns.
    bands : int
    seed : int
        The same seed gives the same scene.
    """
    from scipy.ndimage import gaussian_filter

    progress = progress or Progress()
    rng = np.random.default_rng(seed)
    progress.start(size, "rows", "Making the demo scene")
    table = sensor_bands(bands)
    nm = table.wavelengths()
    pure = variants(table, rng, VARIANTS)
    progress.check()
    ground = _draw_ground(size, rng)
    progress.check()
    share = _shares(ground.classes, size)
    labels = (share.argmax(axis=-1) + 1).astype(np.uint8)
    labels[share.max(axis=-1) < 0.8] = 0

    field = ground.fields[::_FINE, ::_FINE]
    count = int(ground.fields.max()) + 1
    one, two = rng.integers(0, VARIANTS, (2, count))
    between = np.clip(rng.uniform(0.2, 0.8, count)[field] + 0.35 * soft(size, rng, 12), 0, 1)
    rough = gaussian_filter(rng.normal(size=(size, size)), 0.6)
    rough /= rough.std()
    moist = 0.25 * soft(size, rng, 5)
    light, shade = _light(size, rng), 1 - 0.62 * _cloud_shade(size, rng)
    sky = (500 / nm) ** 1.3  # what still reaches the shade is blue
    noise = 0.0014 + 0.0045 * np.exp(-(nm - 400) / 60) + 0.004 * ((nm - 400) / 2100) ** 3
    noise[~table.good_mask()] = 0.03
    lines = water_lines(nm)
    cube = np.empty((size, size, bands), np.int16)
    for row in range(size):
        value = np.zeros((size, bands))
        for number in range(len(CLASSES)):
            at = np.flatnonzero(share[row, :, number] > 1e-3)
            if at.size == 0:
                continue
            mine, t = field[row, at], between[row, at, None]
            spectrum = (1 - t) * pure[number, one[mine]] + t * pure[number, two[mine]]
            bright = 1 + TEXTURE[number] * rough[row, at]
            value[at] += (share[row, at, number] * np.maximum(bright, 0.4))[:, None] * spectrum
        value *= np.exp(-0.22 * moist[row][:, None] * lines)
        direct = (light[row] * shade[row])[:, None]
        value *= direct + 0.10 * (1 - shade[row])[:, None] * sky
        value += rng.normal(size=value.shape) * noise
        cube[row] = np.clip(np.round(value * 1e4), -200, 32_000)
        progress.advance()
    place = GeoReference((10.0, 0.0, 500_000.0, 0.0, -10.0, 5_250_000.0), "EPSG:32632")
    names = dict(enumerate(CLASSES, 1))
    return SimulatedScene(cube, labels, table, place, names, 1e-4, "reflectance")


def _shares(classes: NDArray[np.intp], size: int) -> NDArray[np.float64]:
    """Return the share of each class in each pixel, blurred as by a lens."""
    from scipy.ndimage import gaussian_filter

    blocks = classes.reshape(size, _FINE, size, _FINE)
    share = np.stack(
        [
            gaussian_filter((blocks == number).mean(axis=(1, 3)), 0.45)
            for number in range(len(CLASSES))
        ],
        axis=-1,
    )
    return np.asarray(share / share.sum(axis=-1, keepdims=True))


def _light(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the sunlight on the slopes, about 1."""
    hill = soft(size, rng, 9, smooth=3)
    down, right = np.gradient(hill * size / 18)
    return np.asarray(np.clip(1 + 0.55 * (0.7 * right - 0.5 * down), 0.5, 1.45))


def _cloud_shade(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    field = soft(size, rng, 6, smooth=2) + 0.3 * soft(size, rng, 15, smooth=1)
    return np.asarray(1 / (1 + np.exp(-(field - np.quantile(field, 0.95)) / 0.04)))


def _draw_ground(size: int, rng: np.random.Generator) -> _Ground:
    side = size * _FINE
    y, x = np.mgrid[0:side, 0:side] / side
    classes, fields = _parcels(y, x, rng)
    count = int(fields.max()) + 1
    # Forest grows where the ground says, not where fields end.
    wood = soft(side, rng, 5) + 0.35 * soft(side, rng, 17)
    stand = nearest_point(side, rng, 40)
    conifer = soft(side, rng, 4) + 0.25 * soft(side, rng, 15) > 0
    forest = wood > np.quantile(wood, 0.70)
    classes[forest] = np.where(conifer[forest], _INDEX["Conifer forest"], _INDEX["Deciduous trees"])
    fields[forest] = count + stand[forest]
    _village(classes, fields, y, x, size, rng)
    half = max(0.0045, 0.8 / size)
    bend = 0.010 * soft(side, rng, 6)
    for start, slope, bow in ((0.60, 0.16, 0.14), (0.10, 0.78, -0.30)):
        road = start + slope * x + bow * (x - 0.5) ** 2 + bend
        classes[np.abs(y - road) < half] = _INDEX["Asphalt"]
    classes[np.abs(x - 0.44 - 0.25 * (y - 0.6) ** 2 - bend) < half] = _INDEX["Asphalt"]
    _water(classes, y, x, side, rng)
    return _Ground(classes, fields)


def _parcels(
    y: NDArray[np.float64], x: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return fields: long cells on a turned, shaken grid."""
    from scipy.spatial import cKDTree

    turn = np.deg2rad(24)
    across, along = 13.0, 6.5  # fields on the way through the scene, each way
    u = (np.cos(turn) * x + np.sin(turn) * y) * across
    v = (-np.sin(turn) * x + np.cos(turn) * y) * along
    seeds = np.stack(np.meshgrid(np.arange(-2, 22), np.arange(-6, 12)), -1).reshape(-1, 2) + 0.5
    seeds = seeds + rng.uniform(-0.42, 0.42, seeds.shape)
    side = len(y)
    u, v = u + 0.10 * soft(side, rng, 9), v + 0.08 * soft(side, rng, 9)
    _, field = cKDTree(seeds).query(np.stack([u, v], -1).reshape(-1, 2))
    _, field = np.unique(field, return_inverse=True)
    field = field.reshape(y.shape)
    kinds = [_INDEX[n] for n in ("Crop", "Meadow", "Bare soil", "Crop", "Meadow")]
    return rng.permutation(np.resize(kinds, int(field.max()) + 1))[field], field


def _village(
    classes: NDArray[np.intp],
    fields: NDArray[np.intp],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    size: int,
    rng: np.random.Generator,
) -> None:
    """Put gardens, yards and houses around (0.68, 0.44); each roof is a variant of its own."""
    radius = 0.13 + 3.5 / size
    away = np.hypot(y - 0.68, (x - 0.44) / 1.3)
    inside = away < radius * (1 + 0.25 * soft(len(y), rng, 5))
    garden = int(fields.max()) + 1
    classes[inside], fields[inside] = _INDEX["Meadow"], garden
    turn = np.deg2rad(14)
    u = (np.cos(turn) * (x - 0.44) + np.sin(turn) * (y - 0.68)) * size
    v = (-np.sin(turn) * (x - 0.44) + np.cos(turn) * (y - 0.68)) * size
    step_u, step_v = 7.5, 6.0  # pixels from house to house
    street = (np.abs((v / step_v + 1) % 2 - 1) < 0.20) | (np.abs((u / step_u) % 4 - 2) < 0.14)
    classes[inside & street] = _INDEX["Asphalt"]
    number_u, number_v = np.floor(u / step_u).astype(int), np.floor(v / step_v).astype(int)
    house = (number_u - number_u.min()) * (int(np.ptp(number_v)) + 1) + number_v - number_v.min()
    total = int(house.max()) + 1
    wide, deep = rng.uniform(0.22, 0.36, total), rng.uniform(0.26, 0.36, total)
    shift_u, shift_v = rng.uniform(-0.08, 0.08, (2, total))
    built = rng.random(total) < 0.85
    roof = np.abs(u / step_u - number_u - 0.5 - shift_u[house]) < wide[house]
    roof &= np.abs(v / step_v - number_v - 0.5 - shift_v[house]) < deep[house]
    roof &= inside & built[house] & ~street
    classes[roof], fields[roof] = _INDEX["Tile roof"], garden + 1 + house[roof]


def _water(
    classes: NDArray[np.intp],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    side: int,
    rng: np.random.Generator,
) -> None:
    """Lay a river with trees on its banks, and a lake."""
    middle = 0.30 + 0.10 * np.sin(5 * x + 1) + 0.035 * np.sin(14 * x + 0.5)
    width = 0.020 + 0.007 * np.sin(7 * x)
    bank = width + 0.010 + 0.018 * soft(side, rng, 11)
    river = np.abs(y - middle)
    natural = (classes != _INDEX["Asphalt"]) & (classes != _INDEX["Tile roof"])
    classes[(river < bank) & natural] = _INDEX["Deciduous trees"]
    bridge = (river < width) & ~natural
    classes[(river < width) & ~bridge] = _INDEX["Water"]
    shore = 0.075 + 0.022 * soft(side, rng, 6)
    classes[np.hypot((x - 0.80) / 1.6, y - 0.82) < shore] = _INDEX["Water"]
