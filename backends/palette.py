"""Colours with a meaning: classes by name, pins and regions by number.

Twelve colours that people with any common colour vision can tell apart: the
eight of Okabe and Ito (2008) less black, and five of Tol's muted scheme (2021).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

CATEGORICAL = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#999933",
    "#882255",
    "#44AA99",
    "#AA4499",
    "#DDDDDD",
)

# A class that nature has a colour for gets it everywhere.
_BY_MEANING = {
    "water": "#0072B2",
    "river": "#0072B2",
    "tree": "#009E73",
    "forest": "#009E73",
    "vegetation": "#44AA99",
    "grass": "#44AA99",
    "meadow": "#44AA99",
    "soil": "#E69F00",
    "fire": "#D55E00",
    "roof": "#CC79A7",
    "pavement": "#DDDDDD",
    "asphalt": "#DDDDDD",
    "road": "#DDDDDD",
    "shadow": "#882255",
}


def key_color(number: int) -> str:
    """Return colour ``number`` of the key shared by pins, regions and plots, as #rrggbb."""
    return CATEGORICAL[number % len(CATEGORICAL)]


def class_colors(
    names: Mapping[int, str], given: Mapping[int, str] | None = None
) -> dict[int, str]:
    """Return a colour a class value; the same name gets the same colour in every scene.

    Parameters
    ----------
    names : mapping of int to str
    given : mapping of int to ``#rrggbb``, optional
        Colours the file brought; they win.
    """
    out: dict[int, str] = dict(given or {})
    used = set(out.values())
    for value, name in names.items():
        if value in out:
            continue
        color = _preferred(name)
        if color in used:
            color = next((c for c in CATEGORICAL if c not in used), color)
        used.add(color)
        out[value] = color
    return {value: out[value] for value in names}


def to_rgb(color: str) -> tuple[int, int, int]:
    """Return red, green, blue (0 to 255) of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _preferred(name: str) -> str:
    words = name.lower().replace("-", " ").replace("_", " ").split()
    for word in words:
        for key in (word, word.rstrip("s")):
            if key in _BY_MEANING:
                return _BY_MEANING[key]
    number = int.from_bytes(hashlib.sha256(name.lower().encode()).digest()[:4], "big")
    return CATEGORICAL[number % len(CATEGORICAL)]
