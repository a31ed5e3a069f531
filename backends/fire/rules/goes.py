"""Rule I: what the codes of the GOES ABI fire mask mean.

Source: the description of NOAA/GOES FDC in Earth Engine's catalogue. 2 km pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CODES: dict[int, str] = {
    10: "fire, processed",
    11: "fire, saturated",
    12: "fire, cloudy",
    13: "fire, high probability",
    14: "fire, medium probability",
    15: "fire, low probability",
}
CODES |= {code + 20: f"{said}, seen before" for code, said in list(CODES.items())}
QUALITY: dict[int, str] = {
    0: "fire",
    1: "good, no fire",
    2: "cloud",
    3: "surface, glint or angle",
    4: "bad input",
    5: "failed",
}
STRICT = (10, 11, 30, 31)


def fire_codes(codes: NDArray[Any], *, strict: bool = True) -> NDArray[np.bool_]:
    """Return where the mask says fire.

    Parameters
    ----------
    codes : integer array
    strict : bool
        Only processed and saturated fires (10, 11, 30, 31), not the probable ones.
    """
    return np.isin(codes, STRICT if strict else list(CODES))


def meaning(code: int) -> str:
    """Return a code in words."""
    return CODES.get(int(code), "no fire")
