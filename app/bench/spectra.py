"""``bench spectra``: the daily work with spectra beside SPy, in memory and on a large file.

Same pixels, same threads, each run in a process of its own, contenders in turn; answers are
compared first. In memory: 610 × 340 × 103 of float32. On disk: an int16 BIL file of
``--gb`` gigabytes and 400 bands, after one plain read that is timed, too.
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
MEMBERS = 5
COMPONENTS = 10
TASKS = ("statistics", "pca", "rx", "sam", "unmixing")


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure both; about five minutes with one round and one gigabyte."""
    out: dict[str, Any] = {"threads": int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count()}
    out["in_memory"] = {"shape": list(SHAPE)} | {
        task: _compared(task, "", rounds) for task in TASKS
    }
    from app.bench.opening import write

    with tempfile.TemporaryDirectory(prefix="clearband-bench-") as folder:
        path = str(write(Path(folder), "bil", size_gb))
        read = in_process(plain_read, path)
        out["on_disk"] = {"gb": size_gb, "plain_read": read} | {
            task: _compared(task, path, 1, read["seconds"]) for task in TASKS
        }
    return out


def _compared(task: str, path: str, rounds: int, read: float | None = None) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {"spy": [], "clearband": []}
    for _ in range(rounds):
        for who, runs in found.items():
            runs.append(in_process(measure, who, task, path))
    spy, ours = found["spy"], found["clearband"]
    one, other = (median(r["seconds"] for r in runs) for runs in (spy, ours))
    answer = {
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
    return answer if read is None else answer | {"times_a_plain_read": round(other / read, 2)}


def plain_read(path: str) -> dict[str, float]:
    """Read the file twice from end to end; the second, warm time is the floor."""
    for _ in range(2):
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

    work = (_spy if who == "spy" else _ours)(task, path)
    peak, started = Peak(), time.perf_counter()
    answer = work()
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 4),
        "rss_mb": round(peak.growth() / 2**20, 1),
        "check": np.asarray(answer, np.float64).reshape(-1)[:64].tolist(),
    }


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

    def quiet_stats() -> Any:
        return spectral.calc_stats(image)

    if task == "statistics":
        return lambda: np.diag(quiet_stats().cov)
    if task == "pca":
        stats = quiet_stats() if path else None

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
        stats = quiet_stats() if path else None
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
    import scipy.linalg.blas  # noqa: F401  loaded before the clock runs, as SPy is

    from backends.bands import BandTable
    from backends.io import open_scene
    from backends.scene import ArraySource, Scene, SceneInfo
    from backends.spectra.background import background_of
    from backends.spectra.detectors import rx_map
    from backends.spectra.pixels import strips, usable_bands
    from backends.spectra.similarity import spectral_angle
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
            parts = [
                spectral_angle(s.values, ends.astype(np.float32)) for s in strips(scene, bands)
            ]
            return np.concatenate(parts)

        return angles

    def free_shares() -> Any:
        # What SPy's `unmix` does: least squares without constraints.
        inverse = np.linalg.pinv(ends.astype(np.float64)).astype(np.float32)
        return np.concatenate([s.values @ inverse for s in strips(scene, bands)])

    return free_shares
