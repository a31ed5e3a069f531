"""Explanations from a transformer's own attention: rollout, and attention times gradient.

The matrices are caught where they are made: in blocks that can fuse attention (timm,
transformers) it is done step by step for the time of the pass, and torch's own multi-head
attention is computed again from its weights. All are as they were afterwards. Which tokens the
answer is read from (class token, distillation token, the patches' mean) is read off the
gradient at the last matrix: registers come before the patches, too, and nobody reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from backends.errors import BadInput
from backends.explain.asking import Ask
from backends.explain.classifier import ImageClassifier


def attention_rollout(ask: Ask, batch: Tensor) -> Tensor:
    """Attention rollout (Abnar and Zuidema 2020): (A + I)/2 multiplied through the blocks.

    Heads are averaged. It knows no class.
    """
    read = _rows_read(ask, batch)
    with torch.no_grad():
        matrices, _ = attention_of(ask.classifier, batch)
    size = matrices[0].shape[-1]
    eye = torch.eye(size, device=batch.device, dtype=batch.dtype)
    flow = eye.expand(len(batch), size, size)
    for matrix in matrices:
        mixed = matrix.mean(1) + eye
        flow = (mixed / mixed.sum(-1, keepdim=True)) @ flow
    return _patches(ask, flow, read)


def attention_gradient(ask: Ask, batch: Tensor) -> Tensor:
    """Gradient-weighted attention (Chefer et al. 2021, eq. 5 and 6): R + E[(A ∘ dA)⁺] R."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = batch.detach().clone().requires_grad_()
        matrices, logits = attention_of(ask.classifier, leaf)
        _check(ask, matrices)
        gradients = torch.autograd.grad(ask.target.of(logits).sum(), matrices, allow_unused=True)
    size = matrices[0].shape[-1]
    flow = torch.eye(size, device=batch.device, dtype=batch.dtype).expand(len(batch), size, size)
    flow = flow.clone()
    for matrix, gradient in zip(matrices, gradients, strict=True):
        if gradient is not None:
            flow = flow + (matrix * gradient).clamp(min=0).mean(1).detach() @ flow
    # What a patch says of itself before any attention is no attention.
    flow = flow - torch.eye(size, device=batch.device, dtype=batch.dtype)
    return _patches(ask, flow, _weights_of_rows(gradients[-1], ask.place.leading, size))


def attention_of(classifier: ImageClassifier, batch: Tensor) -> tuple[list[Tensor], Tensor]:
    """Run a batch; return the attention of every block, (n, heads, to, from), and the logits."""
    found: list[Tensor] = []

    def keep(matrix: Any) -> None:
        square = isinstance(matrix, Tensor) and matrix.ndim == 4
        square = square and matrix.shape[-1] == matrix.shape[-2]
        if square and not any(matrix is known for known in found):  # parts may hand it on
            found.append(matrix)

    with classifier.running() as network, _unfused(network, keep):
        logits = classifier.read(network(batch))
    return found, logits


