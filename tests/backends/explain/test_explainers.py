"""Every explainer against networks whose answer is known, against sums, and against peers."""

from __future__ import annotations

import threading

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from backends.errors import BadInput, Cancelled, WrongUse
from backends.explain.asking import Explanation
from backends.explain.classifier import Card, ImageClassifier, InputSpec, Target
from backends.explain.curves import faithfulness
from backends.explain.explainers import METHODS, explain, map_function, method
from backends.jobs import Progress
from tests.backends.explain.planted import (
    PlantedNet,
    explained,
    iou,
    mask,
    picture,
    planted,
    tiny_vit,
)

FOR_ALL = [m.id for m in METHODS if m.needs != "tokens" and m.id != "occlusion_spectral"]
FOR_TOKENS = [m.id for m in METHODS if m.needs == "tokens"]


@pytest.fixture(scope="module", params=[0, 2], ids=["class token", "two registers"])
def vit(request: pytest.FixtureRequest) -> ImageClassifier:
    return tiny_vit(request.param)


def hooks(network: nn.Module) -> int:
    return sum(
        len(part._forward_hooks) + len(part._forward_pre_hooks) + len(part._backward_hooks)
        for part in network.modules()
    )


@pytest.mark.parametrize("how", FOR_ALL)
@pytest.mark.parametrize("channel", [0, 2])
def test_every_explainer_finds_the_planted_square(how: str, channel: int) -> None:
    classifier = planted()
    prepared = classifier.prepare(picture(channel))
    found = explained(classifier, how, prepared)
    assert found.target.index == 1 + channel // 2
    assert iou(found.on_image(), mask()) > 0.5
    assert found.states == ()
    score = classifier.score(found.target, probability=True)
    how_far = faithfulness(
        prepared.tensor[0], found.values, score, steps=8, random_steps=4, batch=32
    )
    assert how_far.faithfulness >= 0.95


@pytest.mark.parametrize("how", FOR_TOKENS)
def test_explainers_of_transformers_find_the_planted_square(how: str, vit: ImageClassifier) -> None:
    image, truth = picture(0, 8, 16, 32), mask(8, 16, 32)
    found = explained(vit, how, vit.prepare(image))
    assert found.target.name == "red"
    assert found.layer is not None
    assert found.layer.grid == (8, 8)
    registers = len(vit.network.reg_token[0]) if vit.network.reg_token is not None else 0
    assert found.layer.leading == 1 + registers
    values = found.on_image(smooth=False)
    if found.method.id == "attention_rollout":  # it knows no class and adds all it looks at
        assert values[truth].mean() > values[~truth].mean()
    else:
        assert iou(values, truth) > 0.5


def test_non_square_images_on_a_transformer(vit: ImageClassifier) -> None:
    image = np.concatenate([picture(0, 8, 16, 32), picture(0, 0, 0, 32)], 1)
    found = explained(vit, "token_occlusion", vit.prepare(image))
    assert found.values.shape == (8, 16)
    values = found.on_image()
    assert values.shape == (32, 64)
    assert values[8:16, 8:16].mean() > 3 * np.abs(values[:, 32:]).mean()


def test_grad_cam_of_a_network_with_a_mean_is_its_class_map_exactly() -> None:
    classifier = planted()
    prepared = classifier.prepare(picture())
    found = explained(classifier, "grad_cam", prepared)
    network = classifier.network
    with torch.no_grad():
        features = network.pool(torch.relu(network.detect(prepared.tensor)))[0]
        cells = features[0].numel()
        class_map = torch.einsum("c,chw->hw", network.head.weight[1], features) / cells
    assert np.allclose(found.values, class_map.numpy(), rtol=1e-5, atol=1e-6)
    # And its sum is the logit without the bias.
    assert found.values.sum() == pytest.approx(found.score - network.head.bias[1].item(), rel=1e-5)


