"""``bench spectra``: the daily work with spectra beside SPy, in memory and on a large file.

Same pixels, same threads, each run in a process of its own, contenders in turn; answers are
compared. In memory: 610 × 340 × 103 of float32. On disk: an int16 BIL file of ``--gb`` gigabytes
and 400 bands, read once plainly before. SPy would need hours and five times the memory for it, so
it works on a smaller file of the same kind and its time is multiplied by the size; answers are
compared on that file. What a pass must cost at least is measured, too: one plain read, and the
bare matrix products in the same precision, in the cache. Where there is a CUDA GPU each task is
done there, too.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from app.bench.table import in_process

SHAPE = (610, 340, 103)
BANDS = 400
MEMBERS = 5
COMPONENTS = 10
TASKS = ("statistics", "pca", "rx", "sam", "unmixing")
# SPy's statistics of a file are a loop over pixels: 20 s for 0.06 GB.
SPY_GB = {"statistics": 0.06}
SPY_GB_ELSE = 0.25


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure both; about five minutes with three rounds and five gigabytes."""
    out: dict[str, Any] = {
        "threads": int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count(),
        "load": _load(),
    }
    from backends import devices

    gpu = devices.gpu_for_products()
    out["gpu"] = None if gpu is None else gpu.label
    out["in_memory"] = {"shape": list(SHAPE)} | {
        task: _compared(task, "", rounds) | (on_gpu(task, "", rounds) if gpu else {})
        for task in TASKS
    }
    from app.bench.opening import write

    with tempfile.TemporaryDirectory(prefix="clearband-bench-") as folder:
        whole = str(write(Path(folder), "bil", size_gb))
        read = in_process(plain_read, whole)["seconds"]
        disk: dict[str, Any] = {"gb": size_gb, "plain_read_s": read}
        for task in TASKS:
            disk[task] = _on_disk(task, whole, Path(folder), size_gb, read)
            if gpu is not None:
                disk[task] |= on_gpu(task, whole, 1)
                disk[task]["gpu_times_a_plain_read"] = round(disk[task]["gpu_s"] / read, 2)
        out["on_disk"] = disk
    out["load_after"] = _load()
    return out


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _compared(task: str, path: str, rounds: int) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {"spy": [], "clearband": []}
    for _ in range(rounds):
        for who, runs in found.items():
            runs.append(in_process(measure, who, task, path))
    spy, ours = found["spy"], found["clearband"]
    one, other = (median(r["seconds"] for r in runs) for runs in (spy, ours))
    return {
        "spy_s": one,
        "clearband_s": other,
        "times_faster": round(one / other, 2),
        "clearband_rss_mb": max(r["rss_mb"] for r in ours),
        "spy_rss_mb": max(r["rss_mb"] for r in spy),
        "answers_differ_by": float(
            np.abs(np.subtract(spy[0]["check"], ours[0]["check"])).max()
            / max(np.abs(spy[0]["check"]).max(), 1e-12)
        ),
    }


def on_gpu(task: str, path: str, rounds: int) -> dict[str, Any]:
    """Do a task on the GPU, in processes of their own; its waking up is timed by itself."""
    runs = [in_process(measure, "gpu", task, path) for _ in range(rounds)]
    here = in_process(measure, "clearband", task, path)
    return {
        "gpu_s": median(r["seconds"] for r in runs),
        "gpu_wakes_s": median(r["wakes_s"] for r in runs),
        "gpu_rss_mb": max(r["rss_mb"] for r in runs),
        "gpu_memory_mb": max(r["gpu_memory_mb"] for r in runs),
        "gpu_differs_by": float(
            np.abs(np.subtract(runs[0]["check"], here["check"])).max()
            / max(np.abs(here["check"]).max(), 1e-12)
        ),
        "processor_s": here["seconds"],
        "gpu_times_faster_than_processor": round(
            here["seconds"] / median(r["seconds"] for r in runs), 2
        ),
    }


