"""Networks that can be taught to tell images apart: built for any classes, bands and size.

The builds are those of timm and torchvision, which own them; the compact network is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.errors import BadInput, WrongUse

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes
    ----------
    id, title : str
    library : str
        ``"timm"``, ``"torchvision"`` or ``"own"``.
    name : str
        There.
    first, head : str
        Names of the layer that reads the bands and of the one that gives the classes.
    multiple : int
        Both sides of the image must be a multiple of it.
    normal : (mean, std)
        Of values 0..1, as its published weights want them.
    reconstruction : str
        What of it is our own reading of its source; empty when nothing.
    change : str
        What is built otherwise than its library does.
    """

    id: str
    title: str
    library: str
    name: str
    first: str
    head: str
    multiple: int = 1
    normal: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    reconstruction: str = ""
    change: str = ""


_OWN = (
    "Layers, widths and training are our reconstruction of arXiv 2601.11911, whose own "
    "listing could not be read; its figures are not ours."
)

ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "compact_cnn", "Compact CNN", "own", "compact_cnn", "stem.0", "head", 16,
        reconstruction=_OWN,
    ),
    Architecture(
        "mobilenetv2_100", "MobileNetV2", "timm", "mobilenetv2_100", "conv_stem", "classifier"
    ),
    Architecture(
        "squeezenet1_0", "SqueezeNet 1.0", "torchvision", "squeezenet1_0", "features.0",
        "classifier.1", change="The ReLU after SqueezeNet's last layer, which cuts scores at 0, "
        "is left out.",
    ),
    Architecture(
        "efficientnet_b0", "EfficientNet-B0", "timm", "efficientnet_b0", "conv_stem", "classifier"
    ),
    Architecture("resnet18", "ResNet-18", "timm", "resnet18", "conv1", "fc"),
    Architecture("resnet50", "ResNet-50", "timm", "resnet50", "conv1", "fc"),
    Architecture("resnet101", "ResNet-101", "timm", "resnet101", "conv1", "fc"),
    Architecture(
        "densenet161", "DenseNet-161", "timm", "densenet161", "features.conv0", "classifier"
    ),
    Architecture(
        "vit_base_patch16_224", "ViT-B/16", "timm", "vit_base_patch16_224", "patch_embed.proj",
        "head", 16, HALVES,
    ),
)  # fmt: skip


def architecture(wanted: str) -> Architecture:
    """Return an architecture by id; ``timm:NAME`` is any of timm's.

    Raises
    ------
    WrongUse
        There is none of that id.
    """
    for known in ARCHITECTURES:
        if wanted == known.id:
            return known
    library, _, name = wanted.partition(":")
    if library == "timm" and name:
        import timm

        if timm.is_model(name):
            facts = timm.get_pretrained_cfg(name)
            normal = (tuple(facts.mean), tuple(facts.std)) if facts is not None else IMAGENET
            first = facts.first_conv if facts is not None else ""
            head = facts.classifier if facts is not None else ""
            if isinstance(first, str) and isinstance(head, str):
                multiple = 16 if "patch16" in name else 14 if "patch14" in name else 1
                return Architecture(wanted, name, "timm", name, first, head, multiple, normal)
    raise WrongUse(
        f"There is no architecture called {wanted}.",
        way_out=f"Use one of: {', '.join(a.id for a in ARCHITECTURES)}, or timm:NAME.",
    )


