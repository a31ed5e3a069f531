"""Saves a session over and over in a child, kills the child, and opens what is left.

Run by ``test_session.py``; a program of its own because it forks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from backends.overlays import ClassMap, Provenance
from backends.session import SessionState, load_session, save_session

KILLS = 40


def state_number(number: int, base: SessionState) -> SessionState:
    """Return a session whose array and text both tell its number."""
    labels = np.random.default_rng(number).integers(0, 200, (700, 700)).astype(np.uint8)
    overlay = ClassMap(
        f"Map {number}",
        base.scenes[0].id,
        Provenance("x"),
        labels=labels,
        class_names={1: "a"},
    )
    return replace(base, overlays=(overlay,), workbench=str(number))


def save_forever(path: Path, base: SessionState, number: int) -> None:
    """What the child does."""
    while True:
        number += 1
        save_session(state_number(number, base), path)


def main() -> None:
    """Kill and look, many times."""
    path = Path(sys.argv[1])
    base = load_session(path)
    save_session(state_number(0, base), path)
    chance = random.Random(1)
    half, versions = 0, set()
    number = 0
    for _ in range(KILLS):
        child = os.fork()
        if child == 0:
            save_forever(path, base, number)
        time.sleep(chance.uniform(0.01, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        half += any(p.name.endswith(".part") for p in path.parent.iterdir())
        state = load_session(path)
        (overlay,) = state.overlays
        assert isinstance(overlay, ClassMap)
        number = int(state.workbench)
        expected = state_number(number, base).overlays[0]
        assert overlay.title == expected.title
        assert isinstance(expected, ClassMap)
        assert np.array_equal(overlay.labels, expected.labels)
        versions.add(number)
    print(json.dumps({"kills": KILLS, "half_written": half, "versions": len(versions)}))


if __name__ == "__main__":
    main()