def test_integrated_gradients_add_up_to_what_the_score_gained() -> None:
    classifier = smooth_net()
    prepared = classifier.prepare(picture())
    found = explained(classifier, "integrated_gradients", prepared, steps=64)
    assert abs(found.figures["missing"]) < 1e-4 * max(1, abs(found.figures["score_gained"]))
    assert found.values.sum() == pytest.approx(found.figures["score_gained"], abs=1e-3)
    coarse = explained(classifier, "integrated_gradients", prepared, steps=1)
    assert abs(coarse.figures["missing"]) > abs(found.figures["missing"])


def smooth_net() -> ImageClassifier:
    torch.manual_seed(5)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2), nn.Conv2d(8, 12, 3, padding=1),
        nn.BatchNorm2d(12), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3),
    )  # fmt: skip
    network[4].running_mean.uniform_(-0.1, 0.1)
    card = Card("smooth", "Smooth network", trained_on="nothing that matters here")
    spec = InputSpec((64, 64), 3, (0.5,) * 3, (0.5,) * 3)
    return ImageClassifier(network.train(), ("a", "b", "c"), spec, card)


def by_hand(classifier: ImageClassifier, x: torch.Tensor, index: int, layer: str):
    """Return activations and gradients the long way: hooks, the whole graph, backward."""
    kept: dict[str, torch.Tensor] = {}
    network = classifier.network.eval()

    def keep(part: nn.Module, given: object, output: torch.Tensor) -> None:
        output.retain_grad()
        kept["a"] = output

    handle = network.get_submodule(layer).register_forward_hook(keep)
    network(x)[0, index].backward()
    handle.remove()
    network.zero_grad()
    network.train()
    return kept["a"].detach()[0].double().numpy(), kept["a"].grad[0].double().numpy()


@pytest.mark.parametrize(
    "how", ["grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam"]
)
def test_maps_equal_the_formulas_written_out(how: str) -> None:
    classifier = smooth_net()
    prepared = classifier.prepare(picture())
    target = Target(1, "b")
    found = explain(classifier, prepared, target, how, layer="5").values
    a, g = by_hand(classifier, prepared.tensor, 1, "5")
    if how == "grad_cam":
        wanted = np.einsum("c,chw->hw", g.mean((1, 2)), a)
    elif how == "grad_cam_pp":
        share = g**2 / (2 * g**2 + a.sum((1, 2))[:, None, None] * g**3)
        wanted = np.einsum("c,chw->hw", (share * np.maximum(g, 0)).sum((1, 2)), a)
    elif how == "hires_cam":
        wanted = (a * g).sum(0)
    elif how == "layer_cam":
        wanted = (a * np.maximum(g, 0)).sum(0)
    elif how == "xgrad_cam":
        wanted = np.einsum("c,chw->hw", (g * a).sum((1, 2)) / a.sum((1, 2)), a)
    else:
        flat = a.reshape(len(a), -1).T
        flat = flat - flat.mean(0)
        axis = np.linalg.svd(flat, full_matrices=False)[2][0]
        wanted = (flat @ axis).reshape(a.shape[1:])
        wanted = wanted * np.sign((wanted * found).sum())
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.filterwarnings("ignore")  # the peer's own
def test_maps_equal_captum() -> None:
    attr = pytest.importorskip("captum.attr")
    classifier = smooth_net()
    x = classifier.prepare(picture()).tensor
    prepared = classifier.prepare(picture())
    network = classifier.network.eval()
    target = Target(1, "b")

    def ours(how: str, **settings: object) -> np.ndarray:
        layer = "5" if how == "grad_cam" else ""
        return explain(classifier, prepared, target, how, settings, layer=layer).values

    pairs = [
        (ours("grad_cam"), attr.LayerGradCam(network, network[5]).attribute(x, 1)[0, 0]),
        (
            ours("integrated_gradients", steps=32),
            attr.IntegratedGradients(network).attribute(x, target=1, n_steps=32)[0].sum(0),
        ),
        (
            ours("occlusion", window=10, stride=7),
            attr.Occlusion(network).attribute(
                x, target=1, sliding_window_shapes=(3, 10, 10), strides=(3, 7, 7)
            )[0, 0],
        ),
        (ours("saliency"), attr.Saliency(network).attribute(x, 1, abs=False)[0].norm(dim=0)),
    ]
    for found, peer in pairs:
        peer = peer.detach().numpy()
        assert np.abs(found - peer).max() < 1e-4 * np.abs(peer).max()


