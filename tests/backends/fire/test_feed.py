"""The live feed: tiles in time, late and dropped frames counted, folders followed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput, Cancelled, ClearbandError, WrongUse
from backends.fire.applying import apply_rule
from backends.fire.combined import run_combined
from backends.fire.feed import LineFeed, rule_reader
from backends.fire.fields import FireImage
from backends.fire.folder_feed import FolderWatch
from backends.jobs import CancelToken, Progress
from backends.simulate.ams import simulate_ams
from tests.backends.fire.test_detect import hot


class Clock:
    """A clock that sleeping moves, and reading a tile, too."""

    def __init__(self, per_call: float = 0.0) -> None:
        self.now, self.per_call = 100.0, per_call

    def __call__(self) -> float:
        self.now += self.per_call
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="module")
def image() -> FireImage:
    return FireImage(simulate_ams(832, seed=1).to_scene())


def test_as_fast_as_it_goes_gives_what_the_whole_gives(image: FireImage) -> None:
    feed = LineFeed(image, hot())
    events = list(feed.events())
    tiles = {(e.tile.window.row, e.tile.window.col): e for e in events if e.tile}
    whole = run_combined(image, hot())
    assert len(tiles) == len(whole.tiles) == 16
    for tile in whole.tiles:
        event = tiles[tile.window.row, tile.window.col]
        assert event.tile.chance == tile.chance
        assert np.array_equal(event.mask, tile.probability >= 0.5)
    assert (feed.counts.late, feed.counts.dropped, feed.counts.frames) == (0, 0, 4)
    assert feed.counts.lines == 832


def test_a_tile_comes_when_its_last_line_has(image: FireImage) -> None:
    clock = Clock()
    feed = LineFeed(image, hot(), lines_per_second=64, clock=clock, sleep=clock.sleep)
    first = next(e for e in feed.events() if e.tile)
    assert clock.now - 100 == pytest.approx(256 / 64, abs=0.11)
    assert first.counts.lines == 256


def test_slow_reading_is_late_and_then_drops(image: FireImage) -> None:
    clock = Clock(per_call=1.2)  # each look at the clock costs more than a row of tiles lasts
    feed = LineFeed(
        image, hot(), lines_per_second=400, most_waiting=1, clock=clock, sleep=clock.sleep
    )
    kinds = [e.kind for e in feed.events()]
    counts = feed.counts
    assert counts.late + counts.dropped > 0
    assert counts.dropped == kinds.count("dropped") > 0
    assert counts.frames + counts.dropped == 4  # none is hidden
    assert kinds.count("tile") == counts.tiles == 4 * counts.frames


def test_settings_turn_while_it_runs(image: FireImage) -> None:
    feed = LineFeed(image, hot())
    events = feed.events()
    next(events)
    feed.settings.gate = 1.0
    rest = [e for e in events if e.tile]
    assert not any(e.tile.opened for e in rest if e.tile and e.tile.chance < 1)


def test_feeds_stop_when_told(image: FireImage) -> None:
    token = CancelToken()
    events = LineFeed(image, hot()).events(Progress(token))
    next(events)
    token.cancel()
    with pytest.raises(Cancelled):
        next(events)
    with pytest.raises(WrongUse, match="speed of 0 or more"):
        LineFeed(image, hot(), lines_per_second=-1)


def test_folders_give_files_when_they_are_whole(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path)
    (tmp_path / "one.tif").write_bytes(b"1")
    (tmp_path / "notes.txt").write_bytes(b"1")
    assert watch.look() == []
    (tmp_path / "one.tif").write_bytes(b"12")  # still growing
    assert watch.look() == []
    assert watch.look() == [tmp_path / "one.tif"]
    assert watch.look() == []


def test_a_broken_file_is_counted_and_passed_over(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(b"x")
    watch, token = FolderWatch(tmp_path), CancelToken()
    progress = Progress(token)

    def read(path: Path) -> str:
        if path.name == "a.tif":
            raise BadInput("a.tif is damaged.")
        return path.name

    got = {}
    for path, made in watch.follow(read, every_s=0.1, progress=progress, sleep=lambda _: None):
        got[path.name] = made
        if len(got) == 2:
            token.finish()
    assert isinstance(got["a.tif"], ClearbandError)
    assert got["b.tif"] == "b.tif"
    assert (watch.counts.frames, watch.counts.dropped) == (1, 1)
    (tmp_path / "a.tif").unlink()
    (tmp_path / "b.tif").unlink()
    tmp_path.rmdir()
    with pytest.raises(ClearbandError, match="cannot be watched"):
        watch.look()


def test_a_pause_holds_the_aircraft_and_a_new_speed_counts_from_then(image: FireImage) -> None:
    clock, progress = Clock(), Progress()
    feed = LineFeed(image, hot(), lines_per_second=64, clock=clock, sleep=clock.sleep)
    events = feed.events(progress)
    next(e for e in events if e.tile)
    clock.now += 1000
    progress.paused_seconds += 1000  # what a paused job notes
    feed.lines_per_second = 128
    before = clock.now
    second = next(e for e in events if e.tile and e.rows[0] > 0)
    assert clock.now - before == pytest.approx(192 / 128, abs=0.11)
    assert second.counts.dropped == second.counts.late == 0


def test_a_rule_reads_where_there_are_no_networks(image: FireImage) -> None:
    feed = LineFeed(image, reader=rule_reader(image, "B"))
    found = np.zeros(image.scene.shape[:2], bool)
    for event in feed.events():
        if event.tile is not None:
            found[event.tile.window.slices] |= event.mask
            assert event.tile.chance == float(event.mask.any())
    whole = apply_rule(image, "B").mask
    # A tile's lower edge is read before what lies behind it has been flown.
    assert (found & whole).sum() > 0.98 * whole.sum()
    with pytest.raises(WrongUse, match="networks or a rule"):
        LineFeed(image)


def test_late_files_of_a_folder_are_counted(tmp_path: Path) -> None:
    watch, token = FolderWatch(tmp_path), CancelToken()
    (tmp_path / "a.tif").write_bytes(b"x")
    got: list[str] = []
    for path, _ in watch.follow(str, every_s=0.1, progress=Progress(token), sleep=lambda _: None):
        got.append(path.name)
        if got == ["a.tif"]:
            for name in ("b.tif", "c.tif"):
                (tmp_path / name).write_bytes(b"x")
        if len(got) == 3:
            token.finish()
    assert watch.counts.late == 1
