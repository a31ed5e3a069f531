"""Pictures as napari image layers: planes in memory, or pyramids read where they are seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.frames import Frame
from app.layers import continuous
from backends.composite import (
    SAMPLE,
    Limits,
    Picture,
    PlaneLevel,
    Recipe,
    plane_pyramid,
    rgb_pyramid,
)
from backends.errors import ClearbandError
from backends.scene import Scene

_CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True)
class Prepared:
    """A picture and the arrays the canvas takes of it."""

    picture: Picture
    data: list[NDArray[Any]]


def prepare(picture: Picture) -> Prepared:
    """Do off the window's thread what the canvas needs: true colours side by side."""
    if not picture.is_rgb:
        return Prepared(picture, list(picture.planes))
    colors = picture.to_rgb8()
    planes = tuple(colors[:, :, i] for i in range(3))
    return Prepared(replace(picture, planes=planes), [colors])


def plane_layers(
    picture: Picture,
    data: list[NDArray[Any]],
    scale: tuple[float, float],
    translate: tuple[float, float],
    units: tuple[str, str],
) -> list[Any]:
    """Return one colour layer, one plane, or three additive ones."""
    from napari.layers import Image

    recipe = picture.recipe
    place = {"scale": scale, "translate": translate, "units": units}
    if picture.is_rgb:
        return [Image(data[0], name=recipe.title, rgb=True, **place)]
    layers = []
    for index, (plane, limits) in enumerate(zip(data, picture.limits, strict=True)):
        layers.append(
            Image(
                plane,
                name=recipe.title if len(data) == 1 else f"{recipe.title}: {_CHANNELS[index]}",
                rgb=False,
                colormap=_plane_colormap(recipe, index),
                contrast_limits=limits,
                blending="translucent_no_depth" if index == 0 else "additive",
                **place,
            )
        )
    return layers


def _plane_colormap(recipe: Recipe, index: int) -> Any:
    return continuous(recipe.colormap) if len(recipe.bands) == 1 else _CHANNELS[index]


def set_limits(layer: Any, limits: tuple[float, float]) -> None:
    """Set contrast limits that may lie outside the range napari allows so far."""
    low, high = layer.contrast_limits_range
    layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
    layer.contrast_limits = limits


def sample_planes(planes: tuple[NDArray[Any], ...]) -> NDArray[np.float32]:
    """Return about `SAMPLE` pixels of some planes, shape (pixels, planes)."""
    rows, cols = planes[0].shape
    step = max(1, int((rows * cols / SAMPLE) ** 0.5))
    return np.stack([p[::step, ::step].reshape(-1) for p in planes], -1).astype(np.float32)


def lazy_layers(
    scene: Scene,
    recipe: Recipe,
    limits: Limits,
    frame: Frame,
    report: Callable[[ClearbandError], None],
) -> list[Any]:
    """Return layers over a scene's pyramid; what cannot be read is reported once."""
    from napari.layers import Image

    guard = _Guard(scene, report)
    is_rgb = scene.info.is_rgb and recipe.stretch == "none" and len(recipe.bands) == 3
    layers = []
    pyramids = [rgb_pyramid(scene)] if is_rgb else [plane_pyramid(scene, b) for b in recipe.bands]
    for index, pyramid in enumerate(pyramids):
        low, high = limits[index]
        layer = Image(
            [guard.wrap(level) for level in pyramid],
            name=recipe.title if len(pyramids) == 1 else f"{recipe.title}: {_CHANNELS[index]}",
            multiscale=True,
            rgb=is_rgb,
            colormap=None if is_rgb else _plane_colormap(recipe, index),
            contrast_limits=None if is_rgb else (low, high),
            blending="translucent_no_depth" if index == 0 else "additive",
            scale=frame.scale(),
            translate=frame.translate(),
            units=frame.units,
            cache=False,
        )
        layers.append(layer)
    return layers


class _Guard:
    """Hands a pyramid to the canvas; a piece that cannot be read is empty and said once."""

    def __init__(self, scene: Scene, report: Callable[[ClearbandError], None]) -> None:
        self.scene, self._report = scene, report
        self._said = threading.Event()

    def wrap(self, level: PlaneLevel) -> _GuardedLevel:
        """Return a level that never raises."""
        return _GuardedLevel(level, self)

    def failed(self, error: ClearbandError) -> None:
        """Tell the user, the first time."""
        if not self.scene.is_closed and not self._said.is_set():
            self._said.set()
            self._report(error)


class _GuardedLevel:
    """One level of a pyramid, as an array."""

    def __init__(self, level: PlaneLevel, guard: _Guard) -> None:
        self._level, self._guard = level, guard
        self.shape, self.dtype = level.shape, level.dtype
        self.ndim, self.size = level.ndim, level.size

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            return self._level[key]
        except ClearbandError as error:
            self._guard.failed(error)
            empty = np.broadcast_to(np.zeros((), self.dtype), self.shape)
            return np.ascontiguousarray(empty[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        values = self[:, :]
        return values if dtype is None else values.astype(dtype)
