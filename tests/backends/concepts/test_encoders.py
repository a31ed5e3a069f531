"""Encoders, their place on the image, the cache of features, and what is refused."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backends.bands import BandTable
from backends.concepts.autoencoder import PUBLISHED_FRACTIONS, NestedAutoencoder, Sizes
from backends.concepts.encoders import (
    NetworkEncoder,
    PixelNetworkEncoder,
    SpectraEncoder,
    resized_positions,
)
from backends.concepts.feature_cache import FeatureCache, Stack
from backends.concepts.published import open_published
from backends.errors import BadInput, WrongUse
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.scene import ArraySource, Scene, SceneInfo


def scene_of(values: np.ndarray, kind: str = "picture") -> Scene:
    bands = values.shape[2]
    nm = tuple(np.linspace(450, 2400, bands)) if kind == "hyperspectral" else None
    table = BandTable.build(bands, wavelength_nm=nm)
    info = SceneInfo(None, kind, table, title="scene", is_rgb=kind == "picture")
    return Scene(ArraySource(values), info)


def picture(rows: int, cols: int) -> Scene:
    values = np.random.default_rng(0).integers(0, 256, (rows, cols, 3)).astype(np.uint8)
    return scene_of(values)


class Strided(nn.Module):
    """A cell of the map is the mean of its 8 × 8 pixels: where it lies is known."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.AvgPool2d(8)
        self.head = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cells(x).mean((2, 3)))


def strided() -> ImageClassifier:
    spec = InputSpec((32, 32), mean=(0.0,) * 3, std=(1.0,) * 3)
    return ImageClassifier(Strided(), ("a", "b"), spec, Card("s", "Strided", trained_on="x"))


def clip(size: int = 32) -> ImageClassifier:
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    network = VisionTransformer(
        img_size=size, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=16,
        pre_norm=True, global_pool="token", dynamic_img_size=True,
    )  # fmt: skip
    spec = InputSpec((size, size), multiple=8)
    return ImageClassifier(network, tuple(map(str, range(16))), spec, Card("c", "Small CLIP"))


def test_a_large_image_is_read_in_tiles_and_each_cell_lies_where_it_says() -> None:
    scene = picture(144, 208)
    found = NetworkEncoder(strided()).encode(scene)
    assert found.grid == (18, 26)
    place = found.placement
    assert (place.row, place.col, place.row_step, place.col_step) == (3.5, 3.5, 8, 8)
    blocks = scene.read()[..., :3].reshape(18, 8, 26, 8, 3).mean((1, 3)) / 255
    near = np.abs(found.values.reshape(18, 26, 3) - blocks).max(2)
    assert near.max() < 1e-5
    assert found.cell_of(0, 0) == (0, 0)
    assert found.cell_of(143, 207) == (17, 25)
    assert found.cell_of(20, 99) == (2, 12)


def test_one_look_at_a_small_image() -> None:
    found = NetworkEncoder(strided()).encode(picture(16, 16))
    assert found.grid == (4, 4)
    assert found.placement.row_step == 4
    # Whose size is no multiple of a cell: every cell is filled, the last ends at the edge.
    odd = NetworkEncoder(strided()).encode(picture(150, 203))
    assert odd.grid == (19, 25)
    assert odd.placement.row_step * 19 == 150
    assert (odd.values > 0).all()


def test_digest_changes_with_weights_layer_and_size() -> None:
    first, second = strided(), strided()
    with torch.no_grad():
        second.network.head.weight += 1
    digests = {
        NetworkEncoder(first).digest,
        NetworkEncoder(second).digest,
        NetworkEncoder(first, tile=64).digest,
        NetworkEncoder(clip()).digest,
        NetworkEncoder(clip(), dense=True).digest,
    }
    assert len(digests) == 5
    assert NetworkEncoder(first).digest in digests


def test_clip_read_densely_is_in_the_space_of_the_words_and_touches_nothing() -> None:
    made = clip()
    before = {n: v.clone() for n, v in made.network.state_dict().items()}
    encoder = NetworkEncoder(made, dense=True)
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert encoder.batch(x).shape == (1, 16, 4, 4)
    assert encoder.batch(torch.randn(1, 3, 48, 32)).shape == (1, 16, 6, 4)  # positions resized
    for name, value in made.network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert not [h for part in made.network.modules() for h in part._forward_pre_hooks]
    # In the last block no patch looks at another: attention's scores do not matter.
    first = encoder.batch(x)
    with torch.no_grad():
        made.network.blocks[-1].attn.qkv.weight[:64] *= -3
    torch.testing.assert_close(encoder.batch(x), first)
    with pytest.raises(WrongUse, match="no CLIP"):
        NetworkEncoder(strided(), dense=True)


