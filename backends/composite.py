"""Pictures for the eye: which bands, how stretched. Chosen by wavelength, not by number.

The stretch is a pair of limits a plane, put to use on the GPU; pixels are read
once and stay what they are. Only the decorrelation stretch computes new planes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.scene import Scene, Window
from backends.statistics import sample_pixels

if TYPE_CHECKING:
    from backends.jobs import Progress

Limits = tuple[tuple[float, float], ...]
# The limits of a plane without one valid value; no stretch of real values has quite these.
NO_VALUES = (0.0, math.nextafter(1.0, 2.0))

# Planes this small of a band-by-band file are read sooner than a coarse picture is made.
_SOON_BYTES = 64 << 20
# Above this, an image with a pyramid is shown piece by piece instead of whole.
LARGEST_PLANE = 4096 * 4096
SAMPLE = 250_000


@dataclass(frozen=True)
class Recipe:
    """What picture to make of a scene.

    Attributes
    ----------
    id, title : str
    bands : tuple of 1 or 3 int
    stretch : str
        ``"percentile"``, ``"minmax"``, ``"decorrelation"`` or ``"none"`` (0 to 255, colours as
        they are).
    low, high : float
        Percentiles.
    colormap : str
        For one band.
    limits : tuple of (low, high) or None
        Set by hand, or a display preset; wins over the stretch.
    """

    id: str
    title: str
    bands: tuple[int, ...]
    stretch: str = "percentile"
    low: float = 2.0
    high: float = 98.0
    colormap: str = "gray"
    limits: Limits | None = None

    def __post_init__(self) -> None:
        if len(self.bands) not in (1, 3):
            raise BadInput("A picture is made of one band or of three.")
        if self.stretch not in ("percentile", "minmax", "decorrelation", "none"):
            raise BadInput(f"There is no stretch called {self.stretch}.")
        if not 0 <= self.low < self.high <= 100:
            raise BadInput("The lower percentile must be below the higher, both within 0 to 100.")


@dataclass(frozen=True)
class Preset:
    """Three wavelengths that show something, or one.

    Attributes
    ----------
    wavelengths_nm : tuple of 1 or 3 float
        For red, green, blue.
    purpose : str
        What it is good for.
    colormap : str
        For one wavelength.
    """

    id: str
    title: str
    wavelengths_nm: tuple[float, ...]
    purpose: str
    colormap: str = "gray"


PRESETS = (
    Preset("natural", "Natural colour", (650, 550, 460), "As the eye sees it"),
    Preset("cir", "Colour infrared", (860, 650, 550), "Healthy vegetation in red"),
    Preset("swir", "Shortwave infrared", (2200, 860, 650), "Burnt ground, moisture, bare soil"),
    Preset("agriculture", "Agriculture", (1610, 860, 480), "Crops and their vigour"),
    Preset("geology", "Geology", (2200, 1610, 480), "Rocks, clay and iron minerals"),
    Preset("ams_fire", "Fire, mid-wave", (3900, 2160, 860), "Flames red, hot ground yellow"),
    Preset("ams_heat", "Fire, heat", (11000, 3900, 2160), "Heat through smoke"),
    Preset("ams_smoke", "Fire, through smoke", (2160, 1610, 860), "Fire front below smoke"),
)
# The six views in which the masks of the AMS were drawn, offered where the scene is of that
# sensor: channels 5/3/2, 7/5/3, 10/7/3, 10, 11, 12.
AMS_PRESETS = (
    Preset("ams_532", "AMS 5/3/2, visual", (624, 550, 488), "As the eye sees it"),
    Preset("ams_753", "AMS 7/5/3, colour infrared", (756, 624, 550), "Vegetation and burnt ground"),
    Preset("ams_1073", "AMS 10/7/3, fire", (2222, 756, 550), "Flames through smoke"),
    Preset("ams_10", "AMS 10, shortwave infrared", (2222,), "Flames and glow", "viridis"),
    Preset("ams_11", "AMS 11, mid-wave infrared", (3745,), "Fire, hot ground", "viridis"),
    Preset("ams_12", "AMS 12, thermal infrared", (10191,), "Warm ground", "viridis"),
)


@dataclass(frozen=True, eq=False)
class Picture:
    """Planes ready for the screen.

    Attributes
    ----------
    planes : tuple of 1 or 3 arrays of shape (rows, cols)
        uint8, uint16 or float32, physical units; nodata is ``nan``.
    limits : tuple of (low, high)
        Contrast limits a plane.
    recipe : Recipe
    level : int
    step : (row_step, col_step)
        Scene pixels a plane pixel.
    estimated : bool
        Limits come from a sample.
    is_rgb : bool
        The planes are true colours and want no stretch.
    """

    planes: tuple[NDArray[Any], ...]
    limits: Limits
    recipe: Recipe
    level: int
    step: tuple[float, float]
    estimated: bool
    is_rgb: bool = False

    def to_rgb8(self) -> NDArray[np.uint8]:
        """Return the stretched picture as uint8 (rows, cols, 3), for files and reports."""
        planes = []
        for plane, (low, high) in zip(self.planes, self.limits, strict=True):
            span = (high - low) or 1.0
            scaled = (plane.astype(np.float32) - np.float32(low)) * np.float32(255 / span)
            planes.append(np.nan_to_num(np.clip(scaled, 0, 255), nan=0.0).astype(np.uint8))
        if len(planes) == 1:
            planes *= 3
        return np.stack(planes, axis=-1)


def available_presets(bands: BandTable) -> list[tuple[Preset, str]]:
    """Return every preset with ``""``, or with the reason why these bands cannot show it."""
    return [(preset, _missing(bands, preset)) for preset in _offered(bands)]


def _offered(bands: BandTable) -> tuple[Preset, ...]:
    """Return the presets for a scene: those of the AMS only where it is one, or stands for it."""
    ams = ("AMS", "MASTER")
    is_ams = any(word in bands.note or word in bands.names[0] for word in ams)
    return PRESETS + AMS_PRESETS if is_ams else PRESETS


def preset_recipe(scene: Scene, preset_id: str) -> Recipe:
    """Return the recipe of a preset for a scene.

    Raises
    ------
    BadInput
        No such preset, or the scene lacks a wavelength; the sentence names it.
    """
    every = PRESETS + AMS_PRESETS
    preset = next((p for p in every if p.id == preset_id), None)
    if preset is None:
        known = ", ".join(p.id for p in every)
        raise BadInput(f"There is no composite called {preset_id}.", way_out=f"Use: {known}.")
    reason = _missing(scene.bands, preset)
    if reason:
        raise BadInput(f"{preset.title} cannot be shown: {reason}", subject=scene.title)
    chosen = tuple(_near(scene.bands, nm) for nm in preset.wavelengths_nm)
    found = tuple(b for b in chosen if b is not None)
    return Recipe(preset.id, preset.title, found, colormap=preset.colormap)


def default_recipe(scene: Scene) -> Recipe:
    """Return the picture to open with: true colours, else natural colour, else what fits."""
    info, count = scene.info, scene.shape[2]
    if info.is_rgb and count >= 3:
        return Recipe("rgb", "True colours", (0, 1, 2), stretch="none")
    reasons = {preset.id: reason for preset, reason in available_presets(scene.bands)}
    order = ("natural", "cir", "ams_fire")
    for wanted in reversed(order) if info.kind == "thermal" else order:
        if not reasons[wanted]:
            return preset_recipe(scene, wanted)
    if info.default_bands and len(info.default_bands) in (1, 3):
        return Recipe("file", "As the file proposes", tuple(info.default_bands))
    good = np.flatnonzero(scene.bands.good_mask())
    nm = scene.bands.wavelengths()
    if count == good.size == 3 and np.isfinite(nm).all() and scene.bands.axis != "slice":
        # As a decorrelation stretch leaves: its three bands, the longest wavelength red.
        longest_first = tuple(int(b) for b in np.argsort(-nm, kind="stable"))
        return Recipe("three", "Its three bands", longest_first)
    if info.kind in ("hyperspectral", "multispectral") and good.size >= 3:
        spread = good[np.linspace(0, good.size - 1, 5).astype(int)][[3, 2, 1]]
        return Recipe("spread", "Three bands", tuple(int(b) for b in spread))
    middle = count // 2 if scene.bands.axis == "slice" else 0
    if good.size and middle not in good:
        middle = int(good[0])
    limits = next(iter(info.windows.values()), None)
    return single_band(scene, middle, limits=None if limits is None else (limits,))


def single_band(
    scene: Scene, band: int, *, colormap: str = "gray", limits: Limits | None = None
) -> Recipe:
    """Return the recipe that shows one band."""
    return Recipe("single", scene.bands.label(band), (band,), colormap=colormap, limits=limits)


def window_words(name: str, limits: tuple[float, float]) -> str:
    """Return a display window as radiologists write it: name, level and width."""
    low, high = limits
    return f"{name} ({(low + high) / 2:g} / {high - low:g})"


def coarse_level(scene: Scene, pixels: int = 512 * 512) -> int:
    """Return the finest level with at most ``pixels`` pixels, or the coarsest there is."""
    shapes = scene.level_shapes
    for level, (rows, cols) in enumerate(shapes):
        if rows * cols <= pixels:
            return level
    return len(shapes) - 1


def first_level(scene: Scene, recipe: Recipe) -> int:
    """Return the level of the first picture: coarse, or 0 where the whole is as quick.

    In a band-by-band file whole planes are a few long reads, soon done.
    """
    rows, cols, _ = scene.shape
    planes = rows * cols * len(recipe.bands) * scene.dtype.itemsize
    return 0 if scene.source.layout == "bsq" and planes <= _SOON_BYTES else coarse_level(scene)


def is_tiled(scene: Scene) -> bool:
    """Tell whether a scene is so large that it is shown piece by piece."""
    rows, cols, _ = scene.shape
    return rows * cols > LARGEST_PLANE and len(scene.level_shapes) > 1


def stretch_limits(scene: Scene, recipe: Recipe, *, progress: Progress | None = None) -> Limits:
    """Return contrast limits a plane, from a sample of about 250,000 pixels."""
    if recipe.limits is not None:
        return recipe.limits
    if recipe.stretch == "none":
        return ((0.0, 255.0),) * len(recipe.bands)
    values = sample_pixels(scene, recipe.bands, size=SAMPLE, progress=progress)
    if recipe.stretch == "decorrelation" and len(recipe.bands) == 3:
        values = _decorrelate(values, *_decorrelation(values))
    return limits_of(values, recipe)


def limits_of(values: NDArray[Any], recipe: Recipe) -> Limits:
    """Return limits a column of sampled values, shape (pixels, planes)."""
    out = []
    for column in np.moveaxis(values, -1, 0):
        finite = column[np.isfinite(column)]
        if finite.size == 0:
            out.append(NO_VALUES)
            continue
        if recipe.stretch == "minmax":
            low, high = float(finite.min()), float(finite.max())
        else:
            low, high = (float(v) for v in np.percentile(finite, (recipe.low, recipe.high)))
            if high <= low:
                low, high = float(finite.min()), float(finite.max())
        # A constant band still needs two different limits to be drawn.
        out.append((low, high if high > low else low + max(1e-6, abs(low) * 1e-3)))
    return tuple(out)


def render(
    scene: Scene, recipe: Recipe, *, level: int = 0, progress: Progress | None = None
) -> Picture:
    """Read the planes of a recipe and find their limits.

    Strip by strip, so that cancelling works and no more than the planes and one
    strip are in memory.

    Raises
    ------
    BadInput
        A band does not exist, or the file cannot be read.
    """
    rows, cols = scene.level_shapes[level]
    dtype = _plane_type(scene)
    planes = [np.empty((rows, cols), dtype) for _ in recipe.bands]
    if progress is not None:
        progress.start(rows, "rows", f"Reading {recipe.title.lower()}")
    strip = max(16, (16 << 20) // max(1, cols * len(recipe.bands) * 4))
    if scene.source.layout == "bsq":
        _fill_by_band(scene, recipe.bands, level, planes, progress)
    else:
        for row in range(0, rows, strip):
            window = Window(row, 0, min(strip, rows - row), cols)
            values = scene.read(window, recipe.bands, level)
            _store(scene, values, planes, row)
            if progress is not None:
                progress.advance(window.height)
    sampled = _sample_planes(planes)
    if recipe.stretch == "decorrelation" and len(planes) == 3:
        mean, matrix = _decorrelation(sampled)
        for row in range(0, rows, strip):
            part = np.stack([p[row : row + strip] for p in planes], axis=-1)
            part = _decorrelate(part, mean, matrix)
            for i, plane in enumerate(planes):
                plane[row : row + strip] = part[..., i]
        sampled = _decorrelate(sampled, mean, matrix)
    if recipe.limits is not None or recipe.stretch == "none":
        limits = stretch_limits(scene, recipe)
    else:
        limits = limits_of(sampled, recipe)
    full_rows, full_cols, _ = scene.shape
    return Picture(
        tuple(planes),
        limits,
        replace(recipe, limits=recipe.limits),
        level,
        (full_rows / rows, full_cols / cols),
        estimated=rows * cols > SAMPLE,
        is_rgb=scene.info.is_rgb and recipe.stretch == "none",
    )


class PlaneLevel:
    """One band at one pyramid level, read where it is looked at: an array for the canvas.

    Parameters
    ----------
    scene : Scene
    bands : tuple of int
        One band gives a plane, several a last axis of colours.
    level : int
    """

    def __init__(self, scene: Scene, bands: Sequence[int], level: int) -> None:
        self._scene, self._bands, self._level = scene, tuple(bands), level
        rows, cols = scene.level_shapes[level]
        self.shape: tuple[int, ...] = (rows, cols)
        if len(self._bands) > 1:
            self.shape += (len(self._bands),)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(_plane_type(scene))
        self.size = int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the window that a pair of slices (or numbers) names."""
        if not isinstance(key, tuple):
            key = (key,)
        if any(part is Ellipsis for part in key):
            at = next(i for i, part in enumerate(key) if part is Ellipsis)
            fill = (slice(None),) * (self.ndim - len(key) + 1)
            key = key[:at] + fill + key[at + 1 :]
        key = key + (slice(None),) * (self.ndim - len(key))
        spans, steps = [], []
        for part, length in zip(key[:2], self.shape, strict=False):
            if isinstance(part, (int, np.integer)):
                start = int(part) + (length if part < 0 else 0)
                spans.append((start, start + 1))
                steps.append(0)
            else:
                start, stop, step = part.indices(length)
                spans.append((start, max(start, stop)))
                steps.append(step)
        (r0, r1), (c0, c1) = spans
        values = self._scene.read(Window(r0, c0, r1 - r0, c1 - c0), self._bands, self._level)
        if self.dtype == np.float32:
            values = self._scene.to_physical(values)
        out: NDArray[Any] = values if self.ndim == 3 else values[:, :, 0]
        pick = tuple(0 if step == 0 else slice(None, None, step) for step in steps)
        return out[(*pick, *key[2:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the whole level (coarse levels only are asked for that)."""
        values = self[:, :]
        return values if dtype is None else values.astype(dtype)

    def __len__(self) -> int:
        return self.shape[0]


def plane_pyramid(scene: Scene, band: int) -> list[PlaneLevel]:
    """Return one band as lazy levels, finest first."""
    return [PlaneLevel(scene, (band,), level) for level in range(len(scene.level_shapes))]


def rgb_pyramid(scene: Scene) -> list[PlaneLevel]:
    """Return the true colours of a picture or slide as lazy levels, finest first."""
    return [PlaneLevel(scene, (0, 1, 2), level) for level in range(len(scene.level_shapes))]


def _missing(bands: BandTable, preset: Preset) -> str:
    if not bands.has_wavelengths:
        return "The wavelengths of the bands are not known."
    gone = [nm for nm in preset.wavelengths_nm if _near(bands, nm) is None]
    if not gone:
        return ""
    listed = ", ".join(f"{nm:.0f} nm" if nm < 3000 else f"{nm / 1000:.1f} µm" for nm in gone)
    return f"There is no good band near {listed}."


def _near(bands: BandTable, nm: float) -> int | None:
    return bands.nearest(nm, within_nm=max(60.0, nm * 0.06))


def _plane_type(scene: Scene) -> type[Any]:
    """Return the type of a plane: what the GPU takes without converting."""
    info = scene.info
    plain = info.gain == 1.0 and info.offset == 0.0 and info.nodata is None
    if plain and scene.dtype == np.uint8:
        return np.uint8
    if plain and scene.dtype == np.uint16:
        return np.uint16
    return np.float32


def _store(scene: Scene, values: NDArray[Any], planes: list[NDArray[Any]], row: int) -> None:
    if planes[0].dtype == np.float32:
        values = scene.to_physical(values)
    for i, plane in enumerate(planes):
        plane[row : row + values.shape[0]] = values[:, :, i]


def _fill_by_band(
    scene: Scene,
    bands: Sequence[int],
    level: int,
    planes: list[NDArray[Any]],
    progress: Progress | None,
) -> None:
    """Read band after band: one long read each where a file stores bands one by one."""
    rows, cols = planes[0].shape
    strip = max(16, (16 << 20) // max(1, cols * 4))
    for band, plane in zip(bands, planes, strict=True):
        for row in range(0, rows, strip):
            window = Window(row, 0, min(strip, rows - row), cols)
            _store(scene, scene.read(window, (band,), level), [plane], row)
            if progress is not None:
                progress.advance(window.height / len(bands))


def _sample_planes(planes: list[NDArray[Any]]) -> NDArray[np.float32]:
    rows, cols = planes[0].shape
    step = max(1, int((rows * cols / SAMPLE) ** 0.5))
    return np.stack([p[::step, ::step].reshape(-1) for p in planes], -1).astype(np.float32)


def _decorrelation(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and matrix of the decorrelation stretch (Gillespie et al. 1986).

    Rotates to principal components of the correlation matrix, makes their
    variances equal, rotates back; each band keeps its mean and deviation.
    """
    finite = values[np.isfinite(values).all(axis=-1)].astype(np.float64)
    if len(finite) < 4:
        return np.zeros(3), np.eye(3)
    mean, std = finite.mean(axis=0), finite.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    weights, vectors = np.linalg.eigh(np.cov(((finite - mean) / std).T))
    scale = 1.0 / np.sqrt(np.maximum(weights, 1e-6))
    whiten = vectors @ np.diag(scale) @ vectors.T
    return mean, np.diag(std) @ whiten @ np.diag(1.0 / std)


def _decorrelate(
    values: NDArray[Any], mean: NDArray[np.float64], matrix: NDArray[np.float64]
) -> NDArray[np.float32]:
    apart = values.astype(np.float32) - mean.astype(np.float32)
    return np.asarray(apart @ matrix.T.astype(np.float32) + mean.astype(np.float32))
