"""What takes longer than a frame: files read and written, regions found, their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6 import sip
from PyQt6.QtWidgets import QWidget

from backends.errors import ClearbandError
from backends.jobs import Job, JobHandle, Progress
from backends.regions import Region
from backends.scene import Scene
from backends.workspace import Workspace

if TYPE_CHECKING:
    from backends.io.annotations import Annotations
    from backends.spectra.region_figures import AreaFigures
    from backends.spectra.region_making import Wand

Told = Callable[[str], None]


def open_areas(
    workspace: Workspace, scene: Scene, path: Path, options: Mapping[str, Any], said: Told
) -> JobHandle[Annotations]:
    """Add the areas of a file to a scene, in one step that can be undone."""

    def run(progress: Progress) -> Annotations:
        from backends.io.areas import read_areas

        return read_areas(path, scene, options, progress)

    def show(found: Annotations) -> None:
        add_all(workspace, found.regions, f"Open {path.name}")
        said(found.sentence(path.name))

    job = Job(f"Open {path.name}", run, scene_id=scene.id, topic="annotations")
    return workspace.submit(job, on_result=show)


def save_areas(
    workspace: Workspace, scene: Scene, regions: Sequence[Region], path: Path, said: Told
) -> JobHandle[list[Path]]:
    """Write regions; the suffix says as what."""

    def run(progress: Progress) -> list[Path]:
        from backends.io.writers.regions import write_regions

        return write_regions(scene, regions, path, progress=progress)

    def show(written: list[Path]) -> None:
        names = " and ".join(file.name for file in written)
        said(f"{len(regions):,} area{'' if len(regions) == 1 else 's'} written to {names}.")

    job = Job(f"Write {path.name}", run, scene_id=scene.id)
    return workspace.submit(job, on_result=show)


def touch(
    workspace: Workspace, scene: Scene, at: tuple[int, int], wand: Wand, said: Told
) -> JobHandle[list[Region]]:
    """Make a region of what is like a pixel."""
    name = free_name(workspace)
    options = ["--wand", f"{at[0]},{at[1]}", "--tolerance", f"{wand.tolerance:g}"]
    options += ["--measure", wand.measure] if wand.measure != "angle" else []
    options += [] if wand.connected else ["--anywhere"]

    def run(progress: Progress) -> list[Region]:
        from backends.spectra.region_making import regions_of_mask, wand_mask

        mask = wand_mask(scene, *at, wand, progress=progress)
        return regions_of_mask(mask, scene.id, name, progress=progress)

    return _find(workspace, scene, f"Take {name}", run, said, [*options, "--name", name])


def threshold(
    workspace: Workspace,
    scene: Scene,
    mask_of: Callable[[Progress], Any],
    formula: str,
    least_pixels: int,
    each: bool,
    said: Told,
) -> JobHandle[list[Region]]:
    """Make a region of the pixels of a mask.

    Parameters
    ----------
    formula : str
        What the command line finds the same pixels by; empty where it cannot.
    """
    name = free_name(workspace)

    def run(progress: Progress) -> list[Region]:
        from backends.spectra.region_making import regions_of_mask

        return regions_of_mask(
            mask_of(progress), scene.id, name, least_pixels=least_pixels, each=each,
            progress=progress,
        )  # fmt: skip

    options = ["--where", formula, "--least", str(least_pixels), "--name", name] if formula else []
    options += ["--each"] if formula and each else []
    return _find(workspace, scene, f"Find {name}", run, said, options)


def _find(
    workspace: Workspace,
    scene: Scene,
    title: str,
    run: Callable[[Progress], list[Region]],
    said: Told,
    options: list[str],
) -> JobHandle[list[Region]]:
    def show(found: list[Region]) -> None:
        pieces = sum(len(region.outlines) for region in found)
        add_all(workspace, found, title)
        what = f"{len(found):,} regions" if len(found) > 1 else found[0].name
        said(f"{what}: {pieces:,} piece{'' if pieces == 1 else 's'}.")

    command: tuple[str, ...] = ()
    if scene.info.path is not None and options:
        words = ["spectra", "areas", str(scene.info.path), *options]
        for key, value in scene.info.options.items():
            words += ["--option", f"{key}={value}"]
        command = (*words, "--out", _file(workspace, scene))
    job = Job(title, run, scene_id=scene.id, topic="find regions", command=command)
    return workspace.submit(job, on_result=show)


def figures(
    workspace: Workspace,
    scene: Scene,
    regions: Sequence[Region],
    show: Callable[[list[tuple[Region, AreaFigures | str]]], None],
) -> JobHandle[list[tuple[Region, AreaFigures | str]]]:
    """Work out what regions hold; told as it is known, one without a pixel says so."""

    def run(progress: Progress) -> list[tuple[Region, AreaFigures | str]]:
        from backends.spectra.region_figures import AreaMeasurer

        measure = AreaMeasurer(scene, progress)
        progress.start(len(regions), "regions", "Figures of regions")
        known: list[tuple[Region, AreaFigures | str]] = []
        for region in regions:
            try:
                known.append((region, measure.of_region(region)))
            except ClearbandError as error:
                known.append((region, str(error)))
            progress.partial(list(known))
            progress.advance()
        return known

    what = regions[0].name if len(regions) == 1 else f"{len(regions):,} regions"
    job = Job(f"Figures of {what}", run, scene_id=scene.id, topic="region figures")
    return workspace.submit(job, on_result=show, on_partial=show)


def when_over(
    owner: QWidget,
    workspace: Workspace,
    handle: JobHandle[Any],
    told: Callable[[JobHandle[Any]], None],
) -> None:
    """Call back on the workspace's thread once a job is over; now, where it is.

    Parameters
    ----------
    owner : QWidget
        Whose business it is; nobody is told when it is gone.
    """

    def over(done: JobHandle[Any]) -> None:
        if not sip.isdeleted(owner):
            told(done)

    if handle.state.is_final:
        told(handle)
    else:
        handle.finished.connect(lambda done: workspace.dispatch(lambda: over(done)))


def add_all(workspace: Workspace, regions: Sequence[Region], title: str) -> None:
    """Add regions in one step, each in the next colour that is free."""
    with workspace.commands.bundle(title):
        for region in regions:
            workspace.add_region(replace(region, color=workspace.next_color()))


def free_name(workspace: Workspace) -> str:
    """Return the first "Region n" that no region has."""
    used = {region.name for region in workspace.regions.values()}
    return next(n for k in range(1, len(used) + 2) if (n := f"Region {k}") not in used)


def _file(workspace: Workspace, scene: Scene) -> str:
    """Return a file that no run of the log has written."""
    words = {word for line in workspace.run_log.lines for word in line.command}
    stem = scene.info.path.stem if scene.info.path is not None else "scene"
    numbers = range(1, len(words) + 2)
    return next(n for k in numbers if (n := f"{stem}_region_{k}.geojson") not in words)
