"""``clearband bench [NAME…]``: speed and memory, beside a peer, on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import emit
from app.cli.root import app


@app.command("bench")
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Runs of each contender.")] = 5,
    size_gb: Annotated[float, typer.Option("--gb", help="Size of the test files.")] = 1.0,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the JSON here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Only say what there is.")] = False,
) -> None:
    """Measure; ratios to the peer carry over to other machines, seconds do not."""
    from app.bench.table import BENCHMARKS, run
    from app.cli.console import table

    if listing:
        lines = {name: what for name, (what, _) in BENCHMARKS.items()}
        emit(lines, as_json=as_json, text=table(lines))
        return
    found = run(names or [], rounds=rounds, size_gb=size_gb)
    words = ["clearband bench", *(names or []), f"--rounds {rounds}", f"--gb {size_gb:g}"]
    found["command"] = " ".join(words)
    text = json.dumps(found, indent=2)
    if out is not None:
        from backends.io.writers.atomic import write_text

        write_text(out, text + "\n")
    print(text)
