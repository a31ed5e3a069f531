"""Files in and out: a reader or writer a file, one place that decides which.

``open_scene(path)`` is the only way an image gets in: File > Open, drag and
drop, the command line and napari's own reader mechanism all come here.
"""

from __future__ import annotations

from backends.io.readers import READERS, OpenOptions, Reader, open_scene, sniff

__all__ = ["READERS", "OpenOptions", "Reader", "open_scene", "sniff"]
