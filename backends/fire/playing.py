"""A feed played to its end: tiles become layers as they arrive, and a result when it is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import ClearbandError
from backends.fire.combined import Blend, TileAnswer
from backends.fire.feed import FeedCounts, FeedEvent, FeedSettings, LineFeed, rule_reader
from backends.fire.folder_feed import FolderWatch
from backends.fire.question import FireAnswer, FireQuestion
from backends.fire.results import FireResult, Maker, Tuning, mask_of, summary_of
from backends.jobs import Progress
from backends.overlays import Overlay, Provenance
from backends.scene import Scene


@dataclass(frozen=True, eq=False)
class FeedPart:
    """How far a feed is.

    Attributes
    ----------
    counts : FeedCounts
    tiles : tuple of TileAnswer
    overlays : tuple of Overlay
        Verdicts, probability and mask so far, marked partial; empty where there was no time.
    """

    counts: FeedCounts
    tiles: tuple[TileAnswer, ...]
    overlays: tuple[Overlay, ...]


@dataclass(eq=False)
class FeedRun:
    """A flight line to play; what may be turned meanwhile is turned here.

    Attributes
    ----------
    scene : Scene
    question : FireQuestion
        With networks these read the tiles.
    rule_id : str
        Without networks this rule does.
    lines_per_second : float
        0 is as fast as tiles are read.
    most_waiting : int
        Rows of tiles that may wait before the oldest is dropped.
    tuning : Tuning
    """

    scene: Scene
    question: FireQuestion
    rule_id: str = "B"
    lines_per_second: float = 0.0
    most_waiting: int = 2
    tuning: Tuning = field(default_factory=lambda: Tuning(0.2, 0.5))

    def __call__(self, progress: Progress) -> FireAnswer:
        """Play it."""
        networks = self.question.networks()
        image = self.question.image(self.scene)
        device = self.question.device_id(networks)
        reader = None
        if networks is None:
            numbers = self.question.numbers.get(self.rule_id, {})
            reader = rule_reader(image, self.rule_id, **numbers)
        began = time.perf_counter()
        feed = LineFeed(
            image, networks, self.lines_per_second, self.most_waiting,
            FeedSettings(self.tuning.gate, self.tuning.threshold), device, reader=reader,
        )  # fmt: skip
        rows, cols, _ = self.scene.shape
        made = Maker(image, self.question.line(self.scene), self.tuning)
        by = made.provenance(model=networks, rule_id=self.rule_id, device=device)
        by = replace(by, notes=(*by.notes, "Played as a feed, scan line by scan line."))
        picture = _Picture(made, by, rows, cols)
        for event in feed.events(progress):
            feed.lines_per_second = self.lines_per_second
            feed.settings.gate = self.tuning.gate
            picture.take(event)
            if progress.is_watched:
                picture.made.tuning = self.tuning
                force = event.kind == "dropped"
                progress.partial(picture.part(feed.counts), force=force)
        picture.made.tuning = self.tuning
        seconds = time.perf_counter() - began - progress.paused_seconds
        found = picture.result(feed.counts, networks, round(seconds, 3))
        asked = replace(
            self.question, gate=self.tuning.gate, threshold=self.tuning.threshold,
            min_size=self.tuning.min_size, rules=() if networks is not None else (self.rule_id,),
        )  # fmt: skip
        return FireAnswer(asked, image, networks, found)


class _Picture:
    """What the tiles that came add up to."""

    def __init__(self, made: Maker, by: Provenance, rows: int, cols: int) -> None:
        self.made, self.by = made, by
        self.blend = Blend(rows, cols)
        self.tiles: list[TileAnswer] = []
        self._gone = np.zeros((rows, cols), bool)
        self._next = 0.0

    def take(self, event: FeedEvent) -> None:
        """Take in what happened."""
        if event.tile is not None:
            self.tiles.append(event.tile)
            self.blend.add(event.tile)
        elif event.kind == "dropped":
            self._gone[slice(*event.rows)] = True

    @property
    def dropped(self) -> NDArray[np.bool_]:
        """What no tile that was read covers, though it was flown."""
        return np.asarray(self._gone & ~self.blend.seen)

    def part(self, counts: FeedCounts) -> FeedPart:
        """Return how far it is; layers only as often as a fifth of the time allows."""
        began = time.monotonic()
        layers: list[Overlay] = []
        if began >= self._next:
            layers = [replace(layer, partial=True) for layer in self._layers(self._probability())]
            self._next = began + max(0.25, 4 * (time.monotonic() - began))
        return FeedPart(FeedCounts(**vars(counts)), tuple(self.tiles), tuple(layers))

    def _probability(self) -> NDArray[np.float32]:
        probability = self.blend.probability()
        probability[~self.blend.seen] = np.nan
        return probability

    def _layers(self, probability: NDArray[np.float32]) -> list[Overlay]:
        mask = mask_of(probability, self.made.tuning)
        return self.made.of_model(self.tiles, probability, mask, self.by, self.dropped)

    def result(self, counts: FeedCounts, networks: Any, seconds: float) -> FireResult:
        """Return the whole."""
        probability = self._probability()
        tuning = self.made.tuning
        mask = mask_of(probability, tuning)
        by = replace(self.by, seconds=seconds)
        layers = self.made.of_model(self.tiles, probability, mask, by, self.dropped)
        summary = summary_of(self.made.image, {}, networks, mask, self.tiles, tuning)
        summary |= {"seconds": seconds, "feed": dict(vars(counts))}
        return FireResult(
            tuple(layers), {}, probability, mask, tuple(self.tiles), summary, tuning, self.dropped
        )


@dataclass(eq=False)
class Arrival:
    """A file that arrived in a watched folder.

    Attributes
    ----------
    path : Path
    counts : FeedCounts
    scene : Scene or None
        Open; whoever takes it says so with ``taken``.
    answer : FireAnswer or None
    error : ClearbandError or None
        Why it could not be read; it counts as dropped.
    """

    path: Path
    counts: FeedCounts
    scene: Scene | None = None
    answer: FireAnswer | None = None
    error: ClearbandError | None = None
    taken: bool = False


@dataclass(eq=False)
class FolderRun:
    """A folder to watch: each file that is complete is opened and asked.

    Attributes
    ----------
    folder : Path
    question : FireQuestion
    every_s : float
        Between looks.
    """

    folder: Path
    question: FireQuestion
    every_s: float = 1.0

    def __call__(self, progress: Progress) -> FeedCounts:
        """Watch until told that it is enough."""
        watch = FolderWatch(self.folder)
        arrivals: list[Arrival] = []
        try:
            for path, made in watch.follow(self._read, every_s=self.every_s, progress=progress):
                counts = FeedCounts(**vars(watch.counts))
                if isinstance(made, ClearbandError):
                    arrival = Arrival(path, counts, error=made)
                else:
                    arrival = Arrival(path, counts, *made)
                arrivals = [a for a in arrivals if not a.taken] + [arrival]
                progress.partial(arrival, force=True)
        finally:
            for arrival in arrivals:
                if arrival.scene is not None and not arrival.taken:
                    arrival.scene.close()
                    arrival.scene = None
        return watch.counts

    def _read(self, path: Path) -> tuple[Scene, FireAnswer]:
        from backends.io import open_scene

        scene = open_scene(path)
        try:
            return scene, self.question.ask(scene)
        except BaseException:
            scene.close()
            raise
