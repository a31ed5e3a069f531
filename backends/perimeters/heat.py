"""What an infrared interpreter draws: classes of heat, and objects that say what made them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import shapely

from backends.errors import BadInput


class HeatClass(Enum):
    """Classes of the trade's legend (NIROPS), and what a feature of each is called."""

    NO_DATA = "Cloud Cover / No Data"
    PERIMETER = "IR Heat Perimeter"
    INTENSE = "IR Intense Heat"
    SCATTERED = "IR Scattered Heat"
    ISOLATED = "IR Isolated Heat Source"
    POSSIBLE = "Possible IR Heat Source"

    @property
    def is_point(self) -> bool:
        """Whether features of it are points."""
        return self in (HeatClass.ISOLATED, HeatClass.POSSIBLE)

    @property
    def word(self) -> str:
        """One word for files and the command line: ``perimeter``, ``no_data`` …"""
        return self.name.lower()

    @property
    def layer(self) -> str:
        """Name of the layer in a file: ``IR_Heat_Perimeter``."""
        return "_".join(self.value.replace("/", " ").split())


@dataclass(frozen=True, eq=False)
class Feature:
    """One object of a perimeter document.

    Attributes
    ----------
    heat : HeatClass
    geometry : shapely geometry
        In the document's coordinate system: (multi)polygon or point.
    rule : mapping
        What made it: method and every number that decided; ``{"method": "drawn"}`` by hand.
    attributes : mapping
        Values that differ from the document's own (schema names).
    id : str
    """

    heat: HeatClass
    geometry: Any
    rule: Mapping[str, Any] = field(default_factory=lambda: {"method": "drawn"})
    attributes: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        kind = self.geometry.geom_type
        fits = kind == "Point" if self.heat.is_point else kind in ("Polygon", "MultiPolygon")
        if not fits or self.geometry.is_empty:
            wanted = "a point" if self.heat.is_point else "a polygon"
            raise BadInput(f"{self.heat.value} is {wanted}, not {kind}.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; the geometry exactly, as hexadecimal WKB."""
        return {
            "id": self.id,
            "class": self.heat.word,
            "rule": dict(self.rule),
            "attributes": dict(self.attributes),
            "wkb": shapely.to_wkb(self.geometry, hex=True),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Feature:
        """Rebuild from `to_dict`.

        Raises
        ------
        BadInput
            It is no such thing.
        """
        try:
            return cls(
                HeatClass[str(values["class"]).upper()],
                shapely.from_wkb(values["wkb"]),
                dict(values.get("rule", {})),
                dict(values.get("attributes", {})),
                str(values["id"]),
            )
        except (KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
            raise BadInput(
                "An object of the perimeter cannot be read.", details=repr(error)
            ) from error
