"""The networks of the literature: what they read, that they learn, that they come back whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends.errors import BadInput, WrongUse
from backends.hyperspectral import literature
from backends.hyperspectral.checkpoints import load_checkpoint, save_checkpoint
from backends.hyperspectral.classify import classify
from backends.hyperspectral.features import PixelFeatures, SceneParts, read_pixels, read_window
from backends.hyperspectral.literature.common import Components
from backends.hyperspectral.mapping import map_scene, network_of
from backends.hyperspectral.networks import Known
from backends.hyperspectral.normalise import fit_stretch
from backends.hyperspectral.prediction import predict_scene
from backends.io import open_scene
from backends.io.labels import open_labels
from backends.jobs import Cancelled, CancelToken, Progress
from backends.overlays import Provenance
from backends.scene import Window
from backends.simulate import demo_scene

# Few steps and narrow networks: enough for the small scene, in seconds.
QUICK: dict[str, dict[str, Any]] = {
    "cnn_1d": {"steps": 200},
    "cnn_3d": {"steps": 120, "patch": 3, "filters": 8, "wide": 12, "learning_rate": 3e-3},
    "hybrid_sn": {"steps": 120, "patch": 9, "components": 10, "pixels_per_step": 64},
    "ssftt": {"steps": 60, "patch": 7, "components": 10},
    "spectral_former": {
        "steps": 150,
        "patch": 3,
        "layers": 2,
        "width": 32,
        "pixels_per_step": 32,
        "learning_rate": 2e-3,
    },
    "mamba_hsi": {"steps": 40, "width": 32, "blocks": 2, "learning_rate": 3e-3},
}
# SpectralFormer wants more steps than a test has; guessing the largest class gives below 0.3.
BARS = {"spectral_former": 0.6}
PATCHES = ["cnn_3d", "hybrid_sn", "ssftt", "spectral_former"]


@pytest.fixture(scope="module")
def scene_and_labels(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARBAND_HOME", str(tmp_path_factory.mktemp("literature")))
        data, truth = demo_scene("valley", size=48)
        with open_scene(data) as scene:
            yield scene, open_labels(truth)


@pytest.fixture(scope="module")
def results(scene_and_labels: Any) -> Any:
    found: dict[str, Any] = {}

    def result(model_id: str) -> Any:
        if model_id not in found:
            found[model_id] = classify(*scene_and_labels, model_id, settings=QUICK[model_id])
        return found[model_id]

    return result


def _arguments(network: Any, bands: int, pixels: int = 6) -> dict[str, Any]:
    if network.whole_image:
        image = torch.rand(9, 7, bands)
        return {"spectra": image.flatten(0, 1), "image": image}
    out = {"spectra": torch.rand(pixels, bands)}
    if network.patch > 1:
        out["patches"] = torch.rand(pixels, network.patch, network.patch, bands)
    return out


@pytest.mark.parametrize("model_id", literature.NETWORKS)
@pytest.mark.parametrize("bands", [1, 3, 10, 120])
def test_logits_of_any_number_of_bands(model_id: str, bands: int) -> None:
    network = literature.build(model_id, bands, 5, literature.settings_of(model_id)())
    network.train()
    arguments = _arguments(network, bands)
    logits, records = network(**arguments)
    assert logits.shape == (len(arguments["spectra"]), 5)
    assert records == []
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert network.class_count == 5


def test_mamba_hsi_has_the_weights_of_the_published_width() -> None:
    made = literature.settings_of("mamba_hsi")(width=128)
    network = literature.build("mamba_hsi", 103, 9, made)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(412_000, abs=500)


def test_spectral_former_begins_at_mean_spectra_and_tells_bands_apart() -> None:
    torch.manual_seed(0)
    settings = literature.settings_of("spectral_former")(patch=5, group=7, stride=4)
    network = literature.build("spectral_former", 32, 3, settings).eval()
    assert network.place.shape[1] == 1 + 8  # every fourth of 32 bands, and the first token
    values = np.random.default_rng(0).normal(5, 3, (40, 32)).astype(np.float32)
    taught = PixelFeatures(values, None, np.zeros((40, 2), np.float32), np.ones(40, bool))
    network.prepare(Known(taught, np.arange(40) % 3, taught, np.eye(32)))
    np.testing.assert_allclose(network.mean.numpy(), values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(network.spread.numpy(), values.std(axis=0), rtol=1e-5)
    drawn = np.random.default_rng(1)
    spectra = drawn.normal(5, 3, (6, 1, 1, 32)) + drawn.normal(0, 1, (6, 5, 5, 32))
    patches = torch.from_numpy(spectra).float()
    flat = patches.mean(dim=(1, 2), keepdim=True).expand_as(patches)
    network.mean.fill_(5)
    network.spread.fill_(3)  # the same for all bands, so that they may change places
    with torch.no_grad():
        said, moved = (network.of_pixels(seen) for seen in (patches, patches.roll(4, dims=3)))
        torch.testing.assert_close(network.of_pixels(flat), said, rtol=1e-3, atol=1e-4)
        # The same spectrum a token further is another one; without places it would not be.
        assert float((moved - said).abs().max()) > 0.02
        network.place[:, 1:] = 0
        again = [network.of_pixels(seen) for seen in (patches, patches.roll(4, dims=3))]
    assert float((again[1] - again[0]).abs().max()) < 1e-4


@pytest.mark.parametrize("model_id", literature.NETWORKS)
def test_it_learns_a_small_scene(results: Any, model_id: str) -> None:
    result = results(model_id)
    assert result.metrics.overall_accuracy > BARS.get(model_id, 0.8)
    assert [type(o).__name__ for o in result.overlays] == ["ClassMap", "ScoreMap", "ScoreMap"]


@pytest.mark.parametrize("model_id", literature.NETWORKS)
def test_a_checkpoint_gives_the_same_map(
    scene_and_labels: Any, results: Any, tmp_path: Path, model_id: str
) -> None:
    scene, _ = scene_and_labels
    result = results(model_id)
    path = tmp_path / "c.safetensors"
    save_checkpoint(result.checkpoint, path)
    loaded, _ = load_checkpoint(path)
    again = map_scene(scene, loaded, Provenance(model_id))
    np.testing.assert_array_equal(again.overlays[0].labels, result.class_map.labels)


@pytest.mark.parametrize(
    ("model_id", "name", "value"),
    [
        ("ssftt", "width", 1024),
        ("hybrid_sn", "hidden", 10**12),
        ("spectral_former", "layers", 10**9),
        ("mamba_hsi", "blocks", -1),
    ],
)
def test_hostile_sizes_are_refused(
    scene_and_labels: Any, results: Any, tmp_path: Path, model_id: str, name: str, value: int
) -> None:
    scene, _ = scene_and_labels
    made = results(model_id).checkpoint
    plan = {**made.settings, "network": {**made.settings["network"], name: value}}
    path = tmp_path / "c.safetensors"
    save_checkpoint(replace(made, settings=plan), path)
    with pytest.raises((BadInput, WrongUse)):
        classify(scene, None, model_id, checkpoint=path)


@pytest.mark.parametrize("model_id", [*PATCHES, "cnn_1d"])
def test_tiles_change_nothing(scene_and_labels: Any, results: Any, model_id: str) -> None:
    scene, _ = scene_and_labels
    made = results(model_id).checkpoint
    whole, tiled = (
        predict_scene(network_of(made), scene, made.stretch, made.stretch.bands, tile_pixels=most)
        for most in (10**6, 1024)
    )
    np.testing.assert_allclose(tiled.confidence, whole.confidence, atol=1e-4)
    assert (tiled.classes == whole.classes).mean() > 0.999


def test_dense_maps_equal_patches(scene_and_labels: Any, results: Any) -> None:
    scene, _ = scene_and_labels
    made = results("hybrid_sn").checkpoint
    network = network_of(made)
    dense = predict_scene(network, scene, made.stretch, made.stretch.bands)
    network.dense = False
    each = predict_scene(network, scene, made.stretch, made.stretch.bands)
    np.testing.assert_allclose(dense.confidence, each.confidence, atol=1e-4)


def test_patches_are_mirrored_and_the_same_either_way(scene_and_labels: Any) -> None:
    scene, _ = scene_and_labels
    stretch = fit_stretch(scene)
    rows, cols, _ = scene.shape
    whole = read_window(scene, stretch, stretch.bands, Window(0, 0, rows, cols), 1, 1)
    image = np.pad(whole.spectra.reshape(rows, cols, -1), [(3, 3), (3, 3), (0, 0)], "symmetric")
    places = np.array([0, cols - 1, 5 * cols + 9, rows * cols - 1])
    single = read_pixels(scene, stretch, stretch.bands, places, 1, None, 7).patches
    tile = Window(rows - 6, cols - 8, 6, 8)
    tiled = read_window(scene, stretch, stretch.bands, tile, 1, 7).patches
    assert single is not None
    assert tiled is not None
    for number, place in enumerate(places):
        row, col = divmod(int(place), cols)
        wanted = image[row : row + 7, col : col + 7]
        np.testing.assert_array_equal(single.gather()[number], wanted)
    np.testing.assert_array_equal(tiled.gather()[-1], single.gather()[-1])
    assert len(single.table) < 4 * 49  # what two squares share is held once


def test_components_know_only_the_training_pixels(scene_and_labels: Any, results: Any) -> None:
    scene, labels = scene_and_labels
    result = results("ssftt")
    made = result.checkpoint
    train = read_pixels(scene, made.stretch, made.stretch.bands, result.split.train, 1)
    ours = Components(len(made.stretch.bands), 10)
    ours.fit(train.spectra[labels.values.ravel()[result.split.train] > 0])
    np.testing.assert_allclose(made.arrays["components.mean"], ours.mean.numpy(), atol=1e-6)
    white = ours(torch.from_numpy(train.spectra)).numpy()
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-2)


@pytest.mark.parametrize("model_id", ["hybrid_sn", "mamba_hsi", "cnn_1d"])
def test_cancel_while_training(scene_and_labels: Any, model_id: str) -> None:
    token = CancelToken()

    def stop(state: Any) -> None:
        if state.unit == "steps" and state.done > 1:
            token.cancel()

    progress = Progress(token, stop)
    with pytest.raises(Cancelled):
        classify(*scene_and_labels, model_id, settings=QUICK[model_id], progress=progress)


def test_a_large_scene_is_learnt_in_parts(scene_and_labels: Any) -> None:
    scene, _ = scene_and_labels
    stretch = fit_stretch(scene)
    rows, cols, _ = scene.shape
    numbers = np.arange(rows * cols)
    parts = SceneParts(scene, stretch, stretch.bands, numbers, most=rows * cols // 2 + 3 * cols)
    assert len(parts.windows) == 2
    first, second = parts.windows
    shared = first.row + first.height - second.row
    assert shared in (5, 6)
    seen = np.zeros(rows * cols, int)
    for number, window in enumerate(parts.windows):
        mine, chosen = parts.inside(number, numbers)
        seen[mine] += 1
        spectra = parts.image(number).reshape(window.height * window.width, -1)[chosen]
        wanted = read_pixels(scene, stretch, stretch.bands, mine, 1).spectra
        np.testing.assert_array_equal(spectra, wanted)
    assert seen.min() == 1
    assert (seen == 2).sum() == shared * cols


def test_mamba_hsi_trains_on_halves(scene_and_labels: Any) -> None:
    settings = QUICK["mamba_hsi"] | {"part_pixels": 1300}
    result = classify(*scene_and_labels, "mamba_hsi", settings=settings)
    assert result.metrics.overall_accuracy > 0.7


def test_recipes_follow_the_labels_and_the_scene() -> None:
    ssftt, mamba = (literature.settings_of(name) for name in ("ssftt", "mamba_hsi"))
    assert ssftt.recipe(120, 4900)["steps"] == 200  # 100 passes of two steps
    assert ssftt.recipe(270, 4900)["steps"] == 500
    assert ssftt.recipe(5000, 4900)["steps"] == 500  # no more, however many labels
    assert "epochs" not in ssftt.recipe(120, 4900)
    assert mamba.recipe(120, 4900)["steps"] == 100
    assert 300 < mamba.recipe(120, 610 * 340)["steps"] < 400  # eleven parts, one a step


def test_settings_outside_their_limits_are_sentences(scene_and_labels: Any) -> None:
    with pytest.raises(WrongUse, match="must be odd"):
        classify(*scene_and_labels, "ssftt", settings={"patch": 8})
    with pytest.raises(WrongUse, match="between"):
        classify(*scene_and_labels, "hybrid_sn", settings={"patch": 7})
    with pytest.raises(WrongUse, match="divisible"):
        classify(*scene_and_labels, "mamba_hsi", settings={"width": 30})
