"""What a model can say about a scene, as typed, frozen records with their provenance.

No colours and no window here: ``app/layers.py`` is the one place where an
overlay becomes something on the screen.
"""

from backends.overlays.clusters import ClusterBlock, ClusterField, series_of
from backends.overlays.maps import ClassMap, ConceptMaps, Heatmap, ScoreMap
from backends.overlays.matrices import MatrixEntry, MatrixField, StreamWeights
from backends.overlays.record import Overlay, Placement, Provenance, software_versions
from backends.overlays.shapes import GraphOverlay, Perimeter, Perimeters

__all__ = [
    "ClassMap",
    "ClusterBlock",
    "ClusterField",
    "ConceptMaps",
    "GraphOverlay",
    "Heatmap",
    "MatrixEntry",
    "MatrixField",
    "Overlay",
    "Perimeter",
    "Perimeters",
    "Placement",
    "Provenance",
    "ScoreMap",
    "StreamWeights",
    "series_of",
    "software_versions",
]
