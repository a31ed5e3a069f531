"""``bench explain``: what a Grad-CAM and a trust card cost, against bare passes and peers.

ResNet-50 and ViT-B/16 with random weights at 224 × 224 pixels, one image, one thread. Peers
(captum's LayerGradCam, the grad-cam package) are measured where they can be imported; nothing
of ours needs them. All take turns in one process, each round beginning with another, after a
run that only warms up. Seconds of the processor are given beside those of the clock: others
may want it at the same time. What the trust card costs is measured by `app.bench.trust_card`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib import metadata
from statistics import median
from typing import Any

import numpy as np

from app.bench import trust_card
from app.bench.table import in_process

SIDE = 224
NETWORKS = {"ResNet-50": "resnet50", "ViT-B/16": "vit_base_patch16_224"}


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure both networks and the card; some six minutes with seven rounds."""
    return {
        "weights": "random",
        "side": SIDE,
        "threads": 1,
        "peers": {name: _version(name) for name in ("captum", "grad-cam", "quantus")},
        "networks": {title: in_process(network, name, rounds) for title, name in NETWORKS.items()},
        "trust": trust_card.measure(rounds),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def network(name: str, rounds: int) -> dict[str, Any]:
    """Measure one network."""
    import torch

    from backends.explain import shelf
    from backends.explain.classifier import Target
    from backends.explain.explainers import explain

    torch.set_num_threads(1)
    torch.manual_seed(0)
    classifier = shelf.load(name, untrained=True)
    image = torch.randint(0, 256, (SIDE, SIDE, 3)).numpy().astype("uint8")
    prepared, target = classifier.prepare(image), Target(7)
    x, net = prepared.tensor, classifier.network.eval()
    first = explain(classifier, prepared, target, "grad_cam", untrained=True)
    assert first.layer is not None

    def forward() -> None:
        with torch.no_grad():
            net(x)

    def ours() -> Any:
        return explain(classifier, prepared, target, "grad_cam", untrained=True).values

    contenders: dict[str, Callable[[], Any]] = {"forward": forward, "grad_cam": ours}
    contenders |= _peers(net, x, first.layer)
    seconds = _alternate(rounds, contenders)
    wall = {name: values[0] for name, values in seconds.items()}
    out: dict[str, Any] = {
        "layer": first.layer.reason,
        "milliseconds": {name: round(1e3 * value, 1) for name, value in wall.items()},
        "processor_ms": {name: round(1e3 * cpu, 1) for name, (_, cpu) in seconds.items()},
        "to_forward": round(wall["grad_cam"] / wall["forward"], 3),
    }
    processor = {name: cpu for name, (_, cpu) in seconds.items()}
    for peer in ("captum_layer_grad_cam", "grad_cam_package"):
        if peer in wall:
            out[f"to_{peer}"] = round(wall["grad_cam"] / wall[peer], 3)
            out[f"to_{peer}_processor"] = round(processor["grad_cam"] / processor[peer], 3)
    mine = ours()
    out["largest_difference_to"] = {
        name: _apart(mine, peer()) for name, peer in _peers(net, x, first.layer, raw=True).items()
    }
    return out


def _apart(ours: Any, theirs: Any) -> float:
    """Return the largest difference of two maps as a part of the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _peers(net: Any, x: Any, layer: Any, *, raw: bool = False) -> dict[str, Callable[[], Any]]:
    """Return the peers that can be imported, on the same layer; raw: those with equal maps.

    On tokens captum's averages the wrong axis; its time is what it would take.
    """
    found: dict[str, Callable[[], Any]] = {}
    part, picture = net.get_submodule(layer.name), layer.kind == "map"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from captum.attr import LayerGradCam

            cam = LayerGradCam(net, part)
            if picture or not raw:
                found["captum_layer_grad_cam"] = lambda: cam.attribute(x, 7)[0, 0].detach().numpy()
        except ImportError:
            pass
        try:
            from pytorch_grad_cam import GradCAM
            from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
        except ImportError:
            return found
    targets = [ClassifierOutputTarget(7)]

    def package() -> Any:
        # Its hooks are gone before another contender runs.
        with GradCAM(net, [part], None if picture else layer.to_grid) as theirs:
            shown = theirs(input_tensor=x, targets=targets)
            kept = theirs.activations_and_grads
            if not raw:
                return shown
            # Before it cuts at zero, enlarges and stretches to 0 … 1.
            both = kept.activations[0].numpy(), kept.gradients[0].numpy()
            return theirs.get_cam_image(x, part, targets, *both, False)[0]

    return found | {"grad_cam_package": package}


def _alternate(
    rounds: int, contenders: dict[str, Callable[[], Any]]
) -> dict[str, tuple[float, float]]:
    """Return the median seconds of clock and processor of each contender."""
    for once in contenders.values():
        once()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    order = list(contenders.items())
    for _ in range(rounds):
        order.append(order.pop(0))
        for name, once in order:
            wall, cpu = time.perf_counter(), time.process_time()
            once()
            found[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: (median(wall for wall, _ in runs), median(cpu for _, cpu in runs))
        for name, runs in found.items()
    }
