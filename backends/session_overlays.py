"""Overlays to records and back, with their arrays on a shelf of numbered parts."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.colormaps import NAMES
from backends.errors import BadInput
from backends.heatmap_view import HeatmapView
from backends.io.writers.npz import CLUSTER_ARRAYS, MORE_CLUSTER_ARRAYS, take_array
from backends.jobs import Progress
from backends.matrix_history import MatrixHistory
from backends.overlays import (
    ClassMap,
    ClusterBlock,
    ClusterField,
    ConceptMaps,
    GraphOverlay,
    Heatmap,
    MatrixEntry,
    MatrixField,
    Overlay,
    Perimeter,
    Perimeters,
    Placement,
    ScoreMap,
    StreamWeights,
)
from backends.session_records import (
    ClassMapRecord,
    ClusterBlockRecord,
    ClusterFieldRecord,
    ConceptMapsRecord,
    GraphRecord,
    HeatmapRecord,
    MatrixEntryRecord,
    MatrixFieldRecord,
    OverlayRecord,
    PerimeterRecord,
    PerimetersRecord,
    PlacementRecord,
    ProvenanceRecord,
    ScoreMapRecord,
    StreamWeightsRecord,
    plain_value,
)


class ArrayShelf:
    """Arrays waiting to be written, each under a number."""

    def __init__(self) -> None:
        self.arrays: list[NDArray[Any]] = []
        self.names: list[str] = []
        self._by_identity: dict[int, str] = {}

    def add(self, array: NDArray[Any]) -> str:
        """Put an array on the shelf and return the name of its part; the same array once."""
        if id(array) not in self._by_identity:
            name = f"arrays/{len(self.arrays)}.npy"
            self.arrays.append(array)
            self.names.append(name)
            self._by_identity[id(array)] = name
        return self._by_identity[id(array)]


class ArrayBox:
    """The arrays of an archive that may be hostile, read one by one."""

    def __init__(
        self, archive: zipfile.ZipFile, largest_bytes: int, progress: Progress | None = None
    ) -> None:
        self._archive = archive
        self._left = largest_bytes
        self._progress = progress

    def take(self, name: str) -> NDArray[Any]:
        """Read an array.

        Raises
        ------
        BadInput
            It is damaged, or all arrays together are more than fits in memory.
        """
        array = take_array(self._archive, name, largest_bytes=self._left, progress=self._progress)
        self._left -= array.nbytes
        return array


def record_of(overlay: Overlay, shelf: ArrayShelf) -> OverlayRecord:
    """Return the record of an overlay and put its arrays on the shelf.

    Raises
    ------
    BadInput
        A kind of overlay that sessions do not know.
    """
    place = overlay.placement
    common: dict[str, Any] = {
        "id": overlay.id,
        "title": overlay.title[:4096],
        "scene": overlay.scene_id,
        "provenance": ProvenanceRecord.of(overlay.provenance),
        "placement": PlacementRecord(
            row=place.row, col=place.col, row_step=place.row_step, col_step=place.col_step
        ),
        "partial": overlay.partial,
    }
    if isinstance(overlay, ClassMap):
        sure = overlay.confidence
        return ClassMapRecord(
            **common,
            labels=shelf.add(overlay.labels),
            class_names=dict(overlay.class_names),
            confidence=None if sure is None else shelf.add(sure),
            fade=overlay.fade,
        )
    if isinstance(overlay, ScoreMap):
        common |= {
            "values": shelf.add(overlay.values),
            "unit": overlay.unit,
            "centre": overlay.centre,
        }
        if isinstance(overlay, Heatmap):
            return HeatmapRecord(**common, **_heatmap_facts(overlay))
        return ScoreMapRecord(**common)
    if isinstance(overlay, ConceptMaps):
        values = shelf.add(overlay.values)
        return ConceptMapsRecord(
            **common, values=values, names=list(overlay.names), tops=list(overlay.tops)
        )
    if isinstance(overlay, MatrixField):
        entries = [
            MatrixEntryRecord(
                layer=entry.layer,
                site=entry.site,
                static=shelf.add(entry.static),
                deviation=shelf.add(entry.deviation),
                **{
                    name: StreamWeightsRecord(
                        static=shelf.add(kept.static), deviation=shelf.add(kept.deviation)
                    )
                    for name, kept in entry.weights().items()
                },
            )
            for entry in overlay.entries
        ]
        then = {} if overlay.history is None else overlay.history.arrays()
        return MatrixFieldRecord(
            **common,
            group_names=list(overlay.group_names),
            entries=entries,
            history={name: shelf.add(array) for name, array in then.items()},
        )
    if isinstance(overlay, ClusterField):
        blocks = [
            ClusterBlockRecord(
                **{name: shelf.add(getattr(block, name)) for name in CLUSTER_ARRAYS},
                **{
                    name: shelf.add(array)
                    for name in MORE_CLUSTER_ARRAYS
                    if (array := getattr(block, name)) is not None
                },
                clusters=block.clusters,
                fusion=list(block.fusion),
                temperature=block.temperature,
                kept=block.kept,
                moved=block.moved,
                share=block.share,
                membership_step=block.membership_step,
            )
            for block in overlay.blocks
        ]
        training = {name: list(values) for name, values in overlay.training.items()}
        return ClusterFieldRecord(**common, blocks=blocks, tiles=overlay.tiles, training=training)
    if isinstance(overlay, Perimeters):
        return _perimeters_record(overlay, shelf, common)
    if isinstance(overlay, GraphOverlay):
        return GraphRecord(
            **common,
            nodes=shelf.add(overlay.nodes),
            edges=shelf.add(overlay.edges),
            node_names=list(overlay.node_names),
            weights=None if overlay.weights is None else shelf.add(overlay.weights),
        )
    raise BadInput(f"{overlay.title} is of a kind that sessions do not keep.")


def overlay_of(record: OverlayRecord, box: ArrayBox) -> Overlay:
    """Return the overlay of a record.

    Raises
    ------
    BadInput
        Its arrays are damaged or do not fit each other.
    """
    head = (record.title, record.scene, record.provenance.to_provenance())
    common: dict[str, Any] = {
        "placement": Placement(**record.placement.model_dump()),
        "partial": record.partial,
        "id": record.id,
    }
    if isinstance(record, ClassMapRecord):
        sure = None if record.confidence is None else box.take(record.confidence)
        labels = box.take(record.labels)
        names = dict(record.class_names)
        return ClassMap(
            *head, **common, labels=labels, class_names=names, confidence=sure, fade=record.fade
        )
    if isinstance(record, (HeatmapRecord, ScoreMapRecord)):
        common |= {"values": box.take(record.values), "unit": record.unit, "centre": record.centre}
        if isinstance(record, HeatmapRecord):
            common |= _heatmap_again(record)
            return Heatmap(*head, **common)
        return ScoreMap(*head, **common)
    if isinstance(record, ConceptMapsRecord):
        return ConceptMaps(
            *head,
            **common,
            values=box.take(record.values),
            names=tuple(record.names),
            tops=tuple(record.tops),
        )
    if isinstance(record, MatrixFieldRecord):
        entries = tuple(
            MatrixEntry(
                e.layer,
                e.site,
                box.take(e.static),
                box.take(e.deviation),
                *(
                    None
                    if kept is None
                    else StreamWeights(*map(box.take, (kept.static, kept.deviation)))
                    for kept in (e.read, e.write)
                ),
            )
            for e in record.entries
        )
        then = MatrixHistory.from_arrays({n: box.take(at) for n, at in record.history.items()})
        streams = tuple(record.group_names)
        return MatrixField(*head, **common, group_names=streams, entries=entries, history=then)
    if isinstance(record, ClusterFieldRecord):
        return ClusterField(
            *head,
            **common,
            blocks=tuple(
                ClusterBlock(
                    **{name: box.take(getattr(b, name)) for name in CLUSTER_ARRAYS},
                    **{
                        name: box.take(array)
                        for name in MORE_CLUSTER_ARRAYS
                        if (array := getattr(b, name)) is not None
                    },
                    clusters=b.clusters,
                    fusion=(b.fusion[0], b.fusion[1]),
                    temperature=b.temperature,
                    kept=b.kept,
                    moved=b.moved,
                    share=b.share,
                    membership_step=b.membership_step,
                )
                for b in record.blocks
            ),
            tiles=record.tiles,
            training={name: tuple(values) for name, values in record.training.items()},
        )
    if isinstance(record, PerimetersRecord):
        outlines = _perimeters(record, box)
        return Perimeters(*head, **common, perimeters=outlines, draft=record.draft)
    return GraphOverlay(
        *head,
        **common,
        nodes=box.take(record.nodes),
        edges=box.take(record.edges),
        node_names=tuple(record.node_names),
        weights=None if record.weights is None else box.take(record.weights),
    )


def _perimeters_record(
    overlay: Perimeters, shelf: ArrayShelf, common: dict[str, Any]
) -> PerimetersRecord:
    rings = [ring for p in overlay.perimeters for ring in (p.exterior, *p.holes)]
    points = np.concatenate(rings) if rings else np.empty((0, 2))
    outlines = [
        PerimeterRecord(
            rings=[len(ring) for ring in (p.exterior, *p.holes)],
            properties=plain_value(p.properties),
        )
        for p in overlay.perimeters
    ]
    return PerimetersRecord(
        **common,
        points=shelf.add(points.astype(np.float64)),
        perimeters=outlines,
        draft=overlay.draft,
    )


def _perimeters(record: PerimetersRecord, box: ArrayBox) -> tuple[Perimeter, ...]:
    points = box.take(record.points)
    total = sum(sum(outline.rings) for outline in record.perimeters)
    if points.ndim != 2 or points.shape != (total, 2):
        raise BadInput(f"{record.title}: the outlines do not have the points they claim.")
    found, at = [], 0
    for outline in record.perimeters:
        rings = []
        for count in outline.rings:
            rings.append(points[at : at + count])
            at += count
        found.append(Perimeter(rings[0], tuple(rings[1:]), dict(outline.properties)))
    return tuple(found)


def heatmap_of(record: HeatmapRecord, box: ArrayBox) -> Heatmap:
    """Return the heatmap of a record; raises as `overlay_of` does."""
    made = overlay_of(record, box)
    assert isinstance(made, Heatmap)
    return made


def _heatmap_facts(overlay: Heatmap) -> dict[str, Any]:
    view, grid = overlay.view, overlay.grid
    return {
        "target": overlay.target,
        "trust": {key: float(value) for key, value in overlay.trust.items()},
        "colormap": view.colormap,
        "limits": view.limits,
        "contour": view.contour,
        "shows_grid": view.grid,
        "fade": view.fade,
        "positive": view.positive,
        "grid": None if grid is None else PlacementRecord(**vars(grid)),
        "grid_shape": overlay.grid_shape,
    }


def _heatmap_again(record: HeatmapRecord) -> dict[str, Any]:
    grid = record.grid
    known = record.colormap if record.colormap in NAMES else ""
    view = HeatmapView(
        known, record.limits, record.contour, record.shows_grid, record.fade, record.positive
    )
    return {
        "target": record.target,
        "trust": dict(record.trust),
        "view": view,
        "grid": None if grid is None else Placement(**grid.model_dump()),
        "grid_shape": record.grid_shape,
    }
