"""What the application ships: icons, colour tables, model cards, small weights."""

from __future__ import annotations

from pathlib import Path


def path(*parts: str) -> Path:
    """Return the path of a shipped file, for example ``path("weights", "x.safetensors")``."""
    return Path(__file__).parent.joinpath(*parts)
