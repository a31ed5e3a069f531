"""Options that several commands have, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Untrained = Annotated[
    bool, typer.Option("--untrained", help="Random weights: for demonstration only.")
]
Fetch = Annotated[bool, typer.Option("--fetch", help="Download published weights (once).")]
GroupPattern = Annotated[
    str,
    typer.Option("--group-pattern", help=r"Of file names, one group in it: ^(p\d+)_"),
]
GroupBlock = Annotated[
    int, typer.Option("--group-block", help="So many neighbouring numbers are one group.")
]
Gap = Annotated[
    int, typer.Option("--gap", help="Numbers left out between parts, with --group-block.")
]
Split = Annotated[str, typer.Option("--split", help="Shares of training, validation, test.")]
Majority = Annotated[
    int,
    typer.Option("--majority", help="The most frequent class of N × N pixels; odd, from 3."),
]
Sieve = Annotated[
    int, typer.Option("--sieve", help="Patches of fewer pixels go to the largest one beside.")
]
