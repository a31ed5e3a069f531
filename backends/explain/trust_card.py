"""The trust card of a heatmap: every measure with its parts, and a verdict with its reasons.

T = (F · S · R)^(1/3), of faithfulness, stability and dependence on the weights. It is our own
summary (no paper's), never shown without its parts, and no probability that the map is right.
The thresholds below are ours, too; they say where we would stop believing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from backends.explain.curves import Faithfulness
from backends.explain.localisation import Localisation
from backends.explain.map_states import Explained, State
from backends.explain.perturbation import BLUR, MEAN, Ledger, Substrate
from backends.explain.randomisation import Randomisation
from backends.explain.road import PERCENTILES, Road
from backends.explain.stability import KINDS, Stability

NOT_ASSESSED, PASSES, WEAK, FAILS = "not assessed", "passes", "weak", "fails"


@dataclass(frozen=True)
class Threshold:
    """Below ``fails`` a map is not believed, from ``passes`` on it is; between it is weak."""

    fails: float
    passes: float


# Of a probability: where no curve moves by more, all maps do alike but for rounding.
LEAST_MOVED = 0.05
# F: 0.75 is the line of our brief; 0.95 is what one random map in twenty reaches by chance.
# S, R: rank correlations of 0.3 and 0.7, and of 0.75 and 0.5 with a network of random weights.
THRESHOLDS = {
    "faithfulness": Threshold(0.75, 0.95),
    "stability": Threshold(0.3, 0.7),
    "randomisation": Threshold(0.25, 0.5),
}


@dataclass(frozen=True)
class TrustSettings:
    """How a trust card is measured.

    Attributes
    ----------
    deletion, insertion : Substrate
        What stands where something was taken away; it must fit the data.
    steps, random_maps, random_steps : int
        Of the curves; see `curves.faithfulness`.
    road, curves : bool
        Whether they are measured.
    percentiles : tuple of int
        Of ROAD.
    changes : tuple of str
        Of the stability; empty for none.
    random_networks : int
        For the randomisation check; 0 for none.
    cascade : tuple of float
        Parts of the network drawn anew; ends with what R is taken from.
    batch : int
        Images a call; 0 chooses by the device.
    seed : int
    """

    deletion: Substrate = MEAN
    insertion: Substrate = BLUR
    steps: int = 32
    random_maps: int = 20
    random_steps: int = 8
    curves: bool = True
    road: bool = True
    percentiles: tuple[int, ...] = PERCENTILES
    changes: tuple[str, ...] = KINDS
    shift: int = 2
    noise: float = 0.02
    noises: int = 1
    brightness: float = 0.05
    random_networks: int = 3
    cascade: tuple[float, ...] = (1.0,)
    batch: int = 0
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        out["deletion"], out["insertion"] = self.deletion.to_dict(), self.insertion.to_dict()
        return {name: list(v) if isinstance(v, tuple) else v for name, v in out.items()}


@dataclass(frozen=True, eq=False)
class TrustCard:
    """What was measured about a heatmap; a part that was not is None.

    Attributes
    ----------
    target : Explained
    settings : TrustSettings
    states : tuple of State
    peakedness, gini : float or None
        Shown, not judged: a diffuse map can be right.
    faithfulness : Faithfulness or None
    road : Road or None
    stability : Stability or None
    randomisation : Randomisation or None
    localisation : Localisation or None
        Only against a mask.
    cost : Ledger
        Forwards, batches, maps and seconds by part.
    seconds : float
    """

    target: Explained = field(default_factory=Explained)
    settings: TrustSettings = field(default_factory=TrustSettings)
    states: tuple[State, ...] = ()
    peakedness: float | None = None
    gini: float | None = None
    faithfulness: Faithfulness | None = None
    road: Road | None = None
    stability: Stability | None = None
    randomisation: Randomisation | None = None
    localisation: Localisation | None = None
    cost: Ledger = field(default_factory=Ledger)
    seconds: float = 0.0

    @property
    def f(self) -> float | None:
        """Faithfulness F, 0 to 1."""
        return None if self.faithfulness is None else self.faithfulness.faithfulness

    @property
    def s(self) -> float | None:
        """Stability S, 0 to 1."""
        return None if self.stability is None else self.stability.stability

    @property
    def r(self) -> float | None:
        """Dependence on the weights R, 0 to 1."""
        return None if self.randomisation is None else self.randomisation.randomisation

    @property
    def trust(self) -> float | None:
        """T = (F · S · R)^(1/3); None until all three are known, 0 for an empty map."""
        if any(state.fails for state in self.states):
            return 0.0
        if self.f is None or self.s is None or self.r is None:
            return None
        return float(np.cbrt(self.f * self.s * self.r))

    @property
    def verdict(self) -> str:
        """``"not assessed"``, ``"passes"``, ``"weak"`` or ``"fails"``."""
        return self._judged()[0]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, as sentences."""
        return self._judged()[1]

    def _judged(self) -> tuple[str, tuple[str, ...]]:
        fails = [state.sentence for state in self.states if state.fails]
        weak = [state.sentence for state in self.states if not state.fails]
        if self.faithfulness is not None and _moved(self.faithfulness) < LEAST_MOVED:
            weak.append(
                f"Whatever is taken away, the answer moves by {100 * _moved(self.faithfulness):.1f}"
                " % at most: that it beats random maps says little."
            )
        missing: list[str] = []
        good: list[str] = []
        for name, value, said in self._judgements():
            limit = THRESHOLDS[name]
            if value is None:
                missing.append(said)
            elif value < limit.fails:
                fails.append(said)
            elif value < limit.passes:
                weak.append(said)
            else:
                good.append(said)
        if fails:
            return FAILS, (*fails, *weak)
        if missing:
            return NOT_ASSESSED, (*missing, *weak)
        return (WEAK, tuple(weak)) if weak else (PASSES, tuple(good))

    def _judgements(self) -> Iterator[tuple[str, float | None, str]]:
        if self.faithfulness is None:
            yield "faithfulness", None, "Whether the map names what the network used is not known."
        else:
            maps, f = len(self.faithfulness.random_gaps), self.faithfulness.faithfulness
            yield (
                "faithfulness",
                f,
                f"It names what the network used better than {100 * f:.0f} % of {maps} random "
                "maps as smooth as itself.",
            )
        if self.s is None:
            yield (
                "stability",
                None,
                "Whether the map stays when the image hardly changes is not known.",
            )
        else:
            yield (
                "stability",
                self.s,
                f"Small changes of the image leave {self.s:.2f} of its order (rank correlation).",
            )
        if self.randomisation is None:
            yield "randomisation", None, "Whether the map depends on the weights is not known."
        elif self.r is None:
            yield (
                "randomisation",
                None,
                "Networks with random weights gave empty maps; whether it depends on the "
                "weights could not be seen.",
            )
        else:
            yield (
                "randomisation",
                self.r,
                f"With random weights the map is alike to {1 - self.r:.2f} (rank correlation).",
            )

    def figures(self) -> dict[str, float]:
        """Return the single numbers by name; what was not measured is left out."""
        found: dict[str, float | None] = {
            "trust": self.trust,
            "faithfulness": self.f,
            "stability": self.s,
            "randomisation": self.r,
            "peakedness": self.peakedness,
            "gini": self.gini,
        }
        if self.faithfulness is not None:
            found["deletion_auc"] = self.faithfulness.deletion_auc
            found["insertion_auc"] = self.faithfulness.insertion_auc
            found["gap_deviations"] = self.faithfulness.deviations
        if self.road is not None:
            found["road"] = self.road.combined
        if self.localisation is not None:
            there = self.localisation
            found["pointing"] = float(there.pointing)
            found |= {f"mask_{k}": getattr(there, k) for k in ("mass", "rank", "precision")}
            found |= {"mask_coverage": there.coverage, "mask_iou": there.iou}
        return {name: float(v) for name, v in found.items() if v is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON; what is not a number is null."""
        out: dict[str, Any] = {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "figures": self.figures(),
            "target": asdict(self.target),
            "states": [asdict(state) for state in self.states],
            "thresholds": {name: asdict(limit) for name, limit in THRESHOLDS.items()},
            "settings": self.settings.to_dict(),
            "seconds": self.seconds,
            "cost": asdict(self.cost),
        }
        if self.faithfulness is not None:
            out["curves"] = _curves_dict(self.faithfulness)
        if self.road is not None:
            out["road"] = {**asdict(self.road), "combined": self.road.combined}
        if self.stability is not None:
            of = self.stability
            out["stability"] = {**asdict(of), "stability": of.stability, "ssim": of.ssim}
        if self.randomisation is not None:
            out["randomisation"] = {**asdict(self.randomisation), "randomisation": self.r}
        if self.localisation is not None:
            out["localisation"] = self.localisation.to_dict()
        return {name: plain(value) for name, value in out.items()}


def _moved(of: Faithfulness) -> float:
    """Return by how much the class's probability moved on all curves, random ones too."""
    scores = [of.deletion.score, of.insertion.score, of.random_deletion.mean]
    both = np.concatenate([np.asarray(s, float) for s in (*scores, of.random_insertion.mean)])
    return float(both.max() - both.min())


def plain(value: Any) -> Any:
    """Return plain JSON values: no numpy, nan and infinities as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _curves_dict(of: Faithfulness) -> dict[str, Any]:
    out: dict[str, Any] = {
        "faithfulness": of.faithfulness,
        "gap": of.gap,
        "random_gaps": of.random_gaps,
        "deviations": of.deviations,
    }
    for name, curve, band, substrate in (
        ("deletion", of.deletion, of.random_deletion, of.substrates[0]),
        ("insertion", of.insertion, of.random_insertion, of.substrates[1]),
    ):
        out[name] = {
            "auc": curve.auc,
            "fraction": curve.fraction,
            "score": curve.score,
            "substrate": substrate.to_dict(),
            "random": {
                "fraction": band.fraction,
                "mean": band.mean,
                "sd": band.sd,
                "aucs": band.aucs,
            },
        }
    return out
