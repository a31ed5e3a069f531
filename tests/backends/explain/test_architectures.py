"""Architectures as their libraries build them: layer, attention, and the map the long way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planted import picture, tiny_vit
from torch import nn

from backends.errors import BadInput, MissingCapability
from backends.explain import shelf
from backends.explain.attention import attention_of
from backends.explain.classifier import Card, ImageClassifier, InputSpec, Target
from backends.explain.explainers import explain
from backends.explain.layers import find_layer

SPEC = InputSpec((32, 32), 3, (0.5,) * 3, (0.5,) * 3, fixed=True)


def of(network: nn.Module, spec: InputSpec = SPEC) -> ImageClassifier:
    for part in network.modules():  # heads that begin with noughts would explain nothing
        if isinstance(part, nn.Linear) and not part.weight.any():
            nn.init.normal_(part.weight)
    card = Card("made", "Made network", trained_on="nothing that matters here")
    return ImageClassifier(network, ("a", "b", "c"), spec, card)


def vision(**how: object) -> ImageClassifier:
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    small = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
    return of(VisionTransformer(num_classes=3, **small, **how))


def long_way(network: nn.Module, x: torch.Tensor, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return activations and gradients from the whole graph, with nothing cut or cloned."""
    kept: list[torch.Tensor] = []

    def keep(part: nn.Module, given: object, output: torch.Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handle = network.get_submodule(layer).register_forward_hook(keep)
    network.eval()(x.clone().requires_grad_())[0, 1].backward()
    handle.remove()
    return kept[0].detach(), kept[0].grad


@pytest.mark.parametrize(
    "name", ["resnet18", "efficientnet_b0", "convnext_atto", "densenet", "vit"]
)
def test_grad_cam_of_real_architectures_is_that_of_the_long_way(name: str) -> None:
    import timm

    torch.manual_seed(1)
    if name == "vit":
        made = vision(reg_tokens=2)
    elif name == "densenet":
        made = of(timm.models.densenet.DenseNet(8, (2, 2), num_classes=3))
    else:
        made = of(timm.create_model(name, num_classes=3), InputSpec((64, 64)))
    x = made.prepare(picture())
    found = explain(made, x, Target(1, "b"), "grad_cam")
    assert found.layer is not None
    a, g = long_way(made.network, x.tensor, found.layer.name)
    a, g = found.layer.to_grid(a), found.layer.to_grid(g)
    wanted = (g.mean((2, 3), keepdim=True) * a).sum(1)[0].numpy()
    assert np.abs(wanted).max() > 0
    assert np.abs(found.values - wanted).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_densenet_gives_the_same_map_on_the_gpu() -> None:
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.DenseNet(8, (2, 2), 16, num_classes=3)
    here = of(network)
    wanted = explain(here, here.prepare(picture()), Target(1, "b"), "grad_cam").values
    there = ImageClassifier(network, here.class_names, SPEC, here.card, device="cuda")
    found = explain(there, there.prepare(picture()), Target(1, "b"), "grad_cam").values
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_attention_is_read_through_the_tokens_that_answer() -> None:
    """Registers stand before the patches, too, but nobody reads their answer."""
    cases = {
        "class token": (vision(), [1.0]),
        "class token and registers": (vision(reg_tokens=3), [1.0, 0, 0, 0]),
        "registers only, mean of patches": (
            vision(reg_tokens=2, class_token=False, global_pool="avg"),
            [0.0, 0.0],
        ),
        "class token nobody reads": (vision(global_pool="avg"), [0.0]),
    }
    x = cases["class token"][0].prepare(picture())
    for case, (made, leading) in cases.items():
        matrices = [m[0].double() for m in attention_of(made, x.tensor)[0]]
        flow = torch.eye(16 + len(leading), dtype=torch.float64)
        for matrix in matrices:
            mixed = matrix.detach().mean(0) + torch.eye(len(flow))
            flow = mixed / mixed.sum(-1, keepdim=True) @ flow
        weights = torch.tensor(leading + [(1 - sum(leading)) / 16] * 16, dtype=torch.float64)
        wanted = (weights @ flow)[len(leading) :].reshape(4, 4).numpy()
        found = explain(made, x, Target(1, "b"), "attention_rollout").values
        np.testing.assert_allclose(found, wanted, rtol=1e-4, err_msg=case)


def test_gradient_weighted_attention_is_the_formula_written_out() -> None:
    for made, row in ((vision(reg_tokens=2), slice(0, 1)), (
        vision(reg_tokens=2, class_token=False, global_pool="avg"), slice(2, None)
    )):  # fmt: skip
        x = made.prepare(picture())
        leaf = x.tensor.clone().requires_grad_()
        matrices, logits = attention_of(made, leaf)
        slopes = torch.autograd.grad(logits[0, 1], matrices)
        relevance = torch.eye(matrices[0].shape[-1])
        for matrix, slope in zip(matrices, slopes, strict=True):
            relevance = relevance + (matrix * slope)[0].clamp(min=0).mean(0) @ relevance
        relevance = (relevance - torch.eye(len(relevance))).detach()
        leading = len(relevance) - 16
        wanted = relevance[row].mean(0)[leading:].reshape(4, 4).numpy()
        found = explain(made, x, Target(1, "b"), "attention_gradient").values
        np.testing.assert_allclose(found, wanted, atol=1e-5 * wanted.max())


def test_attention_of_a_trained_network_without_a_class_token_finds_the_square() -> None:
    made = tiny_vit(2, class_token=False, global_pool="avg")
    x = made.prepare(picture(0, 8, 16, 32))
    target = made.target(x)
    assert target.name == "red"
    values = explain(made, x, target, "attention_gradient").values  # 8 × 8 patches
    assert values[2:4, 2:4].mean() > 3 * values[4:, 4:].mean()


def test_what_is_no_layer_for_a_map_is_not_taken_for_one() -> None:
    class Separate(nn.Module):
        """Queries, keys and values apart, as many channels as the tokens; then a class token."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 64, 8, 8)
            self.first = nn.Parameter(torch.randn(1, 1, 64))
            self.norm = nn.LayerNorm(64)
            self.attention = nn.ModuleDict({n: nn.Linear(64, 64) for n in ("q", "k", "v")})
            self.pooler = nn.AdaptiveAvgPool1d(1)
            self.head = nn.Linear(64, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.embed(x).flatten(2).transpose(1, 2)
            x = self.norm(torch.cat([self.first.expand(len(x), -1, -1), x], 1))
            q, k, v = (self.attention[n](x) for n in ("q", "k", "v"))
            x = (q @ k.transpose(1, 2) / 8).softmax(-1) @ v
            # A mean over one token, shaped like 64 = 8 × 8 tokens of one channel.
            return self.head(self.pooler(x[:, :1].transpose(1, 2))[..., 0])

    torch.manual_seed(0)
    made = of(Separate())
    layer = find_layer(made, made.prepare(picture()).tensor)
    assert (layer.name, layer.leading, layer.grid) == ("norm", 1, (4, 4))


def test_networks_of_timm_that_are_strange_open_or_say_why() -> None:
    mixer = shelf.load("timm:mixer_s16_224", untrained=True)  # no weights on the hub, one size
    x = mixer.prepare(picture())
    assert x.tensor.shape[-2:] == (224, 224)
    assert find_layer(mixer, x.tensor).grid == (14, 14)
    assert shelf.load("timm:xcit_nano_12_p16_224", untrained=True).spec.multiple == 16
    with pytest.raises(BadInput, match="hands out features only"):
        shelf.load("timm:vit_small_patch14_reg4_dinov2", untrained=True)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Return a folder with a network of the transformers library, made here."""
    library = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = library.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        image_size=32, patch_size=8, id2label={0: "a", 1: "b", 2: "c"},
    )  # fmt: skip
    folder = tmp_path / "tiny"
    library.ViTForImageClassification(config).save_pretrained(folder)
    library.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_a_network_of_transformers_is_explained_without_a_network(tiny: Path) -> None:
    made = shelf.load(f"transformers:{tiny}")
    assert made.class_names == ("a", "b", "c")
    assert made.card.title == "tiny"
    x = made.prepare(picture())
    assert x.tensor.shape == (1, 3, 32, 32)
    layer = find_layer(made, x.tensor)
    assert layer.name.endswith("layernorm_before")
    assert (layer.grid, layer.leading) == ((4, 4), 1)
    before = made.network.config._attn_implementation
    for how in ("grad_cam", "token_occlusion", "attention_gradient", "attention_rollout"):
        assert explain(made, x, Target(1, "b"), how).values.any()
    assert made.network.config._attn_implementation == before == "sdpa"
    matrices, logits = attention_of(made, x.tensor)
    made.network.set_attn_implementation("eager")
    with torch.no_grad():
        told = made.network(x.tensor, output_attentions=True)
    torch.testing.assert_close(logits, told.logits)
    for ours, theirs in zip(matrices, told.attentions, strict=True):
        torch.testing.assert_close(ours, theirs)
    with pytest.raises(MissingCapability, match="nowhere is not here"):
        shelf.load("transformers:nowhere")


