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
            if name == "tests":
                code = run_tests([str(python), *words], env, Path(home) / "tests-done.txt")
            else:
                code = subprocess.run([str(python), *words], cwd=ROOT, env=env).returncode
            seconds = time.monotonic() - started
            state = "passed" if code == 0 else "FAILED"
            print(f"── {name}: {state} in {seconds:.0f} s", flush=True)
            if code:
                failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_tests(command: list[str], env: dict[str, str], done: Path) -> int:
    """Run the tests; where their process dies, say in which test, and run the rest once more.

    A library's own code (software OpenGL, Qt) can take the process with it, and its report names
    no test. The test it died in is run again with those not run yet; a second death is a failure.

    Parameters
    ----------
    command : list of str
        Python and pytest.
    env : dict of str to str
    done : Path
        Where `tests/conftest.py` writes a line for each test begun.
    """
    env = env | {"CLEARBAND_TESTS_DONE": str(done)}
    code = subprocess.run(command, cwd=ROOT, env=env).returncode
    if code >= 0:
        return code
    begun = done.read_text("utf-8").splitlines() if done.is_file() else []
    where = f"in {begun[-1]}" if begun else "before the first test"
    print(f"The process of the tests died (signal {-code}) {where}.", file=sys.stderr, flush=True)
    if not begun:
        return 1
    done.write_text("".join(f"{line}\n" for line in begun[:-1]), "utf-8")
    print("That test and those not run yet follow in a new process.", file=sys.stderr, flush=True)
    return abs(subprocess.run(command, cwd=ROOT, env=env).returncode)
