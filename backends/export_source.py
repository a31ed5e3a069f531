"""Where a command line finds the result that the window shows: the other half of a run log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from backends.overlays import ClassMap, ClusterField, MatrixField, Overlay
from backends.runlog import LogLine
from backends.scene import Scene

# What `backends.hyperspectral.classify.write_results` calls its files.
_FILES: dict[type[Overlay], str] = {
    ClassMap: "class_map.tif",
    MatrixField: "matrices.npz",
    ClusterField: "clusters.npz",
}


def replay_source(
    overlay: Overlay | None,
    scene: Scene,
    lines: Iterable[LogLine],
    session: str | Path | None = None,
) -> Path | None:
    """Return the file that holds a result once the lines of a log have been run.

    The folder of the line that made it, else the session it was saved in; None where
    neither is known, and an export then cannot be repeated from the log.

    Parameters
    ----------
    overlay : Overlay or None
        None for what belongs to the scene itself (spectra).
    lines : iterable of LogLine
        The run log, oldest first.
    session : str or Path, optional
        The saved session.
    """
    name = next((n for kind, n in _FILES.items() if isinstance(overlay, kind)), None)
    if overlay is not None and name is not None and scene.info.path is not None:
        made = overlay.provenance
        for line in lines:
            words = list(line.command)
            if words[:2] != ["classify", str(scene.info.path)]:
                continue
            if _value(words, "--model") != made.method or line.when_utc < made.created_utc:
                continue
            folder = _value(words, "--out")
            return None if folder is None else Path(folder) / name
    return None if session is None else Path(session)


def _value(words: list[str], option: str) -> str | None:
    """Return what follows an option."""
    if option in words[:-1]:
        return words[words.index(option) + 1]
    return None
