"""The live feed: a flight line scan line by scan line, or a folder that fills up.

A plain engine: it assembles tiles as lines arrive, asks the networks, and counts what came too
late or was left out. Who paints it is no business of this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import ClearbandError, WrongUse
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import GATE, OVERLAP, SIDE, TileAnswer, ask_tile, tile_windows
from backends.fire.fields import FireImage
from backends.jobs import Progress
from backends.scene import Window


@dataclass
class FeedCounts:
    """What became of the frames of a feed; a frame is one row of tiles, or one file.

    Attributes
    ----------
    lines : int
        Scan lines that arrived.
    frames, late, dropped : int
        Read; read after the next one was due; never read since too many waited.
    tiles : int
    """

    lines: int = 0
    frames: int = 0
    late: int = 0
    dropped: int = 0
    tiles: int = 0


@dataclass
class FeedSettings:
    """What may be turned while the feed runs; it counts from the next tile on.

    Attributes
    ----------
    gate, pixel_threshold : float
    """

    gate: float = GATE
    pixel_threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class FeedEvent:
    """Something arrived.

    Attributes
    ----------
    kind : str
        ``"tile"``, ``"late"`` or ``"dropped"``.
    rows : (first, behind the last)
        Scan lines it is about.
    tile : TileAnswer or None
    mask : bool array of the tile's shape, or None
    counts : FeedCounts
        A copy, as of now.
    """

    kind: str
    rows: tuple[int, int]
    counts: FeedCounts
    tile: TileAnswer | None = None
    mask: NDArray[np.bool_] | None = None


@dataclass
class LineFeed:
    """Plays a flight line as if it were being flown.

    Attributes
    ----------
    image : FireImage
    networks : FireNetworks
    lines_per_second : float
        0 plays as fast as the networks read; nothing is late or dropped then.
    most_waiting : int
        Rows of tiles that may wait; older ones are dropped and counted.
    settings : FeedSettings
    clock, sleep : callable
        For tests.
    """

    image: FireImage
    networks: FireNetworks
    lines_per_second: float = 0.0
    most_waiting: int = 2
    settings: FeedSettings = field(default_factory=FeedSettings)
    device: str = "cpu"
    start_line: int = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Any] = time.sleep

    def __post_init__(self) -> None:
        if self.lines_per_second < 0 or self.most_waiting < 1:
            raise WrongUse("A feed needs a speed of 0 or more, and room for one row of tiles.")
        self.counts = FeedCounts()

    def events(self, progress: Progress | None = None) -> Iterator[FeedEvent]:
        """Yield tiles as their last scan line arrives, and what came late or was dropped.

        Raises
        ------
        Cancelled
            Asked to, within a tile or a tenth of a second.
        """
        progress = progress or Progress()
        rows, cols, _ = self.image.scene.shape
        windows: dict[int, list[Window]] = {}
        for window in tile_windows(rows, cols, OVERLAP):
            if window.row + SIDE > self.start_line:
                windows.setdefault(window.row, []).append(window.clip(rows, cols))
        order = sorted(windows)
        progress.start(rows - self.start_line, "scan lines", "Playing the flight line")
        began = self.clock()
        position = 0
        while position < len(order):
            row = order[position]
            last = min(row + SIDE, rows)
            yield from self._arrive(began, last, progress)
            waiting = sum(min(r + SIDE, rows) <= self.counts.lines for r in order[position:])
            if waiting > self.most_waiting:
                self.counts.dropped += 1
                yield self._event("dropped", (row, last))
                position += 1
                continue
            for window in windows[row]:
                progress.check()
                yield self._read(window)
            self.counts.frames += 1
            following = order[position + 1] if position + 1 < len(order) else None
            if following is not None and self._is_late(began, min(following + SIDE, rows)):
                self.counts.late += 1
                yield self._event("late", (row, last))
            position += 1

    def _due(self, began: float, line: int) -> float:
        """Return when a scan line arrives."""
        if not self.lines_per_second:
            return began
        return began + (line - self.start_line) / self.lines_per_second

    def _is_late(self, began: float, line: int) -> bool:
        return bool(self.lines_per_second) and self.clock() > self._due(began, line)

    def _arrive(self, began: float, line: int, progress: Progress) -> Iterator[FeedEvent]:
        """Wait until a scan line is there; lines that came while tiles were read count at once."""
        yield from ()
        due = self._due(began, line)
        while self.lines_per_second and (left := due - self.clock()) > 0:
            progress.check()
            self.sleep(min(left, 0.1))
        arrived = line
        if self.lines_per_second:
            since = self.clock() - began
            flown = self.start_line + int(since * self.lines_per_second + 1e-6)
            arrived = max(line, min(flown, self.image.scene.shape[0]))
        if arrived > self.counts.lines:
            progress.advance(arrived - max(self.counts.lines, self.start_line))
            self.counts.lines = arrived

    def _read(self, window: Window) -> FeedEvent:
        found, valid = self.image.unit_planes(window, self.networks.channels)
        planes = np.zeros((len(self.networks.channels), SIDE, SIDE), np.float32)
        planes[:, : window.height, : window.width] = found
        chance, drawn = ask_tile(self.networks, planes, self.settings.gate, self.device)
        part = np.zeros((window.height, window.width), np.float32)
        if drawn is not None:
            part = np.where(valid, drawn[: window.height, : window.width], 0).astype(np.float32)
        tile = TileAnswer(window, chance, part, drawn is not None)
        self.counts.tiles += 1
        mask = np.asarray(part >= self.settings.pixel_threshold)
        return self._event("tile", (window.row, window.row + window.height), tile, mask)

    def _event(
        self, kind: str, rows: tuple[int, int], tile: TileAnswer | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> FeedEvent:  # fmt: skip
        counts = FeedCounts(**vars(self.counts))
        return FeedEvent(kind, rows, counts, tile, mask)


@dataclass
class FolderWatch:
    """Notices files that are complete: their size stayed the same from one look to the next.

    Attributes
    ----------
    folder : Path
    suffixes : tuple of str
    """

    folder: Path
    suffixes: tuple[str, ...] = (".tif", ".tiff", ".hdf", ".dat", ".img")

    def __post_init__(self) -> None:
        self._seen: dict[Path, tuple[int, int]] = {}
        self._given: set[Path] = set()
        self.counts = FeedCounts()

    def look(self) -> list[Path]:
        """Return the files that became complete since the last look, oldest first.

        Raises
        ------
        ClearbandError
            The folder is gone.
        """
        try:
            files = [p for p in self.folder.iterdir() if p.suffix.lower() in self.suffixes]
            facts = {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.is_file()}
        except OSError as error:
            raise ClearbandError(
                f"The folder {self.folder.name} cannot be watched any more.",
                subject=self.folder,
                way_out="Connect it again and start the feed anew.",
                details=repr(error),
            ) from error
        ready = [
            p
            for p, fact in facts.items()
            if p not in self._given and fact[0] > 0 and self._seen.get(p) == fact
        ]
        ready.sort(key=lambda p: facts[p][1])
        self._seen = facts
        self._given.update(ready)
        return ready

    def follow(
        self,
        read: Callable[[Path], Any],
        *,
        every_s: float = 1.0,
        progress: Progress | None = None,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> Iterator[tuple[Path, Any]]:
        """Yield each file with what ``read`` made of it, or with the error it met.

        A file that cannot be read counts as dropped, the feed goes on. It ends when told to.
        """
        progress = progress or Progress()
        progress.keeps = True
        progress.start(None, "files", f"Watching {self.folder.name}")
        while not progress.enough:
            for path in self.look():
                progress.check()
                try:
                    made = read(path)
                    self.counts.frames += 1
                except ClearbandError as error:
                    made = error
                    self.counts.dropped += 1
                progress.advance()
                yield path, made
            waited = 0.0
            while waited < every_s and not progress.enough:
                progress.check()
                sleep(min(0.1, every_s))
                waited += 0.1
