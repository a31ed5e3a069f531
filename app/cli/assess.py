"""``clearband assess``: how right a class map is, and how large its classes really are."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.options import AsJson, Majority, Out, Sieve
from app.cli.root import app
from backends.jobs import Job, Progress


@app.command("assess")
def assess_command(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="An image of class numbers.")],
    reference: Annotated[
        Path,
        typer.Option(
            "--reference", help="A label image on the same grid, or GeoJSON with a class."
        ),
    ],
    majority: Majority = 0,
    sieve: Sieve = 0,
    out: Out = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value, how to open the map.")
    ] = None,
    reference_option: Annotated[
        list[str] | None,
        typer.Option("--reference-option", help="name=value, how to open the reference."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a class map with reference labels: confusion, accuracies, areas with intervals.

    Areas are estimated with the confusion matrix (Olofsson et al. 2014), with 95 % intervals.
    """
    from backends.map_filter import MapFilter

    smooth = MapFilter(majority, sieve)
    command = shlex.join(["clearband", *sys.argv[1:]])

    def run(progress: Progress) -> dict[str, Any]:
        from backends.assessment import assess, write_assessment
        from backends.io import open_scene

        with open_scene(map_path, pairs(option, "--option")) as scene:
            made = assess(
                scene, reference, options=pairs(reference_option, "--reference-option"),
                smooth=smooth, command=command, progress=progress,
            )  # fmt: skip
            values = made.to_dict()
            if out is not None:
                written = write_assessment(made, scene, out, with_map=bool(smooth))
                values["written"] = [str(path) for path in written]
        return values

    values = run_job(Job(f"Assess {map_path.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=_text(values))


def _text(values: dict[str, Any]) -> str:
    rows: dict[str, Any] = {
        "Overall accuracy": _percent(values["overall_accuracy"]),
        "Average accuracy": _percent(values["average_accuracy"]),
        "Kappa": "n/a" if values["kappa"] is None else f"{values['kappa']:.4f}",
        "Reference pixels": values["reference_pixels"],
    }
    if values["overall_by_area"] is not None:
        rows["Overall by area"] = _with(
            values["overall_by_area"], values["overall_by_area_plus_minus"], 100, " %"
        )
    for number, note in enumerate(values["notes"], 1):
        rows[f"Note {number}"] = note
    if "written" in values:
        rows["Written"] = ", ".join(Path(p).name for p in values["written"])
    heads = ["class", "reference", "producer's", "user's", "mapped", "estimated (95 %)"]
    lines = [heads]
    for row in values["classes"]:
        if row["estimated_ha"] is not None:
            area = _with(row["estimated_ha"], row["ha_plus_minus"], 1, " ha")
            mapped = f"{row['mapped_ha']:.4g} ha"
        else:
            area = _with(row["estimated_share"], row["share_plus_minus"], 100, " %")
            mapped = f"{row['mapped_pixels']} px"
        lines.append(
            [row["class"], str(row["reference_pixels"]), _percent(row["producer_accuracy"]),
             _percent(row["user_accuracy"]), mapped, area]
        )  # fmt: skip
    wide = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    found = [
        "  ".join(c.ljust(w) for c, w in zip(line, wide, strict=True)).rstrip() for line in lines
    ]
    return table(rows) + "\n\n" + "\n".join(found)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"


def _with(value: float | None, error: float | None, times: float, unit: str) -> str:
    if value is None or error is None:
        return "n/a"
    return f"{times * value:.4g} ± {times * error:.2g}{unit}"
