"""What is explained: a network, its classes, how images are brought to it, and its card.

Everything of this room goes through `ImageClassifier`: `prepare` turns an image into a
tensor with its `Geometry`, `logits` runs the network in evaluation mode and leaves it as it
was, and `score` gives the plain function (batch -> numbers) that measures of trust work on.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.errors import BadInput, WrongUse
from backends.explain.geometry import Geometry
from backends.explain.preparing import InputSpec, Prepared, prepare

__all__ = ["Card", "Geometry", "ImageClassifier", "InputSpec", "Prepared", "Target"]

Score = Callable[[Tensor], Tensor]

# One lock a network, whoever wraps it: hooks and modes belong to the module itself.
_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


@dataclass(frozen=True)
class Card:
    """What is known about a classifier.

    Attributes
    ----------
    id, title : str
    source : str
        Where network and weights come from.
    trained_on : str
        Empty means untrained: it makes no map unless asked for explicitly.
    weights_digest : str
        SHA-256 of the weights' file; empty where there are none.
    licence : str
    notes : tuple of str
        What to know before believing it.
    figures : mapping
        Measured or published quality.
    """

    id: str
    title: str
    source: str = ""
    trained_on: str = ""
    weights_digest: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def untrained(self) -> bool:
        """Whether its weights are random."""
        return not self.trained_on


@dataclass(frozen=True, eq=False)
class Target:
    """What of the output is explained.

    Attributes
    ----------
    index : int
        Class number from 0.
    name : str
        In words.
    mask : bool array of shape (rows, cols), optional
        For networks that classify pixels: the output pixels whose logits are summed.
    """

    index: int
    name: str = ""
    mask: NDArray[np.bool_] | None = None

    def of(self, logits: Tensor) -> Tensor:
        """Return the number that is explained, shape (n,), from logits.

        Parameters
        ----------
        logits : tensor of shape (n, classes) or (n, classes, rows, cols)
        """
        chosen = logits[:, self.index]
        if chosen.ndim == 1:
            return chosen
        if self.mask is None:
            return chosen.flatten(1).sum(1)
        mask = torch.from_numpy(np.ascontiguousarray(self.mask)).to(chosen.device)
        return (chosen * mask.to(chosen.dtype)).flatten(1).sum(1)


class ImageClassifier:
    """A network that says what an image, or each of its pixels, shows.

    Safe to use from several threads: calls on one network wait for each other.

    Parameters
    ----------
    network : nn.Module
        Takes (n, bands, rows, cols); gives logits (n, classes), or (n, classes, rows, cols)
        when ``pixelwise``; tuples, mappings with ``out`` or ``logits`` and records with
        ``.logits`` are understood. One logit for two classes, too.
    class_names : sequence of str
    spec : InputSpec
        What input it wants.
    card : Card
    pixelwise : bool
        Whether it classifies pixels.
    device : str
    """

    def __init__(
        self,
        network: nn.Module,
        class_names: tuple[str, ...],
        spec: InputSpec,
        card: Card,
        *,
        pixelwise: bool = False,
        device: str = "cpu",
    ) -> None:
        self.network = network.to(device)
        self.class_names = tuple(class_names)
        self.spec = spec
        self.card = card
        self.pixelwise = pixelwise
        self.device = device
        self.lock = _lock_of(network)
        # Of layers found for an input size; see `backends.explain.layers`.
        self.found_layers: dict[tuple[int, ...], Any] = {}

    def __repr__(self) -> str:
        state = "untrained, " if self.card.untrained else ""
        return f"<ImageClassifier {self.card.id}, {state}{len(self.class_names)} classes>"

    def focused(self, target: Target) -> ImageClassifier:
        """Return a classifier that works out only what a target needs, where that is less."""
        focus = getattr(self.network, "focused", None)
        if focus is None or target.mask is None or target.mask.all():
            return self
        twin = ImageClassifier(
            focus(target.mask), self.class_names, self.spec, self.card,
            pixelwise=self.pixelwise, device=self.device,
        )  # fmt: skip
        twin.lock = self.lock  # the weights are the same
        return twin

    # -- in ------------------------------------------------------------------------------

    def prepare(
        self,
        image: NDArray[Any],
        *,
        fit: str = "",
        size: tuple[int, int] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> Prepared:
        """Bring an image to the network; see `backends.explain.preparing.prepare`."""
        return prepare(
            image, self.spec, fit=fit, size=size, value_range=value_range, device=self.device
        )

    # -- through -------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[nn.Module]:
        """Hold the network in evaluation mode; every part gets its own mode back."""
        with self.lock:
            modes = [(part, part.training) for part in self.network.modules() if part.training]
            self.network.eval()
            try:
                yield self.network
            finally:
                # One by one: a frozen part may be in another mode than the whole.
                for part, mode in modes:
                    part.training = mode

    def logits(self, batch: Tensor) -> Tensor:
        """Return what the network says, shape (n, classes) or (n, classes, rows, cols).

        Gradients flow where they are enabled; call under ``torch.no_grad()`` to be fast.
        """
        with self.running() as network:
            return self.read(network(batch))

    def read(self, output: Any) -> Tensor:
        """Return the logits in whatever a network hands out."""
        if isinstance(output, Mapping):
            output = output["logits"] if "logits" in output else output["out"]
        output = getattr(output, "logits", output)
        if isinstance(output, (tuple, list)):
            output = output[0]
        if not isinstance(output, Tensor) or output.ndim not in (2, 4):
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise BadInput(
                f"{self.card.title} gives {shape}, which is no score for each class.",
                way_out="Choose a network that classifies images or pixels.",
            )
        if output.shape[1] == 1 and len(self.class_names) == 2:
            # Softmax of these two is the sigmoid of the one.
            output = torch.cat([-output / 2, output / 2], 1)
        return output

    def probabilities(self, batch: Tensor) -> Tensor:
        """Return the softmax of the logits, without gradients."""
        with torch.no_grad():
            return torch.softmax(self.logits(batch).float(), 1)

    def score(self, target: Target, *, probability: bool = False) -> Score:
        """Return the function that measures of trust work on.

        Parameters
        ----------
        target : Target
        probability : bool
            The class's softmax (its mean over the target's pixels) instead of its logit.

        Returns
        -------
        callable
            Takes a tensor (n, bands, rows, cols), returns a tensor (n,); no gradients.
        """

        def run(batch: Tensor) -> Tensor:
            with torch.no_grad():
                logits = self.logits(batch.to(self.device))
                if not probability:
                    return target.of(logits)
                total = target.of(torch.softmax(logits.float(), 1))
                if logits.ndim == 2:
                    return total
                pixels = logits[0, 0].numel() if target.mask is None else target.mask.sum()
                return total / max(1, int(pixels))

        return run

    # -- targets -------------------------------------------------------------------------

    def top(
        self, prepared: Prepared, count: int = 5, mask: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, str, float]]:
        """Return the likeliest classes: number, name, probability.

        Parameters
        ----------
        mask : bool array of shape (rows, cols) of the output, optional
            For networks that classify pixels: over which the mean is; default all.
        """
        mean = self.probabilities(prepared.tensor)[0]
        if self.pixelwise:
            over = slice(None) if mask is None else torch.from_numpy(mask.ravel())
            mean = mean.flatten(1)[:, over].mean(1)
        best = torch.topk(mean, min(count, len(mean)))
        return [
            (int(i), self.class_names[int(i)], float(p))
            for p, i in zip(best.values, best.indices, strict=True)
        ]

    def target(
        self,
        prepared: Prepared,
        wanted: int | str | None = None,
        *,
        region: NDArray[np.bool_] | None = None,
        pixel: tuple[int, int] | None = None,
    ) -> Target:
        """Choose what to explain; what is left open follows from the network's own answer.

        Parameters
        ----------
        prepared : Prepared
        wanted : int or str, optional
            Class number from 0 or name; default the likeliest (there).
        region : bool array of shape (rows, cols) of the image, optional
            For pixel networks: whose logits are summed. Default: the pixels that the
            network gives to the class.
        pixel : (row, col) in the image, optional
            For pixel networks.

        Raises
        ------
        WrongUse
            No such class; a region for a network that classifies whole images; the region
            is empty.
        """
        if not self.pixelwise:
            if region is not None or pixel is not None:
                raise WrongUse(
                    f"{self.card.title} classifies whole images, not their pixels.",
                    way_out="Leave the region out, or cut the image to it.",
                )
            index = self.top(prepared, 1)[0][0] if wanted is None else self.index_of(wanted)
            return Target(index, self.class_names[index])
        return self._pixel_target(prepared, wanted, region, pixel)

    def index_of(self, wanted: int | str) -> int:
        """Return the number of a class by number or name.

        Raises
        ------
        WrongUse
            There is no such class.
        """
        count = len(self.class_names)
        text = str(wanted).strip()
        if text.lstrip("-").isdigit():
            index = int(text)
            if not 0 <= index < count:
                raise WrongUse(
                    f"{self.card.title} has no class {index}.",
                    way_out=f"Its classes are 0 to {count - 1}.",
                )
            return index
        # "lynx" finds "lynx, catamount"; the whole name comes first.
        for parts in (False, True):
            same = [
                number
                for number, name in enumerate(self.class_names)
                if text.casefold()
                in ([p.strip() for p in name.casefold().split(",")] if parts else [name.casefold()])
            ]
            if len(same) == 1:
                return same[0]
            if same:
                listed = ", ".join(f"{i} ({self.class_names[i]})" for i in same)
                raise WrongUse(
                    f"{self.card.title} has several classes called {text}.",
                    way_out=f"Give one of the numbers {listed}.",
                )
        some = [n for n in self.class_names if text.casefold() in n.casefold()][:5]
        hint = f"Did you mean {', '.join(some)}?" if some else "Give a class number from 0."
        raise WrongUse(f"{self.card.title} has no class called {text}.", way_out=hint)

    def _pixel_target(
        self,
        prepared: Prepared,
        wanted: int | str | None,
        region: NDArray[np.bool_] | None,
        pixel: tuple[int, int] | None,
    ) -> Target:
        found = self.probabilities(prepared.tensor)[0].cpu().numpy()
        shape = found.shape[1:]
        mask: NDArray[np.bool_] | None = None
        where = ""
        if pixel is not None:
            region = np.zeros(prepared.geometry.image_shape, bool)
            if not (0 <= pixel[0] < region.shape[0] and 0 <= pixel[1] < region.shape[1]):
                raise WrongUse(f"Row {pixel[0]}, column {pixel[1]} lies outside the image.")
            at = prepared.geometry.grid_cell(pixel, shape)
            mask = np.zeros(shape, bool)
            mask[at] = True
            where = f" at row {pixel[0]} and column {pixel[1]}"
        elif region is not None:
            if region.shape != prepared.geometry.image_shape:
                raise BadInput(
                    f"The region is {region.shape[0]} × {region.shape[1]} pixels, the image "
                    f"{prepared.geometry.image_shape[0]} × {prepared.geometry.image_shape[1]}."
                )
            mask = prepared.geometry.to_grid(region, shape) > 0.5
            where = " in the region"
            if not mask.any():
                raise WrongUse("The region holds no pixel that the network sees.")
        if wanted is None:
            over = found.reshape(len(found), -1) if mask is None else found[:, mask]
            index = int(over.mean(1).argmax())
        else:
            index = self.index_of(wanted)
        if mask is None:
            mask = found.argmax(0) == index
            where = " where the network sees it"
            if not mask.any():
                mask, where = np.ones(shape, bool), " over the whole image"
        return Target(index, self.class_names[index] + where, mask)


def _lock_of(network: nn.Module) -> threading.RLock:
    with _locks_guard:
        if network not in _locks:
            _locks[network] = threading.RLock()
        return _locks[network]
