"""A session with one of everything, and the script that keeps its file.

``python tests/backends/session_samples.py`` writes ``tests/data/sessions/v{n}.clearband`` and
the scene it speaks of for the version the program writes now. It was run once for each
version; a file that is there is never written again, it shows that old sessions open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from backends.bands import BandTable
from backends.composite import Recipe
from backends.measuring.lengths import Measurement, Size
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
    Provenance,
    ScoreMap,
)
from backends.regions import Outline, Region
from backends.scene import Scene
from backends.session import SessionState, collect_state
from backends.session_records import VERSION, LayerRecord, ViewRecord
from backends.spectra.library import read_library
from backends.workspace import Pin, Workspace

FOLDER = Path(__file__).resolve().parents[1] / "data" / "sessions"


def one_of_each(scene: Scene, version: int = VERSION) -> list[Overlay]:
    """Return an overlay of every kind that a version of the format knew."""
    rng = np.random.default_rng(7)
    rows, cols, _ = scene.shape
    made = Provenance(
        "es_mhc",
        "1",
        weights_digest="ab" * 32,
        parameters={"layers": np.int64(2), "rates": (0.1, 0.2), "where": Path("x")},
        scene_path="/data/field.dat",
        notes=("A note.",),
        figures={"overall_accuracy": 0.5, "kappa": float("nan"), "protocol": "P30"},
        seconds=1.5,
        command="clearband classify x",
        software={"clearband": "0.1.0"},
        created_utc="2026-11-23T00:00:00+00:00",
    )
    entry = MatrixEntry(
        1,
        "mixer",
        rng.random((3, 3), dtype=np.float32),
        rng.normal(size=(rows, cols, 3, 3)).astype(np.float16),
    )
    ring = np.array([[1.0, 1.0], [1.0, 6.0], [6.5, 6.0], [6.0, 1.0]])
    outline = Perimeter(ring, (ring / 2 + 1.5,), {"heat": "intense", "acres": 2.5})
    scores = rng.normal(size=(rows, cols)).astype(np.float32)
    scores[0, 0] = np.nan
    labels = rng.integers(0, 3, (rows, cols)).astype(np.uint8)
    overlays: list[Overlay] = [
        ClassMap(
            "Classes",
            scene.id,
            made,
            labels=labels,
            class_names={1: "Water", 2: "Größe µ"},
            confidence=rng.random((rows, cols), dtype=np.float32),
            id="map",
        ),
        ScoreMap("Score", scene.id, made, values=scores, unit="K", centre=0.0, id="score"),
        Heatmap(
            "Why",
            scene.id,
            made,
            values=scores[::2, ::2],
            target="Water",
            trust={"faithfulness": 0.8},
            placement=Placement(0.5, 0.5, 2.0, 2.0),
            partial=True,
            id="why",
        ),
        ConceptMaps(
            "Concepts",
            scene.id,
            made,
            values=rng.random((2, rows, cols), dtype=np.float32),
            names=("wet", "dry"),
            id="concepts",
        ),
        MatrixField(
            "Matrices",
            scene.id,
            made,
            group_names=("VIS", "NIR", "SWIR"),
            entries=(entry,),
            id="matrices",
        ),
        Perimeters("Fire", scene.id, made, perimeters=(outline, Perimeter(ring)), id="fire"),
        GraphOverlay(
            "Graph",
            scene.id,
            made,
            nodes=ring,
            edges=np.array([[0, 1], [2, 3]]),
            node_names=("a", "b", "c", "d"),
            weights=np.array([0.5, 1.5]),
            id="graph",
        ),
    ]
    if version >= 2:
        overlays.append(
            ClusterField(
                "Clusters", scene.id, made, blocks=(_cluster_block(rows, cols),), id="read"
            )
        )
    return overlays


def _cluster_block(rows: int, cols: int) -> ClusterBlock:
    rng = np.random.default_rng(11)
    shape = (rows, cols)
    return ClusterBlock(
        cluster=rng.integers(0, 2, shape).astype(np.uint8),
        certainty=rng.random(shape).astype(np.float16),
        rank=rng.permutation(rows * cols).reshape(shape).astype(np.uint16),
        sequence=np.ones(shape, np.uint32),
        score=rng.random(shape).astype(np.float16),
        step=rng.random(shape).astype(np.float16),
        clusters=2,
        fusion=(0.4, 0.6),
        temperature=0.5,
    )


def write_library(path: Path) -> Path:
    """Write a spectral library of two spectra."""
    path.write_text(
        "band,wavelength_nm,good,moss,clay\nb1,500,1,0.5,0.25\nb2,600,1,0.625,0.75\n",
        encoding="utf-8",
    )
    return path


def full_workspace(scenes: Iterable[Scene], library: Path | None = None) -> Workspace:
    """Return a workspace in which everything was used."""
    workspace = Workspace()
    for number, scene in enumerate(scenes):
        scene.with_info(bands=_with_bad_band(scene))
        workspace.add_scene(scene)
        if number > 0:
            continue
        for overlay in one_of_each(scene):
            workspace.add_overlay(overlay)
        why = workspace.overlays["why"]
        assert isinstance(why, Heatmap)
        for of_slice in (0, 3):  # as if it were a volume
            workspace.keep_slice_map(of_slice, replace(why, values=why.values + of_slice))
        ring = np.array([[2.0, 2.5], [2.0, 7.0], [8.0, 7.0]])
        hole, other = ring * 0.2 + 3, Outline(ring + 4, (ring * 0.1 + 6,))
        region = Region(
            "Field", scene.id, ring, 1, "region", (hole,), (other,), "Meadow", "#10A0F0"
        )
        workspace.add_region(region)
        workspace.add_pin(Pin(scene.id, 3, 4, "Pin 1", 2, "pin"))
        corners = np.array([[0.0, 0.0], [3.0, 4.0]])
        size = Size(5.0, None, 150.0, None, 127.5, "Geodesic.")
        workspace.add_measurement(
            Measurement("Line 1", scene.id, "distance", corners, size, 3, "measured")
        )
        labels = np.zeros(scene.shape[:2], np.uint8)
        labels[2:5] = 1
        workspace.set_labels(scene.id, labels, {1: "Water"}, source="truth.tif")
        workspace.run_log.add("Classify it", ("classify", "a b.dat", "--out", "it's"))
        workspace.activate_overlay("score")
        if library is not None:
            workspace.add_library(read_library(library))
            workspace.draw_library(0, (1,), 1e4)
    workspace.activate(next(iter(workspace.scenes)))
    return workspace


def _with_bad_band(scene: Scene) -> BandTable:
    return replace(scene.bands, good=(False, *scene.bands.good[1:]))


def full_state(workspace: Workspace) -> SessionState:
    """Return the state of that workspace with a view and recipes."""
    first = next(iter(workspace.scenes))
    recipe = Recipe("cir", "Colour infrared", (3, 2, 1), "minmax", limits=((0.0, 1.5),) * 3)
    view = ViewRecord(
        center=[0.0, 90.0, 60.0],
        zoom=2.5,
        angles=[0.0, 0.0, 90.0],
        step=[3],
        layers={"map": LayerRecord(visible=False, opacity=0.25)},
    )
    return collect_state(workspace, recipes={first: recipe}, view=view, workbench="fire")


def main() -> None:
    """Write the sample of the version the program writes now, unless it is there."""
    from backends.io import open_scene
    from backends.io.envi_header import write_header
    from backends.session import save_session

    path = FOLDER / f"v{VERSION}.clearband"
    if path.exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    cube = np.random.default_rng(0).integers(0, 4000, (4, 12, 10)).astype("<u2")
    data = FOLDER / "field.dat"
    data.write_bytes(cube.tobytes())
    entries = {
        "samples": 10,
        "lines": 12,
        "bands": 4,
        "data type": 12,
        "interleave": "bsq",
        "byte order": 0,
        "wavelength units": "Nanometers",
        "wavelength": [460.0, 550.0, 650.0, 860.0],
    }
    data.with_suffix(".hdr").write_text(write_header(entries))
    library = write_library(FOLDER / "rocks.csv")
    with open_scene(data) as scene:
        state = full_state(full_workspace([scene], library))
        # Found beside the session, wherever both lie.
        refs = [replace(ref, path=Path("/data/field.dat")) for ref in state.scenes]
        books = [replace(ref, path=Path("/data/rocks.csv")) for ref in state.libraries]
        save_session(replace(state, scenes=tuple(refs), libraries=tuple(books)), path)


if __name__ == "__main__":
    main()