def _on_disk(task: str, whole: str, folder: Path, size_gb: float, read: float) -> dict[str, Any]:
    """Compare on a small file, then do the whole one and measure it by what it must cost."""
    from app.bench.opening import side, write

    inner = folder / task
    inner.mkdir()
    small = write(inner, "bil", min(size_gb, SPY_GB.get(task, SPY_GB_ELSE)))
    answer = _compared(task, str(small), 1)
    part = side(small) ** 2
    pixels = side(Path(whole)) ** 2
    ours = in_process(measure, "clearband", task, whole)
    product = in_process(bare_product, task, BANDS)["seconds_a_pixel"] * pixels
    small.unlink()
    scaled = answer["spy_s"] * pixels / part
    return {
        "spy_s": round(scaled, 2),
        "spy_measured_on_share": round(part / pixels, 4),
        "spy_rss_mb_there": answer["spy_rss_mb"],
        "clearband_s": ours["seconds"],
        "times_faster": round(scaled / ours["seconds"], 2),
        "clearband_rss_mb": ours["rss_mb"],
        "answers_differ_by": answer["answers_differ_by"],
        "times_a_plain_read": round(ours["seconds"] / read, 2),
        "bare_product_s": round(product, 3),
        "times_the_bare_product": round(ours["seconds"] / product, 2),
    }


def bare_product(task: str, bands: int) -> dict[str, float]:
    """Time only the matrix product a task needs, again and again on the same pixels."""
    random = np.random.default_rng(0)
    block = random.random((bands, 2048)).astype(np.float32)
    few = random.random((COMPONENTS if task == "pca" else MEMBERS, bands)).astype(np.float32)
    wide, square = block.astype(np.float64), random.random((bands, bands))

    def product() -> Any:
        if task == "statistics":
            return block @ block.T
        return square @ wide if task == "rx" else few @ block

    took = []
    for _ in range(40):
        started = time.perf_counter()
        product()
        took.append(time.perf_counter() - started)
    # The factor of RX is triangular: half of the product is enough.
    return {"seconds_a_pixel": median(took) / block.shape[1] * (0.5 if task == "rx" else 1.0)}


def plain_read(path: str) -> dict[str, float]:
    """Read the file three times from end to end; the last, warm time is the floor."""
    for _ in range(3):
        started = time.perf_counter()
        with open(path, "rb", buffering=0) as stream:
            block = bytearray(16 << 20)
            while stream.readinto(block):
                pass
        seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 3)}


def measure(who: str, task: str, path: str) -> dict[str, Any]:
    """Do one task once and return its time, memory and a few values of its answer."""
    from app.bench.rss import Peak
    from backends import devices

    os.environ[devices.CHOSEN] = "cuda" if who == "gpu" else "cpu"
    work = (_spy if who == "spy" else _ours)(task, path)
    more = _woken(devices.choose("cuda").id) if who == "gpu" else {}
    if who == "gpu":
        from backends.spectra import on_gpu as products

        products.WORTH_VALUES = 0  # also what would not be sent there
    peak, started = Peak(), time.perf_counter()
    answer = work()
    seconds = time.perf_counter() - started
    if who == "gpu":
        import torch

        more["gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return more | {
        "seconds": round(seconds, 4),
        "rss_mb": round(peak.growth() / 2**20, 1),
        "check": np.asarray(answer, np.float64).reshape(-1)[:64].tolist(),
    }


def _woken(device: str) -> dict[str, Any]:
    """Load what a first product needs, and say how long that took."""
    import torch

    started = time.perf_counter()
    for kind in (torch.float32, torch.float64):
        block = torch.ones((64, 64), dtype=kind, device=device)
        float((block @ block).square().sum())
    return {"wakes_s": round(time.perf_counter() - started, 3)}


def _cube() -> np.ndarray:
    random = np.random.default_rng(0)
    base = random.random((6, SHAPE[2])) + 0.2
    shares = random.dirichlet(np.ones(6), SHAPE[0] * SHAPE[1])
    noise = 0.01 * random.standard_normal((SHAPE[0] * SHAPE[1], SHAPE[2]))
    return (shares @ base + noise).astype(np.float32).reshape(SHAPE)


