"""The study's protocol over planted networks: one looks at the patch, one beside it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from patch_network import SIDE, PlantedPatch, gradient_map, patch_mask

from backends.errors import BadInput, Cancelled
from backends.explain.study import run_study
from backends.explain.study_keeping import keep_result, kept_result
from backends.explain.study_records import Study, StudyImage, StudyModel, StudySettings
from backends.explain.study_tables import (
    COLUMNS,
    class_f1,
    consistency_rows,
    gallery,
    rows,
    to_dict,
    write_csv,
    write_json,
    write_report,
)

QUICK = StudySettings(maps_per_class=3, steps=4, random_steps=4, random_maps=6)
CLASSES = ("dark", "bright")


def picture(seed: int, bright: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = 0.3 + 0.1 * rng.random((SIDE, SIDE, 3))
    image[patch_mask()] += 0.6 if bright else -0.2
    return image


def broken() -> np.ndarray:
    raise OSError("not a picture")


def images(with_masks: bool = True, with_broken: bool = False) -> list[StudyImage]:
    out = [
        StudyImage(
            f"slice_{i}.png",
            i % 2,
            lambda i=i: picture(i, i % 2 == 1),
            patch_mask if with_masks else None,
            f"patient {i // 4}",
        )
        for i in range(12)
    ]
    return [*out, StudyImage("torn.png", 1, broken)] if with_broken else out


def model(name: str, architecture: str, *, aside: bool = False, seed: int = 0) -> StudyModel:
    network = PlantedPatch(8.0 + seed)

    def explain(image: torch.Tensor, target: int) -> np.ndarray:
        # Of the patch itself for both classes: it is what decides.
        values = gradient_map(network, image)
        return np.roll(values, (10, -10), (0, 1)) if aside else values

    return StudyModel(
        name,
        architecture,
        lambda pixels: torch.from_numpy(pixels.transpose(2, 0, 1)).float(),
        lambda batch: torch.softmax(network(batch), 1),
        explain,
        note="made for a test",
    )


def models() -> list[StudyModel]:
    return [
        model("honest 1", "honest"),
        model("honest 2", "honest", seed=1),
        model("aside", "aside", aside=True),
    ]


@pytest.fixture(scope="module")
def study() -> Study:
    return run_study(images(with_broken=True), models(), CLASSES, settings=QUICK)


def test_the_tables_tell_the_honest_network_from_the_other(study: Study) -> None:
    table = {(row["model"], row["class"]): row for row in rows(study)}
    assert len(table) == 9
    honest, aside = table["honest 1", "all"], table["aside", "all"]
    assert honest["images"] == 12
    assert honest["accuracy"] == aside["accuracy"] == 1
    assert honest["f1"] == 1
    assert honest["maps"] == 6
    assert honest["locacc_paper"] > 0.8
    assert honest["mask_rank"] > 0.8
    assert aside["locacc_paper"] == aside["pointing"] == 0
    bright, beside = table["honest 1", "bright"], table["aside", "bright"]
    assert bright["faithfulness"] > 0.9 > beside["faithfulness"]
    assert bright["drop_paper"] > beside["drop_paper"]
    assert bright["drop_position"] > beside["drop_position"]
    assert bright["class_agreement"] > 0.8


def test_consistency_over_seeds_and_across_architectures(study: Study) -> None:
    seeds, across = consistency_rows(study)
    assert seeds["networks"] == "honest, over its seeds"
    assert across["networks"] == "across architectures"
    assert seeds["count"] == across["count"] == 2
    assert seeds["images"] == 6
    assert seeds["iou_paper"] > 0.9
    assert across["iou_paper"] == 0
    assert seeds["corrected"] is not None


def test_an_image_that_cannot_be_read_is_listed_and_the_rest_goes_on(study: Study) -> None:
    assert study.unread == (("torn.png", "torn.png could not be read."),)
    for result in study.models:
        assert result.answers[-1] == -1
        assert (result.answers[:-1] == study.labels[:-1]).all()
        assert {r.image for r in result.records} == {r.image for r in study.models[0].records}


def test_files(study: Study, tmp_path: Path) -> None:
    lines = write_csv(study, tmp_path / "study.csv").read_text().splitlines()
    table = list(csv.reader(line for line in lines if not line.startswith("#")))
    assert table[0] == list(COLUMNS)
    assert len(table) == 10
    told = json.loads(write_json(study, tmp_path / "study.json").read_text())
    assert len(told["maps"]) == 18
    assert told["maps"][0]["group"].startswith("patient")
    assert told["settings"]["random_maps"] == 6
    page = write_report(study, tmp_path / "study.html", "A study").read_text()
    assert "Do networks agree on why?" in page
    assert "Do they lie on the marked place?" in page
    assert "1 of 13 images could not be read." in page
    picture = gallery(study)
    assert min(picture.shape[:2]) > 4 * 128
    assert picture.dtype == np.uint8
    # Inferno's heat stands in the maps of the honest networks.
    hot = picture.astype(int)
    assert ((hot[..., 0] - hot[..., 2]) > 80).sum() > 500


def test_without_masks_and_seeds_it_says_so() -> None:
    found = run_study(images(with_masks=False), models()[2:], CLASSES, settings=QUICK)
    told = to_dict(found)
    assert told["consistency"] == []
    assert told["models"][0]["locacc_paper"] is None
    assert any("no masks" in note for note in told["notes"])
    assert any("two seeds" in note for note in told["notes"])


def test_f1_against_sklearn() -> None:
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    expected = f1_score(labels, answers, average=None)
    np.testing.assert_allclose(class_f1(labels, answers, 4), expected)
    answers[:50] = -1  # not read
    expected = f1_score(labels[50:], answers[50:], average=None)
    np.testing.assert_allclose(class_f1(labels, answers, 4), expected)
    assert np.isnan(class_f1(labels, answers, 5)[4])


def test_what_cannot_be_studied_is_said() -> None:
    with pytest.raises(BadInput, match="at least one network"):
        run_study(images(), [], CLASSES)
    with pytest.raises(BadInput, match="has class 1, there are 1"):
        run_study(images(), models(), ("dark",))
    with pytest.raises(BadInput, match="None of the images") as caught:
        run_study([StudyImage("torn.png", 0, broken)], models(), CLASSES)
    assert "torn.png could not be read." in caught.value.way_out


def test_a_stopped_study_goes_on_with_the_next_network(
    study: Study, tmp_path: Path, cancel_after
) -> None:
    path = tmp_path / "models" / "one.npz"
    first = study.models[0]
    keep_result(path, "this study", first, {12: "torn.png could not be read."})
    assert kept_result(path, "another study") is None
    assert kept_result(tmp_path / "none.npz", "this study") is None
    kept = kept_result(path, "this study")
    assert kept is not None
    asked: list[str] = []

    def watched(one: StudyModel) -> StudyModel:
        def predict(batch: torch.Tensor) -> torch.Tensor:
            asked.append(one.name)
            return one.predict(batch)

        return replace(one, predict=predict)

    made: list[str] = []
    again = run_study(
        images(with_broken=True), [watched(m) for m in models()], CLASSES, settings=QUICK,
        kept={first.model: kept}, keep=lambda result, unread: made.append(result.model),
    )  # fmt: skip
    assert first.model not in asked
    assert made == ["honest 2", "aside"]
    assert rows(again) == rows(study)
    assert consistency_rows(again) == consistency_rows(study)
    assert again.unread == study.unread


def test_a_network_that_says_one_class_is_taken_for_untrained() -> None:
    constant = replace(
        models()[0], name="constant",
        predict=lambda batch: torch.tensor([[0.9, 0.1]]).repeat(len(batch), 1),
    )  # fmt: skip
    found = run_study(images(), [constant, models()[1]], CLASSES, settings=QUICK)
    table = {row["model"]: row for row in rows(found) if row["class"] == "all"}
    assert table["constant"]["beats_commonest"] is False
    assert table["honest 2"]["beats_commonest"] is True
    assert any("constant: no better than always saying" in note for note in to_dict(found)["notes"])


def test_cancel_within_a_batch(cancel_after) -> None:
    with pytest.raises(Cancelled):
        run_study(images(), models(), CLASSES, settings=QUICK, progress=cancel_after(3))
