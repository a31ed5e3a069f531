"""From an image of any size, type and number of bands to a network's input.

Scaling, cropping and margins are explicit: what they did is in the `Geometry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.errors import BadInput, WrongUse
from backends.explain.geometry import Geometry
from backends.overlays import Placement
from backends.scene import Window

FITS = ("whole", "crop", "pad", "stretch", "native")
# A picture four times as long as the network expects is scaled no larger.
LONGEST = 4.0


@dataclass(frozen=True)
class InputSpec:
    """What input a network wants.

    Attributes
    ----------
    size : (rows, cols) or None
        The size it was trained with; None where any size is as good.
    bands : int
    mean, std : tuple of float, one a band
        Of values that were brought to 0..1 before.
    value_range : (low, high), or one such pair a band
        The image values that become 0 and 1; 8-bit pictures: 0 and 255.
    interpolation : str
        ``"bilinear"`` or ``"bicubic"``.
    crop : float
        Part of the picture's shorter side that the trainers looked at; for ``fit="crop"``.
    fixed : bool
        Whether it takes no other size than ``size``.
    multiple : int
        Both sides must be a multiple of it (a transformer's patch).
    clip : (low, high) or None
        Limits after the stretch to 0..1, for networks that were trained with them.
    fit : str
        How an image is brought to the size unless asked otherwise; one of `FITS`.
    band_numbers, wavelength_nm : tuples, one entry a band
        Which bands of a scene it reads, for networks that were trained on certain ones;
        empty otherwise.
    reach : int or None
        How many pixels away the answer for a pixel can still see; None where it sees all.
    """

    size: tuple[int, int] | None = (224, 224)
    bands: int = 3
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    value_range: tuple[Any, Any] = (0.0, 255.0)
    interpolation: str = "bilinear"
    crop: float = 1.0
    fixed: bool = False
    multiple: int = 1
    clip: tuple[float, float] | None = None
    fit: str = "whole"
    band_numbers: tuple[int, ...] = ()
    wavelength_nm: tuple[float, ...] = ()
    reach: int | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image as the network sees it.

    Attributes
    ----------
    tensor : float32 tensor of shape (1, bands, rows, cols)
        Normalised; 0 is the mean the network was trained with.
    geometry : Geometry
    notes : tuple of str
        What was done to the image that one should know.
    wavelength_nm : tuple of float
        Of the input's bands; empty where unknown.
    """

    tensor: Tensor
    geometry: Geometry
    notes: tuple[str, ...] = ()
    wavelength_nm: tuple[float, ...] = ()


def prepare(
    image: NDArray[Any],
    spec: InputSpec,
    *,
    fit: str = "",
    size: tuple[int, int] | None = None,
    value_range: tuple[Any, Any] | None = None,
    device: str = "cpu",
) -> Prepared:
    """Bring an image to a network.

    Parameters
    ----------
    image : array of shape (rows, cols) or (rows, cols, bands)
        uint8 is 0..255; other types need ``value_range`` unless the network names its own.
    fit : str
        Empty: as the network prefers. ``"whole"`` shows all of it in its own proportions
        (with margins where the network takes one size only), ``"crop"`` is the trainers'
        view: shorter side scaled, middle cut out; ``"pad"`` all of it with margins;
        ``"stretch"`` ignores proportions;
        ``"native"`` keeps pixels as they are. Margins hold the training mean.
    size : (rows, cols), optional
        Another input size than the network's own.
    value_range : (low, high), optional
        The image values that become 0 and 1.

    Raises
    ------
    BadInput
        Wrong number of bands, no pixels, or values whose range is unknown.
    WrongUse
        A size the network does not take, or no such fit.
    """
    fit = fit or spec.fit
    if fit not in FITS:
        raise WrongUse(f"There is no fit called {fit}.", way_out=f"Use one of: {', '.join(FITS)}.")
    notes: list[str] = []
    values = _bands(image, spec, notes)
    target = _target_size(spec, size)
    scaled = _to_unit(values, spec, value_range, notes)
    tensor = torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))[None].to(device)
    mean, std = _plane(spec.mean, tensor), _plane(spec.std, tensor)
    tensor = (tensor - mean) / std
    tensor = torch.nan_to_num(tensor, nan=0.0)
    shown, geometry = _placed(tensor, spec, fit, target)
    return Prepared(shown, geometry, tuple(notes), spec.wavelength_nm)


def _bands(image: NDArray[Any], spec: InputSpec, notes: list[str]) -> NDArray[Any]:
    values = image[:, :, None] if image.ndim == 2 else image
    if values.ndim != 3 or 0 in values.shape:
        raise BadInput(f"An image needs rows, columns and bands; this has shape {image.shape}.")
    have, want = values.shape[2], spec.bands
    if have == want:
        return values
    if have == 1 and want == 3:
        notes.append("The image has one band; the network got it three times.")
        return np.repeat(values, 3, 2)
    if have == 2 and want == 3 and values.dtype == np.uint8:
        notes.append("The image's transparency was left out; its grey went in three times.")
        return np.repeat(values[:, :, :1], 3, 2)
    if have == 4 and want == 3 and values.dtype == np.uint8:
        notes.append("The image's fourth band, transparency, was left out.")
        return values[:, :, :3]
    raise BadInput(
        f"The network reads {want} {_plural(want)}, the image has {have}.",
        way_out="Choose the bands it shall read, or a network made for so many.",
    )


