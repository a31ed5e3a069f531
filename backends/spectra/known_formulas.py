"""Indices of the trade as formulas by wavelength."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFormula:
    """An index.

    Attributes
    ----------
    id, title : str
    text : str
        See `backends.spectra.expression`.
    source : str
        Who proposed it.
    """

    id: str
    title: str
    text: str
    source: str


def _ratio(one: int, other: int) -> str:
    return f"(b[{one}] - b[{other}]) / (b[{one}] + b[{other}])"


KNOWN_FORMULAS: tuple[KnownFormula, ...] = (
    KnownFormula("NDVI", "Green vegetation", _ratio(860, 660), "Rouse et al. 1974"),
    KnownFormula("NDRE", "Chlorophyll, red edge", _ratio(790, 720), "Gitelson and Merzlyak 1994"),
    KnownFormula("NDWI", "Open water", _ratio(560, 860), "McFeeters 1996"),
    KnownFormula("NDMI", "Water in leaves", _ratio(860, 1650), "Gao 1996, Wilson and Sader 2002"),
    KnownFormula("NBR", "Burned ground", _ratio(860, 2200), "Key and Benson 2006"),
    KnownFormula("NDSI", "Snow", _ratio(560, 1650), "Hall et al. 1995"),
    KnownFormula(
        "CAI", "Dry plants (cellulose)", "0.5 * (b[2020] + b[2220]) - b[2100]",
        "Nagler et al. 2003",
    ),
    KnownFormula("Clay", "Clay minerals", "b[1650] / b[2200]", "Drury 1987"),
)  # fmt: skip