def test_what_transformers_hands_out_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same way without the library: a stand-in that hands out what it would."""
    import sys

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = SimpleNamespace(id2label={0: "a", 1: "b"}, num_labels=2)
            self.body, self.head = nn.Conv2d(3, 4, 8, 8), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=self.head(torch.relu(self.body(x)).mean((2, 3))))

    asked: list[dict[str, object]] = []

    def network(name: str, **how: object) -> tuple[Net, dict[str, list[str]]]:
        asked.append({"name": name, **how})
        if name == "half/net":
            return Net(), {"missing_keys": ["head.weight"]}
        return Net(), {"missing_keys": []}

    def config(name: str, **how: object) -> SimpleNamespace:
        assert how == {"local_files_only": True}
        if name == "other/net":
            raise OSError("not a folder, and not in the cache")
        what = "NetForQuestionAnswering" if name == "words/net" else "NetForImageClassification"
        return SimpleNamespace(architectures=[what])

    how = SimpleNamespace(size={"shortest_edge": 32}, image_mean=[0.5] * 3, image_std=[0.2] * 3)
    library = SimpleNamespace(
        AutoConfig=SimpleNamespace(from_pretrained=config),
        AutoModelForImageClassification=SimpleNamespace(from_pretrained=network),
        AutoImageProcessor=SimpleNamespace(from_pretrained=lambda name, **more: how),
    )
    monkeypatch.setitem(sys.modules, "transformers", library)
    made = shelf.load("transformers:some/net")
    only = {"use_safetensors": True, "local_files_only": True, "output_loading_info": True}
    assert asked == [{"name": "some/net", **only}]
    assert made.class_names == ("a", "b")
    assert made.spec.std == (0.2, 0.2, 0.2)
    x = made.prepare(picture())
    assert explain(made, x, Target(1, "b"), "grad_cam").values.shape == (4, 4)
    with pytest.raises(MissingCapability, match="other/net is not here"):
        shelf.load("transformers:other/net")
    with pytest.raises(BadInput, match="words/net is a NetForQuestionAnswering"):
        shelf.load("transformers:words/net")
    # The library makes up what a file of weights lacks; here that is no network to explain.
    with pytest.raises(BadInput, match="those of another network: 1 parts are missing"):
        shelf.load("transformers:half/net")
