"""Weights of the published Keras models (.h5), read as plain arrays: nothing in them is run.

Layout of a Keras 2 or 3 weights file in HDF5: a group a layer (under ``model_weights`` where
the whole model was saved), the layers' order in the attribute ``layer_names``, each layer's
arrays in ``weight_names``. Convolutions are (rows, cols, in, out), transposed ones (rows, cols,
out, in), dense ones (in, out); a normalisation has gamma, beta, moving mean, moving variance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.errors import BadInput
from backends.fire.networks import FireClassifier, FireSegmenter

_MOST_NUMBERS = 2_000_000
_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


def load_keras(network: FireClassifier | FireSegmenter, path: Path) -> None:
    """Give a network the weights of a Keras file; layers are matched in order and by shape.

    Raises
    ------
    BadInput
        Not such a file, too large, damaged, or of another network.
    """
    try:
        groups = _read(path)
    except _ERRORS as error:
        raise BadInput(
            f"{path.name} is no file of Keras weights that can be read.",
            subject=path,
            way_out="Save the model's weights as .h5 with Keras 2 or 3.",
            details=repr(error),
        ) from error
    wanted = list(_slots(network))
    if len(groups) != len(wanted):
        raise _other(path, network, f"it has {len(groups)} layers with weights, not {len(wanted)}")
    state: dict[Tensor, Tensor] = {}
    for (kind, targets), arrays in zip(wanted, groups, strict=True):
        if len(arrays) != len(targets):
            raise _other(path, network, f"a layer has {len(arrays)} arrays, not {len(targets)}")
        for target, array in zip(targets, arrays, strict=True):
            turned = _turned(kind, array)
            if turned.shape != tuple(target.shape):
                said = f"an array has shape {turned.shape}, not {tuple(target.shape)}"
                raise _other(path, network, said)
            state[target] = torch.from_numpy(np.ascontiguousarray(turned, np.float32))
    with torch.no_grad():
        for target, value in state.items():
            if not torch.isfinite(value).all():
                raise BadInput(f"{path.name} holds weights that are no numbers.", subject=path)
            target.copy_(value)


def keras_arrays(network: FireClassifier | FireSegmenter) -> list[tuple[str, list[NDArray[Any]]]]:
    """Return kind and arrays of each layer in Keras's order and layout, as such a file has them."""
    out = []
    for kind, targets in _slots(network):
        arrays = [_to_keras(kind, t.detach().cpu().numpy()) for t in targets]
        out.append((kind, arrays))
    return out


def _other(path: Path, network: nn.Module, why: str) -> BadInput:
    kind = "classifier" if isinstance(network, FireClassifier) else "segmenter"
    return BadInput(
        f"{path.name} does not hold the weights of this fire {kind}: {why}.",
        subject=path,
        way_out="Check the number of bands and that it is the other of the two networks.",
    )


def _slots(network: FireClassifier | FireSegmenter) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield kind and tensors of each layer in the order in which Keras built it."""

    def norm(layer: Any) -> tuple[str, list[Tensor]]:
        return "norm", [layer.weight, layer.bias, layer.running_mean, layer.running_var]

    def conv(layer: Any) -> tuple[str, list[Tensor]]:
        return "conv", [layer.weight, layer.bias]

    if isinstance(network, FireClassifier):
        for one, other in zip(network.convolutions, network.norms, strict=True):
            yield conv(one)
            yield norm(other)
        yield "dense", [network.head.weight, network.head.bias]
        return
    for block, other in zip(network.down, network.norms, strict=True):
        yield conv(block.first)
        yield conv(block.second)
        yield norm(other)
    yield conv(network.bottom.first)
    yield conv(network.bottom.second)
    for rise, block in zip(network.rise, network.up, strict=True):
        yield "rise", [rise.weight, rise.bias]
        yield conv(block.first)
        yield conv(block.second)
    yield conv(network.head)


def _turned(kind: str, array: NDArray[Any]) -> NDArray[Any]:
    if kind in ("conv", "rise") and array.ndim == 4:
        return array.transpose(3, 2, 0, 1)  # both end with what torch begins with
    return array.T if kind == "dense" and array.ndim == 2 else array


def _to_keras(kind: str, array: NDArray[Any]) -> NDArray[Any]:
    if kind in ("conv", "rise") and array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if kind == "dense" and array.ndim == 2 else array


def _read(path: Path) -> list[list[NDArray[np.float32]]]:
    """Return the arrays of each layer that has any, in order."""
    import h5py

    with h5py.File(path, "r") as file:
        root = file.get("model_weights", file)
        layers = [_text(n) for n in root.attrs["layer_names"]]
        total, groups = 0, []
        for name in layers[:500]:
            group = root[name]
            arrays = []
            for weight in group.attrs["weight_names"]:
                # Links may lead out of the file: only what lies in it is read.
                link = group.get(_text(weight), getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise ValueError("a weight is a link to elsewhere")
                node = group[_text(weight)]
                total += int(np.prod(node.shape, dtype=np.int64))
                outside = node.external or node.is_virtual
                if total > _MOST_NUMBERS or node.dtype.kind != "f" or node.ndim > 4 or outside:
                    raise ValueError("not the weights of a small network")
                arrays.append(np.asarray(node, np.float32))
            if arrays:
                groups.append(arrays)
    return groups


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
