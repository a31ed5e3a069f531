"""Compile the lock files: one a platform, hashes for every file, no addresses."""

from __future__ import annotations

import os
import subprocess

from installer.environment import LOCKS, ROOT, TOOLS, Trouble, venv_python

# Name of the file, name that uv gives the platform.
PLATFORMS = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
}
OPTIONS = (
    "--quiet",
    "--no-header",
    "--no-annotate",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--python-version",
    "3.11",
)


def compile_locks() -> int:
    """Write every lock file anew and return 0."""
    uv = str(venv_python(TOOLS).with_name("uv"))
    for name, target in PLATFORMS.items():
        for extra in ((), ("--extra", "test")):
            out = LOCKS / f"{name}{'-test' if extra else ''}.txt"
            command = [uv, "pip", "compile", *OPTIONS, *extra, "--python-platform", target]
            done = subprocess.run(
                [*command, "pyproject.toml", "-o", str(out)],
                cwd=ROOT,
                # PyTorch's wheels want macOS 14.
                env=dict(os.environ, MACOSX_DEPLOYMENT_TARGET="14.0"),
                check=False,
            )
            if done.returncode:
                raise Trouble(f"The lock for {name} could not be compiled.")
            if "://" in out.read_text(encoding="utf-8"):
                raise Trouble(f"{out.name} holds an address; it must not.")
            print(f"{out.name} written")
    return 0
