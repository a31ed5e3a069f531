"""How a line is drawn around a probability; defaults in metres and acres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.errors import WrongUse


@dataclass(frozen=True)
class PerimeterSettings:
    """How a line is drawn around a probability.

    Attributes
    ----------
    seed, grow : float
        A piece where the probability reaches ``grow`` counts where it somewhere reaches
        ``seed`` (pixels that touch at corners belong together).
    high : float
        Inner contour of the uncertainty band; the outer one is ``grow``.
    closing_m : float
        Radius of the disc that closes gaps.
    smallest_ac : float
        Smaller pieces become points.
    hole_ac : float
        Smaller holes are filled, larger ones are islands.
    simplify_px : float
        Tolerance to begin with; 0 keeps the pixel edges.
    intense_k, intense_ac : float
        Brightness temperature near 4 µm, and area, of intense heat.
    scattered_m : float
        Radius that gathers spots to scattered heat.
    density : (float, float)
        Part of a scattered area that is hot.
    isolated_m : float
        A single source is that far from others.
    most_points : int
        Of possible sources, the largest.
    """

    seed: float = 0.5
    grow: float = 0.3
    high: float = 0.7
    closing_m: float = 30.0
    smallest_ac: float = 0.1
    hole_ac: float = 1.0
    simplify_px: float = 0.5
    intense_k: float = 500.0
    intense_ac: float = 0.5
    scattered_m: float = 60.0
    density: tuple[float, float] = (0.05, 0.60)
    isolated_m: float = 60.0
    most_points: int = 500

    def __post_init__(self) -> None:
        if not 0 < self.grow <= self.seed <= 1 or not self.grow <= self.high <= 1:
            raise WrongUse(
                "The thresholds must rise from grow to seed and high, between 0 and 1.",
                way_out="For example grow=0.3 seed=0.5 high=0.7.",
            )
        if min(self.closing_m, self.smallest_ac, self.hole_ac, self.simplify_px) < 0:
            raise WrongUse("A radius, an area or a tolerance is below 0.")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PerimeterSettings:
        """Return settings by name.

        Raises
        ------
        WrongUse
            There is no such setting, or it is no number.
        """
        for name, value in values.items():
            if name not in cls.__dataclass_fields__ or name == "density":
                known = ", ".join(n for n in cls.__dataclass_fields__ if n != "density")
                raise WrongUse(f"There is no setting called {name}.", way_out=f"Use: {known}.")
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise WrongUse(f"{name} must be a number, not {value}.")
        return cls(**values)
