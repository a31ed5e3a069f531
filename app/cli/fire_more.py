"""``clearband fire passes, rules, bands, map``: several passes, what a scene can answer, why."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.fire import _CHANNELS, _SENSOR, _UNITS, _numbers, fire_app
from backends.errors import ClearbandError, WrongUse
from backends.jobs import Job, Progress

_OPTION = Annotated[list[str] | None, typer.Option("--option", help="Of the reader.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SCENE = Annotated[Path, typer.Argument(metavar="SCENE")]
_MODEL = Annotated[Path | None, typer.Option("--model", help="Networks of 'fire train'.")]
_RULES = Annotated[
    str | None, typer.Option("--rules", help="A,B,C,D,F,…; default what the bands allow.")
]
_NIGHT = Annotated[bool | None, typer.Option("--night/--day", help="Default: by the light.")]
_SEGMENTER = Annotated[
    Path | None, typer.Option("--segmenter", help="The second file of the Keras pair.")
]
_SUN = Annotated[float | None, typer.Option("--sun-zenith", help="Degrees.")]
_SET = Annotated[list[str] | None, typer.Option("--set", help="A.day_k=320: a number of a rule.")]
_DEVICE = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]


@fire_app.command("passes")
def passes_command(
    scenes: Annotated[
        list[Path], typer.Argument(metavar="SCENE SCENE…", help="Passes over one grid.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    least: Annotated[int, typer.Option("--least", help="Passes that confirm fire.")] = 2,
    rules: _RULES = None,
    model: _MODEL = None,
    gate: Annotated[float, typer.Option("--gate", help="Probability that opens a tile.")] = 0.2,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Probability of a fire pixel.")
    ] = None,
    min_size: Annotated[int, typer.Option("--min-size", help="Least pixels of a spot.")] = 1,
    sensor: Annotated[str, _SENSOR] = "",
    channels: Annotated[str, _CHANNELS] = "",
    units: Annotated[str, _UNITS] = "",
    night: _NIGHT = None,
    segmenter: _SEGMENTER = None,
    sun_zenith: _SUN = None,
    number: _SET = None,
    device: _DEVICE = "auto",
    option: _OPTION = None,
    as_json: _JSON = False,
) -> None:
    """Compare several passes over one fire: what burns in several, what one pass saw alone."""
    from contextlib import ExitStack

    from backends.fire.question import FireQuestion, listed
    from backends.fire.several_passes import compare_passes, passes_words, write_passes
    from backends.io import open_scene

    question = FireQuestion(
        sensor=sensor, channels=listed(channels), units=units, night=night,
        rules=_listed_rules(rules), model=model, gate=gate, threshold=threshold,
        min_size=min_size, device=device, segmenter=segmenter, sun_zenith=sun_zenith,
        numbers=_numbers(number),
    )  # fmt: skip
    settings = pairs(option, "--option")

    def run(progress: Progress) -> dict[str, Any]:
        with ExitStack() as stack:
            opened = [stack.enter_context(open_scene(path, settings)) for path in scenes]
            found = compare_passes(
                opened, question, least=least, command=_said(), progress=progress
            )
            written = write_passes(found, opened[0], out, progress=progress)
        return {**found.summary, "written": [str(path) for path in written]}

    values = run_job(Job(f"Compare {len(scenes)} passes", run), quiet=as_json)
    rows = passes_words(values) | {"Written": ", ".join(Path(p).name for p in values["written"])}
    emit(values, as_json=as_json, text=table(rows))


@fire_app.command("grid")
def grid_command(
    scene_path: Annotated[Path, typer.Argument(metavar="SWATH", help="AMS or MASTER L1B.")],
    out: Annotated[Path, typer.Option("--out", help="The GeoTIFF to write.")],
    pixel: Annotated[
        float | None, typer.Option("--pixel", help="Metres; default the swath's spacing.")
    ] = None,
    option: _OPTION = None,
    as_json: _JSON = False,
) -> None:
    """Lay a swath on the local UTM grid by its own geolocation; gaps stay without data."""
    settings = pairs(option, "--option")

    def run(progress: Progress) -> dict[str, Any]:
        from backends.fire.gridded_file import write_gridded
        from backends.fire.gridding import grid_to_utm
        from backends.io import open_scene

        with grid_to_utm(
            open_scene(scene_path, settings), pixel_m=pixel, progress=progress
        ) as grid:
            write_gridded(grid, out, progress=progress)
            rows, cols, bands = grid.shape
            size = (grid.info.pixel_size or (float("nan"),))[0]
            return {
                "written": str(out), "rows": rows, "cols": cols, "bands": bands,
                "pixel_m": size, "notes": list(grid.info.notes),
            }  # fmt: skip

    values = run_job(Job(f"Grid {scene_path.name} to UTM", run), quiet=as_json)
    lines = {
        "Grid": f"{values['rows']} × {values['cols']} pixels of {values['pixel_m']:.1f} m, "
        f"{values['bands']} bands",
        **{f"Note {n}": note for n, note in enumerate(values["notes"], 1)},
        "Written": out.name,
    }
    emit(values, as_json=as_json, text=table(lines))


@fire_app.command("rules")
def rules_command(
    scene_path: _SCENE,
    sensor: Annotated[str, _SENSOR] = "",
    channels: Annotated[str, _CHANNELS] = "",
    units: Annotated[str, _UNITS] = "",
    option: _OPTION = None,
    as_json: _JSON = False,
) -> None:
    """List which rules a scene can answer, which bands they take, and why others cannot."""
    from backends.fire.question import FireQuestion, listed
    from backends.fire.rule_table import rule_rows, rule_words

    question = FireQuestion(sensor=sensor, channels=listed(channels), units=units)
    settings = pairs(option, "--option")

    def run(progress: Progress) -> Any:
        from backends.io import open_scene

        with open_scene(scene_path, settings) as scene:
            image: Any
            try:
                image = question.image(scene)
            except WrongUse:
                raise
            except ClearbandError as error:
                image = error
            notes = list(getattr(image, "notes", ()))
            return rule_rows(image, scene), notes

    rows, notes = run_job(Job(f"Look at the bands of {scene_path.name}", run), quiet=as_json)
    lines = rule_words(rows) | {f"Note {n}": note for n, note in enumerate(notes, 1)}
    values = {"rules": [row.to_dict() for row in rows], "notes": notes}
    emit(values, as_json=as_json, text=table(lines))


@fire_app.command("bands")
def bands_command(
    scene_path: _SCENE,
    model: _MODEL = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Mask of true fire, for the change of IoU.")
    ] = None,
    rules: _RULES = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the JSON here.")] = None,
    sensor: Annotated[str, _SENSOR] = "",
    channels: Annotated[str, _CHANNELS] = "",
    units: Annotated[str, _UNITS] = "",
    night: _NIGHT = None,
    segmenter: _SEGMENTER = None,
    sun_zenith: _SUN = None,
    number: _SET = None,
    device: _DEVICE = "auto",
    option: _OPTION = None,
    as_json: _JSON = False,
) -> None:
    """Hide each band in turn and see what is lost, beside what the paper published."""
    from backends.fire.band_study import band_study, study_words
    from backends.fire.question import FireQuestion, listed

    question = FireQuestion(
        sensor=sensor, channels=listed(channels), units=units, night=night, model=model,
        rules=_listed_rules(rules), segmenter=segmenter, sun_zenith=sun_zenith,
        numbers=_numbers(number), device=device,
    )  # fmt: skip
    settings = pairs(option, "--option")

    def run(progress: Progress) -> Any:
        from backends.fire.files import read_mask
        from backends.io import open_scene

        with open_scene(scene_path, settings) as scene:
            rows, cols, _ = scene.shape
            mask = None if truth is None else read_mask(truth, (rows, cols))
            return band_study(question.image(scene), question, truth=mask, progress=progress)

    study = run_job(Job(f"Hide the bands of {scene_path.name}", run), quiet=as_json)
    values = study.to_dict()
    if out is not None:
        from backends.io.writers.atomic import write_text

        write_text(out, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    emit(values, as_json=as_json, text=table(study_words(study)))


@fire_app.command("map")
def map_command(
    map_id: Annotated[
        str, typer.Argument(metavar="MAP", help="nbr, dnbr, ndvi, ndvi-drop, hfdi or goes.")
    ],
    scene_path: _SCENE,
    out: Annotated[Path, typer.Option("--out", help="Folder for the GeoTIFFs.")],
    before: Annotated[
        Path | None, typer.Option("--before", help="Scene before the fire, on the same grid.")
    ] = None,
    limit: Annotated[float | None, typer.Option("--limit", help="Another than usual.")] = None,
    sensor: Annotated[str, _SENSOR] = "",
    channels: Annotated[str, _CHANNELS] = "",
    units: Annotated[str, _UNITS] = "",
    option: _OPTION = None,
    as_json: _JSON = False,
) -> None:
    """Map an index of burnt or burning ground, or the codes of a GOES fire product."""
    from contextlib import ExitStack

    from backends.fire.maps import fire_map, make_map
    from backends.fire.question import FireQuestion, listed

    fire_map(map_id)
    question = FireQuestion(sensor=sensor, channels=listed(channels), units=units)
    settings = pairs(option, "--option")

    def run(progress: Progress) -> list[str]:
        from backends.io import open_scene
        from backends.io.writers.atomic import replacing_folder
        from backends.io.writers.geotiff import write_geotiff

        with ExitStack() as stack:
            scene = stack.enter_context(open_scene(scene_path, settings))
            image = earlier = None
            if map_id not in ("hfdi", "goes"):
                image = question.image(scene)
            if before is not None:
                earlier = question.image(stack.enter_context(open_scene(before, settings)))
            layers = make_map(
                map_id, scene, image, before=earlier, limit=limit, command=_said(),
                progress=progress,
            )  # fmt: skip
            names = []
            with replacing_folder(out) as inner:
                for layer in layers:
                    name = re.sub(r"[^a-z0-9]+", "_", layer.title.lower()).strip("_") + ".tif"
                    write_geotiff(layer, scene, inner / name, progress=progress)
                    names.append(name)
        return [str(out / name) for name in names]

    written = run_job(Job(f"Map {map_id} of {scene_path.name}", run), quiet=as_json)
    rows = {"Map": fire_map(map_id).title, "Written": ", ".join(Path(p).name for p in written)}
    emit({"map": map_id, "written": written}, as_json=as_json, text=table(rows))


def _listed_rules(text: str | None) -> tuple[str, ...] | None:
    if text is None or text.strip() == "none":
        return None if text is None else ()
    return tuple(r.strip() for r in text.split(",") if r.strip())


def _said() -> str:
    return f"clearband {shlex.join(sys.argv[1:])}"
