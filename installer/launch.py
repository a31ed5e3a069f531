"""``installer run``: the window on the demo scene, or the guided tour where no screen is."""

from __future__ import annotations

import subprocess
from pathlib import Path

from installer.display import has_display, virtual_display
from installer.environment import ROOT, child_environment
from installer.system import bring_system_libraries


def launch(python: Path, rest: list[str], *, offline: bool = False) -> int:
    """Start the application and return its exit code."""
    bring_system_libraries(offline=offline)
    words = [word for word in rest if word != "--"]
    command = [str(python), "-m", "app"]
    if has_display():
        command += words or ["open", "--demo"]
        return subprocess.run(command, env=child_environment(), cwd=ROOT, check=False).returncode
    print("There is no display here: starting a virtual one and playing the guided tour.")
    folder = ROOT / "tour"
    with virtual_display() as display:
        env = child_environment() | display
        command += words or ["tour", "--out", str(folder)]
        code = subprocess.run(command, env=env, cwd=ROOT, check=False).returncode
    if code == 0 and not words:
        print(f"The pictures lie in {folder}")
    return code
