"""CLIP transformers of the open_clip package, where that is installed; it is no dependency.

Source: open_clip's own layout of ``VisionTransformer``: a convolution, a class token, a table
of positions, blocks with ``nn.MultiheadAttention``, a norm, a projection. It takes one size
only; here positions are resized into a new table as it runs.
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.concepts.encoders.patches import DenseReader
from backends.concepts.encoders.positions import resized_positions
from backends.errors import BadInput, MissingCapability, WrongUse
from backends.explain import published
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.jobs import Progress

_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")


class OpenClipVision(nn.Module):
    """The picture's side of an open_clip model, at any size.

    Gives the embedding of the whole image, (n, d); its part ``patches`` hands on the last
    block's patches after the last norm, (n, width, rows, cols).
    """

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual
        self.patches = nn.Identity()

    def embed(self, x: Tensor) -> Tensor:
        """Return tokens as the first block wants them: (n, 1 + patches, width)."""
        net: Any = self.visual
        cells = net.conv1(x)
        grid = int(cells.shape[2]), int(cells.shape[3])
        first = net.class_embedding.to(cells.dtype).expand(len(x), 1, -1)
        tokens = torch.cat([first, cells.flatten(2).transpose(1, 2)], 1)
        made: Tensor = net.ln_pre(tokens + resized_positions(net.positional_embedding, 1, grid))
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedding of images, (n, d)."""
        net: Any = self.visual
        tokens = net.ln_post(net.transformer(self.embed(x)))
        patch = net.patch_size[0]
        rows = int(x.shape[-2]) // patch
        self.patches(tokens[:, 1:].transpose(1, 2).reshape(len(x), tokens.shape[2], rows, -1))
        made: Tensor = tokens[:, 0] @ net.proj
        return made


class DenseOpenClip(DenseReader):
    """CLIP transformers of open_clip."""

    @classmethod
    def fits(cls, network: nn.Module) -> bool:
        """Return whether a network is such a transformer."""
        return isinstance(network, OpenClipVision)

    def blocks(self, network: Any) -> Any:
        """Return the blocks in order."""
        return network.visual.transformer.resblocks

    def norm_of(self, block: Any) -> nn.Module:
        """Return the second norm of a block."""
        norm: nn.Module = block.ln_2
        return norm

    def width(self, network: Any) -> int:
        """Return the width of the stream."""
        return int(network.visual.conv1.out_channels)

    def tokens_first(self, network: Any, stream: Tensor) -> Tensor:
        """Return a stream as (n, tokens, width): before 3.0 tokens came first."""
        batch_first = bool(getattr(network.visual.transformer, "batch_first", False))
        return stream if batch_first else stream.transpose(0, 1)

    def last(self, network: Any, stream: Tensor) -> Tensor:
        """Return the last block without attention, the last norm and the projection."""
        net = network.visual
        last = net.transformer.resblocks[-1]
        attention, width = last.attn, stream.shape[-1]
        bias = attention.in_proj_bias
        value = nn.functional.linear(
            last.ln_1(stream),
            attention.in_proj_weight[2 * width :],
            None if bias is None else bias[2 * width :],
        )
        stream = stream + last.ls_1(attention.out_proj(value))
        stream = stream + last.ls_2(last.mlp(last.ln_2(stream)))
        made: Tensor = net.ln_post(stream) @ net.proj
        return made


def library() -> Any:
    """Return the package.

    Raises
    ------
    MissingCapability
        It is not installed.
    """
    try:
        return importlib.import_module("open_clip")
    except ImportError as error:
        raise MissingCapability(
            "Models of open_clip need the package open_clip, which is not installed.",
            way_out="Install it with: uv pip install 'clearband[hub]'; or use "
            "timm:vit_base_patch16_clip_224.",
        ) from error


