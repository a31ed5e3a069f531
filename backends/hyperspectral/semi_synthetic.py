"""A full-size stand-in for Pavia University, made from what is at hand of the real scene.

The real cube (610 × 340 pixels, 103 bands, ROSIS) may not be passed on and is not always at
hand; its ground truth, a colour composite of 500 of its rows, and the cube turned by 10°,
blurred and sampled 4.4 times coarser (Zhou et al., TGRS 2020) are easier to get. Recipe:

1. *Which coarse pixel shows which class.* The published registration (rotation and shift ``T``,
   steps ``s``, blur ``sigma``) places each coarse pixel in the ground truth; the blurred truth
   says what share of it each class has.
2. *Spectra.* A class's mean is that of the coarse pixels weighted by the fourth power of its
   share. Its variation is the weighted covariance around it, shrunk towards that of all classes
   where few pixels show the class, as its strongest components. Blur has taken most variation
   from one full-size pixel to the next, so deviations are multiplied by ``SPREAD``; that factor
   is ours, set once so that an SVM on single spectra (C 100, gamma 0.01) gets four of five
   pixels right under P30, as on the real scene (published: 71 to 79 %).
3. *What lies where.* Labelled pixels as in the truth. Others get the class whose colours in the
   composite are nearest (smoothed), below the composite the nearest label's class.
4. *Variation in space.* The components' scores are random fields: a part for each connected
   object, a part smooth over 12 pixels, a part over 1.5, a part for each pixel alone. So
   neighbours are alike, fields of one class differ, and context is neither free nor useless.
5. *Light.* Smooth shading of a few per cent; unlabelled pixels beside roofs lie in their shade.
6. *Sensor.* A point spread of 0.6 pixels mixes borders; noise of 2 % and of a fixed floor.

It is no substitute for the real scene: an accuracy on it compares models in one run only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, MissingCapability
from backends.jobs import Progress

Array = NDArray[np.float64]

VERSION = 1
SPREAD = 3.0
COMPONENTS = 8
PIXEL_METRES = 1.3
NAMES = {
    1: "Asphalt", 2: "Meadows", 3: "Gravel", 4: "Trees", 5: "Painted metal sheets",
    6: "Bare soil", 7: "Bitumen", 8: "Self-blocking bricks", 9: "Shadows",
}  # fmt: skip
ROOFS = (5, 7, 8)
# Variance of an object, of 12 pixels around, of 1.5 pixels around, of a pixel alone.
SHARES = (0.3, 0.2, 0.25, 0.25)
NOTE = (
    "Semi-synthetic: real ground-truth geometry; class means and covariance from the real cube "
    f"degraded 4.4 times; deviations × {SPREAD}; unlabelled ground, fields of variation, "
    "shade, borders and noise simulated. Compares models in one run, not with papers."
)


@dataclass(frozen=True, eq=False)
class Source:
    """What is known of the real scene.

    Attributes
    ----------
    truth : uint8 array of shape (rows, cols)
    coarse : float64 array of shape (coarse rows, coarse cols, bands)
        Reflectance of the turned, blurred, coarser cube.
    wavelengths_nm : float64 array of shape (bands,)
    colours : uint8 array of shape (upper rows, cols, 3)
    turn, step : arrays of shape (3, 3) and (2,)
        Coarse (x, y) times ``step``, turned and shifted, are full-size (x, y).
    blur : float
        Standard deviation in full-size pixels.
    """

    truth: NDArray[np.uint8]
    coarse: Array
    wavelengths_nm: Array
    colours: NDArray[np.uint8]
    turn: Array
    step: Array
    blur: float


@dataclass(frozen=True, eq=False)
class ClassSpectra:
    """Mean and main deviations of each class, from 1 on.

    Attributes
    ----------
    mean : float64 array of shape (classes, bands)
    deviation : float64 array of shape (classes, components, bands)
        One standard deviation along each component.
    """

    mean: Array
    deviation: Array


def read_source(folder: Path) -> Source:
    """Read ``PaviaU_gt.mat`` and ``reg_pavia_dataset.mat`` from a folder.

    Raises
    ------
    MissingCapability
        They are not there.
    """
    from scipy.io import loadmat

    paths = [folder / "PaviaU_gt.mat", folder / "reg_pavia_dataset.mat"]
    if not all(path.is_file() for path in paths):
        raise MissingCapability(
            "The semi-synthetic Pavia University needs the files PaviaU_gt.mat and "
            "reg_pavia_dataset.mat.",
            way_out="Set CLEARBAND_DATA to a folder with both in hsi/pavia.",
        )
    truth = next(v for k, v in loadmat(str(paths[0])).items() if not k.startswith("_"))
    found = loadmat(str(paths[1]))
    try:
        return Source(
            np.asarray(truth, np.uint8),
            np.asarray(found["I1"], np.float64),
            1000 * np.asarray(found["wl"], np.float64).ravel(),
            np.asarray(found["rgb1"], np.uint8),
            np.asarray(found["T"], np.float64),
            np.asarray(found["s"], np.float64).ravel(),
            float(np.ravel(found["sigma"])[0]),
        )
    except KeyError as error:
        raise BadInput(f"{paths[1].name} lacks {error}.", subject=paths[1]) from error


def class_shares(source: Source) -> Array:
    """Return the share of each class in each coarse pixel, (rows, cols, classes)."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    y, x = np.indices(source.coarse.shape[:2]) + 0.5  # coarse pixel centres
    x, y = x * source.step[0], y * source.step[1]
    at = source.turn @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    shares = [
        map_coordinates(
            gaussian_filter((source.truth == value).astype(np.float64), source.blur),
            [at[1] - 0.5, at[0] - 0.5],
            order=1,
        ).reshape(x.shape)
        for value in NAMES
    ]
    return np.stack(shares, axis=-1)


