"""Pictures of matrices: outlines of the highest class, streams, lists in reading order."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import BadInput
from backends.matrix_analysis import DepthView, depth_view
from backends.matrix_history import MatrixHistory, StructureCurve, structure_curve
from backends.matrix_lists import entry_list, order_map, path_overlay, point_overlay
from backends.matrix_maps import grid_picture, outline, stream_map, stream_picture
from backends.overlays import MatrixEntry, MatrixField, Placement, Provenance


def test_the_class_with_the_highest_mean_is_outlined() -> None:
    deviation = np.zeros((6, 8, 2, 2), np.float32)
    labels = np.zeros((6, 8), np.uint8)
    labels[1:3, 2:5], labels[4:, :3] = 4, 9
    deviation[labels == 4, 0, 1] = 0.2
    deviation[labels == 9, 1, 0] = 0.1
    deviation[labels == 0, 0, 1] = 9.0  # no class: does not count
    entry = MatrixEntry(1, "mixer", np.full((2, 2), 0.5, np.float32), deviation)
    picture = grid_picture(entry, labels=labels)
    assert picture.highest is not None
    assert picture.highest[0, 1] == 4
    assert picture.highest[1, 0] == 9
    edges = {tuple(edge) for edge in picture.outlines[4].tolist()}
    assert len(edges) == 2 * (2 + 3)  # the way around 2 × 3 pixels, no edge inside
    assert (1, 2, 1, 3) in edges  # above its first pixel
    assert (1, 5, 2, 5) in edges  # right of the last of that row
    assert grid_picture(entry).highest is None
    assert len(outline(np.ones((3, 4), bool))) == 14


def test_streams_are_drawn_with_their_true_range(matrices: MatrixField) -> None:
    entry = matrices.entries[0]
    assert entry.read is not None
    assert entry.write is not None
    picture = stream_picture(entry.read, "read")
    for stream in range(3):
        values = entry.read.map(stream)
        assert picture.low[stream] == pytest.approx(values.min(), abs=1e-3)
        assert picture.high[stream] == pytest.approx(values.max(), abs=1e-3)
    assert stream_picture(entry.read, "read", scale="fixed").shown[1].tolist() == [1, 1, 1]
    assert stream_picture(entry.write, "write", scale="fixed").shown[1].tolist() == [2, 2, 2]
    made = stream_map(matrices, 1, "mixer", "write", 2)
    np.testing.assert_allclose(made.values, entry.write.map(2))
    assert made.centre == pytest.approx(float(entry.write.static[2]))
    assert made.title.startswith("SWIR µ receives its answer")


def test_older_results_say_that_they_kept_no_streams() -> None:
    entry = MatrixEntry(1, "ffn", np.eye(2), np.zeros((3, 3, 2, 2)))
    field = MatrixField("M", "s", Provenance("es_mhc"), group_names=("a", "b"), entries=(entry,))
    with pytest.raises(BadInput, match="did not keep"):
        stream_map(field, 1, "ffn", "read", 0)


def test_a_list_is_read_as_the_network_reads_it() -> None:
    torch = pytest.importorskip("torch")
    from backends.hyperspectral.token_lists import rank_lists

    rng = np.random.default_rng(0)
    deviation = rng.normal(0, 0.01, (20, 15, 3, 3)).astype(np.float32)
    entry = MatrixEntry(2, "mixer", np.full((3, 3), 1 / 3, np.float32), deviation)
    mix = torch.from_numpy(entry.static + deviation).reshape(300, 3, 3)
    lists = rank_lists(mix, 0.2, 25)  # 60 pixels, dealt out to three of 20
    for part in (1, 2, 3):
        found = entry_list(entry, 1, 2, 0.2, 25, part)
        mine = lists.members[(lists.codes == 5).nonzero()[part - 1, 0]].numpy()
        np.testing.assert_array_equal(found.points[:, 0] * 15 + found.points[:, 1], mine)
        assert (found.part, found.parts) == (part, 3)
        assert (np.diff(found.values) <= 0).all()
    place = Placement(row=1.0, col=2.0, row_step=2.0, col_step=3.0)
    field = MatrixField(
        "M", "s", Provenance("es_mhc"), group_names=("a", "b", "c"), entries=(entry,),
        placement=place,
    )  # fmt: skip
    order = order_map(field, (2, "mixer"), found)
    assert np.isfinite(order.values).sum() == 20
    assert order.values[tuple(found.points[0])] == 0
    assert order.values[tuple(found.points[-1])] == 1
    path = path_overlay(field, found)
    assert len(path.edges) == 19
    np.testing.assert_allclose(path.nodes[3], found.points[3] * (2, 3) + np.array([1, 2]))
    np.testing.assert_allclose(point_overlay(field, found, 3).nodes[0], path.nodes[3])


def test_row_sum_gain_shows_what_grows() -> None:
    fair = np.full((3, 3), 1 / 3)
    view: DepthView = depth_view([(1, "mixer"), (1, "ffn")], np.stack([fair, fair]))
    np.testing.assert_allclose(view.gain, [1, 1])
    grown = depth_view([(1, "mixer"), (1, "ffn")], np.stack([2 * fair, 2 * fair]))
    np.testing.assert_allclose(grown.gain, [2, 4])


def test_how_early_structure_comes() -> None:
    def curve(*spread: float) -> StructureCurve:
        steps = tuple(10 * i for i in range(len(spread)))
        flat = tuple(0.5 for _ in spread)
        return StructureCurve(steps, ((1, "mixer"),), (spread,), (flat,), flat)

    assert curve(0.0, 0.2, 0.6, 1.0).half_step == pytest.approx(17.5)
    assert curve(0.0, 0.9, 0.9, 1.0).half_step == pytest.approx(10 * 5 / 9)
    assert curve(0.8, 0.9, 1.0).half_step == pytest.approx(10)  # of the rise, not of its end
    assert curve(1.0, 0.5, 0.9).half_step == 0  # none came
    assert curve(0.0, 0.9, 0.1, 1.0).half_step == pytest.approx(20 + 10 * 4 / 9)  # for good
    one = curve(0.0, 0.2, 1.0)
    assert StructureCurve.from_dict(one.to_dict()) == one
    for wrong in (
        {},
        {**one.to_dict(), "steps": [1]},
        {**one.to_dict(), "sites": []},
        {"steps": 3},
    ):
        with pytest.raises(BadInput, match="no structure"):
            StructureCurve.from_dict(wrong)


def test_a_history_of_damaged_arrays_is_a_sentence(matrices: MatrixField) -> None:
    assert matrices.history is not None
    arrays = matrices.history.arrays()
    again = MatrixHistory.from_arrays(arrays)
    assert again is not None
    assert structure_curve(again) == structure_curve(matrices.history)
    assert MatrixHistory.from_arrays({}) is None
    key = "history_layer1_ffn_deviation"
    for damage in (
        {k: v for k, v in arrays.items() if k != key},
        arrays | {key: arrays[key][:1]},
        arrays | {key: arrays[key][:, :, :, :2]},
        arrays | {"history_placement": np.zeros(4)},
        arrays | {"history_steps": np.zeros(0, np.int64)},
    ):
        with pytest.raises(BadInput, match="damaged"):
            MatrixHistory.from_arrays(damage)