def open_model(
    name: str, weights: str, *, fetch: bool = False, progress: Progress | None = None
) -> tuple[Any, str, str]:
    """Open an open_clip model, both sides.

    Parameters
    ----------
    name : str
        As open_clip calls it: ``"ViT-B-16"``.
    weights : str
        A file, or a tag of open_clip; never left out, for random ones would be taken then.

    Returns
    -------
    model, SHA-256 of the weights, what they are

    Raises
    ------
    WrongUse, BadInput, MissingCapability
    """
    clip = library()
    if name not in clip.list_models():
        raise WrongUse(
            f"open_clip has no model {name}.",
            way_out="Its names look like ViT-B-16; open_clip.list_models() lists them.",
        )
    path = Path(weights).expanduser()
    known = f"as published: {weights}"
    if not path.is_file():
        path = _published(clip, name, weights, fetch, progress)
    else:
        known = f"unknown ({path.name})"
    try:
        model = clip.create_model(name, pretrained=str(path), require_pretrained=True)
    except Exception as error:  # unpickling, shapes, keys: it fails in many ways
        raise BadInput(
            f"{path.name} holds no weights of {name}.", subject=path, details=repr(error)
        ) from error
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return model.eval().requires_grad_(False), digest, known


def open_vision(
    name: str,
    weights: str = "",
    *,
    fetch: bool = False,
    untrained: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> ImageClassifier:
    """Open the picture's side of an open_clip model as a network that hands out features."""
    title = f"{name} (open_clip)"
    if weights:
        model, digest, known = open_model(name, weights, fetch=fetch, progress=progress)
        card = Card(name, title, f"open_clip, {Path(weights).name}", known, digest)
    elif untrained:
        clip = library()
        if name not in clip.list_models():
            raise WrongUse(f"open_clip has no model {name}.")
        model = clip.create_model(name, load_weights=False).eval().requires_grad_(False)
        card = Card(name, f"{title}, untrained", "random weights, built by open_clip")
    else:
        raise MissingCapability(
            f"The weights of {title} were not named.",
            way_out="Give a file or one of open_clip's tags (--weights laion2b_s34b_b88k --fetch), "
            "or take random ones by command: --untrained.",
        )
    return of_visual(model.visual, card, device)


def of_visual(visual: Any, card: Card, device: str = "cpu") -> ImageClassifier:
    """Wrap the picture's side of a model.

    Raises
    ------
    WrongUse
        It is no plain transformer with a class token.
    """
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    plain = blocks is not None and hasattr(blocks[-1], "ls_1") and hasattr(visual, "conv1")
    pooled = getattr(visual, "pool_type", "tok") != "tok" or getattr(visual, "attn_pool", None)
    if not plain or pooled or getattr(visual, "final_ln_after_pool", False):
        raise WrongUse(
            f"{card.title} is no plain transformer with a class token, which is what can be read "
            "here.",
            way_out="Use ViT-B-16, or the same model of timm or transformers.",
        )
    facts = getattr(visual, "preprocess_cfg", None) or {}
    size = visual.image_size
    spec = InputSpec(
        (int(size[0]), int(size[1])),
        mean=tuple(map(float, facts.get("mean") or visual.image_mean)),
        std=tuple(map(float, facts.get("std") or visual.image_std)),
        interpolation="bicubic",
        multiple=int(visual.patch_size[0]),
    )
    names = tuple(f"feature {n}" for n in range(int(visual.proj.shape[1])))
    return ImageClassifier(OpenClipVision(visual), names, spec, card, device=device)


def _published(clip: Any, name: str, tag: str, fetch: bool, progress: Progress | None) -> Path:
    """Return the file of a tag: kept here, in the library's cache, or fetched."""
    facts = clip.get_pretrained_cfg(name, tag)
    repository, _, file = str(facts.get("hf_hub") or "").rpartition("/")
    if not facts:
        known = ", ".join(clip.list_pretrained_tags_by_model(name)[:6])
        raise BadInput(
            f"{tag} is neither a file nor a tag of {name}.",
            way_out=f"Its tags: {known}." if known else "Give a file of weights.",
        )
    title = f"the weights {tag} of {name}"
    if not repository:
        raise MissingCapability(
            f"{title[0].upper()}{title[1:]} are not where they could be fetched from.",
            way_out="Give a file of weights.",
        )
    for each in (file, *_FILES) if file else _FILES:
        here = published.cached_from_hub(repository, each)
        if here is not None:
            return here
    if not fetch:
        raise MissingCapability(
            f"{title[0].upper()}{title[1:]} are not here.",
            way_out="Ask to fetch the published ones, or give a file of weights.",
        )
    wanted = _FILES[0] if not file or file.endswith(".bin") else file
    return published.fetch_from_hub(repository, wanted, title, progress)
