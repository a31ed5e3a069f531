"""A formula over bands: ``(b[860] - b[660]) / (b[860] + b[660])``, read by a small parser of ours.

Nothing is executed: Python's grammar gives a tree, and only the nodes listed here are
walked. Numbers in brackets are wavelengths in nm; ``band[12]`` is a band by its number.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.same_grid import check_same_grid
from backends.scene import Scene, Window

if TYPE_CHECKING:
    from backends.jobs import Progress

Floats = NDArray[np.float32]
FARTHEST_NM = 50.0  # a band farther away does not stand for a wavelength
_LONGEST = 2000

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "log10": np.log10,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "arctan": np.arctan, "arccos": np.arccos,
    "minimum": np.minimum, "maximum": np.maximum, "where": np.where, "clip": np.clip,
}  # fmt: skip
_ARGUMENTS = {"minimum": 2, "maximum": 2, "where": 3, "clip": 3}
_REDUCED: dict[str, Callable[[Any], Any]] = {
    "mean": lambda v: v.mean(axis=-1), "min": lambda v: v.min(axis=-1),
    "max": lambda v: v.max(axis=-1), "sum": lambda v: v.sum(axis=-1),
    "std": lambda v: v.std(axis=-1),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power,
}  # fmt: skip
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip
_LOGICAL: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitAnd: np.logical_and, ast.BitOr: np.logical_or, ast.BitXor: np.logical_xor,
}  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """Which bands a term of the formula took.

    Attributes
    ----------
    scene : str
        Name in the formula.
    term : str
        As written: ``"b[860]"``.
    bands : tuple of int
    away_nm : float
        How far the band lies from the wavelength asked for; ``nan`` for ranges and numbers.
    """

    scene: str
    term: str
    bands: tuple[int, ...]
    away_nm: float = math.nan


@dataclass(frozen=True, eq=False)
class Formula:
    """A formula that fits its scenes; made by `parse`.

    Attributes
    ----------
    text : str
    taken : tuple of Taken
    """

    text: str
    taken: tuple[Taken, ...]
    _tree: ast.expr = field(repr=False)
    _scenes: Mapping[str, Scene] = field(repr=False)

    def evaluate(self, window: Window | None = None, level: int = 0) -> Floats:
        """Return the value of each pixel of a window; divisions by zero are ``nan``.

        Returns
        -------
        float32 array of shape (rows, cols)
        """
        first = next(iter(self._scenes.values()))
        rows, cols = first.level_shapes[level]
        window = Window(0, 0, rows, cols) if window is None else window.clip(rows, cols)
        planes: dict[tuple[str, int], Floats] = {}
        for name, scene in self._scenes.items():
            bands = self.bands_of(name)
            values = scene.read(window, bands, level, physical=True)
            planes |= {(name, band): values[:, :, i] for i, band in enumerate(bands)}
        return self.of_planes(planes, (window.height, window.width))

    @property
    def scenes(self) -> Mapping[str, Scene]:
        """The scenes it reads, by their names in it; the first gives the grid."""
        return self._scenes

    def bands_of(self, name: str) -> tuple[int, ...]:
        """Return the bands it takes of one of its scenes, rising."""
        return tuple(sorted({b for t in self.taken if t.scene == name for b in t.bands}))

    def of_planes(self, planes: Mapping[tuple[str, int], Floats], shape: tuple[int, int]) -> Floats:
        """Return its value over planes that were read already, float32 of shape ``shape``.

        Parameters
        ----------
        planes : mapping of (scene, band) to float32 array of shape ``shape``
            Physical units, ``nan`` where nothing was measured.
        """
        by_term = {
            (t.scene, t.term): planes[t.scene, t.bands[0]]
            if math.isfinite(t.away_nm) or t.term.startswith("band[")
            else np.stack([planes[t.scene, b] for b in t.bands], axis=-1)
            for t in self.taken
        }
        with np.errstate(all="ignore"):
            value = _Walk(by_term).run(self._tree)
        out = np.broadcast_to(np.asarray(value, np.float32), shape).copy()
        out[~np.isfinite(out)] = np.nan
        hole = ~np.isfinite(sum(plane for plane in planes.values()))
        out[hole] = np.nan
        return out


def parse(text: str, scenes: Mapping[str, Scene]) -> Formula:
    """Read a formula and find its bands.

    Parameters
    ----------
    text : str
    scenes : mapping of name to Scene
        The first is ``b`` and gives the grid; ``band[n]`` is of it.

    Raises
    ------
    BadInput
        It is no formula, names what isn't there, or the scenes lie on different grids.
    """
    if not text.strip() or len(text) > _LONGEST:
        raise BadInput("The formula is empty or too long.", way_out="Try (b[860]-b[660])/2.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        place = getattr(error, "offset", None)
        raise BadInput(
            "This is no formula" + (f": it fails at character {place}." if place else "."),
            way_out="Write for example (b[860] - b[660]) / (b[860] + b[660]).",
        ) from error
    finder = _Finder(scenes)
    try:
        kind = finder.kind(tree)
    except RecursionError as error:
        raise BadInput("The formula is nested too deeply.") from error
    if kind == "stack":
        raise BadInput(
            "The formula gives several bands instead of one value.",
            way_out="End a range with .mean(), .min(), .max(), .sum() or .std().",
        )
    if not finder.taken:
        raise BadInput("The formula names no band.", way_out="Write b[860] for the one at 860 nm.")
    used = {t.scene for t in finder.taken.values()}
    chosen = {name: scene for name, scene in scenes.items() if name in used}
    # Others may be open beside, of any grid, as long as they are not named.
    grid = next(iter(scenes.values()))
    for scene in chosen.values():
        check_same_grid(grid, scene)
    return Formula(text.strip(), tuple(finder.taken.values()), tree, chosen)


def formula_map(formula: Formula, *, progress: Progress | None = None) -> Floats:
    """Return the formula's value for the whole scene, strip by strip, shape (rows, cols)."""
    scene = next(iter(formula._scenes.values()))
    rows, cols, _ = scene.shape
    bands = sum(len(t.bands) for t in formula.taken)
    height = max(1, (32 << 20) // (cols * 4 * max(1, bands)))
    if progress is not None:
        progress.start(rows, "rows", formula.text)
    out = np.empty((rows, cols), np.float32)
    for window in scene.windows(height):
        if progress is not None:
            progress.check()
        out[window.slices] = formula.evaluate(window)
        if progress is not None:
            progress.advance(window.height)
    return out


class _Finder:
    """Checks every node and collects the bands; a node is a number, a plane, or a stack."""

    def __init__(self, scenes: Mapping[str, Scene]) -> None:
        self.scenes = scenes
        self.taken: dict[tuple[str, str], Taken] = {}

    def kind(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=value):
                if isinstance(value, bool) or not isinstance(value, (int, float)):
                    raise _refused(node)
                return "number"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC | _LOGICAL:
                return _wider(self.kind(left), self.kind(right))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Invert(), operand=operand):
                return self.kind(operand)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARED:
                return _wider(self.kind(left), self.kind(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                if len(args) != _ARGUMENTS.get(name, 1):
                    raise BadInput(f"{name} takes {_ARGUMENTS.get(name, 1)} values.")
                kinds = [self.kind(a) for a in args]
                return max(kinds, key=("number", "plane", "stack").index)
            case ast.Call(func=ast.Attribute(value=inner, attr=name), args=[], keywords=[]) if (
                name in _REDUCED
            ):
                if self.kind(inner) != "stack":
                    raise BadInput(f".{name}() is of a range such as b[2130:2200].")
                return "plane"
            case ast.Subscript(value=ast.Name(id=name), slice=where):
                return self._bands(name, where, node)
            case ast.Name(id=name) if name in self.scenes or name == "band":
                raise BadInput(f"{name} needs a wavelength.", way_out=f"Write {name}[860].")
            case ast.Name(id=name):
                raise BadInput(
                    f"The formula names {name}, which is unknown here.",
                    way_out=f"Known are {', '.join([*self.scenes, 'band', *_FUNCTIONS])}.",
                )
        raise _refused(node)

    def _bands(self, name: str, where: ast.expr, node: ast.expr) -> str:
        first = next(iter(self.scenes))
        scene_name = first if name == "band" else name
        if scene_name not in self.scenes:
            raise BadInput(
                f"No scene is called {name} here.", way_out=f"Known are {', '.join(self.scenes)}."
            )
        scene = self.scenes[scene_name]
        term = ast.unparse(node)
        if name == "band":
            number = _number(where, term)
            if number != int(number) or not 1 <= number <= scene.shape[2]:
                raise BadInput(f"{scene.title} has the bands 1 to {scene.shape[2]}.")
            self.taken[scene_name, term] = Taken(scene_name, term, (int(number) - 1,))
            return "plane"
        if not scene.bands.has_wavelengths:
            raise BadInput(
                f"{scene.title} does not know its wavelengths.",
                way_out="Name bands by number, band[12], or give the wavelengths to the file.",
            )
        nm = scene.bands.wavelengths()
        if isinstance(where, ast.Slice):
            if where.lower is None or where.upper is None or where.step is not None:
                raise BadInput(f"{term} needs both ends.", way_out="Write b[2130:2200].")
            low, high = _number(where.lower, term), _number(where.upper, term)
            inside = np.flatnonzero((nm >= low) & (nm <= high) & scene.bands.good_mask())
            if not inside.size:
                raise BadInput(
                    f"{scene.title} has no good band from {low:g} to {high:g} nm.",
                    way_out=_in_nm(high),
                )
            self.taken[scene_name, term] = Taken(scene_name, term, tuple(inside.tolist()))
            return "stack"
        wanted = _number(where, term)
        band = scene.bands.nearest(wanted, within_nm=FARTHEST_NM)
        if band is None:
            raise BadInput(
                f"{scene.title} has no good band within {FARTHEST_NM:g} nm of {wanted:g} nm.",
                way_out=_in_nm(wanted),
            )
        away = abs(float(nm[band]) - wanted)
        self.taken[scene_name, term] = Taken(scene_name, term, (band,), away)
        return "plane"


class _Walk:
    """Computes a tree that `_Finder` has let pass."""

    def __init__(self, terms: Mapping[tuple[str, str], Floats]) -> None:
        self.terms = {term: value for (_, term), value in terms.items()}

    def run(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return np.float32(value)  # type: ignore[arg-type]
            case ast.BinOp(left=left, op=op, right=right):
                how = _ARITHMETIC.get(type(op)) or _LOGICAL[type(op)]
                return how(self.run(left), self.run(right))
            case ast.UnaryOp(op=op, operand=operand):
                value = self.run(operand)
                if isinstance(op, ast.Invert):
                    return np.logical_not(value)
                return -value if isinstance(op, ast.USub) else value
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _COMPARED[type(op)](self.run(left), self.run(right))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _FUNCTIONS[name](*[self.run(a) for a in args])
            case ast.Call(func=ast.Attribute(value=inner, attr=name)):
                return _REDUCED[name](self.run(inner))
        return self.terms[ast.unparse(node)]


def _wider(one: str, other: str) -> str:
    if "stack" in (one, other) and "plane" in (one, other):
        raise BadInput(
            "A range of bands and a single band do not go together.",
            way_out="Reduce the range first: b[2130:2200].mean().",
        )
    return max(one, other, key=("number", "plane", "stack").index)


def _number(node: ast.expr, term: str) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # type: ignore[arg-type]
    raise BadInput(f"{term} needs a plain number.", way_out="Write b[860].")


def _refused(node: ast.expr) -> BadInput:
    return BadInput(
        f"{ast.unparse(node)[:60]} is not allowed in a formula.",
        way_out="Use bands, numbers, + - * / **, comparisons, & | ~ and functions.",
    )


def _in_nm(wanted: float) -> str:
    """Return the way out where a wavelength looks like one in µm."""
    if 0.1 < wanted < 30:
        return f"Wavelengths are in nm: write {1e3 * wanted:g} for {wanted:g} µm."
    return "clearband info lists the bands and their wavelengths."
