"""``clearband classify``: train on labels (or load a checkpoint), map the scene, measure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.options import Majority, Sieve
from app.cli.root import app
from backends.errors import WrongUse
from backends.io import open_scene
from backends.jobs import Job, Progress


@app.command("classify")
def classify_command(
    scene_path: Annotated[Path, typer.Argument(metavar="SCENE", help="The image.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            help="A label image, GeoJSON areas with a class (RFC 7946), or a session with labels "
            "or regions of the scene.",
        ),
    ] = None,
    test_labels: Annotated[
        Path | None,
        typer.Option(
            "--test-labels",
            help="Labels that only test; those of --labels then all teach (FIX). One MATLAB file "
            "with TR and TE needs only --labels and --protocol FIX.",
        ),
    ] = None,
    model: Annotated[str, typer.Option("--model", help="See 'clearband models'.")] = "svm",
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol", help="P30, P30g, P10, S5, S10, S30, DISJ, HALVES, TILES, FIX or ALL."
        ),
    ] = "P30",
    seed: Annotated[int, typer.Option("--seed", help="For the split and the training.")] = 0,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Weights to use instead of training.")
    ] = None,
    further: Annotated[
        bool, typer.Option("--continue", help="Train the checkpoint further on the labels.")
    ] = False,
    statistics: Annotated[
        str,
        typer.Option(
            "--statistics",
            help="For weights from another scene: stretch values as there (training) or by "
            "this scene's own percentiles (scene).",
        ),
    ] = "training",
    both: Annotated[
        bool | None,
        typer.Option(
            "--both/--no-both",
            help="After a random split, train once more and measure on separate blocks; "
            "default: where that takes less than half a minute.",
        ),
    ] = None,
    majority: Majority = 0,
    sieve: Sieve = 0,
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

    Accuracy is measured on labelled pixels that were kept from the training. While a network
    trains, Ctrl-Z pauses ('fg' goes on), Ctrl-\\ ends it and maps with what it has learnt.
    """
    from backends.hyperspectral.apart import needs_it
    from backends.hyperspectral.classify import classify, write_results
    from backends.hyperspectral.estimate import expected_seconds, is_quick, training_pixels
    from backends.hyperspectral.fixed import fixed_labels, fixed_split
    from backends.label_files import labels_for
    from backends.map_filter import MapFilter

    if test_labels is not None and labels is None:
        raise WrongUse("--test-labels needs labels that teach.", way_out="Give --labels FILE.")
    fixed = test_labels is not None or protocol.upper() == "FIX"
    settings, smooth = pairs(setting, "--set"), MapFilter(majority, sieve)

    def run(progress: Progress) -> tuple[Any, list[Path], float | None]:
        with open_scene(scene_path, pairs(option, "--option")) as scene:
            given, split = None, None
            how = pairs(label_option, "--label-option")
            if labels is not None and fixed:
                pair = fixed_labels(scene, labels, test_labels, how, progress)
                given, split = fixed_split(*pair, seed)
            elif labels is not None:
                given = labels_for(scene, labels, how, progress)
            extra, used = None, "FIX" if fixed else protocol
            if given is not None and not further and checkpoint is None and needs_it(used):
                labelled = given.values[given.values > 0]
                pixels, classes = scene.shape[0] * scene.shape[1], len(set(labelled.tolist()))
                train = training_pixels(used, labelled.size, classes)
                extra = expected_seconds(model, pixels, train)
            result = classify(
                scene,
                given,
                model,
                further=further,
                statistics=statistics,
                both=is_quick(extra) if both is None else both,
                protocol=used,
                seed=seed,
                split=split,
                device=device,
                checkpoint=checkpoint,
                settings=settings,
                smooth=smooth,
                progress=progress,
            )
            return result, write_results(result, scene, out, progress=progress), extra

    job = Job(f"Classify {scene_path.name} with {model}", run)
    result, written, extra = run_job(job, quiet=as_json)
    values = result.to_dict() | {"written": [str(path) for path in written]}
    emit(values, as_json=as_json, text=_text(values, extra))


def _text(values: dict[str, Any], extra: float | None) -> str:
    rows: dict[str, Any] = {"Model": values["model"]}
    metrics, apart = values.get("metrics"), values.get("separate_blocks")
    if metrics:
        beside = (apart or {}).get("metrics")
        named = f"{values['protocol']}, seed {values['seed']}"
        rows["Measured on"] = _two(named, "separate blocks", apart is not None)
        taught = [
            (found or {}).get("train") for found in (values["split"], (apart or {}).get("split"))
        ]
        if taught[0]:
            rows["Training pixels"] = _two(str(taught[0]), str(taught[1]), apart is not None)
        for title, key, say in (
            ("Overall accuracy", "overall_accuracy", _percent),
            ("Average accuracy", "average_accuracy", _percent),
            ("Kappa", "kappa", _number),
            ("Test pixels", "test_pixels", str),
        ):
            second = say(beside[key]) if beside else "not measured"
            rows[title] = _two(say(metrics[key]), second, apart is not None)
        if apart is None and extra is not None:
            from backends.hyperspectral.estimate import in_words

            rows["Separate blocks"] = f"not measured; --both takes about {in_words(extra)} more"
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


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


def _two(first: str, second: str, both: bool) -> str:
    """Return two cells side by side, or one."""
    return f"{first:<18}  {second}" if both else first
