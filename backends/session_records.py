"""What stands in a session file, as typed records: anything else is refused.

Version 5 (1 knew no spectral libraries, 2 no holes and classes of regions, 4 no measurements).
A later version adds a step to ``UPGRADES`` and keeps the old sample file in the tests; records
never change their meaning without a new version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from backends.errors import BadInput
from backends.overlays import Provenance

FORMAT = "clearband session"
VERSION = 5

Text = Annotated[str, Field(max_length=4096)]
LongText = Annotated[str, Field(max_length=1 << 20)]
Ident = Annotated[str, Field(min_length=1, max_length=256)]
ArrayName = Annotated[str, Field(pattern=r"^arrays/[0-9]{1,6}\.npy$")]
Count = Annotated[int, Field(ge=0, le=1 << 40)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Names = Annotated[dict[int, Text], Field(max_length=65536)]


class Record(BaseModel):
    """Base of all records: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class ProvenanceRecord(Record):
    """What made an overlay."""

    method: Text
    version: Text = ""
    weights_digest: Text = ""
    parameters: dict[str, JsonValue] = {}
    scene_digest: Text = ""
    scene_path: Text = ""
    region: Text = ""
    device: Text = ""
    seconds: float = 0.0
    software: dict[str, Text] = {}
    created_utc: Text = ""
    command: LongText = ""
    notes: list[Text] = []
    figures: dict[str, JsonValue] = {}

    @classmethod
    def of(cls, provenance: Provenance) -> ProvenanceRecord:
        """Return the record of a provenance."""
        return cls(**{key: plain_value(v) for key, v in provenance.to_dict().items()})

    @classmethod
    def lenient(cls, values: Any) -> ProvenanceRecord:
        """Read what a file says of its origin; entries of later versions are left out.

        Raises
        ------
        BadInput
            It is no such thing.
        """
        if not isinstance(values, Mapping):
            raise BadInput("What the file says about its origin is damaged.")
        known = {key: value for key, value in values.items() if key in cls.model_fields}
        try:
            return cls(**known)
        except ValidationError as error:
            raise BadInput(
                "What the file says about its origin is damaged.", details=str(error)
            ) from error

    def to_provenance(self) -> Provenance:
        """Return the provenance."""
        return Provenance.from_dict(self.model_dump())


class PlacementRecord(Record):
    """Where an overlay's pixels lie."""

    row: Finite = 0.0
    col: Finite = 0.0
    row_step: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    col_step: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


class OverlayBase(Record):
    """What every overlay has."""

    id: Ident
    title: Text
    scene: Ident
    provenance: ProvenanceRecord
    placement: PlacementRecord = PlacementRecord()
    partial: bool = False


class ClassMapRecord(OverlayBase):
    """One class a pixel."""

    kind: Literal["ClassMap"] = "ClassMap"
    labels: ArrayName
    class_names: Names
    confidence: ArrayName | None = None
    fade: bool = False


class ScoreMapRecord(OverlayBase):
    """One number a pixel."""

    kind: Literal["ScoreMap"] = "ScoreMap"
    values: ArrayName
    unit: Text = ""
    centre: float | None = None


class HeatmapRecord(OverlayBase):
    """An explanation."""

    kind: Literal["Heatmap"] = "Heatmap"
    values: ArrayName
    unit: Text = ""
    centre: float | None = None
    target: Text = ""
    trust: dict[str, float] = {}
    colormap: Text = ""
    limits: tuple[float, float] | None = None
    contour: float | None = None
    shows_grid: bool = False
    fade: bool = True
    positive: bool = False
    grid: PlacementRecord | None = None
    grid_shape: tuple[int, int] = (0, 0)


class SliceMapRecord(Record):
    """The heatmap of one slice of a volume; ``map`` has the id of the one that is shown."""

    slice: Count
    map: HeatmapRecord


class ConceptMapsRecord(OverlayBase):
    """Several named maps."""

    kind: Literal["ConceptMaps"] = "ConceptMaps"
    values: ArrayName
    names: list[Text]
    tops: list[float] = []


class StreamWeightsRecord(Record):
    """One number a stream and pixel."""

    static: ArrayName
    deviation: ArrayName


