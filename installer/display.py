"""A virtual display where there is none (Linux): Xvfb, always ended again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from installer.environment import Trouble


def has_display() -> bool:
    """Tell whether a window can be shown."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def virtual_display(size: str = "1600x1000x24") -> Iterator[dict[str, str]]:
    """Start Xvfb and yield the environment that points at it.

    Raises
    ------
    Trouble
        Xvfb is not installed.
    """
    if not sys.platform.startswith("linux"):
        yield {}
        return
    if shutil.which("Xvfb") is None:
        raise Trouble("Xvfb is missing. Install it, e.g.: sudo apt-get install xvfb")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", size, "-nolisten", "tcp"]
    server = subprocess.Popen(
        command, pass_fds=(writer,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as stream:
            number = stream.readline().strip()
        if not number:
            raise Trouble("The virtual display did not start.")
        yield {
            "DISPLAY": f":{number}",
            "QT_QPA_PLATFORM": "xcb",
            "PYOPENGL_PLATFORM": "x11",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "WAYLAND_DISPLAY": "",
        }
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
