"""The first start: the demo scene, and its model's map and matrices over it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app import samples
from app.first_look import FirstLook
from backends.hyperspectral.classify import ClassifyResult
from backends.overlays import ClassMap, MatrixEntry, MatrixField, Provenance
from widgets.classify_jobs import Classification


@pytest.fixture
def asked(make_scene: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Make a small demo scene and a quick model; return what the model was asked for."""
    made = replace(samples.SAMPLES[0], make=lambda _: make_scene(8, 8, 20), truth=None)
    monkeypatch.setattr(samples, "SAMPLES", (made, *samples.SAMPLES[1:]))
    calls: list[tuple[Any, ...]] = []

    def classify(asked: Classification, progress: Any) -> ClassifyResult:
        calls.append((asked.scene.title, asked.labels, asked.model))
        of, scene_id = Provenance(asked.model), asked.scene.id
        ones = np.ones((8, 8), np.uint8)
        matrices = MatrixEntry(1, "mixer", np.eye(2), np.zeros((8, 8, 2, 2), np.float16))
        groups = ("VIS", "NIR")
        made = (
            ClassMap("Classes", scene_id, of, labels=ones, class_names={1: "Water"}),
            MatrixField("M", scene_id, of, group_names=groups, entries=(matrices,)),
        )
        none: Any = None
        weights: Any = SimpleNamespace(model_id=asked.model)
        return ClassifyResult(
            asked.model, made, none, none, 0.0, 1.0, "cpu", {}, (), weights, False
        )

    # The network itself has tests of its own.
    monkeypatch.setattr(Classification, "__call__", classify)
    return calls


def test_it_ends_at_the_matrices_of_the_demo(window: Any, asked: Any, qtbot: Any) -> None:
    window.settings.workbench = "fire"
    look = FirstLook(window)
    workspace = window.workspace
    qtbot.waitUntil(lambda: len(workspace.overlays) == 2, timeout=20_000)
    assert asked == [("Field", None, "es_mhc")]
    assert window.workbench == "remote_sensing"
    assert isinstance(workspace.active_overlay, ClassMap)
    assert window.dock_is_shown("matrices")
    del look


def test_a_demo_that_is_closed_is_left_alone(window: Any, asked: Any, qtbot: Any) -> None:
    look = FirstLook(window)
    qtbot.waitUntil(lambda: bool(window.workspace.scenes), timeout=20_000)
    window.close_scene()
    qtbot.waitUntil(lambda: not window.workspace.running_jobs(), timeout=20_000)
    assert not window.workspace.overlays
    del look
