"""``bench start``: from the start of Python to the painted window, against bare napari."""

from __future__ import annotations

import time
from typing import Any

from app.bench.table import Series, in_process


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure both in turn; the first pair only warms up."""
    series: dict[str, list[float]] = {"clearband": [], "napari": []}
    torch = False
    for number in range(rounds + 1):
        for name, contender in (("clearband", clearband), ("napari", napari)):
            started = time.time()
            answer = in_process(contender)
            if number:
                series[name].append(answer["shown_at"] - started)
            torch = torch or bool(answer.get("torch"))
    ours, theirs = (Series(tuple(series[name])).to_dict() for name in series)
    return {
        "clearband_s": ours,
        "napari_s": theirs,
        "ratio": ours["median"] / theirs["median"],
        "torch_imported": torch,
    }


def clearband() -> dict[str, Any]:
    """Show Clearband's window."""
    import sys

    from app.window import build

    window = build(show=True)
    shown = _painted()
    torch = "torch" in sys.modules
    window.close()
    return {"shown_at": shown, "torch": torch}


def napari() -> dict[str, Any]:
    """Show napari's window."""
    import napari as bare

    viewer = bare.Viewer(show=True)
    shown = _painted()
    viewer.close()
    return {"shown_at": shown}


def _painted() -> float:
    from qtpy.QtWidgets import QApplication

    QApplication.processEvents()
    QApplication.processEvents()
    return time.time()
