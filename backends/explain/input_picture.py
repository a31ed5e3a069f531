"""What a network gets, as a picture for people: three of its bands, in the image's contrast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# Red, green and blue, nm.
_SEEN_NM = (640.0, 550.0, 460.0)


def shown_bands(bands: int, wavelength_nm: tuple[float, ...] = ()) -> tuple[int, int, int]:
    """Return the bands of an input that stand for red, green and blue."""
    if bands == 3 and not wavelength_nm:
        return 0, 1, 2
    if len(wavelength_nm) == bands and bands > 1:
        at = np.asarray(wavelength_nm)
        red, green, blue = (int(np.abs(at - nm).argmin()) for nm in _SEEN_NM)
        return red, green, blue
    return (bands - 1) * 3 // 4, bands // 2, bands // 4


def input_picture(
    changed: Tensor, image: Tensor, wavelength_nm: tuple[float, ...] = ()
) -> NDArray[np.uint8]:
    """Return a changed input as a picture, in the contrast of the unchanged one.

    Parameters
    ----------
    changed, image : float tensors of shape (bands, rows, cols)
        As the network takes them.
    wavelength_nm : tuple of float
        Of the bands; empty where unknown.

    Returns
    -------
    uint8 array of shape (rows, cols, 3)
    """
    chosen = list(shown_bands(int(image.shape[0]), wavelength_nm))
    whole = image[chosen].detach().float().cpu().numpy()
    values = changed[chosen].detach().float().cpu().numpy()
    flat = whole.reshape(3, -1)
    low, high = np.percentile(flat, (0.5, 99.5), axis=1)
    reach = np.maximum(high - low, 1e-6)
    scaled = (values - low[:, None, None]) / reach[:, None, None]
    return np.asarray(np.clip(255 * scaled, 0, 255).transpose(1, 2, 0), np.uint8)
