"""``clearband explain IMAGE|FOLDER``: where a network looked, as maps over the image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, plain_value, run_job, table
from app.cli.options import AsJson, Device, Fetch, Out, Untrained
from app.cli.root import app
from backends.errors import WrongUse
from backends.jobs import Job, Progress


@app.command("explain")
def explain_command(
    source: Annotated[
        Path | None, typer.Argument(metavar="IMAGE|FOLDER", help="What to explain.")
    ] = None,
    out: Out = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Name, timm:NAME, torchvision:NAME, transformers:NAME or file; see --list.",
        ),
    ] = "",
    weights: Annotated[
        Path | None, typer.Option("--weights", help="A file, or a network taught here.")
    ] = None,
    how: Annotated[str, typer.Option("--method", help="See --list.")] = "grad_cam",
    target: Annotated[
        str, typer.Option("--target", help="Class, number from 0 or name; default the likeliest.")
    ] = "",
    layer: Annotated[str, typer.Option("--layer", help="Default: found for you.")] = "",
    fit: Annotated[str, typer.Option("--fit", help="whole, crop, pad, stretch or native.")] = "",
    window: Annotated[
        str, typer.Option("--window", help="row,column,height,width in pixels of --level.")
    ] = "",
    level: Annotated[
        int | None, typer.Option("--level", help="Pyramid level, 0 full size.")
    ] = None,
    tiles: Annotated[
        bool, typer.Option("--tiles", help="In tiles at full resolution, stitched: slides.")
    ] = False,
    slices: Annotated[
        str, typer.Option("--slices", help="Of a volume: all, 12 or 10-20; default the middle.")
    ] = "",
    pixel: Annotated[
        str, typer.Option("--pixel", help="row,column; for networks that classify pixels.")
    ] = "",
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Region whose pixels are explained; the same.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option("--classes", help="Names of the classes, one a line.")
    ] = None,
    bands: Annotated[
        int | None, typer.Option("--bands", help="Adapt the first layer to so many bands.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Measure how far each map can be trusted.")
    ] = False,
    steps: Annotated[int, typer.Option("--steps", help="With --trust: steps of the curves.")] = 32,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="With --trust: mask of where the thing is, or their folder."),
    ] = None,
    air: Annotated[
        float | None,
        typer.Option("--air", help="With --trust: value of air in pictures of a CT, mostly 0."),
    ] = None,
    fetch: Fetch = False,
    untrained: Untrained = False,
    device: Device = "auto",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, a setting of the method.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value, how to open the image.")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Only list the networks and the methods.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a network looked, as a raw signed map in the image's own coordinates.

    Writes GeoTIFF, NPY, a picture with true values and JSON for each image; with --trust
    also the curves (CSV) and the trust card (JSON). No map is trusted before it was
    measured: that it says, too. In a folder a bad image is noted, and the rest goes on; the
    exit code is then 3.
    """
    if listed:
        _list(as_json)
        return
    if source is None or out is None:
        raise WrongUse("Give an image and a folder for the results: IMAGE --out DIR.")
    from backends import devices
    from backends.explain import batch, shelf
    from backends.explain.heatmaps import Request

    image, folder = source, out
    request = Request(
        how, plain_value(target) if target else None, pairs(setting, "--set"), layer, fit,
        _two(pixel), untrained=untrained,
        command=_words(
            source, out, model=model, weights=weights, method=how, target=target, layer=layer,
            fit=fit, window=window, level=level, slices=slices, pixel=pixel, mask=mask,
            classes=classes, bands=bands, set=setting, option=option, tiles=tiles, fetch=fetch,
            untrained=untrained, trust=trust, steps=steps if trust else None, truth=truth,
            air=air,
        ),
    )  # fmt: skip
    if not trust and (truth is not None or air is not None):
        raise WrongUse("--truth and --air are for --trust.", way_out="Add --trust.")
    measuring = batch.Measuring(steps, truth, air) if trust else None
    where = batch.Where(_window(window), level, tiles, 0, _slices(slices), mask)

    def run(progress: Progress) -> dict[str, Any]:
        import torch

        from backends.explain.explainers import method

        method(how).complete(request.settings)  # say what is wrong before anything is loaded
        torch.set_num_threads(devices.model_threads())
        classifier = shelf.load(
            model, weights, classes=classes, bands=bands, fetch=fetch, untrained=untrained,
            device=devices.choose(device).id, progress=progress,
        )  # fmt: skip
        if request.wanted is not None:
            classifier.index_of(request.wanted)
        found = batch.explain_images(
            classifier, image, request, folder, where=where, measuring=measuring,
            options=pairs(option, "--option"), progress=progress,
        )  # fmt: skip
        return {"model": classifier.card.title, "method": how, "trust": trust, **found.to_dict()}

    values = run_job(Job(f"Explain {source.name} with {model or weights}", run), quiet=as_json)
    emit(values, as_json=as_json, text=_text(values))
    if values["failed"]:
        raise typer.Exit(3)


