"""Rule G: spectral indices of burning and of burnt ground."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.fire.fields import Fields
from backends.fire.verdicts import Check, Node
from backends.scene import Scene, Window

Array = NDArray[Any]


def normalised_difference(one: Array, other: Array) -> NDArray[np.float32]:
    """Return (one − other) / (one + other); ``nan`` where both are 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((one - other) / (one + other), np.float32)


def nbr(fields: Fields) -> NDArray[np.float32]:
    """Return the normalised burn ratio of near infrared and 2.2 µm; low where burnt."""
    return normalised_difference(fields.reflectance["nir"], fields.reflectance["swir2"])


def ndvi(fields: Fields) -> NDArray[np.float32]:
    """Return the normalised difference vegetation index."""
    return normalised_difference(fields.reflectance["nir"], fields.reflectance["red"])


def low_burn_ratio(fields: Fields, *, limit: float = -0.2) -> Node:
    """Return ground whose burn ratio is low: burnt or burning, not fire alone."""
    return Check("normalised burn ratio", nbr(fields), "<", limit, 0.1)


def burn_difference(before: Fields, after: Fields, *, limit: float = 0.27) -> Node:
    """Return where the burn ratio fell from one flight to the next (dNBR)."""
    return Check("fall of the burn ratio", nbr(before) - nbr(after), ">", limit, 0.1)


def vegetation_drop(before: Fields, after: Fields, *, limit: float = 0.15) -> Node:
    """Return where the vegetation index fell by 0.15 or more: confirms a burn."""
    return Check("fall of the vegetation index", ndvi(before) - ndvi(after), ">=", limit, 0.1)


def hfdi_bands(bands: BandTable, *, subject: str = "") -> tuple[int, int]:
    """Return the bands near 2430 and 2060 nm.

    Raises
    ------
    BadInput
        The scene has none so near.
    """
    far, near = bands.nearest(2430, within_nm=25), bands.nearest(2060, within_nm=25)
    if far is None or near is None:
        raise BadInput(
            "The hyperspectral fire detection index needs radiance near 2430 and 2060 nm.",
            subject=subject or None,
            way_out="Open a hyperspectral scene that reaches 2.45 µm.",
        )
    return far, near


def hfdi(scene: Scene, window: Window | None = None) -> NDArray[np.float32]:
    """Return the hyperspectral fire detection index, (L2430 − L2060) / (L2430 + L2060).

    On radiance: reflectance would hide the flame's own light. Source:
    doi 10.1016/j.rse.2009.03.010.

    Raises
    ------
    BadInput
        The scene lacks these bands or is given as reflectance.
    """
    if scene.info.unit.lower().startswith(("reflectance", "%")):
        raise BadInput(
            f"{scene.title} is reflectance; this index wants radiance.",
            subject=scene.info.path,
            way_out="Open the radiance product (L1B) of the same flight.",
        )
    far, near = hfdi_bands(scene.bands, subject=scene.title)
    values = scene.read(window, (far, near), physical=True)
    return normalised_difference(values[:, :, 0], values[:, :, 1])
