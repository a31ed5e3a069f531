"""What this machine offers, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from backends import __version__, devices
from backends.simulate import home

# Package that must import, what it is for, how to get it.
_READERS = (
    ("rasterio", "GeoTIFF and other rasters", "python3 -m installer run"),
    ("h5py", "HDF5, NetCDF-4, MATLAB 7.3", "python3 -m installer run"),
    ("openslide", "whole-slide images", "python3 -m installer run"),
    ("pydicom", "DICOM", "python3 -m installer run"),
    ("openjpeg", "compressed DICOM (JPEG 2000)", "python3 -m installer run"),
    ("nibabel", "NIfTI", "python3 -m installer run"),
    ("zarr", "Zarr", "python3 -m installer run"),
    ("pyhdf", "HDF4 (MASTER, AMS L1B)", "uv pip install pyhdf"),
)
_OPTIONAL = frozenset({"pyhdf"})
_MODELS = (
    ("sklearn", "svm and random_forest"),
    ("spyndex", "the catalogue of spectral indices"),
    ("torch", "networks"),
    ("torchvision", "published networks"),
    ("timm", "published networks"),
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    topic, name : str
    state : str
        ``"ok"``, ``"missing"`` or ``"optional"`` (not there, not needed for most).
    text : str
    way_out : str
        How to get it; empty when nothing is missing.
    """

    topic: str
    name: str
    state: str
    text: str
    way_out: str = ""


@dataclass(frozen=True)
class Report:
    """All findings."""

    findings: tuple[Finding, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether nothing needed is missing."""
        return all(f.state != "missing" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"healthy": self.is_healthy, "findings": [asdict(f) for f in self.findings]}

    def text(self) -> str:
        """Return the report for people."""
        lines, topic = [], ""
        marks = {"ok": "✓", "missing": "✗", "optional": "–"}
        for finding in self.findings:
            if finding.topic != topic:
                topic = finding.topic
                lines += ["", topic]
            line = f"  {marks[finding.state]} {finding.name}: {finding.text}"
            lines.append(line + (f" To get it: {finding.way_out}" if finding.way_out else ""))
        verdict = "Everything needed is here." if self.is_healthy else "Something is missing."
        return "\n".join([*lines[1:], "", verdict])


def examine() -> Report:
    """Look at the machine. Imports no model library; OpenGL is asked in a process of its own."""
    return Report(
        (
            Finding("Program", "Clearband", "ok", __version__),
            Finding("Program", "Python", "ok", f"{platform.python_version()} on {_system()}"),
            *_machine(),
            _opengl(),
            *(_package("Readers", *reader) for reader in _READERS),
            *(_package("Models", n, what, "python3 -m installer run") for n, what in _MODELS),
            *_weights(),
        )
    )


def _system() -> str:
    return f"{platform.system()} {platform.machine()}"


def _machine() -> list[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    folder = home()
    while not folder.exists():
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    found = [
        Finding("Machine", "Processor", "ok", devices.cpu().name.removeprefix("CPU, ")),
        Finding(
            "Machine",
            "Memory",
            "ok",
            f"{memory.total / 2**30:.0f} GB, {memory.available / 2**30:.0f} GB free",
        ),
        Finding("Machine", "Disk", "ok", f"{disk.free / 2**30:.0f} GB free"),
    ]
    gpus = devices.cuda_without_torch()
    if gpus:
        return found + [Finding("Machine", "GPU", "ok", gpu.label) for gpu in gpus]
    if devices.badge().id == "mps":
        return [*found, Finding("Machine", "GPU", "ok", "Apple GPU (Metal)")]
    text = "none found; models run on the processor, slower."
    return [*found, Finding("Machine", "GPU", "optional", text)]


_GL_QUESTION = """
import os
from PyQt6.QtGui import QGuiApplication, QOpenGLContext, QOffscreenSurface
app = QGuiApplication([])
context, surface = QOpenGLContext(), QOffscreenSurface()
surface.create()
assert context.create() and context.makeCurrent(surface)
from OpenGL import GL
print(GL.glGetString(GL.GL_RENDERER).decode(), '|', GL.glGetString(GL.GL_VERSION).decode())
"""


def _opengl() -> Finding:
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return Finding(
            "Window",
            "Display",
            "optional",
            "none; the command line works, the window needs one.",
            "xvfb-run clearband",
        )
    try:
        said = subprocess.run(
            [sys.executable, "-c", _GL_QUESTION],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        said = None
    answer = said.stdout.strip().splitlines() if said and said.returncode == 0 else []
    if answer:
        return Finding("Window", "OpenGL", "ok", answer[-1])
    return Finding(
        "Window",
        "OpenGL",
        "missing",
        "no context could be made; the window will stay black.",
        "on Debian and Ubuntu: sudo apt-get install libgl1 libegl1 libgl1-mesa-dri",
    )


def _package(topic: str, module: str, what: str, way_out: str) -> Finding:
    if find_spec(module) is None:
        state = "optional" if module in _OPTIONAL else "missing"
        return Finding(topic, module, state, f"not installed; for {what}.", way_out)
    name = {"sklearn": "scikit-learn", "openslide": "openslide-python"}.get(module, module)
    name = {"openjpeg": "pylibjpeg-openjpeg"}.get(name, name)
    try:
        return Finding(topic, module, "ok", f"{version(name)}, for {what}")
    except PackageNotFoundError:
        return Finding(topic, module, "ok", f"for {what}")


def _weights() -> list[Finding]:
    import resources
    from backends.registry import cards

    found = []
    for card in cards():
        if card.weights:
            path = resources.path("weights", card.weights)
            state = "ok" if path.is_file() else "missing"
            text = card.trained_on if path.is_file() else "the file is not there."
            found.append(Finding("Weights", card.id, state, text))
    return found or [Finding("Weights", "Shipped", "optional", "none")]