def build_network(
    kind: Architecture, classes: int, bands: int, size: tuple[int, int], *, seed: int = 0
) -> nn.Module:
    """Build a network with random weights that depend on the seed only.

    Parameters
    ----------
    kind : Architecture
    classes, bands : int
    size : (rows, cols)
        Of the images it will be given.

    Raises
    ------
    WrongUse
        The size does not suit it.
    """
    if size[0] % kind.multiple or size[1] % kind.multiple:
        near = max(kind.multiple, round(size[0] / kind.multiple) * kind.multiple)
        raise WrongUse(
            f"{kind.title} takes images whose sides are multiples of {kind.multiple}.",
            way_out=f"Use a size of {near}, for example.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind.library == "own":
            from backends.learning.compact_cnn import CompactCnn

            return CompactCnn(classes, bands)
        if kind.library == "torchvision":
            import torchvision

            network: nn.Module = torchvision.models.get_model(
                kind.name, weights=None, num_classes=classes
            )
            if bands != 3:
                _replace_first(network, kind.first, bands)
            if kind.name.startswith("squeezenet"):
                # Its ReLU after the last layer would cut the scores at 0, where an image that
                # belongs to no class gets the same score in all and is called the first.
                network.get_submodule("classifier")[2] = nn.Identity()
            return network
        import timm

        more: dict[str, Any] = {"img_size": size} if kind.multiple > 1 else {}
        try:
            made: nn.Module = timm.create_model(
                kind.name, pretrained=False, num_classes=classes, in_chans=bands, **more
            )
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            raise WrongUse(
                f"{kind.title} cannot be built for {bands} bands and {size[0]} × {size[1]} pixels.",
                details=repr(error),
            ) from error
        return made


def start_from(network: nn.Module, kind: Architecture, path: Path) -> tuple[str, ...]:
    """Give a network the weights of a file; what cannot be taken over stays random.

    Parameters
    ----------
    network : nn.Module
        Made by `build_network`; changed in place.
    kind : Architecture
    path : Path
        safetensors, or a PyTorch file of plain tensors (nothing is unpickled).

    Returns
    -------
    tuple of str
        What was done, for the card.

    Raises
    ------
    BadInput
        No such file, or weights of another architecture.
    """
    found = _strip(read_tensors(path))
    own = network.state_dict()
    notes: list[str] = []
    found = _positions(network, found)
    given = found.get(f"{kind.first}.weight")
    wanted = own.get(f"{kind.first}.weight")
    if given is not None and wanted is not None and given.shape[1] != wanted.shape[1]:
        has, bands = int(given.shape[1]), int(wanted.shape[1])
        found[f"{kind.first}.weight"] = adapt_first_layer(given, bands)
        notes.append(
            f"The first layer was made for {has} bands and was adapted to {bands}: "
            + ("its bands added up." if bands == 1 else f"its bands repeated, times {has}/{bands}.")
        )
    head = {n: v for n, v in own.items() if n.startswith(f"{kind.head}.")}
    new_head = any(n not in found or found[n].shape != v.shape for n, v in head.items())
    if new_head:
        found = {n: v for n, v in found.items() if not n.startswith(f"{kind.head}.")}
        notes.append("The last layer is new: the weights were for other classes.")
    body = {n for n in own if n not in head}
    missing = sorted(n for n in body if n not in found and not n.endswith("num_batches_tracked"))
    wrong = sorted(n for n in body if n in found and found[n].shape != own[n].shape)
    strange = sorted(n for n in found if n not in own)
    if missing or wrong or len(strange) > len(found) // 2:
        raise BadInput(
            f"{path.name} does not fit {kind.title}: it holds weights of another architecture.",
            subject=path,
            way_out="Choose the architecture they were made for.",
            details=f"missing {missing[:5]}, of other shape {wrong[:5]}, unknown {strange[:5]}",
        )
    network.load_state_dict({n: v for n, v in found.items() if n in own}, strict=False)
    return tuple(notes)


def norms_are_folded(network: nn.Module) -> bool:
    """Tell whether batch norms do nothing: published so, their work is in the weights.

    Statistics of a batch would then undo what the weights know. Of a network with random
    weights it says nothing.
    """
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    means = [part.running_mean for part in norms if part.running_mean is not None]
    spread = [part.running_var for part in norms if part.running_var is not None]
    return bool(norms) and all(
        bool((mean == 0).all()) and bool((variance - 1).abs().max() < 1e-3)
        for mean, variance in zip(means, spread, strict=True)
    )


def adapt_first_layer(weight: Tensor, bands: int) -> Tensor:
    """Return the weights of a first layer for another number of bands.

    One band: the sum over bands, as if grey came in all of them. More: the bands' weights
    repeated in turn and scaled so that the answer to an even image stays (timm's rule).

    Parameters
    ----------
    weight : tensor of shape (out, bands before, rows, cols)
    """
    before = weight.shape[1]
    if bands == 1:
        return weight.sum(1, keepdim=True)
    repeated = weight.repeat(1, math.ceil(bands / before), 1, 1)[:, :bands]
    return repeated * (before / bands)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of weights without running anything in it.

    Raises
    ------
    BadInput
        No such file, not such a file, or one that would have to be unpickled.
    """
    if not path.is_file():
        raise BadInput(f"The weights {path.name} do not exist.", subject=path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        values: Any = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("state_dict", "model", "model_state_dict"):
            if isinstance(values, Mapping) and isinstance(values.get(key), Mapping):
                values = values[key]
        return {str(n): v for n, v in values.items() if isinstance(v, Tensor)}
    except Exception as error:  # safetensors, pickle and zip fail in many ways
        raise BadInput(
            f"{path.name} is no file of weights that can be read safely.",
            subject=path,
            way_out="Save the weights as safetensors.",
            details=repr(error),
        ) from error


def _strip(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop prefixes that wrappers put before every name."""
    for prefix in ("module.", "model.", "network."):
        if found and all(name.startswith(prefix) for name in found):
            found = {name[len(prefix) :]: value for name, value in found.items()}
    return found


def _positions(network: nn.Module, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fit a transformer's table of positions to another image size."""
    own = getattr(network, "pos_embed", None)
    given = found.get("pos_embed")
    if own is None or given is None or given.shape == own.shape:
        return found
    from timm.layers import resample_abs_pos_embed

    grid = network.patch_embed.grid_size
    prefix = int(getattr(network, "num_prefix_tokens", 1))
    fitted = resample_abs_pos_embed(given, list(grid), num_prefix_tokens=prefix)
    return {**found, "pos_embed": fitted}


def _replace_first(network: nn.Module, name: str, bands: int) -> None:
    """Put a convolution for another number of bands in the place of the first one."""
    place, _, last = name.rpartition(".")
    parent = network.get_submodule(place)
    old = parent.get_submodule(last)
    assert isinstance(old, nn.Conv2d)
    new = nn.Conv2d(
        bands,
        old.out_channels,
        old.kernel_size,
        old.stride,
        old.padding,
        bias=old.bias is not None,
    )
    setattr(parent, last, new)
