"""What the concept desk shows: places, cards, layers, graph, decisions, encoders that suit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.bands import BandTable
from backends.concepts.autoencoder import LEVELS
from backends.concepts.autoencoder_training import Settings
from backends.concepts.changes import REMOVED, Change
from backends.concepts.describing import describe
from backends.concepts.desk import ConceptReading
from backends.concepts.desk_decision import (
    CONSTANT,
    OTHERS,
    labels_on_cells,
    learn_decision,
)
from backends.concepts.desk_encoders import finer_layer, settings_for, tile_for
from backends.concepts.desk_pictures import exemplars, fingerprint, picture_of
from backends.concepts.encoders import SpectraEncoder
from backends.concepts.feature_cache import FeatureCache
from backends.concepts.learning_concepts import EncodedImages, LearnSettings, learn_concepts
from backends.errors import BadInput, WrongUse
from backends.scene import ArraySource, Scene, SceneInfo


def three_fields() -> tuple[Scene, np.ndarray]:
    """Return a cube with three materials in stripes, and their labels."""
    rng = np.random.default_rng(5)
    nm = np.linspace(450, 2400, 24)
    shapes = np.stack([np.exp(-(((nm - c) / 300) ** 2)) for c in (600, 1300, 2100)])
    labels = np.repeat(np.arange(3), 12)[None].repeat(30, 0)
    cube = 0.2 + shapes[labels] * rng.uniform(0.7, 1.3, (30, 36, 1))
    cube += rng.normal(0, 0.01, cube.shape)
    info = SceneInfo(
        path=None, kind="hyperspectral", bands=BandTable.build(24, wavelength_nm=nm),
        title="Fields",
    )  # fmt: skip
    return Scene(ArraySource((cube * 10_000).astype(np.uint16)), info), labels + 1


@pytest.fixture(scope="module")
def read(tmp_path_factory: Any) -> tuple[ConceptReading, Scene, np.ndarray]:
    scene, labels = three_fields()
    folder = tmp_path_factory.mktemp("concepts")
    encoder, cache = SpectraEncoder.of(scene), FeatureCache(folder / "cache")
    found = cache.features(encoder, scene)
    images = EncodedImages(
        (Path("fields"),), (found.values,), (found.grid,), np.array([-1]), (), np.array([0])
    )
    settings = LearnSettings(24, 3, Settings(120, 512, 3e-3))
    made = learn_concepts(images, encoder, folder, settings)
    return ConceptReading(describe(scene, encoder, made, cache=cache), False), scene, labels


def test_a_place_has_its_concepts_by_level_strongest_first(read: Any) -> None:
    reading, _, _ = read
    found = reading.at(4, 5)
    assert list(found) == list(LEVELS)
    every = [one for some in found.values() for one in some]
    assert every
    for some in found.values():
        assert [one.activation for one in some] == sorted(
            (one.activation for one in some), reverse=True
        )
    concepts, values = reading.codes.at(4 * 36 + 5)
    assert {(one.concept, round(one.activation, 5)) for one in every} <= {
        (int(n), round(float(v), 5)) for n, v in zip(concepts, values, strict=True)
    }
    # Another material, other concepts.
    other = {one.concept for some in reading.at(4, 30).values() for one in some}
    assert other != {one.concept for one in every}


def test_strongest_cells_are_strongest_and_no_neighbours(read: Any) -> None:
    reading, scene, _ = read
    concept = int(np.argmax(reading.codes.mass))
    cells = reading.strongest(concept)
    layer = reading.codes.layer(concept)
    assert layer.ravel()[cells[0]] == layer.max()
    places = [divmod(cell, 36) for cell in cells]
    apart = [
        max(abs(a[0] - b[0]), abs(a[1] - b[1]))
        for n, a in enumerate(places)
        for b in places[n + 1 :]
    ]
    assert min(apart) >= 2
    shown = exemplars(reading, picture_of(scene), concept)
    marks = [fingerprint(cut) for _, cut in shown]
    assert 1 <= len(shown) <= 9
    assert all((a ^ b).bit_count() >= 5 for n, a in enumerate(marks) for b in marks[n + 1 :])


def test_the_spectrum_of_a_concept_is_in_the_units_of_the_scene(read: Any) -> None:
    reading, scene, _ = read
    concept = int(np.argmax(reading.codes.mass))
    mean, deviation = reading.spectrum(concept)
    values = scene.read(physical=True)
    assert values.min() - 1 <= mean.min() < mean.max() <= values.max() + 1
    assert (deviation >= 0).all()
    assert reading.wavelength_nm is not None
    assert len(reading.wavelength_nm) == len(mean) == 24


def test_layers_end_at_the_same_value_on_every_image(read: Any) -> None:
    reading, _, _ = read
    two = np.argsort(-reading.codes.mass)[:2].tolist()
    overlay = reading.presence_maps(two, "one")
    assert overlay.tops == tuple(pytest.approx(reading.top(n)) for n in two)
    assert "present here" in overlay.names[0]
    np.testing.assert_array_equal(overlay.values[1], reading.codes.layer(two[1]))
    # The end is that of the dictionary, whatever this image holds.
    half = reading.codes.changed(two[0], scale=0.5)
    faint = ConceptReading(_with(reading.image, codes=half), False)
    assert faint.presence_maps(two, "two").tops == overlay.tops


def test_names_are_given_taken_back_found_and_doubted(read: Any) -> None:
    reading, _, _ = read
    names = reading.dictionary.names
    before = dict(names[3])
    reading.rename(3, "Dry meadow")
    assert reading.short(3) == "Dry meadow"
    assert reading.find("meadow") == [3]
    first = int(np.argmax(reading.codes.mass))
    names[first]["runners_up"], kept = ["meadow"], names[first]["runners_up"]
    assert reading.find("meadow") == [3, first]  # called so before nearly called so
    names[first]["runners_up"] = kept
    assert reading.mark(3) == ""
    reading.rename(3, "")
    assert names[3] == before
    assert reading.find("#3") == [3]
    assert reading.find("no such thing") == []
    # Words on what is no photograph are a guess, whoever says they are not.
    names[3] = {"name": "sail", "runners_up": [], "how": "words, as a thing", "verified": True}
    assert reading.mark(3) == "unverified name"
    assert ConceptReading(reading.image, True).mark(3) == ""
    names[3] = before


def test_the_graph_holds_the_strongest_of_each_level(read: Any) -> None:
    reading, _, _ = read
    graph = reading.graph(most=9)
    assert len(graph.nodes) <= 9
    assert len(set(graph.level)) == 3
    mass = reading.codes.mass
    assert int(np.argmax(mass)) in graph.nodes
    assert graph.left_out == int((mass > 0).sum()) - len(graph.nodes)
    assert (graph.edges < len(graph.nodes)).all()
    weakest = int(np.flatnonzero(mass > 0)[np.argmin(mass[mass > 0])])
    assert weakest not in graph.nodes
    with_it = reading.graph(most=9, besides=weakest).nodes
    assert weakest in with_it
    assert len(with_it) <= 9


def test_the_parts_of_a_decision_sum_to_its_score_and_follow_changes(read: Any) -> None:
    reading, _, labels = read
    decision = learn_decision(reading, labels, {1: "Water", 2: "Meadow", 3: "Soil"})
    assert decision.accuracy > 0.9 > decision.chance
    token = 4 * 36 + 5
    assert decision.probabilities(token).argmax() == 0
    on = reading.codes.at(token)[0].tolist()
    off = next(n for n in np.argsort(-reading.codes.mass).tolist() if n not in on)
    for changes in (
        {}, {on[0]: REMOVED}, {on[0]: Change(1.7)}, {off: Change(value=2.5)},
        {on[0]: Change(value=0.2), off: Change(value=1.0)},
    ):  # fmt: skip
        for target in range(3):
            parts = decision.parts(token, target, changes)
            assert [p.concept for p in parts[-2:]] == [OTHERS, CONSTANT]
            assert set(changes) <= {p.concept for p in parts}
            logit = decision.probe.logits(decision.code(token, changes))[target]
            assert sum(p.amount for p in parts) == pytest.approx(logit, abs=1e-4)
    # A concept that was off and is set counts with its weight times what it was set to.
    added = {p.concept: p.amount for p in decision.parts(token, 1, {off: Change(value=2.5)})}
    assert added[off] == pytest.approx(2.5 * decision.probe.weight[1, off])
    everything = dict.fromkeys(on, REMOVED)
    bare = decision.probe.probabilities(np.zeros(24))
    np.testing.assert_allclose(decision.probabilities(token, everything), bare)
    # What changes over the image is what deciding anew everywhere says.
    one = {int(np.argmax(reading.codes.mass)): REMOVED}
    for changes in (one, {off: Change(value=3.0)}):
        anew = [
            decision.probabilities(t, changes).argmax() != decision.probabilities(t).argmax()
            for t in range(30 * 36)
        ]
        assert decision.changed_share(changes) == pytest.approx(np.mean(anew))
    used = decision.used_map(next(iter(one)), 1)
    assert used.centre == 0.0
    assert used.title.endswith("used for Meadow")


def test_what_is_no_strength_or_no_concept_is_refused(read: Any) -> None:
    reading, _, labels = read
    with pytest.raises(WrongUse, match="from 0 upwards"):
        Change(value=-1.0)
    with pytest.raises(WrongUse, match="from 0 upwards"):
        Change(float("nan"))
    decision = learn_decision(reading, labels, {})
    with pytest.raises(WrongUse, match="no concept 24"):
        decision.code(0, {24: REMOVED})


def test_labels_of_one_class_are_refused(read: Any) -> None:
    reading, _, labels = read
    with pytest.raises(BadInput, match="two classes"):
        learn_decision(reading, np.where(labels == 1, 1, 0), {1: "Water"})


def test_cells_take_the_commonest_of_their_labels(read: Any) -> None:
    reading, _, labels = read
    np.testing.assert_array_equal(labels_on_cells(reading, labels), labels.ravel())
    assert not labels_on_cells(reading, np.zeros_like(labels)).any()


def test_looks_are_as_large_as_suits_the_image() -> None:
    assert tile_for((150, 150), 224) == 448  # seen three times as large, no more
    assert tile_for((600, 600), 224) == 896
    assert tile_for((1000, 1000), 224) == 448  # tiles at its own size
    assert tile_for((150, 150), 224, fixed=True) == 224
    settings = settings_for(1000, 512, spectra=False)
    assert settings.concepts == 125
    assert settings_for(250_000, 100, spectra=True).concepts == 128


def test_the_finer_layer_has_small_cells_and_is_one_a_person_would_name() -> None:
    torchvision = pytest.importorskip("torchvision")
    from backends.explain.classifier import Card, ImageClassifier, InputSpec

    network = torchvision.models.squeezenet1_0(weights=None, num_classes=7)
    spec = InputSpec(size=(64, 64))
    classifier = ImageClassifier(network, tuple("abcdefg"), spec, Card("s", "S"))
    assert finer_layer(classifier, 64).startswith("features.")


def _with(image: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(image, **changes)


def test_ends_of_colours_survive_a_session(read: Any) -> None:
    from backends.session_overlays import ArrayShelf, overlay_of, record_of

    reading, _, _ = read
    overlay = reading.presence_maps([0, 1], "kept")
    shelf = ArrayShelf()
    record = type(record_of(overlay, shelf)).model_validate_json(
        record_of(overlay, shelf).model_dump_json()
    )

    class Box:
        def take(self, name: str) -> Any:
            return shelf.arrays[shelf.names.index(name)]

    assert overlay_of(record, Box()).tops == pytest.approx(overlay.tops)


def test_a_whole_image_is_decided_on_by_what_came_with_the_concepts(read: Any) -> None:
    from backends.concepts.desk_decision import ImageDecision
    from backends.concepts.probe import Probe

    reading, _, _ = read
    weight = np.random.default_rng(2).normal(size=(3, 24))
    probe = Probe(weight, np.array([0.5, 0.0, -0.5]), ("port", "park", "pond"))
    decision = ImageDecision(reading, probe)
    assert decision.whole
    strongest = int(np.argmax(np.abs(weight[1]) * reading.codes.largest))
    parts = decision.parts(0, 1, {strongest: Change(0.5)}, most=4)
    changed = reading.codes.largest.astype(float)
    changed[strongest] *= 0.5
    assert sum(p.amount for p in parts) == pytest.approx(probe.logits(changed)[1], abs=1e-4)
    assert parts[0].concept == strongest
    np.testing.assert_allclose(
        decision.probabilities(0, {strongest: REMOVED}),
        np.exp(logits := probe.without(reading.codes.largest, {strongest: 0.0}))
        / np.exp(logits).sum(),
    )


def test_a_learning_that_is_ended_early_still_has_few_concepts_on() -> None:
    from backends.concepts.autoencoder import Sizes, codes_of
    from backends.concepts.autoencoder_training import begin, train
    from backends.jobs import CancelToken, Progress

    token = CancelToken()
    progress = Progress(token, on_partial=lambda curves: token.finish())
    patches = np.random.default_rng(1).normal(size=(600, 16)).astype(np.float32)
    settings = Settings(400, 128)
    state = train(begin(patches, Sizes(16, 64, 4), settings), patches, settings, progress=progress)
    assert state.step < 30
    assert 2 <= codes_of(state.network, state.scaling.apply(patches)).mean_active <= 8


def test_a_concept_looks_as_where_it_is_strongest_not_as_the_whole_scene() -> None:
    from backends.concepts.codes import from_dense
    from backends.concepts.exemplars import concept_spectra

    roof, meadow = np.linspace(0.4, 0.6, 5), np.linspace(0.05, 0.3, 5)
    strength = np.full((500, 1), 0.2, np.float32)
    strength[:40] = 1.0
    spectra = np.where(np.arange(500)[:, None] < 40, roof, meadow)
    found = concept_spectra(from_dense(strength), spectra)
    np.testing.assert_allclose(found.mean[0], roof, rtol=1e-6)


def test_concepts_are_called_by_a_library_on_the_bands_both_have(read: Any) -> None:
    from copy import copy

    from backends.concepts.desk import name_by_library
    from backends.spectra.library import SpectralLibrary

    reading, scene, _ = read
    made = copy(reading.dictionary)
    made.names = dict(made.names)
    concept = int(np.argmax(reading.codes.mass))
    mean, _ = reading.spectrum(concept)
    nm = reading.wavelength_nm
    library = SpectralLibrary(
        "Mine", ("clay", "other"), nm, np.stack([mean, mean[::-1]]).astype(np.float32)
    )
    name_by_library(made, scene, library)
    assert made.names[concept]["name"].endswith("like clay")
    assert ConceptReading(_with(reading.image, dictionary=made)).short(concept).endswith("clay")
