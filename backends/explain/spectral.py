"""Spectral networks trained here, as classifiers of pixels: (n, bands, rows, cols) in.

What such a network wants beside a pixel's own spectrum (the mean around it, squares, place)
is made from the same tensor, so that gradients and perturbations reach all it reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.errors import BadInput, WrongUse
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.hyperspectral.checkpoints import FORMAT, load_checkpoint
from backends.hyperspectral.networks import PixelNetwork

# The middle of the stretched range; nought after normalisation is "nothing measured".
MIDDLE = 0.5


class PixelsTogether(nn.Module):
    """A network of single pixels that reads rectangles.

    Parameters
    ----------
    network : PixelNetwork
    wanted : bool array of shape (rows, cols), optional
        Pixels whose logits are worked out; those of all others are 0.
    """

    def __init__(self, network: PixelNetwork, wanted: NDArray[np.bool_] | None = None) -> None:
        super().__init__()
        self.network = network
        self.wanted = wanted

    def focused(self, wanted: NDArray[np.bool_]) -> PixelsTogether:
        """Return the same network working out some pixels only, where each stands for itself.

        Explaining one pixel asks for its logits some hundred times: all others would be
        thrown away.
        """
        alone = not (self.network.whole_image or self.network.dense or self.network.company)
        return PixelsTogether(self.network, wanted) if alone else self

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (n, classes, rows, cols), of stretched values less `MIDDLE`."""
        return torch.stack([self._one(image + MIDDLE) for image in x])

    def _one(self, image: Tensor) -> Tensor:
        network, (_, rows, cols) = self.network, image.shape
        spectra = image.flatten(1).t()
        given: dict[str, Any] = {}
        if network.context > 1:
            wide = _mirrored(image, network.context // 2)
            mean = nn.functional.avg_pool2d(wide[None], network.context, 1)[0]
            given["around"] = mean.flatten(1).t()
        if network.position:
            r, c = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
            places = torch.stack([r.flatten() / rows, c.flatten() / cols], 1)
            given["places"] = places.to(image)
        if self.wanted is not None and self.wanted.shape == (rows, cols):
            return self._some(image, spectra, given)
        if network.whole_image:
            logits = network(spectra, image=image.permute(1, 2, 0), **given)[0]
        elif network.patch > 1:
            logits = self._squares(spectra, _mirrored(image, network.patch // 2), rows, cols, given)
        else:
            logits = network(spectra, **given)[0]
        return logits.t().reshape(-1, rows, cols)

    def _some(self, image: Tensor, spectra: Tensor, given: dict[str, Any]) -> Tensor:
        """Return logits of the wanted pixels, in a picture of noughts."""
        assert self.wanted is not None
        network, (_, rows, cols) = self.network, image.shape
        at = torch.from_numpy(np.flatnonzero(self.wanted)).to(image.device)
        chosen = {name: value[at] for name, value in given.items()}
        parts = []
        if network.patch > 1:
            wide = _mirrored(image, network.patch // 2)
            side = torch.arange(network.patch, device=image.device)
        for low in range(0, len(at), network.batch):
            some = at[low : low + network.batch]
            more = {name: value[low : low + network.batch] for name, value in chosen.items()}
            if network.patch > 1:
                # Taken from the image itself: gradients of all squares would fill the memory.
                down = torch.div(some, cols, rounding_mode="floor")[:, None, None] + side[:, None]
                across = (some % cols)[:, None, None] + side
                more["patches"] = wide[:, down, across].permute(1, 2, 3, 0)
            parts.append(network(spectra[some], **more)[0])
        found = torch.cat(parts)
        out = found.new_zeros(rows * cols, found.shape[1]).index_copy(0, at, found)
        return out.t().reshape(-1, rows, cols)

    def _squares(
        self, spectra: Tensor, wide: Tensor, rows: int, cols: int, given: dict[str, Any]
    ) -> Tensor:
        network = self.network
        if network.dense:
            return network(spectra, image=wide.permute(1, 2, 0), **given)[0]
        side, bands = network.patch, wide.shape[0]
        squares = wide.unfold(1, side, 1).unfold(2, side, 1)  # (bands, rows, cols, side, side)
        parts = []
        step = max(1, network.batch // cols)
        for low in range(0, rows, step):
            some = squares[:, low : low + step].permute(1, 2, 3, 4, 0)
            some = some.reshape(-1, side, side, bands)
            here = slice(low * cols, min(low + step, rows) * cols)
            more = {name: value[here] for name, value in given.items()}
            parts.append(network(spectra[here], patches=some, **more)[0])
        return torch.cat(parts)


def _mirrored(image: Tensor, half: int) -> Tensor:
    """Give an image a margin in which its outermost pixels are repeated first."""
    rows, cols = (np.pad(np.arange(n), half, mode="symmetric") for n in image.shape[1:])
    return image[:, torch.from_numpy(rows)][:, :, torch.from_numpy(cols)]


def _reach(network: PixelNetwork) -> int | None:
    """Return how far a pixel's answer sees; None where it depends on other pixels or the place."""
    if network.whole_image or network.company or network.position:
        return None
    return max(network.patch, network.context) // 2


def is_checkpoint(path: Path) -> bool:
    """Tell whether a file is a checkpoint of a spectral classifier."""
    try:
        with path.open("rb") as stream:
            return FORMAT.encode() in stream.read(1 << 16)
    except OSError:
        return False


def open_spectral(path: Path, *, device: str = "cpu") -> ImageClassifier:
    """Open a network that ``clearband classify`` trained.

    Raises
    ------
    WrongUse
        It is no network.
    BadInput
        Not such a checkpoint, or damaged.
    """
    from backends.hyperspectral.mapping import network_of
    from backends.registry import card as card_of
    from backends.registry import is_network

    checkpoint, digest = load_checkpoint(path)
    about = card_of(checkpoint.model_id)
    if not is_network(checkpoint.model_id):
        raise WrongUse(
            f"{path.name} is a {about.title}, which is no network.",
            way_out="Explain a network: css_mamba, es_mhc or one of the literature.",
        )
    try:
        network = network_of(checkpoint)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(f"{path.name} is damaged.", subject=path, details=repr(error)) from error
    stretch = checkpoint.stretch
    count = int(stretch.bands.size)
    spec = InputSpec(
        None,
        count,
        (MIDDLE,) * count,
        (1.0,) * count,
        (tuple(map(float, stretch.low)), tuple(map(float, stretch.high))),
        clip=(-0.5, 1.5),
        fit="native",
        band_numbers=tuple(map(int, stretch.bands)),
        wavelength_nm=()
        if stretch.wavelength_nm is None
        else tuple(map(float, np.asarray(stretch.wavelength_nm))),
        reach=_reach(network),
    )
    where = checkpoint.facts.get("scene_file") or checkpoint.facts.get("scene") or "a scene"
    card = Card(
        about.id, about.title, about.source, str(where), digest, about.licence,
        tuple(about.limits),
    )  # fmt: skip
    names = tuple(checkpoint.class_names.values())
    return ImageClassifier(
        PixelsTogether(network), names, spec, card, pixelwise=True, device=device
    )
