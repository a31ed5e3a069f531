"""Every model and method by id, with its card: needs, gives, source, figures.

Builders are named by import path and loaded when asked for, so that the table
costs nothing and torch is not imported to list it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from backends.errors import BadInput, WrongUse
from backends.jobs import Progress
from backends.overlays import Overlay
from backends.scene import Scene


@dataclass(frozen=True)
class ModelCard:
    """What a model is and when to believe it.

    Attributes
    ----------
    id, title : str
    task : str
        ``"classify pixels"``, ``"segment"`` …
    summary : str
        What it does for the user, one sentence.
    source : str
        Paper or library it follows.
    reconstruction : str
        What of it is our own reading of the source; empty when nothing.
    needs : mapping
        ``bands_min``, ``range_nm`` [low, high], ``units``, ``pixel_size_m`` …
    gives : tuple of str
        Overlay kinds.
    classes : tuple of str
        Fixed classes; empty when it is trained by the user.
    trained_on : str
        Empty means untrained: it refuses to make a map.
    weights : str
        File under ``resources/weights``; empty when trained by the user.
    weights_digest : str
        SHA-256 of that file.
    figures : mapping
        Measured quality with protocol.
    licence : str
    limits : tuple of str
        When not to believe it.
    family : str
        ``"network"`` (needs torch, runs on a GPU, shows its inside) or ``"classic"``.
    builder : str
        ``"package.module:name"`` of the class that makes the model.
    """

    id: str
    title: str
    task: str
    summary: str
    source: str
    builder: str
    version: str = "1"
    family: str = "classic"
    reconstruction: str = ""
    needs: Mapping[str, Any] = field(default_factory=dict)
    gives: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    trained_on: str = ""
    weights: str = ""
    weights_digest: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "GPL-3.0-or-later"
    limits: tuple[str, ...] = ()

    @property
    def is_trained(self) -> bool:
        """Whether it can make a map without training."""
        return bool(self.trained_on and self.weights)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        out: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            out[item.name] = value
        return out

    @classmethod
    def from_file(cls, path: Path) -> ModelCard:
        """Read a card from JSON; unknown keys are an error."""
        values = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name for item in fields(cls)}
        if unknown := set(values) - known:
            raise BadInput(f"The model card {path.name} has unknown entries: {sorted(unknown)}.")
        for key in ("gives", "classes", "limits"):
            values[key] = tuple(values.get(key, ()))
        return cls(**values)


class Model(Protocol):
    """Something that reads a scene and says what it found."""

    card: ModelCard

    def check(self, scene: Scene) -> list[str]:
        """Return what stands in the way, in plain sentences; empty when it can run."""
        ...

    def predict(self, scene: Scene, *, device: str, progress: Progress) -> list[Overlay]:
        """Return overlays for the whole scene."""
        ...


_FIRST = (
    "css_mamba", "es_mhc", "svm_window", "svm", "random_forest", "maximum_likelihood",
    "gradient_boosting", "k_nearest", "spectral_angle",
)  # fmt: skip


@lru_cache(maxsize=256)
def _read(path: Path, changed_ns: int) -> ModelCard:
    """Read a card once: the window asks for cards while it draws."""
    return ModelCard.from_file(path)


def cards() -> list[ModelCard]:
    """Return the cards of every model: what we would choose first, then the rest by name."""
    import resources

    found = [
        _read(path, path.stat().st_mtime_ns) for path in resources.path("cards").glob("*.json")
    ]
    first = {name: place for place, name in enumerate(_FIRST)}
    return sorted(found, key=lambda card: (first.get(card.id, len(first)), card.id))


def card(model_id: str) -> ModelCard:
    """Return the card of a model.

    Raises
    ------
    WrongUse
        No model has that id.
    """
    known = {found.id: found for found in cards()}
    if model_id not in known:
        raise WrongUse(
            f"There is no model called {model_id}.",
            way_out=f"Choose one of: {', '.join(known)}.",
        )
    return known[model_id]


def is_network(model_id: str) -> bool:
    """Tell whether a model is a network."""
    return card(model_id).family == "network"


def build(model_id: str, **settings: Any) -> Any:
    """Make a model from its card, with the settings its class takes."""
    module, _, name = card(model_id).builder.partition(":")
    return getattr(importlib.import_module(module), name)(**settings)
