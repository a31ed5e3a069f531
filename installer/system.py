"""The system libraries that Qt and OpenGL need on Linux."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys

from installer.environment import Trouble

# Library that must load, Debian package that brings it.
LIBRARIES = {
    "EGL": "libegl1",
    "GL": "libgl1",
    "GLX_mesa": "libglx-mesa0",
    "xkbcommon-x11": "libxkbcommon-x11-0",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-image": "libxcb-image0",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-randr": "libxcb-randr0",
    "xcb-render-util": "libxcb-render-util0",
    "xcb-shape": "libxcb-shape0",
    "xcb-xinerama": "libxcb-xinerama0",
    "xcb-xkb": "libxcb-xkb1",
    "dbus-1": "libdbus-1-3",
    "fontconfig": "libfontconfig1",
}
PROGRAMS = {"Xvfb": "xvfb"}


def missing_packages() -> list[str]:
    """Return the Debian packages whose library or program is not there."""
    if not sys.platform.startswith("linux"):
        return []
    gone = [pkg for lib, pkg in LIBRARIES.items() if ctypes.util.find_library(lib) is None]
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not display:
        gone += [pkg for name, pkg in PROGRAMS.items() if shutil.which(name) is None]
    return gone


def bring_system_libraries(*, offline: bool) -> None:
    """Install what is missing (Debian or Ubuntu as root), or say what to type.

    Raises
    ------
    Trouble
        Something is missing and cannot be installed from here.
    """
    gone = missing_packages()
    if not gone:
        return
    line = f"apt-get install -y {' '.join(gone)}"
    if shutil.which("apt-get") is None:
        raise Trouble(f"These system libraries are missing: {', '.join(gone)}.")
    if os.geteuid() != 0 or offline:
        raise Trouble(f"System libraries are missing. Type: sudo {line}")
    print(f"Installing system libraries: {' '.join(gone)}", flush=True)
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *gone]):
        done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Trouble(f"'{line}' failed:\n{done.stderr[-2000:]}")
