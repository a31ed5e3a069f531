"""Maps of scenes in the scene's own coordinates: windows, levels, tiles, slices, files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from torch import nn

from backends.bands import BandTable
from backends.errors import BadInput, Cancelled, WrongUse
from backends.explain.batch import Where, explain_images, images_in
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.explain.heatmap_files import write_found
from backends.explain.heatmaps import Request, explain_scene, explain_volume
from backends.explain.region_maps import explain_region
from backends.georeference import GeoReference
from backends.io import open_scene
from backends.jobs import Progress
from backends.overlays import Heatmap
from backends.scene import ArraySource, Scene, SceneInfo, Window
from tests.backends.explain.planted import iou, mask, picture, planted


def rgb_scene(image: np.ndarray, **facts: Any) -> Scene:
    info = SceneInfo(None, "picture", BandTable.build(3), is_rgb=True, title="Photo", **facts)
    return Scene(ArraySource(image), info)


class Pyramid(ArraySource):
    """An image with a second level of half its size, which counts what is read of it."""

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(array)
        self.levels = (array, array[::2, ::2])
        self.largest = 0

    @property
    def level_shapes(self) -> Sequence[tuple[int, int]]:
        return [(a.shape[0], a.shape[1]) for a in self.levels]

    def read(self, window: Window, bands: Sequence[int], level: int) -> np.ndarray:
        self.largest = max(self.largest, window.height * window.width)
        rows, cols = window.slices
        return self.levels[level][rows, cols][:, :, list(bands)]


def slide(rows: int = 640, cols: int = 512) -> tuple[Scene, np.ndarray]:
    image = np.random.default_rng(0).normal(128, 2, (rows, cols, 3)).astype(np.uint8)
    truth = np.zeros((rows, cols), bool)
    truth[200:300, 260:380] = True
    image[truth] = (220, 40, 40)
    info = SceneInfo(None, "slide", BandTable.build(3), is_rgb=True, title="Slide")
    return Scene(Pyramid(image), info), truth


def test_a_map_lands_on_what_it_shows_with_how_it_was_made() -> None:
    image = np.concatenate([picture(), picture(low=0, high=0)], 1)  # 64 × 128
    scene = rgb_scene(image)
    found = explain_scene(planted(), scene, Request("layer_cam", command=("explain", "x")))
    assert found.heatmap.values.shape == (64, 128)
    truth = np.concatenate([mask(), np.zeros((64, 64), bool)], 1)
    assert iou(found.heatmap.values, truth) > 0.5
    made = found.heatmap.provenance
    assert made.parameters["target"] == "red"
    assert made.parameters["layer"] == "pool"
    assert made.command == "clearband explain x"
    assert made.scene_digest == scene.digest
    assert found.heatmap.trust == {}
    assert found.native.row_step == pytest.approx(64 / found.explanation.values.shape[0])


def test_a_window_of_a_level_lands_there() -> None:
    scene, truth = slide()
    window = Window(80, 110, 96, 96)  # of level 1
    found = explain_scene(planted(), scene, Request("grad_cam"), window=window, level=1)
    place = found.heatmap.placement
    assert (place.row_step, place.col_step) == (2, 2)
    rows = (place.row + np.arange(96) * place.row_step).round().astype(int)
    cols = (place.col + np.arange(96) * place.col_step).round().astype(int)
    assert iou(found.heatmap.values, truth[np.ix_(rows, cols)]) > 0.6
    assert "level 1" in found.heatmap.provenance.region


def test_regions_stream_in_tiles_and_are_stitched_where_they_belong() -> None:
    scene, truth = slide()
    partial: list[Heatmap] = []
    progress = Progress(on_partial=partial.append)
    progress.partial = lambda result, force=False: partial.append(result)  # every one
    import backends.explain.region_maps as region_maps

    before, region_maps._PARTIAL_S = region_maps._PARTIAL_S, 0.0
    try:
        window = Window(100, 150, 300, 330)
        found = explain_region(
            planted(), scene, Request("layer_cam", "red"), window, progress=progress
        )
    finally:
        region_maps._PARTIAL_S = before
    assert np.isfinite(found.values).all()
    place = found.placement
    rows = (place.row + np.arange(found.values.shape[0]) * place.row_step).round().astype(int)
    cols = (place.col + np.arange(found.values.shape[1]) * place.col_step).round().astype(int)
    assert rows[0] >= 100
    assert cols[-1] < 480
    assert iou(found.values, truth[np.ix_(rows, cols)]) > 0.75
    # Streamed: more and more of the same map, and never more than a tile was read.
    assert len(partial) == found.provenance.figures["tiles"] - 1
    assert all(p.id == found.id and p.partial for p in partial)
    known = [int(np.isfinite(p.values).sum()) for p in partial]
    assert known == sorted(known)
    assert known[0] < found.values.size / 4
    assert scene.source.largest <= 64 * 64
    assert not found.partial


def test_the_class_of_a_region_is_found_when_none_is_asked_for() -> None:
    scene, _ = slide()
    found = explain_region(planted(), scene, Request("layer_cam"), Window(200, 260, 100, 120))
    assert found.target == "red"


@pytest.mark.parametrize("extra", range(5))
def test_a_region_has_no_hole_at_its_rim(extra: int) -> None:
    """Whatever is left over beside whole cells belongs to the last tile."""
    scene, _ = slide()
    window = Window(100, 150, 300 + extra, 302 - extra)
    found = explain_region(planted(), scene, Request("layer_cam", "red"), window, tile=256)
    assert found.placement.row_step > 2
    assert np.isfinite(found.values).all()
    assert any("Stitched from tiles" in note for note in found.provenance.notes)


def test_tiles_stop_within_one_tile() -> None:
    scene, _ = slide()
    progress = Progress()
    classifier = planted()
    inner = classifier.network.forward
    calls: list[int] = []

    def count(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        progress.token.cancel()
        return inner(x)

    classifier.network.forward = count
    with pytest.raises(Cancelled):
        explain_region(
            classifier, scene, Request("occlusion", "red"), Window(0, 0, 640, 512),
            progress=progress,
        )  # fmt: skip
    assert len(calls) <= 2


def test_a_volume_is_explained_slice_by_slice() -> None:
    volume = np.full((64, 64, 4), -800, np.int16)
    for number in range(4):
        volume[10 + 8 * number : 26 + 8 * number, 20:36, number] = 300
    bands = BandTable.build(4, axis="slice")
    info = SceneInfo(None, "medical", bands, title="CT", windows={"all": (-1000.0, 400.0)})
    scene = Scene(ArraySource(volume), info)

    class Bright(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bright = torch.relu(self.pool(x).mean(1) - 0.5).mean((1, 2))
            return torch.stack([torch.full_like(bright, 0.01), bright], 1)

    spec = InputSpec((64, 64), 3, (0.0,) * 3, (1.0,) * 3)
    classifier = ImageClassifier(
        Bright(), ("dark", "bright"), spec, Card("b", "Bright", trained_on="by hand")
    )
    maps, found = explain_volume(classifier, scene, Request("hires_cam", "bright"), [0, 2])
    assert maps.values.shape == (2, 64, 64)
    assert maps.names[1].startswith("slice 3")
    for one, number in zip(found, (0, 2), strict=True):
        assert iou(one.heatmap.values, volume[:, :, number] > 0) > 0.5
    with pytest.raises(BadInput, match="no slice 9"):
        explain_volume(classifier, scene, Request("hires_cam"), [8])


def test_files_hold_raw_values_their_place_and_how_they_were_made(tmp_path: Path) -> None:
    utm = GeoReference((30.0, 0.0, 500_000.0, 0.0, -30.0, 5_000_000.0), "EPSG:32633")
    scene = rgb_scene(picture(), place=utm)
    found = explain_scene(planted(), scene, Request("grad_cam"))
    written, about = write_found(found, scene, tmp_path, "photo")
    assert [p.name for p in written] == [
        "photo_map.tif", "photo_map.npy", "photo_overlay.png", "photo.json",
    ]  # fmt: skip
    with rasterio.open(tmp_path / "photo_map.tif") as file:
        assert np.array_equal(file.read(1), found.heatmap.values)
        assert file.crs.to_epsg() == 32633
        assert file.transform.a == 30
        assert "grad_cam" in file.tags()["CLEARBAND_PROVENANCE"]
    raw = np.load(tmp_path / "photo_map.npy")
    assert np.array_equal(raw, found.explanation.values)
    read = json.loads((tmp_path / "photo.json").read_text())
    assert read["trust"] == "not assessed"
    assert read["top"][0]["name"] == "red"
    assert read["provenance"]["parameters"]["fit"] == "whole"
    assert about["grid"]["shape"] == [16, 16]
    with Image.open(tmp_path / "photo_overlay.png") as page:
        assert "grad_cam" in page.text["Provenance"]
        pixels = np.asarray(page.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 140) & (pixels[..., 1] < 90) & (pixels[..., 2] < 110)
    assert red.sum() > 2000  # the square, in the picture and in the map


def test_one_bad_image_does_not_stop_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(picture()).save(folder / "a.png")
    Image.fromarray(picture(2)).save(folder / "c.jpg", quality=95)
    shutil.copy(folder / "a.png", folder / "b.png")
    content = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(content[: len(content) // 2])
    (folder / "notes.txt").write_text("hello")
    out = tmp_path / "out"
    found = explain_images(planted(), folder, Request("grad_cam"), out)
    assert [Path(d["image"]).name for d in found.done] == ["a.png", "c.jpg"]
    assert [Path(f["image"]).name for f in found.failed] == ["b.png", "notes.txt"]
    assert all(f["error"].endswith(".") for f in found.failed)
    assert [d["target"] for d in found.done] == ["red", "blue"]
    assert len(list(out.glob("*_overlay.png"))) == 2
    with pytest.raises(BadInput):
        explain_images(planted(), folder / "b.png", Request("grad_cam"), out)
    with pytest.raises(BadInput, match="does not exist"):
        images_in(tmp_path / "nowhere")


def test_what_a_scene_lacks_is_said(tmp_path: Path) -> None:
    bands = BandTable.build(5)
    info = SceneInfo(None, "raster", bands, title="Five")
    scene = Scene(ArraySource(np.zeros((20, 20, 5), np.uint8)), info)
    seven = ImageClassifier(
        nn.Conv2d(7, 2, 1), ("a", "b"), InputSpec((20, 20), 7, (0.0,) * 7, (1.0,) * 7),
        Card("x", "Seven", trained_on="x"), pixelwise=True,
    )  # fmt: skip
    with pytest.raises(BadInput, match="Seven reads 7 bands, Five has 5"):
        explain_scene(seven, scene, Request("saliency"))
    photo = tmp_path / "a.png"
    Image.fromarray(picture()).save(photo)
    small = tmp_path / "mask.png"
    Image.fromarray(np.eye(9, dtype=np.uint8)).save(small)
    with pytest.raises(BadInput, match=r"mask mask.png is 9 × 9 pixels, a.png 64 × 64"):
        explain_images(planted(), photo, Request(), tmp_path / "o", where=Where(mask=small))
    with open_scene(photo) as scene, pytest.raises(WrongUse, match="whole images"):
        explain_scene(planted(), scene, Request(pixel=(3, 3)))


def test_a_spectral_network_trained_here_is_explained_by_wavelength(tmp_path: Path) -> None:
    from backends.explain import shelf
    from backends.hyperspectral.checkpoints import save_checkpoint
    from backends.hyperspectral.classify import classify
    from backends.io.labels import Labels

    rng = np.random.default_rng(0)
    cube = rng.normal(0.3, 0.02, (24, 24, 8)).astype(np.float32)
    truth = np.ones((24, 24), np.uint8)
    truth[:, 12:] = 2
    cube[:, 12:, 5:] += 0.4  # class 2 is bright beyond 800 nm
    nm = (450.0, 520.0, 600.0, 680.0, 740.0, 820.0, 880.0, 950.0)
    info = SceneInfo(None, "hyperspectral", BandTable.build(8, wavelength_nm=nm), title="Field")
    scene = Scene(ArraySource(cube), info)
    made = classify(
        scene, Labels(truth, {1: "soil", 2: "plants"}, {}), "cnn_1d",
        settings={"steps": 60}, device="cpu",
    )  # fmt: skip
    path = tmp_path / "net.safetensors"
    save_checkpoint(made.checkpoint, path)
    classifier = shelf.load(weights=path)
    assert classifier.pixelwise
    assert classifier.class_names == ("soil", "plants")
    prepared_classes = classifier.probabilities(
        explain_scene(classifier, scene, Request("saliency", "plants")).prepared.tensor
    )[0].argmax(0)
    wanted = made.overlays[0].labels - 1
    assert (prepared_classes.numpy() == wanted).mean() > 0.99  # the same network, the same map
    found = explain_scene(
        classifier,
        scene,
        Request("occlusion_spectral", "plants", {"ranges": "VIS:400-700;NIR:700-1000"}),
    )
    drops = dict(zip(found.explanation.part_names, found.explanation.parts[:, 0, 0], strict=True))
    assert abs(drops["NIR"]) > 3 * abs(drops["VIS"])
    # Of a pixel only what its answer can see is looked at; the map is the same, and 0 beyond.
    asked = Request("saliency", pixel=(2, 20))
    near = explain_scene(classifier, scene, asked)
    assert near.window == Window(0, 8, 15, 16)
    whole = explain_scene(classifier, scene, asked, window=Window(0, 0, 24, 24)).heatmap.values
    np.testing.assert_allclose(near.heatmap.values, whole[:15, 8:], atol=1e-6)
    assert np.count_nonzero(whole) == np.count_nonzero(whole[:15, 8:]) > 0
    assert (near.heatmap.placement.row, near.heatmap.placement.col) == (0, 8)
    assert near.heatmap.target == "plants at row 2 and column 20"
    # What it says is said of that pixel, not of the scene.
    assert near.top[0][1] == near.heatmap.target.split(" at ")[0] == "plants"
    assert near.top[0][2] == pytest.approx(near.explanation.probability, abs=1e-6)
    field = np.zeros((24, 24), bool)
    field[3:6, 2:4] = True
    assert explain_scene(classifier, scene, Request("saliency", region=field)).window == Window(
        0, 0, 18, 16
    )


@pytest.mark.parametrize("patch", [1, 5])
def test_asked_for_few_pixels_a_network_answers_the_same(patch: int) -> None:
    from backends.explain.classifier import Target
    from backends.explain.spectral import PixelsTogether
    from backends.hyperspectral.networks import PixelNetwork

    class Squares(PixelNetwork):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.context, self.position, self.batch = patch, 3, True, 4
            self.asked, self.company = 0, False
            self.layer = nn.Linear(4 * patch * patch + 4 + 2, 3)

        def forward(self, spectra, patches=None, around=None, places=None, **_):  # type: ignore[no-untyped-def, override]
            self.asked += len(spectra)
            squares = spectra if patches is None else patches.flatten(1)
            return self.layer(torch.cat([squares, around, places], 1)), {}

    torch.manual_seed(0)
    network = Squares()
    spec = InputSpec(None, 4, (0.5,) * 4, (1.0,) * 4, (0.0, 1.0), fit="native")
    classifier = ImageClassifier(
        PixelsTogether(network), ("a", "b", "c"), spec, Card("s", "S", trained_on="x"),
        pixelwise=True,
    )  # fmt: skip
    mask = np.zeros((7, 9), bool)
    mask[0, 8] = mask[3, 2:7] = True
    image = torch.rand(2, 4, 7, 9, requires_grad=True)
    target = Target(1, "b", mask)
    few = classifier.focused(target)
    with classifier.running() as whole, few.running() as part:
        network.asked = 0
        answer = target.of(part(image))
        assert network.asked == 2 * 6
        torch.testing.assert_close(answer, target.of(whole(image)))
        a, b = (torch.autograd.grad(target.of(n(image)).sum(), image)[0] for n in (part, whole))
    torch.testing.assert_close(a, b)
    assert classifier.focused(Target(1, "b")) is classifier
    network.company = True  # its pixels are read together: all of them count
    assert classifier.focused(target).network is classifier.network
