"""``bench open``: the first correct picture of an ENVI file in each order, cold and warm.

Contenders in turn, each in a process of its own whose imports are done before the clock
starts: plain reads of the three bands (the floor), SPy's RGB, bare napari on a memory map
(painted), Clearband's job without a window, and Clearband's window (painted). All must
hold the same pixels first.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.bench import painting
from app.bench.painting import BANDS
from app.bench.rss import Peak
from app.bench.table import Series, in_process

ORDERS = ("bsq", "bil", "bip")


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Write a file an order, then measure."""
    results: dict[str, Any] = {"size_gb": size_gb}
    with tempfile.TemporaryDirectory(prefix="clearband-bench-") as folder:
        for order in ORDERS:
            path = write(Path(folder), order, size_gb)
            found = {name: in_process(CONTENDERS[name], str(path), True) for name in CONTENDERS}
            same = {f["check"] for f in found.values()}
            results[order] = {"equal": len(same) == 1}
            for state in ("cold", "warm"):
                series: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
                for _ in range(rounds):
                    for name, contender in CONTENDERS.items():
                        if state == "cold":
                            drop_cache(path)
                        series[name].append(in_process(contender, str(path), False))
                results[order][state] = {
                    name: {
                        "seconds": Series(tuple(r["seconds"] for r in rows)).to_dict(),
                        "rss_growth_mb": round(max(r["rss"] for r in rows) / 2**20, 1),
                        **(
                            {"first_coarse_s": Series(tuple(r["coarse"] for r in rows)).to_dict()}
                            if "coarse" in rows[0]
                            else {}
                        ),
                    }
                    for name, rows in series.items()
                }
            results[order]["verdict"] = _verdict(results[order], side(path))
            path.unlink()
    return results


def _verdict(found: dict[str, Any], pixels: int) -> dict[str, Any]:
    """Return the ratios that matter, medians throughout."""
    answer: dict[str, Any] = {}
    for state in ("cold", "warm"):
        took = {name: found[state][name]["seconds"]["median"] for name in CONTENDERS}
        answer[state] = {
            "limit_s": round(1.2 * took["plain"] + 0.3, 3),
            "within_limit": took["clearband"] <= 1.2 * took["plain"] + 0.3,
            "spy_over_ours": round(took["spy"] / took["clearband"], 2),
            "napari_over_ours_painted": round(
                took["napari_painted"] / took["clearband_painted"], 2
            ),
            "rss_limit_mb": round(3 * pixels**2 * 2 / 2**20 + 200, 1),
        }
    return answer


def write(folder: Path, order: str, size_gb: float) -> Path:
    """Write an ENVI file of int16 with 400 bands."""
    bands = 400
    side = max(64, int((size_gb * 2**30 / (2 * bands)) ** 0.5))
    path = folder / f"cube.{order}"
    shape = {"bsq": (bands, side), "bil": (side, bands), "bip": (side, side)}[order]
    rng = np.random.default_rng(0)
    last = bands if order == "bip" else side
    noise = rng.integers(0, 4000, (shape[1], last)).astype(np.int16)
    with path.open("wb") as stream:
        for line in range(shape[0]):
            (noise + np.int16(line % 500)).tofile(stream)
        stream.flush()
        os.fsync(stream.fileno())
    (folder / "cube.hdr").write_text(
        f"ENVI\nsamples = {side}\nlines = {side}\nbands = {bands}\ndata type = 2\n"
        f"interleave = {order}\nbyte order = 0\nheader offset = 0\n"
        f"default bands = {{{', '.join(str(b + 1) for b in BANDS)}}}\n"
    )
    return path


def drop_cache(path: Path) -> None:
    """Ask the system to forget the pages of a file."""
    if hasattr(os, "posix_fadvise"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def plain(path: str, check: bool) -> dict[str, Any]:
    """Read the three bands with positioned reads and nothing else: the floor."""
    count, order = _facts(path)
    peak, started = Peak(), time.perf_counter()
    out = np.empty((3, count, count), np.int16)
    handle = os.open(path, os.O_RDONLY)
    for i, band in enumerate(BANDS):
        if order == "bsq":
            os.preadv(handle, [out[i]], band * count * count * 2)
        elif order == "bil":
            for row in range(count):
                os.preadv(handle, [out[i, row]], (row * 400 + band) * count * 2)
    if order == "bip":
        line = np.empty((count, 400), np.int16)
        for row in range(count):
            os.preadv(handle, [line], row * count * 400 * 2)
            out[:, row] = line[:, list(BANDS)].T
    os.close(handle)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "rss": peak.growth(), "check": _check(out) if check else ""}


def clearband(path: str, check: bool) -> dict[str, Any]:
    """Open, coarse picture, full picture with its stretch: what the window's jobs do."""
    from backends.composite import Recipe, first_level, render
    from backends.io import open_scene

    _open_a_small_one()
    peak, started = Peak(), time.perf_counter()
    with open_scene(path) as scene:
        recipe = Recipe("x", "x", BANDS)
        level = first_level(scene, recipe)
        picture = render(scene, recipe, level=level)
        coarse = time.perf_counter() - started
        if level > 0:
            picture = render(scene, recipe)
        seconds = time.perf_counter() - started
    grown = peak.growth()
    planes = np.stack(picture.planes) if check else None
    answer: dict[str, Any] = {"seconds": seconds, "coarse": coarse, "rss": grown}
    return answer | {"check": "" if planes is None else _check(planes.astype(np.int16))}


def _open_a_small_one() -> None:
    """Import what opening imports, as the other contenders did with theirs."""
    from backends.composite import Recipe, render
    from backends.io import open_scene

    with tempfile.TemporaryDirectory() as folder:
        small = write(Path(folder), "bip", 0.001)
        with open_scene(small) as scene:
            render(scene, Recipe("x", "x", BANDS))


def spy(path: str, check: bool) -> dict[str, Any]:
    """SPy: open the image and make its RGB."""
    import spectral.io.envi as envi
    from spectral import get_rgb

    peak, started = Peak(), time.perf_counter()
    image = envi.open(str(Path(path).with_suffix(".hdr")), path)
    get_rgb(image, BANDS)
    seconds, grown = time.perf_counter() - started, peak.growth()
    planes = np.moveaxis(image.read_bands(list(BANDS)), -1, 0) if check else None
    text = "" if planes is None else _check(np.ascontiguousarray(planes.astype(np.int16)))
    return {"seconds": seconds, "rss": grown, "check": text}


CONTENDERS = {
    "plain": plain,
    "clearband": clearband,
    "clearband_painted": painting.clearband,
    "spy": spy,
    "napari_painted": painting.napari,
}


def side(path: Path) -> int:
    """Return the rows (and columns) of a file made by `write`."""
    return round((path.stat().st_size / 800) ** 0.5)


def _facts(path: str) -> tuple[int, str]:
    return side(Path(path)), Path(path).suffix[1:]


def _check(planes: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(planes).tobytes()).hexdigest()