def test_two_threads_on_one_network_read_what_one_reads() -> None:
    encoder = NetworkEncoder(clip())
    inputs = [torch.randn(1, 3, 32, 32) for _ in range(12)]
    alone = [encoder.batch(x) for x in inputs]
    found: dict[int, torch.Tensor] = {}

    def work(start: int) -> None:
        for number in range(start, 12, 3):
            found[number] = encoder.batch(inputs[number])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, one in enumerate(alone):
        torch.testing.assert_close(found[number], one)


def test_positions_are_resized_into_a_new_table() -> None:
    table = torch.arange(17 * 4.0).reshape(17, 4)
    kept = table.clone()
    made = resized_positions(table, 1, (8, 4))
    assert made.shape == (33, 4)
    torch.testing.assert_close(made[0], table[0])
    torch.testing.assert_close(table, kept)
    torch.testing.assert_close(resized_positions(table, 1, (4, 4)), table)
    with pytest.raises(BadInput, match="no square"):
        resized_positions(table, 2, (4, 4))


def test_spectra_are_features_and_the_scaling_is_part_of_their_identity() -> None:
    values = np.random.default_rng(2).random((20, 30, 40)).astype(np.float32)
    scene = scene_of(values, "hyperspectral")
    encoder = SpectraEncoder.of(scene)
    found = encoder.encode(scene)
    assert found.grid == (20, 30)
    stretched = encoder.stretch.apply(values[3, 7])
    np.testing.assert_allclose(found.values[3 * 30 + 7], stretched, atol=1e-6)
    other = SpectraEncoder.of(scene_of(values * 2, "hyperspectral"))
    assert other.digest != encoder.digest


class PixelHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(5, 7, 1)
        self.decide = nn.Conv2d(7, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decide(torch.relu(self.body(x)))


def test_a_pixel_network_hands_out_what_its_last_layer_reads() -> None:
    spec = InputSpec(None, 5, (0.0,) * 5, (1.0,) * 5, (0.0, 1.0), fit="native")
    network = PixelHead()
    made = ImageClassifier(network, ("a", "b", "c"), spec, Card("p", "Pixels"), pixelwise=True)
    values = np.random.default_rng(3).random((40, 2000, 5)).astype(np.float32)
    found = PixelNetworkEncoder(made).encode(scene_of(values, "hyperspectral"))
    assert found.values.shape == (40 * 2000, 7)
    with torch.no_grad():
        wanted = torch.relu(network.body(torch.from_numpy(values).permute(2, 0, 1)[None]))
    np.testing.assert_allclose(found.values, wanted[0].flatten(1).t().numpy(), atol=1e-5, rtol=1e-5)


def test_features_are_kept_found_again_and_bounded(tmp_path: Path) -> None:
    encoder = NetworkEncoder(strided())
    cache = FeatureCache(tmp_path / "features", limit_bytes=2000)
    scenes = [picture(48, 48), picture(56, 56), picture(72, 72)]
    first = cache.features(encoder, scenes[0])
    assert isinstance(first.values, np.memmap)
    calls = []
    encoder.encode = lambda *a: calls.append(a)  # type: ignore[method-assign]
    again = cache.features(encoder, scenes[0])
    assert not calls
    np.testing.assert_array_equal(again.values, first.values)
    assert again.placement == first.placement
    del encoder.encode
    for number in range(20):
        cache.features(encoder, picture(40 + number, 64))
    assert cache.used_bytes <= 2000
    # A damaged file is made anew.
    for path in cache.folder.glob("*.npy"):
        path.write_bytes(b"broken")
    assert len(cache.features(encoder, scenes[2]).values) == 81


def test_a_stack_reads_rows_of_many_images() -> None:
    parts = [np.full((n, 2), n, np.float16) for n in (3, 5, 2)]
    stack = Stack(parts)
    assert len(stack) == 10
    assert stack[np.array([0, 3, 7, 9])][:, 0].tolist() == [3, 5, 5, 2]
    assert [stack.place_of(n) for n in (0, 2, 3, 9)] == [(0, 0), (0, 2), (1, 0), (2, 1)]


def test_the_published_layout_is_read_and_runs(tmp_path: Path) -> None:
    sizes = Sizes(32, 512, 12, PUBLISHED_FRACTIONS)
    source = NestedAutoencoder(sizes, 3)
    file = tmp_path / "ae.pt"
    state = {
        "W_enc": source.encode_weight, "b_enc": source.encode_bias, "W_dec": source.directions,
        "b_dec": source.offset, "k": torch.tensor(12), "threshold": torch.tensor(0.3),
        "group_sizes": torch.tensor(sizes.groups), "active_groups": torch.tensor(6),
    }  # fmt: skip
    torch.save({n: v.detach() for n, v in state.items()}, file)
    made = open_published(file, {"digest": "d", "title": "CLIP"})
    assert made.sizes.groups == sizes.groups
    x = np.random.default_rng(0).normal(size=(50, 32)).astype(np.float32)
    with torch.no_grad():
        raw = source.activations(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(made.codes(x).dense(), raw * (raw > 0.3), atol=1e-5)
    torch.save({"W_enc": source.encode_weight.detach()}, file)
    with pytest.raises(BadInput, match="lacks b_enc"):
        open_published(file, {})


def test_the_published_sizes_run_end_to_end() -> None:
    """Only the download is missing: a CLIP ViT of 512 features, 8,192 concepts, k = 12."""
    from timm.models.vision_transformer import VisionTransformer

    from backends.concepts.autoencoder import Scaling, codes_of

    network = VisionTransformer(
        img_size=64, patch_size=16, embed_dim=96, depth=2, num_heads=2, num_classes=512,
        pre_norm=True, dynamic_img_size=True, global_pool="token",
    )  # fmt: skip
    made = ImageClassifier(
        network, tuple(map(str, range(512))), InputSpec((64, 64), multiple=16), Card("c", "CLIP")
    )
    found = NetworkEncoder(made, dense=True).encode(picture(64, 64))
    assert found.values.shape == (16, 512)
    sizes = Sizes(512, 8192, 12, PUBLISHED_FRACTIONS)
    codes = codes_of(
        NestedAutoencoder(sizes), Scaling.of(found.values).apply(found.values), most=12
    )
    assert codes.concepts == 8192
    assert 0 < codes.mean_active <= 12


@pytest.mark.parametrize("name", ["vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"])
def test_networks_that_hand_out_features_only_are_encoders(name: str) -> None:
    """DINOv2 and DINOv3: no classes, registers before the patches."""
    from backends.concepts.opening import make_encoder, open_encoder
    from backends.errors import MissingCapability

    with pytest.raises(MissingCapability, match="not here"):
        make_encoder(name)
    torch.manual_seed(0)
    encoder = make_encoder(name, untrained=True, tile=112)
    found = encoder.encode(picture(112, 112))
    side = 112 // int(name.split("patch")[1][:2])
    assert found.grid == (side, side)
    assert found.values.shape == (side * side, 384)
    assert np.isfinite(found.values).all()
    torch.manual_seed(0)
    again = open_encoder({**encoder.about, "title": encoder.title})
    assert again.digest == encoder.digest


def test_a_very_large_image_is_read_at_a_coarser_level(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.concepts.encoders import tiles

    monkeypatch.setattr(tiles, "MOST_PIXELS", 100 * 100)
    with pytest.raises(BadInput, match="too large to be read"):
        NetworkEncoder(strided()).encode(picture(144, 208))

    values = np.random.default_rng(0).integers(0, 256, (160, 192, 3)).astype(np.uint8)

    class Pyramid(ArraySource):
        level_shapes = ((160, 192), (80, 96))

        def read(self, window, bands=None, level=0):  # type: ignore[no-untyped-def]
            half = values.reshape(80, 2, 96, 2, 3).mean((1, 3)).astype(np.uint8)
            part = (values if level == 0 else half)[window.slices]
            return part if bands is None else part[..., list(bands)]

    base = picture(160, 192)
    scene = Scene(Pyramid(values), base.info)
    found = NetworkEncoder(strided()).encode(scene)
    assert found.grid == (10, 12)
    assert (found.placement.row, found.placement.row_step) == (7.5, 16)
    assert any("read at 80 × 96" in note for note in found.notes)


def test_the_white_box_network_hands_out_features_of_pixels() -> None:
    import resources
    from backends import simulate
    from backends.concepts.opening import make_encoder

    whole = simulate.make_demo_scene()
    small = Scene(ArraySource(whole.read()[:24, :20]), whole.info)
    encoder = make_encoder("", resources.path("weights", "es_mhc_demo.safetensors"))
    assert isinstance(encoder, PixelNetworkEncoder)
    found = encoder.encode(small)
    assert found.grid == (24, 20)
    assert found.values.shape == (480, 80)
    assert np.isfinite(found.values).all()
    assert found.values.std(0).max() > 0.1
