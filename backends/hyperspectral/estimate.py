"""How long a classification will take: from what the last ones took on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from backends.io.writers.atomic import write_text
from backends.registry import is_network

if TYPE_CHECKING:
    from backends.hyperspectral.classify import ClassifyResult

# Seconds a training (a training pixel for classic models) and a mapped pixel; measured
# on two cores with 200 bands, and used until this machine has figures of its own.
_FIRST: Mapping[str, float] = {
    "svm.train": 0.012,
    "svm.map": 3e-5,
    "svm_window.train": 0.012,
    "svm_window.map": 3e-5,
    "random_forest.train": 0.008,
    "random_forest.map": 2e-5,
    "maximum_likelihood.train": 0.004,
    "maximum_likelihood.map": 6e-5,
    "spectral_angle.train": 1e-5,
    "spectral_angle.map": 2e-6,
    "gradient_boosting.train": 0.02,
    "gradient_boosting.map": 6e-5,
    "k_nearest.train": 1e-5,
    "k_nearest.map": 5e-5,
    "es_mhc.train": 30.0,
    "es_mhc.map": 7e-5,
    "css_mamba.train": 15.0,
    "css_mamba.map": 4e-5,
    "cnn_1d.train": 6.0,
    "cnn_1d.map": 1e-4,
    "cnn_3d.train": 60.0,
    "cnn_3d.map": 1e-3,
    "hybrid_sn.train": 120.0,
    "hybrid_sn.map": 5e-4,
    "ssftt.train": 26.0,
    "ssftt.map": 1e-3,
    "mamba_hsi.train": 50.0,
    "mamba_hsi.map": 4e-5,
    "spectral_former.train": 30.0,
    "spectral_former.map": 1e-3,
}
# What a second training may take without being asked for.
QUICK_S = 30.0
_SHARE = {
    "P10": 0.10, "S5": 0.05, "S10": 0.10, "S30": 0.30, "DISJ": 0.20, "TILES": 0.50, "FIX": 1.0,
    "ALL": 0.90,
}  # fmt: skip
# Support vectors: the grid looks at so many pixels at most, and takes nearly all of the time.
_GRID_PIXELS = 1500


def training_pixels(protocol: str, labelled: int, classes: int) -> int:
    """Return about how many pixels a protocol trains on."""
    protocol = protocol.upper()
    if protocol in ("P30", "P30G", "HALVES"):
        return min(labelled, 30 * classes)
    return round(labelled * _SHARE.get(protocol, 0.4))


def expected_seconds(model_id: str, pixels: int, train: int | None) -> float | None:
    """Return about how long a model takes; None where nothing is known of it.

    Parameters
    ----------
    pixels : int
        Of the scene.
    train : int or None
        Training pixels; None when weights are used that exist.
    """
    known = {**_FIRST, **_learned()}
    if f"{model_id}.map" not in known:
        return None
    seconds = known[f"{model_id}.map"] * pixels
    if train is not None:
        once = known[f"{model_id}.train"]
        seconds += once if is_network(model_id) else once * _timed(model_id, train)
    return seconds


def is_quick(seconds: float | None) -> bool:
    """Tell whether something may be done without being asked for."""
    return seconds is not None and seconds <= QUICK_S


def learn(result: ClassifyResult) -> None:
    """Remember how long a classification took here."""
    rates = _learned()
    pixels = result.class_map.labels.size
    rates[f"{result.model}.map"] = result.predict_seconds / max(1, pixels)
    if result.was_trained and result.split is not None:
        size = int(result.split.train.size)
        per = 1 if is_network(result.model) else max(1, _timed(result.model, size))
        rates[f"{result.model}.train"] = result.train_seconds / per
    try:
        path = _file()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(rates, indent=2))
    except OSError:
        return  # a guess that cannot be kept costs nothing


def in_words(seconds: float) -> str:
    """Return a duration as people say it: "20 s", "3 min"."""
    if seconds < 90:
        step = 1 if seconds < 10 else 5
        return f"{max(1, round(seconds / step) * step)} s"
    return f"{round(seconds / 60)} min"


def _timed(model_id: str, train: int) -> int:
    return min(train, _GRID_PIXELS) if model_id.startswith("svm") else train


def _file() -> Path:
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "speeds.json"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "speeds.json"


def _learned() -> dict[str, float]:
    try:
        values = json.loads(_file().read_text(encoding="utf-8"))
        found = {str(k): float(v) for k, v in values.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {name: rate for name, rate in found.items() if 0 <= rate < 1e6}
