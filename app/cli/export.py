"""``clearband export SOURCE``: write a result of a session, or a result file, in another form."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import emit, run_job
from app.cli.root import app
from backends.composite import preset_recipe
from backends.errors import BadInput
from backends.export import ExportRequest, export
from backends.jobs import Job, Progress
from backends.workspace import Workspace


@app.command("export")
def export_command(
    source: Annotated[Path, typer.Argument(help="A session, or a map that Clearband wrote.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    what: Annotated[
        str, typer.Option("--what", help="layer, confidence, areas, confusion, report, spectra.")
    ] = "layer",
    layer: Annotated[str | None, typer.Option("--layer", help="Title of the result.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="Default: by suffix.")] = None,
    opacity: Annotated[
        float | None, typer.Option("--opacity", help="Over the scene, 0 to 1 (pictures).")
    ] = None,
    composite: Annotated[
        str | None, typer.Option("--composite", help="Picture below: natural, cir, swir …")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a class map, its areas, a report, spectra … to a file."""

    def run(progress: Progress) -> Path:
        with ExitStack() as stack:
            workspace = _load(source, progress)
            stack.callback(workspace.close)
            request = _request(workspace, what, layer, opacity, composite)
            return export(request, out, format, progress=progress)

    written = run_job(Job(f"Export {what} of {source.name}", run), quiet=as_json)
    emit({"written": str(written)}, as_json=as_json, text=f"{written} written.")


def _load(source: Path, progress: Progress) -> Workspace:
    workspace = Workspace()
    if source.suffix.lower() == ".clearband":
        from backends.session import load_session
        from backends.session_restore import open_scenes, restore

        state = load_session(source, progress=progress)
        restore(open_scenes(state, source, progress=progress), workspace)
        return workspace
    from backends.io.overlay_files import read_result

    scene, overlay = read_result(source, progress=progress)
    workspace.add_scene(scene)
    workspace.add_overlay(overlay)
    return workspace


def _request(
    workspace: Workspace,
    what: str,
    layer: str | None,
    opacity: float | None,
    composite: str | None = None,
) -> ExportRequest:
    scene = workspace.active_scene
    if what == "spectra":
        if scene is None:
            raise BadInput("The session holds no scene that can be opened.")
        pins = [p for p in workspace.pins.values() if p.scene_id == scene.id]
        regions = [r for r in workspace.regions.values() if r.scene_id == scene.id]
        return ExportRequest(scene, what, pins=pins, regions=regions)
    overlays = [o for o in workspace.overlays.values() if layer in (None, o.title)]
    if not overlays:
        known = ", ".join(o.title for o in workspace.overlays.values()) or "none"
        raise BadInput(
            f"There is no result called {layer}." if layer else "There is no result to export.",
            way_out=f"It holds: {known}.",
        )
    overlay = overlays[-1]
    scene = workspace.scenes[overlay.scene_id]
    recipe = None if composite is None else preset_recipe(scene, composite)
    return ExportRequest(scene, what, overlay, recipe=recipe, opacity=opacity)
