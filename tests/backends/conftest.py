"""A small placed scene and one overlay of each kind, for writers, exports, sessions and state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.bands import BandTable
from backends.georeference import GeoReference
from backends.io.envi_header import write_header
from backends.jobs import Progress
from backends.matrix_history import MatrixHistory, MatrixSnapshot
from backends.overlays import (
    ClassMap,
    ConceptMaps,
    Heatmap,
    MatrixEntry,
    MatrixField,
    Placement,
    Provenance,
    ScoreMap,
    StreamWeights,
)
from backends.scene import ArraySource, Scene, SceneInfo

UTM = GeoReference((30.0, 0.0, 500_000.0, 0.0, -30.0, 5_000_000.0), "EPSG:32633")


@pytest.fixture
def scene() -> Scene:
    cube = np.random.default_rng(1).integers(0, 4000, (48, 36, 5)).astype(np.uint16)
    bands = BandTable.build(5, wavelength_nm=(460, 550, 650, 860, 2200))
    info = SceneInfo(None, "hyperspectral", bands, place=UTM, title="Field <1> & more")
    return Scene(ArraySource(cube), info)


@pytest.fixture
def provenance() -> Provenance:
    return Provenance(
        "svm",
        "1",
        parameters={"C": 10.0},
        scene_path="/data/field.dat",
        command="clearband classify field.dat --model svm --out results",
        notes=("Trained on <50> labels & hope.",),
        figures={
            "overall_accuracy": 0.875,
            "average_accuracy": 0.8,
            "kappa": 0.7,
            "protocol": "P10",
            "classes": [
                {"value": 1, "name": "Water", "pixels": 4, "producer_accuracy": 1.0},
                {"value": 3, "name": "Tree, tall", "pixels": 4, "producer_accuracy": 0.75},
            ],
            "confusion": [[4, 0, 0], [1, 3, 0]],
        },
    )


@pytest.fixture
def class_map(scene: Scene, provenance: Provenance) -> ClassMap:
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 3], (48, 36)).astype(np.int64)
    sure = rng.random((48, 36), dtype=np.float32)
    names = {1: "Water", 3: "Tree, tall {µ} <b>"}
    return ClassMap(
        "Classes & more", scene.id, provenance, labels=labels, class_names=names, confidence=sure
    )


@pytest.fixture
def score(scene: Scene, provenance: Provenance) -> ScoreMap:
    values = np.linspace(-1, 1, 48 * 36, dtype=np.float32).reshape(48, 36)
    values[0, 0] = np.nan
    return ScoreMap("NDVI", scene.id, provenance, values=values, unit="ratio")


@pytest.fixture
def heatmap(scene: Scene, provenance: Provenance) -> Heatmap:
    values = np.random.default_rng(2).normal(size=(48, 36)).astype(np.float32)
    return Heatmap("Why", scene.id, provenance, values=values, centre=0.0, target="Water")


@pytest.fixture
def concepts(scene: Scene, provenance: Provenance) -> ConceptMaps:
    values = np.random.default_rng(3).random((2, 48, 36), dtype=np.float32)
    return ConceptMaps("Concepts", scene.id, provenance, values=values, names=("wet", "green"))


@pytest.fixture
def matrices(scene: Scene, provenance: Provenance) -> MatrixField:
    rng = np.random.default_rng(4)
    entries = tuple(
        MatrixEntry(
            layer,
            site,
            rng.random((3, 3), dtype=np.float32),
            rng.normal(size=(48, 36, 3, 3)).astype(np.float16),
            *(
                StreamWeights(
                    rng.random(3, dtype=np.float32),
                    rng.normal(size=(48, 36, 3)).astype(np.float16),
                )
                for _ in range(2)
            ),
        )
        for layer in (1, 2)
        for site in ("mixer", "ffn")
    )
    coarse = tuple(
        replace(
            entry,
            deviation=entry.deviation[::4, ::4],
            read=replace(entry.read, deviation=entry.read.deviation[::4, ::4]),
            write=replace(entry.write, deviation=entry.write.deviation[::4, ::4]),
        )
        for entry in entries
        if entry.read is not None and entry.write is not None
    )
    snapshots = tuple(MatrixSnapshot(step, coarse) for step in (1, 40))
    history = MatrixHistory(snapshots, Placement(row_step=4.0, col_step=4.0))
    groups = ("VIS", "NIR", "SWIR µ")
    return MatrixField(
        "Matrices", scene.id, provenance, group_names=groups, entries=entries, history=history
    )


class _Stopping(Progress):
    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def advance(self, n: float = 1.0) -> None:
        self.left -= 1
        if self.left <= 0:
            self.token.cancel()
        super().advance(n)


@pytest.fixture
def cancel_after() -> Callable[[int], Progress]:
    """Return what makes a `Progress` that is cancelled at its n-th step."""
    return _Stopping


@pytest.fixture
def scene_file() -> Callable[..., Path]:
    """Return what writes a small ENVI scene and gives its path."""

    def write(path: Path, *, seed: int = 0, shape: tuple[int, int, int] = (12, 10, 4)) -> Path:
        rows, cols, bands = shape
        cube = np.random.default_rng(seed).integers(0, 4000, (bands, rows, cols))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cube.astype("<u2").tobytes())
        entries = {
            "samples": cols,
            "lines": rows,
            "bands": bands,
            "data type": 12,
            "interleave": "bsq",
            "byte order": 0,
            "wavelength units": "Nanometers",
            "wavelength": [460.0, 550.0, 650.0, 860.0][:bands],
            "map info": ["UTM", 1, 1, 5e5, 5e6, 30.0, 30.0, 33, "North", "WGS-84"],
        }
        path.with_suffix(".hdr").write_text(write_header(entries))
        return path

    return write
