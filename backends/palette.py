"""Colours with a meaning: classes by name, pins and regions by number.

Twelve colours that people with any common colour vision can tell apart: the
eight of Okabe and Ito (2008) less black, and five of Tol's muted scheme (2021).
Beyond twelve classes darker and lighter kinds of them follow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

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
    out = {value: color for value, color in (given or {}).items() if value in names}
    used = set(out.values())
    left = [value for value in names if value not in out]
    # Classes that nature has a colour for choose first; whoever comes too late takes what is
    # left, and takes it last, so that no one else loses the colour of its name.
    for late in (False, True):
        for value in sorted(left, key=lambda v: _meaning(names[v]) is None):
            color = _preferred(names[value])
            if value in out or (color in used and not late):
                continue
            if color in used:
                color = next((c for c in _ladder() if c not in used), color)
            used.add(color)
            out[value] = color
    return {value: out[value] for value in names}


def to_rgb(color: str) -> tuple[int, int, int]:
    """Return red, green, blue (0 to 255) of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _ladder() -> Iterator[str]:
    """Yield the twelve, then the same darker and lighter: more classes than anyone can tell."""
    yield from CATEGORICAL
    for target, share in ((0, 0.4), (255, 0.5), (0, 0.65), (255, 0.75)):
        for color in CATEGORICAL:
            parts = (round(v + (target - v) * share) for v in to_rgb(color))
            yield "#{:02X}{:02X}{:02X}".format(*parts)


def _meaning(name: str) -> str | None:
    words = name.lower().replace("-", " ").replace("_", " ").split()
    for word in words:
        for key in (word, word.rstrip("s")):
            if key in _BY_MEANING:
                return _BY_MEANING[key]
    return None


def _preferred(name: str) -> str:
    meant = _meaning(name)
    if meant is not None:
        return meant
    number = int.from_bytes(hashlib.sha256(name.lower().encode()).digest()[:4], "big")
    return CATEGORICAL[number % len(CATEGORICAL)]
