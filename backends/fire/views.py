"""The six views in which the masks of the AMS were drawn, for any scene whose channels are known.

Also for files without wavelengths, such as the published 12-band form: what the fire methods know
of the bands is enough. For MASTER its substitutes of the AMS's channels are shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from backends.composite import AMS_PRESETS, Recipe
from backends.fire.roles import FireBands

CHANNELS: dict[str, tuple[int, ...]] = {
    "ams_532": (5, 3, 2), "ams_753": (7, 5, 3), "ams_1073": (10, 7, 3), "ams_10": (10,),
    "ams_11": (11,), "ams_12": (12,),
}  # fmt: skip


@dataclass(frozen=True)
class View:
    """A view, and what it takes of a scene.

    Attributes
    ----------
    title, purpose : str
    recipe : Recipe or None
        None where the scene lacks a channel.
    reason : str
        Which.
    """

    title: str
    purpose: str
    recipe: Recipe | None
    reason: str = ""


def fire_views(bands: FireBands) -> list[View]:
    """Return the six views; none where no channel of the AMS is known in the scene."""
    if not bands.ams:
        return []
    found = []
    for preset in AMS_PRESETS:
        wanted = CHANNELS[preset.id]
        missing = [n for n in wanted if n not in bands.ams]
        if missing:
            named = " and ".join(map(str, missing))
            found.append(View(preset.title, preset.purpose, None, f"The scene lacks AMS {named}."))
            continue
        chosen = tuple(bands.ams[n] for n in wanted)
        recipe = Recipe(preset.id, preset.title, chosen, colormap=preset.colormap)
        found.append(View(preset.title, preset.purpose, recipe))
    return found
