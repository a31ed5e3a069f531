"""Overlays are what they claim to be, or are refused."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from backends.errors import BadInput
from backends.overlays import (
    ClassMap,
    ConceptMaps,
    GraphOverlay,
    Heatmap,
    MatrixEntry,
    MatrixField,
    Perimeter,
    Perimeters,
    Provenance,
    ScoreMap,
    software_versions,
)

P = Provenance("test")


def class_map(**changes: Any) -> ClassMap:
    values: dict[str, Any] = {"labels": np.array([[0, 1], [2, 1]]), "class_names": {1: "a", 2: "b"}}
    return ClassMap("Map", "s", P, **{**values, **changes})


def test_counts_named_classes_only() -> None:
    assert class_map().counts() == {1: 2, 2: 1}
    assert class_map(class_names={2: "b", 9: "never"}).counts() == {2: 1, 9: 0}


@pytest.mark.parametrize(
    "make",
    [
        lambda: class_map(labels=np.zeros((2, 2, 2), int)),
        lambda: class_map(labels=np.zeros((0, 2), int)),
        lambda: class_map(labels=np.zeros((2, 2))),
        lambda: class_map(confidence=np.zeros((3, 2))),
        lambda: ScoreMap("S", "s", P, values=np.zeros(4)),
        lambda: Heatmap("H", "s", P, values=np.zeros((2, 0))),
        lambda: ConceptMaps("C", "s", P, values=np.zeros((2, 3, 3)), names=("one",)),
        lambda: ConceptMaps("C", "s", P, values=np.zeros((3, 3)), names=("one",)),
        lambda: ConceptMaps(
            "C", "s", P, values=np.zeros((1, 3, 3)), names=("one",), tops=(1.0, 2.0)
        ),
        lambda: MatrixField("M", "s", P, group_names=("a",), entries=()),
        lambda: matrices(static=np.zeros((2, 3))),
        lambda: matrices(deviation=np.zeros((4, 5, 3, 3))),
        lambda: matrices(deviation=np.zeros((4, 5, 2))),
        lambda: Perimeter(np.zeros((2, 2))),
        lambda: Perimeter(np.zeros((4, 3))),
        lambda: Perimeter(np.zeros((4, 2)), (np.zeros(3),)),
        lambda: graph(edges=np.array([[0, 3]])),
        lambda: graph(edges=np.array([[-1, 0]])),
        lambda: graph(edges=np.array([[0.0, 1.0]])),
        lambda: graph(node_names=("one",)),
        lambda: graph(weights=np.zeros(5)),
    ],
)
def test_what_does_not_fit_is_refused(make: Any) -> None:
    with pytest.raises(BadInput):
        make()


def matrices(**changes: Any) -> MatrixField:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "static": rng.random((2, 2), dtype=np.float32),
        "deviation": rng.normal(size=(4, 5, 2, 2)).astype(np.float16),
    }
    entry = MatrixEntry(1, "mixer", **{**values, **changes})
    return MatrixField("M", "s", P, group_names=("a", "b"), entries=(entry,))


def graph(**changes: Any) -> GraphOverlay:
    values: dict[str, Any] = {
        "nodes": np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
        "edges": np.array([[0, 1], [1, 2]]),
    }
    return GraphOverlay("G", "s", P, **{**values, **changes})


def test_matrices_agree_with_themselves() -> None:
    field = matrices()
    entry = field.entry(1, "mixer")
    assert field.shape == (4, 5)
    whole = entry.static + entry.deviation.astype(np.float32)
    np.testing.assert_allclose(entry.matrix(2, 3), whole[2, 3], rtol=1e-6)
    np.testing.assert_allclose(entry.map(0, 1), whole[:, :, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(entry.mean(), whole.mean(axis=(0, 1)), rtol=1e-5)
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True
    np.testing.assert_allclose(entry.mean(mask), whole[1, 2], rtol=1e-6)
    assert entry.matrix(0, 0).dtype == entry.map(0, 0).dtype == entry.mean().dtype == np.float32
    with pytest.raises(BadInput, match="layer 2, mixer"):
        field.entry(2, "mixer")


def test_overlays_are_frozen_and_have_ids_of_their_own() -> None:
    first, second = class_map(), class_map()
    assert first.id != second.id
    assert replace(first, title="New").id == first.id
    assert first.kind == "ClassMap"
    with pytest.raises(FrozenInstanceError):
        first.title = "x"  # type: ignore[misc]


def test_perimeters_are_drafts_until_verified() -> None:
    assert Perimeters("Fire", "s", P, perimeters=()).draft


def test_an_empty_graph_is_fine() -> None:
    empty = GraphOverlay("G", "s", P, nodes=np.empty((0, 2)), edges=np.empty((0, 2), int))
    assert len(empty.nodes) == 0


def test_provenance_survives_json() -> None:
    made = Provenance(
        "svm", "2", parameters={"C": 1.5}, notes=("a", "b"), figures={"kappa": 0.5}, seconds=1.25
    )
    values = json.loads(json.dumps(made.to_dict()))
    assert Provenance.from_dict(values) == made
    assert Provenance.from_dict({**values, "later": 1}) == made


def test_provenance_names_what_computed() -> None:
    assert {"clearband", "python", "numpy"} <= set(software_versions())
    assert Provenance("x").created_utc.endswith("+00:00")
