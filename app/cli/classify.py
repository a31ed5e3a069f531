"""``clearband classify``: train on labels (or load a checkpoint), map the scene, measure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.root import app
from backends.io import open_scene
from backends.jobs import Job, Progress


@app.command("classify")
def classify_command(
    scene_path: Annotated[Path, typer.Argument(metavar="SCENE", help="The image.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    labels: Annotated[Path | None, typer.Option("--labels", help="A label file.")] = None,
    model: Annotated[str, typer.Option("--model", help="See 'clearband models'.")] = "svm",
    protocol: Annotated[
        str, typer.Option("--protocol", help="P30, P30g, P10, S5, S10, S30, DISJ, HALVES or TILES.")
    ] = "P30",
    seed: Annotated[int, typer.Option("--seed", help="For the split and the training.")] = 0,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Weights to use instead of training.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, a setting of the model.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value, how to open the scene.")
    ] = None,
    label_option: Annotated[
        list[str] | None,
        typer.Option("--label-option", help="name=value, how to open the labels."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a class map and say how good it is.

    Accuracy is measured on labelled pixels that were kept from the training.
    """
    from backends.hyperspectral.classify import classify, write_results
    from backends.io.labels import open_labels

    settings = pairs(setting, "--set")

    def run(progress: Progress) -> tuple[Any, list[Path]]:
        with open_scene(scene_path, pairs(option, "--option")) as scene:
            given = None
            if labels is not None:
                given = open_labels(labels, pairs(label_option, "--label-option"))
            result = classify(
                scene,
                given,
                model,
                protocol=protocol,
                seed=seed,
                device=device,
                checkpoint=checkpoint,
                settings=settings,
                progress=progress,
            )
            return result, write_results(result, scene, out, progress=progress)

    result, written = run_job(Job(f"Classify {scene_path.name} with {model}", run), quiet=as_json)
    values = result.to_dict() | {"written": [str(path) for path in written]}
    emit(values, as_json=as_json, text=_text(values))


def _text(values: dict[str, Any]) -> str:
    rows: dict[str, Any] = {"Model": values["model"]}
    metrics = values.get("metrics")
    if metrics:
        rows["Protocol"] = f"{values['protocol']}, seed {values['seed']}"
        rows["Overall accuracy"] = _percent(metrics["overall_accuracy"])
        rows["Average accuracy"] = _percent(metrics["average_accuracy"])
        rows["Kappa"] = "n/a" if metrics["kappa"] is None else f"{metrics['kappa']:.4f}"
        rows["Test pixels"] = metrics["test_pixels"]
    if values.get("train_seconds"):
        rows["Training"] = f"{values['train_seconds']:.1f} s"
    rows["Map"] = f"{values['predict_seconds']:.1f} s"
    rows["Device"] = values["device"]
    for number, note in enumerate(values.get("notes", ()), 1):
        rows[f"Note {number}"] = note
    rows["Written"] = ", ".join(Path(p).name for p in values["written"])
    return table(rows)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.2f} %"
