"""``bench scan``: pixels read cluster by cluster against the whole image in raster order.

Same block, same width, random pixels. The clustered way includes the partition, the sorting,
the gathering and the putting back, as CSSMamba does it. Both run our own blocked scan; a
plain loop with stored steps (how the recurrence is written without a kernel) is measured once
at the smaller size. Every figure comes from a fresh process with one thread, after a run that
only warms up; contenders alternate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from app.bench.table import in_process

WIDTH, STATES, LONGEST = 32, 8, 512
SIZES = {"145 × 145": (145, 145, 200, 16), "610 × 340": (610, 340, 103, 9)}
PATCH = 9
PATCHES = 200
STEPS = 200


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure everything; about six minutes with three rounds."""
    out: dict[str, Any] = {
        "width": WIDTH,
        "states": STATES,
        "longest": LONGEST,
        "threads": 1,
        "sizes": {size: compare(size, min(rounds, 3)) for size in SIZES},
    }
    loop = in_process(scan, "loop", "145 × 145", True)
    ours = out["sizes"]["145 × 145"]["forward_backward"]["clustered"]
    out["plain_loop_145"] = {
        **loop,
        "times_faster": round(loop["seconds"] / ours["seconds"], 2),
        "memory_ratio": round(ours["peak_mb"] / loop["peak_mb"], 3),
    }
    out["network"] = {
        "patch_loop": in_process(patch_loop, "145 × 145"),
        "training": in_process(training, "145 × 145"),
        "predicting": in_process(predicting, "610 × 340"),
    }
    return out


def compare(size: str, rounds: int) -> dict[str, Any]:
    """Measure both orders in turn; forward alone, and with the way back."""
    out: dict[str, Any] = {}
    for name, backward in (("forward", False), ("forward_backward", True)):
        found: dict[str, list[dict[str, float]]] = {"raster": [], "clustered": []}
        for _ in range(rounds):
            for kind, runs in found.items():
                runs.append(in_process(scan, kind, size, backward))
        one = {
            kind: {key: median(r[key] for r in runs) for key in ("seconds", "peak_mb")}
            for kind, runs in found.items()
        }
        raster, clustered = one["raster"], one["clustered"]
        out[name] = {
            **one,
            "times_faster": round(raster["seconds"] / clustered["seconds"], 2),
            "memory_ratio": round(clustered["peak_mb"] / raster["peak_mb"], 3),
            "runs": found,
        }
    return out


def scan(kind: str, size: str, backward: bool) -> dict[str, float]:
    """Read an image once: ``"raster"``, ``"clustered"`` or ``"loop"`` (raster, plain)."""
    import torch

    from app.bench.rss import Peak
    from backends.hyperspectral.pixel_clusters import capped_partition, make_sequences
    from backends.hyperspectral.selective_scan import Mamba
    from backends.hyperspectral.token_groups import read_chosen

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows, cols, _, classes = SIZES[size]
    block = Mamba(WIDTH, STATES, scan="loop" if kind == "loop" else "blocked")
    pixels, clusters = rows * cols, min(64, max(8, 2 * classes))
    x = torch.randn(pixels, WIDTH, requires_grad=backward)
    membership = torch.softmax(torch.randn(pixels, clusters), dim=1)
    score = torch.rand(pixels)

    def read(tokens: Any, _: Any, steps: Any, kept: Any) -> Any:
        return block.read(tokens, steps, kept)

    def clustered() -> Any:
        hard = capped_partition(membership, math.ceil(1.5 * pixels / clusters))
        sequences = make_sequences(hard, score, LONGEST)
        return read_chosen(read, sequences, x, block.parameters())[0]

    def once() -> None:
        out = clustered() if kind == "clustered" else block(x[None])[0]
        if backward:
            out.sum().backward()

    with torch.set_grad_enabled(backward):
        return _measured(once, Peak())


def patch_loop(size: str) -> dict[str, float]:
    """Map an image in one pass, and pixel by pixel from the patch around each (sampled)."""
    import torch

    torch.set_num_threads(1)
    network, spectra = _network(size)
    network.eval()
    rows, cols = SIZES[size][:2]
    image = torch.nn.functional.pad(
        spectra.view(rows, cols, -1).permute(2, 0, 1), (PATCH // 2,) * 4, mode="reflect"
    )
    rng = torch.Generator().manual_seed(0)
    places = torch.randint(rows * cols, (PATCHES,), generator=rng).tolist()

    def patches() -> None:
        for place in places:
            row, col = divmod(place, cols)
            square = image[:, row : row + PATCH, col : col + PATCH]
            network(square.reshape(square.shape[0], -1).t())

    with torch.no_grad():
        whole = _seconds(lambda: network(spectra))
        each = _seconds(patches) / PATCHES
    return {
        "whole_image_s": whole,
        "patch_s_each": each,
        "patch_side": PATCH,
        "patch_loop_s_extrapolated": each * rows * cols,
        "times_faster": round(each * rows * cols / whole, 1),
    }


def training(size: str) -> dict[str, float]:
    """Take steps on the whole image, and say how long 200 would take."""
    import torch

    from app.bench.rss import Peak

    torch.set_num_threads(1)
    network, spectra = _network(size)
    target = torch.randint(SIZES[size][3], (len(spectra),))
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-4)

    def step() -> None:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(spectra)[0], target)
        (loss + network.extra_loss).backward()
        optimiser.step()
        network.after_step()

    network.train()
    found = _measured(step, Peak())
    return {
        "seconds_a_step": found["seconds"],
        "peak_mb": found["peak_mb"],
        "steps": STEPS,
        "minutes_extrapolated": round(found["seconds"] * STEPS / 60, 2),
    }


def predicting(size: str) -> dict[str, float]:
    """Map the large image in one pass; the peak includes its pixels."""
    import torch

    from app.bench.rss import Peak

    torch.set_num_threads(1)
    peak = Peak()
    network, spectra = _network(size)
    network.eval()
    with torch.no_grad():
        return _measured(lambda: network(spectra), peak)


def _network(size: str) -> tuple[Any, Any]:
    """Return CSSMamba at its default width, without the spectral front, and random pixels."""
    import torch

    from backends.hyperspectral.css_mamba import CssMamba, CssSettings

    torch.manual_seed(0)
    rows, cols, bands, classes = SIZES[size]
    settings = CssSettings(components=0, context=1)
    return CssMamba(bands, classes, settings), torch.rand(rows * cols, bands)


def _measured(once: Callable[[], Any], peak: Any) -> dict[str, float]:
    seconds = _seconds(once)
    return {"seconds": seconds, "peak_mb": round(peak.growth() / 2**20, 1)}


def _seconds(once: Callable[[], Any]) -> float:
    """Return how long a second run takes; the first finds its memory."""
    once()
    started = time.perf_counter()
    once()
    return round(time.perf_counter() - started, 5)
