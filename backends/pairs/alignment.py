"""How the pixels of one scene lie on those of another: by map coordinates, else by pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backends.georeference import GeoReference, Place
from backends.scene import Scene

MAP, FIT, PIXELS = "map", "fit", "pixels"
# Places a fit looks at along each side.
_GRID = 9
# An error that nobody sees.
_FINE = 0.25
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where pixels of a second scene lie on a first one.

    Attributes
    ----------
    matrix : float array of shape (2, 3)
        Row, col of the second (and 1) to row, col of the first.
    how : str
        `MAP`: both in one coordinate system, exact; `FIT`: by longitude and latitude, as even
        as can be; `PIXELS`: neither says where it lies.
    off_px : float
        The greatest error of a fit, in pixels of the first.
    overlap : bool
        Whether they share any ground.
    sentence : str
        What to know, for people; empty where there is nothing to say.
    """

    matrix: Matrix
    how: str
    off_px: float = 0.0
    overlap: bool = True
    sentence: str = ""

    def to_first(self, row: float, col: float) -> tuple[float, float]:
        """Return where a pixel of the second lies in the first."""
        r, c = self.matrix @ np.array([row, col, 1.0])
        return float(r), float(c)

    def to_second(self, row: float, col: float) -> tuple[float, float]:
        """Return where a pixel of the first lies in the second."""
        r, c = np.linalg.solve(self.matrix[:, :2], np.array([row, col]) - self.matrix[:, 2])
        return float(r), float(c)

    def moved(self, rows: float, cols: float, sentence: str | None = None) -> Alignment:
        """Return how they lie once a shift of the second is taken back.

        Parameters
        ----------
        rows, cols : float
            How far it lies below and right, in pixels of the first.
        sentence : str, optional
            What to know of that; default as before.
        """
        matrix = self.matrix - np.array([[0.0, 0.0, rows], [0.0, 0.0, cols]])
        said = self.sentence if sentence is None else sentence
        return replace(self, matrix=matrix, sentence=said)

    @property
    def placed(self) -> bool:
        """Whether map coordinates say how they lie."""
        return self.how != PIXELS

    @property
    def scale(self) -> float:
        """How many pixels of the first one of the second is wide."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2]))))


def align(one: Scene, other: Scene) -> Alignment:
    """Lay a second scene on a first one.

    May read tables of coordinates: not for the window's thread.
    """
    a, b = one.place, other.place
    if a is None or b is None:
        return _by_pixels(one, other, _unplaced(one, other))
    if isinstance(a, GeoReference) and isinstance(b, GeoReference) and a.same_system(b):
        ends = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
        found = np.array([a.to_pixel(*b.to_map(*end)) for end in ends], np.float64)
        matrix = np.column_stack([found[1] - found[0], found[2] - found[0], found[0]])
        said = ""
        if (a.crs is None) != (b.crs is None):
            bare = one if a.crs is None else other
            said = f"{bare.title} names no coordinate system; that of the other is taken for it."
        return _checked(one, other, matrix, MAP, 0.0, said)
    pairs = _pairs(one, other)
    if pairs is None:
        return _by_pixels(one, other, _unplaced(one, other))
    first, second = pairs
    inside = _within(first, one) & _within(second, other)
    if inside.sum() >= 6:  # where both are seen it should be best
        first, second = first[inside], second[inside]
    laid = np.column_stack([second, np.ones(len(second))])
    solved, _, rank, _ = np.linalg.lstsq(laid, first, rcond=None)
    if rank < 3:
        return _by_pixels(one, other, "The scenes have too little ground in common.")
    off = float(np.abs(laid @ solved - first).max())
    said = f"Laid evenly; up to {off:.1f} pixels off towards the edges." if off > _FINE else ""
    return _checked(one, other, np.array(solved.T, np.float64), FIT, off, said)


def _pairs(one: Scene, other: Scene) -> tuple[Matrix, Matrix] | None:
    """Return places of the same ground in both, row and column, each shape (n, 2)."""
    assert one.place is not None
    assert other.place is not None
    if not isinstance(one.place, GeoReference) and isinstance(other.place, GeoReference):
        swapped = _looked_up(one, other.place)
        return None if swapped is None else (swapped[0], swapped[1])
    found = _looked_up(other, one.place)
    return None if found is None else (found[1], found[0])


def _looked_up(source: Scene, target: Place) -> tuple[Matrix, Matrix] | None:
    """Return places spread over a scene, and where the same ground is in another."""
    assert source.place is not None
    rows, cols, _ = source.shape
    mine, theirs = [], []
    for row in np.linspace(0, rows - 1, _GRID).round():
        for col in np.linspace(0, cols - 1, _GRID).round():
            lonlat = source.place.to_lonlat(float(row), float(col))
            there = None if lonlat is None else target.from_lonlat(*lonlat)
            if there is not None:
                mine.append((float(row), float(col)))
                theirs.append(there)
    return (np.array(mine), np.array(theirs)) if len(mine) >= 3 else None


def _checked(
    one: Scene, other: Scene, matrix: Matrix, how: str, off: float, said: str
) -> Alignment:
    import shapely

    rows, cols, _ = other.shape
    ends = np.array(
        [(-0.5, -0.5), (-0.5, cols - 0.5), (rows - 0.5, cols - 0.5), (rows - 0.5, -0.5)]
    )
    laid = np.column_stack([ends, np.ones(4)]) @ matrix.T
    whole = shapely.box(-0.5, -0.5, one.shape[0] - 0.5, one.shape[1] - 0.5)
    overlap = bool(shapely.Polygon(laid).intersection(whole).area > 0)
    if not overlap:
        said = f"{one.title} and {other.title} share no ground."
    return Alignment(matrix, how, off, overlap, said)


def _by_pixels(one: Scene, other: Scene, said: str) -> Alignment:
    """Lay the second on the first pixel on pixel, or from edge to edge where the sizes differ."""
    (rows, cols), (their_rows, their_cols) = one.shape[:2], other.shape[:2]
    if (rows, cols) == (their_rows, their_cols):
        matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        return Alignment(matrix, PIXELS, sentence=f"{said} They are laid pixel on pixel.")
    down, right = rows / their_rows, cols / their_cols
    matrix = np.array([[down, 0.0, (down - 1) / 2], [0.0, right, (right - 1) / 2]])
    return Alignment(matrix, PIXELS, sentence=f"{said} They are laid from edge to edge.")


def _unplaced(one: Scene, other: Scene) -> str:
    bare = [scene.title for scene in (one, other) if not _placed(scene)]
    if len(bare) == 2:
        return "Neither scene says where on Earth it lies."
    return f"{(bare or [other.title])[0]} does not say where on Earth it lies."


def _placed(scene: Scene) -> bool:
    return scene.place is not None and scene.place.to_lonlat(0, 0) is not None


def _within(points: Matrix, scene: Scene) -> NDArray[np.bool_]:
    end = np.array(scene.shape[:2]) - 0.5
    return np.asarray(((points >= -0.5) & (points <= end)).all(axis=1))
