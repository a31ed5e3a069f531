"""Parts of an image taken away, and what the network says then: in batches, stoppable.

A `Substrate` is what stands where something was taken away. It must fit the data: black is
not neutral in a cube, and 0 after normalisation is not air.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch import Tensor

    Score = Callable[[Tensor], Tensor]
else:
    Score = Callable[[Any], Any]

# RISE's notebook: a kernel of 11 × 11 pixels, sigma 5, on images of 224 × 224.
BLUR_SIGMA, BLUR_RADIUS = 5.0, 5


def batch_for(device: Any) -> int:
    """Return how many images to ask at once: few for the processor's caches, many for a GPU.

    ResNet-50 at 224 pixels, one thread: 92 ms an image in eights, 120 in sixteens, 144 in 32.
    """
    return 8 if str(device).startswith("cpu") else 64


@dataclass(frozen=True)
class Substrate:
    """What stands where something was taken away.

    Attributes
    ----------
    id : str
        ``"zero"``, ``"mean"``, ``"values"`` or ``"blur"``.
    title : str
        For people: ``"air (−1000 HU)"``.
    values : tuple of float
        One a band, or one for all, in the network's own input units; for ``"values"``.
    sigma, radius : float, int
        Of the blur, in pixels.
    """

    id: str
    title: str
    values: tuple[float, ...] = ()
    sigma: float = BLUR_SIGMA
    radius: int = BLUR_RADIUS

    def __post_init__(self) -> None:
        if self.id not in ("zero", "mean", "values", "blur"):
            raise WrongUse(
                f"There is no substrate called {self.id}.",
                way_out="Use zero, mean, values or blur.",
            )
        if self.id == "values" and not self.values:
            raise WrongUse(f"The substrate {self.title} has no values.")

    def fill(self, image: Tensor) -> Tensor:
        """Return what an image becomes when all of it is taken away.

        Parameters
        ----------
        image : float tensor of shape (bands, rows, cols)

        Raises
        ------
        BadInput
            It has another number of bands than the substrate has values.
        """
        import torch

        if self.id == "zero":
            return torch.zeros_like(image)
        if self.id == "mean":
            return image.mean(dim=(1, 2), keepdim=True).expand_as(image).contiguous()
        if self.id == "blur":
            return blurred(image, self.sigma, self.radius)
        if len(self.values) not in (1, image.shape[0]):
            raise BadInput(
                f"{self.title} is given for {len(self.values)} bands, the image has "
                f"{image.shape[0]}.",
                way_out="Choose the substrate of this image.",
            )
        value = torch.tensor(self.values, dtype=image.dtype, device=image.device)
        return value[:, None, None].expand_as(image).contiguous()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        out: dict[str, Any] = {"id": self.id, "title": self.title}
        if self.id == "values":
            out["values"] = list(self.values)
        if self.id == "blur":
            out |= {"sigma_px": self.sigma, "radius_px": self.radius}
        return out


ZERO = Substrate("zero", "zero after the network's normalisation")
MEAN = Substrate("mean", "mean of each band of the image")
BLUR = Substrate("blur", "the image blurred (sigma 5 px)")


def air(value: float | Iterable[float]) -> Substrate:
    """Return air for CT: what −1000 HU (or black, in pictures) is at the network's input."""
    values = (value,) if isinstance(value, (int, float)) else tuple(value)
    return Substrate("values", "air (−1000 HU)", tuple(float(v) for v in values))


def scene_means(values: Iterable[float]) -> Substrate:
    """Return the mean spectrum of a scene, in the network's input units."""
    return Substrate("values", "mean spectrum of the scene", tuple(float(v) for v in values))


def fitting(kind: str) -> tuple[Substrate, Substrate]:
    """Return substrates for deletion and insertion that fit a kind of image.

    Parameters
    ----------
    kind : str
        ``"hyperspectral"``: band means for both. ``"photograph"``: mean, and a blurred copy
        to begin from (RISE). ``"ct"`` has no answer without the network's units: use `air`.
    """
    if kind == "hyperspectral":
        return MEAN, MEAN
    if kind == "photograph":
        return MEAN, BLUR
    raise WrongUse(
        f"There is no ready substrate for {kind}.",
        way_out="Give air(value) or scene_means(values) in the network's input units.",
    )


