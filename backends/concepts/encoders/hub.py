"""Encoders of the transformers library, where that is installed; it is no dependency.

Any model whose last hidden state is a row of patches (ViT, DINOv2, DINOv3, CLIP, SigLIP, Swin)
or a map (ResNet, ConvNeXt). Its own positions are interpolated as it runs, into a new table.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from backends.concepts.encoders.patches import DenseReader
from backends.errors import BadInput, MissingCapability, WrongUse
from backends.explain import published
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.jobs import Progress

_LONGER = "interpolate_pos_encoding"


class HubVision(nn.Module):
    """The picture's side of a model of transformers.

    Gives the mean patch, (n, d); its part ``patches`` hands on the last hidden state,
    (n, d, rows, cols).

    Parameters
    ----------
    vision : module
        Takes ``pixel_values``, gives ``last_hidden_state``.
    projection : module, optional
        Of CLIP, to the space of the words.
    """

    def __init__(self, vision: nn.Module, projection: nn.Module | None = None) -> None:
        super().__init__()
        self.vision = vision
        self.projection = projection
        self.patches = nn.Identity()
        config: Any = vision.config
        self.patch = _one(getattr(config, "patch_size", None) or 1)
        takes = inspect.signature(vision.forward).parameters
        self._more = {_LONGER: True} if _LONGER in takes else {}

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean patch of images, (n, d)."""
        found = self.vision(pixel_values=x, **self._more).last_hidden_state
        made: Tensor = self.patches(self.to_map(found, (int(x.shape[-2]), int(x.shape[-1]))))
        return made.mean((2, 3))

    def to_map(self, found: Tensor, size: tuple[int, int]) -> Tensor:
        """Return a hidden state as (n, d, rows, cols)."""
        if found.ndim == 4:
            return found
        rows, cols = size[0] // self.patch, size[1] // self.patch
        while rows * cols > found.shape[1] and min(rows, cols) > 1:
            rows, cols = rows // 2, cols // 2  # patches are merged on the way
        leading = found.shape[1] - rows * cols
        if not 0 <= leading <= 16:
            raise BadInput("The patches of this network lie on no grid that is understood.")
        cells = found[:, leading:].transpose(1, 2)
        return cells.reshape(len(found), found.shape[2], rows, cols)


class DenseHub(DenseReader):
    """CLIP transformers of the transformers library."""

    @classmethod
    def fits(cls, network: nn.Module) -> bool:
        """Return whether a network is such a transformer."""
        if not isinstance(network, HubVision) or network.projection is None:
            return False
        blocks = getattr(getattr(_inner(network), "encoder", None), "layers", None)
        return blocks is not None and hasattr(blocks[-1].self_attn, "v_proj")

    def blocks(self, network: Any) -> Any:
        """Return the blocks in order."""
        return _inner(network).encoder.layers

    def norm_of(self, block: Any) -> nn.Module:
        """Return the second norm of a block."""
        norm: nn.Module = block.layer_norm2
        return norm

    def width(self, network: Any) -> int:
        """Return the width of the stream."""
        return int(network.vision.config.hidden_size)

    def last(self, network: Any, stream: Tensor) -> Tensor:
        """Return the last block without attention, the last norm and the projection."""
        inner = _inner(network)
        last = inner.encoder.layers[-1]
        attention = last.self_attn
        stream = stream + attention.out_proj(attention.v_proj(last.layer_norm1(stream)))
        stream = stream + last.mlp(last.layer_norm2(stream))
        made: Tensor = network.projection(inner.post_layernorm(stream))
        return made


def open_hub(
    name: str, *, fetch: bool = False, device: str = "cpu", progress: Progress | None = None
) -> ImageClassifier:
    """Open an encoder by its name on the hub, or from a folder.

    Raises
    ------
    MissingCapability
        The library is not installed, or the network is not here and could not be fetched.
    WrongUse
        It reads no pictures.
    """
    try:
        library: Any = importlib.import_module("transformers")
    except ImportError as error:
        raise MissingCapability(
            "Networks of the transformers library need that library, which is not installed.",
            way_out="Install it with: uv pip install 'clearband[hub]'; or use a timm name.",
        ) from error
    folder = Path(name).expanduser()
    here = {"local_files_only": not fetch or folder.is_dir()}
    if fetch and not folder.is_dir():
        published.reachable(name, f"{name}", progress)
    try:
        model, told = library.AutoModel.from_pretrained(
            name, use_safetensors=True, output_loading_info=True, **here
        )
        how = library.AutoImageProcessor.from_pretrained(name, **here)
    except (OSError, ValueError, KeyError) as error:  # also what it raises without a network
        raise MissingCapability(
            f"{folder.name if folder.is_dir() else name} is not here"
            + (", and could not be fetched." if fetch else ", or holds no such network."),
            way_out="Check the name and the network." if fetch else "Ask to fetch it.",
            details=repr(error),
        ) from error
    title = folder.name if folder.is_dir() else name
    # The library makes up what a file lacks; only a classifier's pooling is not needed here.
    lacking = sorted(part for part in told["missing_keys"] if "pooler" not in part)
    if lacking:
        raise BadInput(
            f"The weights of {title} are those of another network: {len(lacking)} parts are "
            "missing.",
            way_out="Take the folder with its own config.json and weights.",
            details=", ".join(lacking[:20]),
        )
    vision: Any = getattr(model, "vision_model", model)
    if "pixel_values" not in inspect.signature(vision.forward).parameters:
        raise WrongUse(f"{title} reads no pictures.", way_out="Choose a vision model.")
    network = HubVision(vision, getattr(model, "visual_projection", None))
    network.eval().requires_grad_(False)
    size = dict(how.size)
    side = int(_one(getattr(vision.config, "image_size", None) or 0)) or int(
        size.get("shortest_edge") or size.get("height") or 224
    )
    spec = InputSpec(
        (side, side),
        mean=tuple(map(float, how.image_mean)),
        std=tuple(map(float, how.image_std)),
        interpolation="bicubic" if int(getattr(how, "resample", 2) or 2) == 3 else "bilinear",
        fixed=not _any_size(vision),
        multiple=network.patch if network.patch > 1 else 32,
    )
    width = int(getattr(vision.config, "hidden_size", 0) or vision.config.hidden_sizes[-1])
    names = tuple(f"feature {n}" for n in range(width))
    card = Card(
        title, f"{title} (transformers)", f"transformers, {title}", f"as published: {title}",
        notes=("The library hands out no checksum of its weights.",),
    )  # fmt: skip
    return ImageClassifier(network, names, spec, card, device=device)


def _any_size(vision: Any) -> bool:
    """Return whether a model takes sizes other than its own."""
    takes = inspect.signature(vision.forward).parameters
    return _LONGER in takes or str(vision.config.model_type).startswith(
        ("dino", "resnet", "convnext")
    )


def _inner(network: Any) -> Any:
    """Return the transformer itself; older versions wrap it once more."""
    return getattr(network.vision, "vision_model", network.vision)


def _one(value: Any) -> int:
    return int(value[0]) if isinstance(value, (list, tuple)) else int(value)