class MatrixEntryRecord(Record):
    """The matrices of one site."""

    layer: Annotated[int, Field(ge=0, le=100_000)]
    site: Text
    static: ArrayName
    deviation: ArrayName
    read: StreamWeightsRecord | None = None
    write: StreamWeightsRecord | None = None


class MatrixFieldRecord(OverlayBase):
    """A matrix a pixel, layer and site."""

    kind: Literal["MatrixField"] = "MatrixField"
    group_names: Annotated[list[Text], Field(max_length=4096)]
    entries: Annotated[list[MatrixEntryRecord], Field(max_length=4096)]
    history: Annotated[dict[Text, ArrayName], Field(max_length=65536)] = {}


class ClusterBlockRecord(Record):
    """What one block of a clustered reader did."""

    cluster: ArrayName
    certainty: ArrayName
    rank: ArrayName
    sequence: ArrayName
    score: ArrayName
    step: ArrayName
    clusters: Annotated[int, Field(ge=1, le=65_535)]
    fusion: Annotated[list[float], Field(min_length=2, max_length=2)]
    temperature: float
    kept: float = 1.0
    moved: float = 0.0
    share: float = 0.0
    attention: ArrayName | None = None
    typical: ArrayName | None = None
    membership: ArrayName | None = None
    membership_step: Annotated[int, Field(ge=1)] = 1


class ClusterFieldRecord(OverlayBase):
    """How a clustered reader grouped and read the pixels."""

    kind: Literal["ClusterField"] = "ClusterField"
    blocks: Annotated[list[ClusterBlockRecord], Field(min_length=1, max_length=4096)]
    tiles: Annotated[int, Field(ge=1)] = 1
    training: dict[str, list[float]] = {}


class PerimeterRecord(Record):
    """One outline: how many points its rings have, the outer one first."""

    rings: Annotated[list[Count], Field(min_length=1)]
    properties: dict[str, JsonValue] = {}


class PerimetersRecord(OverlayBase):
    """Outlines; their points lie one after the other in one array of shape (points, 2)."""

    kind: Literal["Perimeters"] = "Perimeters"
    points: ArrayName
    perimeters: list[PerimeterRecord]
    draft: bool = True


class GraphRecord(OverlayBase):
    """Points joined by lines."""

    kind: Literal["GraphOverlay"] = "GraphOverlay"
    nodes: ArrayName
    edges: ArrayName
    node_names: list[Text] = []
    weights: ArrayName | None = None


OverlayRecord = Annotated[
    ClassMapRecord
    | ScoreMapRecord
    | HeatmapRecord
    | ConceptMapsRecord
    | MatrixFieldRecord
    | ClusterFieldRecord
    | PerimetersRecord
    | GraphRecord,
    Field(discriminator="kind"),
]


class RecipeRecord(Record):
    """How a scene is shown."""

    id: Text
    title: Text
    bands: Annotated[list[Count], Field(min_length=1, max_length=3)]
    stretch: Text = "percentile"
    low: Finite = 2.0
    high: Finite = 98.0
    colormap: Text = "gray"
    limits: list[tuple[float, float]] | None = None


class SceneRecord(Record):
    """A scene by reference.

    ``path`` is absolute, ``relative`` is seen from the session's folder (with forward
    slashes), empty where there is no such way.
    """

    id: Ident
    title: Text
    path: Text
    relative: Text = ""
    reader: Text = ""
    options: dict[str, JsonValue] = {}
    digest: Text = ""
    shape: tuple[Count, Count, Count]
    kind: Text = ""
    good: list[bool] | None = None
    recipe: RecipeRecord | None = None


class LibraryRecord(Record):
    """A spectral library by reference, and which of its spectra were drawn."""

    title: Text
    path: Text
    relative: Text = ""
    digest: Text = ""
    shown: Annotated[list[Count], Field(max_length=100_000)] = []
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


Points = Annotated[list[tuple[Finite, Finite]], Field(min_length=3, max_length=1_000_000)]
Rings = Annotated[list[Points], Field(max_length=100_000)]


class OutlineRecord(Record):
    """One more piece of an area."""

    exterior: Points
    holes: Rings = []


