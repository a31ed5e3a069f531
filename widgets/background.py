"""Listening to the core from a widget, and letting go when the widget goes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from PyQt6 import sip
from PyQt6.QtCore import QObject


def listen(widget: QObject, signal: Any, slot: Callable[..., Any]) -> None:
    """Call ``slot`` at each emission of a psygnal signal until the widget is destroyed.

    Neither the signal nor the connection keeps the widget alive.
    """
    alive = weakref.ref(widget)
    method = weakref.WeakMethod(slot) if hasattr(slot, "__self__") else None

    def relay(*arguments: Any) -> None:
        owner = alive()
        called = method() if method is not None else slot
        if owner is None or called is None or sip.isdeleted(owner):
            signal.disconnect(relay, missing_ok=True)
            return
        called(*arguments)

    signal.connect(relay)
    widget.destroyed.connect(lambda: signal.disconnect(relay, missing_ok=True))