def _text(values: dict[str, Any]) -> str:
    rows: dict[str, Any] = {"Model": values["model"]}
    several = len(values["done"]) > 1
    for done in values["done"]:
        name = Path(done["image"]).name
        if "slices" in done:
            rows[name] = f"{done['title']}, {len(done['slices'])} slices"
            for told in done["slices"]:
                rows |= {f"  slice {told['slice']}: {k}": v for k, v in told.get("card", ())[:2]}
            continue
        words = done["title"]
        if "probability" in done:
            words += f" ({100 * done['probability']:.1f} %)"
        for state in done.get("states", ()):
            words += f"\n  {state['sentence']}"
        rows[name] = words
        # Two images may have lines of one name: indented by what they belong to.
        rows |= {f"  {name}: {k}" if several else f"  {k}": v for k, v in done.get("card", ())}
    for failed in values["failed"]:
        rows[Path(failed["image"]).name] = f"left out: {failed['error']}"
    count = sum(len(done["written"]) for done in values["done"])
    if not values["trust"]:
        rows["Trust"] = "not assessed; --trust measures it"
    rows["Written"] = f"{count} files to {Path(values['done'][0]['written'][0]).parent}"
    return table(rows)


def _list(as_json: bool) -> None:
    from backends.explain import shelf
    from backends.explain.explainers import METHODS

    networks = [
        {"id": e.id, "title": e.title, "library": e.library, "name": e.name, "study": e.study}
        for e in shelf.entries()
    ]
    methods = [
        {
            "id": m.id, "title": m.title, "about": m.about, "source": m.source,
            "settings": dict(m.settings), "needs": m.needs,
        }
        for m in METHODS
    ]  # fmt: skip
    rows = {str(n["id"]): f"{n['title']} ({n['library']})" for n in networks}
    rows |= {
        str(m["id"]): f"{m['title']}: {m['about']} "
        + ", ".join(f"{k}={v}" for k, v in dict(m["settings"]).items())
        for m in methods
    }
    text = table(rows) + "\nAnd every classifier of timm and torchvision by its name."
    emit({"networks": networks, "methods": methods}, as_json=as_json, text=text)


def _words(source: Path, out: Path, **given: Any) -> tuple[str, ...]:
    """Return the command line that does the same again."""
    words = ["explain", str(source)]
    for name, value in given.items():
        if value is True:
            words.append(f"--{name}")
        elif isinstance(value, list):
            for item in value:
                words += [f"--{name}", item]
        elif value is not None and value is not False and value != "":
            words += [f"--{name}", str(value)]
    return (*words, "--out", str(out))


def _window(text: str) -> Any:
    from backends.scene import Window

    if not text:
        return None
    parts = text.replace(" ", "").split(",")
    if len(parts) != 4 or not all(p.isdigit() for p in parts):
        raise WrongUse(f"--window is row,column,height,width, not {text}.")
    return Window(*(int(p) for p in parts))


def _two(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    parts = text.replace(" ", "").split(",")
    if len(parts) != 2 or not all(p.isdigit() for p in parts):
        raise WrongUse(f"--pixel is row,column, not {text}.")
    return int(parts[0]), int(parts[1])


def _slices(text: str) -> list[int] | None:
    """Return slice numbers from 0: None for the middle one, empty for all."""
    if not text:
        return None
    if text == "all":
        return []
    low, dash, high = text.partition("-")
    if not low.isdigit() or (dash and not high.isdigit()) or int(low) < 1:
        raise WrongUse(f"--slices is all, a number from 1, or 10-20, not {text}.")
    return list(range(int(low) - 1, int(high or low)))
