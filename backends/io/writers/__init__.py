"""Files out: one writer a file, all of them through `backends.io.writers.atomic`."""

from __future__ import annotations
