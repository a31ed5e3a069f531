"""Groups of bands that become the streams of the network: parts of the spectrum by wavelength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

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

    Raises
    ------
    BadInput
        Fewer than three bands.
    """
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
        if len(names) == 1:
            note = f"All bands lie in {names[0]}: grouped into equal slices instead."
    else:
        note = "No wavelengths: grouped into equal slices of bands."
    if note:
        parts = min(SLICES, count)
        cuts = np.array_split(np.arange(count, dtype=np.int64), parts)
        names = [f"bands {cut[0] + 1} to {cut[-1] + 1}" for cut in cuts]
        members = list(cuts)
    if full:
        names.insert(0, "FULL")
        members.insert(0, np.arange(count, dtype=np.int64))
    return BandGroups(tuple(names), tuple(members), note)
