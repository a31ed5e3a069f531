"""``clearband fire SCENE --out DIR`` and ``clearband fire train …``: find active fire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from app.cli.console import emit, pairs, run_job, table
from app.cli.root import app
from backends.errors import WrongUse
from backends.jobs import Job, Progress

if TYPE_CHECKING:
    from backends.fire.question import FireQuestion


class _SceneFirst(TyperGroup):
    """``fire SCENE`` means ``fire detect SCENE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual command in where none is named."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["detect", *args]
        return super().parse_args(ctx, args)


fire_app = typer.Typer(
    name="fire",
    cls=_SceneFirst,
    help="Find active fire: fire SCENE --out DIR, or fire train to teach the networks.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(fire_app)

_SENSOR = typer.Option(
    "--sensor",
    help="ams-12, ams-16, master, landsat-8, sentinel-2, viirs; default by wavelength or name.",
)
_CHANNELS = typer.Option("--channels", help="The sensor's channel of each band: 2,3,5,7,11.")
_UNITS = typer.Option("--units", help="kelvin, radiance, reflectance or stored; default by value.")


@fire_app.command("detect", hidden=True)
def detect_command(
    scene_path: Annotated[Path, typer.Argument(metavar="SCENE", help="Any image with heat bands.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results.")] = None,
    at: Annotated[
        str, typer.Option("--at", help="ROW,COL: what every rule and network says of a pixel.")
    ] = "",
    rules: Annotated[
        str | None, typer.Option("--rules", help="A,B,C,D,F,…; none; default what the bands allow.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Networks of 'fire train', or the Keras pair.")
    ] = None,
    segmenter: Annotated[
        Path | None, typer.Option("--segmenter", help="The second file of the Keras pair.")
    ] = None,
    gate: Annotated[float, typer.Option("--gate", help="Probability that opens a tile.")] = 0.2,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Probability of a fire pixel.")
    ] = None,
    min_size: Annotated[int, typer.Option("--min-size", help="Least pixels of a spot.")] = 1,
    number: Annotated[
        list[str] | None, typer.Option("--set", help="A.day_k=320: a number of a rule.")
    ] = None,
    sensor: Annotated[str, _SENSOR] = "",
    channels: Annotated[str, _CHANNELS] = "",
    units: Annotated[str, _UNITS] = "",
    sun_zenith: Annotated[
        float | None, typer.Option("--sun-zenith", help="Degrees; 85 and more is night.")
    ] = None,
    night: Annotated[bool | None, typer.Option("--night/--day", help="Wins over it.")] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    option: Annotated[list[str] | None, typer.Option("--option", help="Of the reader.")] = None,
    perimeter: Annotated[
        bool, typer.Option("--perimeter", help="Also draw a draft line and write its products.")
    ] = False,
    incident: Annotated[str, typer.Option("--incident", help="Name, for the line.")] = "",
    when: Annotated[str, typer.Option("--time", help="Of the image, UTC, for the line.")] = "",
    intense_k: Annotated[
        float, typer.Option("--intense-k", help="K near 4 µm from which heat is intense.")
    ] = 500.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find active fire with rules of the trade and, where given, the networks."""
    from backends.fire.question import FireQuestion, listed

    chosen = None if rules is None else tuple(r.strip() for r in rules.split(",") if r.strip())
    question = FireQuestion(
        sensor=sensor, channels=listed(channels), units=units, sun_zenith=sun_zenith, night=night,
        rules=() if chosen == ("none",) else chosen, model=model, segmenter=segmenter, gate=gate,
        threshold=threshold, min_size=min_size, numbers=_numbers(number), device=device,
    )  # fmt: skip
    settings = pairs(option, "--option")
    if at:
        _say_pixel(scene_path, settings, question, at, as_json=as_json)
    if out is None:
        if not at:
            raise WrongUse("Nothing says where the results go.", way_out="Give --out DIR.")
        return
    folder = out

    def run(progress: Progress) -> dict[str, Any]:
        from backends.fire.files import write_result
        from backends.io import open_scene

        with open_scene(scene_path, settings) as scene:
            if perimeter:
                from backends.perimeters.scenes import placed

                placed(scene)  # said before anything is looked for or written
            answer = question.ask(scene, out=str(folder), progress=progress)
            found = answer.found
            written = write_result(found, scene, folder, progress=progress)
            if perimeter:
                written += _draft(answer, folder, incident, when, intense_k, progress)
        return {**found.summary, "written": [str(path) for path in written]}

    values = run_job(Job(f"Find fire in {scene_path.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=_text(values))


def _draft(
    answer: Any, folder: Path, incident: str, when: str, intense_k: float, progress: Progress
) -> list[Path]:
    """Draw a draft around what was found, keep it, and write its products beside it."""
    from backends.perimeters.deliverables.deliver import deliver
    from backends.perimeters.from_fire import draft_of_answer
    from backends.perimeters.journal import SUFFIX, save

    document, _ = draft_of_answer(
        answer, image_utc=when, intense_k=intense_k, progress=progress,
        attributes={"IncidentName": incident} if incident else None,
    )  # fmt: skip
    made = deliver(document, folder / "perimeter", progress=progress)
    kept = folder / "perimeter" / f"draft{SUFFIX}"
    save(document, kept)
    return [*(f.path for f in made.files), kept]


def _say_pixel(
    scene_path: Path, settings: dict[str, Any], question: FireQuestion, at: str, *, as_json: bool
) -> None:
    """Print what every rule and network says of one pixel."""
    from backends.fire.pixel import pixel_report, plain, rows_of
    from backends.fire.question import listed
    from backends.io import open_scene

    place = listed(at)
    if place is None or len(place) != 2:
        raise WrongUse(f"{at} is no pixel.", way_out="Give --at ROW,COL, counted from 0.")

    def run(progress: Progress) -> Any:
        with open_scene(scene_path, settings) as scene:
            networks = question.networks()
            device = question.device_id(networks)
            story = pixel_report(
                question.image(scene), *place, networks, numbers=question.numbers, device=device
            )
            return story, question.pixel_threshold(networks)

    story, threshold = run_job(Job(f"Look at a pixel of {scene_path.name}", run), quiet=as_json)
    lines = {name: f"{value:.4g}" for name, value in story.facts.items()}
    for title, yes, number in rows_of(story, question.gate, threshold):
        lines[title] = f"{yes:5} {number}"
    for n, note in enumerate(story.notes, 1):
        lines[f"Note {n}"] = note
    emit(plain(story), as_json=as_json, text=table(lines))


@fire_app.command("train")
def train_command(
    lines: Annotated[
        list[Path], typer.Argument(metavar="SCENE=MASK…", help="Flight lines with their masks.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file of networks to write.")],
    hold: Annotated[
        list[str] | None, typer.Option("--hold", help="Name of a line kept from the training.")
    ] = None,
    recipe: Annotated[str, typer.Option("--recipe", help="corrected or paper.")] = "corrected",
    bands: Annotated[
        str, typer.Option("--bands", help="AMS channels to learn from; default all there are.")
    ] = "",
    sensor: Annotated[str, _SENSOR] = "",
    channels: Annotated[str, _CHANNELS] = "",
    units: Annotated[str, _UNITS] = "",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="name=value: a number of the recipe.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of weights and order.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Teach the fire networks: SCENE=MASK for each line; an empty mask is a line without fire."""
    from backends import devices
    from backends.fire.checkpoints import save_networks
    from backends.fire.files import read_lines
    from backends.fire.question import listed
    from backends.fire.samples import apart
    from backends.fire.training import recipe_of, train

    wanted = recipe_of(recipe, **pairs(setting, "--set"))
    named = [_pair(str(line)) for line in lines]

    def run(progress: Progress) -> dict[str, Any]:
        samples, used = read_lines(
            named, bands=listed(bands), sensor=sensor, channels=listed(channels), units=units,
            recipe=recipe, seed=seed, progress=progress,
        )  # fmt: skip
        taught, held = (samples, []) if not hold else apart(samples, hold)
        made = train(
            taught, held, used, recipe=wanted, seed=seed,
            device=devices.choose(device).id, progress=progress,
        )  # fmt: skip
        digest = save_networks(made, out)
        return {"channels": list(used), **dict(made.facts), "written": str(out), "digest": digest}

    values = run_job(Job(f"Teach fire networks on {len(named)} lines", run), quiet=as_json)
    rows = {
        "Channels": ", ".join(map(str, values["channels"])),
        "Lines": f"{len(values['lines_taught'])} taught, {len(values['lines_held'])} held out",
        "Tiles": f"{values['tiles']['taught']}, {values['tiles']['with_fire']} with fire",
        "Threshold": f"{values['pixel_threshold']:.2f}"
        + ("" if values["lines_held"] else ", chosen on the training tiles"),
        "Time": f"{values['seconds']:.0f} s",
        "Written": values["written"],
    }
    emit(values, as_json=as_json, text=table(rows))


def _pair(text: str) -> tuple[Path, Path | None]:
    scene, sign, mask = text.partition("=")
    if not sign:
        raise WrongUse(
            f"{text} names no mask.",
            way_out="Give SCENE=MASK, or SCENE= for a line without any fire.",
        )
    return Path(scene), Path(mask) if mask else None


def _numbers(values: list[str] | None) -> dict[str, dict[str, Any]]:
    """Turn ``A.day_k=320`` into numbers by rule."""
    from inspect import signature

    from backends.fire.rules import rule

    out: dict[str, dict[str, Any]] = {}
    for key, value in pairs(values, "--set").items():
        rule_id, _, name = key.partition(".")
        known = [p for p in list(signature(rule(rule_id).run).parameters)[1:] if p != "consider"]
        if name not in known:
            raise WrongUse(
                f"Rule {rule_id} has no number {name or key}.",
                way_out=f"It has {', '.join(known) or 'none'}.",
            )
        out.setdefault(rule_id, {})[name] = value
    return out


def _text(values: dict[str, Any]) -> str:
    rows: dict[str, Any] = {
        "Scene": f"{values['scene']} ({values['sensor']}, {'night' if values['night'] else 'day'})"
    }
    for found in values["rules"].values():
        rows[found["title"]] = f"{found['pixels']} pixels"
    if model := values["model"]:
        rows["Networks"] = (
            f"{model['tiles_opened']} of {model['tiles']} tiles opened at {model['gate']:g}, "
            f"fire from {model['pixel_threshold']:.2f}"
        )
    size = "" if values["fire_ha"] is None else f", {values['fire_ha']:g} ha"
    rows["Fire"] = f"{values['fire_pixels']} pixels{size} (draft, not verified)"
    rows["Time"] = f"{values['seconds']:.1f} s"
    for n, note in enumerate(values["notes"], 1):
        rows[f"Note {n}"] = note
    rows["Written"] = ", ".join(Path(p).name for p in values["written"])
    return table(rows)