@contextmanager
def _unfused(network: nn.Module, keep: Callable[[Any], None]) -> Iterator[None]:
    """Make attention matrices pass by; everything is put back."""
    before: list[tuple[Any, str, Any]] = []
    handles = []

    def put(where: Any, name: str, value: Any) -> None:
        before.append((where, name, getattr(where, name)))
        setattr(where, name, value)

    def passing(part: nn.Module, given: Any, output: Any) -> None:
        keep(output)

    def again(part: nn.Module, given: Any, named: Any, output: Any) -> Any:
        mixed, matrix = _multi_head(part, *given, **named)
        keep(matrix)
        return mixed, output[1]

    def beside(part: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, tuple) and len(output) > 1:
            keep(output[1])

    try:
        for part in network.modules():
            config: Any = getattr(part, "config", None)  # of the transformers library
            if hasattr(config, "_attn_implementation"):
                if config._attn_implementation != "eager":
                    put(config, "_attn_implementation", "eager")
                handles.append(part.register_forward_hook(beside))
            fused = getattr(part, "fused_attn", None)
            drop = getattr(part, "attn_drop", None)
            if isinstance(fused, bool) and isinstance(drop, nn.Module):
                put(part, "fused_attn", False)
                handles.append(drop.register_forward_hook(passing))
            elif isinstance(part, nn.MultiheadAttention):
                handles.append(part.register_forward_hook(again, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()
        for where, name, value in reversed(before):
            setattr(where, name, value)


def _multi_head(
    part: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor, *_: Any, **named: Any
) -> tuple[Tensor, Tensor]:
    """Compute torch's multi-head attention with its matrix on the way of the gradient.

    Raises
    ------
    BadInput
        It is used in a way (masks, other widths for keys) that no image transformer we know
        has.
    """
    plain = part.in_proj_weight is not None and part.bias_k is None and not part.add_zero_attn
    if not plain or named.get("attn_mask") is not None or query.ndim != 3:
        raise BadInput("This kind of attention cannot be taken apart; use token occlusion.")
    if not part.batch_first:
        query, key, value = (x.transpose(0, 1) for x in (query, key, value))
    n, count, width = query.shape
    weights = part.in_proj_weight.chunk(3)
    biases = (None,) * 3 if part.in_proj_bias is None else part.in_proj_bias.chunk(3)
    q, k, v = (
        nn.functional.linear(x, w, b).unflatten(-1, (part.num_heads, -1)).transpose(1, 2)
        for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    matrix = ((q * part.head_dim**-0.5) @ k.transpose(-2, -1)).softmax(-1)
    mixed = (matrix @ v).transpose(1, 2).reshape(n, count, width)
    mixed = part.out_proj(mixed)
    return (mixed if part.batch_first else mixed.transpose(0, 1)), matrix


def _check(ask: Ask, matrices: list[Tensor]) -> None:
    layer, title = ask.place, ask.classifier.card.title
    tokens = layer.leading + layer.grid[0] * layer.grid[1]
    if not matrices:
        raise BadInput(
            f"{title} has no attention that could be shown.",
            way_out="Use a method for any network: Grad-CAM, occlusion or RISE.",
        )
    if any(m.shape[-1] != tokens for m in matrices):
        raise BadInput(
            f"{title} attends within windows or scales, not between all of its patches; its "
            "attention makes no map of the whole image.",
            way_out="Use Grad-CAM, occlusion or RISE.",
        )


def _rows_read(ask: Ask, batch: Tensor) -> Tensor:
    """Return how much of each token the answer is read from; found once an input size."""
    known, key = ask.classifier.found_layers, ("rows read", *batch.shape[1:], ask.classifier.device)
    if key not in known:
        with torch.inference_mode(False), torch.enable_grad():
            leaf = batch[:1].detach().clone().requires_grad_()
            matrices, logits = attention_of(ask.classifier, leaf)
            _check(ask, matrices)
            # All classes at once, each with another weight: it is the network's way to read.
            total = (logits[0].flatten() * torch.linspace(1, 2, logits[0].numel()).to(logits)).sum()
            (gradient,) = torch.autograd.grad(total, matrices[-1:], allow_unused=True)
        known[key] = _weights_of_rows(gradient, ask.place.leading, matrices[-1].shape[-1])
    rows: Tensor = known[key]
    return rows


def _weights_of_rows(gradient: Tensor | None, leading: int, count: int) -> Tensor:
    """Return weights of tokens, shape (tokens,), that add up to one.

    Leading tokens that are read share one half with patches that are read, else all. Where
    no gradient comes (a head of noughts) it is the first token, or the patches' mean.
    """
    read = torch.zeros(count, dtype=torch.bool)
    if gradient is not None:
        read = (gradient.abs().amax((0, 1, 3)) > 0).cpu()
    if not read.any():
        read[slice(0, 1) if leading else slice(None)] = True
    weights = torch.zeros(count)
    groups = [part for part in (slice(0, leading), slice(leading, None)) if read[part].any()]
    for part in groups:
        weights[part] = read[part] / read[part].sum() / len(groups)
    return weights


def _patches(ask: Ask, flow: Tensor, read: Tensor) -> Tensor:
    """Return what the answer takes from each patch, through the tokens it is read from."""
    layer = ask.place
    row = read.to(flow) @ flow
    return row[:, layer.leading :].reshape(len(flow), *layer.grid)
