"""The live feed: a flight line scan line by scan line.

A plain engine: it assembles tiles as lines arrive, asks the networks, and counts what came too
late or was left out. Who paints it is no business of this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.fire.checkpoints import FireNetworks
from backends.fire.combined import GATE, OVERLAP, SIDE, TileAnswer, read_tile, tile_windows
from backends.fire.fields import FireImage
from backends.fire.rules import rule
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


class Reader(Protocol):
    """What reads a tile of a feed."""

    def __call__(self, window: Window, last_line: int, gate: float) -> TileAnswer:
        """Return what is said of a tile; nothing behind the last line has been flown yet."""
        ...


def network_reader(image: FireImage, networks: FireNetworks, device: str = "cpu") -> Reader:
    """Read tiles with both networks."""

    def read(window: Window, last_line: int, gate: float) -> TileAnswer:
        return read_tile(image, networks, window, gate, device)[0]

    return read


def rule_reader(image: FireImage, rule_id: str, **numbers: Any) -> Reader:
    """Read tiles with a fire rule: 1 where it holds, the tile as sure as its surest pixel.

    It looks as far around a tile as it may, but never at lines that have not been flown.

    Raises
    ------
    BadInput
        The scene lacks a band of the rule.
    """
    chosen = rule(rule_id)
    image.bands.need(*chosen.needs, subject=image.scene.title)
    rows, cols, _ = image.scene.shape
    reach = chosen.reach(image.pixel_m)

    def read(window: Window, last_line: int, gate: float) -> TileAnswer:
        top, left = max(0, window.row - reach), max(0, window.col - reach)
        bottom = max(min(window.row + window.height + reach, last_line), window.row + 1)
        right = min(window.col + window.width + reach, cols)
        fields = image.fields(Window(top, left, min(bottom, rows) - top, right - left))
        with np.errstate(invalid="ignore", divide="ignore"):
            found = chosen.run(fields, **numbers)
        r, c = window.row - top, window.col - left
        inner = (slice(r, r + window.height), slice(c, c + window.width))
        holds = (found.holds & fields.valid)[inner].astype(np.float32)
        return TileAnswer(window, float(holds.max(initial=0.0)), holds, True)

    return read


@dataclass
class LineFeed:
    """Plays a flight line as if it were being flown.

    Attributes
    ----------
    image : FireImage
    networks : FireNetworks or None
    lines_per_second : float
        0 plays as fast as tiles are read; nothing is late or dropped then. May be changed while
        it plays: it counts from then on.
    most_waiting : int
        Rows of tiles that may wait; older ones are dropped and counted.
    settings : FeedSettings
    reader : Reader, optional
        Reads tiles in the place of the networks.
    clock, sleep : callable
        For tests.
    """

    image: FireImage
    networks: FireNetworks | None = None
    lines_per_second: float = 0.0
    most_waiting: int = 2
    settings: FeedSettings = field(default_factory=FeedSettings)
    device: str = "cpu"
    start_line: int = 0
    reader: Reader | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Any] = time.sleep

    def __post_init__(self) -> None:
        if self.lines_per_second < 0 or self.most_waiting < 1:
            raise WrongUse("A feed needs a speed of 0 or more, and room for one row of tiles.")
        if self.reader is None:
            if self.networks is None:
                raise WrongUse("A feed needs networks or a rule that read it.")
            self.networks.to(self.device)
            self.reader = network_reader(self.image, self.networks, self.device)
        self.counts = FeedCounts()
        self._flown = float(self.start_line)
        self._looked = 0.0

    def events(self, progress: Progress | None = None) -> Iterator[FeedEvent]:
        """Yield tiles as their last scan line arrives, and what came late or was dropped.

        While the job is paused the aircraft stands still, too.

        Raises
        ------
        Cancelled
            Asked to, within a tile or a tenth of a second. Asked to end, it ends with what it has.
        """
        progress = progress or Progress()
        progress.keeps = True
        rows, cols, _ = self.image.scene.shape
        windows: dict[int, list[Window]] = {}
        for window in tile_windows(rows, cols, OVERLAP):
            if window.row + SIDE > self.start_line:
                windows.setdefault(window.row, []).append(window.clip(rows, cols))
        order = sorted(windows)
        progress.start(rows - self.start_line, "scan lines", "Playing the flight line")
        self._looked, self._paused = self.clock(), progress.paused_seconds
        position = 0
        while position < len(order) and not progress.enough:
            row = order[position]
            last = min(row + SIDE, rows)
            self._arrive(last, progress)
            if progress.enough:
                return
            waiting = sum(min(r + SIDE, rows) <= self.counts.lines for r in order[position:])
            if self.lines_per_second and waiting > self.most_waiting:
                self.counts.dropped += 1
                yield self._event("dropped", (row, last))
                position += 1
                continue
            for window in windows[row]:
                progress.check()
                yield self._read(window)
            self.counts.frames += 1
            following = order[position + 1] if position + 1 < len(order) else None
            if following is not None and self._is_late(min(following + SIDE, rows), progress):
                self.counts.late += 1
                yield self._event("late", (row, last))
            position += 1

    def _fly(self, progress: Progress) -> float:
        """Return how many lines have been flown by now; pauses do not count."""
        now, paused = self.clock(), progress.paused_seconds
        since = now - self._looked - (paused - self._paused)
        self._looked, self._paused = now, paused
        self._flown += max(0.0, since) * self.lines_per_second
        return self._flown

    def _is_late(self, line: int, progress: Progress) -> bool:
        return bool(self.lines_per_second) and self._fly(progress) > line

    def _arrive(self, line: int, progress: Progress) -> None:
        """Wait until a scan line is there; lines that came while tiles were read count at once."""
        while self.lines_per_second and (left := line - self._fly(progress)) > 1e-6:
            progress.check()
            if progress.enough:
                return
            self.sleep(min(left / self.lines_per_second, 0.1))
        # Played as fast as it goes, a line is flown when it is asked for.
        self._flown = max(self._flown, float(line))
        arrived = max(line, min(int(self._flown + 1e-6), self.image.scene.shape[0]))
        if arrived > self.counts.lines:
            progress.advance(arrived - max(self.counts.lines, self.start_line))
            self.counts.lines = arrived

    def _read(self, window: Window) -> FeedEvent:
        assert self.reader is not None
        tile = self.reader(window, self.counts.lines, self.settings.gate)
        self.counts.tiles += 1
        mask = np.asarray(tile.probability >= self.settings.pixel_threshold)
        return self._event("tile", (window.row, window.row + window.height), tile, mask)

    def _event(
        self, kind: str, rows: tuple[int, int], tile: TileAnswer | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> FeedEvent:  # fmt: skip
        counts = FeedCounts(**vars(self.counts))
        return FeedEvent(kind, rows, counts, tile, mask)
