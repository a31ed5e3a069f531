"""From a folder of images, or one scene, to a dictionary of concepts: one job.

Features of every image (kept on disk), the autoencoder, its quality on images that were kept
out, relations, exemplars, names, and, where images have classes, the concept probe beside an
opaque probe on the same features and beside concepts drawn at random.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backends.concepts.autoencoder import (
    SMALL_FRACTIONS,
    NestedAutoencoder,
    Sizes,
    codes_of,
    measure,
)
from backends.concepts.autoencoder_files import (
    CONCEPTS_FILE,
    TRAINING_FILE,
    Dictionary,
    load_training,
    save_dictionary,
    save_training,
)
from backends.concepts.autoencoder_training import Settings, TrainingState, begin, train
from backends.concepts.candidates import TextTower
from backends.concepts.codes import Codes, joined
from backends.concepts.encoded_images import EncodedImages, encode_folder
from backends.concepts.encoders import Encoder, SpectraEncoder
from backends.concepts.exemplars import (
    ConceptSpectra,
    Exemplars,
    concept_spectra,
    find_exemplars,
)
from backends.concepts.feature_cache import Stack
from backends.concepts.naming import (
    embed_vocabulary,
    name_by_exemplars,
    name_by_spectra,
    name_with_words,
    vectors_with_relatives,
)
from backends.concepts.probe import Probe, fit_probe
from backends.concepts.relations import Cooccurrence, cooccurrence
from backends.errors import BadInput
from backends.io import open_scene
from backends.jobs import Progress

__all__ = ["EncodedImages", "LearnSettings", "Words", "encode_folder", "learn_concepts", "probes",
           "random_concepts"]  # fmt: skip

# What is held out of a single scene for measuring.
_HELD_OUT = 10


@dataclass(frozen=True, eq=False)
class Words:
    """What to name concepts with.

    Attributes
    ----------
    vocabulary : tuple of str
    tower : TextTower
        Of the encoder.
    verified : bool
        False where the images are none the tower was taught with (no RGB).
    """

    vocabulary: tuple[str, ...]
    tower: TextTower
    verified: bool = True


@dataclass(frozen=True)
class LearnSettings:
    """What is asked for.

    Attributes
    ----------
    concepts : int
        F; 0 is four times the features, at most 2,048; 64 for spectra, whose bands say much
        the same.
    active : int
    training : Settings
    seed : int
        Of the split.
    fractions : tuple of float
        Shares of the groups, coarse first.
    """

    concepts: int = 0
    active: int = 8
    training: Settings = field(default_factory=Settings)
    seed: int = 0
    fractions: tuple[float, ...] = SMALL_FRACTIONS

    def sizes(self, features: int) -> Sizes:
        """Return the sizes for so many features."""
        count = self.concepts or max(16, min(4 * features, 2048))
        return Sizes(features, count, self.active, self.fractions)


def learn_concepts(
    images: EncodedImages,
    encoder: Encoder,
    out: Path,
    settings: LearnSettings | None = None,
    *,
    library: Path | None = None,
    words: Words | None = None,
    taken: Dictionary | None = None,
    resume: bool = False,
    device: str = "cpu",
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> Dictionary:
    """Train the autoencoder and find out about its concepts; writes ``concepts.safetensors``.

    Parameters
    ----------
    taken : Dictionary, optional
        One that was trained elsewhere on this encoder's features (`published`): nothing is
        trained, only found out about.
    library : path, optional
        Of spectra, to name concepts of a cube.
    words : Words, optional
        Vocabulary and text tower, to name concepts of an encoder that speaks.
    resume : bool
        Go on with the training that was stopped in that folder.

    Raises
    ------
    BadInput, Cancelled
    """
    settings, progress = settings or LearnSettings(), progress or Progress()
    training, held = _split_patches(images)
    about = {**encoder.about, "digest": encoder.digest, "title": encoder.title}
    curves: dict[str, Any] = {}
    if taken is not None:
        taken.check(encoder.digest, encoder.title)
        made = taken
    else:
        if not settings.concepts and isinstance(encoder, SpectraEncoder):
            settings = replace(settings, concepts=64)
        state = _trained(images, encoder, training, out, settings, resume, device, progress)
        network = state.network.cpu().eval().requires_grad_(False)
        made, curves = Dictionary(network, state.scaling, about), state.curves.to_dict()
    sizes = made.sizes
    progress.note("Measuring on what was kept out")
    made.quality = measure(made.network, made.scaling.apply(held))
    codes = joined(_codes(made, part) for part in training.parts)
    progress.check()
    progress.note("Relating concepts")
    related = cooccurrence([codes], sizes.concepts, progress=progress)
    made.extra |= related.to_arrays()
    progress.note("Finding exemplars")
    exemplars, mean_codes = find_exemplars(codes, training)
    made.extra |= exemplars.to_arrays()
    in_training = _training_images(images)
    labels = [images.classes[images.label[n]] for n in in_training] if images.classes else []
    made.names = name_by_exemplars(exemplars, labels)
    if words is not None:
        progress.note("Looking for words")
        _named(made, words, mean_codes, related, exemplars)
    if isinstance(encoder, SpectraEncoder):
        _spectral(made, encoder, codes, training, library, images.paths[0])
    seen = f"{_images(len(in_training))}, {len(training):,} patches"
    elsewhere = made.card.get("trained_on", "")
    made.card = {
        "trained_on": f"{elsewhere}; described on {seen}" if taken is not None else seen,
        "measured_on": "images that were kept out" if _held_out(images) else "its own patches",
        "files": [str(images.paths[n]) for n in in_training],
        "grids": [list(images.grids[n]) for n in in_training],
        "classes": list(images.classes),
        "curves": curves,
        "settings": {} if taken is not None else settings.training.to_dict(),
        "command": " ".join(command),
        "skipped": [list(s) for s in images.skipped],
        "relations": len(related.relations()),
    }
    if images.classes:
        progress.note("Fitting probes")
        probe, figures = probes(made, images, progress)
        made.extra |= probe.to_arrays()
        made.card["probe"] = figures
    save_dictionary(made, out / CONCEPTS_FILE)
    (out / TRAINING_FILE).unlink(missing_ok=True)
    return made


def _trained(
    images: EncodedImages,
    encoder: Encoder,
    training: Stack,
    out: Path,
    settings: LearnSettings,
    resume: bool,
    device: str,
    progress: Progress,
) -> TrainingState:
    how, sizes = settings.training, settings.sizes(training.parts[0].shape[1])
    identity = _sha(encoder.digest, [str(p) for p in images.paths], images.part.tolist(),
                    sizes.to_dict(), how.to_dict())  # fmt: skip
    checkpoint = out / TRAINING_FILE
    state = load_training(checkpoint, identity) if resume else None
    return train(
        state or begin(training, sizes, how), training, how, device=device, progress=progress,
        save=lambda now: save_training(now, identity, checkpoint),
    )  # fmt: skip


def probes(
    made: Dictionary, images: EncodedImages, progress: Progress | None = None
) -> tuple[Probe, dict[str, Any]]:
    """Fit the concept probe, the opaque probe on the same features, and the random control.

    The control: the same number of directions drawn at random, on as often as the concepts.
    """
    patches = images.patches
    opaque = np.stack([np.asarray(p, np.float32).mean(0) for p in patches])
    pooled = np.stack([_codes(made, p).largest for p in patches])
    control = random_concepts(made, Stack([patches[n] for n in _training_images(images)]))
    drawn = np.stack([_codes(control, p).largest for p in patches])
    figures: dict[str, Any] = {}
    best: Probe | None = None
    for name, values in (("concepts", pooled), ("opaque", opaque), ("random", drawn)):
        found = [(values[images.part == n], images.label[images.part == n]) for n in range(3)]
        validation = found[1] if len(found[1][0]) else None
        probe = fit_probe(found[0], validation, images.classes, progress=progress)
        # Of images that taught it nothing is measured: it would flatter.
        figures[name] = probe.accuracy(*found[2]) if len(found[2][0]) else None
        best = best or probe
    figures["test_images"] = len(images.of(2))
    assert best is not None
    return best, figures


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def random_concepts(made: Dictionary, patches: Stack, seed: int = 0) -> Dictionary:
    """Return concepts drawn at random that are on as often, for comparison."""
    sizes = made.sizes
    network = NestedAutoencoder(sizes, seed + 1000).requires_grad_(False)
    rows = np.random.default_rng(seed).permutation(len(patches))[:4000]
    scaled = made.scaling.apply(patches[np.sort(rows)])
    active = codes_of(made.network, scaled).mean_active
    raw = network.activations(torch.from_numpy(scaled)).flatten()
    count = max(1, min(raw.numel() - 1, round(active * len(scaled))))
    network.threshold.copy_(raw.topk(count).values[-1])
    return Dictionary(network, made.scaling, made.encoder)


def _codes(made: Dictionary, patches: NDArray[Any]) -> Codes:
    return made.codes(np.asarray(patches, np.float32))


def _named(
    made: Dictionary, words: Words, mean_codes: Any, related: Cooccurrence, exemplars: Exemplars
) -> None:
    embeddings = embed_vocabulary(words.vocabulary, words.tower)
    width = next(iter(embeddings.values())).shape[1]
    if width != made.sizes.features:
        raise BadInput(
            f"The words have {width} features, the patches {made.sizes.features}: the text tower "
            "is not this encoder's.",
            way_out="Read the CLIP transformer densely (--dense), with its own text tower.",
        )
    vectors = vectors_with_relatives(made, mean_codes, related.relations())
    made.names |= name_with_words(
        vectors, words.vocabulary, embeddings, verified=words.verified,
        live=exemplars.frequency > 0,
    )  # fmt: skip


def _spectral(
    made: Dictionary,
    encoder: SpectraEncoder,
    codes: Codes,
    training: Stack,
    library: Path | None,
    path: Path,
) -> None:
    stretch = encoder.stretch
    values = training[np.arange(len(training))] * (stretch.high - stretch.low) + stretch.low
    nm = () if stretch.wavelength_nm is None else tuple(map(float, stretch.wavelength_nm))
    spectra = concept_spectra(codes, values, nm)
    made.extra |= {"spectra.mean": spectra.mean, "spectra.deviation": spectra.deviation}
    known = None
    if library is not None:
        from backends.spectra.references import references_for

        with open_scene(path) as scene:
            found = references_for(scene, library=library, bands=stretch.bands.tolist())
        both = [n for n, band in enumerate(stretch.bands) if int(band) in found.bands]
        order = [found.bands.index(int(stretch.bands[n])) for n in both]
        full = np.isfinite(found.values[:, order]).all(0)
        if full.sum() >= 3:
            known = (found.names, found.values[:, order][:, full])
            kept = np.array(both)[full]
            spectra = ConceptSpectra(
                spectra.mean[:, kept], spectra.deviation[:, kept],
                tuple(nm[n] for n in kept) if nm else (),
            )  # fmt: skip
    made.names |= name_by_spectra(spectra, known)


def _training_images(images: EncodedImages) -> list[int]:
    mine = images.of(0)
    return mine or list(range(len(images.paths)))


def _held_out(images: EncodedImages) -> list[int]:
    return [n for n in range(len(images.paths)) if images.part[n] in (1, 2)]


def _split_patches(images: EncodedImages) -> tuple[Stack, NDArray[np.float32]]:
    """Return the patches to learn from, and those kept out for measuring."""
    training = Stack([images.patches[n] for n in _training_images(images)])
    others = _held_out(images)
    if others:
        held = Stack([images.patches[n] for n in others])
        rows = np.arange(len(held))
    else:  # one scene: measured on patches it also learns from; said in the card
        held = training
        rows = np.arange(0, len(held), _HELD_OUT)
    if len(rows) > 200_000:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:200_000])
    return training, held[rows]


def _sha(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