class RegionRecord(Record):
    """An area the user drew or loaded."""

    id: Ident
    name: Text
    scene: Ident
    color: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    vertices: Annotated[list[tuple[Finite, Finite]], Field(max_length=1_000_000)]
    holes: Rings = []
    more: Annotated[list[OutlineRecord], Field(max_length=100_000)] = []
    class_name: Text = ""
    class_color: Annotated[str, Field(pattern=r"^(#[0-9A-Fa-f]{6})?$")] = ""


class PinRecord(Record):
    """A pinned pixel."""

    id: Ident
    name: Text
    scene: Ident
    row: Count
    col: Count
    color: Annotated[int, Field(ge=0, le=1 << 20)] = 0


Size = Annotated[float, Field(ge=0)]  # not a number where an outline crosses itself


class MeasurementRecord(Record):
    """A line or an area that was measured."""

    id: Ident
    name: Text
    scene: Ident
    kind: Literal["distance", "area"]
    points: Annotated[list[tuple[Finite, Finite]], Field(min_length=2, max_length=1_000_000)]
    color: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    length_px: Size
    area_px: float | None = None
    length_m: Size | None = None
    area_m2: float | None = None
    bearing: Finite | None = None
    method: Text = ""
    note: Text = ""


class LabelsRecord(Record):
    """Training labels of a scene."""

    scene: Ident
    values: ArrayName
    class_names: Names = {}
    source: Text = ""


class LayerRecord(Record):
    """How an overlay is shown."""

    visible: bool = True
    opacity: Annotated[float, Field(ge=0, le=1)] = 1.0
    choice: Annotated[int, Field(ge=0, le=1 << 20)] = 0


class ViewRecord(Record):
    """Where the canvas looks."""

    center: Annotated[list[Finite], Field(max_length=8)] = []
    zoom: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    angles: Annotated[list[Finite], Field(max_length=3)] = []
    ndisplay: Literal[2, 3] = 2
    step: Annotated[list[Count], Field(max_length=16)] = []
    layers: Annotated[dict[Ident, LayerRecord], Field(max_length=100_000)] = {}


class LogRecord(Record):
    """A line of the run log."""

    title: Text
    command: Annotated[list[LongText], Field(max_length=10_000)]
    when_utc: Text = ""


class SessionRecord(Record):
    """All of a session file but its arrays."""

    format: Literal["clearband session"] = "clearband session"
    version: Literal[5] = 5
    saved_utc: Text = ""
    software: dict[str, Text] = {}
    scenes: list[SceneRecord] = []
    overlays: list[OverlayRecord] = []
    slice_maps: list[SliceMapRecord] = []
    regions: list[RegionRecord] = []
    pins: list[PinRecord] = []
    measurements: Annotated[list[MeasurementRecord], Field(max_length=100_000)] = []
    labels: list[LabelsRecord] = []
    libraries: Annotated[list[LibraryRecord], Field(max_length=1000)] = []
    view: ViewRecord = ViewRecord()
    workbench: Text = ""
    active_scene: Ident | None = None
    active_overlay: Ident | None = None
    run_log: list[LogRecord] = []


def _libraries_came(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "version": 2, "libraries": []}


# From version n to n + 1, on plain values.
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _libraries_came,
    2: lambda values: {**values, "version": 3},  # what came with it has defaults
    3: lambda values: {**values, "version": 4},  # the maps of a volume's other slices, too
    4: lambda values: {**values, "version": 5},  # measurements
}


def plain_value(value: Any) -> Any:
    """Return a value as JSON can hold it; what it cannot becomes text."""
    if isinstance(value, str):
        return plain_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic):
        return plain_value(value.item())
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, Mapping):
        return {plain_text(str(key)): plain_value(v) for key, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain_value(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain_value(value.tolist()) if value.size <= 1024 else f"array of {value.shape}"
    if isinstance(value, Path):
        return plain_text(str(value))
    return plain_text(str(value))


def plain_text(text: str) -> str:
    """Return a text that UTF-8 can hold: file names need not be any known writing."""
    return text.encode("utf-8", "replace").decode("utf-8")