def _plural(count: int) -> str:
    return "band" if count == 1 else "bands"


def _target_size(spec: InputSpec, size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None or size == spec.size:
        return spec.size
    if spec.fixed:
        assert spec.size is not None
        raise WrongUse(
            f"This network takes images of {spec.size[0]} × {spec.size[1]} pixels only.",
            way_out="Leave the size out.",
        )
    if size[0] % spec.multiple or size[1] % spec.multiple or min(size) < 1:
        raise WrongUse(f"Both sides must be a multiple of {spec.multiple}.")
    return size


def _to_unit(
    values: NDArray[Any],
    spec: InputSpec,
    value_range: tuple[Any, Any] | None,
    notes: list[str],
) -> NDArray[np.float32]:
    low, high = spec.value_range if value_range is None else value_range
    if value_range is None and spec.value_range == (0.0, 255.0) and values.dtype != np.uint8:
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        top = float(finite.max()) if finite.size else 0.0
        bottom = float(finite.min()) if finite.size else 0.0
        if values.dtype.kind == "f" and 0 <= bottom and top <= 1:
            low, high = 0.0, 1.0
        elif not (0 <= bottom and top <= 255):
            raise BadInput(
                f"The image's values run from {bottom:g} to {top:g}, and the network was "
                "trained on pictures of 0 to 255.",
                way_out="Say which values are black and white.",
            )
    out = values.astype(np.float32)
    out -= np.asarray(low, np.float32)
    out /= np.asarray(high, np.float32) - np.asarray(low, np.float32)
    if spec.clip is not None:
        np.clip(out, *spec.clip, out=out)
    if values.dtype.kind == "f" and not np.isfinite(out).all():
        out[~np.isfinite(out)] = np.nan
        notes.append("Pixels without a measurement were given the mean the network knows.")
    return out


def _plane(numbers: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[None, :, None, None]


def _placed(
    tensor: Tensor, spec: InputSpec, fit: str, size: tuple[int, int] | None
) -> tuple[Tensor, Geometry]:
    """Scale, cut and frame a normalised image."""
    rows, cols = tensor.shape[-2:]
    if size is None or fit == "native":
        if spec.fixed and size is not None and (rows, cols) != size:
            raise WrongUse(
                f"This network takes images of {size[0]} × {size[1]} pixels only.",
                way_out="Let the image be scaled.",
            )
        return _framed(tensor, (rows, cols), (rows, cols), spec.multiple)
    if fit == "stretch":
        return _framed(_resized(tensor, size, spec), (rows, cols), size, 1)
    if fit == "crop":
        return _cropped(tensor, spec, size)
    small = min(size[0] / rows, size[1] / cols)
    if fit == "whole" and not spec.fixed:
        large = max(size[0] / rows, size[1] / cols)
        scale = min(large, LONGEST * max(size) / max(rows, cols))
        wanted = tuple(
            max(spec.multiple, round(side * scale / spec.multiple) * spec.multiple)
            for side in (rows, cols)
        )
        shape = (wanted[0], wanted[1])
        return _framed(_resized(tensor, shape, spec), (rows, cols), shape, spec.multiple)
    shape = max(1, round(rows * small)), max(1, round(cols * small))
    return _framed(_resized(tensor, shape, spec), (rows, cols), size, 1, middle=True)


def _resized(tensor: Tensor, shape: tuple[int, int], spec: InputSpec) -> Tensor:
    if tuple(tensor.shape[-2:]) == shape:
        return tensor
    # Antialiasing as the trainers' own scaling (PIL) does it.
    return torch.nn.functional.interpolate(
        tensor, shape, mode=spec.interpolation, align_corners=False, antialias=True
    )


def _cropped(tensor: Tensor, spec: InputSpec, size: tuple[int, int]) -> tuple[Tensor, Geometry]:
    rows, cols = tensor.shape[-2:]
    scale = max(size[0] / rows, size[1] / cols) / spec.crop
    shape = max(size[0], round(rows * scale)), max(size[1], round(cols * scale))
    scaled = _resized(tensor, shape, spec)
    top, left = (shape[0] - size[0]) // 2, (shape[1] - size[1]) // 2
    cut = scaled[..., top : top + size[0], left : left + size[1]].contiguous()
    down, across = rows / shape[0], cols / shape[1]
    place = Placement((top + 0.5) * down - 0.5, (left + 0.5) * across - 0.5, down, across)
    return cut, Geometry((rows, cols), size, place, Window(0, 0, *size))


def _framed(
    tensor: Tensor,
    image: tuple[int, int],
    size: tuple[int, int],
    multiple: int,
    *,
    middle: bool = False,
) -> tuple[Tensor, Geometry]:
    """Give a scaled image margins up to a size, and that up to a multiple."""
    shape = tuple(tensor.shape[-2:])
    full = tuple(-(-side // multiple) * multiple for side in size)
    top = (full[0] - shape[0]) // 2 if middle else 0
    left = (full[1] - shape[1]) // 2 if middle else 0
    margin = (left, full[1] - shape[1] - left, top, full[0] - shape[0] - top)
    if any(margin):
        tensor = torch.nn.functional.pad(tensor, margin)  # 0 is the training mean
    down, across = image[0] / shape[0], image[1] / shape[1]
    place = Placement((0.5 - top) * down - 0.5, (0.5 - left) * across - 0.5, down, across)
    inside = Window(top, left, shape[0], shape[1])
    return tensor, Geometry(image, (full[0], full[1]), place, inside)
