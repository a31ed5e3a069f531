"""Areas the user drew or loaded: outlines with holes, a name, a class and its colour."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.palette import class_colors, key_color

Ring = NDArray[np.float64]
Shape = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Outline:
    """One piece of an area.

    Attributes
    ----------
    exterior : float array of shape (points, 2)
        Row, col; whole numbers are pixel centres. Not closed: the last point is not the first.
    holes : tuple of such arrays
    """

    exterior: Ring
    holes: tuple[Ring, ...] = ()

    def __post_init__(self) -> None:
        for ring in self.rings:
            if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3:
                raise BadInput("An outline needs three or more points of row and column.")

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The outer ring and the holes."""
        return (self.exterior, *self.holes)


@dataclass(frozen=True, eq=False)
class Region:
    """An area the user drew or loaded.

    Attributes
    ----------
    vertices : float array of shape (points, 2)
        Row, col of the outline; whole numbers are pixel centres.
    color : int
        Number in the shared colour key (`backends.palette.key_color`).
    holes : tuple of such arrays
        Cut out of the outline.
    more : tuple of Outline
        Further pieces of an area that lies in several places.
    class_name : str
        What it is ("Tumour"); empty where nobody said so.
    class_color : str
        ``#rrggbb`` of the class; empty leaves it to the palette.
    """

    name: str
    scene_id: str
    vertices: Ring
    color: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    holes: tuple[Ring, ...] = ()
    more: tuple[Outline, ...] = ()
    class_name: str = ""
    class_color: str = ""

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """All its pieces."""
        return (Outline(self.vertices, self.holes), *self.more)

    @property
    def label(self) -> str:
        """What it stands for: its class, else its name."""
        return self.class_name or self.name

    @property
    def shown_color(self) -> str:
        """Colour on the screen, ``#rrggbb``: the class's, else that of the shared key."""
        if self.class_color:
            return self.class_color
        return class_colors({1: self.class_name})[1] if self.class_name else key_color(self.color)

    @property
    def area_px(self) -> float:
        """Area in pixels of the outlines themselves (shoelace formula), holes taken off."""
        return float(
            sum(
                _shoelace(piece.exterior) - sum(_shoelace(hole) for hole in piece.holes)
                for piece in self.outlines
            )
        )

    def with_outlines(self, outlines: tuple[Outline, ...]) -> Region:
        """Return the region with other pieces."""
        first, *rest = outlines
        return replace(self, vertices=first.exterior, holes=first.holes, more=tuple(rest))

    def mask(self, shape: Shape) -> NDArray[np.bool_]:
        """Return True inside, shape ``shape``."""
        out = np.zeros(shape, np.bool_)
        rows, cols, inside = self.inside(shape)
        out[rows, cols] = inside
        return out

    def inside(self, shape: Shape) -> tuple[slice, slice, NDArray[np.bool_]]:
        """Return where it lies in an image, and which pixels there are in it.

        Costs no more than its bounding box, however large the image is.
        """
        from skimage.draw import polygon2mask

        points = np.vstack([piece.exterior for piece in self.outlines])
        low = np.clip(np.floor(points.min(axis=0)).astype(int), 0, shape)
        high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 1, 0, shape)
        size = (max(0, int(high[0] - low[0])), max(0, int(high[1] - low[1])))
        mask = np.zeros(size, np.bool_)
        if size[0] and size[1]:
            for piece in self.outlines:
                part = polygon2mask(size, piece.exterior - low)
                for hole in piece.holes:
                    part &= ~polygon2mask(size, hole - low)
                mask |= part
        return slice(low[0], low[0] + size[0]), slice(low[1], low[1] + size[1]), mask


def _shoelace(ring: Ring) -> float:
    # About its own first point: far from the origin the products would eat the digits.
    r, c = (ring - ring[0]).T
    return abs(float((r * np.roll(c, -1) - c * np.roll(r, -1)).sum())) / 2
