"""A session back into a workspace: what can be opened is opened, what is missing is said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Any

from backends.composite import Recipe
from backends.errors import BadInput, ClearbandError
from backends.io import open_scene
from backends.jobs import Progress
from backends.scene import Scene
from backends.session import LibraryRef, SceneRef, SessionState
from backends.workspace import LabelSheet, OpenLibrary, Workspace


@dataclass(frozen=True, eq=False)
class Opened:
    """A session whose scenes were looked for.

    Attributes
    ----------
    state : SessionState
        All of the session.
    scenes : mapping of str to Scene
        By the id the session knows them by; those that could not be opened are not in it.
    changed : frozenset of str
        Ids of scenes that have another size now: nothing can be laid over them.
    notes : tuple of str
        What is missing or was changed, one sentence each.
    libraries : tuple of OpenLibrary
    missing_libraries : tuple of LibraryRef
        Those that could not be opened.
    """

    state: SessionState
    scenes: Mapping[str, Scene]
    changed: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    libraries: tuple[OpenLibrary, ...] = ()
    missing_libraries: tuple[LibraryRef, ...] = ()

    def close(self) -> None:
        """Let go of the scenes: the session is not wanted after all."""
        for scene in self.scenes.values():
            scene.close()


@dataclass(frozen=True, eq=False)
class Restored:
    """What came of putting a session into a workspace.

    Attributes
    ----------
    ids : mapping of str to str
        Id of a scene in the session to its id now.
    recipes : mapping of str to Recipe
        How each scene was shown, by its id now.
    absent : SessionState
        What belongs to scenes that are not there, and libraries that are not; hand it to
        `collect_state`, so that saving again does not lose it.
    """

    ids: Mapping[str, str]
    recipes: Mapping[str, Recipe]
    absent: SessionState
    notes: tuple[str, ...] = field(default=())


def open_scenes(
    state: SessionState, session_path: str | Path, *, progress: Progress | None = None
) -> Opened:
    """Open the scenes and libraries of a session: beside it first, then where they were.

    Nothing that is missing stops the rest.
    """
    scenes: dict[str, Scene] = {}
    changed: set[str] = set()
    notes: list[str] = []
    folder = Path(session_path).expanduser().resolve().parent
    libraries: list[OpenLibrary] = []
    missing: list[LibraryRef] = []
    if progress is not None:
        progress.start(len(state.scenes), "scenes", "Opening scenes")
    try:
        for ref in state.scenes:
            scene, note = _open(ref, folder)
            if note:
                notes.append(note)
            if scene is not None:
                scenes[ref.id] = scene
                if scene.shape != ref.shape:
                    changed.add(ref.id)
            if progress is not None:
                progress.advance()
        for wanted in state.libraries:
            if progress is not None:
                progress.check()
            opened, note = _open_library(wanted, folder)
            notes += [note] if note else []
            if opened is None:
                missing.append(wanted)
            else:
                libraries.append(opened)
    except BaseException:
        for scene in scenes.values():
            scene.close()
        raise
    return Opened(state, scenes, frozenset(changed), tuple(notes), tuple(libraries), tuple(missing))


def restore(opened: Opened, workspace: Workspace) -> Restored:
    """Put a session into a workspace in place of what is open there.

    Scenes get new ids, so that a late answer to an old question never lands on them.
    """
    state = opened.state
    for scene_id in list(workspace.scenes):
        workspace.remove_scene(scene_id)
    workspace.commands.clear()
    ids: dict[str, str] = {}
    recipes: dict[str, Recipe] = {}
    for ref in state.scenes:
        scene = opened.scenes.get(ref.id)
        if scene is None:
            continue
        ids[ref.id] = scene.id
        scene.with_info(title=ref.title, kind=ref.kind or scene.info.kind)
        if len(ref.good) == len(scene.bands):
            scene.with_info(bands=replace(scene.bands, good=ref.good))
        if ref.recipe is not None and max(ref.recipe.bands) < scene.shape[2]:
            recipes[scene.id] = ref.recipe
        workspace.add_scene(scene, activate=False)
    fitting = {old: new for old, new in ids.items() if old not in opened.changed}
    for sheet in state.labels:
        if sheet.scene_id in fitting:
            new = fitting[sheet.scene_id]
            names = dict(sheet.class_names)
            workspace.labels[new] = LabelSheet(new, sheet.values, names, sheet.source)
            workspace.labels_changed.emit(new)
    for region in state.regions:
        if region.scene_id in fitting:
            moved = replace(region, scene_id=fitting[region.scene_id])
            workspace.regions[moved.id] = moved
    for pin in state.pins:
        if pin.scene_id in fitting:
            rows, cols, _ = workspace.scenes[fitting[pin.scene_id]].shape
            if pin.row < rows and pin.col < cols:
                workspace.pins[pin.id] = replace(pin, scene_id=fitting[pin.scene_id])
    for measured in state.measurements:
        if measured.scene_id in fitting:
            moved_one = replace(measured, scene_id=fitting[measured.scene_id])
            workspace.measurements[moved_one.id] = moved_one
    workspace.regions_changed.emit()
    workspace.pins_changed.emit()
    workspace.measurements_changed.emit()
    for overlay in state.overlays:
        if overlay.scene_id in fitting:
            workspace.add_overlay(replace(overlay, scene_id=fitting[overlay.scene_id]))
    for number, heatmap in state.slice_maps:
        if heatmap.scene_id in fitting:
            moved_map = replace(heatmap, scene_id=fitting[heatmap.scene_id])
            workspace.keep_slice_map(number, moved_map)
    workspace.set_libraries(opened.libraries)
    workspace.run_log.replace(state.run_log)
    active = ids.get(state.active_scene or "") or next(iter(ids.values()), None)
    workspace.activate(active)
    if state.active_overlay in workspace.overlays:
        workspace.activate_overlay(state.active_overlay)
    lost = [ref.id for ref in state.scenes if ref.id not in fitting]
    absent = replace(state.only(lost), libraries=opened.missing_libraries)
    return Restored(ids, recipes, absent, opened.notes)


def _open(ref: SceneRef, folder: Path) -> tuple[Scene | None, str]:
    """Return the scene and, where something is not as it was, a sentence."""
    places = _places(ref, folder)
    other: Scene | None = None
    problem: ClearbandError | None = None
    for place in places:
        try:
            scene = open_scene(place, _options(ref.options), reader=ref.reader or None)
            same = not ref.digest or scene.digest == ref.digest
        except ClearbandError as error:
            problem = problem or error
            continue
        except OSError as error:
            problem = problem or BadInput(f"{place.name} cannot be read.", details=repr(error))
            continue
        if same:
            if other is not None:
                other.close()
            return scene, ""
        if other is None:
            other = scene
        else:
            scene.close()
    if other is not None:
        if other.shape != ref.shape:
            return other, (
                f"{ref.title} has another size than when the session was saved; "
                "its maps, regions and labels are set aside."
            )
        return other, (
            f"{ref.title} was changed since the session was saved; "
            "what was made from it may no longer fit."
        )
    if problem is not None:
        return None, f"{ref.title} could not be opened: {problem}"
    return None, f"{ref.title} is missing: it is neither at {ref.path} nor beside the session."


def _open_library(ref: LibraryRef, folder: Path) -> tuple[OpenLibrary | None, str]:
    """Return the library and, where something is not as it was, a sentence."""
    from backends.spectra.library import read_library

    problem: ClearbandError | None = None
    other: OpenLibrary | None = None
    for place in _places(ref, folder):
        try:
            library = read_library(place)
        except ClearbandError as error:
            problem = problem or error
            continue
        shown = tuple(n for n in ref.shown if n < len(library.names))
        found = OpenLibrary(library, shown, ref.scale)
        if not ref.digest or library.digest == ref.digest:
            return found, ""
        other = other or found
    if other is not None:
        return other, (
            f"The spectral library {ref.title} was changed since the session was saved; "
            "its spectra may be others now."
        )
    if problem is not None:
        return None, f"The spectral library {ref.title} could not be opened: {problem}"
    return None, (
        f"The spectral library {ref.title} is missing: it is neither at {ref.path} "
        "nor beside the session."
    )


def _places(ref: SceneRef | LibraryRef, folder: Path) -> list[Path]:
    """Return where a file lies, likeliest first; only what is there now."""
    candidates = []
    if ref.relative and not Path(ref.relative).is_absolute():
        candidates.append(folder / ref.relative)
    # A session may come from another system: its path then is one long word here.
    name = PureWindowsPath(str(ref.path)).name
    candidates += [folder / name, ref.path]
    found: list[Path] = []
    for candidate in candidates:
        path = Path(os.path.abspath(candidate))
        if _is_foreign(path, folder) or path in found:
            continue
        try:
            # Pipes and devices never end; only files and folders are scenes.
            if path.is_file() or path.is_dir():
                found.append(path)
        except (OSError, ValueError):
            continue
    return found


def _is_foreign(path: Path, folder: Path) -> bool:
    """Tell whether a path leads to another computer than the session's own folder.

    A session from a stranger must not make this machine log in somewhere.
    """
    text = str(path)
    if not text.startswith(("\\\\", "//")):
        return False
    return PureWindowsPath(text).drive.lower() != PureWindowsPath(str(folder)).drive.lower()


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return open options with lists as the tuples they were."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
