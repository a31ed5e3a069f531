"""``bench known-answers``: unmixing beside published endmembers and abundances.

Needs ``CLEARBAND_DATA``. Samson's published spectra are scaled to a peak of 1 each, the scene is
not: angles do not mind, shares do. So shares are given with the spectra as published, and with
one factor each that fits the published shares; the endmembers those shares ask for in the scene,
by least squares, say how little of the rest better endmembers would take away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bench.scenes import data_folder
from app.bench.table import machine
from backends.errors import MissingCapability
from backends.scene import Scene
from backends.spectra.abundances import FullyConstrained
from backends.spectra.endmembers import FINDERS, find_endmembers, hfc, hysime, thinned
from backends.spectra.similarity import spectral_angle

Doubles = NDArray[np.float64]
SEEDS = 30
_LVLM = "Cholewa et al., Agentic Multimodal Models for Environmental Hyperspectral Unmixing"
# What others wrote of Samson, each with where it was read; what was not seen is not here.
PUBLISHED: tuple[dict[str, Any], ...] = (
    {"what": "number by HySime", "value": 43, "source": f"{_LVLM}, table 6: 3 and 40 too many"},
    {"what": "number by NWHFC", "value": 8, "source": f"{_LVLM}, table 6: 3 and 5 too many"},
    {
        "what": "mean angle, rad, and mean RMSE",
        "value": [0.0207, 0.0502],
        "source": "FNMamba (2026), a network; its best figures as a survey's notes give them",
    },
    {
        "what": "mean angle, rad, and mean RMSE",
        "value": [0.129, 0.1557],
        "source": "DASU-Net with SiVM, a network; its repository's README",
    },
)


@dataclass(frozen=True, eq=False)
class Known:
    """A scene of which the answer is known.

    Attributes
    ----------
    scene : Scene
    materials : tuple of str
    spectra : float64 array of shape (materials, bands)
    shares : float64 array of shape (rows, cols, materials)
    """

    scene: Scene
    materials: tuple[str, ...]
    spectra: Doubles
    shares: Doubles


def samson() -> Known:
    """Return Samson with the endmembers and abundances of Zhu et al.

    Raises
    ------
    MissingCapability
        It is not in the folder of real data.
    """
    from scipy.io import loadmat

    from backends.io import open_scene

    path = data_folder() / "hsi" / "unmixing" / "Samson.mat"
    if not path.exists():
        raise MissingCapability("Samson.mat is not here.", way_out="See the data's README.")
    with open_scene(path, {"key": "S_GT"}) as truth:
        shares = truth.read().astype(np.float64)
    spectra = np.asarray(loadmat(path, variable_names=["GT"])["GT"], np.float64)
    return Known(open_scene(path, {"key": "Y"}), ("soil", "tree", "water"), spectra, shares)


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure Samson; what the list of benchmarks calls."""
    return tabulate()


def tabulate(seeds: Sequence[int] = range(SEEDS), out: Path | None = None) -> dict[str, Any]:
    """Return every figure of Samson, and write them."""
    from app.cli.console import json_text
    from backends.io.writers.atomic import write_text

    known = samson()
    with known.scene:
        found = {
            "command": f"clearband bench known-answers --seeds {len(seeds)}",
            "machine": machine(),
            "samson": compare(known, seeds),
            "published": list(PUBLISHED),
        }
    if out is not None:
        write_text(out, json_text(found) + "\n")
    return found


