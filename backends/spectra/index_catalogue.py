"""Spectral indices by name: the catalogue of spyndex, over the bands that a scene has.

The catalogue (Montero et al., "A standardized catalogue of spectral indices", Scientific Data 10,
2023) gives each index as a formula over letters: N for the near infrared, R for red. Here a letter
becomes the good band nearest to the middle of its range, and the formula one of `expression`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import BadInput, MissingCapability, WrongUse
from backends.overlays import Overlay
from backends.scene import Scene
from backends.spectra.expression import Formula, formula_map, parse
from backends.spectra.products import Maker, Product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backends.jobs import Progress

# The wavelength wanted for a letter, and its name; ranges are the catalogue's.
_LETTERS = {
    "A": (443.0, "coastal aerosol"), "B": (490.0, "blue"), "G": (560.0, "green"),
    "G1": (531.0, "green 1"), "Y": (605.0, "yellow"), "R": (665.0, "red"),
    "RE1": (705.0, "red edge 1"), "RE2": (740.0, "red edge 2"), "RE3": (783.0, "red edge 3"),
    "N": (842.0, "near infrared"), "N2": (865.0, "near infrared 2"),
    "WV": (945.0, "water vapour"), "S1": (1610.0, "shortwave infrared 1"),
    "S2": (2190.0, "shortwave infrared 2"), "T": (11_000.0, "thermal infrared"),
    "T1": (10_900.0, "thermal infrared 1"), "T2": (12_000.0, "thermal infrared 2"),
}  # fmt: skip
_LETTER = re.compile(r"[A-Za-z_]\w*")
_RADAR = ("VV", "VH", "HH", "HV")
# Constants without a value in the catalogue that are the wavelength of a band.
_LAMBDA = {"lambdaG": "G", "lambdaR": "R", "lambdaN": "N", "lambdaN2": "N2", "lambdaS1": "S1",
           "lambdaS2": "S2"}  # fmt: skip
REFLECTANCE_NOTE = (
    "This index has constants made for reflectance from 0 to 1; the scene's values go beyond."
)


@dataclass(frozen=True)
class SpectralIndex:
    """One entry of the catalogue.

    Attributes
    ----------
    id, title : str
    formula : str
        In the catalogue's letters.
    domain : str
        ``"vegetation"``, ``"water"``, ``"burn"`` …
    source : str
        Address of the paper.
    letters : tuple of str
        Bands and constants.
    """

    id: str
    title: str
    formula: str
    domain: str
    source: str
    letters: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Tell whether each word is in its name, title or domain."""
        own = f"{self.id} {self.title} {self.domain}".lower()
        return all(word in own for word in text.lower().split())


@dataclass(frozen=True)
class TakenBand:
    """The band that stands for a letter.

    Attributes
    ----------
    letter, title : str
    band : int
        From 0.
    wavelength_nm, away_nm : float
        Of the band, and from the ideal one.
    """

    letter: str
    title: str
    band: int
    wavelength_nm: float
    away_nm: float


@dataclass(frozen=True)
class Fitted:
    """An index as a formula over a scene's bands, or why it cannot be one.

    Attributes
    ----------
    index : SpectralIndex
    text : str
        For `expression.parse`; empty where the scene lacks something.
    taken : tuple of TakenBand
    constants : mapping
        Values that were put in.
    reason : str
        What is missing, a sentence.
    """

    index: SpectralIndex
    text: str
    taken: tuple[TakenBand, ...] = ()
    constants: Mapping[str, float] | None = None
    reason: str = ""


@lru_cache(maxsize=1)
def catalogue() -> dict[str, SpectralIndex]:
    """Return every index by its name.

    Raises
    ------
    MissingCapability
        The library with the catalogue is not installed.
    """
    found = {}
    for name, entry in _spyndex().indices.items():
        letters = tuple(dict.fromkeys(_LETTER.findall(str(entry.formula))))
        found[str(name)] = SpectralIndex(
            str(name), str(entry.long_name), str(entry.formula),
            str(entry.application_domain), str(entry.reference), letters,
        )  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def index_called(name: str) -> SpectralIndex:
    """Return an index by its name, however it is written.

    Raises
    ------
    WrongUse
        There is none; names that hold the word are given.
    """
    known = {key.lower(): entry for key, entry in catalogue().items()}
    if name.lower() in known:
        return known[name.lower()]
    near = [entry.id for entry in known.values() if entry.matches(name)][:5]
    hint = f"Near it are {', '.join(near)}." if near else "List them with --list or --search TEXT."
    raise WrongUse(f"There is no index {name}.", way_out=hint)


