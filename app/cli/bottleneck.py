"""``clearband bottleneck FOLDER``: decide through a few concepts, and say what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.concepts import command_line, shares_of
from app.cli.console import emit, run_job, table
from app.cli.options import AsJson, Device, Fetch, Gap, GroupBlock, GroupPattern, Out, Split
from app.cli.root import app
from backends.errors import WrongUse
from backends.jobs import Job, Progress


@app.command("bottleneck")
def bottleneck_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="One folder a class.")],
    out: Out = None,
    model: Annotated[
        str, typer.Option("--model", help="Concepts that were trained on the same encoder.")
    ] = "",
    weights: Annotated[
        Path | None, typer.Option("--weights", help="The encoder's weights, if they were moved.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option("--words", help="Also these phrases, one a line; with --tower.")
    ] = None,
    tower: Annotated[
        str,
        typer.Option("--tower", help="The encoder's text tower, as concepts train takes it."),
    ] = "",
    concepts: Annotated[int, typer.Option("--concepts", help="In the bottleneck.")] = 64,
    active: Annotated[int, typer.Option("--active", help="Concepts an image.")] = 12,
    how: Annotated[str, typer.Option("--how", help="nonnegative or omp.")] = "nonnegative",
    seed: Annotated[int, typer.Option("--seed", help="Of split and random controls.")] = 0,
    split: Split = "70,15,15",
    group_pattern: GroupPattern = "",
    group_block: GroupBlock = 0,
    gap: Gap = 0,
    fetch: Fetch = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Choose a few independent concepts, describe each image by them, and decide by that alone.

    Beside the accuracy stand those of an opaque probe on the same embeddings and of as many
    concepts drawn at random. Writes bottleneck.safetensors and a table of the concepts.
    """
    if out is None or not model:
        raise WrongUse(
            "Give the concepts and a folder for the results: --model CONCEPTS --out DIR.",
            way_out="'clearband concepts train FOLDER' makes such a file.",
        )
    target = out
    given = {
        "model": model, "weights": weights, "words": words, "tower": tower,
        "concepts": concepts, "active": active, "how": how, "seed": seed, "split": split,
        "group_pattern": group_pattern, "group_block": group_block, "gap": gap,
    }  # fmt: skip
    command = command_line("bottleneck", str(folder), out, given)

    def run(progress: Progress) -> dict[str, Any]:
        import torch

        from backends import devices
        from backends.concepts.autoencoder_files import load_dictionary
        from backends.concepts.bottleneck import BOTTLENECK_FILE, BottleneckSettings, lines
        from backends.concepts.bottleneck_folder import bottleneck_of, candidates_of
        from backends.concepts.decomposition import METHODS
        from backends.concepts.learning_concepts import encode_folder
        from backends.concepts.opening import open_encoder
        from backends.concepts.towers import open_tower
        from backends.learning.grouping import GroupRule

        torch.set_num_threads(devices.model_threads())
        if how not in METHODS:
            raise WrongUse(f"There is no {how}.", way_out="Use nonnegative or omp.")
        dictionary = load_dictionary(model)
        encoder = open_encoder(
            dictionary.encoder, weights, device=devices.choose(device).id, progress=progress
        )
        dictionary.check(encoder.digest, encoder.title)
        text = open_tower(tower, fetch=fetch, progress=progress) if tower else None
        found = candidates_of(dictionary if words is None else None, words, text)
        images, _ = encode_folder(
            folder, lambda scene: encoder, rule=GroupRule(group_pattern, group_block, gap),
            shares=shares_of(split), gap=gap, seed=seed, progress=progress,
        )  # fmt: skip
        settings = BottleneckSettings(concepts, active, how, seed)
        made = bottleneck_of(images, encoder, found, target, settings, progress)
        return {
            "encoder": encoder.title, "figures": made.figures, "concepts": list(made.names),
            "lines": [list(line) for line in lines(made)],
            "skipped": [list(s) for s in images.skipped],
            "written": str(target / BOTTLENECK_FILE),
        }  # fmt: skip

    values = run_job(Job(f"Bottleneck of {folder.name}", run, command=command), quiet=as_json)
    rows = {"Encoder": values["encoder"], **dict(values["lines"])}
    rows["First concepts"] = "; ".join(values["concepts"][:8])
    for number, (file, why) in enumerate(values["skipped"][:20], 1):
        rows[f"Left out {number}"] = f"{file}: {why}"
    rows["Written"] = values["written"]
    emit(values, as_json=as_json, text=table(rows))
