"""dino.txt (arXiv 2412.16334): a head that brings DINOv2's patches to the space of words.

Two files are published beside the backbone: the picture's head (two more blocks over all tokens
after the last norm, and a norm) and the text side (a causal transformer, read at the end of the
text, and a projection). A text is compared with an image by its first half, with patches by its
second. Sizes are read from the files; heads of attention are 64 wide. Written after the paper
and the published layout, never run with the published weights here: a reconstruction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.errors import BadInput
from backends.explain.classifier import Card, ImageClassifier

HEAD_WIDTH = 64
NOTE = "The words' head is a reconstruction after arXiv 2412.16334."


class Block(nn.Module):
    """A block: x + s·attention(norm x), x + s·mlp(norm x), as the files name its parts.

    Parameters
    ----------
    parts : mapping of str to Tensor
        Its weights by name.
    causal : bool
        Tokens see those before them only.
    """

    def __init__(self, parts: Mapping[str, Tensor], *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.parts = nn.ParameterDict(
            {name.replace(".", "/"): nn.Parameter(value.float()) for name, value in parts.items()}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens of the same shape, (n, tokens, width)."""
        x = x + self._scaled("ls1", self._attention(self._norm(("norm1", "attention_norm"), x)))
        return x + self._scaled("ls2", self._mlp(self._norm(("norm2", "ffn_norm"), x)))

    def _get(self, name: str) -> Tensor | None:
        key = name.replace(".", "/")
        found: Tensor | None = self.parts.get(key)
        return found

    def _linear(self, name: str, x: Tensor) -> Tensor:
        weight = self._get(f"{name}.weight")
        if weight is None:
            raise BadInput(f"The head lacks {name}.")
        return nn.functional.linear(x, weight, self._get(f"{name}.bias"))

    def _norm(self, names: tuple[str, ...], x: Tensor) -> Tensor:
        name = next(n for n in names if self._get(f"{n}.weight") is not None)
        weight, bias = self._get(f"{name}.weight"), self._get(f"{name}.bias")
        return nn.functional.layer_norm(x, x.shape[-1:], weight, bias)

    def _scaled(self, name: str, x: Tensor) -> Tensor:
        scale = self._get(f"{name}.gamma")
        return x if scale is None else x * scale

    def _attention(self, x: Tensor) -> Tensor:
        name = "attn" if self._get("attn.qkv.weight") is not None else "attention"
        n, tokens, width = x.shape
        three = self._linear(f"{name}.qkv", x).reshape(n, tokens, 3, -1, HEAD_WIDTH)
        query, key, value = three.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self._linear(f"{name}.proj", mixed.transpose(1, 2).reshape(n, tokens, width))

    def _mlp(self, x: Tensor) -> Tensor:
        if self._get("mlp.w1.weight") is not None:
            gate = nn.functional.silu(self._linear("mlp.w1", x))
            return self._linear("mlp.w3", gate * self._linear("mlp.w2", x))
        hidden = nn.functional.gelu(self._linear("feed_forward.fc1", x))
        return self._linear("feed_forward.fc2", hidden)


