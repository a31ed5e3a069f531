"""``bench fire``: the combined model from raw tile to mask, beside the paper's 7.75 ms a patch.

Untrained weights: the time does not depend on them. Raw 8-bit tiles of a simulated line of 12
channels are scaled, asked, segmented, cut at the threshold and made a layer, one at a time.
The paper's figure is a third party's word for its own machine (Apple M4 Max), network alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from app.bench.table import Series, in_process
from backends.jobs import Progress

PAPER_MS = 7.75
SIZE = 448  # four tiles that overlap by 64 pixels


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure in a process of its own; what the list of benchmarks calls."""
    return dict(in_process(measure, rounds))


def measure(rounds: int) -> dict[str, Any]:
    """Return seconds a tile with the gate open, and with it shut."""
    import torch

    from backends import devices
    from backends.bands import BandTable
    from backends.fire.checkpoints import FireNetworks
    from backends.fire.combined import ask_tile, run_combined
    from backends.fire.detect import detect
    from backends.fire.fields import FireImage
    from backends.fire.networks import FireClassifier, FireSegmenter
    from backends.scene import ArraySource, Scene, SceneInfo
    from backends.simulate.ams import simulate_ams

    device = devices.choose("auto").id
    torch.manual_seed(0)
    made = simulate_ams(SIZE, seed=0)
    table = made.sensor.band_table()
    bands = BandTable.build(12, names=table.names, wavelength_nm=table.wavelengths())
    scene = Scene(ArraySource(made.stored()), SceneInfo(None, "thermal", bands))
    image = FireImage(scene)
    networks = FireNetworks(
        FireClassifier(12).eval(), FireSegmenter(12).eval(), tuple(range(1, 13)), {}
    )
    planes = np.random.default_rng(0).random((12, 256, 256), np.float32)
    tiles = len(run_combined(image, networks, gate=0.0, device=device).tiles)

    def timed(act: Callable[[], Any]) -> Series:
        act()
        found = []
        for _ in range(max(3, rounds)):
            began = time.perf_counter()
            act()
            found.append(time.perf_counter() - began)
        return Series(tuple(found))

    def whole(gate: float) -> Series:
        seconds = timed(
            lambda: detect(
                image, rules=[], model=networks, gate=gate, device=device, progress=Progress()
            )
        )
        return Series(tuple(v / tiles for v in seconds.values))

    every, shut = whole(0.0), whole(1.0)
    alone = timed(lambda: ask_tile(networks, planes, 0.0, device))
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "paper_ms": PAPER_MS,
        "end_to_end_every_tile_segmented_s": every.to_dict(),
        "end_to_end_gate_shut_s": shut.to_dict(),
        "networks_alone_s": alone.to_dict(),
        "tiles_per_second": {
            "every tile segmented": round(1 / every.to_dict()["median"], 2),
            "gate shut": round(1 / shut.to_dict()["median"], 2),
        },
        "times_the_papers_patch": round(every.to_dict()["median"] * 1e3 / PAPER_MS, 1),
    }
