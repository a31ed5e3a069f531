"""What was measured in the window, as a command line that does it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.measuring.lengths import AREA
from backends.scene import Scene, Window

# Places drawn in the window are kept to so many digits, so that a command says all of them.
DIGITS = 3


def rounded(points: Iterable[Sequence[float]]) -> NDArray[np.float64]:
    """Return drawn points as they are kept, shape (n, 2)."""
    return np.round(np.asarray(list(points), np.float64).reshape(-1, 2), DIGITS) + 0.0


def measure_command(scene: Scene, points: NDArray[np.float64], kind: str) -> tuple[str, ...]:
    """Return the command line that measures; empty for a scene in no file."""
    return _line(scene, "measure", [*_points(points), *(["--area"] if kind == AREA else [])])


def profile_command(
    scene: Scene, points: NDArray[np.float64], bands: Sequence[int], out: str = ""
) -> tuple[str, ...]:
    """Return the command line of a profile."""
    words = [word for band in bands for word in ("--band", str(band + 1))]
    return _line(scene, "profile", [*_points(points), *words, *(["--out", out] if out else [])])


def extreme_command(
    scene: Scene, band: int, which: str, window: Window | None = None
) -> tuple[str, ...]:
    """Return the command line of a search."""
    words = ["--band", str(band + 1), "--which", which]
    if window is not None:
        words += ["--rows", f"{window.row}:{window.row + window.height}"]
        words += ["--cols", f"{window.col}:{window.col + window.width}"]
    return _line(scene, "extreme", words)


def pixel_command(scene: Scene, row: int, col: int, radius: int, out: str = "") -> tuple[str, ...]:
    """Return the command line of a pixel table."""
    words = ["--at", f"{row},{col}", "--radius", str(radius)]
    return _line(scene, "pixel", [*words, *(["--out", out] if out else [])])


def _points(points: NDArray[np.float64]) -> list[str]:
    return [w for r, c in points for w in ("--point", f"{r:.{DIGITS}f},{c:.{DIGITS}f}")]


def _line(scene: Scene, tool: str, words: list[str]) -> tuple[str, ...]:
    if scene.info.path is None:
        return ()
    options = [w for k, v in scene.info.options.items() for w in ("--option", f"{k}={v}")]
    return ("spectra", tool, str(scene.info.path), *options, *words)
