"""How patches are read off a network: the output of one of its layers, or CLIP densely.

Dense, after MaskCLIP (arXiv 2112.01071) as CLIP-DINOiser (arXiv 2312.12359) uses it: in the
last block no patch looks at another, z = x + out(v(LN x)), z + MLP(LN z), last norm, class
token off, projection to the space of the words. One class a library says where these parts
are in it; written after the papers, not taken from their code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from backends.concepts.encoders.pooling import Pooling
from backends.errors import BadInput, WrongUse
from backends.explain.classifier import ImageClassifier
from backends.explain.layers import find_layer

# Where CLIP-DINOiser reads what it pools by: after the second norm of this block.
_POOLED_FROM = -3


class PatchReader(Protocol):
    """Reads patches off a network.

    Attributes
    ----------
    name : str
        For people, and part of the identity.
    cells : (rows, cols)
        Over one look of the encoder.
    facts : tuple
        More that the features depend on.
    notes : tuple of str
    """

    name: str
    cells: tuple[int, int]
    facts: tuple[Any, ...]
    notes: tuple[str, ...]

    def read(self, x: Tensor) -> Tensor:
        """Return the features of a prepared batch, (n, d, rows, cols), no gradients."""
        ...


class LayerReader:
    """The output of a layer that is still a picture."""

    facts: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, classifier: ImageClassifier, side: tuple[int, int], layer: str) -> None:
        self.classifier, self._side = classifier, side
        shape = (1, classifier.spec.bands, *side)
        self.layer = find_layer(classifier, torch.zeros(shape, device=classifier.device), layer)
        self.name, self.cells = self.layer.name, self.layer.grid

    def read(self, x: Tensor) -> Tensor:
        """Return the features of a prepared batch, (n, d, rows, cols), no gradients."""
        found: list[Tensor] = []

        def take(part: nn.Module, given: Any, output: Any) -> None:
            found[:] = [output[0] if isinstance(output, (tuple, list)) else output]

        with self.classifier.running() as network, torch.no_grad():
            handle = network.get_submodule(self.name).register_forward_hook(take)
            try:
                network(x)
            finally:
                handle.remove()
        if tuple(x.shape[-2:]) == self._side:
            return self.layer.to_grid(found[0]).clone()
        other = find_layer(self.classifier, x[:1], self.name)  # another size, another grid
        return other.to_grid(found[0]).clone()


class DenseReader(ABC):
    """A CLIP transformer read densely; see the module.

    Parameters
    ----------
    pooling : Pooling, optional
        Patches that belong together are averaged; see `pooling`.
    """

    name: str = "dense"
    notes: tuple[str, ...] = (
        "Patches were read by the value path of the last attention, a reconstruction after "
        "arXiv 2112.01071.",
    )
    facts: tuple[Any, ...] = ()

    def __init__(
        self, classifier: ImageClassifier, side: tuple[int, int], pooling: Pooling | None = None
    ) -> None:
        self.classifier, self.pooling = classifier, pooling
        patch = classifier.spec.multiple
        self.cells = side[0] // patch, side[1] // patch
        if pooling is not None:
            blocks: Any = self.blocks(classifier.network)
            if len(blocks) < -_POOLED_FROM:
                raise BadInput(f"{classifier.card.title} has too few blocks to be pooled by.")
            pooling.check(self.width(classifier.network), classifier.card.title)
            self.name, self.facts = "dense, pooled", (pooling.digest,)
            self.notes = (*self.notes, *pooling.notes)

    def read(self, x: Tensor) -> Tensor:
        """Return the features of a prepared batch, (n, d, rows, cols), no gradients."""
        found: dict[str, Tensor] = {}

        def before(part: nn.Module, given: Any, named: Any) -> None:
            found["stream"] = given[0] if given else named["hidden_states"]

        def second_norm(part: nn.Module, given: Any, output: Any) -> None:
            found["norm"] = output

        with self.classifier.running() as network, torch.no_grad():
            blocks = self.blocks(network)
            handles = [blocks[-1].register_forward_pre_hook(before, with_kwargs=True)]
            if self.pooling is not None:
                part = self.norm_of(blocks[_POOLED_FROM])
                handles.append(part.register_forward_hook(second_norm))
            try:
                self.run(network, x)
            finally:
                for handle in handles:
                    handle.remove()
            stream = self.tokens_first(network, found["stream"])
            patches = self.last(network, stream)[:, self.leading(network) :]
            grid = int(x.shape[-2]) // self.classifier.spec.multiple, -1
            made = patches.transpose(1, 2).reshape(len(x), patches.shape[2], *grid)
            if self.pooling is None:
                return made
            norm = self.tokens_first(network, found["norm"])[:, self.leading(network) :]
            return self.pooling(norm.transpose(1, 2).reshape(len(x), -1, *made.shape[2:]), made)

    # -- where the parts are: one library a class ------------------------------------------

    @classmethod
    @abstractmethod
    def fits(cls, network: nn.Module) -> bool:
        """Return whether a network is such a transformer."""

    @abstractmethod
    def blocks(self, network: Any) -> Any:
        """Return the blocks in order."""

    @abstractmethod
    def norm_of(self, block: Any) -> nn.Module:
        """Return the second norm of a block."""

    @abstractmethod
    def width(self, network: Any) -> int:
        """Return the width of the stream."""

    def run(self, network: Any, x: Tensor) -> None:
        """Run it, at whatever size."""
        network(x)

    def leading(self, network: Any) -> int:
        """Return how many tokens stand before the patches."""
        return 1

    def tokens_first(self, network: Any, stream: Tensor) -> Tensor:
        """Return a stream as (n, tokens, width)."""
        return stream

    @abstractmethod
    def last(self, network: Any, stream: Tensor) -> Tensor:
        """Return the last block without attention, the last norm and the projection."""


class DenseTimm(DenseReader):
    """CLIP transformers of timm."""

    @classmethod
    def fits(cls, network: nn.Module) -> bool:
        """Return whether a network is such a transformer."""
        last = getattr(network, "blocks", None)
        fits = isinstance(last, nn.Sequential) and hasattr(last[-1], "attn")
        head = getattr(network, "head", None)
        return fits and hasattr(network, "norm_pre") and isinstance(head, nn.Linear)

    def blocks(self, network: Any) -> Any:
        """Return the blocks in order."""
        return network.blocks

    def norm_of(self, block: Any) -> nn.Module:
        """Return the second norm of a block."""
        norm: nn.Module = block.norm2
        return norm

    def width(self, network: Any) -> int:
        """Return the width of the stream."""
        return int(network.embed_dim)

    def run(self, network: Any, x: Tensor) -> None:
        """Run it, at whatever size."""
        network.forward_features(x)

    def leading(self, network: Any) -> int:
        """Return how many tokens stand before the patches."""
        return int(network.num_prefix_tokens)

    def last(self, network: Any, stream: Tensor) -> Tensor:
        """Return the last block without attention, the last norm and the projection."""
        last = network.blocks[-1]
        normed, attention = last.norm1(stream), last.attn
        width = normed.shape[-1]
        weight, bias = attention.qkv.weight[2 * width :], attention.qkv.bias
        value = normed @ weight.t() + (0 if bias is None else bias[2 * width :])
        stream = stream + last.ls1(attention.proj(value))
        stream = stream + last.ls2(last.mlp(last.norm2(stream)))
        made: Tensor = network.head(network.norm(stream))
        return made


def dense_reader(
    classifier: ImageClassifier, side: tuple[int, int], pooling: Pooling | None = None
) -> DenseReader:
    """Return the dense reading of a network.

    Raises
    ------
    WrongUse
        It is no CLIP transformer that is known here.
    """
    from backends.concepts.encoders.clip_open import DenseOpenClip
    from backends.concepts.encoders.hub import DenseHub

    kinds: tuple[type[DenseReader], ...] = (DenseTimm, DenseOpenClip, DenseHub)
    for kind in kinds:
        if kind.fits(classifier.network):
            return kind(classifier, side, pooling)
    raise WrongUse(
        f"{classifier.card.title} is no CLIP transformer of timm, open_clip or transformers.",
        way_out="Leave the dense reading out, or use timm:vit_base_patch16_clip_224.",
    )