def class_spectra(source: Source) -> ClassSpectra:
    """Return mean and deviations of each class, from the coarse pixels that show it."""
    shares = class_shares(source).reshape(-1, len(NAMES))
    spectra = source.coarse.reshape(len(shares), -1)
    weight = np.where(shares > 0.5 * shares.max(axis=0), shares**4, 0.0)
    weight /= weight.sum(axis=0)
    mean = weight.T @ spectra
    held = 1 / (weight**2).sum(axis=0)  # how many pixels it amounts to
    spread = []
    for k in range(len(NAMES)):
        off = spectra - mean[k]
        spread.append((off * weight[:, k, None]).T @ off)
    # Relative to brightness, so that dark classes lend and borrow a fair amount.
    level = mean.mean(axis=1)
    pooled = sum(s * n / v**2 for s, n, v in zip(spread, held, level, strict=True)) / held.sum()
    deviation = np.empty((len(NAMES), COMPONENTS, mean.shape[1]))
    for k in range(len(NAMES)):
        own = min(1.0, held[k] / 40)
        covariance = own * spread[k] + (1 - own) * pooled * level[k] ** 2
        values, vectors = np.linalg.eigh(covariance)
        top = np.argsort(values)[::-1][:COMPONENTS]
        directions = vectors[:, top] * np.sign(vectors[:, top].sum(axis=0) + 1e-12)
        deviation[k] = (directions * np.sqrt(np.maximum(values[top], 0))).T
    return ClassSpectra(mean, deviation)


