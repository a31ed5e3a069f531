"""The entry point: ``clearband [PATH…]`` opens the window, ``clearband COMMAND`` runs one.

Kept light: commands and the window are imported when they are asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

COMMANDS = (
    "open",
    "info",
    "models",
    "classify",
    "assess",
    "whitebox",
    "finetune",
    "explain",
    "fire",
    "study",
    "concepts",
    "bottleneck",
    "spectra",
    "export",
    "perimeter",
    "tour",
    "doctor",
    "replay",
    "bench",
)
WRONG_USE = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code.

    0 done, 2 wrong use, 3 bad input, 4 missing capability, 130 cancelled.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the program with the given arguments and return its exit code."""
    words = list(arguments)
    # One thread a core at most; a model that wants more says so itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    first = next((word for word in words if not word.startswith("-")), None)
    if not words or (first not in COMMANDS and (first or not {"--help", "--version"} & set(words))):
        words.insert(0, "open")
    from app.cli.root import invoke

    return invoke(words)
