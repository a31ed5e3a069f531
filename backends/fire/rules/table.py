"""The table of rules: what each needs, how far it looks, and in whose name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backends.errors import WrongUse
from backends.fire.fields import FireImage
from backends.fire.roles import ROLES
from backends.fire.rules import airborne, colour, indices, landsat, satellite
from backends.fire.verdicts import Node


@dataclass(frozen=True)
class Rule:
    """A rule that can be run by its id.

    Attributes
    ----------
    id, title, source : str
    needs : tuple of str
        Roles of bands without which it says nothing.
    run : callable
        ``run(fields, **numbers) -> Node``.
    reach_m, reach_pixels : float, int
        How far from a pixel it looks, to either side: the larger counts.
    verified : bool
        False where its numbers could not be checked against the source.
    """

    id: str
    title: str
    source: str
    needs: tuple[str, ...]
    run: Callable[..., Node]
    reach_m: float = 0.0
    reach_pixels: int = 0
    verified: bool = True

    def reach(self, pixel_m: float | None) -> int:
        """Return the reach in pixels."""
        far = 0 if pixel_m is None else int(self.reach_m / pixel_m) + 1
        return max(self.reach_pixels, far)


_SWIR = ("red", "nir", "swir1", "swir2")
_HEAT = ("mwir", "tir")
_VISIBLE = ("red", "green", "blue")
_WIDE = satellite.HIGH_M / 2
RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule("A", "A Absolute thresholds", "MASTER FireSense", ("mwir",), airborne.absolute),
        Rule(
            "B",
            "B Against the surroundings",
            "MASTER FireSense",
            _HEAT,
            airborne.contextual,
            460,
            31,
        ),
        Rule("C", "C MODIS contextual", "Giglio 2003", _HEAT, satellite.modis, _WIDE, 11),
        Rule(
            "D",
            "D Flasse and Ceccato",
            "Flasse, Ceccato 1996",
            _HEAT,
            satellite.flasse_ceccato,
            _WIDE,
            11,
        ),
        Rule("F-murphy", "F Murphy", "Murphy 2016", _SWIR[1:], landsat.murphy, 0, 2),
        Rule("F-kumar-roy", "F Kumar and Roy", "Kumar, Roy 2018", _SWIR, landsat.kumar_roy, 0, 32),
        Rule("F-schroeder", "F Schroeder", "Schroeder 2016", _SWIR[1:], landsat.schroeder, 0, 32),
        Rule("F", "F Vote of three", "Pereira 2021", _SWIR, landsat.vote, 0, 32),
        Rule("G", "G Burn ratio", "NBR", ("nir", "swir2"), indices.low_burn_ratio),
        Rule(
            "H",
            "H VIIRS 375 m (not verified)",
            "Schroeder 2014, from memory",
            _HEAT,
            satellite.viirs,
            _WIDE,
            11,
            False,
        ),
        Rule("J-chen", "J Chen, colours", "Chen 2004", _VISIBLE, colour.chen),
        Rule("J-horng", "J Horng, colours", "Horng 2005", _VISIBLE, colour.horng),
        Rule(
            "J-celik",
            "J Çelik and Demirel, colours",
            "Çelik, Demirel 2009",
            _VISIBLE,
            colour.celik_demirel,
        ),
    )
}


def rule(rule_id: str) -> Rule:
    """Return a rule by id.

    Raises
    ------
    WrongUse
        None has that id.
    """
    if rule_id not in RULES:
        raise WrongUse(f"There is no fire rule {rule_id}.", way_out=f"Use: {', '.join(RULES)}.")
    return RULES[rule_id]


def usable(image: FireImage) -> dict[str, str]:
    """Return every rule's id with ``""``, or with the reason why it cannot run on a scene."""
    reasons: dict[str, str] = {}
    for found in RULES.values():
        missing: list[Any] = [ROLES[n].title for n in found.needs if n not in image.bands.roles]
        reasons[found.id] = f"The scene has no {' and no '.join(missing)} band." if missing else ""
    return reasons