def ground(source: Source) -> NDArray[np.uint8]:
    """Return a class for every pixel: the label, else the nearest by colour or by place."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    truth = source.truth
    rows, cols = distance_transform_edt(truth == 0, return_distances=False, return_indices=True)
    filled = truth[rows, cols]
    upper = min(len(source.colours), len(truth))
    colours = source.colours[:upper].astype(np.float64)
    colours = np.log1p(gaussian_filter(colours, (1, 1, 0)))
    known = truth[:upper]
    scores = np.empty((*known.shape, len(NAMES)))
    for k, value in enumerate(NAMES):
        mine = colours[known == value]
        if len(mine) < 10:
            scores[..., k] = -np.inf
            continue
        covariance = np.cov(mine.T) + 0.01 * np.eye(3)
        off = colours - mine.mean(axis=0)
        distance = np.einsum("rci,ij,rcj->rc", off, np.linalg.inv(covariance), off)
        score = -0.5 * distance - 0.5 * np.linalg.slogdet(covariance)[1]
        scores[..., k] = gaussian_filter(np.maximum(score, -20.0), 1.5)
    values = np.array(list(NAMES), np.uint8)
    filled[:upper] = np.where(known > 0, known, values[scores.argmax(axis=-1)])
    return np.asarray(filled, np.uint8)


def simulate(source: Source, *, seed: int = 0, progress: Progress | None = None) -> Array:
    """Return the cube in reflectance, float32 array of shape (rows, cols, bands).

    The same seed gives the same cube.
    """
    from scipy.ndimage import gaussian_filter

    progress = progress or Progress()
    progress.start(COMPONENTS + 2, "steps", "Making Pavia University, semi-synthetic")
    rng = np.random.default_rng(seed)
    spectra, classes = class_spectra(source), ground(source)
    index = classes.astype(np.int64) - 1
    objects = _objects(classes)
    cube = spectra.mean.astype(np.float32)[index]
    progress.advance()
    for component in range(COMPONENTS):
        progress.check()
        score = _scores(objects, rng).astype(np.float32)
        steps = (SPREAD * spectra.deviation[:, component]).astype(np.float32)
        for k in range(len(NAMES)):
            inside = index == k
            known = source.truth == k + 1
            # Centred: the labelled pixels of a class together keep its mean.
            middle = score[known].mean() if known.any() else 0.0
            cube[inside] += (score[inside] - middle)[:, None] * steps[k]
        progress.advance()
    cube *= _light(source.truth, classes, rng)[:, :, None]
    np.maximum(cube, 0.002, out=cube)
    for band in range(cube.shape[2]):
        progress.check()
        cube[:, :, band] = gaussian_filter(cube[:, :, band], 0.6)
    floor = 0.015 * float(spectra.mean.mean())
    noise = rng.standard_normal(cube.shape, dtype=np.float32)
    cube += noise * (floor + 0.02 * cube)
    progress.advance()
    return np.maximum(cube, 0.0)


def pavia_university(
    data: Path, *, seed: int = 0, folder: Path | None = None, progress: Progress | None = None
) -> tuple[Path, Path]:
    """Return the scene and its truth as ENVI files, made on first use.

    Parameters
    ----------
    data : Path
        Folder of the two source files, see `read_source`.
    folder : Path, optional
        Where the files are kept; default with the other scenes that were made.
    """
    from backends.bands import BandTable
    from backends.georeference import GeoReference
    from backends.simulate import SimulatedScene, home
    from backends.simulate.files import write_scene

    folder = folder or home()
    stem = f"pavia_university_semi_{seed}_v{VERSION}"
    image, truth = folder / f"{stem}.bil", folder / f"{stem}_truth.dat"
    if image.with_suffix(".hdr").is_file():
        return image, truth
    source = read_source(data)
    cube = simulate(source, seed=seed, progress=progress)
    nm = tuple(float(v) for v in source.wavelengths_nm)
    scene = SimulatedScene(
        np.round(10_000 * cube).clip(0, 32_767).astype(np.int16),
        source.truth,
        BandTable(
            tuple(f"{v:.1f} nm" for v in nm), nm, (4.2,) * len(nm), axis="spectral", note=NOTE
        ),
        GeoReference((PIXEL_METRES, 0.0, 0.0, 0.0, -PIXEL_METRES, 0.0)),
        NAMES,
        1e-4,
        "reflectance",
    )
    return write_scene(scene, folder, stem, NOTE)


def _objects(classes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number the connected regions of one class, from 0."""
    from scipy.ndimage import label

    out, first = np.zeros(classes.shape, np.int64), 0
    for value in NAMES:
        found, count = label(classes == value)
        out = np.where(found > 0, found + first - 1, out)
        first += count
    return out


def _scores(objects: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Return a random field of variance one in the parts that `SHARES` names."""
    from scipy.ndimage import gaussian_filter

    parts = [rng.normal(size=int(objects.max()) + 1)[objects]]
    for smooth in (12.0, 1.5):
        field = gaussian_filter(rng.normal(size=objects.shape), smooth, mode="reflect")
        parts.append(field / field.std())
    parts.append(rng.normal(size=objects.shape))
    total = sum(np.sqrt(share) * part for share, part in zip(SHARES, parts, strict=True))
    return np.asarray(total)


def _light(
    truth: NDArray[np.uint8], classes: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the factor of light: smooth shading, and shade beside roofs."""
    from scipy.ndimage import gaussian_filter, shift

    field = gaussian_filter(rng.normal(size=truth.shape), 6.0)
    light: NDArray[Any] = np.exp(0.05 * field / field.std())
    roof = np.isin(classes, ROOFS)
    beside = shift(roof.astype(np.uint8), (-2, -3), order=0) > 0
    light = np.where(beside & ~roof & (truth == 0), 0.45 * light, light)
    return light.astype(np.float32)


def described(seed: int) -> dict[str, Any]:
    """Return what to write beside a figure that was measured on the scene."""
    return {"recipe": NOTE, "version": VERSION, "seed": seed, "spread": SPREAD}
