"""What a trust card costs, against the bare forwards it needs; a part of ``bench explain``.

ResNet-50 with random weights at 224 × 224 pixels, one thread on the processor (on a GPU where
one is there). Bare means: as many images in as many batches through the network, nothing
else. The deletion curve is held against quantus (PixelFlipping, the same settings) where that
can be imported. Contenders alternate; ratios carry over to other machines, seconds do not.
Seconds of the processor are given beside those of the clock: others may want it, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bench.table import in_process

SIDE, STEPS, MAPS, COARSE, BATCH = 224, 32, 20, 8, 8


def measure(rounds: int) -> dict[str, Any]:
    """Measure the curves, quantus beside them, and the whole card; a few minutes."""
    return {
        "network": "ResNet-50, random weights",
        "side": SIDE,
        "threads": 1,
        "deletion_insertion": in_process(deletion_insertion, min(rounds, 5)),
        "deletion_beside_quantus": in_process(beside_quantus),
        "card": in_process(card, min(rounds, 2)),
    }


def deletion_insertion(rounds: int) -> dict[str, Any]:
    """Both curves of one map at 32 steps, against their bare forwards; with peak memory."""
    import torch

    from app.bench.rss import Peak
    from backends.explain.curves import deletion_curve, insertion_curve

    network, image, values, device = _set_up()
    score = _scorer(network)
    noise = torch.rand((BATCH, *image.shape), device=device)

    def curves() -> None:
        for curve in (deletion_curve, insertion_curve):
            curve(image, values, score, steps=STEPS, batch=BATCH)

    def bare() -> None:
        with torch.no_grad():
            for _ in range(2):
                for first in range(0, STEPS + 1, BATCH):
                    score(noise[: min(BATCH, STEPS + 1 - first)]).cpu()

    bare()  # finds its memory
    peak = Peak()
    found = _alternate(rounds, {"bare": bare, "curves": curves})
    return {
        "forwards": 2 * (STEPS + 1),
        "seconds": {name: round(wall, 3) for name, (wall, _) in found.items()},
        "processor_s": {name: round(cpu, 3) for name, (_, cpu) in found.items()},
        "ratio": round(found["curves"][0] / found["bare"][0], 4),
        "ratio_processor": round(found["curves"][1] / found["bare"][1], 4),
        "peak_growth_mb": round(peak.growth() / 2**20, 1),
        "device": str(device),
    }


def beside_quantus() -> dict[str, Any] | None:
    """Hold the deletion curve against quantus on the same settings; None without quantus."""
    import warnings

    import torch

    from backends.explain.curves import deletion_curve
    from backends.explain.perturbation import ZERO

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import quantus
    except ImportError:
        return None
    network, image, values, device = _set_up()
    # At the image's own size and without ties: theirs keeps no order among equals.
    values = np.kron(values, np.ones((SIDE // len(values),) * 2))
    values += (
        1e-6
        * np.ptp(values)
        * np.random.default_rng(0).permutation(values.size).reshape(values.shape)
    )
    flipping = quantus.PixelFlipping(
        # It takes the bands of a pixel one by one: every third of its steps is one of ours.
        features_in_step=SIDE * SIDE // STEPS, perturb_baseline="black", abs=False,
        normalise=False, disable_warnings=True, return_aggregate=False,
    )  # fmt: skip
    score = _scorer(network)
    started = time.process_time()
    with torch.no_grad():
        theirs = flipping(
            network, image[None].cpu().numpy(), np.array([0]), values[None, None],
            channel_first=True, softmax=True, device=str(device),
        )[0]  # fmt: skip
    middle = time.process_time()
    ours = deletion_curve(image, values, score, ZERO, steps=STEPS, batch=BATCH).score[1:]
    theirs = theirs[2::3]
    return {
        "points": len(ours),
        "largest_difference": float(np.abs(ours - np.asarray(theirs, np.float64)).max()),
        "range_of_the_curve": float(np.ptp(ours)),
        "processor_s": {
            "quantus": round(middle - started, 2),
            "deletion_curve": round(time.process_time() - middle, 2),
        },
    }


def card(rounds: int) -> dict[str, Any]:
    """Time the whole card with Grad-CAM, part by part."""
    from backends.explain.trust import assess
    from backends.explain.trust_card import TrustSettings

    network, image, values, device = _set_up()
    made = []
    for _ in range(rounds):
        before = time.process_time()
        one = assess(
            image,
            values,
            _scorer(network),
            explain=lambda x: grad_cam(network, x),
            network=network,
            explain_with=lambda other: grad_cam(other, image),
            settings=TrustSettings(steps=STEPS, random_maps=MAPS, random_steps=COARSE),
        )
        made.append((one, time.process_time() - before))
    best, processor = min(made, key=lambda pair: pair[0].seconds)
    return {
        "seconds": round(best.seconds, 2),
        "processor_s": round(processor, 2),
        "parts_s": {name: round(s, 2) for name, s in best.cost.parts_s.items()},
        "forwards": best.cost.forwards,
        "batches": best.cost.batches,
        "explanations": best.cost.explanations,
        "device": str(device),
    }


def grad_cam(network: Any, image: Any) -> NDArray[np.float64]:
    """Return Grad-CAM of class 0 at the last stage of a ResNet, on its own grid."""
    import torch

    held: list[Any] = []
    hook = network.layer4.register_forward_hook(lambda _m, _i, out: held.append(out))
    try:
        with torch.enable_grad():
            answer = network(image[None].requires_grad_(True))[0, 0]
            (slope,) = torch.autograd.grad(answer, held[0])
    finally:
        hook.remove()
    weights = slope.mean(dim=(2, 3), keepdim=True)
    cam = (weights * held[0]).sum(1)[0].detach()
    return np.asarray(cam.cpu().double().numpy())


def _set_up() -> tuple[Any, Any, Any, Any]:
    import torch
    from torchvision.models import resnet50

    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = resnet50(weights=None).eval().to(device)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    image = torch.rand(3, SIDE, SIDE, device=device)
    return network, image, grad_cam(network, image), device


def _scorer(network: Any) -> Callable[[Any], Any]:
    return lambda batch: network(batch).softmax(dim=1)[:, 0]


def _alternate(
    rounds: int, contenders: dict[str, Callable[[], None]]
) -> dict[str, tuple[float, float]]:
    """Return the median seconds of clock and processor of each contender."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, once in contenders.items():
            wall, cpu = time.perf_counter(), time.process_time()
            once()
            found[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: (median(wall for wall, _ in runs), median(cpu for _, cpu in runs))
        for name, runs in found.items()
    }
