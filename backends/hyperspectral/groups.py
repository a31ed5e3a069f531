"""Groups of bands that become the streams of the network: parts of the spectrum by wavelength."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.normalise import BandStretch

# name, from, up to (not included), nm. Edges: Zhu et al. 2026 (arXiv 2601.15757), their code;
# the outer two are ours, so that every band of any sensor is in exactly one group.
PHYSICAL: tuple[tuple[str, float, float], ...] = (
    ("VIS", 0.0, 700.0),
    ("NIR", 700.0, 1000.0),
    ("SWIR1", 1000.0, 1800.0),
    ("SWIR2", 1800.0, 3000.0),
    ("TIR", 3000.0, float("inf")),
)
SLICES = 4
MOST_STREAMS = 24  # 576 maps and lists; more is neither readable nor quick
MOST_EXPANSION = 8


@dataclass(frozen=True, eq=False)
class BandGroups:
    """Which bands feed which stream.

    Attributes
    ----------
    names : tuple of str
        Streams in order; ``"FULL"`` is all bands.
    members : tuple of int64 arrays
        Positions in the list of bands given, a stream.
    note : str
        How they were found, when that isn't by wavelength.
    """

    names: tuple[str, ...]
    members: tuple[NDArray[np.int64], ...]
    note: str = ""

    def __len__(self) -> int:
        return len(self.names)

    def sizes(self) -> dict[str, int]:
        """Return the number of bands a group."""
        return {n: len(m) for n, m in zip(self.names, self.members, strict=True)}


def band_groups(
    wavelength_nm: NDArray[np.float64] | None,
    count: int,
    *,
    full: bool = True,
    edges: tuple[tuple[str, float, float], ...] = PHYSICAL,
    unit: str = "",
) -> BandGroups:
    """Group bands by wavelength, or into equal slices where there is none.

    Bands are looked up by value, never bisected: AVIRIS steps back where its spectrometers
    overlap. Empty groups are dropped.

    Parameters
    ----------
    wavelength_nm : float array of shape (count,) or None
    count : int
        Number of bands.
    full : bool
        Begin with a stream of all bands.
    edges : tuple of (name, low, high)
        ``low <= wavelength < high``, in nm.
    unit : str
        ``"b"`` when ``wavelength_nm`` and ``edges`` are band numbers instead.

    Raises
    ------
    BadInput
        Fewer than three bands, or own groups without a band.
    """
    own = edges is not PHYSICAL
    if count < 3:
        raise BadInput(
            f"The white-box network needs at least 3 bands; this scene offers {count}.",
            way_out="Use svm or random_forest.",
        )
    names: list[str] = []
    members: list[NDArray[np.int64]] = []
    note = ""
    if wavelength_nm is not None and np.isfinite(wavelength_nm).all():
        nm = np.asarray(wavelength_nm)
        for name, low, high in edges:
            inside = np.flatnonzero((nm >= low) & (nm < high))
            if inside.size:
                names.append(name)
                members.append(inside)
        if own:
            note = _about_own(edges, names, members, count, unit)
            if not names or (len(names) == 1 and not full):
                raise BadInput(
                    "The groups of bands leave fewer than two streams on this scene.",
                    way_out="Draw the groups where the scene has bands.",
                )
            return _with_full(names, members, count, note, full)
        if len(names) == 1:
            note = f"All bands lie in {names[0]}: grouped into equal slices instead."
    else:
        note = "No wavelengths: grouped into equal slices of bands."
    if note:
        parts = min(SLICES, count)
        cuts = np.array_split(np.arange(count, dtype=np.int64), parts)
        names = [f"bands {cut[0] + 1} to {cut[-1] + 1}" for cut in cuts]
        members = list(cuts)
    return _with_full(names, members, count, note, full)


def groups_for(
    stretch: BandStretch, text: str = "", *, full: bool = True, expansion: int = 1
) -> BandGroups:
    """Return the streams that settings ask for on these bands.

    Parameters
    ----------
    text : str
        Own groups, see `parse_groups`; in nm, or in band numbers (from 1) where there are
        no wavelengths. Empty: by physics.
    full : bool
        Begin with a stream of all bands.
    expansion : int
        Streams a group.

    Raises
    ------
    WrongUse
        The groups cannot be read, or there are more streams than pay.
    BadInput
        Too few bands, or none in the groups.
    """
    if not 1 <= expansion <= MOST_EXPANSION:
        raise WrongUse(f"The setting expansion must be 1 to {MOST_EXPANSION}, not {expansion}.")
    count = len(stretch.bands)
    nm = stretch.wavelength_nm
    if text:
        edges = parse_groups(text)
        if nm is not None and bool(np.isfinite(nm).all()):
            groups = band_groups(nm, count, full=full, edges=edges)
        else:
            numbers = np.asarray(stretch.bands + 1, np.float64)
            groups = band_groups(numbers, count, full=full, edges=edges, unit="b")
    else:
        groups = band_groups(nm, count, full=full)
    groups = expand(groups, expansion)
    if len(groups) > MOST_STREAMS:
        raise WrongUse(
            f"{len(groups)} streams are more than {MOST_STREAMS}.",
            way_out="Use fewer groups or a smaller expansion.",
        )
    return groups


def parse_groups(text: str) -> tuple[tuple[str, float, float], ...]:
    """Read groups written as ``"VIS:400-700;NIR:700-1000"``.

    From the first number up to, not including, the second: nm, or band numbers where a
    scene has no wavelengths. An open end is left empty: ``"SWIR:1000-"``.

    Raises
    ------
    WrongUse
        It is written otherwise, names repeat, or groups overlap.
    """
    found: list[tuple[str, float, float]] = []
    for part in filter(None, (p.strip() for p in re.split("[;,]", text))):
        match = _GROUP.fullmatch(part)
        if match is None:
            raise WrongUse(f"'{part}' is no group of bands.", way_out=_HOW)
        name, low, high = match["name"].strip(), match["low"], match["high"]
        found.append((name, float(low or 0), float(high) if high else math.inf))
    names = [name for name, _, _ in found]
    if not found or len(set(names)) < len(names) or "FULL" in names:
        raise WrongUse(
            "Each group of bands needs a name of its own, other than FULL.", way_out=_HOW
        )
    ordered = sorted(found, key=lambda group: group[1])
    for name, low, high in ordered:
        if not low < high:
            raise WrongUse(f"The group {name} ends before it begins.", way_out=_HOW)
    for (name, _, end), (after, start, _) in pairwise(ordered):
        if start < end:
            raise WrongUse(f"The groups {name} and {after} overlap.", way_out=_HOW)
    return tuple(found)


def group_text(edges: tuple[tuple[str, float, float], ...]) -> str:
    """Return what `parse_groups` reads."""
    parts = (
        f"{name}:{low:g}-{'' if math.isinf(high) else format(high, 'g')}"
        for name, low, high in edges
    )
    return ";".join(parts)


def expand(groups: BandGroups, times: int) -> BandGroups:
    """Return every group ``times`` over: streams that see the same bands with other eyes.

    The stream of all bands stays one.
    """
    if times == 1:
        return groups
    names: list[str] = []
    members: list[NDArray[np.int64]] = []
    for name, bands in zip(groups.names, groups.members, strict=True):
        many = 1 if name == "FULL" else times
        names += [name if many == 1 else f"{name}.{number}" for number in range(1, many + 1)]
        members += [bands] * many
    return BandGroups(tuple(names), tuple(members), groups.note)


_GROUP = re.compile(r"(?P<name>[^:;,]{1,40}):\s*(?P<low>\d*\.?\d*)\s*-\s*(?P<high>\d*\.?\d*)\s*")
_HOW = "Write groups as VIS:400-700;NIR:700-1000."


def _about_own(
    edges: tuple[tuple[str, float, float], ...],
    names: list[str],
    members: list[NDArray[np.int64]],
    count: int,
    unit: str,
) -> str:
    said = ["No wavelengths: the groups count band numbers."] if unit == "b" else []
    empty = [name for name, _, _ in edges if name not in names]
    if empty:
        said.append(f"Groups without bands left out: {', '.join(empty)}.")
    outside = count - sum(len(m) for m in members)
    if outside:
        said.append(f"{outside} bands lie in no group.")
    return " ".join(said)


def _with_full(
    names: list[str], members: list[NDArray[np.int64]], count: int, note: str, full: bool
) -> BandGroups:
    if full:
        names.insert(0, "FULL")
        members.insert(0, np.arange(count, dtype=np.int64))
    return BandGroups(tuple(names), tuple(members), note)