def letters_of(scene: Scene) -> dict[str, TakenBand | None]:
    """Return for each letter the good band nearest to its ideal that lies in its range."""
    found: dict[str, TakenBand | None] = {}
    for letter, (low, high) in _facts().ranges.items():
        ideal, title = _LETTERS.get(letter, ((low + high) / 2, letter))
        band = scene.bands.nearest(ideal)
        nm = math.nan if band is None else float(scene.bands.wavelengths()[band])
        found[letter] = None
        if band is not None and low <= nm <= high:
            found[letter] = TakenBand(letter, title, band, nm, abs(nm - ideal))
    return found


def fit_index(
    scene: Scene, index: SpectralIndex, letters: Mapping[str, TakenBand | None] | None = None
) -> Fitted:
    """Find the bands of an index in a scene.

    Parameters
    ----------
    letters : mapping, optional
        What `letters_of` gives, where many indices are fitted.
    """
    if any(letter in _RADAR for letter in index.letters):
        return Fitted(index, "", reason="It needs radar channels.")
    if not scene.bands.has_wavelengths:
        return Fitted(index, "", reason=f"{scene.title} does not know its wavelengths.")
    facts = _facts()
    have = letters_of(scene) if letters is None else letters
    formula = _without_kernels(index.formula)
    taken: dict[str, TakenBand] = {}
    constants: dict[str, float] = {}
    for letter in dict.fromkeys(_LETTER.findall(formula)):
        name = _LAMBDA.get(letter, letter)
        if name in facts.ranges:
            found = have[name]
            if found is None:
                (low, high), title = facts.ranges[name], _LETTERS.get(name, (0, name))[1]
                return Fitted(
                    index, "", reason=f"No good band from {low:g} to {high:g} nm ({title})."
                )
            if letter in _LAMBDA:
                constants[letter] = found.wavelength_nm
            else:
                taken[name] = found
        elif (value := facts.constants.get(letter)) is not None:
            constants[letter] = value
        elif letter != "exp":
            return Fitted(index, "", reason=f"It needs {letter}, which no scene says.")

    def put(match: re.Match[str]) -> str:
        letter = match.group()
        if letter in constants:
            return f"{constants[letter]!r}"
        return f"band[{taken[letter].band + 1}]" if letter in taken else letter

    return Fitted(index, _LETTER.sub(put, formula), tuple(taken.values()), constants)


def index_table(scene: Scene | None = None, search: str = "") -> list[dict[str, Any]]:
    """Return a row an index: name, title, formula, and for a scene whether it can be had."""
    rows = []
    letters = None if scene is None else letters_of(scene)
    for index in catalogue().values():
        if not index.matches(search):
            continue
        row: dict[str, Any] = {
            "index": index.id, "title": index.title, "domain": index.domain,
            "formula": index.formula,
        }  # fmt: skip
        if scene is not None:
            row["missing"] = fit_index(scene, index, letters).reason or None
        rows.append(row)
    return rows


