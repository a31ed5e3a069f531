"""From images to a dictionary to what a click says; names; files."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from backends.concepts.autoencoder_files import Dictionary, load_dictionary
from backends.concepts.autoencoder_training import Settings
from backends.concepts.bottleneck import BottleneckSettings, lines
from backends.concepts.bottleneck_folder import bottleneck_of, candidates_of, read_words
from backends.concepts.describing import ImageConcepts, describe
from backends.concepts.encoders import NetworkEncoder, SpectraEncoder
from backends.concepts.exemplars import Exemplars, concept_spectra
from backends.concepts.feature_cache import FeatureCache
from backends.concepts.files import write_concepts
from backends.concepts.learning_concepts import (
    EncodedImages,
    LearnSettings,
    Words,
    encode_folder,
    learn_concepts,
)
from backends.concepts.naming import embed_vocabulary, name_by_spectra, name_with_words
from backends.errors import BadInput, MissingCapability, WrongUse
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.io import open_scene

COLORS = {"blue": (20, 40, 220), "green": (30, 200, 40), "red": (220, 30, 20)}


class Colors(nn.Module):
    """Features that are the colour of 8 × 8 pixels, widened."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cells = nn.Conv2d(3, 12, 8, 8)
        self.head = nn.Linear(12, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.cells(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of grey noise with a patch in the colour of the class."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name, color in COLORS.items():
        (root / name).mkdir()
        for number in range(14):
            image = rng.integers(90, 150, (32, 32, 3))
            r, c = rng.integers(0, 3, 2) * 8
            image[r : r + 16, c : c + 16] = color + rng.integers(-15, 15, (16, 16, 3))
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(
                root / name / f"{name}_{number}.png"
            )
    (root / "blue" / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def encoder() -> NetworkEncoder:
    spec = InputSpec((32, 32))
    made = ImageClassifier(Colors(), ("a", "b"), spec, Card("c", "Colours", trained_on="nothing"))
    return NetworkEncoder(made, "cells")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def images(folder: Path, encoder: NetworkEncoder, cache: FeatureCache) -> EncodedImages:
    return encode_folder(folder, lambda scene: encoder, cache=cache)[0]


@pytest.fixture(scope="module")
def made(
    images: EncodedImages, encoder: NetworkEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Dictionary:
    how = LearnSettings(24, 2, Settings(steps=300, batch=256, learning_rate=3e-3))
    out = tmp_path_factory.mktemp("concepts")
    learn_concepts(images, encoder, out, how)
    return load_dictionary(out, encoder.digest)


@pytest.fixture
def found(
    folder: Path, encoder: NetworkEncoder, made: Dictionary, cache: FeatureCache
) -> ImageConcepts:
    with open_scene(folder / "red" / "red_3.png") as scene:
        return describe(scene, encoder, made, cache=cache, command=("concepts", "red_3.png"))


def test_bad_images_are_listed_and_the_rest_is_learnt_from(
    images: EncodedImages, made: Dictionary
) -> None:
    assert [name for name, _ in images.skipped] == ["blue/broken.png"]
    assert len(images.paths) == 42
    assert made.quality is not None
    assert made.quality.fvu < 0.5
    assert made.card["probe"]["concepts"] >= 0.8
    assert set(made.card["probe"]) == {"concepts", "opaque", "random", "test_images"}


def test_a_click_names_what_is_there(found: ImageConcepts, folder: Path) -> None:
    with open_scene(folder / "red" / "red_3.png") as scene:
        pixels = scene.read()[..., :3].astype(int)
    row, col = np.unravel_index((pixels[..., 0] - pixels[..., 2]).argmax(), (32, 32))
    shown = [c for level in found.at(row, col).values() for c in level]
    assert shown
    strongest = max(shown, key=lambda c: c.share)
    # In its training images it was strongest where it was red.
    exemplars = Exemplars.from_arrays(found.dictionary.extra).of(strongest.concept)
    files = found.dictionary.card["files"]
    assert sum("red" in Path(files[e.image]).name for e in exemplars) >= len(exemplars) / 2
    assert len(exemplars) <= 9
    assert not strongest.verified
    layer = found.present(strongest.concept)
    assert layer.values.shape == found.grid == (4, 4)
    assert layer.title.endswith("present here")
    assert layer.placement.row_step == 8
    assert layer.values[row // 8, col // 8] == pytest.approx(strongest.activation, rel=1e-5)


def test_a_decision_sums_and_changes_when_a_concept_is_taken_away(found: ImageConcepts) -> None:
    before = found.decision()
    assert before.classes[before.target] == "red"
    assert sum(p.amount for p in before.parts) == pytest.approx(
        before.logits[before.target], abs=1e-4
    )
    first = before.parts[0]
    after = found.decision(before.target, changes={first.concept: 0.0})
    assert after.logits[before.target] == pytest.approx(
        before.logits[before.target] - first.amount, abs=1e-6
    )
    used = found.used(first.concept, before.target)
    assert used.title.endswith("used for red")
    assert used.values.flat[np.abs(used.values).argmax()] == pytest.approx(first.amount, rel=1e-4)
    with pytest.raises(WrongUse):
        found.decision(changes={first.concept: -1.0})


def test_graph_search_and_places_alike(found: ImageConcepts) -> None:
    graph = found.graph(most=5)
    assert 0 < len(graph.nodes) <= 5
    assert found.graph(most=500).nodes == found.graph().nodes
    number = graph.nodes[0].concept
    assert number in [c.concept for c in found.search(f"concept {number}")]
    assert not found.search("unicorn")
    (alike,) = found.alike(5, 5)
    assert alike.shape == (4, 4)
    assert alike[0, 0] == pytest.approx(1, abs=1e-5)


def test_files_hold_it_all(found: ImageConcepts, folder: Path, tmp_path: Path) -> None:
    import rasterio

    with open_scene(folder / "red" / "red_3.png") as scene:
        files, about = write_concepts(found, scene, tmp_path, "red_3", at=(5, 5))
    assert [p.suffix for p in files] == [".tif", ".npy", ".graphml", ".json"]
    assert "decision" not in about
    values = np.load(files[1])
    with rasterio.open(files[0]) as tiff:
        np.testing.assert_allclose(tiff.read(), values)
        assert tiff.descriptions[0] == about["concepts"][0]["name"]
    tree = ElementTree.parse(files[2])
    nodes = [e for e in tree.iter() if e.tag.endswith("}node")]
    assert len(nodes) == len(about["graph"]["nodes"])
    told = json.loads(files[3].read_text(encoding="utf-8"))
    assert told["at"] == {"row": 5, "col": 5}
    assert told["quality"]["fvu"] == pytest.approx(found.quality.fvu)


def test_another_encoder_is_refused(folder: Path, made: Dictionary, cache: FeatureCache) -> None:
    spec = InputSpec((32, 32), mean=(0.5, 0.5, 0.5))
    other = NetworkEncoder(ImageClassifier(Colors(), ("a", "b"), spec, Card("c", "Other")), "cells")
    with (
        open_scene(folder / "red" / "red_3.png") as scene,
        pytest.raises(BadInput, match="found in the features of Colours"),
    ):
        describe(scene, other, made, cache=cache)


def test_a_bottleneck_of_a_folder(
    images: EncodedImages, encoder: NetworkEncoder, made: Dictionary, tmp_path: Path
) -> None:
    found = candidates_of(made, None, None)
    bottleneck = bottleneck_of(images, encoder, found, tmp_path, BottleneckSettings(4, 3))
    assert bottleneck.figures["accuracy"] >= 0.8
    assert dict(lines(bottleneck))["Random concepts"]
    rows = (tmp_path / "bottleneck.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "order,concept,source,energy_explained,blue,green,red"
    assert len(rows) == 1 + len(bottleneck.names)
    with pytest.raises(BadInput, match="text tower"):
        candidates_of(made, tmp_path / "words.txt", None)
    (tmp_path / "words.txt").write_text("\n \n")
    with pytest.raises(BadInput, match="holds no words"):
        read_words(tmp_path / "words.txt")


def test_images_without_classes_have_no_decision(
    folder: Path, encoder: NetworkEncoder, cache: FeatureCache, tmp_path: Path
) -> None:
    images, _ = encode_folder(folder / "red", lambda scene: encoder, cache=cache)
    how = LearnSettings(24, 2, Settings(steps=20, batch=128))
    made = learn_concepts(images, encoder, tmp_path, how)
    with open_scene(folder / "red" / "red_3.png") as scene:
        found = describe(scene, encoder, made, cache=cache)
    with pytest.raises(BadInput, match="without classes"):
        found.decision()


def test_concepts_of_spectra_are_named_by_what_they_look_like() -> None:
    from backends.concepts.codes import from_dense

    nm = np.linspace(400, 2400, 30)
    water, leaf = np.exp(-nm / 500), 0.1 + (nm > 720) * 0.5
    codes = from_dense(np.array([[1, 0, 0], [2, 0, 0], [0, 1, 0]], np.float32))
    values = np.stack([water, water * 1.3, leaf])
    found = concept_spectra(codes, values, nm)
    np.testing.assert_allclose(found.mean[0], water * (1 + 2 * 1.3) / 3, rtol=1e-5)
    assert found.deviation[1].max() == pytest.approx(0, abs=1e-6)
    assert np.isnan(found.mean[2]).all()
    names = name_by_spectra(found, (("leaf", "water"), np.stack([leaf, water])))
    assert names[0]["name"] == "concept 0, like water"
    assert names[1]["name"] == "concept 1, like leaf"
    assert names[1]["runners_up"][1].startswith("water (")
    assert 2 not in names
    assert "nm" in name_by_spectra(found)[1]["name"]


def test_words_are_kept_and_the_best_kind_of_sentence_counts(tmp_path: Path) -> None:
    class Tower:
        digest = "t"
        calls = 0

        def embed(self, phrases):  # type: ignore[no-untyped-def]
            self.calls += 1
            rows = [[("boat" in p), ("sail" in p), ("surface" in p) * 0.5, 0.1] for p in phrases]
            out = np.array(rows, np.float32)
            return out / np.linalg.norm(out, axis=1, keepdims=True)

    tower, words = Tower(), ["boat", "sail"]
    found = embed_vocabulary(words, tower, tmp_path)
    before = tower.calls
    again = embed_vocabulary(words, tower, tmp_path)
    assert tower.calls == before
    np.testing.assert_array_equal(again["thing"], found["thing"])
    vectors = np.array([[1, 0, 0, 0.1], [0, 1, 0, 0]], np.float32)
    names = name_with_words(vectors, words, found, verified=False)
    assert [names[n]["name"] for n in (0, 1)] == ["boat", "sail"]
    assert names[0]["runners_up"] == ["sail"]
    assert names[0]["verified"] is False


def test_concepts_of_an_encoder_that_speaks_are_named_by_words(
    images: EncodedImages, encoder: NetworkEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARBAND_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    meaning = {w: rng.normal(size=12) for w in ("roof", "water", "grass")}

    class Tower:
        digest = "speaks"
        width = 12

        def embed(self, phrases):  # type: ignore[no-untyped-def]
            rows = [next(v for w, v in meaning.items() if w in p)[: self.width] for p in phrases]
            return np.stack([r / np.linalg.norm(r) for r in rows]).astype(np.float32)

    how = LearnSettings(24, 2, Settings(steps=20, batch=128))
    words = Words(tuple(meaning), Tower(), verified=False)
    made = learn_concepts(images, encoder, tmp_path, how, words=words)
    named = [told for told in made.names.values() if told["how"].startswith("words")]
    assert named
    assert {told["name"] for told in named} <= set(meaning)
    assert not any(told["verified"] for told in named)
    Tower.width, Tower.digest = 8, "another"
    with pytest.raises(BadInput, match="not this encoder's"):
        learn_concepts(images, encoder, tmp_path, how, words=words)


def test_relatives_make_a_fine_concept_nameable() -> None:
    """A fine direction means nothing to the words; with its parent it does."""
    from scipy.sparse import csr_matrix

    from backends.concepts.autoencoder import NestedAutoencoder, Scaling, Sizes
    from backends.concepts.naming import vectors_with_relatives
    from backends.concepts.relations import Relation

    network = NestedAutoencoder(Sizes(8, 4, 1, (0.5, 0.5))).requires_grad_(False)
    network.directions.copy_(torch.eye(4, 8))
    made = Dictionary(network, Scaling(np.zeros(8, np.float32), 1.0), {"digest": "", "title": ""})
    mean_codes = csr_matrix(np.array([[2, 0, 0, 0], [0, 1, 0, 0], [2, 3, 1, 0], [0, 0, 0, 0.0]]))
    child = Relation(2, 0, 0.9, 0.2, 5.0, 60)
    alone = vectors_with_relatives(made, mean_codes, [])
    together = vectors_with_relatives(made, mean_codes, [child])
    assert alone[2].argmax() == 2
    assert alone[2][0] == 0
    # The unrelated concept 1 is stronger on its patches and stays out.
    assert together[2].argmax() == 0
    assert together[2][1] == 0


def test_without_the_package_of_the_words_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from backends.concepts.naming import OpenClipTower

    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingCapability, match="not installed"):
        OpenClipTower("ViT-B-16", "laion2b_s34b_b88k")


def test_spectra_of_one_scene(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    nm = np.linspace(450, 2400, 20)
    kinds = np.stack([np.exp(-nm / 600), 0.2 + 0.3 * (nm > 720), 0.5 - nm / 6000])
    cube = kinds[np.arange(24) // 8][:, None]
    cube = (cube * (1 + 0.1 * rng.random((24, 16, 1))) * 10_000).astype(np.int16)
    from backends.io.envi_header import write_header

    (tmp_path / "cube.dat").write_bytes(cube.transpose(2, 0, 1).tobytes())
    text = write_header(
        {"samples": 16, "lines": 24, "bands": 20, "header offset": 0, "data type": 2,
         "interleave": "bsq", "byte order": 0, "wavelength units": "Nanometers",
         "wavelength": nm.tolist()},
    )  # fmt: skip
    (tmp_path / "cube.hdr").write_text(text)
    images, encoder = encode_folder(tmp_path / "cube.dat", SpectraEncoder.of)
    how = LearnSettings(16, 1, Settings(steps=200, batch=128, learning_rate=3e-3))
    library = tmp_path / "library.csv"
    lines = ["name," + ",".join(f"{n:.1f}" for n in nm)]
    for name, kind in zip(("steep", "leaf", "flat"), kinds, strict=True):
        lines.append(f"{name}," + ",".join(f"{v:.5f}" for v in kind))
    library.write_text("\n".join(lines) + "\n")
    made = learn_concepts(images, encoder, tmp_path / "out", how, library=library)
    assert made.card["measured_on"] == "its own patches"
    assert any(", like " in told["name"] for told in made.names.values())
    assert made.extra["spectra.mean"].shape == (16, 20)
    with open_scene(tmp_path / "cube.dat") as scene:
        found = describe(scene, encoder, made)
    numbers = [
        {c.concept for level in found.at(row, 8).values() for c in level} for row in (3, 11, 20)
    ]
    assert len({tuple(sorted(some)) for some in numbers}) == 3
    assert sum(map(bool, numbers)) >= 2
    told = found.dictionary.names[next(iter(numbers[0] or numbers[1]))]
    assert told["how"] == "mean spectrum"
