"""Where rules and model agree, and where only one of them sees fire."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CLASSES: dict[int, str] = {1: "Both", 2: "Only the model", 3: "Only the rules", 4: "Neither"}


def disagreement(
    rules: NDArray[Any], model: NDArray[Any], valid: NDArray[Any] | None = None
) -> NDArray[np.uint8]:
    """Return 1 both, 2 only the model, 3 only the rules, 4 neither, 0 not measured.

    Parameters
    ----------
    rules, model, valid : bool arrays of shape (rows, cols)
    """
    out = np.where(rules & model, 1, np.where(model, 2, np.where(rules, 3, 4))).astype(np.uint8)
    if valid is not None:
        out[~valid] = 0
    return out
