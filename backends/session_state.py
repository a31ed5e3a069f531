"""What a session keeps, gathered from a workspace: cheap, nothing read or copied."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backends.composite import Recipe
from backends.measuring.lengths import Measurement
from backends.overlays import Heatmap, Overlay
from backends.regions import Region
from backends.runlog import LogLine
from backends.scene import Scene
from backends.session_records import ViewRecord
from backends.workspace import LabelSheet, Pin, Workspace


@dataclass(frozen=True, eq=False)
class SceneRef:
    """A scene by reference.

    Attributes
    ----------
    id : str
        `Scene.id` at the time of saving; overlays speak of it.
    path : Path
        Absolute.
    relative : str
        As seen from the session's folder; empty where unknown.
    digest : str
        `Scene.digest`; empty where unknown.
    kind : str
        `SceneInfo.kind`; samples are given another than their reader says.
    good : tuple of bool
        Bands not marked bad.
    recipe : Recipe or None
        How it was shown.
    live : Scene or None
        The open scene, while it is being saved.
    """

    id: str
    title: str
    path: Path
    shape: tuple[int, int, int]
    reader: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    relative: str = ""
    kind: str = ""
    good: tuple[bool, ...] = ()
    recipe: Recipe | None = None
    live: Scene | None = None


@dataclass(frozen=True)
class LibraryRef:
    """A spectral library by reference.

    Attributes
    ----------
    path, relative, digest
        As for `SceneRef`.
    shown : tuple of int
        Numbers of the spectra that were drawn, times ``scale``.
    """

    title: str
    path: Path
    relative: str = ""
    digest: str = ""
    shown: tuple[int, ...] = ()
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class SessionState:
    """Everything a session keeps.

    Attributes
    ----------
    slice_maps : tuple of (number, Heatmap)
        Of volumes: the heatmap of each slice, from 0, under the id of the overlay shown.
    notes : tuple of str
        What could not be kept, one sentence each.
    """

    scenes: tuple[SceneRef, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    slice_maps: tuple[tuple[int, Heatmap], ...] = ()
    regions: tuple[Region, ...] = ()
    pins: tuple[Pin, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    labels: tuple[LabelSheet, ...] = ()
    libraries: tuple[LibraryRef, ...] = ()
    view: ViewRecord = field(default_factory=ViewRecord)
    workbench: str = ""
    active_scene: str | None = None
    active_overlay: str | None = None
    run_log: tuple[LogLine, ...] = ()
    notes: tuple[str, ...] = ()

    def only(self, scene_ids: Iterable[str]) -> SessionState:
        """Return the part that belongs to some scenes; libraries belong to none."""
        keep = set(scene_ids)
        return replace(
            self,
            scenes=tuple(s for s in self.scenes if s.id in keep),
            overlays=tuple(o for o in self.overlays if o.scene_id in keep),
            slice_maps=tuple(pair for pair in self.slice_maps if pair[1].scene_id in keep),
            regions=tuple(r for r in self.regions if r.scene_id in keep),
            pins=tuple(p for p in self.pins if p.scene_id in keep),
            measurements=tuple(m for m in self.measurements if m.scene_id in keep),
            labels=tuple(s for s in self.labels if s.scene_id in keep),
        )


def collect_state(
    workspace: Workspace,
    *,
    recipes: Mapping[str, Recipe] | None = None,
    view: ViewRecord | None = None,
    workbench: str = "",
    absent: SessionState | None = None,
) -> SessionState:
    """Return what is open now. Cheap: nothing is read or copied.

    Parameters
    ----------
    recipes : mapping of scene id to Recipe, optional
    absent : SessionState, optional
        What an opened session held for scenes that were not there; it is kept.
    """
    refs, notes = [], []
    for scene in workspace.scenes.values():
        if scene.info.path is None:
            notes.append(f"{scene.title} is in no file and is not part of the session.")
            continue
        refs.append(
            SceneRef(
                scene.id,
                scene.title,
                Path(os.path.abspath(scene.info.path)),
                scene.shape,
                scene.info.reader,
                dict(scene.info.options),
                kind=scene.info.kind,
                good=scene.bands.good,
                recipe=(recipes or {}).get(scene.id),
                live=scene,
            )
        )
    libraries = []
    for opened in workspace.libraries:
        library = opened.library
        if library.path is None:
            notes.append(f"{library.title} is in no file and is not part of the session.")
            continue
        path = Path(os.path.abspath(library.path))
        libraries.append(
            LibraryRef(library.title, path, "", library.digest, opened.shown, opened.scale)
        )
    active, overlay = workspace.active_scene, workspace.active_overlay
    state = SessionState(
        scenes=tuple(refs),
        overlays=tuple(workspace.overlays.values()),
        slice_maps=tuple(
            pair for each in workspace.slice_maps.values() for pair in sorted(each.items())
        ),
        regions=tuple(workspace.regions.values()),
        pins=tuple(workspace.pins.values()),
        measurements=tuple(workspace.measurements.values()),
        labels=tuple(workspace.labels.values()),
        libraries=tuple(libraries),
        view=view or ViewRecord(),
        workbench=workbench,
        run_log=tuple(workspace.run_log.lines),
        notes=tuple(notes),
    ).only(ref.id for ref in refs)
    known = {ref.id for ref in refs}
    state = replace(
        state,
        active_scene=active.id if active and active.id in known else None,
        active_overlay=overlay.id if overlay and overlay.scene_id in known else None,
    )
    return state if absent is None else _joined(state, absent)


def _joined(state: SessionState, absent: SessionState) -> SessionState:
    return replace(
        state,
        scenes=state.scenes + absent.scenes,
        overlays=state.overlays + absent.overlays,
        slice_maps=state.slice_maps + absent.slice_maps,
        regions=state.regions + absent.regions,
        pins=state.pins + absent.pins,
        measurements=state.measurements + absent.measurements,
        labels=state.labels + absent.labels,
        libraries=state.libraries + absent.libraries,
    )
