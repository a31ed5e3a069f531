"""``clearband bench [NAME…]``: speed and memory, beside a peer, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import emit, json_text, pairs
from app.cli.root import app


@app.command("bench")
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Runs of each contender.")] = 5,
    size_gb: Annotated[float, typer.Option("--gb", help="Size of the test files.")] = 1.0,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the JSON here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Only say what there is.")] = False,
    scene: Annotated[
        str | None, typer.Option("--scene", help="hsi: a named scene; see --list.")
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol", help="hsi: P30 and the scene's separate one; finetune: SEPARATE, RANDOM."
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="hsi, finetune: default all models.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", help="hsi, mhc, finetune, fire-accuracy, concept-sets, known-answers."
        ),
    ] = None,
    first_seed: Annotated[
        int, typer.Option("--first-seed", help="hsi, mhc, finetune, fire-accuracy: the first.")
    ] = 0,
    device: Annotated[
        str, typer.Option("--device", help="hsi, finetune: auto, cpu or cuda.")
    ] = "auto",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="hsi, finetune: name=value, a setting of the model."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="hsi, mhc, finetune, fire-accuracy, concept-sets: go on."),
    ] = False,
) -> None:
    """Measure; ratios to the peer carry over to other machines, seconds do not."""
    from app.bench.table import BENCHMARKS, run
    from app.cli.console import table

    if listing:
        from app.bench.scenes import SCENES

        lines = {name: what for name, (what, _) in BENCHMARKS.items()}
        lines |= {f"hsi --scene {name}": found.about for name, found in SCENES.items()}
        emit(lines, as_json=as_json, text=table(lines))
        return
    if scene is not None:
        from app.bench.hsi import tabulate
        from app.bench.hsi import text as rows
        from backends.errors import WrongUse

        if names != ["hsi"]:
            raise WrongUse("--scene belongs to one benchmark.", way_out="Use: clearband bench hsi.")
        made = tabulate(
            scene,
            models=model or (),
            protocols=protocol or (),
            seeds=range(first_seed, first_seed + (seeds or 5)),
            device=device,
            settings=pairs(setting, "--set"),
            out=out,
            resume=resume,
        )
        emit(made, as_json=as_json, text=rows(made))
        return
    if names == ["finetune"]:
        from app.bench import finetune

        made = finetune.tabulate(
            models=model or (),
            protocols=protocol or (),
            seeds=None if seeds is None else range(first_seed, first_seed + seeds),
            device=device,
            settings=pairs(setting, "--set"),
            out=out,
            resume=resume,
        )
        emit(made, as_json=as_json, text=finetune.text(made))
        return
    if names == ["mhc"]:
        from app.bench import mhc

        made = mhc.tabulate(range(first_seed, first_seed + (seeds or 5)), out=out, resume=resume)
        emit(made, as_json=as_json, text=mhc.text(made))
        return
    if names == ["known-answers"]:
        from app.bench import known_answers

        made = known_answers.tabulate(
            range(first_seed, first_seed + (seeds or known_answers.SEEDS)), out
        )
        emit(made, as_json=as_json, text=known_answers.text(made))
        return
    if names == ["concept-sets"]:
        from app.bench import concept_sets

        made = concept_sets.tabulate(
            range(first_seed, first_seed + (seeds or 1)), out=out, resume=resume
        )
        emit(made, as_json=as_json, text=concept_sets.text(made))
        return
    if names == ["concept-backbone"]:
        from app.bench import concept_backbone

        made = concept_backbone.tabulate(out)
        emit(made, as_json=as_json, text=concept_backbone.text(made))
        return
    if names == ["fire-accuracy"]:
        from app.bench import fire_accuracy

        made = fire_accuracy.tabulate(
            seeds=range(first_seed, first_seed + (seeds or 1)), out=out, resume=resume
        )
        emit(made, as_json=as_json, text=fire_accuracy.text(made))
        return
    found = run(names or [], rounds=rounds, size_gb=size_gb)
    words = ["clearband bench", *(names or []), f"--rounds {rounds}", f"--gb {size_gb:g}"]
    found["command"] = " ".join(words)
    text = json_text(found)
    if out is not None:
        from backends.io.writers.atomic import write_text

        write_text(out, text + "\n")
    print(text)
