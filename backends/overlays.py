"""What a model can say about a scene, as typed, frozen records with their provenance.

No colours and no window here: ``app/layers.py`` is the one place where an
overlay becomes something on the screen.
"""

from __future__ import annotations

import datetime as dt
import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.heatmap_view import HeatmapView

if TYPE_CHECKING:
    from backends.hyperspectral.checkpoints import Checkpoint
    from backends.matrix_history import MatrixHistory

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


@dataclass(frozen=True, eq=False)
class ClassMap(Overlay):
    """One class a pixel.

    Attributes
    ----------
    labels : integer array of shape (rows, cols)
        0 means no class.
    class_names : mapping of int to str
        Name of each value but 0.
    confidence : float32 array of shape (rows, cols), optional
        Probability of the class given, 0 to 1.
    fade : bool
        Draw pixels the fainter, the less sure they are.
    """

    labels: Array = field(kw_only=True)
    class_names: Mapping[int, str] = field(kw_only=True)
    confidence: Array | None = field(default=None, kw_only=True)
    fade: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        _need(self.labels, 2, self.title)
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise BadInput(f"{self.title}: a class map holds whole numbers.")
        if self.confidence is not None and self.confidence.shape != self.labels.shape:
            raise BadInput(f"{self.title}: the confidence has another size than the map.")
        if self.fade and self.confidence is None:
            raise BadInput(f"{self.title}: nothing says how sure its pixels are.")

    def counts(self) -> dict[int, int]:
        """Return pixels a class value, named classes only."""
        values, numbers = np.unique(self.labels, return_counts=True)
        found = dict(zip(values.tolist(), numbers.tolist(), strict=True))
        return {value: found.get(value, 0) for value in self.class_names}


@dataclass(frozen=True, eq=False)
class ScoreMap(Overlay):
    """One number a pixel: an index, an anomaly score, a probability.

    Attributes
    ----------
    values : float32 array of shape (rows, cols)
    unit : str
    centre : float or None
        The value that means "no effect"; the colour map is centred on it.
    """

    values: Array = field(kw_only=True)
    unit: str = field(default="", kw_only=True)
    centre: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _need(self.values, 2, self.title)


@dataclass(frozen=True, eq=False)
class Heatmap(ScoreMap):
    """An explanation: how much each place mattered for ``target``.

    Attributes
    ----------
    target : str
        What is explained, e.g. a class name.
    trust : mapping
        Measured reliability; empty means not assessed.
    view : HeatmapView
        How it is looked at.
    grid : Placement or None
        Where the cells of the network's own grid lie on the scene.
    grid_shape : (rows, cols)
        Of that grid.
    """

    target: str = field(default="", kw_only=True)
    trust: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    view: HeatmapView = field(default_factory=HeatmapView, kw_only=True)
    grid: Placement | None = field(default=None, kw_only=True)
    grid_shape: tuple[int, int] = field(default=(0, 0), kw_only=True)

    @property
    def verdict(self) -> str:
        """What the trust card says: ``"not assessed"``, ``"passes"``, ``"weak"``, ``"fails"``."""
        return str(dict(self.provenance.figures.get("trust") or {}).get("verdict", "not assessed"))


@dataclass(frozen=True, eq=False)
class ConceptMaps(Overlay):
    """Several named activation maps.

    Attributes
    ----------
    values : float32 array of shape (concepts, rows, cols)
    names : tuple of str
    """

    values: Array = field(kw_only=True)
    names: tuple[str, ...] = field(kw_only=True)

    def __post_init__(self) -> None:
        _need(self.values, 3, self.title)
        if len(self.names) != self.values.shape[0]:
            raise BadInput(f"{self.title}: {len(self.names)} names for {len(self.values)} maps.")


@dataclass(frozen=True, eq=False)
class StreamWeights:
    """One number a stream and pixel: what feeds a site, or who receives its answer.

    Attributes
    ----------
    static : float32 array of shape (n,)
        What it is without looking at the pixel.
    deviation : float16 or float32 array of shape (rows, cols, n)
        Weight = static + deviation.
    """

    static: Array
    deviation: Array

    def map(self, stream: int) -> NDArray[np.float32]:
        """Return the weight of one stream over the image, shape (rows, cols)."""
        values = self.deviation[:, :, stream].astype(np.float32)
        return np.asarray(values + np.float32(self.static[stream]))