def blurred(image: Tensor, sigma: float = BLUR_SIGMA, radius: int = BLUR_RADIUS) -> Tensor:
    """Return a Gaussian blur of an image of shape (bands, rows, cols), edges mirrored."""
    import torch
    from torch.nn.functional import conv1d, pad

    at = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum())[None, None]
    out = image
    for _ in range(2):  # rows, then columns
        lines = out.reshape(-1, 1, out.shape[-1])
        mode = "reflect" if lines.shape[-1] > radius else "replicate"
        lines = conv1d(pad(lines, (radius, radius), mode=mode), kernel)
        out = lines.reshape(out.shape).transpose(1, 2)
    return out.contiguous()


@dataclass(frozen=True, eq=False)
class Masking:
    """One picture to score: ``above`` where the rank is below ``count``, else ``below``.

    Attributes
    ----------
    rank : int32 tensor of shape (rows, cols)
        0 for the hottest pixel; see `ranks`.
    count : int
        How many of the hottest pixels are changed.
    below, above : tensors of shape (bands, rows, cols)
    """

    rank: Tensor
    count: int
    below: Tensor
    above: Tensor


@dataclass
class Ledger:
    """What a measurement costs, counted while it runs.

    Attributes
    ----------
    forwards : int
        Images the network looked at.
    batches : int
        Calls for them.
    explanations : int
        Maps that were made.
    """

    forwards: int = 0
    batches: int = 0
    explanations: int = 0
    parts_s: dict[str, float] = field(default_factory=dict)


def ranks(values: NDArray[Any], device: Any = "cpu") -> Tensor:
    """Return each pixel's place in the order of a map, 0 for the hottest.

    Equal values keep reading order, as in RISE; so the result does not change when the map
    goes through any increasing function.

    Parameters
    ----------
    values : float array of shape (rows, cols)

    Returns
    -------
    int32 tensor of shape (rows, cols)

    Raises
    ------
    BadInput
        The map holds values that are no numbers.
    """
    import torch

    if not np.isfinite(values).all():
        raise BadInput(
            "The heatmap holds values that are no numbers.", way_out="Explain the image again."
        )
    order = np.argsort(-np.asarray(values, np.float64), axis=None, kind="stable")
    rank = np.empty(order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return torch.from_numpy(rank.reshape(values.shape)).to(device)


def masked(maskings: Iterable[Masking], batch: int) -> Iterator[Tensor]:
    """Yield the pictures of maskings in batches; one buffer is used again and again.

    Yields
    ------
    float tensor of shape (at most ``batch``, bands, rows, cols)
        Valid until the next one is asked for.
    """
    import torch

    stream = iter(maskings)
    buffer: Tensor | None = None
    while some := list(islice(stream, batch)):
        if buffer is None:
            buffer = some[0].below.new_empty((len(some), *some[0].below.shape))
        for place, one in enumerate(some):
            torch.where(one.rank < one.count, one.above, one.below, out=buffer[place])
        yield buffer[: len(some)]


def stacked(images: Iterable[Tensor], batch: int) -> Iterator[Tensor]:
    """Yield images of shape (bands, rows, cols) in batches of at most ``batch``."""
    import torch

    stream = iter(images)
    while some := list(islice(stream, batch)):
        yield torch.stack(some)


def scores(
    batches: Iterable[Tensor],
    score: Score,
    *,
    progress: Progress | None = None,
    ledger: Ledger | None = None,
) -> NDArray[np.float64]:
    """Ask the network about batches of images, without gradients.

    Parameters
    ----------
    batches : iterable of tensors of shape (n, bands, rows, cols)
    score : callable
        Takes a batch, returns a tensor of shape (n,): the target's probability or logit.
    progress : Progress, optional
        Advanced by n after each batch; a cancelled one stops there.

    Returns
    -------
    float64 array

    Raises
    ------
    Cancelled
        Between two batches.
    BadInput
        The answers are not one finite number an image.
    """
    import torch

    progress, ledger = progress or Progress(), ledger or Ledger()
    found: list[NDArray[np.float64]] = []
    for images in batches:
        progress.check()
        with torch.no_grad():
            answer = score(images).detach()
        if answer.shape != (len(images),):
            raise BadInput(
                f"The network gave {tuple(answer.shape)} numbers for {len(images)} images, "
                "not one each.",
                way_out="Choose one class or region as target.",
            )
        values = answer.to("cpu", torch.float64).numpy()
        if not np.isfinite(values).all():
            raise BadInput(
                "The network's answer is no number for a changed image.",
                way_out="Choose another substrate, or check the weights.",
            )
        found.append(values)
        ledger.forwards += len(images)
        ledger.batches += 1
        progress.advance(len(images))
    return np.concatenate(found) if found else np.zeros(0)
