"""Where in a network there is still a picture: layers and their grids, read off the tensors.

Nothing is known of an architecture's names. One pass records the shape that every part
hands on; a tensor is a map (n, C, rows, cols), a map with channels last, or tokens
(n, leading + rows * cols, C). A second pass, with gradients from the first of the last
candidates on, tells which of them still reach the answer: in a transformer that reads its
class token, patches after the last attention do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from backends.errors import BadInput, WrongUse
from backends.explain.classifier import ImageClassifier

MAP, MAP_LAST, TOKENS = "map", "map, channels last", "tokens"
MOST_LEADING = 16
_LOOK_BACK = 48


@dataclass(frozen=True)
class Layer:
    """A place in a network where the picture is still one.

    Attributes
    ----------
    name : str
        Of the part whose output it is, as in ``named_modules``.
    kind : str
        ``"map"``, ``"map, channels last"`` or ``"tokens"``.
    grid : (rows, cols)
        Cells over the whole input.
    channels : int
    leading : int
        Tokens before those of the grid: class token, registers.
    reason : str
        Why this one, in a sentence.
    """

    name: str
    kind: str
    grid: tuple[int, int]
    channels: int
    leading: int = 0
    reason: str = ""

    def to_grid(self, values: Tensor) -> Tensor:
        """Return a captured tensor as (n, channels, rows, cols)."""
        if self.kind == MAP:
            return values
        if self.kind == MAP_LAST:
            return values.permute(0, 3, 1, 2)
        cells = values[:, self.leading :].transpose(1, 2)
        return cells.reshape(len(values), -1, *self.grid)


def find_layer(classifier: ImageClassifier, batch: Tensor, name: str = "") -> Layer:
    """Return the layer a map is made at: the one named, or the one that fits best.

    Parameters
    ----------
    batch : tensor of shape (n, bands, rows, cols)
    name : str
        Empty chooses: of networks for whole images the last layer that is still a picture
        and reaches the answer, of pixel networks the coarsest.

    Raises
    ------
    BadInput
        The network has no layer that is a picture.
    WrongUse
        There is no such layer, or it is no picture.
    """
    key = (name, *batch.shape[1:], classifier.device)
    if key not in classifier.found_layers:
        classifier.found_layers[key] = _find(classifier, batch[:1], name)
    found: Layer = classifier.found_layers[key]
    return found


def layers_of(classifier: ImageClassifier, batch: Tensor) -> tuple[Layer, ...]:
    """Return every layer that is a picture, in the order the network runs them."""
    key = ("", "all", *batch.shape[1:], classifier.device)
    if key not in classifier.found_layers:
        classifier.found_layers[key] = _record(classifier, batch[:1])
    found: tuple[Layer, ...] = classifier.found_layers[key]
    return found


def capture(classifier: ImageClassifier, batch: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """Run a batch and return the layer's output as a leaf, and the logits.

    Gradients exist from the layer on: the way to it runs without them, so that one map
    costs one forward pass and the way back to the layer only. Later in-place operations
    (DenseNet's ReLU) work on a copy and do not reach the leaf.

    Returns
    -------
    leaf : tensor of the layer's own shape
    logits : tensor of shape (n, classes, ...)
    """
    found: list[Tensor] = []

    def take(part: nn.Module, given: Any, output: Any) -> Any:
        leaf = _tensor_of(output).detach().requires_grad_()
        found[:] = [leaf]
        torch.set_grad_enabled(True)
        return _with_tensor(output, leaf.clone())

    with classifier.running() as network, _no_grad_yet():
        handle = network.get_submodule(layer.name).register_forward_hook(take)
        try:
            logits = classifier.read(network(batch))
        finally:
            handle.remove()
    if not found:
        raise WrongUse(f"The network did not run its part {layer.name}.")
    if not logits.requires_grad:
        raise BadInput(
            f"{classifier.card.title} computes without gradients after {layer.name}.",
            way_out="Choose a method that needs none: occlusion or RISE.",
        )
    return found[0], logits


@contextmanager
def _no_grad_yet() -> Iterator[None]:
    """Start without gradients, leave whatever mode the caller was in as it was."""
    before = torch.is_grad_enabled()
    with torch.inference_mode(False):
        torch.set_grad_enabled(False)
        try:
            yield
        finally:
            torch.set_grad_enabled(before)


def _find(classifier: ImageClassifier, batch: Tensor, name: str) -> Layer:
    known = layers_of(classifier, batch)
    if name:
        for layer in known:
            if layer.name == name:
                return replace(layer, reason=f"{name} was asked for; {_shape_words(layer)}.")
        if name not in dict(classifier.network.named_modules()):
            close = [x.name for x in known if name.split(".")[-1] in x.name][-3:]
            hint = f"Its last layers: {', '.join(close or [x.name for x in known[-3:]])}."
            raise WrongUse(f"{classifier.card.title} has no layer {name}.", way_out=hint)
        raise WrongUse(
            f"The layer {name} of {classifier.card.title} is no picture: it has no grid.",
            way_out="Leave the layer out; one is found for you.",
        )
    if not known:
        raise BadInput(
            f"{classifier.card.title} has no layer that is still a picture, so no map can be "
            "made from its inside.",
            way_out="Use occlusion, RISE, gradients or integrated gradients.",
        )
    usable = [x for x in known if x.channels != len(classifier.class_names)] or list(known)
    if classifier.pixelwise:
        coarsest = min(x.grid[0] * x.grid[1] for x in usable)
        layer = [x for x in usable if x.grid[0] * x.grid[1] == coarsest][-1]
        same = all(x.grid == layer.grid for x in usable)
        words = "the last layer" if same else "the coarsest layer, before the way back to pixels"
        return replace(layer, reason=f"{layer.name} is {words}; {_shape_words(layer)}.")
    return _last_that_matters(classifier, batch, usable)


def _last_that_matters(
    classifier: ImageClassifier, batch: Tensor, usable: Sequence[Layer]
) -> Layer:
    """Return the last layer whose cells have a gradient."""
    tokens = [x for x in usable if x.kind == TOKENS]
    if tokens and usable[-1].kind == TOKENS:
        # Inside a block tokens are wider (queries, keys and values side by side).
        usable = [x for x in usable if x.kind != TOKENS or x.channels == tokens[-1].channels]
    for start in dict.fromkeys((max(0, len(usable) - _LOOK_BACK), 0)):
        some = usable[start:]
        passed, reach = _reach(classifier, batch, some)
        for place in range(len(some) - 1, -1, -1):
            if not reach[place]:
                continue
            layer = _outermost(some, passed, _before_projections(some, passed, place))
            later = any(x.kind == TOKENS for x in some[place + 1 :])
            if layer.kind == TOKENS and later:
                why = "the last layer whose patches still reach the answer, before attention"
            else:
                why = "the last layer that is still a picture"
            return replace(layer, reason=f"{layer.name} is {why}; {_shape_words(layer)}.")
    layer = usable[-1]
    return replace(
        layer,
        reason=f"{layer.name} is the last layer that is still a picture, though no gradient "
        f"reaches it; {_shape_words(layer)}.",
    )


@dataclass(frozen=True, eq=False)
class _Passed:
    """What went through a part: its input, its output, and what its output's gradient is at."""

    given: Tensor | None
    made: Tensor
    leaf: Tensor


def _reach(
    classifier: ImageClassifier, batch: Tensor, some: Sequence[Layer]
) -> tuple[list[_Passed | None], list[bool]]:
    """Tell of each layer whether its cells change the answer at all."""
    caught: dict[str, _Passed] = {}

    def hook(name: str) -> Any:
        def take(part: nn.Module, given: Any, output: Any) -> Any:
            made = leaf = _tensor_of(output)
            if not made.requires_grad:
                torch.set_grad_enabled(True)
                leaf = made.detach().requires_grad_()
                made = leaf.clone()
                output = _with_tensor(output, made)
            first = given[0] if given and isinstance(given[0], Tensor) else None
            caught[name] = _Passed(first, made, leaf)
            return output

        return take

    read: list[Tensor] = []

    def before_answer(part: nn.Module, given: Any) -> None:
        if given and isinstance(given[0], Tensor) and given[0].ndim == 2:
            read[:] = [given[0]]

    noise = torch.randn(batch.shape, generator=torch.Generator().manual_seed(0)).to(batch.device)
    with classifier.running() as network, _no_grad_yet(), ExitStack() as stack:
        for layer in some:
            part = network.get_submodule(layer.name)
            handle = part.register_forward_hook(hook(layer.name))
            stack.callback(handle.remove)
        for part in network.modules():
            if isinstance(part, nn.Linear):
                stack.callback(part.register_forward_pre_hook(before_answer).remove)
        logits = classifier.read(network(noise.to(batch.dtype)))
    passed = [caught.get(x.name) for x in some]
    tensors = [None if p is None else p.leaf for p in passed]
    # A head that begins with noughts passes no gradient; what it reads tells as much.
    for answer in (logits, *read):
        reach = _gradients_reach(answer, some, tensors)
        if any(reach):
            break
    return passed, reach


def _gradients_reach(
    answer: Tensor, some: Sequence[Layer], tensors: Sequence[Tensor | None]
) -> list[bool]:
    if not answer.requires_grad:
        return [False] * len(some)
    inputs = [t for t in tensors if t is not None and t.requires_grad]
    with torch.inference_mode(False), torch.enable_grad():
        weights = torch.linspace(1, 2, answer[0].numel(), device=answer.device)
        total = (answer[0].flatten() * weights).sum()
        found = iter(torch.autograd.grad(total, inputs, allow_unused=True, retain_graph=True))
    reach = []
    for layer, tensor in zip(some, tensors, strict=True):
        gradient = next(found) if tensor is not None and tensor.requires_grad else None
        reach.append(gradient is not None and bool(layer.to_grid(gradient).abs().max() > 0))
    return reach


def _before_projections(some: Sequence[Layer], passed: Sequence[_Passed | None], place: int) -> int:
    """Step back from one of several projections of the same tokens to what made those.

    Queries, keys and values of as many channels as the tokens look like layers of their own.
    """
    this = passed[place]
    if some[place].kind != TOKENS or this is None or this.given is None:
        return place
    inside = some[place].name.rpartition(".")[0]
    alike = sum(
        p is not None and p.given is this.given and layer.name.rpartition(".")[0] == inside
        for layer, p in zip(some, passed, strict=True)
    )
    made = [n for n in range(place) if (p := passed[n]) is not None and p.made is this.given]
    return made[-1] if alike > 1 and made else place


def _outermost(some: Sequence[Layer], passed: Sequence[_Passed | None], place: int) -> Layer:
    """Of parts that hand on the same tensor choose the one a person would name."""
    this = passed[place]
    if this is None:
        return some[place]
    same = [
        layer
        for layer, other in zip(some, passed, strict=True)
        if other is not None
        and other.leaf.shape == this.leaf.shape
        and (other.leaf is this.leaf or other.leaf.data_ptr() == this.leaf.data_ptr())
    ]
    return min(same, key=lambda layer: (layer.name.count("."), len(layer.name)))


def _record(classifier: ImageClassifier, batch: Tensor) -> tuple[Layer, ...]:
    """Run once and note the shape of everything that is handed on."""
    shapes: dict[str, tuple[int, ...]] = {}
    calls: dict[str, int] = {}

    def hook(name: str) -> Any:
        def note(part: nn.Module, given: Any, output: Any) -> None:
            value = output if isinstance(output, Tensor) else None
            if value is not None and value.is_floating_point():
                calls[name] = calls.get(name, 0) + 1
                shapes[name] = tuple(value.shape)

        return note

    with classifier.running() as network, torch.no_grad(), ExitStack() as stack:
        for name, part in network.named_modules():
            if name:
                stack.callback(part.register_forward_hook(hook(name)).remove)
        network(batch)
    size = int(batch.shape[-2]), int(batch.shape[-1])
    # A part that runs twice (one ReLU for all) is no place.
    once = {name: shape for name, shape in shapes.items() if calls[name] == 1}
    # Rows that are pixels, not images: a network of single spectra has no picture inside,
    # though its channels may count as many as some grid of patches.
    once = {name: shape for name, shape in once.items() if shape[:1] == (len(batch),)}
    leading = _known_leading(classifier.network)
    tokens = {(shape[1], shape[2]) for shape in once.values() if len(shape) == 3}
    found = [_layer(name, shape, size, leading, tokens) for name, shape in once.items()]
    return tuple(layer for layer in found if layer is not None)


def _layer(
    name: str,
    shape: tuple[int, ...],
    size: tuple[int, int],
    leading: int | None,
    tokens: set[tuple[int, int]],
) -> Layer | None:
    """Read a tensor's shape as a picture, or return None."""
    if len(shape) == 4:
        _, a, b, c = shape
        if (b, a * c) in tokens:
            return None  # tokens, each in heads
        if any(b == count for count, _ in tokens) and (c == b or not _is_grid((b, c), size)):
            return None  # attention between tokens
        if _is_grid((b, c), size):
            return Layer(name, MAP, (b, c), a)
        if _is_grid((a, b), size):
            return Layer(name, MAP_LAST, (a, b), c)
        return None
    if len(shape) != 3 or shape[2] == 1:  # means over tokens have one value each
        return None
    tries = range(MOST_LEADING + 1) if leading is None else (leading, 0)
    for skip in tries:
        grid = _token_grid(shape[1] - skip, size)
        if grid is not None:
            return Layer(name, TOKENS, grid, shape[2], skip)
    return None


def _is_grid(grid: tuple[int, int], size: tuple[int, int]) -> bool:
    rows, cols = grid
    if rows * cols < 2 or rows > size[0] or cols > size[1]:
        return False
    return 0.5 <= (size[0] / rows) / (size[1] / cols) <= 2.0


def _token_grid(count: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return rows and columns of square patches that make so many tokens."""
    if count < 2:
        return None
    rows = max(1, round(math.sqrt(count * size[0] / size[1])))
    cols = count // rows
    if rows * cols != count or not _is_grid((rows, cols), size):
        return None
    down, across = size[0] / rows, size[1] / cols
    return (rows, cols) if abs(down - across) <= 0.15 * max(down, across) else None


def _known_leading(network: nn.Module) -> int | None:
    """Return how many tokens the network itself says come before the patches."""
    for part in network.modules():
        number = getattr(part, "num_prefix_tokens", None)
        if isinstance(number, int):
            return number
    return None


def _shape_words(layer: Layer) -> str:
    cells = f"{layer.grid[0]} × {layer.grid[1]}"
    if layer.kind != TOKENS:
        return f"{layer.channels} channels on {cells} cells"
    words = f"{layer.channels} channels on {cells} patches"
    if layer.leading:
        leading = "token" if layer.leading == 1 else "tokens"
        words += f", {layer.leading} leading {leading} left out"
    return words


def _tensor_of(output: Any) -> Tensor:
    if isinstance(output, (tuple, list)):
        return output[0]
    return output


def _with_tensor(output: Any, value: Tensor) -> Any:
    if isinstance(output, tuple):
        return (value, *output[1:])
    return value
