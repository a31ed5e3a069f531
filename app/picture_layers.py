"""Pictures as napari image layers: planes in memory, or pyramids read where they are seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.followed import Followed, Follower
from app.frames import Frame
from app.overlay_looks import continuous
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
from backends.tiles import TILE, Tiles, coarse_whole
from backends.workspace import Workspace

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


def coarse_planes(scene: Scene, recipe: Recipe) -> list[NDArray[Any]]:
    """Read all of a large picture coarsely, an array a layer: what is there from the start."""
    return [coarse_whole(pyramid[-1]) for pyramid in _pyramids(scene, recipe)]


def lazy_layers(
    workspace: Workspace,
    scene: Scene,
    recipe: Recipe,
    limits: Limits,
    bases: list[NDArray[Any]],
    frame: Frame,
    report: Callable[[ClearbandError], None],
) -> list[Any]:
    """Return layers over a scene's pyramid; what cannot be read is reported once.

    Parameters
    ----------
    bases : list of arrays
        See `coarse_planes`.
    """
    guard = _Guard(scene, report)
    is_rgb = shows_colors(scene, recipe)
    layers = []
    pyramids = _pyramids(scene, recipe)
    for index, (pyramid, base) in enumerate(zip(pyramids, bases, strict=True)):
        low, high = limits[index]
        shapes = [_Shape(level) for level in pyramid]
        levels: list[Any] = [*pyramid]
        if base.shape != pyramid[-1].shape:
            # Coarser than the file's own: whoever looks at all of it needs no more.
            levels.append(base)
            shapes.append(_Shape(base))
        name = "colours" if is_rgb else f"band {recipe.bands[index]}"
        layer = Followed(
            shapes,
            pixels=Tiles(scene.id, name, levels, base),
            name=recipe.title if len(pyramids) == 1 else f"{recipe.title}: {_CHANNELS[index]}",
            rgb=is_rgb,
            colormap=None if is_rgb else _plane_colormap(recipe, index),
            contrast_limits=(low, high),
            blending="translucent_no_depth" if index == 0 else "additive",
            scale=frame.scale(),
            translate=frame.translate(),
            units=frame.units,
            cache=False,
        )
        Follower(workspace, scene.id, layer, guard.failed)
        layers.append(layer)
    return layers


def shows_colors(scene: Scene, recipe: Recipe) -> bool:
    """Tell whether a large picture is drawn in its own colours, as it is."""
    return scene.info.is_rgb and recipe.stretch == "none" and len(recipe.bands) == 3


def _pyramids(scene: Scene, recipe: Recipe) -> list[list[PlaneLevel]]:
    if shows_colors(scene, recipe):
        return [rgb_pyramid(scene)]
    return [plane_pyramid(scene, band) for band in recipe.bands]


class _Guard:
    """Says once what cannot be read; the pieces stay empty."""

    def __init__(self, scene: Scene, report: Callable[[ClearbandError], None]) -> None:
        self.scene, self._report = scene, report
        self._said = threading.Event()

    def failed(self, error: ClearbandError) -> None:
        """Tell the user, the first time."""
        if not self.scene.is_closed and not self._said.is_set():
            self._said.set()
            self._report(error)


class _Shape:
    """One level as the canvas knows it: its size and type.

    Whoever takes pixels from it (a copy of the layer that napari's own list makes) reads.
    """

    def __init__(self, level: PlaneLevel | NDArray[Any]) -> None:
        self._level = level
        self.shape, self.dtype = level.shape, level.dtype
        self.ndim, self.size = level.ndim, level.size
        # The canvas keeps what it has until the view leaves it by as much.
        self.chunks = (TILE, TILE, 3)[: level.ndim]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self._level[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._level, dtype)
