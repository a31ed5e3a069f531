"""What every overlay has: a scene, a place on it, and what made it."""

from __future__ import annotations

import datetime as dt
import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from backends.errors import BadInput

Array = NDArray[Any]


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def software_versions() -> dict[str, str]:
    """Return the versions of what computes, without importing anything heavy."""
    from importlib.metadata import PackageNotFoundError, version

    from backends import __version__

    found = {"clearband": __version__, "python": platform.python_version()}
    for name in ("numpy", "torch", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Provenance:
    """What made an overlay; shown with it and written into every export.

    Attributes
    ----------
    method : str
        Id of the model or method.
    version : str
    weights_digest : str
        SHA-256 of the weights, empty where there are none.
    parameters : mapping
        Everything that was set, by name; plain values only.
    scene_digest, scene_path : str
        The input.
    region : str
        Part of the scene, in words; empty for all of it.
    device : str
    seconds : float
    software : mapping
    created_utc : str
    command : str
        The command line that makes it again.
    notes : tuple of str
        What to know before believing it (substitutions, reconstruction …).
    figures : mapping
        Measured quality, e.g. ``{"overall_accuracy": 0.91, "protocol": "P10"}``.
    """

    method: str
    version: str = ""
    weights_digest: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    scene_digest: str = ""
    scene_path: str = ""
    region: str = ""
    device: str = "cpu"
    seconds: float = 0.0
    software: Mapping[str, str] = field(default_factory=software_versions)
    created_utc: str = field(default_factory=_now)
    command: str = ""
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        out = {k: getattr(self, k) for k in self.__dataclass_fields__}
        for key in ("parameters", "software", "figures"):
            out[key] = dict(out[key])
        out["notes"] = list(self.notes)
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Provenance:
        """Rebuild from `to_dict`; unknown keys are left out."""
        known = {k: v for k, v in values.items() if k in cls.__dataclass_fields__}
        known["notes"] = tuple(known.get("notes", ()))
        return cls(**known)


@dataclass(frozen=True)
class Placement:
    """Where an overlay's pixels lie on its scene.

    Scene row = ``row + r * row_step`` for overlay row r; likewise columns.
    """

    row: float = 0.0
    col: float = 0.0
    row_step: float = 1.0
    col_step: float = 1.0


@dataclass(frozen=True, eq=False)
class Overlay:
    """Base of all overlays.

    Attributes
    ----------
    title : str
    scene_id : str
        `Scene.id` it was made for; it lands nowhere else.
    provenance : Provenance
    placement : Placement
    partial : bool
        True while the maker still works on it.
    shown : bool
        Whether it is visible when it comes; the user decides from then on.
    """

    title: str
    scene_id: str
    provenance: Provenance
    placement: Placement = field(default_factory=Placement, kw_only=True)
    partial: bool = field(default=False, kw_only=True)
    shown: bool = field(default=True, kw_only=True)
    id: str = field(default_factory=lambda: uuid.uuid4().hex, kw_only=True)

    @property
    def kind(self) -> str:
        """Name of the kind, e.g. ``"ClassMap"``."""
        return type(self).__name__


def need(array: Array, dimensions: int, title: str) -> None:
    """Refuse an array that is empty or has another number of dimensions."""
    if array.ndim != dimensions or 0 in array.shape:
        raise BadInput(f"{title}: expected {dimensions} dimensions, got shape {array.shape}.")
