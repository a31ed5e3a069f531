"""Borders of clusters: drawn, and measured against those of labels."""

from __future__ import annotations

import numpy as np
import pytest

from backends.cluster_edges import border_lines, boundary_agreement
from backends.errors import BadInput

ROWS, COLS = 14, 11


def _edge_pixels(values: np.ndarray, known: np.ndarray) -> set[tuple[int, int]]:
    out = set()
    for r in range(ROWS):
        for c in range(COLS):
            for a, b in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                inside = 0 <= a < ROWS and 0 <= b < COLS
                if inside and known[r, c] and known[a, b] and values[r, c] != values[a, b]:
                    out.add((r, c))
    return out


@pytest.mark.parametrize("tolerance", [0, 1, 2])
def test_boundary_agreement_by_hand(tolerance: int) -> None:
    labels = np.full((ROWS, COLS), 1, np.uint8)
    labels[:, 5:], labels[9:, :], labels[:3, 8:] = 2, 3, 0
    cluster = np.full((ROWS, COLS), 1, np.uint8)
    cluster[:, 6:], cluster[4:6, 1:3] = 2, 4
    known = labels > 0
    mine, theirs = _edge_pixels(cluster, known), _edge_pixels(labels, known)

    def near(one: tuple[int, int], many: set[tuple[int, int]]) -> bool:
        return any(max(abs(one[0] - r), abs(one[1] - c)) <= tolerance for r, c in many)

    found = boundary_agreement(cluster, labels, tolerance)
    precision = sum(near(e, theirs) for e in mine) / len(mine)
    recall = sum(near(e, mine) for e in theirs) / len(theirs)
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert (found.cluster_edge, found.label_edge) == (len(mine), len(theirs))


def test_boundaries_that_are_the_same_and_that_are_not_there() -> None:
    labels = np.ones((ROWS, COLS), np.uint8)
    labels[:, 5:] = 2
    assert boundary_agreement(labels, labels).f1 == 1
    alone = np.zeros((ROWS, COLS), np.uint8)
    alone[2, 2], alone[8, 8] = 1, 2  # no two classes touch
    assert boundary_agreement(np.arange(ROWS * COLS).reshape(ROWS, COLS) + 1, alone).f1 is None
    with pytest.raises(BadInput, match="do not lie on each other"):
        boundary_agreement(labels, labels[:-1])


def test_lines_run_between_pixels_of_different_clusters() -> None:
    rng = np.random.default_rng(0)
    cluster = np.kron(rng.integers(0, 4, (5, 6)), np.ones((3, 2), int))
    lines = border_lines(cluster)
    drawn = set()
    for start, end in lines.tolist():
        axis = 1 if start[0] == end[0] else 0  # along a row, or down a column
        assert start[1 - axis] == end[1 - axis]
        for at in np.arange(start[axis], end[axis]):
            drawn.add((start[0], at + 0.5, "-") if axis else (at + 0.5, start[1], "|"))
    wanted = set()
    for r, c in np.ndindex(cluster.shape):
        for dr, dc, kind in ((1, 0, "-"), (0, 1, "|")):
            if r + dr < cluster.shape[0] and c + dc < cluster.shape[1]:
                one, two = cluster[r, c], cluster[r + dr, c + dc]
                if one != two and one > 0 and two > 0:
                    wanted.add((r + dr / 2, c + dc / 2, kind))
    assert drawn == wanted
    assert len(lines) < len(wanted)  # straight ones are drawn in one
    assert border_lines(np.ones((4, 4), int)).shape == (0, 2, 2)
