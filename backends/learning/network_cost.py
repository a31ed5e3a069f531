"""What a network costs: parameters, operations and measured time for one image."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import nn

PATIENCE_S = 3.0


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one image.

    Attributes
    ----------
    parameters : int
    flops : int
        Floating-point operations of one pass (a multiplication with its addition counts 2),
        by `torch.utils.flop_counter`: convolutions and matrix products.
    latency_ms : float
        Median time of one pass with one image, on ``device`` with ``threads`` threads.
    """

    parameters: int
    flops: int
    latency_ms: float
    device: str
    threads: int
    input: tuple[int, int, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "parameters": self.parameters,
            "flops": self.flops,
            "latency_ms": round(self.latency_ms, 3),
            "device": self.device,
            "threads": self.threads,
            "input": list(self.input),
        }


def network_cost(
    network: nn.Module, bands: int, size: tuple[int, int], *, device: str = "cpu"
) -> NetworkCost:
    """Count and measure; the network is left in the mode it was in.

    Parameters
    ----------
    network : nn.Module
        On ``device``.
    bands : int
    size : (rows, cols)
    """
    # It warns at import that kernels of triton are not counted; none is used here.
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    from torch.utils.flop_counter import FlopCounterMode

    modes = [(part, part.training) for part in network.modules()]
    network.eval()
    image = torch.zeros(1, bands, *size, device=device)
    try:
        with torch.inference_mode():
            with FlopCounterMode(display=False) as counter:
                network(image)
            seconds: list[float] = []
            end = time.perf_counter() + PATIENCE_S
            network(image)
            while len(seconds) < 3 or (len(seconds) < 30 and time.perf_counter() < end):
                _wait(device)
                started = time.perf_counter()
                network(image)
                _wait(device)
                seconds.append(time.perf_counter() - started)
    finally:
        for part, mode in modes:
            part.training = mode
    return NetworkCost(
        sum(p.numel() for p in network.parameters()),
        int(counter.get_total_flops()),
        1000 * median(seconds),
        device,
        torch.get_num_threads(),
        (bands, *size),
    )


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
