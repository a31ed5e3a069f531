"""What the bands of a scene are: centre wavelengths, widths, names, which are good."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput


@dataclass(frozen=True)
class BandTable:
    """The bands of one scene, in file order.

    Wavelengths need not rise from band to band (AVIRIS steps back where its
    spectrometers overlap), so bands are looked up by value, never bisected.

    Attributes
    ----------
    names : tuple of str
        One name a band, unique.
    wavelength_nm : tuple of float or None
        Centre wavelengths in nm, ``nan`` where a single band has none; None
        where the file says nothing.
    fwhm_nm : tuple of float or None
        Full widths at half maximum in nm.
    good : tuple of bool
        False for bands the producer or the user marked bad.
    note : str
        Where the wavelengths come from when it isn't the file.
    axis : str
        What a step from band to band means: ``"spectral"``, ``"channel"``
        (colours, stains), ``"slice"`` or ``"time"``.
    repeated : tuple of str
        Names that the file gives to more than one band; all but the first are numbered here.
    """

    names: tuple[str, ...]
    wavelength_nm: tuple[float, ...] | None = None
    fwhm_nm: tuple[float, ...] | None = None
    good: tuple[bool, ...] = ()
    note: str = ""
    axis: str = "channel"
    repeated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.names)
        if not self.good:
            object.__setattr__(self, "good", (True,) * count)
        for field in ("wavelength_nm", "fwhm_nm", "good"):
            values = getattr(self, field)
            if values is not None and len(values) != count:
                raise BadInput(
                    f"The band table lists {len(values)} values of {field} for {count} bands.",
                    way_out="Correct the header so that both agree.",
                )

    @classmethod
    def build(
        cls,
        count: int,
        *,
        names: Sequence[str] | None = None,
        wavelength_nm: Iterable[float] | None = None,
        fwhm_nm: Iterable[float] | None = None,
        good: Iterable[bool] | None = None,
        note: str = "",
        axis: str | None = None,
    ) -> BandTable:
        """Fill in what is missing: names from wavelengths or numbers, duplicates told apart."""
        nm = None if wavelength_nm is None else tuple(float(v) for v in wavelength_nm)
        if nm is not None and not any(math.isfinite(v) and v > 0 for v in nm):
            nm = None
        if names is None or len(names) != count:
            if nm is not None and len(nm) == count:
                names = [
                    f"{v:.1f} nm" if math.isfinite(v) else f"Band {i + 1}" for i, v in enumerate(nm)
                ]
            else:
                names = [f"Band {i + 1}" for i in range(count)]
        counts = Counter(names)
        return cls(
            names=_unique(names),
            wavelength_nm=nm,
            fwhm_nm=None if fwhm_nm is None else tuple(float(v) for v in fwhm_nm),
            good=() if good is None else tuple(bool(v) for v in good),
            note=note,
            axis=axis or ("spectral" if nm is not None else "channel"),
            repeated=tuple(name for name, times in counts.items() if times > 1),
        )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def has_wavelengths(self) -> bool:
        """Whether any band knows its wavelength."""
        return self.wavelength_nm is not None

    def wavelengths(self) -> NDArray[np.float64]:
        """Return centre wavelengths in nm, shape (bands,); all ``nan`` when unknown."""
        if self.wavelength_nm is None:
            return np.full(len(self), np.nan)
        return np.asarray(self.wavelength_nm, dtype=np.float64)

    def good_mask(self) -> NDArray[np.bool_]:
        """Return True for good bands, shape (bands,)."""
        return np.asarray(self.good, dtype=bool)

    def nearest(self, wavelength_nm: float, *, within_nm: float | None = None) -> int | None:
        """Return the good band whose centre is nearest, or None where none is close enough.

        Parameters
        ----------
        wavelength_nm : float
            Wanted wavelength in nm.
        within_nm : float, optional
            Largest distance accepted, in nm.
        """
        distance = np.abs(self.wavelengths() - wavelength_nm)
        distance[~self.good_mask()] = np.nan
        if not np.isfinite(distance).any():
            return None
        index = int(np.nanargmin(distance))
        if within_nm is not None and distance[index] > within_nm:
            return None
        return index

    def within(self, low_nm: float, high_nm: float) -> NDArray[np.intp]:
        """Return band numbers with ``low_nm <= wavelength < high_nm``, in file order."""
        nm = self.wavelengths()
        with np.errstate(invalid="ignore"):
            return np.flatnonzero((nm >= low_nm) & (nm < high_nm))

    def label(self, band: int) -> str:
        """Return what a person calls the band: its name, with the wavelength if known."""
        name = self.names[band]
        nm = self.wavelengths()[band]
        if not math.isfinite(nm):
            return name
        text = f"{nm:.1f} nm" if nm < 3000 else f"{nm / 1000:.2f} µm"
        return text if name == text or name.startswith(f"{nm:.1f}") else f"{name} ({text})"


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Number names that occur more than once, so that each is unique."""
    seen: dict[str, int] = {}
    taken = set(names)
    out: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 1:
            out.append(name)
            continue
        number = seen[name]
        while (candidate := f"{name} #{number}") in taken:
            number += 1
        taken.add(candidate)
        seen[name] = number
        out.append(candidate)
    return tuple(out)
