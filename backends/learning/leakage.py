"""Does the test know the training? Groups and near-duplicates across the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.jobs import Progress
from backends.learning.image_split import PARTS, ImageSplit

# Bits of 63 that may differ, and the least correlation of the thumbnails: both have to hold.
NEAR_BITS = 6
NEAR_CORRELATION = 0.985
# Differences of the thumbnails below this many grey values of their range: the same picture.
SAME = 0.004
LISTED = 100


@dataclass(frozen=True)
class Double:
    """Two images that look alike and stand in different parts.

    Attributes
    ----------
    first, second : int
        Numbers of the images; ``first`` stands in the earlier part.
    parts : (str, str)
    bits : int
        Of 63 bits of the perceptual hash, how many differ.
    correlation : float
        Of the 32 × 32 thumbnails.
    same : bool
        Equal but for compression.
    """

    first: int
    second: int
    parts: tuple[str, str]
    bits: int
    correlation: float
    same: bool


@dataclass(frozen=True, eq=False)
class Leakage:
    """What the parts of a split share.

    Attributes
    ----------
    groups : tuple of str
        Groups that stand in more than one part.
    doubles : tuple of Double
        At most 100, the most alike first.
    counts : mapping of str to int
        Pairs of near-duplicates by parts: ``"train–test"`` …
    test_images : int
        Test images with a near-duplicate in training or validation.
    checked : int
        Images looked at.
    """

    groups: tuple[str, ...]
    doubles: tuple[Double, ...]
    counts: Mapping[str, int]
    test_images: int
    checked: int

    @property
    def sentence(self) -> str:
        """For people."""
        overlap = (
            f"{len(self.groups)} groups stand in more than one part"
            if self.groups
            else "no group stands in two parts"
        )
        pairs = sum(self.counts.values())
        if not pairs:
            return f"Leakage check: {overlap}; no near-duplicates across the parts."
        by = ", ".join(f"{n} {parts}" for parts, n in self.counts.items() if n)
        return (
            f"Leakage check: {overlap}; {pairs} pairs of near-duplicates across the parts ({by}), "
            f"{self.test_images} test images among them."
        )

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Return plain values; images by name."""
        return {
            "groups_in_two_parts": list(self.groups),
            "near_duplicate_pairs": dict(self.counts),
            "test_images_with_a_double": self.test_images,
            "images_checked": self.checked,
            "rule": f"perceptual hash: at most {NEAR_BITS} of 63 bits differ, and thumbnails "
            f"correlate by {NEAR_CORRELATION} or more",
            "pairs": [
                {
                    "images": [names[d.first], names[d.second]],
                    "parts": list(d.parts),
                    "bits": d.bits,
                    "correlation": round(d.correlation, 4),
                    "same": d.same,
                }
                for d in self.doubles
            ],
        }


def perceptual_hash(thumbnails: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return a 63-bit hash of each thumbnail: its lowest frequencies against their median.

    Parameters
    ----------
    thumbnails : float32 array of shape (images, 32, 32)

    Notes
    -----
    The usual "pHash": 8 × 8 lowest coefficients of the cosine transform without the mean.
    """
    from scipy.fft import dctn

    low = dctn(thumbnails, axes=(1, 2))[:, :8, :8].reshape(len(thumbnails), -1)[:, 1:]
    bits = low > np.median(low, axis=1, keepdims=True)
    weight = np.uint64(1) << np.arange(63, dtype=np.uint64)
    return np.asarray((bits * weight).sum(1, dtype=np.uint64))


def find_leakage(
    split: ImageSplit,
    groups: Sequence[str],
    thumbnails: NDArray[np.float32],
    *,
    progress: Progress | None = None,
) -> Leakage:
    """Compare the parts of a split pair by pair.

    Parameters
    ----------
    split : ImageSplit
    groups : sequence of str
        Group of each image.
    thumbnails : float32 array of shape (images, 32, 32)
    """
    progress = progress or Progress()
    where: dict[str, set[int]] = {}
    for name, part in zip(groups, split.part, strict=True):
        if part >= 0:
            where.setdefault(name, set()).add(int(part))
    shared = tuple(sorted(name for name, parts in where.items() if len(parts) > 1))
    hashes = perceptual_hash(thumbnails)
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat = flat - flat.mean(1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = flat / np.maximum(length, 1e-12)
    span = float(np.ptp(thumbnails)) if thumbnails.size else 1.0
    doubles: list[Double] = []
    counts: dict[str, int] = {}
    hit: set[int] = set()
    for a, b in ((0, 1), (0, 2), (1, 2)):
        first, second = split.of(PARTS[a]), split.of(PARTS[b])
        key = f"{PARTS[a]}–{PARTS[b]}"
        counts[key] = 0
        step = max(1, (1 << 22) // max(1, second.size))
        for start in range(0, first.size, step):
            progress.check()
            rows = first[start : start + step]
            bits = np.bitwise_count(hashes[rows][:, None] ^ hashes[second][None, :])
            for r, c in zip(*np.nonzero(bits <= NEAR_BITS), strict=True):
                i, j = int(rows[r]), int(second[c])
                alike = float(unit[i] @ unit[j])
                # An even picture has no shape to compare; equal ones are doubles all the same.
                same = bool(np.abs(thumbnails[i] - thumbnails[j]).max() <= SAME * span)
                if alike < NEAR_CORRELATION and not same:
                    continue
                counts[key] += 1
                if b == 2:
                    hit.add(j)
                doubles.append(Double(i, j, (PARTS[a], PARTS[b]), int(bits[r, c]), alike, same))
    doubles.sort(key=lambda d: (not d.same, d.bits, -d.correlation))
    checked = int((split.part >= 0).sum())
    return Leakage(shared, tuple(doubles[:LISTED]), counts, len(hit), checked)
