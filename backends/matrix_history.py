"""The matrices of a network at several steps of its training, and the structure they show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.matrix_analysis import depth_view, in_order, mean_matrix, structure
from backends.overlays import MatrixEntry, MatrixField, Placement, StreamWeights

if TYPE_CHECKING:
    from backends.jobs import Progress


@dataclass(frozen=True, eq=False)
class MatrixSnapshot:
    """Every site's matrices after one step.

    Attributes
    ----------
    step : int
    entries : tuple of MatrixEntry
        On a coarse grid of the scene.
    """

    step: int
    entries: tuple[MatrixEntry, ...]


@dataclass(frozen=True, eq=False)
class MatrixHistory:
    """Snapshots in the order of their steps.

    Attributes
    ----------
    snapshots : tuple of MatrixSnapshot
    placement : Placement
        Of the grid on the scene.
    """

    snapshots: tuple[MatrixSnapshot, ...]
    placement: Placement

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps of the training."""
        return tuple(snapshot.step for snapshot in self.snapshots)

    def field(self, number: int, like: MatrixField) -> MatrixField:
        """Return one snapshot as a matrix field of its own."""
        chosen = self.snapshots[number]
        return MatrixField(
            f"{like.title}, step {chosen.step}",
            like.scene_id,
            like.provenance,
            group_names=like.group_names,
            entries=chosen.entries,
            placement=self.placement,
            id=f"{like.id}-step{chosen.step}",
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return named arrays, ready for NPZ: ``history_steps``, ``history_placement`` and,
        for each site, ``history_layer{l}_{site}_static`` (steps, n, n) and ``..._deviation``
        (steps, rows, cols, n, n); with ``..._read_...`` and ``..._write_...`` in between what
        it reads and writes (no last n)."""
        place = self.placement
        out: dict[str, NDArray[Any]] = {
            "history_steps": np.array(self.steps, np.int64),
            "history_placement": np.array(
                [place.row, place.col, place.row_step, place.col_step], np.float64
            ),
        }
        for number, entry in enumerate(self.snapshots[0].entries):
            at = [snapshot.entries[number] for snapshot in self.snapshots]
            key = f"history_layer{entry.layer}_{entry.site}"
            out[f"{key}_static"] = np.stack([e.static for e in at])
            out[f"{key}_deviation"] = np.stack([e.deviation for e in at])
            for name in entry.weights():
                weights = [e.weights()[name] for e in at]
                out[f"{key}_{name}_static"] = np.stack([w.static for w in weights])
                out[f"{key}_{name}_deviation"] = np.stack([w.deviation for w in weights])
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> MatrixHistory | None:
        """Return what `arrays` made; None where nothing of it is there.

        Raises
        ------
        BadInput
            The arrays do not fit each other.
        """
        if "history_steps" not in arrays:
            return None
        try:
            steps = [int(step) for step in arrays["history_steps"].ravel()]
            place = Placement(*(float(v) for v in arrays["history_placement"].ravel()))
            sites = [found for key in arrays if (found := _SITE.fullmatch(key)) is not None]
            snapshots = []
            for number, step in enumerate(steps):
                entries = []
                for found in sites:
                    key = f"history_layer{found['layer']}_{found['site']}"
                    weights = [
                        StreamWeights(
                            arrays[f"{key}_{name}_static"][number],
                            arrays[f"{key}_{name}_deviation"][number],
                        )
                        if f"{key}_{name}_static" in arrays
                        else None
                        for name in ("read", "write")
                    ]
                    static = arrays[f"{key}_static"][number]
                    deviation = arrays[f"{key}_deviation"][number]
                    if deviation.shape[2:] != static.shape or static.ndim != 2:
                        raise ValueError("shapes")
                    entries.append(
                        MatrixEntry(int(found["layer"]), found["site"], static, deviation, *weights)
                    )
                snapshots.append(MatrixSnapshot(step, tuple(in_order(entries))))
            if not snapshots or not sites or place.row_step <= 0 or place.col_step <= 0:
                raise ValueError("nothing")
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise BadInput(
                "The matrices kept while training are damaged.", details=repr(error)
            ) from error
        return cls(tuple(snapshots), place)


_SITE = re.compile(r"history_layer(?P<layer>\d{1,5})_(?P<site>mixer|ffn)_static")


@dataclass(frozen=True)
class StructureCurve:
    """How structure comes over a training; one number a snapshot.

    Attributes
    ----------
    steps : tuple of int
    sites : tuple of (layer, site)
    spread : tuple of tuples of float
        For each site: root of the mean variance of the maps over pixels (absolute units).
    moran : tuple of tuples of float
        For each site: mean Moran's I of the maps.
    retention : tuple of float
        What is left of the streams after the last site, mean matrices, 0 to 1.
    """

    steps: tuple[int, ...]
    sites: tuple[tuple[int, str], ...]
    spread: tuple[tuple[float, ...], ...]
    moran: tuple[tuple[float, ...], ...]
    retention: tuple[float, ...]

    def mean(self, what: str = "spread") -> tuple[float, ...]:
        """Return ``"spread"`` or ``"moran"`` of each snapshot, mean over the sites."""
        return tuple(float(np.mean(at)) for at in zip(*getattr(self, what), strict=True))

    @property
    def half_step(self) -> float:
        """The step by which the spread (mean over sites) has risen half of its way, for good.

        Between two snapshots a straight line; how early structure comes, whatever its size and
        whatever was there at the start. The first step where it does not rise.
        """
        values, steps = self.mean(), self.steps
        half = (values[0] + values[-1]) / 2
        for number in range(len(values) - 1, 0, -1):
            before, after = values[number - 1], values[number]
            if before < half <= after:
                part = (half - before) / (after - before)
                return steps[number - 1] + part * (steps[number] - steps[number - 1])
        return float(steps[0])

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StructureCurve:
        """Return what `to_dict` made.

        Raises
        ------
        BadInput
            It is something else.
        """
        try:
            sites = list(values["sites"])
            found = cls(
                tuple(int(step) for step in values["steps"]),
                tuple((int(site["layer"]), str(site["site"])) for site in sites),
                tuple(tuple(float(v) for v in site["spread"]) for site in sites),
                tuple(tuple(float(v) for v in site["morans_i"]) for site in sites),
                tuple(float(v) for v in values["retention"]),
            )
            count = len(found.steps)
            lines = (*found.spread, *found.moran, found.retention)
            if count == 0 or not sites or any(len(line) != count for line in lines):
                raise ValueError("lengths")
        except (KeyError, ValueError, TypeError) as error:
            raise BadInput(
                "That holds no structure over a training.", details=repr(error)
            ) from error
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        sites: list[Mapping[str, Any]] = [
            {"layer": layer, "site": site, "spread": list(spread), "morans_i": list(moran)}
            for (layer, site), spread, moran in zip(
                self.sites, self.spread, self.moran, strict=True
            )
        ]
        return {"steps": list(self.steps), "sites": sites, "retention": list(self.retention)}


def structure_curve(history: MatrixHistory, progress: Progress | None = None) -> StructureCurve:
    """Measure every snapshot."""
    sites = tuple((e.layer, e.site) for e in history.snapshots[0].entries)
    scores: list[list[tuple[float, float]]] = []
    retention = []
    for snapshot in history.snapshots:
        scores.append([structure(e.deviation, progress).score for e in snapshot.entries])
        ordered = in_order(snapshot.entries)
        means = np.stack([mean_matrix(e, progress=progress) for e in ordered])
        view = depth_view([(e.layer, e.site) for e in ordered], means)
        retention.append(float(view.retention[-1]))
    by_site = list(zip(*scores, strict=True))
    return StructureCurve(
        history.steps,
        sites,
        tuple(tuple(float(np.sqrt(v)) for v, _ in one) for one in by_site),
        tuple(tuple(moran for _, moran in one) for one in by_site),
        tuple(retention),
    )
