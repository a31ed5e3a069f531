"""Encoders of open_clip and transformers: small random networks, read as their library would."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_clip import SMALL
from test_encoders import picture
from torch import nn

from backends.concepts.encoders import NetworkEncoder, hub, patches
from backends.concepts.encoders.pooling import Pooling
from backends.concepts.opening import make_encoder, open_encoder
from backends.errors import BadInput, MissingCapability, WrongUse


def _noise(rows: int = 32, cols: int = 32) -> torch.Tensor:
    return torch.randn(2, 3, rows, cols, generator=torch.Generator().manual_seed(1))


def test_open_clip_read_densely_is_its_last_block_where_each_patch_sees_itself_only(
    clip: tuple[Any, Path],
) -> None:
    encoder = make_encoder(f"open_clip:{SMALL}", clip[1], dense=True)
    visual: Any = encoder.classifier.network.visual
    x = _noise()
    with torch.no_grad():
        stream = visual._embeds(x)
        for block in visual.transformer.resblocks[:-1]:
            stream = block(stream)
        alone = torch.full((17, 17), float("-inf")).fill_diagonal_(0)
        stream = visual.transformer.resblocks[-1](stream, attn_mask=alone)
        wanted = (visual.ln_post(stream) @ visual.proj)[:, 1:].transpose(1, 2)
    torch.testing.assert_close(encoder.batch(x).flatten(2), wanted, rtol=1e-4, atol=1e-5)
    # The whole image's embedding is the library's own.
    torch.testing.assert_close(encoder.classifier.logits(x), visual(x), rtol=1e-4, atol=1e-5)


def test_open_clip_takes_other_sizes_and_touches_nothing_that_is_shared(
    clip: tuple[Any, Path],
) -> None:
    encoder = make_encoder(f"open_clip:{SMALL}", clip[1], dense=True)
    network = encoder.classifier.network
    before = {name: (value.data_ptr(), value.clone()) for name, value in network.named_parameters()}
    assert encoder.batch(_noise(48, 32)).shape == (2, 16, 6, 4)
    found = encoder.encode(picture(40, 72))
    assert found.values.shape == (found.grid[0] * found.grid[1], 16)
    assert any("reconstruction after arXiv 2112.01071" in note for note in found.notes)
    for name, value in network.named_parameters():
        assert value.data_ptr() == before[name][0]
        assert torch.equal(value, before[name][1])
    assert not [h for part in network.modules() for h in part._forward_pre_hooks.values()]
    # A layer of it is an encoder as any other's.
    layer = make_encoder(f"open_clip:{SMALL}", clip[1])
    assert layer.title.endswith("patches")
    assert layer.batch(_noise()).shape == (2, 32, 4, 4)
    again = open_encoder({**encoder.about, "title": encoder.title})
    assert again.digest == encoder.digest != layer.digest


def test_open_clip_without_weights_or_with_wrong_ones_is_said(
    clip: tuple[Any, Path], tmp_path: Path
) -> None:
    with pytest.raises(MissingCapability, match="were not named"):
        make_encoder(f"open_clip:{SMALL}", dense=True)
    with pytest.raises(WrongUse, match="no model ViT-B-17"):
        make_encoder("open_clip:ViT-B-17", clip[1])
    with pytest.raises(BadInput, match="neither a file nor a tag"):
        make_encoder(f"open_clip:{SMALL}", "laion")
    with pytest.raises(MissingCapability, match="laion2b_s34b_b88k of ViT-B-16 are not here"):
        make_encoder("open_clip:ViT-B-16", "laion2b_s34b_b88k")
    (tmp_path / "other.pt").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="holds no weights of"):
        make_encoder(f"open_clip:{SMALL}", tmp_path / "other.pt")
    untrained = make_encoder(f"open_clip:{SMALL}", untrained=True, dense=True)
    assert "untrained" in untrained.title
    with pytest.raises(WrongUse, match="no plain transformer"):
        make_encoder("open_clip:RN50", untrained=True)


def test_pooling_averages_patches_that_are_alike(clip: tuple[Any, Path], tmp_path: Path) -> None:
    torch.manual_seed(2)
    conv = nn.Conv2d(32, 6, 3, padding=1, padding_mode="replicate")
    file = tmp_path / "last.pt"
    more = {f"obj_proj.{n}": v for n, v in conv.state_dict().items()}
    torch.save({"model_state_dict": {**more, "bkg_decoder.weight": torch.zeros(1, 32, 1, 1)}}, file)
    plain = make_encoder(f"open_clip:{SMALL}", clip[1], dense=True)
    pooled = make_encoder(f"open_clip:{SMALL}", clip[1], dense=True, pooling=file)
    assert pooled.digest != plain.digest
    x = _noise()
    seen: list[torch.Tensor] = []
    visual: Any = pooled.classifier.network.visual
    block = visual.transformer.resblocks[-3]
    handle = block.ln_2.register_forward_hook(lambda part, given, output: seen.append(output))
    made = pooled.batch(x)
    handle.remove()
    z = plain.batch(x).flatten(2)
    with torch.no_grad():
        f = conv(seen[0][:, 1:].transpose(1, 2).reshape(2, 32, 4, 4)).flatten(2)
    for image in range(2):
        for patch in (0, 5, 15):
            total, weights = torch.zeros(16), 0.0
            for other in range(16):
                pair = f[image, :, patch], f[image, :, other]
                alike = float(nn.functional.cosine_similarity(*pair, dim=0))
                if alike >= 0.2:
                    total, weights = total + alike * z[image, :, other], weights + alike
            torch.testing.assert_close(
                made.flatten(2)[image, :, patch], total / weights, rtol=1e-3, atol=1e-5
            )
    assert any("2312.12359" in note for note in pooled.encode(picture(32, 32)).notes)
    again = open_encoder({**pooled.about, "title": pooled.title})
    assert again.digest == pooled.digest
    file.unlink()
    with pytest.raises(MissingCapability, match=r"last\.pt is missing"):
        open_encoder({**pooled.about, "title": pooled.title})


def test_pooling_that_does_not_fit_is_refused(clip: tuple[Any, Path], tmp_path: Path) -> None:
    torch.save({"obj_proj.weight": torch.zeros(6, 768, 3, 3), "obj_proj.bias": torch.zeros(6)},
               tmp_path / "wide.pt")  # fmt: skip
    torch.save({"weight": torch.zeros(3)}, tmp_path / "none.pt")
    with pytest.raises(BadInput, match="width 768"):
        make_encoder(f"open_clip:{SMALL}", clip[1], dense=True, pooling=tmp_path / "wide.pt")
    with pytest.raises(BadInput, match="holds no convolution"):
        make_encoder(f"open_clip:{SMALL}", clip[1], dense=True, pooling=tmp_path / "none.pt")
    with pytest.raises(WrongUse, match="Only patches in the space of the words"):
        make_encoder(f"open_clip:{SMALL}", clip[1], pooling=tmp_path / "wide.pt")


def _saved(folder: Path, model: Any, size: int) -> Path:
    transformers = pytest.importorskip("transformers")
    model.save_pretrained(folder)
    how = transformers.ViTImageProcessor(
        size={"height": size, "width": size}, image_mean=[0.5] * 3, image_std=[0.25] * 3
    )
    how.save_pretrained(folder)
    return folder


def _small(kind: str) -> Any:
    transformers = pytest.importorskip("transformers")
    vit = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
           "intermediate_size": 48, "image_size": 32, "patch_size": 8}  # fmt: skip
    torch.manual_seed(3)
    if kind == "vit":
        return transformers.ViTModel(transformers.ViTConfig(**vit))
    if kind == "dinov2":
        config = transformers.Dinov2WithRegistersConfig(**vit, num_register_tokens=4)
        return transformers.Dinov2WithRegistersModel(config)
    if kind == "siglip":
        return transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**vit))
    if kind == "resnet":
        config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 32], depths=[1, 1])
        return transformers.ResNetModel(config)
    text = {**vit, "vocab_size": 99, "eos_token_id": 98, "bos_token_id": 0, "pad_token_id": 1}
    text = {k: v for k, v in text.items() if k not in ("image_size", "patch_size")}
    return transformers.CLIPModel(
        transformers.CLIPConfig(text_config=text, vision_config=vit, projection_dim=16)
    )


@pytest.mark.parametrize("kind", ["vit", "dinov2", "siglip", "resnet", "clip"])
def test_models_of_transformers_are_encoders(kind: str, tmp_path: Path) -> None:
    model = _small(kind)
    encoder = make_encoder(f"transformers:{_saved(tmp_path / kind, model, 32)}")
    assert encoder.title.endswith("patches")
    assert encoder.classifier.spec.mean == (0.5,) * 3
    x = _noise()
    with torch.no_grad():
        vision = model.eval().vision_model if kind == "clip" else model.eval()
        last = vision(pixel_values=x).last_hidden_state
    if last.ndim == 3:
        leading = last.shape[1] - 16
        assert leading == {"vit": 1, "dinov2": 5, "siglip": 0, "clip": 1}[kind]
        last = last[:, leading:].transpose(1, 2).reshape(2, 32, 4, 4)
    torch.testing.assert_close(encoder.batch(x), last, rtol=1e-4, atol=1e-5)
    found = encoder.encode(picture(64, 64))  # seen in one look, or in tiles: placed all the same
    assert found.values.shape == (found.grid[0] * found.grid[1], 32)
    again = open_encoder({**encoder.about, "title": encoder.title})
    assert again.digest == encoder.digest
    if kind == "vit":
        larger = make_encoder(f"transformers:{tmp_path / kind}", tile=48)
        assert larger.batch(_noise(48, 48)).shape == (2, 32, 6, 6)


def test_clip_of_transformers_read_densely_is_its_last_block_where_patches_see_themselves(
    tmp_path: Path,
) -> None:
    model = _small("clip").eval()
    model.set_attn_implementation("eager")
    encoder = make_encoder(f"transformers:{_saved(tmp_path / 'clip', model, 32)}", dense=True)
    x, vision = _noise(), model.vision_model
    alone = torch.full((17, 17), float("-inf")).fill_diagonal_(0)[None, None]
    with torch.no_grad():
        stream = vision.pre_layrnorm(vision.embeddings(x))
        for block in vision.encoder.layers[:-1]:
            stream = block(stream, None)
        stream = vision.encoder.layers[-1](stream, alone)
        wanted = model.visual_projection(vision.post_layernorm(stream))[:, 1:].transpose(1, 2)
    torch.testing.assert_close(encoder.batch(x).flatten(2), wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(WrongUse, match="no CLIP transformer"):
        make_encoder(f"transformers:{_saved(tmp_path / 'vit', _small('vit'), 32)}", dense=True)


def test_without_a_network_it_is_said_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fetching asks for an answer first, with a limit; not fetching asks nobody."""
    pytest.importorskip("transformers")
    pytest.importorskip("open_clip")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path))
    began = time.perf_counter()
    with pytest.raises(MissingCapability, match="is not here"):
        make_encoder("transformers:nobody/nothing")
    for model, weights in (
        ("transformers:nobody/nothing", None), ("open_clip:ViT-B-16", "laion2b_s34b_b88k"),
    ):  # fmt: skip
        with pytest.raises(MissingCapability, match="out of reach"):
            make_encoder(model, weights, fetch=True)
    assert time.perf_counter() - began < 20


