"""What is in view of a large picture: known at once, exact once its tiles were read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import tiles
from backends.errors import BadInput
from backends.tiles import TILE, Tiles, View, coarse_whole


class Level:
    """An array that counts what is taken from it, and breaks when asked to."""

    def __init__(self, values: Any) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.taken: list[Any] = []
        self.torn = False

    def __getitem__(self, key: Any) -> Any:
        if self.torn:
            raise BadInput("It cannot be read.")
        self.taken.append(key)
        return self.values[key]


@pytest.fixture
def levels() -> list[Level]:
    """Return levels of colours, each with a mark of its own in the last colour."""
    out = []
    for number, (rows, cols) in enumerate(((1001, 1500), (333, 500), (111, 166))):
        r, c = np.mgrid[:rows, :cols]
        mark = np.full(r.shape, number)
        out.append(Level(np.stack([r * 255 // rows, c * 255 // cols, mark], -1).astype(np.uint8)))
    return out


def test_a_view_is_there_at_once_and_exact_when_its_tiles_were_read(levels) -> None:
    made = Tiles("scene", "colours", levels, coarse_whole(levels[-1]))
    levels[-1].taken.clear()
    view = View(0, 300, 900, 100, 1100)
    picture, missing = made.compose(view)
    assert not any(level.taken for level in levels)  # composing never reads
    exact = levels[0].values[300:900, 100:1100]
    assert (picture[..., 2] == 2).all()  # from the coarsest
    assert np.abs(picture[..., :2].astype(int) - exact[..., :2]).max() <= 6
    # The middle of the view comes first.
    assert missing[0] in ((0, 2, 2), (0, 1, 2))
    assert {place[0] for place in missing} == {0}
    for place in missing:
        made.fetch(place)
    picture, missing = made.compose(view)
    assert missing == []
    np.testing.assert_array_equal(picture, exact)
    tiles.forget("scene")
    assert len(made.compose(view)[1]) == 15


def test_the_next_coarser_tile_stands_in_for_one_that_is_missing(levels) -> None:
    made = Tiles("other", "colours", levels, coarse_whole(levels[-1]))
    made.fetch((1, 0, 0))
    picture, missing = made.compose(View(0, 0, TILE, 0, TILE))
    assert missing == [(0, 0, 0)]
    assert (picture[..., 2] == 1).all()
    # To the last row and column, though levels do not halve evenly.
    picture, _ = made.compose(View(0, 900, 1001, 1400, 1500))
    assert picture.shape == (101, 100, 3)
    assert picture[-1, -1, 0] == levels[-1].values[-1, -1, 0]
    tiles.forget("other")


def test_what_cannot_be_read_is_empty_until_it_is_tried_again(levels) -> None:
    made = Tiles("third", "colours", levels, coarse_whole(levels[-1]))
    levels[0].torn = True
    corner = (0, 3, 5)
    with pytest.raises(BadInput):
        made.fetch(corner)
    view = View(0, 768, 1001, 1280, 1500)
    picture, missing = made.compose(view)
    assert missing == []
    assert not picture.any()
    levels[0].torn = False
    made.retry()
    _, missing = made.compose(view)
    assert missing == [corner]
    made.fetch(corner)
    np.testing.assert_array_equal(made.compose(view)[0], levels[0].values[768:, 1280:])
    tiles.forget("third")


def test_a_large_last_level_is_read_coarsely_a_strip_at_a_time(monkeypatch) -> None:
    monkeypatch.setattr(tiles, "BASE_SIDE", 100)
    level = Level(np.arange(1001 * 700, dtype=np.uint32).reshape(1001, 700))
    found = coarse_whole(level)
    np.testing.assert_array_equal(found, level.values[::11, ::11])
    assert max(key[0].stop - key[0].start for key in level.taken) <= TILE
