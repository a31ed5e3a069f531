"""Images brought to one size for a network, through the project's readers, with a bounded cache.

A few threads of the job decode; there are no worker processes that could outlive it or keep
the window waiting.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backends.cache import MemoryBudget
from backends.errors import BadInput, ClearbandError
from backends.io import open_scene
from backends.jobs import Progress
from backends.learning.image_folder import ImageSet
from backends.scene import Scene

CACHE_BYTES = 1 << 30
THREADS = 2
THUMBNAIL = 32

FloatImages = NDArray[np.float32]


@dataclass(frozen=True)
class ImageFacts:
    """What one decoding of an image told.

    Attributes
    ----------
    shape : (rows, cols, bands)
        Of the file.
    dtype : str
    unit : str
    is_rgb : bool
    thumbnail : float32 array of shape (32, 32)
        Mean over bands, for finding doubles.
    """

    shape: tuple[int, int, int]
    dtype: str
    unit: str
    is_rgb: bool
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BandScale:
    """How values of the files become 0..1.

    Attributes
    ----------
    low, high : float32 arrays of shape (bands,)
        In the files' own (physical) values; what lies outside is clipped.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def apply(self, images: NDArray[Any]) -> FloatImages:
        """Return images of shape (n, bands, rows, cols) in 0..1."""
        low = self.low[None, :, None, None]
        span = np.maximum(self.high - self.low, np.float32(1e-12))[None, :, None, None]
        return np.asarray(np.clip((images.astype(np.float32) - low) / span, 0, 1), np.float32)

    @classmethod
    def bytes(cls, bands: int) -> BandScale:
        """Return the scale of 8-bit pictures."""
        return cls(np.zeros(bands, np.float32), np.full(bands, 255, np.float32))


def read_scaled(scene: Scene, size: tuple[int, int]) -> NDArray[Any]:
    """Read a whole image and scale it, averaging what falls into one pixel.

    Parameters
    ----------
    scene : Scene
    size : (rows, cols)
        Rows and columns are scaled each by itself: nothing is cut off.

    Returns
    -------
    array of shape (bands, rows, cols)
        uint8 for 8-bit files without scale or nodata, else float32 in physical values.
    """
    rows, cols = size
    level = 0
    for number, (high, wide) in enumerate(scene.level_shapes):
        if high >= rows and wide >= cols:
            level = number
    plain = (
        scene.dtype == np.uint8
        and scene.info.nodata is None
        and scene.info.gain == 1.0
        and scene.info.offset == 0.0
    )
    values = scene.read(level=level, physical=not plain)
    out = np.empty((values.shape[2], rows, cols), np.uint8 if plain else np.float32)
    for band in range(values.shape[2]):
        plane = values[:, :, band].astype(np.float32)
        if not plain:
            bad = ~np.isfinite(plane)
            if bad.all():
                plane[:] = 0.0
            elif bad.any():
                plane[bad] = plane[~bad].mean()
        image = Image.fromarray(plane)
        # Pillow's bilinear widens with the factor, so that it averages when it shrinks.
        scaled = np.asarray(image.resize((cols, rows), Image.Resampling.BILINEAR))
        out[band] = np.rint(scaled) if plain else scaled
    return out