def test_weights_the_library_would_make_up_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = _saved(tmp_path / "vit", _small("vit"), 32)
    weights = load_file(folder / "model.safetensors")
    save_file({n: v for n, v in weights.items() if "pooler" not in n},
              folder / "model.safetensors", metadata={"format": "pt"})  # fmt: skip
    make_encoder(f"transformers:{folder}")  # as a classifier's file: nothing needed is missing
    save_file({n: v for n, v in weights.items() if "layers.1." not in n and "layer.1." not in n},
              folder / "model.safetensors", metadata={"format": "pt"})  # fmt: skip
    with pytest.raises(BadInput, match="parts are missing"):
        make_encoder(f"transformers:{folder}")


@pytest.mark.parametrize("package", ["open_clip", "transformers"])
def test_without_the_package_it_is_said(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingCapability, match="is not installed"):
        make_encoder(f"{package}:ViT-B-16", untrained=True)


def test_a_hidden_state_on_no_grid_is_said() -> None:
    class Vision(nn.Module):
        config = type("Config", (), {"patch_size": 8})

        def forward(self, pixel_values: torch.Tensor) -> None: ...

    wrapped = hub.HubVision(Vision())
    assert wrapped.to_map(torch.zeros(1, 4, 5), (32, 32)).shape == (1, 5, 2, 2)  # merged
    with pytest.raises(BadInput, match="no grid"):
        wrapped.to_map(torch.zeros(1, 99, 5), (32, 32))


def test_pooling_of_equal_patches_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    one = torch.from_numpy(rng.normal(size=(1, 5, 1, 1)).astype(np.float32)).expand(1, 5, 3, 3)
    pool = Pooling(torch.randn(4, 8, 3, 3), torch.randn(4))
    torch.testing.assert_close(
        pool(torch.randn(1, 8, 3, 3), one), one.clone(), atol=1e-5, rtol=1e-4
    )


def test_the_usual_reading_of_a_classifier_is_its_last_picture() -> None:
    assert isinstance(make_encoder("resnet18", untrained=True, tile=64), NetworkEncoder)
    assert patches.DenseTimm.fits(nn.Linear(2, 2)) is False
