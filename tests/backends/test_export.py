"""One way out: every kind of thing in every format it offers, and back in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.composite import preset_recipe
from backends.errors import BadInput, WrongUse
from backends.export import (
    FORMATS,
    CanvasShot,
    ExportRequest,
    export,
    export_command,
    formats_for,
)
from backends.io import open_scene
from backends.io.overlay_files import read_result
from backends.io.writers.page import LegendEntry
from backends.overlays import (
    ClassMap,
    ConceptMaps,
    Heatmap,
    MatrixField,
    Overlay,
    Perimeters,
    Provenance,
    ScoreMap,
)
from backends.scene import Scene
from backends.workspace import Pin, Region


@pytest.fixture
def layers(
    class_map: ClassMap,
    score: ScoreMap,
    heatmap: Heatmap,
    concepts: ConceptMaps,
    matrices: MatrixField,
) -> list[Overlay]:
    return [class_map, score, heatmap, concepts, matrices]


def test_every_layer_in_every_format(layers: list[Overlay], scene: Scene, tmp_path: Path) -> None:
    for overlay in layers:
        offered = formats_for("layer", overlay)
        assert offered
        for format in offered:
            name = f"{overlay.kind}{format.suffixes[0]}"
            by_suffix = export(overlay, tmp_path / name, scene=scene)
            assert by_suffix.stat().st_size > 100
            by_id = export(overlay, tmp_path / overlay.kind, format.id, scene=scene)
            assert by_id.name == name
            assert by_id.read_bytes()[:8] == by_suffix.read_bytes()[:8]


def test_what_cannot_be_exported_says_so(
    scene: Scene, class_map: ClassMap, score: ScoreMap, tmp_path: Path
) -> None:
    outlines = Perimeters("Fire", scene.id, Provenance("x"), perimeters=())
    with pytest.raises(WrongUse, match="Fire cannot be exported yet"):
        export(outlines, tmp_path / "x.tif", scene=scene)
    with pytest.raises(WrongUse, match=r"\.jpg is no format for this.*geotiff, envi, png, csv"):
        export(class_map, tmp_path / "x.jpg", scene=scene)
    with pytest.raises(WrongUse, match="envi is no format for this"):
        export(score, tmp_path / "x.dat", scene=scene)
    with pytest.raises(WrongUse, match="together with its scene"):
        export(class_map, tmp_path / "x.tif")
    with pytest.raises(WrongUse, match="no canvas"):
        export(ExportRequest(scene, "canvas"), tmp_path / "x.png")
    with pytest.raises(WrongUse, match="no result"):
        export(ExportRequest(scene, "report"), tmp_path / "x.html")
    with pytest.raises(BadInput, match="without a confidence"):
        bare = replace(class_map, confidence=None)
        export(ExportRequest(scene, "confidence", bare), tmp_path / "x.tif")
    assert not list(tmp_path.iterdir())


def test_confidence(scene: Scene, class_map: ClassMap, tmp_path: Path) -> None:
    path = export(ExportRequest(scene, "confidence", class_map), tmp_path / "c.tif")
    with open_scene(path) as back:
        np.testing.assert_array_equal(back.read()[:, :, 0], class_map.confidence)


def test_confusion(scene: Scene, class_map: ClassMap, tmp_path: Path) -> None:
    path = export(ExportRequest(scene, "confusion", class_map), tmp_path / "c.csv")
    assert '"Tree, tall",1,3,0,4,0.750000' in path.read_text()
    silent = replace(class_map, provenance=Provenance("x"))
    with pytest.raises(BadInput, match="No accuracy was measured"):
        export(ExportRequest(scene, "confusion", silent), tmp_path / "c.csv")


def test_spectra_of_pins_and_regions(scene: Scene, tmp_path: Path) -> None:
    square = np.array([[10.0, 10.0], [10.0, 15.0], [15.0, 15.0], [15.0, 10.0]])
    region = Region("Field", scene.id, square)
    request = ExportRequest(scene, "spectra", pins=[Pin(scene.id, 2, 3, "Pin 1")], regions=[region])
    text = export(request, tmp_path / "s.csv").read_text()
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    assert rows[0] == ["band", "wavelength_nm", "good", "Pin 1", "Field"]
    np.testing.assert_allclose([float(r[3]) for r in rows[1:]], scene.spectrum(2, 3))
    expected = scene.spectra(region.mask(scene.shape[:2])).mean(axis=0)
    np.testing.assert_allclose([float(r[4]) for r in rows[1:]], expected, rtol=1e-6)
    assert export(request, tmp_path / "s.sli").with_suffix(".hdr").is_file()
    outside = Region("Nowhere", scene.id, square + 500)
    with pytest.raises(BadInput, match="holds no pixel"):
        export(replace(request, regions=[outside]), tmp_path / "n.csv")


def test_canvas(scene: Scene, tmp_path: Path) -> None:
    shot = CanvasShot(
        np.full((200, 300, 4), 77, np.uint8),
        "Canvas",
        (2.0, "m"),
        (-1.0, 0.0),
        [LegendEntry("#FF0000", "Fire")],
    )
    path = export(ExportRequest(scene, "canvas", canvas=shot), tmp_path / "c.png")
    with Image.open(path) as image:
        assert image.size > (300, 200)


def test_layer_over_scene(scene: Scene, class_map: ClassMap, tmp_path: Path) -> None:
    bare = export(class_map, tmp_path / "bare.png", scene=scene)
    over = export(ExportRequest(scene, "layer", class_map, opacity=0.5), tmp_path / "over.png")
    with Image.open(bare) as one, Image.open(over) as two:
        assert one.size == two.size
        assert one.tobytes() != two.tobytes()


def test_commands_replay_the_request(scene: Scene, class_map: ClassMap) -> None:
    request = ExportRequest(scene, "layer", class_map, opacity=0.5)
    command = export_command(request, "out dir/x.png", "png", "my session.clearband")
    assert command == (
        "export",
        "my session.clearband",
        "--what",
        "layer",
        "--format",
        "png",
        "--layer",
        "Classes & more",
        "--opacity",
        "0.5",
        "--out",
        "out dir/x.png",
    )
    infrared = replace(request, recipe=preset_recipe(scene, "cir"))
    said = export_command(infrared, "x.png", "png", "s.clearband")
    assert said[said.index("--composite") + 1] == "cir"
    opened = replace(request, recipe=preset_recipe(scene, "natural"))
    assert "--composite" not in export_command(opened, "x.png", "png", "s.clearband")
    assert export_command(request, "x.png", "png", None) == ()
    assert export_command(ExportRequest(scene, "canvas"), "x.png", "png", "s") == ()


def test_format_ids_are_unique() -> None:
    assert len({f.id for f in FORMATS}) == len(FORMATS)
    suffixes = [s for f in FORMATS for s in f.suffixes]
    assert len(set(suffixes)) == len(suffixes)


# -- and back in -----------------------------------------------------------------------------


@pytest.fixture
def placed(tmp_path: Path, scene_file: Callable[..., Path]) -> Scene:
    return open_scene(scene_file(tmp_path / "field.dat", shape=(48, 36, 4)))


def test_a_class_map_reads_back(placed: Scene, class_map: ClassMap, tmp_path: Path) -> None:
    made = replace(
        class_map.provenance, scene_path=str(placed.info.path), scene_digest=placed.digest
    )
    path = export(replace(class_map, provenance=made), tmp_path / "c.tif", scene=placed)
    scene, overlay = read_result(path)
    assert isinstance(overlay, ClassMap)
    assert scene.digest == placed.digest
    assert overlay.scene_id == scene.id
    assert overlay.title == class_map.title
    assert overlay.class_names == class_map.class_names
    assert overlay.provenance == made
    np.testing.assert_array_equal(overlay.labels, class_map.labels)
    scene.close()


def test_without_its_scene_a_map_stands_on_itself(
    scene: Scene, class_map: ClassMap, tmp_path: Path
) -> None:
    back, overlay = read_result(export(class_map, tmp_path / "c.tif", scene=scene))
    assert back.shape[:2] == (48, 36)
    assert overlay.scene_id == back.id
    # … and can be exported again, with the same areas.
    again = export(ExportRequest(back, "areas", overlay), tmp_path / "a.csv")
    first = export(ExportRequest(scene, "areas", class_map), tmp_path / "b.csv")
    assert again.read_text() == first.read_text()
    back.close()


def test_scores_read_back(scene: Scene, score: ScoreMap, tmp_path: Path) -> None:
    back, overlay = read_result(export(score, tmp_path / "s.tif", scene=scene))
    assert isinstance(overlay, ScoreMap)
    np.testing.assert_array_equal(overlay.values, score.values)
    back.close()


def test_matrices_read_back(placed: Scene, matrices: MatrixField, tmp_path: Path) -> None:
    made = replace(matrices.provenance, scene_path=str(placed.info.path))
    path = export(replace(matrices, provenance=made), tmp_path / "m.npz", scene=placed)
    scene, overlay = read_result(path)
    assert isinstance(overlay, MatrixField)
    assert overlay.group_names == matrices.group_names
    for entry in matrices.entries:
        got = overlay.entry(entry.layer, entry.site)
        np.testing.assert_array_equal(got.static, entry.static)
        np.testing.assert_array_equal(got.deviation, entry.deviation)
        for name, kept in entry.weights().items():
            np.testing.assert_array_equal(got.weights()[name].deviation, kept.deviation)
    assert overlay.history is not None
    assert overlay.history.steps == (1, 40)
    then = overlay.history.snapshots[1].entries[3]
    np.testing.assert_array_equal(then.deviation, matrices.entries[3].deviation[::4, ::4])
    scene.close()


def test_a_changed_scene_is_not_taken_for_the_old(
    placed: Scene,
    class_map: ClassMap,
    tmp_path: Path,
    scene_file: Callable[..., Path],
) -> None:
    made = replace(
        class_map.provenance, scene_path=str(placed.info.path), scene_digest=placed.digest
    )
    path = export(replace(class_map, provenance=made), tmp_path / "c.tif", scene=placed)
    scene_file(tmp_path / "field.dat", seed=9, shape=(48, 36, 4))
    back, overlay = read_result(path)
    assert back.info.path == path
    assert overlay.scene_id == back.id
    back.close()


def test_what_holds_no_result(tmp_path: Path, scene_file: Callable[..., Path]) -> None:
    with pytest.raises(BadInput, match="holds no classes"):
        read_result(scene_file(tmp_path / "f.dat"))
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(BadInput):
        read_result(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"PK nothing")
    with pytest.raises(BadInput, match="damaged"):
        read_result(tmp_path / "y.npz")


def test_real_labels_become_a_class_map(clearband_data: Path, tmp_path: Path) -> None:
    source = clearband_data / "hsi" / "envi" / "enmap_potsdam_a_labels.dat"
    scene, overlay = read_result(source)
    assert isinstance(overlay, ClassMap)
    assert "water" in {name.lower() for name in overlay.class_names.values()}
    text = export(ExportRequest(scene, "areas", overlay), tmp_path / "a.csv").read_text()
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")][1:]
    pixels = sum(int(row[3]) for row in rows)
    assert pixels == int((overlay.labels > 0).sum())
    # 30 m pixels: 0.09 ha each.
    hectares = sum(float(row[-1]) for row in rows)
    assert hectares == pytest.approx(pixels * 0.09, rel=1e-3)
    scene.close()