def compute_indices(
    scene: Scene,
    names: Sequence[str],
    *,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Return a map for each index, and which bands stood for its letters.

    Raises
    ------
    BadInput
        The scene lacks a band.
    WrongUse
        No such index.
    """
    if not names:
        raise WrongUse("No index is named.", way_out="Name some, or use --list.")
    fitted = [fit_index(scene, index_called(name)) for name in names]
    for one in fitted:
        if one.reason:
            raise BadInput(f"{scene.title} cannot have {one.index.id}. {one.reason}")
    overlays: list[Overlay] = []
    rows: list[dict[str, Any]] = []
    bands: list[dict[str, Any]] = []
    make = Maker(scene, "index", command, indices=[one.index.id for one in fitted])
    for one in fitted:
        formula = parse(one.text, {"b": scene})
        own = Maker(
            scene, "index", command, index=one.index.id, catalogue_formula=one.index.formula,
            formula=one.text, constants=dict(one.constants or {}), source=one.index.source,
        )  # fmt: skip
        values = formula_map(formula, progress=progress)
        row, notes = _row(one, values, _beyond(scene, one, formula))
        make.notes += [n for n in notes if n not in make.notes]
        own.notes += notes
        rows.append(row)
        bands += [{"index": one.index.id, **_band_row(t)} for t in one.taken]
        overlays.append(own.score(one.index.id, values))
    return Product(
        tuple(overlays), make.summary(figures=rows, index_bands=bands),
        {"indices": rows, "index_bands": bands},
    )  # fmt: skip


def _row(one: Fitted, values: Any, beyond: bool) -> tuple[dict[str, Any], list[str]]:
    known = values[np.isfinite(values)]
    low, middle, high = (
        (float(v) for v in np.percentile(known, (2, 50, 98))) if known.size else (None, None, None)
    )
    notes = []
    if empty := int(values.size - known.size):
        notes.append(
            f"{one.index.id}: {empty} pixels have no value: nothing measured, or division by zero."
        )
    if beyond:
        notes.append(f"{one.index.id}: {REFLECTANCE_NOTE}")
    return (
        {"index": one.index.id, "formula": one.index.formula, "p2": low, "median": middle,
         "p98": high},
        notes,
    )  # fmt: skip


def _band_row(taken: TakenBand) -> dict[str, Any]:
    return {
        "letter": taken.letter, "meaning": taken.title, "band": taken.band + 1,
        "wavelength_nm": round(taken.wavelength_nm, 2), "away_nm": round(taken.away_nm, 2),
    }  # fmt: skip


def _beyond(scene: Scene, one: Fitted, formula: Formula) -> bool:
    """Tell whether the scene's values are no reflectance and the index changes with their unit."""
    from backends.statistics import sample_pixels

    bands = formula.bands_of("b")
    rng = np.random.default_rng(0)
    planes = {("b", band): rng.uniform(0.1, 0.6, (4, 4)).astype(np.float32) for band in bands}
    small = formula.of_planes(planes, (4, 4))
    large = formula.of_planes({key: 1000 * plane for key, plane in planes.items()}, (4, 4))
    if np.allclose(small, large, rtol=1e-3, equal_nan=True):
        return False
    sample = sample_pixels(scene, list(bands), size=1024)
    return bool(np.isfinite(sample).any() and np.nanpercentile(sample, 98) > 2)


@dataclass(frozen=True)
class _Facts:
    ranges: Mapping[str, tuple[float, float]]
    constants: Mapping[str, float | None]


@lru_cache(maxsize=1)
def _facts() -> _Facts:
    library = _spyndex()
    ranges = {
        str(n): (float(b.min_wavelength), float(b.max_wavelength)) for n, b in library.bands.items()
    }
    constants = {
        str(name): None if c.default is None else float(c.default)
        for name, c in library.constants.items()
    }
    return _Facts(ranges, constants)


def _spyndex() -> Any:
    try:
        import spyndex
    except ImportError as error:
        raise MissingCapability(
            "The catalogue of indices (spyndex) is not installed.",
            way_out="Run the installer again: python3 -m installer run.",
        ) from error
    return spyndex


def _without_kernels(formula: str) -> str:
    """Write kernels out: kNR is ``exp(-(N - R)**2 / (2 sigma**2))``, kNN is 1.

    The radial kernel of Camps-Valls et al., "A unified vegetation index for quantifying the
    terrestrial biosphere", Science Advances 7, 2021.
    """

    def written(match: re.Match[str]) -> str:
        one, other = match.group(1), match.group(2)
        if one == other:
            return "1.0"
        return f"exp(-1.0*({one}-{other})**2.0/(2.0*sigma**2.0))"

    return re.sub(r"\bk([A-Z])([A-Z])\b", written, formula)


def describe_taken(one: Fitted) -> list[str]:
    """Return a line a band: what stands for the letter, and how far from the ideal."""
    return [
        f"{t.letter} ({t.title}): band {t.band + 1} at {t.wavelength_nm:.1f} nm"
        + (f", {t.away_nm:.1f} nm away" if math.isfinite(t.away_nm) else "")
        for t in one.taken
    ]
