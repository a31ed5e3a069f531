"""Where models compute: CUDA, MPS or CPU, how much memory there is, how large a tile may be."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from backends.errors import MissingCapability, WrongUse

T = TypeVar("T")
CHOSEN = "CLEARBAND_DEVICE"  # what auto means on this machine: cpu, cuda, cuda:1 …


@dataclass(frozen=True)
class Device:
    """A device a model can run on.

    Attributes
    ----------
    id : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    name : str
        For people: ``"NVIDIA RTX A4000"``, ``"CPU, 8 cores"``.
    memory_bytes : int
        All of it.
    """

    id: str
    name: str
    memory_bytes: int

    @property
    def label(self) -> str:
        """Name and memory, for the badge."""
        return f"{self.name} · {self.memory_bytes / 2**30:.0f} GB"


def cpu() -> Device:
    """Return the processor."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Device("cpu", f"CPU, {cores} cores", int(psutil.virtual_memory().total))


@cache
def cuda_without_torch() -> tuple[Device, ...]:
    """Return CUDA devices by asking the driver, so that the badge needs no torch."""
    import ctypes

    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return ()
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return ()
    found = []
    for number in range(count.value):
        handle, text = ctypes.c_int(), ctypes.create_string_buffer(100)
        memory = ctypes.c_size_t()
        driver.cuDeviceGet(ctypes.byref(handle), number)
        driver.cuDeviceGetName(text, 100, handle)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
        title = text.value.decode(errors="replace")
        found.append(Device(f"cuda:{number}", title, int(memory.value)))
    return tuple(found)


def badge() -> Device:
    """Return the device a model would run on, without importing torch."""
    found = cuda_without_torch()
    if found:
        return found[0]
    if sys.platform == "darwin" and os.uname().machine == "arm64":
        return Device("mps", "Apple GPU", cpu().memory_bytes)
    return cpu()


def choose(wanted: str = "auto") -> Device:
    """Return the device to compute on (imports torch).

    Parameters
    ----------
    wanted : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:n"`` or ``"mps"``. The environment variable
        ``CLEARBAND_DEVICE`` says what auto is.

    Raises
    ------
    MissingCapability
        The device asked for is not there.
    WrongUse
        No such kind of device.
    """
    _keep_triton_out()
    import torch

    if wanted == "auto":
        wanted = os.environ.get(CHOSEN) or "auto"

    kind = wanted.split(":")[0]
    if kind not in {"auto", "cpu", "cuda", "mps"}:
        raise WrongUse(f"There is no device called {wanted}.", way_out="Use auto, cpu or cuda.")
    if kind in {"auto", "cuda"} and torch.cuda.is_available():
        number = int(wanted.partition(":")[2] or 0)
        if number < torch.cuda.device_count():
            facts = torch.cuda.get_device_properties(number)
            return Device(f"cuda:{number}", facts.name, int(facts.total_memory))
    if kind in {"auto", "mps"} and torch.backends.mps.is_available():
        return Device("mps", "Apple GPU", cpu().memory_bytes)
    if kind in {"auto", "cpu"}:
        return cpu()
    raise MissingCapability(
        f"This machine offers no {wanted} device.", way_out="Use --device cpu, or see doctor."
    )


def gpu_for_products() -> Device | None:
    """Return the CUDA device for products in float64, or None; torch only where one is there.

    Apple's has no float64, so there the processor computes.
    """
    if os.environ.get(CHOSEN, "auto") == "cpu" or not cuda_without_torch():
        return None
    found = choose("auto")
    return found if found.id.startswith("cuda") else None


def _keep_triton_out() -> None:
    """Keep triton from loading where it would crash the process.

    It carries an LLVM of its own, and Mesa's software OpenGL, which draws the window on
    machines without a GPU driver, has loaded another. Networks run without triton.
    """
    if "triton" in sys.modules or not sys.platform.startswith("linux"):
        return
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            has_llvm = any("libLLVM" in line for line in maps)
    except OSError:
        return
    if has_llvm:
        sys.modules["triton"] = None  # type: ignore[assignment]


def free_bytes(device: Device) -> int:
    """Return the memory free on a device now."""
    if device.id.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device.id)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def tile_pixels(device: Device, bytes_per_pixel: int, *, share: float = 0.4) -> int:
    """Return how many pixels a tile may have so that it fits in ``share`` of free memory."""
    return max(4096, int(free_bytes(device) * share) // max(1, bytes_per_pixel))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that the device's memory is full."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )


def with_smaller_tiles(
    run: Callable[[int], T], tile: int, *, smallest: int = 1024, device: Device | None = None
) -> T:
    """Call ``run(tile)``; when memory is full, halve the tile and try again.

    Parameters
    ----------
    run : callable
        Takes the number of pixels a tile may have.
    tile : int
        First try.
    smallest : int
        Give up below this many pixels.
    """
    while True:
        try:
            return run(tile)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or tile // 2 < smallest:
                raise
            tile //= 2
            if device is not None and device.id.startswith("cuda"):
                import torch

                torch.cuda.empty_cache()


def model_threads() -> int:
    """Return how many threads a model may use: one core stays with the window."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 2) - 1)