class ImageReader:
    """Gives images of a set at one size; use as a context, it owns threads.

    Parameters
    ----------
    images : ImageSet
    size : (rows, cols)
    cache_bytes : int
        Decoded images are kept up to this many bytes; the longest unused goes first.
    """

    def __init__(
        self, images: ImageSet, size: tuple[int, int], *, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self.images, self.size = images, size
        self.bands = 0
        self._held = MemoryBudget(cache_bytes)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="clearband-images")

    def __enter__(self) -> ImageReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; what they were about to do is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def cached_bytes(self) -> int:
        """Bytes of decoded images held now."""
        return self._held.used_bytes

    def survey(
        self, progress: Progress | None = None
    ) -> tuple[dict[int, ImageFacts], dict[int, str]]:
        """Decode every image once.

        Returns
        -------
        facts : dict of int to ImageFacts
            Of those that can be used.
        problems : dict of int to str
            Why the others cannot.

        Raises
        ------
        Cancelled
        BadInput
            No image can be used.
        """
        progress = progress or Progress()
        count = len(self.images.images)
        progress.start(count, "images", "reading the images")
        facts: dict[int, ImageFacts] = {}
        problems: dict[int, str] = {}
        for number, answer in self._in_order(range(count), self._look, progress):
            try:
                facts[number] = answer.result()
            except ClearbandError as error:
                problems[number] = error.sentence
            except (OSError, ValueError, MemoryError) as error:
                problems[number] = f"cannot be read ({type(error).__name__})"
            progress.advance()
        if not facts:
            why = next(iter(problems.values()), "")
            raise BadInput(
                f"None of the {count} images in {self.images.source.name} can be read.",
                subject=self.images.source,
                way_out=f"The first one: {why}",
            )
        bands = [f.shape[2] for f in facts.values()]
        self.bands = max(set(bands), key=lambda b: (bands.count(b), b))
        for number, fact in list(facts.items()):
            if not _can_become(fact.shape[2], self.bands):
                has, other = fact.shape[2], self.bands
                problems[number] = f"has {has} bands where the others have {other}"
                del facts[number]
        return facts, problems

    def keep(self, images: ImageSet, numbers: Iterable[int]) -> None:
        """Go on with some of the images only.

        Parameters
        ----------
        images : ImageSet
            Those that stay.
        numbers : sequence of int
            What their numbers were.
        """
        held = [self._held.get(number) for number in numbers]
        self._held = MemoryBudget(self._held.limit_bytes)
        self.images = images
        for number, image in enumerate(held):
            if image is not None:
                self._held.put(number, image)

    def read(self, numbers: Iterable[int], progress: Progress | None = None) -> NDArray[Any]:
        """Return images by number, shape (n, bands, rows, cols), in the files' values.

        Raises
        ------
        ClearbandError
            A file went away or changed since the survey.
        """
        progress = progress or Progress()
        found = [a.result() for _, a in self._in_order(numbers, self._decoded, progress)]
        return np.stack([self._fit_bands(image) for image in found])

    def ahead(self, numbers: Iterable[int]) -> Future[NDArray[Any]]:
        """Begin to read images on a thread."""
        return self._pool.submit(
            lambda: np.stack([self._fit_bands(self._decoded(int(n))) for n in numbers])
        )

    def scale(self, numbers: Iterable[int], progress: Progress | None = None) -> BandScale:
        """Return how values become 0..1, from (training) images: 1st to 99th percentile.

        8-bit pictures keep 0 to 255, so that they look the same to every network.
        """
        every = list(numbers)
        some = every[:: max(1, len(every) // 200)]
        values = self.read(some, progress)
        if values.dtype == np.uint8:
            return BandScale.bytes(self.bands)
        flat = np.moveaxis(values, 1, 0).reshape(self.bands, -1)
        low, high = np.percentile(flat, (1, 99), axis=1).astype(np.float32)
        return BandScale(low, np.where(high > low, high, low + 1).astype(np.float32))

    # -- inside --------------------------------------------------------------------------

    def _in_order(
        self, numbers: Iterable[int], do: Any, progress: Progress
    ) -> Iterator[tuple[int, Future[Any]]]:
        """Run on the threads, a few ahead; yields in order, looks for a stop in between."""
        waiting: list[tuple[int, Future[Any]]] = []
        left = iter(numbers)
        while True:
            progress.check()
            while len(waiting) < 2 * THREADS:
                number = next(left, None)
                if number is None:
                    break
                waiting.append((int(number), self._pool.submit(do, int(number))))
            if not waiting:
                return
            number, answer = waiting.pop(0)
            while True:
                with contextlib.suppress(TimeoutError):
                    answer.exception(timeout=0.1)
                    break
                progress.check()
            yield number, answer

    def _look(self, number: int) -> ImageFacts:
        path = self.images.images[number].path
        with open_scene(path) as scene:
            image = read_scaled(scene, self.size)
            self._held.put(number, image)
            thumbnail = image.mean(0, dtype=np.float32)
            small = Image.fromarray(thumbnail).resize(
                (THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR
            )
            return ImageFacts(
                scene.shape,
                str(image.dtype),
                scene.info.unit,
                scene.info.is_rgb,
                np.asarray(small, np.float32),
            )

    def _decoded(self, number: int) -> NDArray[Any]:
        image = self._held.get(number)
        if image is None:
            with open_scene(self.images.images[number].path) as scene:
                image = read_scaled(scene, self.size)
            self._held.put(number, image)
        return image

    def _fit_bands(self, image: NDArray[Any]) -> NDArray[Any]:
        return fit_bands(image, self.bands)


def fit_bands(image: NDArray[Any], bands: int) -> NDArray[Any]:
    """Return an image of shape (bands, rows, cols) with the number of bands wanted.

    Grey becomes colour by repetition, colour becomes grey by its mean.

    Raises
    ------
    BadInput
        Any other numbers.
    """
    if image.shape[0] == bands:
        return image
    if not _can_become(image.shape[0], bands):
        raise BadInput(f"The image has {image.shape[0]} bands, the network wants {bands}.")
    if image.shape[0] == 1:
        return np.repeat(image, bands, 0)
    grey = image.mean(0, keepdims=True, dtype=np.float32)
    return np.asarray(np.rint(grey) if image.dtype == np.uint8 else grey).astype(image.dtype)


def _can_become(has: int, wanted: int) -> bool:
    return has == wanted or (has, wanted) in {(1, 3), (3, 1)}


def sizes(text: str) -> tuple[int, int]:
    """Read ``"128"`` or ``"96x128"`` (rows × columns).

    Raises
    ------
    BadInput
    """
    parts = text.lower().replace("×", "x").split("x")
    try:
        found = [int(part) for part in parts]
    except ValueError:
        found = []
    if len(found) not in (1, 2) or not all(16 <= n <= 2048 for n in found):
        raise BadInput(
            f"{text} is no image size.", way_out="Give 128, or rows and columns: 96x128."
        )
    return found[0], found[-1]
