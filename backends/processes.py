"""Whose a file is: which process of which machine holds it, and whether that still runs."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from typing import Any


def this_process() -> dict[str, Any]:
    """Return what names this process for good; numbers alone are used again."""
    import psutil

    return {
        "pid": os.getpid(),
        "since": psutil.Process().create_time(),
        "machine": this_machine(),
    }


def is_alive(owner: Mapping[str, Any]) -> bool:
    """Tell whether a process still runs, as far as this machine can know."""
    import psutil

    if owner.get("machine") != this_machine():
        return True  # of another machine that shares this home: not ours to judge
    try:
        since = psutil.Process(int(owner["pid"])).create_time()
        # Numbers of processes are used again; the time tells them apart.
        return abs(since - float(owner["since"])) < 2
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def this_machine() -> str:
    """Name this machine without giving its name away."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:16]
