"""``installer test``: linters, types, the import contract, and every test."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from installer.display import virtual_display
from installer.environment import ROOT, child_environment
from installer.system import bring_system_libraries


def run_checks(python: Path, rest: list[str]) -> int:
    """Run each check, say how long it took, and return 0 when all passed."""
    bring_system_libraries(offline=False)
    steps: list[tuple[str, list[str]]] = [
        ("ruff check", ["-m", "ruff", "check", "."]),
        ("ruff format", ["-m", "ruff", "format", "--check", "."]),
        ("types", ["-m", "mypy", "backends"]),
        ("import contract", ["-c", "from importlinter.cli import lint_imports_command as m; m()"]),
        ("tests", ["-m", "pytest", *[word for word in rest if word != "--"]]),
    ]
    failed = []
    with tempfile.TemporaryDirectory() as home, virtual_display() as display:
        env = child_environment() | display
        env |= {
            "CLEARBAND_HOME": home,
            "NAPARI_CONFIG": str(Path(home) / "napari.yaml"),
            "OMP_NUM_THREADS": env.get("OMP_NUM_THREADS", "1"),
            "PYTHONFAULTHANDLER": "1",
        }
        for name, words in steps:
            started = time.monotonic()
            print(f"── {name}", flush=True)
            done = subprocess.run([str(python), *words], cwd=ROOT, env=env, check=False)
            seconds = time.monotonic() - started
            state = "passed" if done.returncode == 0 else "FAILED"
            print(f"── {name}: {state} in {seconds:.0f} s", flush=True)
            if done.returncode:
                failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0
