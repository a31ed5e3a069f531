"""``clearband finetune FOLDER``: teach networks to tell labelled images apart, and measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, pairs, run_job, table
from app.cli.options import AsJson, Device, Gap, GroupBlock, GroupPattern, Out, Split
from app.cli.root import app
from backends.errors import WrongUse
from backends.jobs import Job, Progress


@app.command("finetune")
def finetune_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="One folder a class, or a table (.csv): path, label, group, mask, part.",
        ),
    ],
    out: Out = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Architecture; several make a table. Or timm:NAME."),
    ] = None,
    weights: Annotated[
        str, typer.Option("--weights", help="A file to start from, or 'published'; default random.")
    ] = "",
    size: Annotated[str, typer.Option("--size", help="128, or rows and columns: 96x128.")] = "224",
    group_pattern: GroupPattern = "",
    group_block: GroupBlock = 0,
    gap: Gap = 0,
    split: Split = "70,15,15",
    augment: Annotated[
        str, typer.Option("--augment", help="auto, ct, photo, slide, aerial, cube or none.")
    ] = "auto",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value: epochs, batch, learning_rate, scope, …"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of split, weights and training.")] = 0,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Make a network of the checkpoint in --out as it is.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what the images are and how they split.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Teach a network to tell the classes of labelled images apart.

    Whole groups (patients, slides) stay on one side of the split. Ctrl-C stops and leaves the
    checkpoint of the last epoch for --resume; Ctrl-\\ ends early and keeps the best state.
    """
    from backends.learning.finetune import FinetuneSettings, finetune
    from backends.learning.grouping import GroupRule
    from backends.learning.image_data import load_images
    from backends.learning.image_reading import sizes

    rule = GroupRule(group_pattern, group_block, gap)
    training = pairs(setting, "--set")
    models = model or ["compact_cnn"]
    if out is None and not check:
        raise WrongUse("The results need a folder.", way_out="Give one with --out.")
    wanted = [
        FinetuneSettings(name, weights, sizes(size), rule, shares(split), augment, training, seed)
        for name in models
    ]

    def load(progress: Progress) -> Any:
        first = wanted[0]
        return load_images(
            source, first.size, rule=rule, shares=first.shares, seed=seed, progress=progress
        )

    def run(progress: Progress) -> list[dict[str, Any]]:
        answers = []
        with load(progress) as data:
            for one in wanted:
                assert out is not None
                folder = out if len(wanted) == 1 else out / one.model.replace(":", "_")
                found = finetune(
                    source, one, folder, device=device, resume=resume, finish=finish,
                    data=data, progress=progress,
                )  # fmt: skip
                answers.append(found.to_dict())
        return answers

    if check:

        def look(progress: Progress) -> dict[str, Any]:
            with load(progress) as data:
                return {**data.to_dict(), "notes": list(data.notes)}

        facts = run_job(Job(f"Look at {source.name}", look), quiet=as_json)
        emit(facts, as_json=as_json, text=_data_text(facts))
        return
    title = f"Teach {', '.join(models)} on {source.name}"
    answers = run_job(Job(title, run), quiet=as_json)
    values: Any = answers[0] if len(answers) == 1 else answers
    text = _result_text(answers[0]) if len(answers) == 1 else comparison(answers)
    emit(values, as_json=as_json, text=text)


def comparison(answers: Sequence[dict[str, Any]]) -> str:
    """Return the table of several networks: cost and quality."""
    head = (
        f"{'network':22}{'parameters':>12}{'GFLOPs':>9}{'ms/image':>10}"
        f"{'accuracy':>10}{'macro F1':>10}{'epochs':>8}"
    )
    lines = [head]
    for card in answers:
        cost, test = card["cost"], card["figures"]["test"]
        lines.append(
            f"{card['architecture']:22}{cost['parameters']:12,}{cost['flops'] / 1e9:9.2f}"
            f"{cost['latency_ms']:10.1f}{_percent(test['accuracy']):>10}"
            f"{_percent(test['macro_f1']):>10}{len(card['curve']['done']):8}"
        )
    return "\n".join(lines)


def shares(text: str) -> tuple[float, float, float]:
    """Read the shares of training, validation and test: ``"70,15,15"``."""
    try:
        found = [float(part) / 100 for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != 3:
        raise WrongUse(f"{text} is no split.", way_out="Give three shares, for example 70,15,15.")
    return found[0], found[1], found[2]


def _data_text(facts: dict[str, Any]) -> str:
    rows: dict[str, Any] = {
        "Images": f"{facts['images']} in {facts['source']}, {facts['bands']} bands",
        "Groups": facts["groups"],
    }
    for row in facts["split"]["parts"]:
        rows[f"Class {row['class']}"] = _parts(row)
    for number, gone in enumerate(facts["skipped"], 1):
        if number > 20:
            rows["Left out"] = f"and {len(facts['skipped']) - 20} more"
            break
        rows[f"Left out {number}"] = f"{gone['file']} {gone['why']}"
    for number, note in enumerate(facts["notes"], 1):
        rows[f"Note {number}"] = note
    return table(rows)


def _parts(row: dict[str, Any]) -> str:
    said = [
        f"{word} {row[part]['images']} images of {row[part]['groups']} groups"
        for part, word in (("train", "training"), ("val", "validation"), ("test", "test"))
    ]
    gone = f"; {row['left_out']} left out" if row["left_out"] else ""
    return ", ".join(said) + gone


def _result_text(card: dict[str, Any]) -> str:
    test, cost = card["figures"]["test"], card["cost"]
    rows: dict[str, Any] = {
        "Network": card["title"],
        "Began with": card["start"]["weights"] + " weights" * (not card["start"]["digest"]),
        "Accuracy": f"{_percent(test['accuracy'])} of {test['images']} test images",
        "Macro F1": _percent(test["macro_f1"]),
        "AUC": "n/a" if test["macro_auc"] is None else f"{test['macro_auc']:.3f}",
        "Calibration error": _percent(test["calibration_error"]),
    }
    for row in test["per_class"]:
        rows[f"Class {row['class']}"] = (
            f"precision {_percent(row['precision'])}, recall {_percent(row['recall'])}, "
            f"F1 {_percent(row['f1'])}, {row['images']} test images"
        )
    curve = card["curve"]
    ended = f" ({curve['ended']})" if curve["ended"] else ""
    rows["Training"] = (
        f"{len(curve['done'])} of {curve['epochs']} epochs{ended}, best {curve['best_epoch']}, "
        f"{card['training']['seconds']:.0f} s on {card['training']['device']}"
    )
    rows["Cost"] = (
        f"{cost['parameters']:,} parameters, {cost['flops'] / 1e9:.2f} GFLOPs, "
        f"{cost['latency_ms']:.1f} ms an image ({cost['threads']} threads)"
    )
    for number, note in enumerate(card["notes"], 1):
        rows[f"Note {number}"] = note
    files = card["files"]
    rows["Written"] = f"{', '.join(Path(p).name for p in files)} in {Path(files[0]).parent}"
    return table(rows)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"