@dataclass(frozen=True, eq=False)
class MatrixEntry:
    """The matrices of one site of a network.

    Attributes
    ----------
    layer : int
        From 1.
    site : str
        ``"mixer"`` or ``"ffn"``.
    static : float32 array of shape (n, n)
        What the matrix is without looking at the pixel.
    deviation : float16 or float32 array of shape (rows, cols, n, n)
        Matrix = static + deviation. Row = source, column = target.
    read, write : StreamWeights, optional
        How much of each stream the site sees, and how much of its answer each gets; kept
        since the desk shows them.
    """

    layer: int
    site: str
    static: Array
    deviation: Array
    read: StreamWeights | None = None
    write: StreamWeights | None = None

    def weights(self) -> dict[str, StreamWeights]:
        """Return ``read`` and ``write`` by name, where they were kept."""
        found = {"read": self.read, "write": self.write}
        return {name: kept for name, kept in found.items() if kept is not None}

    def matrix(self, row: int, col: int) -> NDArray[np.float32]:
        """Return the matrix of one pixel, shape (n, n)."""
        return np.asarray(self.static + self.deviation[row, col], dtype=np.float32)

    def map(self, source: int, target: int) -> NDArray[np.float32]:
        """Return one entry over the image, shape (rows, cols)."""
        values = self.deviation[:, :, source, target].astype(np.float32)
        return np.asarray(values + np.float32(self.static[source, target]))

    def mean(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Return the mean matrix over a mask or all pixels, shape (n, n)."""
        chosen = self.deviation if mask is None else self.deviation[mask]
        axes = tuple(range(chosen.ndim - 2))
        return np.asarray(self.static + chosen.mean(axis=axes, dtype=np.float64), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class MatrixField(Overlay):
    """A matrix a pixel, a layer and a site: how groups of bands talk to each other.

    Attributes
    ----------
    group_names : tuple of str
        The n streams, in order; row = source, column = target.
    entries : tuple of MatrixEntry
    history : MatrixHistory, optional
        The matrices while the network was trained.
    checkpoint : Checkpoint, optional
        The network that made them, while the program runs; it is not saved with them.
    """

    group_names: tuple[str, ...] = field(kw_only=True)
    entries: tuple[MatrixEntry, ...] = field(kw_only=True)
    history: MatrixHistory | None = field(default=None, kw_only=True)
    checkpoint: Checkpoint | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        n = len(self.group_names)
        if not self.entries or n == 0:
            raise BadInput(f"{self.title} holds no matrices.")
        for entry in self.entries:
            _need(entry.deviation, 4, self.title)
            fits = entry.deviation.shape == (*self.shape, n, n) and entry.static.shape == (n, n)
            for kept in entry.weights().values():
                fits = fits and kept.static.shape == (n,)
                fits = fits and kept.deviation.shape == (*self.shape, n)
            if not fits:
                raise BadInput(
                    f"{self.title}: the matrices of layer {entry.layer}, {entry.site}, "
                    f"do not fit its {n} groups."
                )

    def entry(self, layer: int, site: str) -> MatrixEntry:
        """Return the matrices of a layer and site."""
        for found in self.entries:
            if found.layer == layer and found.site == site:
                return found
        raise BadInput(f"{self.title} has no matrices for layer {layer}, {site}.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.entries[0].deviation.shape[:2]
        return int(rows), int(cols)


@dataclass(frozen=True, eq=False)
class ClusterBlock:
    """What one block of a clustered reader did with each pixel, kept small.

    Attributes
    ----------
    cluster : unsigned integer array of shape (rows, cols)
        The cluster a pixel belongs to, from 1; 0 where nothing was measured.
    certainty : float16 array of the same shape
        Membership in that cluster, 0 to 1; NaN where nothing was measured.
    rank : uint16 array of the same shape
        Place in its sequence, 0 first to 65535 last; finer than a float16 of that size.
    sequence : uint32 array of the same shape
        Number of the sequence it was read in, from 1; 0 where it was not read.
    score : float16 array of the same shape
        By which the pixels of a cluster were ordered, and the kept ones chosen.
    step : float16 array of the same shape
        Mean step size of the scan there: how much it took in; NaN where not read.
    clusters : int
        How many the network has; some may be empty here.
    fusion : (float, float)
        Weights of the spatial and the spectral branch; they add up to 1.
    temperature : float
        Of the memberships: small is decided, large is undecided.
    kept : float
        Part of the pixels the network was set to read, 0 to 1.
    moved : float
        Part of the pixels that were read in another cluster than their best, which was full.
    share : float
        Weight of the attention in the score, 0 to 1.
    attention, typical : float16 arrays of shape (rows, cols), optional
        The two parts of the score: what attention says, and membership.
    membership : float16 array of shape (rows / step, cols / step, clusters), optional
        Membership in every cluster, of every ``membership_step``-th row and column; they add
        up to 1, or to 0 where nothing was measured.
    membership_step : int
    """

    cluster: Array
    certainty: Array
    rank: Array
    sequence: Array
    score: Array
    step: Array
    clusters: int
    fusion: tuple[float, float]
    temperature: float
    kept: float = 1.0
    moved: float = 0.0
    share: float = 0.0
    attention: Array | None = None
    typical: Array | None = None
    membership: Array | None = None
    membership_step: int = 1

    def memberships(self, row: int, col: int) -> NDArray[np.float32] | None:
        """Return the memberships of a pixel, shape (clusters,): its own or, of a large scene,
        those of the nearest pixel up and left; None where they were not kept."""
        if self.membership is None:
            return None
        step = self.membership_step
        return np.asarray(self.membership[row // step, col // step], np.float32)

    def misfit(self, shape: tuple[int, int]) -> bool:
        """Tell whether the maps are not all of a shape (rows, cols), or of wrong kinds."""
        whole = (self.cluster, self.rank, self.sequence)
        planes = [*whole, self.certainty, self.score, self.step]
        planes += [a for a in (self.attention, self.typical) if a is not None]
        fits = all(a.shape == shape for a in planes) and self.clusters > 0
        fits = fits and all(np.issubdtype(a.dtype, np.unsignedinteger) for a in whole)
        fits = fits and len(self.fusion) == 2 and int(self.cluster.max()) <= self.clusters
        if self.membership is not None and self.membership_step > 0:
            small = tuple(-(-side // self.membership_step) for side in shape)
            fits = fits and self.membership.shape == (*small, self.clusters)
        return not fits or self.membership_step < 1


@dataclass(frozen=True, eq=False)
class ClusterField(Overlay):
    """How a clustered reader grouped and read the pixels, block by block.

    Clusters mean the same in all tiles of a scene, for their centres are the network's;
    sequences and ranks are those of the tile a pixel was read in.

    Attributes
    ----------
    blocks : tuple of ClusterBlock
    tiles : int
        In how many tiles the scene was read.
    training : mapping of str to tuple of float
        What the network said of itself in its training, an entry a step: losses of the
        clusters, temperatures, weights, by name and block.
    """

    blocks: tuple[ClusterBlock, ...] = field(kw_only=True)
    tiles: int = field(default=1, kw_only=True)
    training: Mapping[str, tuple[float, ...]] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if not self.blocks:
            raise BadInput(f"{self.title} holds no blocks.")
        for number, block in enumerate(self.blocks, 1):
            _need(block.cluster, 2, self.title)
            if block.misfit(self.shape):
                raise BadInput(f"{self.title}: the maps of block {number} do not fit each other.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.blocks[0].cluster.shape
        return int(rows), int(cols)


@dataclass(frozen=True, eq=False)
class Perimeter:
    """One outline with its islands.

    Attributes
    ----------
    exterior : float array of shape (points, 2)
        Row, col in scene pixels; whole numbers are pixel centres.
    holes : tuple of such arrays
    properties : mapping
        Heat class, review state, name …
    """

    exterior: Array
    holes: tuple[Array, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ring in (self.exterior, *self.holes):
            if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3:
                raise BadInput("An outline needs three or more points of row and column.")


@dataclass(frozen=True, eq=False)
class Perimeters(Overlay):
    """Outlines on the scene. ``draft`` until somebody verified them."""

    perimeters: tuple[Perimeter, ...] = field(kw_only=True)
    draft: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, eq=False)
class GraphOverlay(Overlay):
    """Points joined by lines.

    Attributes
    ----------
    nodes : float array of shape (nodes, 2)
        Row, col in scene pixels.
    edges : integer array of shape (edges, 2)
        Node numbers.
    node_names : tuple of str
    weights : float array of shape (edges,), optional
    """

    nodes: Array = field(kw_only=True)
    edges: Array = field(kw_only=True)
    node_names: tuple[str, ...] = field(default=(), kw_only=True)
    weights: Array | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        count = len(self.nodes)
        fits = self.nodes.shape == (count, 2) and self.edges.shape == (len(self.edges), 2)
        fits = fits and len(self.node_names) in (0, count)
        fits = fits and (self.weights is None or self.weights.shape == (len(self.edges),))
        if not fits or not np.issubdtype(self.edges.dtype, np.integer):
            raise BadInput(f"{self.title}: points, lines and names do not fit each other.")
        if self.edges.size and (self.edges.min() < 0 or self.edges.max() >= count):
            raise BadInput(f"{self.title}: a line leads to a point that is not there.")


def series_of(values: Any) -> dict[str, tuple[float, ...]]:
    """Return named series of numbers from a file; what is no such thing is left out."""
    if not isinstance(values, Mapping):
        return {}
    return {
        str(name): tuple(float(v) for v in series)
        for name, series in values.items()
        if isinstance(series, (list, tuple)) and all(isinstance(v, (int, float)) for v in series)
    }


def _need(array: Array, dimensions: int, title: str) -> None:
    if array.ndim != dimensions or 0 in array.shape:
        raise BadInput(f"{title}: expected {dimensions} dimensions, got shape {array.shape}.")
