"""What of a scene a classifier looks at: a picture, its own bands, one slice; never the whole
of a large one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.composite import coarse_level, default_recipe, single_band, stretch_limits
from backends.errors import BadInput
from backends.explain.classifier import ImageClassifier, Prepared
from backends.overlays import Placement
from backends.scene import Scene, Window

# A picture beyond this is read from a coarser level, or in tiles.
MOST_PIXELS = 16 << 20
COARSE_PIXELS = 4 << 20


@dataclass(frozen=True)
class Look:
    """How a classifier looks at a scene; the same for every tile of it.

    Attributes
    ----------
    bands : tuple of int
        Bands of the scene, in the network's order.
    low, high : tuple of float, or None
        Values that become 0 and 1, a band; None leaves it to the network.
    notes : tuple of str
        What was done that one should know.
    wavelength_nm : tuple of float
        Of these bands; empty where unknown.
    """

    bands: tuple[int, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    wavelength_nm: tuple[float, ...] = ()


def look_at(classifier: ImageClassifier, scene: Scene, *, slice_number: int | None = None) -> Look:
    """Decide which bands of a scene a network sees, and how its values are scaled.

    Networks trained on certain bands get those; networks for pictures the picture the scene
    opens with; networks for as many bands as the scene has all of them.

    Parameters
    ----------
    slice_number : int, optional
        Of a volume, from 0; default the middle one.

    Raises
    ------
    BadInput
        The scene lacks bands the network needs.
    """
    spec, count = classifier.spec, scene.shape[2]
    if spec.band_numbers:
        from backends.hyperspectral.normalise import match_bands

        nm = np.asarray(spec.wavelength_nm) if spec.wavelength_nm else None
        found = match_bands(scene, np.asarray(spec.band_numbers, np.int64), nm)
        return Look(tuple(found.tolist()), wavelength_nm=spec.wavelength_nm)
    if scene.bands.axis == "slice":
        middle = count // 2 if slice_number is None else slice_number
        if not 0 <= middle < count:
            raise BadInput(f"{scene.title} has no slice {middle + 1}; it has {count}.")
        limits = next(iter(scene.info.windows.values()), None)
        recipe = single_band(scene, middle, limits=None if limits is None else (limits,))
        return _stretched(scene, recipe, spec.value_range, (f"Slice {middle + 1} of {count}.",))
    if spec.bands == 3 and scene.info.is_rgb and scene.dtype == np.uint8 and count >= 3:
        return Look((0, 1, 2))
    if spec.bands == count and not (count in (1, 3) and spec.value_range == (0.0, 255.0)):
        return _all_bands(scene, spec.value_range)
    if spec.bands in (1, 3):
        recipe = default_recipe(scene)
        if spec.bands == 1 and len(recipe.bands) > 1:
            recipe = single_band(scene, 0)
        notes: tuple[str, ...] = ()
        if len(recipe.bands) == 3 and not scene.info.is_rgb:
            shown = ", ".join(scene.bands.label(b) for b in recipe.bands)
            notes = (f"The network saw the picture “{recipe.title}” ({shown}), not the bands.",)
        return _stretched(scene, recipe, spec.value_range, notes)
    raise BadInput(
        f"{classifier.card.title} reads {spec.bands} bands, {scene.title} has {count}.",
        subject=scene.info.path,
        way_out="Use a network made for these bands, or adapt its first layer to them.",
    )


def read_prepared(
    classifier: ImageClassifier,
    scene: Scene,
    look: Look,
    window: Window,
    level: int,
    *,
    fit: str = "",
    size: tuple[int, int] | None = None,
) -> Prepared:
    """Read a window of a level and bring it to the network."""
    plain = look.low is None and scene.dtype == np.uint8 and not classifier.spec.band_numbers
    values = scene.read(window, look.bands, level, physical=not plain)
    value_range: tuple[Any, Any] | None = None
    if look.low is not None and look.high is not None:
        if classifier.spec.value_range == (0.0, 255.0):
            values = _scaled(values, look)
        else:
            value_range = (look.low, look.high)
    found = classifier.prepare(values, fit=fit, size=size, value_range=value_range)
    nm = look.wavelength_nm or found.wavelength_nm
    notes = dict.fromkeys((*look.notes, *found.notes))
    return replace(found, notes=tuple(notes), wavelength_nm=nm)


def window_for(
    scene: Scene, window: Window | None, level: int | None, most: int = MOST_PIXELS
) -> tuple[Window, int]:
    """Return the window and level to look at; of a large scene without one, a coarse level.

    Raises
    ------
    BadInput
        The window is empty or too large to be looked at in one piece.
    """
    if level is None:
        whole = scene.shape[0] * scene.shape[1]
        level = coarse_level(scene, COARSE_PIXELS) if window is None and whole > most else 0
    if not 0 <= level < len(scene.level_shapes):
        raise BadInput(f"{scene.title} has no pyramid level {level}.")
    rows, cols = scene.level_shapes[level]
    chosen = Window(0, 0, rows, cols) if window is None else window.clip(rows, cols)
    if chosen.height < 1 or chosen.width < 1:
        raise BadInput(f"The region lies outside {scene.title}.")
    if chosen.height * chosen.width > most:
        raise BadInput(
            f"The region of {chosen.height} × {chosen.width} pixels is too large for one look.",
            way_out="Choose a smaller region, a coarser level, or explain it in tiles.",
        )
    return chosen, level


def on_scene(scene: Scene, window: Window, level: int, place: Placement) -> Placement:
    """Return where pixels placed on a window of a level lie on the full-size scene."""
    rows, cols = scene.level_shapes[level]
    down, across = scene.shape[0] / rows, scene.shape[1] / cols
    return Placement(
        (window.row + place.row + 0.5) * down - 0.5,
        (window.col + place.col + 0.5) * across - 0.5,
        place.row_step * down,
        place.col_step * across,
    )


def on_window(
    mask: NDArray[np.bool_], scene: Scene, window: Window, level: int
) -> NDArray[np.bool_]:
    """Return a mask of the full-size scene on the pixels of a window of a level.

    Parameters
    ----------
    mask : bool array of shape (rows, cols) of the scene

    Raises
    ------
    BadInput
        It is of another size than the scene.
    """
    if mask.shape != scene.shape[:2]:
        raise BadInput(
            f"The region is {mask.shape[0]} × {mask.shape[1]} pixels, {scene.title} "
            f"{scene.shape[0]} × {scene.shape[1]}.",
            way_out="Choose the one that belongs to this image.",
        )
    rows, cols = scene.level_shapes[level]
    down, across = scene.shape[0] / rows, scene.shape[1] / cols
    r = ((window.row + np.arange(window.height) + 0.5) * down).astype(np.intp)
    c = ((window.col + np.arange(window.width) + 0.5) * across).astype(np.intp)
    return np.asarray(mask[np.ix_(r, c)])


def _all_bands(scene: Scene, value_range: tuple[Any, Any]) -> Look:
    bands = tuple(range(scene.shape[2]))
    found = np.asarray(scene.bands.wavelengths(), float)
    nm = tuple(found.tolist()) if np.isfinite(found).all() else ()
    if value_range != (0.0, 255.0) or scene.dtype == np.uint8:
        return Look(bands, wavelength_nm=nm)
    from backends.hyperspectral.normalise import fit_stretch

    stretch = fit_stretch(scene)
    low, high = np.zeros(len(bands)), np.ones(len(bands))
    low[stretch.bands], high[stretch.bands] = stretch.low, stretch.high
    note = "Each band was scaled between its 2nd and 98th percentile over the scene."
    return Look(bands, tuple(low.tolist()), tuple(high.tolist()), (note,), nm)


def _stretched(
    scene: Scene, recipe: Any, value_range: tuple[Any, Any], notes: tuple[str, ...]
) -> Look:
    if value_range != (0.0, 255.0):  # the network knows its own values (HU, say)
        return Look(recipe.bands, notes=notes)
    if scene.dtype == np.uint8 and scene.info.gain == 1 and recipe.stretch == "none":
        return Look(recipe.bands, notes=notes)
    if scene.dtype == np.uint8 and scene.info.kind == "picture":
        return Look(recipe.bands, notes=notes)
    limits = stretch_limits(scene, recipe)
    low, high = (tuple(float(pair[i]) for pair in limits) for i in (0, 1))
    unit = f" {scene.info.unit}" if scene.info.unit else ""
    said = "; ".join(f"{a:.6g} to {b:.6g}" for a, b in zip(low, high, strict=True))
    return Look(recipe.bands, low, high, (*notes, f"Black and white are {said}{unit}."))


def _scaled(values: NDArray[Any], look: Look) -> NDArray[np.float32]:
    """Bring values to 0..1 as they are shown; what was not measured stays ``nan``."""
    low, high = np.asarray(look.low, np.float32), np.asarray(look.high, np.float32)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)
