"""``bench concepts``: a click, a layer, and memory on sparse codes; training beside its floor.

Codes of a 4,000 × 4,000 image: 8,192 concepts, 12 a patch, patches of 8 pixels (250,000) as
they would come from an encoder; the panel is what the desk asks for (three levels with names
and parents). Training: tokens a second on the CPU (512 features, 2,048 concepts, batches of
2,048) beside nothing but the products of matrices a step cannot do without, in plain PyTorch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from app.bench.table import in_process

SIDE, PATCH = 4000, 8
CONCEPTS, ACTIVE = 8192, 12
FEATURES, TRAINED, BATCH, STEPS = 512, 2048, 2048, 6
GPU_STEPS = 300


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure; a minute."""
    from backends import devices

    made = {"codes": in_process(codes, rounds), "training": in_process(training, rounds, "cpu")}
    gpu = devices.gpu_for_products()
    if gpu is not None:
        made["training_gpu"] = in_process(training, rounds, gpu.id)
    return made


def codes(rounds: int) -> dict[str, Any]:
    """Measure click, layers, graph and memory."""
    import psutil

    from backends.concepts.autoencoder import (
        PUBLISHED_FRACTIONS,
        NestedAutoencoder,
        Quality,
        Scaling,
        Sizes,
    )
    from backends.concepts.autoencoder_files import Dictionary
    from backends.concepts.codes import Codes
    from backends.concepts.describing import ImageConcepts
    from backends.concepts.probe import Probe
    from backends.overlays import Placement

    process = psutil.Process()
    sizes = Sizes(FEATURES, CONCEPTS, ACTIVE, PUBLISHED_FRACTIONS)
    network = NestedAutoencoder(sizes).requires_grad_(False)
    rng = np.random.default_rng(0)
    probe = Probe(rng.normal(size=(20, CONCEPTS)), np.zeros(20), tuple(map(str, range(20))))
    pairs = rng.integers(0, CONCEPTS, (20_000, 2)).astype(np.int32)
    dictionary = Dictionary(
        network, Scaling(np.zeros(FEATURES, np.float32), 1.0), {"digest": "b", "title": "bench"},
        card={"classes": list(probe.classes)},
        names={n: {"name": f"concept {n}", "runners_up": []} for n in range(CONCEPTS)},
        extra={
            **probe.to_arrays(), "relations.pairs": pairs,
            "relations.strength": rng.uniform(0.3, 1, (20_000, 2)).astype(np.float32),
            "relations.support": np.full(20_000, 60), "relations.count": np.full(CONCEPTS, 400),
            "relations.patches": np.array([250_000]),
        },
    )  # fmt: skip
    before = process.memory_info().rss
    cells = SIDE // PATCH
    tokens = cells * cells
    index = np.sort(rng.integers(0, CONCEPTS, (tokens, ACTIVE)).astype(np.uint16), 1)
    value = rng.random((tokens, ACTIVE), np.float32)
    start = np.arange(0, tokens * ACTIVE + 1, ACTIVE, dtype=np.int64)
    made = Codes(start, index.reshape(-1), value.reshape(-1), CONCEPTS, (cells, cells))
    place = Placement((PATCH - 1) / 2, (PATCH - 1) / 2, PATCH, PATCH)
    image = ImageConcepts(
        dictionary, made, place, Quality(0.2, ACTIVE, 0.0, tokens), "bench"
    ).ready()
    first = _once(lambda: image.at(2000, 2000))
    clicks = _times(lambda n: image.at(*rng.integers(0, SIDE, 2).tolist()), 20 * rounds)
    layers = _times(lambda n: image.present(n), 4 * rounds)
    used = _times(lambda n: image.used(n, 3), 4 * rounds)
    graph = _times(lambda n: image.graph(), rounds)
    decision = _times(lambda n: image.decision(changes={n: 0.0}), rounds)
    return {
        "image": f"{SIDE} x {SIDE}, {tokens} patches",
        "concepts": CONCEPTS,
        "first_click_ms": round(1e3 * first, 1),
        "click_ms": _told(clicks),
        "layer_ms": _told(layers),
        "contribution_layer_ms": _told(used),
        "graph_ms": _told(graph),
        "taken_away_ms": _told(decision),
        "codes_mb": round(made.nbytes / 1e6, 1),
        "memory_grown_mb": round((process.memory_info().rss - before) / 1e6, 1),
        "dense_would_be_mb": round(tokens * CONCEPTS * 4 / 1e6),
        "load": _load(),
    }


def training(rounds: int, device: str) -> dict[str, Any]:
    """Measure tokens a second, and those of the products of matrices alone.

    On the processor by its own seconds, which others don't lengthen; on a GPU by the clock.
    """
    import torch

    from backends.concepts.autoencoder import Sizes
    from backends.concepts.autoencoder_training import Settings, begin, train

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(BATCH * 4, FEATURES)).astype(np.float32)
    steps = STEPS if device == "cpu" else GPU_STEPS
    how = Settings(steps, BATCH)
    state = begin(features, Sizes(FEATURES, TRAINED, 8), how)
    x = torch.from_numpy(features[:BATCH]).to(device)
    encode = torch.randn(FEATURES, TRAINED, device=device)
    decode = torch.randn(TRAINED, FEATURES, device=device)
    codes = torch.randn(BATCH, TRAINED, device=device)

    def floor() -> None:
        for _ in range(steps):
            x @ encode, codes @ decode  # forward
            x.t() @ codes, codes.t() @ x, x @ decode.t()  # backward, to weights and codes

    def ours() -> None:
        state.step = 0
        train(state, features, how, device=device)

    def seconds() -> float:
        if device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    found: dict[str, list[float]] = {"ours": [], "floor": []}
    ours()
    floor()
    for number in range(rounds):
        for name, once in (("ours", ours), ("floor", floor))[:: 1 if number % 2 else -1]:
            began = seconds()
            once()
            found[name].append(seconds() - began)
    tokens = steps * BATCH
    ours_s, floor_s = median(found["ours"]), median(found["floor"])
    return {
        "features": FEATURES, "concepts": TRAINED, "batch": BATCH,
        "device": "cpu, 1 thread" if device == "cpu" else torch.cuda.get_device_name(),
        "tokens_per_s": round(tokens / ours_s), "floor_tokens_per_s": round(tokens / floor_s),
        "to_floor": round(ours_s / floor_s, 2), "load": _load(),
    }  # fmt: skip


def _once(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _times(act: Callable[[int], Any], count: int) -> list[float]:
    return [_once(lambda n=number: act(n)) for number in range(count)]


def _told(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median": round(1e3 * median(ordered), 2),
        "p95": round(1e3 * ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 2),
    }


def _load() -> float:
    import os

    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0