@pytest.mark.filterwarnings("ignore")  # the peer's own
def test_maps_equal_grad_cam_package() -> None:
    package = pytest.importorskip("pytorch_grad_cam")
    classifier = smooth_net()
    prepared = classifier.prepare(picture())
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    names = {
        "grad_cam": package.GradCAM,
        "hires_cam": package.HiResCAM,
        "layer_cam": package.LayerCAM,
        "xgrad_cam": package.XGradCAM,
    }
    network = classifier.network.eval()
    for how, peer in names.items():
        ours = explain(classifier, prepared, Target(1, "b"), how, layer="5").values
        with peer(model=network, target_layers=[network[5]]) as cam:
            cam(input_tensor=prepared.tensor, targets=[ClassifierOutputTarget(1)])
            a = cam.activations_and_grads.activations[0].numpy()
            g = cam.activations_and_grads.gradients[0].numpy()
            theirs = cam.get_cam_image(
                prepared.tensor, network[5], [ClassifierOutputTarget(1)], a, g, False
            )[0]
        # Theirs scales activations by nothing but may divide by 1e-7 less: 1e-4 it is.
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_densenets_in_place_relu_does_not_reach_the_captured_map() -> None:
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.DenseNet(8, (2, 2), 16, num_classes=3)
    card = Card("dense", "DenseNet", trained_on="nothing that matters here")
    spec = InputSpec((64, 64))
    classifier = ImageClassifier(network, ("a", "b", "c"), spec, card)
    prepared = classifier.prepare(picture())
    found = explain(classifier, prepared, Target(1, "b"), "grad_cam")
    assert found.layer is not None
    assert found.layer.name == "features"
    network.eval()
    with torch.enable_grad():
        a = network.features(prepared.tensor).detach().requires_grad_()
        out = network.classifier(torch.relu(a).mean((2, 3)))  # not in place
        (g,) = torch.autograd.grad(out[0, 1], a)
    wanted = (g.mean((2, 3), keepdim=True) * a).sum(1)[0].detach().numpy()
    assert a.min() < 0
    assert np.allclose(found.values, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("how", [m.id for m in METHODS if m.needs != "tokens"])
def test_networks_are_left_as_they_were(how: str) -> None:
    classifier = planted()
    network = classifier.network
    network.pool.eval()
    modes = [part.training for part in network.modules()]
    for p in network.parameters():
        p.requires_grad_(False)  # frozen
    prepared = classifier.prepare(picture())
    target = Target(1, "red")
    settings = {"ranges": "a:1-2;b:2-4"} if "ranges" in method(how).settings else {}
    with torch.inference_mode():  # and a caller who forbids gradients
        found = explain(classifier, prepared, target, how, settings)
    assert np.isfinite(found.values).all()
    assert torch.is_grad_enabled()
    assert hooks(network) == 0
    assert [part.training for part in network.modules()] == modes
    assert all(p.grad is None for p in network.parameters())


def test_attention_is_fused_again_and_hooks_are_gone(vit: ImageClassifier) -> None:
    parts = [p for p in vit.network.modules() if hasattr(p, "fused_attn")]
    before = [p.fused_attn for p in parts]
    prepared = vit.prepare(picture(0, 8, 16, 32))
    for how in FOR_TOKENS:
        explained(vit, how, prepared)
    assert [p.fused_attn for p in parts] == before
    assert hooks(vit.network) == 0


def test_torchs_own_attention_is_taken_apart_correctly() -> None:
    import torchvision

    from backends.explain.attention import attention_of

    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
    nn.init.normal_(network.heads[0].weight)
    card = Card("tv", "Torchvision transformer", trained_on="nothing that matters here")
    classifier = ImageClassifier(network, ("a", "b", "c"), InputSpec((32, 32), fixed=True), card)
    x = classifier.prepare(picture(0, 8, 16, 32)).tensor
    with torch.no_grad():
        matrices, logits = attention_of(classifier, x)
        assert torch.allclose(logits, classifier.logits(x), atol=1e-5)
    assert [m.shape for m in matrices] == [(1, 2, 17, 17)] * 2
    assert torch.allclose(matrices[0].sum(-1), torch.ones(1, 2, 17), atol=1e-5)
    found = explained(classifier, "attention_gradient", classifier.prepare(picture(0, 8, 16, 32)))
    assert found.values.shape == (4, 4)
    assert found.values.any()


def test_two_hundred_maps_leave_nothing_behind() -> None:
    classifier = smooth_net()
    prepared = classifier.prepare(picture())
    target = Target(1, "b")

    def many(count: int) -> None:
        for number in range(count):
            explain(classifier, prepared, target, ("grad_cam", "layer_cam")[number % 2])

    many(30)
    before = psutil.Process().memory_info().rss
    many(200)
    assert psutil.Process().memory_info().rss - before < 8 << 20
    assert hooks(classifier.network) == 0


def test_threads_on_one_network_give_what_one_after_the_other_gives() -> None:
    classifier = smooth_net()
    other = ImageClassifier(
        classifier.network, classifier.class_names, classifier.spec, classifier.card
    )
    images = [picture(0), picture(2, 4, 30)]
    ways = ["grad_cam", "integrated_gradients", "occlusion", "eigen_cam"]

    def all_maps(which: ImageClassifier, number: int) -> list[np.ndarray]:
        prepared = which.prepare(images[number])
        return [explain(which, prepared, Target(number, ""), how).values for how in ways]

    alone = [all_maps(classifier, 0), all_maps(other, 1)]
    for _ in range(3):
        found: list[list[np.ndarray]] = [[], []]

        def work(which: ImageClassifier, number: int, into: list[list[np.ndarray]]) -> None:
            into[number] = all_maps(which, number)

        threads = [
            threading.Thread(target=work, args=(which, number, found))
            for number, which in enumerate((classifier, other))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for a, b in zip(alone, found, strict=True):
            for one, two in zip(a, b, strict=True):
                assert np.allclose(one, two, atol=1e-6)


def test_states_are_said() -> None:
    dead = planted()
    with torch.no_grad():
        dead.network.head.weight.zero_()
    prepared = dead.prepare(picture())
    found = explain(dead, prepared, Target(1, "red"), "grad_cam")
    assert {s.id for s in found.states} == {"zero_gradient", "below_chance"}
    against = planted()
    found = explain(against, against.prepare(picture()), Target(2, "blue"), "grad_cam")
    assert {s.id for s in found.states} == {"all_negative", "below_chance"}


def test_spectral_and_joint_occlusion_name_the_bands_that_matter() -> None:
    class Ratio(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            plants = torch.relu(x[:, 6:9].mean(1) - 0.5)  # bands 7 to 9 alone matter
            return torch.stack([torch.zeros(len(x)), 20 * plants.mean((1, 2))], 1)

    nm = tuple(np.linspace(450, 1700, 12).tolist())
    spec = InputSpec(None, 12, (0.0,) * 12, (1.0,) * 12, (0.0, 1.0), wavelength_nm=nm)
    card = Card("r", "Ratio", trained_on="by hand")
    classifier = ImageClassifier(Ratio(), ("no", "plants"), spec, card)
    cube = np.full((40, 40, 12), 0.2, np.float32)
    cube[10:24, 16:30] = 0.9
    prepared = classifier.prepare(cube)
    settings = {"ranges": "VIS:400-700;NIR:700-1100;SWIR:1100-1800", "baseline": "mean"}
    target = Target(1, "plants")
    spectral = explain(classifier, prepared, target, "occlusion_spectral", settings)
    assert spectral.part_names == ("VIS", "NIR", "SWIR")
    assert spectral.parts is not None
    assert spectral.parts.shape == (3, 1, 1)
    assert spectral.parts[0, 0, 0] == pytest.approx(0, abs=1e-6)
    assert int(spectral.parts[:, 0, 0].argmax()) in (1, 2)
    joint = explain(classifier, prepared, target, "occlusion_joint", settings)
    assert joint.parts is not None
    truth = np.zeros((40, 40), bool)
    truth[10:24, 16:30] = True
    assert iou(joint.values, truth) > 0.5
    assert not joint.parts[0].any()
    gradient = explain(classifier, prepared, target, "integrated_gradients")
    assert gradient.bands is not None
    assert set(np.flatnonzero(gradient.bands)) == {6, 7, 8}


def test_pixel_networks_are_explained_by_region_and_pixel() -> None:
    class Blur(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.AvgPool2d(2)
            self.up = nn.Upsample(scale_factor=2, mode="bilinear")
            self.mix = nn.Conv2d(3, 2, 1)
            with torch.no_grad():
                self.mix.weight.zero_()
                self.mix.weight[1, 0] = 4.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mix(self.up(self.down(x)))

    card = Card("b", "Blur", trained_on="by hand")
    spec = InputSpec(None, 3, (0.5,) * 3, (0.5,) * 3)
    classifier = ImageClassifier(Blur(), ("ground", "red"), spec, card, pixelwise=True)
    prepared = classifier.prepare(picture())
    target = classifier.target(prepared, "red", region=mask())
    found = explain(classifier, prepared, target, "hires_cam")
    assert found.layer is not None
    assert found.layer.name == "down"
    assert iou(found.on_image(), mask()) > 0.5
    one = classifier.target(prepared, "red", pixel=(30, 30))
    near = explain(classifier, prepared, one, "saliency").values
    assert near[28:34, 28:34].sum() == pytest.approx(near.sum())


def test_what_cannot_be_is_said_in_a_sentence() -> None:
    classifier = planted()
    prepared = classifier.prepare(picture())
    red = Target(1, "red")
    with pytest.raises(WrongUse, match="no class 9"):
        explain(classifier, prepared, Target(9), "grad_cam")
    with pytest.raises(WrongUse, match="no method called magic"):
        explain(classifier, prepared, red, "magic")
    with pytest.raises(WrongUse, match="no setting called depth"):
        explain(classifier, prepared, red, "rise", {"depth": 3})
    with pytest.raises(WrongUse, match="has no layer layer9"):
        explain(classifier, prepared, red, "grad_cam", layer="layer9")
    with pytest.raises(WrongUse, match="is no picture"):
        explain(classifier, prepared, red, "grad_cam", layer="head")
    with pytest.raises(BadInput, match="tokens, which Planted network does not"):
        explain(classifier, prepared, red, "attention_rollout")
    flat = ImageClassifier(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 3)), classifier.class_names,
        classifier.spec, classifier.card,
    )  # fmt: skip
    with pytest.raises(BadInput, match="no layer that is still a picture"):
        explain(flat, prepared, red, "grad_cam")
    assert explain(flat, prepared, red, "saliency").values.any()
    random = planted(Card("x", "Fresh network"))
    with pytest.raises(WrongUse, match="untrained"):
        explain(random, prepared, red, "grad_cam")
    made: Explanation = explain(random, prepared, red, "grad_cam", untrained=True)
    assert "Untrained" in made.notes[-1]


@pytest.mark.parametrize("how", ["rise", "occlusion", "smooth_grad", "integrated_gradients"])
def test_long_methods_stop_within_one_batch(how: str) -> None:
    progress = Progress()
    calls = []

    class Cancelling(PlantedNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(len(x))
            if len(calls) == 3:
                progress.token.cancel()
            return super().forward(x)

    classifier = planted()
    classifier.network = Cancelling()
    prepared = classifier.prepare(picture())
    with pytest.raises(Cancelled):
        explain(classifier, prepared, Target(1, "red"), how, {"batch": 2}, progress)
    assert len(calls) == 3


def test_maps_for_measures_of_trust_are_the_same_maps() -> None:
    classifier = planted()
    prepared = classifier.prepare(picture())
    target = classifier.target(prepared)
    run = map_function(classifier, target, "layer_cam")
    wanted = explain(classifier, prepared, target, "layer_cam").values
    assert np.array_equal(run(prepared.tensor[0]), wanted)
