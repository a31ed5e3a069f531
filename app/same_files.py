"""Whether two files are the same byte for byte but for when, and how quickly, they were made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

_TIMES = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(\+00:00| UTC|Z)?"), "TIME"),
    (re.compile(r'((?:"|&quot;)\w*seconds(?:"|&quot;): )[\d.e-]+'), r"\1TIME"),
    (re.compile(r"(Time taken(?:: |</t[hd]>\s*<td>))[\d.]+ s"), r"\1TIME"),
)
# The digest of a map that holds when it was made.
_DIGEST = re.compile(r"(# Scene: \S+\.tif\n# Scene digest: )[0-9a-f]{64}")
_TEXT = (".csv", ".json", ".html", ".txt", ".xml", ".geojson")
# The line of origin below a picture is drawn, time and all.
_ORIGIN_ROWS = 24


def differences(one: Path, two: Path) -> str:
    """Return in what two files differ beside times; empty where they are the same."""
    if one.read_bytes() == two.read_bytes():
        return ""
    if one.suffix in _TEXT:
        texts = [_timeless(p.read_text(encoding="utf-8"), p) for p in (one, two)]
        rows = [t.splitlines() for t in texts]
        if rows[0] == rows[1]:
            return ""
        both = zip(*rows, strict=False)
        return next((f"{a[:200]} | {b[:200]}" for a, b in both if a != b), "length")
    if one.suffix == ".tif":
        return _rasters(one, two)
    if one.suffix == ".png":
        return _pictures(one, two)
    return "bytes"


def _timeless(text: str, path: Path) -> str:
    # Results read results of their own folder.
    for parent in path.parents:
        if len(parent.parts) > 1:
            text = text.replace(f"{parent}/", "")
    text = _DIGEST.sub(r"\1DIGEST", text)
    for pattern, instead in _TIMES:
        text = pattern.sub(instead, text)
    return text


def _rasters(one: Path, two: Path) -> str:
    import rasterio

    found: list[tuple[Any, ...]] = []
    for path in (one, two):
        with rasterio.open(path) as opened:
            tags = {k: _timeless(v, path) for k, v in opened.tags().items()}
            kept = [opened.tags(band) for band in opened.indexes]
            found.append((opened.read().tobytes(), dict(opened.profile), tags, kept))
    for name, a, b in zip(("pixels", "form"), *(f[:2] for f in found), strict=True):
        if str(a) != str(b):
            return name
    first, second = found[0][2], found[1][2]
    told = {k for k in {*first, *second} if first.get(k) != second.get(k)}
    if told:
        key = sorted(told)[0]
        return f"{key}: {first.get(key)} | {second.get(key)}"
    return "" if found[0][3] == found[1][3] else "band tags"


def _pictures(one: Path, two: Path) -> str:
    from PIL import Image

    with Image.open(one) as a, Image.open(two) as b:
        if a.size != b.size:
            return "size"
        rows = np.flatnonzero((np.asarray(a) != np.asarray(b)).any(axis=(1, 2)))
    return "pixels" if rows.size and rows[-1] - rows[0] > _ORIGIN_ROWS else ""
