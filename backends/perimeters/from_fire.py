"""A draft around what the fire methods found: one function for window and command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.fire.question import FireAnswer
from backends.fire.temperature import scene_kelvin
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.making import Proposal
from backends.perimeters.scenes import draft_on_scene
from backends.perimeters.settings import PerimeterSettings
from backends.progress import Progress


def draft_of_answer(
    answer: FireAnswer,
    *,
    image_utc: str = "",
    attributes: Mapping[str, Any] | None = None,
    who: str = "",
    intense_k: float = PerimeterSettings.intense_k,
    progress: Progress | None = None,
) -> tuple[PerimeterDocument, Proposal]:
    """Draw a draft around an answer, with intense heat where the scene says how hot it is.

    The probability from which a pixel is fire seeds the line.

    Parameters
    ----------
    intense_k : float
        Brightness temperature near 4 µm from which heat is intense.

    Raises
    ------
    BadInput
        The scene lies nowhere on Earth, or nothing burns in it.
    """
    found = answer.found
    level = found.tuning.threshold if found.probability is not None else 0.5
    settings = PerimeterSettings(
        seed=level, grow=min(0.3, level), high=max(0.7, level), intense_k=intense_k
    )
    probability = found.probability
    if probability is None:
        probability = found.mask.astype(np.float32)
    return draft_on_scene(
        answer.image.scene, probability, kelvin=scene_kelvin(answer.image, progress),
        settings=settings, made_by=found.overlays[-1].provenance, image_utc=image_utc,
        attributes=attributes, who=who, progress=progress,
    )  # fmt: skip