class WithHead(nn.Module):
    """A DINOv2 of timm and the head; hands out the mean patch, ``patches`` the map.

    Parameters
    ----------
    backbone : module
        Of timm: ``forward_features`` gives all tokens after the last norm.
    """

    def __init__(self, backbone: Any, tensors: Mapping[str, Tensor], path: Path) -> None:
        super().__init__()
        self.backbone = backbone
        self.blocks = blocks_of(tensors, "block_list.", causal=False)
        norm = tensors.get("ln_final.weight"), tensors.get("ln_final.bias")
        if not self.blocks or norm[0] is None or norm[1] is None:
            raise BadInput(
                f"{path.name} is no head of dino.txt: it lacks its blocks or its last norm.",
                subject=path,
            )
        width = int(norm[0].shape[0])
        if width != int(backbone.embed_dim):
            raise BadInput(
                f"{path.name} was made for a transformer of width {width}, not "
                f"{int(backbone.embed_dim)}.",
                subject=path,
            )
        self.norm_weight = nn.Parameter(norm[0].float())
        self.norm_bias = nn.Parameter(norm[1].float())
        projection = tensors.get("linear_projection.weight")
        self.projection = None if projection is None else nn.Parameter(projection.float())
        self.patches = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean patch of images, (n, d)."""
        net: Any = self.backbone
        tokens: Tensor = net.forward_features(x)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = nn.functional.layer_norm(
            tokens, tokens.shape[-1:], self.norm_weight, self.norm_bias
        )
        if self.projection is not None:
            tokens = tokens @ self.projection.t()
        cells = tokens[:, int(net.num_prefix_tokens) :].transpose(1, 2)
        rows = int(x.shape[-2]) // int(net.patch_embed.patch_size[0])
        made: Tensor = self.patches(cells.reshape(len(x), cells.shape[1], rows, -1))
        return made.mean((2, 3))


class TextTransformer(nn.Module):
    """The text side.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Of the published file.
    """

    def __init__(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        super().__init__()
        needed = ("backbone.token_embedding.weight", "backbone.positional_embedding",
                  "backbone.ln_final.weight", "backbone.ln_final.bias",
                  "head.linear_projection.weight")  # fmt: skip
        self.blocks = blocks_of(tensors, "backbone.blocks.", causal=True)
        lacking = [name for name in needed if name not in tensors]
        if lacking or not self.blocks:
            raise BadInput(
                f"{path.name} is no text side of dino.txt: it lacks {(lacking or ['blocks'])[0]}.",
                subject=path,
            )
        kept = [nn.Parameter(tensors[name].float()) for name in needed]
        self.words, self.positions, self.norm_weight, self.norm_bias, self.projection = kept

    def forward(self, tokens: Tensor) -> Tensor:
        """Return what texts say of patches, (n, d): the second half of their embedding."""
        x = self.words[tokens] + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        x = nn.functional.layer_norm(x, x.shape[-1:], self.norm_weight, self.norm_bias)
        # The end of the text has the largest number of all.
        ends = x[torch.arange(len(x)), tokens.argmax(1)] @ self.projection.t()
        return ends[:, ends.shape[1] // 2 :]


def blocks_of(tensors: Mapping[str, Tensor], prefix: str, *, causal: bool) -> nn.ModuleList:
    """Return the blocks whose weights' names begin so, in order."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, part = name.removeprefix(prefix).partition(".")
        if name.startswith(prefix) and number.isdigit():
            found.setdefault(int(number), {})[part] = value
    return nn.ModuleList(Block(found[n], causal=causal) for n in sorted(found))


def with_head(classifier: ImageClassifier, path: Path) -> ImageClassifier:
    """Put the head on a DINOv2 of timm that hands out features.

    Raises
    ------
    BadInput
        The file is no such head, or was made for another width.
    """
    from backends.learning.architectures import read_tensors

    backbone: Any = classifier.network
    if not hasattr(backbone, "forward_features") or not hasattr(backbone, "num_prefix_tokens"):
        raise BadInput(
            f"{classifier.card.title} is no transformer of timm; the head belongs to DINOv2.",
            way_out="Use timm:vit_large_patch14_reg4_dinov2.",
        )
    made = WithHead(backbone, read_tensors(path), path).eval().requires_grad_(False)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    old = classifier.card
    known = f"{old.trained_on}, head {path.name}" if old.trained_on else ""
    both = f"{old.weights_digest}+{digest}" if old.weights_digest else ""
    card = Card(old.id, f"{old.title}, dino.txt", old.source, known, both, notes=(NOTE,))
    width = int(made.norm_weight.shape[0] if made.projection is None else len(made.projection))
    names = tuple(f"feature {n}" for n in range(width))
    return ImageClassifier(made, names, classifier.spec, card, device=classifier.device)