def _spy(task: str, path: str) -> Callable[[], Any]:
    import spectral

    spectral.settings.show_progress = False
    image: Any = spectral.open_image(path.removesuffix(".bil") + ".hdr") if path else _cube()
    ends = np.asarray([image[3 + 7 * i, 5 + 11 * i] for i in range(MEMBERS)], float)
    ends = ends.reshape(MEMBERS, -1)

    if task == "statistics":
        return lambda: np.diag(spectral.calc_stats(image).cov)
    # Of a file they are known before the clock runs, for both: they were timed by themselves.
    stats: Any = None
    if path and task in ("pca", "rx"):
        pixels = np.asarray(image.load(dtype=np.float64)).reshape(-1, image.shape[2])
        stats = spectral.GaussianStats(pixels.mean(axis=0), np.cov(pixels.T), len(pixels))
        del pixels
    if task == "pca":
        if not path:
            return lambda: np.abs(
                _rows(spectral.principal_components(image).reduce(num=COMPONENTS).transform(image))
            )

        def projected() -> Any:
            few = spectral.principal_components(stats).reduce(num=COMPONENTS)
            whole = few.transform(image)
            return np.abs(_rows(np.asarray(whole[:, :])))

        return projected
    if task == "rx":
        return lambda: np.asarray(spectral.rx(_in_float(image, path), background=stats)).reshape(-1)
    if task == "sam":
        return lambda: np.asarray(spectral.spectral_angles(_in_float(image, path), ends)).reshape(
            -1, MEMBERS
        )
    return lambda: np.asarray(spectral.unmix(_in_float(image, path), ends)).reshape(-1, MEMBERS)


def _in_float(image: Any, path: str) -> Any:
    # SPy needs the whole array for these two; int16 would overflow.
    return image.load(dtype=np.float32) if path else image


def _rows(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, COMPONENTS)


def _ours(task: str, path: str) -> Callable[[], Any]:
    from backends.bands import BandTable
    from backends.io import open_scene
    from backends.scene import ArraySource, Scene, SceneInfo
    from backends.spectra.abundances import free_share_maps
    from backends.spectra.background import background_of
    from backends.spectra.detectors import rx_map
    from backends.spectra.pixels import usable_bands
    from backends.spectra.similarity import MEASURES, measured_strips
    from backends.spectra.transforms import component_maps, pca

    if path:
        scene = open_scene(path)
    else:
        info = SceneInfo(None, "raster", BandTable.build(SHAPE[2]))
        scene = Scene(ArraySource(_cube()), info)
    bands = usable_bands(scene)
    ends = np.asarray([scene.spectrum(3 + 7 * i, 5 + 11 * i) for i in range(MEMBERS)])

    if task == "statistics":
        return lambda: np.diag(background_of(scene, bands, exact=False).covariance)
    if task == "pca":
        before = background_of(scene, bands, exact=False) if path else None

        def components() -> Any:
            found = before or background_of(scene, bands, exact=False)
            maps = component_maps(scene, pca(found, COMPONENTS))
            return np.abs(maps.reshape(COMPONENTS, -1).T[:64])

        return components
    if task == "rx":
        known = background_of(scene, bands) if path else None
        return lambda: rx_map(scene, known or background_of(scene, bands))[0].reshape(-1)
    if task == "sam":

        def angles() -> Any:
            # What `match` does for its maps.
            rows, cols, _ = scene.shape
            out = np.empty((MEMBERS, rows * cols), np.float32)
            wanted, few = MEASURES["spectral_angle"], ends.astype(np.float32)
            for at, part in measured_strips(scene, bands, few, wanted, np.empty(0)):
                out[:, at] = part
            return out[:, :64].T

        return angles
    # What SPy's `unmix` does: least squares without constraints.
    return lambda: free_share_maps(scene, bands, ends).reshape(MEMBERS, -1)[:, :64].T
