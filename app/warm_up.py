"""What the first picture would wait for, imported while nobody waits."""

from __future__ import annotations

import importlib
import threading

from backends.io.readers import READERS

_lock = threading.Lock()
_done = False
_WANTED = (
    "pandas",
    "pyproj",
    "scipy.ndimage",
    "backends.composite",
    "backends.io.spectral_cache",
    "backends.spectra.library",
    *READERS,
)


def import_what_comes_next() -> None:
    """Import what opening and the first layers need; later calls return at once.

    Runs on a worker: first when the window stands, and again at the head of each job
    that opens something, so that the window never meets a half-made import.
    """
    global _done
    with _lock:
        if _done:
            return
        for name in _WANTED:
            importlib.import_module(name)
        import pint

        # napari asks for pixels as a unit with the first layer; its table takes 0.2 s to read.
        _ = pint.get_application_registry().pixel
        _done = True
