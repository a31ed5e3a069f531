"""A slide of any size on little disk: an Aperio TIFF whose tiles are used many times over.

The scan is made of square fields of glass, tissue and tumour. Within the levels in which a
tile lies in one field, all fields of a kind share their tiles; coarser levels are drawn in
full. Readers cannot tell: every tile is there, as a JPEG of its own place in the table.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILE = 256
FIELD = 4096
KINDS = ("glass", "tissue", "tumour")
_SHARED = 5  # levels 0 to 4: a field is at least one tile wide


def write_slide(path: Path, rows: int, cols: int, seed: int = 0) -> NDArray[np.uint8]:
    """Write a slide of 0.25 µm pixels and return which kind each field is.

    Parameters
    ----------
    path : Path
    rows, cols : int
        Of the full resolution.

    Returns
    -------
    uint8 array of shape (fields down, fields across)
        Numbers of `KINDS`.
    """
    rng = np.random.default_rng(seed)
    plan = _plan(-(-rows // FIELD), -(-cols // FIELD))
    textures = [_halved(_texture(kind, rng)) for kind in KINDS]
    with path.open("wb") as stream:
        stream.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
        shared: dict[tuple[int, int, int, int], tuple[int, int]] = {}
        for level in range(_SHARED):
            for kind in range(len(KINDS)):
                picture = textures[kind][level]
                for r in range(picture.shape[0] // TILE):
                    for c in range(picture.shape[1] // TILE):
                        part = picture[r * TILE : (r + 1) * TILE, c * TILE : (c + 1) * TILE]
                        shared[level, kind, r, c] = _put(stream, part)
        tables = []
        level = 0
        while True:
            height, width = -(-rows >> level), -(-cols >> level)
            if level < _SHARED:
                tables.append((height, width, _places(height, width, level, plan, shared)))
            else:
                whole = _whole(height, width, level, plan, textures)
                tables.append((height, width, _all_tiles(stream, whole)))
            if max(height, width) <= 1024:
                break
            level += 1
        _directories(stream, tables, rows, cols)
    return plan


def _plan(down: int, across: int) -> NDArray[np.uint8]:
    """Tissue in the middle with glass around it, tumour in a part of it."""
    r, c = np.mgrid[:down, :across]
    y, x = (r + 0.5) / down - 0.5, (c + 0.5) / across - 0.5
    plan = (np.hypot(y / 0.46, x / 0.46) < 1).astype(np.uint8)
    plan[np.hypot((y + 0.1) / 0.18, (x - 0.12) / 0.2) < 1] = 2
    return plan


def _texture(kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a field that can be laid side by side with itself: stains and nuclei."""
    from scipy.ndimage import gaussian_filter

    picture = np.empty((FIELD, FIELD, 3), np.float32)
    if kind == "glass":
        picture[:] = (243, 241, 244)
    else:
        noise = rng.standard_normal((FIELD // 8, FIELD // 8)).astype(np.float32)
        fibres = gaussian_filter(noise, (1, 4), mode="wrap")
        fibres = np.kron(fibres / fibres.std(), np.ones((8, 8), np.float32))
        base = (226, 160, 196) if kind == "tissue" else (205, 140, 190)
        for channel, (value, depth) in enumerate(zip(base, (14, 22, 12), strict=True)):
            picture[..., channel] = value + depth * fibres
        count, size = (2500, 14) if kind == "tissue" else (9000, 19)
        y, x = np.mgrid[-size : size + 1, -size : size + 1]
        for at_row, at_col in rng.integers(0, FIELD, (count, 2)):
            wide, high = rng.uniform(0.55, 1, 2) * size
            spot = (y / high) ** 2 + (x / wide) ** 2 < 1
            rows, cols = np.nonzero(spot)
            place = (rows + at_row) % FIELD, (cols + at_col) % FIELD
            picture[place] = np.array((92, 60, 140)) + rng.normal(0, 8, 3)
    picture += rng.normal(0, 3, picture.shape).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _halved(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a picture and its halves, down to one pixel."""
    out = [picture]
    while out[-1].shape[0] > 1:
        h, w = out[-1].shape[0] // 2, out[-1].shape[1] // 2
        mean = out[-1].reshape(h, 2, w, 2, 3).mean((1, 3), dtype=np.float32)
        out.append(np.rint(mean).astype(np.uint8))
    return out


def _put(stream: Any, part: NDArray[np.uint8]) -> tuple[int, int]:
    from PIL import Image

    memory = io.BytesIO()
    Image.fromarray(part).save(memory, "JPEG", quality=80, subsampling=0)
    at = stream.tell()
    stream.write(memory.getvalue())
    return at, len(memory.getvalue())


def _places(
    height: int,
    width: int,
    level: int,
    plan: NDArray[np.uint8],
    shared: dict[tuple[int, int, int, int], tuple[int, int]],
) -> list[tuple[int, int]]:
    side = (FIELD >> level) // TILE
    out = []
    for r in range(-(-height // TILE)):
        for c in range(-(-width // TILE)):
            kind = int(plan[r // side, c // side])
            out.append(shared[level, kind, r % side, c % side])
    return out


def _whole(
    height: int,
    width: int,
    level: int,
    plan: NDArray[np.uint8],
    textures: list[list[NDArray[np.uint8]]],
) -> NDArray[np.uint8]:
    side = FIELD >> level
    fields = np.stack([texture[level] for texture in textures])
    down, across = plan.shape
    whole = fields[plan].transpose(0, 2, 1, 3, 4).reshape(down * side, across * side, 3)
    out = np.full((-(-height // TILE) * TILE, -(-width // TILE) * TILE, 3), 255, np.uint8)
    out[:height, :width] = whole[:height, :width]
    return out


def _all_tiles(stream: Any, whole: NDArray[np.uint8]) -> list[tuple[int, int]]:
    return [
        _put(stream, whole[r : r + TILE, c : c + TILE])
        for r in range(0, whole.shape[0], TILE)
        for c in range(0, whole.shape[1], TILE)
    ]


def _directories(stream: Any, tables: list[Any], rows: int, cols: int) -> None:
    """Write the BigTIFF directories (one a level) and the link to the first."""
    link = 8
    for number, (height, width, places) in enumerate(tables):
        words = f"Aperio Image Library\r\n{cols}x{rows} |AppMag = 40|MPP = 0.25".encode() + b"\0"
        at = {
            270: _append(stream, words),
            258: _append(stream, struct.pack("<3H", 8, 8, 8)),
            324: _append(stream, struct.pack(f"<{len(places)}Q", *(p[0] for p in places))),
            325: _append(stream, struct.pack(f"<{len(places)}Q", *(p[1] for p in places))),
        }
        # Tag, type (2 text, 3 short, 4 long, 16 long of eight bytes), count, value or place.
        # Three shorts and a single place stand in the entry itself.
        bits = struct.unpack("<Q", struct.pack("<4H", 8, 8, 8, 0))[0]
        first, size = places[0]
        alone = len(places) == 1
        entries = [
            (254, 4, 1, 1 if number else 0),
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 3, bits),
            (259, 3, 1, 7),
            (262, 3, 1, 6),
            (270, 2, len(words), at[270]),
            (277, 3, 1, 3),
            (284, 3, 1, 1),
            (322, 4, 1, TILE),
            (323, 4, 1, TILE),
            (324, 16, len(places), first if alone else at[324]),
            (325, 16, len(places), size if alone else at[325]),
            (530, 3, 2, 1 | 1 << 16),
        ]
        stream.seek(0, 2)
        stream.write(b"\0" * (-stream.tell() % 8))
        here = stream.tell()
        stream.write(struct.pack("<Q", len(entries)))
        for entry in entries:
            stream.write(struct.pack("<HHQQ", *entry))
        after = stream.tell()
        stream.write(struct.pack("<Q", 0))
        stream.seek(link)
        stream.write(struct.pack("<Q", here))
        link = after


def _append(stream: Any, content: bytes) -> int:
    stream.seek(0, 2)
    stream.write(b"\0" * (-stream.tell() % 8))
    at = int(stream.tell())
    stream.write(content)
    return at
