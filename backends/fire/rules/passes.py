"""Rule K: what was seen twice must burn twice.

Source: the public MASTER FireSense code: it took away 52 % of the false alarms of a flight
without fire and less than 2 % of the true ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput


@dataclass(frozen=True, eq=False)
class Passes:
    """Several flights over one grid.

    Attributes
    ----------
    seen, found : int16 arrays of shape (rows, cols)
        How often a cell was observed, and how often it was called fire.
    fire : bool array of shape (rows, cols)
        Called fire where seen once, twice where seen more often.
    """

    seen: NDArray[np.int16]
    found: NDArray[np.int16]
    fire: NDArray[np.bool_]


def consistent(
    masks: Sequence[NDArray[Any]], valid: Sequence[NDArray[Any]], *, least: int = 2
) -> Passes:
    """Return what several passes over the same cells agree on.

    Parameters
    ----------
    masks, valid : sequences of bool arrays of shape (rows, cols)
        Fire, and whether the cell was observed, a pass.
    least : int
        Detections asked for where a cell was seen at least as often.

    Raises
    ------
    BadInput
        None, or they lie on different grids.
    """
    shapes = {m.shape for m in (*masks, *valid)}
    if len(shapes) != 1 or len(masks) != len(valid):
        raise BadInput(
            "Passes can only be compared on one grid.",
            way_out="Grid all flight lines to the same UTM cells first.",
        )
    seen = np.sum([np.asarray(v, np.int16) for v in valid], axis=0, dtype=np.int16)
    hits = [np.asarray(m, bool) & np.asarray(v, bool) for m, v in zip(masks, valid, strict=True)]
    found = np.sum(hits, axis=0, dtype=np.int16)
    fire = (found >= least) | ((found > 0) & (seen < least))
    return Passes(np.asarray(seen), np.asarray(found), np.asarray(fire))
