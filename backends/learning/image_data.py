"""From a folder to images ready for teaching: read once, split, and checked for leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.jobs import Progress
from backends.learning.grouping import GroupRule
from backends.learning.image_folder import ImageSet, find_images
from backends.learning.image_reading import CACHE_BYTES, BandScale, ImageReader
from backends.learning.image_split import PARTS, SHARES, ImageSplit, split_images
from backends.learning.leakage import Leakage, find_leakage


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images, read and split; close it to end its threads.

    Attributes
    ----------
    images : ImageSet
        Only those that can be used.
    reader : ImageReader
    split : ImageSplit
    leakage : Leakage
    scale : BandScale
        From the training images.
    bands : int
    unit : str
        Of the values, where the files name one.
    is_rgb : bool
        Whether the bands are red, green and blue.
    """

    images: ImageSet
    reader: ImageReader
    split: ImageSplit
    leakage: Leakage
    scale: BandScale
    bands: int
    unit: str
    is_rgb: bool

    def __enter__(self) -> ImageData:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads that decode."""
        self.reader.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about these images and their split."""
        gone = len(self.images.skipped)
        these = (
            "1 file cannot be used and is" if gone == 1 else f"{gone} files cannot be used and are"
        )
        skipped = (f"{these} listed.",) if gone else ()
        return (*skipped, *self.split.notes, self.leakage.sentence)

    def normal(self, progress: Progress | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return mean and standard deviation of each band over training images, 0..1."""
        train = self.split.of("train")
        some = train[:: max(1, train.size // 200)]
        unit = self.scale.apply(self.reader.read(some, progress))
        mean = unit.mean((0, 2, 3)).astype(np.float32)
        return mean, np.maximum(unit.std((0, 2, 3)), 1e-3).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts, ready for JSON."""
        names = [image.name for image in self.images.images]
        return {
            "source": self.images.source.name,
            "images": len(names),
            "classes": self.images.counts(),
            "groups": self.images.group_source,
            "bands": self.bands,
            "unit": self.unit,
            "split": {
                "seed": self.split.seed,
                "shares": [round(s, 4) for s in self.split.shares],
                "parts": self.split.table(
                    self.images.label, self.images.groups.names, self.images.classes
                ),
                "notes": list(self.split.notes),
            },
            "leakage": self.leakage.to_dict(names),
            "skipped": [{"file": s.name, "why": s.why} for s in self.images.skipped],
        }

    def rows(self) -> list[list[Any]]:
        """Return one row an image: file, class, group, part; the names of the columns first."""
        out: list[list[Any]] = [["path", "label", "group", "part"]]
        for image, group, part in zip(
            self.images.images, self.images.groups.names, self.split.part, strict=True
        ):
            where = PARTS[part] if part >= 0 else "left out"
            label = self.images.classes[image.label]
            out.append([relative_name(image.path, self.images.source), label, group, where])
        return out


def load_images(
    source: str | Path,
    size: tuple[int, int],
    *,
    rule: GroupRule | None = None,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    cache_bytes: int = CACHE_BYTES,
    progress: Progress | None = None,
) -> ImageData:
    """Find, read, split and check the images of a folder or table.

    Every image is decoded once; those that cannot be read are listed and left out, the rest
    goes on.

    Parameters
    ----------
    source : path
        See `backends.learning.image_folder.find_images`.
    size : (rows, cols)
        To which they are scaled.

    Raises
    ------
    ClearbandError
        There is nothing to learn from: one sentence.
    Cancelled
    """
    progress = progress or Progress()
    found = find_images(source, rule)
    reader = ImageReader(found, size, cache_bytes=cache_bytes)
    try:
        facts, problems = reader.survey(progress)
        if problems:
            found = found.without(problems)
            reader.keep(found, sorted(facts))
        kept = [facts[number] for number in sorted(facts)]
        split = split_images(
            found.label,
            found.groups,
            seed=seed,
            shares=shares,
            gap=found.rule.gap,
            given=found.parts,
        )
        progress.note("looking for doubles")
        thumbnails = np.stack([fact.thumbnail for fact in kept])
        leakage = find_leakage(split, found.groups.names, thumbnails, progress=progress)
        scale = reader.scale(split.of("train"), progress)
        units = {fact.unit for fact in kept}
        return ImageData(
            found,
            reader,
            split,
            leakage,
            scale,
            reader.bands,
            units.pop() if len(units) == 1 else "",
            reader.bands == 3 and all(f.is_rgb for f in kept if f.shape[2] == 3),
        )
    except BaseException:
        reader.close()
        raise


def relative_name(path: Path, source: Path) -> str:
    """Return how tables name an image: its path from the data set, `/` between folders."""
    root = source if source.is_dir() else source.parent
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.name
