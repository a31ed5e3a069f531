"""The report: complete, self-contained, and nothing in it is taken for markup."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.bands import BandTable
from backends.composite import Recipe
from backends.errors import Cancelled
from backends.export import ExportRequest, export
from backends.jobs import Progress
from backends.overlays import (
    ClassMap,
    Heatmap,
    MatrixField,
    Perimeter,
    Perimeters,
    Placement,
    Provenance,
)
from backends.palette import class_colors, to_rgb
from backends.report import build_report, scene_below, to_html
from backends.scene import ArraySource, Scene, SceneInfo


class Reader(HTMLParser):
    """Collects tags and text; complains about tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def picture(reader: Reader) -> np.ndarray:
    (source,) = reader.images
    head, _, content = source.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return np.asarray(image)


def test_all_of_a_class_map(scene: Scene, class_map: ClassMap, tmp_path: Path) -> None:
    path = export(ExportRequest(scene, "report", class_map), tmp_path / "r.html")
    reader = read(path.read_text(encoding="utf-8"))
    text = " ".join(reader.words).replace("\xa0", " ")
    for wanted in (
        "Classes & more",
        "Tree, tall {µ} <b>",
        "overall accuracy",
        "0.8750",
        "kappa",
        "75.0 %",
        "Trained on <50> labels & hope.",
        "clearband classify field.dat --model svm --out results",
        "C 10",
        "Field <1> & more",
        "WGS 84 / UTM zone 33N",
        "Area = number of pixels",
        "ha",
    ):
        assert wanted in text
    assert re.search(r"Tree, tall 1 3 0", text)  # a row of the confusion
    shown = picture(reader)
    assert shown.ndim == 3


def test_nothing_is_fetched_or_run(scene: Scene, class_map: ClassMap) -> None:
    evil = '<script>alert(1)</script><img src="http://evil/x.png">'
    hostile = replace(
        class_map,
        title=evil,
        class_names={1: evil, 3: '" onload="x'},
        provenance=replace(
            class_map.provenance,
            method=evil,
            command=evil,
            notes=(evil,),
            parameters={evil: evil},
            figures={evil: evil, "confusion": [[evil]], "classes": [{"name": evil, "value": evil}]},
        ),
    )
    scene.with_info(title=evil, facts={evil: evil}, notes=(evil,))
    html = to_html(build_report(hostile, scene))
    reader = read(html)
    assert "script" not in reader.tags
    assert len(reader.images) == 1
    assert reader.images[0].startswith("data:")
    assert "default-src 'none'" in html
    assert "http://" not in re.sub(r"&lt;.*?&gt;", "", html)


def test_colours_in_picture_and_table_agree(scene: Scene, class_map: ClassMap) -> None:
    report = build_report(class_map, scene, opacity=1.0)
    colors = class_colors(class_map.class_names)
    assert list(report.tables[0].colors) == list(colors.values())
    for value, color in colors.items():
        drawn = (report.picture == to_rgb(color)).all(axis=-1).sum()
        factor = 10 * 10  # 48 pixels are enlarged tenfold
        assert drawn == factor * (class_map.labels == value).sum()


def test_partial_and_draft_are_said(scene: Scene, class_map: ClassMap) -> None:
    half = build_report(replace(class_map, partial=True), scene)
    assert "Not finished" in half.warnings[0]
    ring = np.array([[1.0, 1.0], [1.0, 9.0], [9.0, 9.0]])
    outline = Perimeters("Fire", scene.id, Provenance("x"), perimeters=(Perimeter(ring),))
    draft = build_report(outline, scene)
    assert draft.warnings[0].startswith("DRAFT")
    assert not build_report(replace(outline, draft=False), scene).warnings


def test_an_explanation_says_whether_it_was_tested(scene: Scene, heatmap: Heatmap) -> None:
    report = build_report(heatmap, scene)
    assert report.notes[0] == "How faithful this explanation is was not assessed."
    trusted = build_report(replace(heatmap, trust={"faithfulness": 0.8125}), scene)
    assert trusted.tables[-1].rows == [["faithfulness", "0.812"]]


def test_matrices_show_the_scene(scene: Scene, matrices: MatrixField) -> None:
    assert build_report(matrices, scene).picture.shape[0] > 48


def test_the_models_card_is_heard(scene: Scene, class_map: ClassMap) -> None:
    made = replace(class_map.provenance, method="es_mhc")
    from backends.registry import card

    report = build_report(replace(class_map, provenance=made), scene)
    for limit in card("es_mhc").limits:
        assert limit in report.notes


def test_recipe_below(scene: Scene, class_map: ClassMap) -> None:
    single = Recipe("single", "One", (0,))
    one = build_report(class_map, scene, recipe=single, opacity=0.2)
    two = build_report(class_map, scene, opacity=0.2)
    assert (one.picture != two.picture).any()


def test_a_small_map_lies_where_it_belongs(class_map: ClassMap) -> None:
    """The part of the scene below a map that covers only a corner."""
    cube = np.zeros((96, 72, 1), np.uint8)
    cube[48:, 36:] = 255
    info = SceneInfo(None, "picture", BandTable.build(1))
    large = Scene(ArraySource(cube), info)
    corner = replace(class_map, placement=Placement(48.0, 36.0))
    below = scene_below(corner, large, Recipe("s", "S", (0,), "none"))
    assert below.shape == (48, 36, 3)
    assert (below == 255).all()
    first = scene_below(class_map, large, Recipe("s", "S", (0,), "none"))
    assert (first == 0).all()


def test_cancelled(
    scene: Scene, class_map: ClassMap, tmp_path: Path, cancel_after: Callable[[int], Progress]
) -> None:
    with pytest.raises(Cancelled):
        export(
            ExportRequest(scene, "report", class_map),
            tmp_path / "r.html",
            progress=cancel_after(2),
        )
    assert not list(tmp_path.iterdir())
