"""What one explanation is asked with, and what comes back: shared by every explainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.errors import WrongUse
from backends.explain.classifier import ImageClassifier, Target
from backends.explain.geometry import Geometry
from backends.explain.layers import Layer
from backends.explain.map_states import State
from backends.jobs import Progress
from backends.overlays import Placement

FloatMap = NDArray[np.float32]


@dataclass(eq=False)
class Ask:
    """One explanation while it is made.

    Attributes
    ----------
    settings : mapping
        All of the method's settings.
    layer : Layer or None
        For methods that look at one.
    wavelength_nm : tuple of float
        Of the input's bands; empty where unknown.
    side : dict
        What the method found besides its map.
    """

    classifier: ImageClassifier
    target: Target
    settings: Mapping[str, Any]
    progress: Progress
    layer: Layer | None = None
    wavelength_nm: tuple[float, ...] = ()
    side: dict[str, Any] = field(default_factory=dict)

    def scores(self, batch: Tensor) -> Tensor:
        """Return the explained number of each image, without gradients; stoppable."""
        self.progress.check()
        with torch.no_grad():
            return self.target.of(self.classifier.logits(batch)).float()

    def scores_of(self, count: int, make: Callable[[int, int], Tensor]) -> Tensor:
        """Return the numbers of ``count`` images that are made a few at a time.

        Parameters
        ----------
        make : callable
            Takes the first number and the one after the last, returns those images.
        """
        step = max(1, int(self.settings["batch"]))
        self.progress.start(count, "images", "Asking the network")
        found = []
        for low in range(0, count, step):
            found.append(self.scores(make(low, min(low + step, count))))
            self.progress.advance(min(step, count - low))
        return torch.cat(found)

    @property
    def place(self) -> Layer:
        """The layer, which is there."""
        assert self.layer is not None
        return self.layer


Maker = Callable[[Ask, Tensor], Tensor]


@dataclass(frozen=True)
class Method:
    """A way to explain.

    Attributes
    ----------
    id, title : str
    family : str
        ``"activation"``, ``"attention"``, ``"gradient"`` or ``"perturbation"``.
    make : callable
        Takes an `Ask` and a batch (n, bands, rows, cols), returns maps (n, rows, cols).
    source : str
    about : str
        What the map says, for people.
    settings : mapping
        Names and defaults.
    needs : str
        ``"layer"``, ``"tokens"`` or nothing.
    signed : bool
        Whether what is negative speaks against the target.
    """

    id: str
    title: str
    family: str
    make: Maker
    source: str
    about: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""
    signed: bool = True

    def complete(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return all settings.

        Raises
        ------
        WrongUse
            The method has no such setting, or the value is of another kind.
        """
        out = dict(self.settings)
        for name, value in (given or {}).items():
            if name not in out:
                known = ", ".join(out) or "none"
                raise WrongUse(
                    f"{self.title} has no setting called {name}.", way_out=f"It has: {known}."
                )
            if isinstance(out[name], int):
                # Nought where it is the default means that it is chosen for the image.
                least = min(1, out[name])
                if isinstance(value, bool) or not isinstance(value, int) or value < least:
                    raise WrongUse(f"{name} is a whole number from {least}.")
            if isinstance(out[name], float):
                if isinstance(value, bool) or not isinstance(value, (int, float)):
                    raise WrongUse(f"{name} is a number.")
                value = float(value)
            out[name] = value
        return out


@dataclass(frozen=True, eq=False)
class Explanation:
    """A map with all that belongs to it.

    Attributes
    ----------
    values : float32 array of shape (rows, cols)
        Raw and signed, in the grid the method works on; never scaled to 0..1.
    geometry : Geometry
    method : Method
    target : Target
    settings : mapping
    layer : Layer or None
    score, probability : float
        Logit (sum over the target's pixels) and mean probability of the target.
    states : tuple of State
        What must be said of the map: zero, all negative, class below chance …
    notes : tuple of str
    figures : mapping
        Numbers the method found: what integrated gradients missed, scores …
    parts : float32 array of shape (parts, rows, cols), optional
        One map for each of ``part_names`` (ranges of wavelengths).
    part_names : tuple of str
    bands : float32 array of shape (bands,), optional
        How much each band of the input mattered.
    seconds : float
    """

    values: FloatMap
    geometry: Geometry
    method: Method
    target: Target
    settings: Mapping[str, Any]
    layer: Layer | None
    score: float
    probability: float
    states: tuple[State, ...] = ()
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    parts: FloatMap | None = None
    part_names: tuple[str, ...] = ()
    bands: FloatMap | None = None
    seconds: float = 0.0

    @property
    def placement(self) -> Placement:
        """Where the cells of ``values`` lie on the image."""
        rows, cols = self.values.shape
        return self.geometry.grid_placement(rows, cols)

    def on_image(self, *, smooth: bool = True) -> FloatMap:
        """Return the map on the image's own pixels; ``nan`` where it was not seen."""
        return self.geometry.to_image(self.values, smooth=smooth)
