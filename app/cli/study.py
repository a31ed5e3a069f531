"""``clearband study FOLDER``: several networks, labelled images, and how true the maps are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import emit, run_job, table
from app.cli.options import (
    AsJson,
    Device,
    Gap,
    GroupBlock,
    GroupPattern,
    Out,
    Split,
    Untrained,
)
from app.cli.root import app
from app.printing import print_page
from backends.errors import WrongUse
from backends.jobs import Job, Progress


@app.command("study")
def study_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="One folder a class, or a table (.csv): path, label, group, mask, part.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A network taught here (its folder), a file, or a name."),
    ] = None,
    out: Out = None,
    masks: Annotated[
        Path | None, typer.Option("--masks", help="Folder of masks, called as the images.")
    ] = None,
    part: Annotated[
        str, typer.Option("--part", help="Of the split: test, val, train or all.")
    ] = "test",
    how: Annotated[str, typer.Option("--method", help="Of the maps; see explain --list.")] = (
        "grad_cam"
    ),
    maps: Annotated[int, typer.Option("--maps", help="Images explained of each class.")] = 8,
    steps: Annotated[int, typer.Option("--steps", help="Of the curves, a multiple of 4.")] = 8,
    air: Annotated[
        float | None,
        typer.Option("--air", help="Value of air in pictures of a CT, mostly 0."),
    ] = None,
    answer: Annotated[
        bool, typer.Option("--answer", help="Explain the network's answer, not the true class.")
    ] = False,
    group_pattern: GroupPattern = "",
    group_block: GroupBlock = 0,
    gap: Gap = 0,
    split: Split = "70,15,15",
    seed: Annotated[int, typer.Option("--seed", help="Of the split and the sample.")] = 0,
    untrained: Untrained = False,
    device: Device = "auto",
    pdf: Annotated[bool, typer.Option("--pdf", help="Also the page as PDF.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the networks that --out has results of.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare networks and their maps as arXiv 2601.12826 does, and as it should be done.

    Accuracy and F1; of the maps the paper's three measures (LocAcc, drop by masking,
    agreement) beside ours (precision, place among random maps, agreement above chance). The
    images are those that were kept from the training: give the table ``split.csv`` that
    finetune wrote, or the same rule and split. Ctrl-C stops; --resume goes on.
    """
    from app.cli.finetune import shares
    from backends import devices
    from backends.explain.study_files import told_of, write_study
    from backends.explain.study_folder import StudyPlan, study_folder
    from backends.explain.study_records import StudySettings
    from backends.learning.grouping import GroupRule

    if out is None:
        raise WrongUse("The results need a folder.", way_out="Give one with --out.")
    if maps < 1 or steps < 4 or steps % 4:
        raise WrongUse("A study needs at least one map a class, and steps in fours.")
    folder = out
    plan = StudyPlan(
        tuple(model or ()), part, masks, how, air, GroupRule(group_pattern, group_block, gap),
        shares(split), seed, untrained,
        StudySettings(maps, "answer" if answer else "label", steps, seed=seed),
    )  # fmt: skip
    words = ["clearband", "study", str(source)]
    for name, value in (
        ("masks", masks), ("part", part), ("method", how), ("maps", maps), ("steps", steps),
        ("air", air), ("group-pattern", group_pattern or None),
        ("group-block", group_block or None), ("gap", gap or None), ("split", split),
        ("seed", seed),
    ):  # fmt: skip
        words += [] if value is None else [f"--{name}", str(value)]
    words += [w for name in model or () for w in ("--model", name)]
    words += ["--answer"] * answer + ["--untrained"] * untrained + ["--out", str(out)]

    def run(progress: Progress) -> dict[str, Any]:
        import torch

        torch.set_num_threads(devices.model_threads())
        found = study_folder(
            source, plan, folder, resume=resume, device=devices.choose(device).id,
            progress=progress,
        )  # fmt: skip
        written = write_study(found, folder, f"Study of {source.name}", words)
        files = list(written)
        if pdf:
            files.append(print_page(folder / "study.html", folder / "study.pdf"))
        return {**told_of(found), "written": [str(p) for p in files]}

    values = run_job(Job(f"Study of {source.name}", run), quiet=as_json)
    emit(values, as_json=as_json, text=_text(values))


def _text(values: dict[str, Any]) -> str:
    head = f"{'network':24}{'images':>7}{'accuracy':>10}{'macro F1':>10}{'LocAcc*':>9}"
    lines = [head + f"{'drop*':>8}{'place':>7}{'F':>7}  beats commonest"]
    for row in values["models"]:
        if row["class"] != "all":
            continue
        cells = [row[k] for k in ("locacc_paper", "drop_paper", "drop_position", "faithfulness")]
        said = [("n/a" if v is None else f"{v:.2f}") for v in cells]
        lines.append(
            f"{row['model'][:23]:24}{row['images']:>7}{_percent(row['accuracy']):>10}"
            f"{_percent(row['f1']):>10}{said[0]:>9}{said[1]:>8}{said[2]:>7}{said[3]:>7}  "
            + ("yes" if row["beats_commonest"] else "no: take for untrained")
        )
    for row in values["consistency"]:
        above = "n/a" if row["corrected"] is None else f"{row['corrected']:.2f}"
        lines.append(
            f"{row['networks']}: overlap* {row['iou_paper']:.2f}, rank {row['rank']:.2f}, above "
            f"other images {above}"
        )
    lines.append("* as arXiv 2601.12826 defines it; place: part of random maps that lose less.")
    rows = {f"Note {n}": note for n, note in enumerate(values["notes"], 1)}
    folder = Path(values["written"][0]).parent
    rows["Written"] = f"{', '.join(Path(p).name for p in values['written'])} in {folder}"
    return "\n".join(lines) + "\n" + table(rows)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"
