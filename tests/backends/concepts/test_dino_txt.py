"""dino.txt's head and text side, against blocks of other libraries with the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_encoders import picture
from torch import Tensor, nn

from backends.concepts.encoders.dino_txt import Block, TextTransformer, with_head
from backends.concepts.opening import make_encoder, open_encoder
from backends.errors import BadInput, MissingCapability
from backends.explain.classifier import Card, ImageClassifier, InputSpec

WIDTH, HIDDEN = 128, 192


def _head_parts(seed: int) -> dict[str, Tensor]:
    """Weights of a block of the head by the names in the published file."""
    make = torch.Generator().manual_seed(seed)
    sizes = {
        "norm1.weight": (WIDTH,), "norm1.bias": (WIDTH,), "attn.qkv.weight": (3 * WIDTH, WIDTH),
        "attn.proj.weight": (WIDTH, WIDTH), "attn.proj.bias": (WIDTH,), "ls1.gamma": (WIDTH,),
        "norm2.weight": (WIDTH,), "norm2.bias": (WIDTH,), "ls2.gamma": (WIDTH,),
        "mlp.w1.weight": (HIDDEN, WIDTH), "mlp.w1.bias": (HIDDEN,),
        "mlp.w2.weight": (HIDDEN, WIDTH), "mlp.w2.bias": (HIDDEN,),
        "mlp.w3.weight": (WIDTH, HIDDEN), "mlp.w3.bias": (WIDTH,),
    }  # fmt: skip
    return {name: 0.2 * torch.randn(size, generator=make) for name, size in sizes.items()}


def _head_file(path: Path, blocks: int = 2) -> Path:
    state = {"ln_final.weight": torch.rand(WIDTH) + 0.5, "ln_final.bias": torch.randn(WIDTH)}
    for n in range(blocks):
        state |= {f"block_list.{n}.{name}": value for name, value in _head_parts(n).items()}
    torch.save(state, path)
    return path


def _of_timm(parts: dict[str, Tensor]) -> nn.Module:
    from timm.layers import SwiGLU
    from timm.models.vision_transformer import Block as TimmBlock

    block = TimmBlock(WIDTH, 2, mlp_ratio=HIDDEN / WIDTH, init_values=1.0, mlp_layer=SwiGLU,
                      act_layer=nn.SiLU,
                      norm_layer=nn.LayerNorm)  # fmt: skip
    names = {"mlp.w1": "mlp.fc1_g", "mlp.w2": "mlp.fc1_x", "mlp.w3": "mlp.fc2"}
    state = {}
    for name, value in parts.items():
        inner, _, last = name.rpartition(".")
        state[f"{names.get(inner, inner)}.{last}"] = value
    block.load_state_dict(state)
    return block.eval()


def test_a_block_of_the_head_is_that_of_timm() -> None:
    parts = _head_parts(5)
    x = torch.randn(2, 21, WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = _of_timm(parts)(x)
        torch.testing.assert_close(Block(parts, causal=False)(x), wanted, rtol=1e-4, atol=1e-4)


def _backbone() -> ImageClassifier:
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    network = VisionTransformer(
        img_size=32, patch_size=8, embed_dim=WIDTH, depth=2, num_heads=2, num_classes=0,
        reg_tokens=4, no_embed_class=True, init_values=1.0, dynamic_img_size=True,
    )  # fmt: skip
    names = tuple(f"feature {n}" for n in range(WIDTH))
    spec = InputSpec((32, 32), multiple=8)
    return ImageClassifier(network.eval(), names, spec, Card("b", "Small DINOv2", "", "x", "d"))


def test_the_head_runs_over_all_tokens_and_hands_out_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backends.concepts import opening

    file = _head_file(tmp_path / "head.pth")
    monkeypatch.setattr(opening, "_classifier", lambda *a: _backbone())
    encoder = make_encoder("dino", head=file)
    x = torch.randn(2, 3, 48, 32, generator=torch.Generator().manual_seed(1))
    state = torch.load(file, weights_only=True)
    with torch.no_grad():
        tokens: Any = _backbone().network.forward_features(x)  # type: ignore[operator]
        for n in range(2):
            tokens = _of_timm(_head_parts(n))(tokens)
        tokens = nn.functional.layer_norm(
            tokens, (WIDTH,), state["ln_final.weight"], state["ln_final.bias"]
        )
    wanted = tokens[:, 5:].transpose(1, 2).reshape(2, WIDTH, 6, 4)
    torch.testing.assert_close(encoder.batch(x), wanted, rtol=1e-3, atol=1e-3)
    assert "dino.txt" in encoder.title
    assert encoder.digest != make_encoder("dino").digest
    assert encoder.encode(picture(32, 32)).values.shape == (16, WIDTH)
    again = open_encoder({**encoder.about, "title": encoder.title})
    assert again.digest == encoder.digest
    file.unlink()
    with pytest.raises(MissingCapability, match=r"head\.pth is missing"):
        open_encoder({**encoder.about, "title": encoder.title})


def test_heads_that_do_not_fit_are_said(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "none.pth")
    with pytest.raises(BadInput, match=r"no head of dino\.txt"):
        with_head(_backbone(), tmp_path / "none.pth")
    file = _head_file(tmp_path / "head.pth")
    small = _backbone()
    small.network.embed_dim = 64  # type: ignore[assignment]
    with pytest.raises(BadInput, match="width 128, not 64"):
        with_head(small, file)
    with pytest.raises(BadInput, match="belongs to DINOv2"):
        with_head(ImageClassifier(nn.Linear(2, 2), ("a",), InputSpec(), Card("l", "L")), file)


def _text_file(path: Path) -> dict[str, Tensor]:
    make = torch.Generator().manual_seed(9)

    def some(*size: int) -> Tensor:
        return 0.2 * torch.randn(size, generator=make)

    state = {
        "backbone.token_embedding.weight": some(49408, WIDTH),
        "backbone.positional_embedding": some(77, WIDTH),
        "backbone.ln_final.weight": some(WIDTH), "backbone.ln_final.bias": some(WIDTH),
        "head.linear_projection.weight": some(2 * 24, WIDTH),
    }  # fmt: skip
    for n in range(2):
        state |= {f"backbone.blocks.{n}.{name}": value for name, value in {
            "attention_norm.weight": some(WIDTH), "attention_norm.bias": some(WIDTH),
            "attention.qkv.weight": some(3 * WIDTH, WIDTH),
            "attention.proj.weight": some(WIDTH, WIDTH), "attention.proj.bias": some(WIDTH),
            "ffn_norm.weight": some(WIDTH), "ffn_norm.bias": some(WIDTH),
            "feed_forward.fc1.weight": some(4 * WIDTH, WIDTH),
            "feed_forward.fc1.bias": some(4 * WIDTH),
            "feed_forward.fc2.weight": some(WIDTH, 4 * WIDTH), "feed_forward.fc2.bias": some(WIDTH),
        }.items()}  # fmt: skip
    torch.save(state, path)
    return state


def test_the_text_side_is_a_causal_transformer_of_torch(tmp_path: Path) -> None:
    state = _text_file(tmp_path / "text.pth")
    tokens = torch.randint(1, 400, (3, 77), generator=torch.Generator().manual_seed(2))
    tokens[:, 6] = 49407  # the end
    x = state["backbone.token_embedding.weight"][tokens] + state["backbone.positional_embedding"]
    mask = nn.Transformer.generate_square_subsequent_mask(77)
    names = {"self_attn.in_proj_weight": "attention.qkv.weight",
             "self_attn.out_proj.weight": "attention.proj.weight",
             "self_attn.out_proj.bias": "attention.proj.bias", "linear1": "feed_forward.fc1",
             "linear2": "feed_forward.fc2", "norm1": "attention_norm",
             "norm2": "ffn_norm"}  # fmt: skip
    for n in range(2):
        layer = nn.TransformerEncoderLayer(
            WIDTH, 2, 4 * WIDTH, activation="gelu", batch_first=True, norm_first=True
        ).eval()
        given = {"self_attn.in_proj_bias": torch.zeros(3 * WIDTH)}
        for theirs, ours in names.items():
            for last in ("",) if "self_attn" in theirs else (".weight", ".bias"):
                given[theirs + last] = state[f"backbone.blocks.{n}.{ours}{last}"]
        layer.load_state_dict(given)
        with torch.no_grad():
            x = layer(x, src_mask=mask)
    x = nn.functional.layer_norm(
        x, (WIDTH,), state["backbone.ln_final.weight"], state["backbone.ln_final.bias"]
    )
    wanted = (x[:, 6] @ state["head.linear_projection.weight"].t())[:, 24:]
    made = TextTransformer(state, tmp_path / "text.pth")
    with torch.no_grad():
        torch.testing.assert_close(made(tokens), wanted, rtol=1e-3, atol=1e-3)
    del state["head.linear_projection.weight"]
    with pytest.raises(BadInput, match=r"lacks head\.linear_projection"):
        TextTransformer(state, tmp_path / "text.pth")


def test_the_text_side_by_name(tmp_path: Path) -> None:
    pytest.importorskip("open_clip")
    from backends.concepts.towers import open_tower

    _text_file(tmp_path / "text.pth")
    found = open_tower(f"dinotxt:{tmp_path / 'text.pth'}").embed(["roof", "water", "roof"])
    assert found.shape == (3, 24)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[0], found[2], atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 0.01