def compare(known: Known, seeds: Sequence[int]) -> dict[str, Any]:
    """Return how far what is found in a scene lies from what is known of it.

    Angles in radians (and degrees for means), RMSE of abundances a material over all pixels;
    mean and standard deviation over seeds, and the worst seed.
    """
    count = len(known.materials)
    bands = tuple(range(known.scene.shape[2]))
    values, places = thinned(known.scene, bands)
    truth = known.shares[places[:, 0], places[:, 1]]
    # Once scaled by one factor each, once as the published shares ask for.
    parts = (truth[:, :, None] * known.spectra[None]).reshape(len(values), count, -1)
    system = parts.transpose(0, 2, 1).reshape(-1, count)
    factors = np.linalg.lstsq(system, values.ravel(), rcond=None)[0]
    refitted = np.linalg.lstsq(truth, values, rcond=None)[0]
    with_true = {
        "as published": _rmse(values, known.spectra, truth),
        "one factor each": _rmse(values, known.spectra * factors[:, None], truth),
        "refitted to the published shares": _rmse(values, refitted, truth),
    }
    return {
        "shape": list(known.scene.shape),
        "materials": list(known.materials),
        "number": {"known": count, "hysime": hysime(values), "hfc": hfc(values)},
        "found": {method: _over_seeds(known, bands, method, seeds) for method in FINDERS},
        "factors": [round(float(v), 4) for v in factors],
        "rmse_with_known_endmembers": {
            name: {"each": _rounded(each), "mean": round(float(each.mean()), 4)}
            for name, each in with_true.items()
        },
    }


def matched(spectra: Doubles, known: Doubles) -> tuple[NDArray[np.intp], Doubles]:
    """Return which found spectrum stands for each known one, and their angles in radians."""
    from scipy.optimize import linear_sum_assignment

    angle = spectral_angle(spectra.astype(np.float32), known.astype(np.float32))
    own, theirs = linear_sum_assignment(angle)
    order = own[np.argsort(theirs)]
    return order, np.asarray(angle[order, np.arange(len(known))], np.float64)


def _over_seeds(
    known: Known, bands: tuple[int, ...], method: str, seeds: Sequence[int]
) -> dict[str, Any]:
    values, places = thinned(known.scene, bands)
    truth = known.shares[places[:, 0], places[:, 1]]
    angles, errors = [], []
    for seed in seeds:
        found = find_endmembers(known.scene, bands, len(known.materials), method, seed=seed)
        order, angle = matched(found.spectra, known.spectra)
        angles.append(angle)
        errors.append(_rmse(values, found.spectra[order], truth))
    angle, error = np.array(angles), np.array(errors)
    means = [float(v) for v in angle.mean(axis=1)]
    return {
        "seeds": len(seeds),
        "angle_rad": {
            "each": _rounded(angle.mean(axis=0)),
            **_spread(means),
            "worst": round(max(means), 4),
        },
        "angle_deg": _spread([float(np.degrees(v)) for v in means]),
        "rmse": {
            "each": _rounded(error.mean(axis=0)),
            **_spread([float(v) for v in error.mean(axis=1)]),
        },
    }


def _rmse(values: Doubles, ends: Doubles, truth: Doubles) -> Doubles:
    shares, _ = FullyConstrained(ends)(values.astype(np.float32))
    return np.asarray(np.sqrt(((shares - truth) ** 2).mean(axis=0)))


def _spread(values: Sequence[float]) -> dict[str, float]:
    sd = stdev(values) if len(values) > 1 else 0.0
    return {"mean": round(mean(values), 4), "sd": round(sd, 4)}


def _rounded(values: Doubles) -> list[float]:
    return [round(float(v), 4) for v in values]


def text(found: dict[str, Any]) -> str:
    """Return the figures as lines to read."""
    part = found["samson"]
    number = part["number"]
    lines = [
        f"number of endmembers: known {number['known']}, HySime {number['hysime']}, "
        f"HFC {number['hfc']}"
    ]
    for method, row in part["found"].items():
        angle, degrees, rmse = row["angle_rad"], row["angle_deg"], row["rmse"]
        lines.append(
            f"{FINDERS[method][0]}: {angle['mean']:.4f} ± {angle['sd']:.4f} rad "
            f"({degrees['mean']:.2f} ± {degrees['sd']:.2f}°), abundances RMSE "
            f"{rmse['mean']:.3f} ± {rmse['sd']:.3f}"
        )
    for name, row in part["rmse_with_known_endmembers"].items():
        lines.append(f"known endmembers, {name}: abundances RMSE {row['mean']:.3f}")
    return "\n".join(lines)
