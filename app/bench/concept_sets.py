"""``bench concept-sets``: concepts on real images, beside what they must be compared with.

On each set (CLEARBAND_DATA) a dictionary is trained on the training images' patches: FVU, L0
and dead share on those kept out; accuracy of the concept probe, of an opaque linear probe on
the same features and of as many random concepts; a bottleneck of 32 and its controls. Where
there are masks: mean IoU of label-driven segmentation from decoded codes beside the same
encoder's own features. Neighbouring slices stay together: they are of one patient. Stability:
the dictionary is trained once more from another start on the same patches; mean cosine of each
concept's best match, beside that of as many random directions. The papers' figures are for
other backbones and sets and compare with nothing here.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bench.finetune import BLOCK, GAP
from app.bench.table import machine

BATCH = 512
SEGMENTED = ("nuclei", "indian_pines")
# Added to the seed where the same patches are learnt from once more.
OTHER_START = 100
PAPER = (
    "arXiv 2601.13798, CLIP ViT-B/16 on CC12M, 8,192 concepts: ImageNet 78.9, Places365 55.4, "
    "VOC20 mIoU 80.7 (as listed by others); arXiv 2601.12303, CLIP ViT-L/14: mean of 11 sets 86.97 "
    "beside a linear probe's 87.38. Not comparable: other backbones and images."
)


@dataclass(frozen=True)
class ConceptSet:
    """A set to measure on.

    Attributes
    ----------
    id, title : str
    folder : str
        Below CLEARBAND_DATA.
    weights, layer : str
        Of the encoder; empty weights: the spectra.
    concepts, steps : int
    block, gap : int
        So many neighbouring numbers are one group; so many between two parts are left out.
    """

    id: str
    title: str
    folder: str
    weights: str = ""
    layer: str = ""
    concepts: int = 512
    steps: int = 400
    block: int = 0
    gap: int = 0


_SQUEEZE = "weights/imagenet/squeezenet1_0_torchvision.safetensors"
_MOBILE = "weights/imagenet/mobilenetv2_100_timm.safetensors"
SETS = (
    ConceptSet("nuclei", "H&E nuclei, SqueezeNet", "pathology/dsb2018_he", _SQUEEZE, "features.8"),
    ConceptSet("indian_pines", "Indian Pines window, spectra", "hsi/indian_pines", concepts=256),
    # Blocks and gaps as for the networks taught on these slices (`app.bench.finetune`).
    ConceptSet(
        "lung_ct", "Lung CT, SqueezeNet", "lung_ct", _SQUEEZE, "features.12", block=BLOCK, gap=GAP
    ),
    ConceptSet(
        "lung_ct_mobile",
        "Lung CT, MobileNetV2",
        "lung_ct",
        _MOBILE,
        "blocks.6",
        block=BLOCK,
        gap=GAP,
    ),
    ConceptSet("aerial", "Aerial scenes, SqueezeNet", "aerial_aid", _SQUEEZE, "features.12"),
    ConceptSet("aerial_mobile", "Aerial scenes, MobileNetV2", "aerial_aid", _MOBILE, "blocks.6"),
)


def run(rounds: int, size_gb: float) -> dict[str, Any]:
    """Measure every set once; half an hour on one core."""
    return tabulate(range(1))


def tabulate(
    seeds: Sequence[int],
    *,
    out: Path | None = None,
    resume: bool = False,
    sets: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure, one seed after another; after each set the file is written anew."""
    from backends.errors import BadInput, WrongUse
    from backends.io.writers.atomic import write_text

    given = os.environ.get("CLEARBAND_DATA")
    if not given:
        raise BadInput("Set CLEARBAND_DATA to the folder of real data.")
    unknown = [name for name in sets if name not in {s.id for s in SETS}]
    if unknown:
        raise WrongUse(
            f"There is no set called {unknown[0]}.",
            way_out=f"Use: {', '.join(s.id for s in SETS)}.",
        )
    runs: list[dict[str, Any]] = []
    if resume and out is not None and out.is_file():
        runs = json.loads(out.read_text(encoding="utf-8"))["runs"]
    made: dict[str, Any] = {"machine": machine(), "paper": PAPER, "runs": runs}
    for seed in seeds:
        for one in SETS:
            done = any(r["set"] == one.id and r["seed"] == seed for r in runs)
            if done or (sets and one.id not in sets):
                continue
            began = time.perf_counter()
            measure: Callable[..., dict[str, Any]] = (
                _cube if not one.weights else _masks if one.id in SEGMENTED else _classes
            )
            found = measure(one, Path(given) / one.folder, Path(given), seed)
            seconds = round(time.perf_counter() - began)
            runs.append({"set": one.id, "title": one.title, "seed": seed, "seconds": seconds,
                         "concepts": one.concepts, "steps": one.steps, **found})  # fmt: skip
            if out is not None:
                write_text(out, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    return made


def text(made: dict[str, Any]) -> str:
    """Return the figures as lines."""
    from app.cli.console import table

    rows = {}
    for r in made["runs"]:
        told = [f"FVU {r['fvu']:.2f}, L0 {r['l0']:.1f}, dead {100 * r['dead']:.0f} %"]
        if "stability" in r:
            told.append(f"stability {r['stability']:.2f}, by chance {r['stability_chance']:.2f}")
        if "probe" in r:
            told.append(", ".join(f"{k} {100 * v:.1f} %" for k, v in r["probe"].items()))
        if "miou" in r:
            told.append("mIoU " + ", ".join(f"{k} {100 * v:.1f}" for k, v in r["miou"].items()))
        rows[f"{r['title']}, seed {r['seed']}"] = "; ".join(told)
    return table(rows)


def _settings(one: ConceptSet, seed: int) -> Any:
    from backends.concepts.autoencoder_training import Settings
    from backends.concepts.learning_concepts import LearnSettings

    how = Settings(one.steps, BATCH, 2e-3, seed=seed)
    return LearnSettings(one.concepts, 8, how, seed)


def _classes(one: ConceptSet, folder: Path, data: Path, seed: int) -> dict[str, Any]:
    """Measure on images in class folders."""
    from backends.concepts.bottleneck import BottleneckSettings
    from backends.concepts.bottleneck_folder import bottleneck_of, candidates_of
    from backends.concepts.learning_concepts import encode_folder, learn_concepts
    from backends.concepts.opening import make_encoder
    from backends.learning.grouping import GroupRule

    encoder = make_encoder("", data / one.weights, layer=one.layer)
    images, _ = encode_folder(
        folder, lambda scene: encoder, rule=GroupRule(block=one.block, gap=one.gap),
        gap=one.gap, seed=seed,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        made = learn_concepts(images, encoder, Path(out), _settings(one, seed))
        found = bottleneck_of(
            images, encoder, candidates_of(made, None, None), Path(out),
            BottleneckSettings(32, 10, seed=seed),
        )  # fmt: skip
    probe = dict(made.card["probe"])
    count = probe.pop("test_images")
    kept = ("accuracy", "probe_accuracy", "random_accuracy", "random_deviation", "test_explained")
    return {
        **_quality(made), **_stability(made, [images.patches[n] for n in images.of(0)], one, seed),
        "encoder": encoder.title, "test_images": count, "probe": probe,
        "bottleneck": {"concepts": len(found.names), **{k: found.figures[k] for k in kept}},
        "relations": made.card["relations"],
    }  # fmt: skip


def _masks(one: ConceptSet, folder: Path, data: Path, seed: int) -> dict[str, Any]:
    """Measure segmentation of nuclei: directions learnt on training images' patches."""
    from backends.concepts.learning_concepts import encode_folder, learn_concepts
    from backends.concepts.opening import make_encoder
    from backends.concepts.segment_folder import share_of_cells
    from backends.io.labels import open_labels

    encoder = make_encoder("", data / one.weights, layer=one.layer)
    images, _ = encode_folder(folder / "images", lambda scene: encoder, seed=seed)
    order = np.random.default_rng(seed).permutation(len(images.paths))
    part = np.zeros(len(order), np.int64)
    part[order[: len(order) * 3 // 10]] = 2
    images = type(images)(
        images.paths, images.patches, images.grids, images.label, (), part, images.skipped
    )
    with tempfile.TemporaryDirectory() as out:
        made = learn_concepts(images, encoder, Path(out), _settings(one, seed))
    masks = [
        np.asarray(open_labels(folder / "labels" / path.name).values > 0) for path in images.paths
    ]
    covered = [share_of_cells(m, g) for m, g in zip(masks, images.grids, strict=True)]
    # Cells that are clearly one or the other are learnt from; all pixels are measured.
    marks = [np.where(c > 0.6, 1, np.where(c < 0.2, 0, -1)).ravel() for c in covered]
    truth = {n: masks[n].astype(int) for n in images.of(2)}
    return {
        **_quality(made), **_stability(made, [images.patches[n] for n in images.of(0)], one, seed),
        "encoder": encoder.title, "test_images": len(truth),
        "miou": _segmented(made, images.patches, images.grids, marks, images.of(0), truth),
    }  # fmt: skip


def _cube(one: ConceptSet, folder: Path, data: Path, seed: int) -> dict[str, Any]:
    """Measure on the spectra of a cube: squares of 10 pixels are training or test."""
    from scipy.io import loadmat

    from backends.bands import BandTable
    from backends.concepts.encoders import SpectraEncoder
    from backends.concepts.feature_cache import Stack
    from backends.concepts.learning_concepts import EncodedImages, learn_concepts, random_concepts
    from backends.concepts.probe import fit_probe
    from backends.scene import ArraySource, Scene, SceneInfo

    values = loadmat(folder / "Indian_subset.mat")
    cube, truth = values["Indian_subset"], values["gt"].astype(int)
    info = SceneInfo(None, "hyperspectral", BandTable.build(cube.shape[2]), title=one.title)
    scene = Scene(ArraySource(cube), info)
    encoder = SpectraEncoder.of(scene)
    found = encoder.encode(scene)
    rows, cols = truth.shape
    squares = np.random.default_rng(seed).random((-(-rows // 10), -(-cols // 10))) < 0.5
    test = np.kron(squares, np.ones((10, 10)))[:rows, :cols].astype(bool).ravel()
    names = [n for n in np.unique(truth) if n]
    label = np.searchsorted(names, truth.ravel())
    label[truth.ravel() == 0] = -1
    halves = (found.values[~test], found.values[test])
    images = EncodedImages(
        (Path("train"), Path("test")), halves, tuple((len(h), 1) for h in halves),
        np.full(2, -1), (), np.array([0, 2]),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        # Names by spectra are not measured here.
        made = learn_concepts(images, _Plain(encoder), Path(out), _settings(one, seed))
    control = random_concepts(made, Stack([halves[0]]), seed)
    classes = [str(n) for n in names]
    probe = {}
    for name, table in (
        ("concepts", made.codes(found.values).dense()), ("opaque", found.values),
        ("random", control.codes(found.values).dense()),
    ):  # fmt: skip
        learn, check = (label >= 0) & ~test, (label >= 0) & test
        fitted = fit_probe((table[learn], label[learn]), None, classes)
        probe[name] = fitted.accuracy(table[check], label[check])
    marks = [np.where(test, -1, label)]
    held = {0: np.where(test, label, -1).reshape(rows, cols)}
    return {
        **_quality(made), **_stability(made, [halves[0]], one, seed),
        "encoder": encoder.title, "test_pixels": int(((label >= 0) & test).sum()),
        "probe": probe,
        "miou": _segmented(made, [found.values], [found.grid], marks, [0], held),
    }  # fmt: skip


class _Plain:
    """An encoder by its identity only: features are at hand."""

    def __init__(self, encoder: Any) -> None:
        self.title, self.digest, self.about = encoder.title, encoder.digest, encoder.about


def _segmented(
    made: Any,
    patches: Sequence[NDArray[Any]],
    grids: Sequence[tuple[int, int]],
    marks: Sequence[NDArray[Any]],
    training: Sequence[int],
    truth: dict[int, NDArray[Any]],
) -> dict[str, float]:
    from backends.concepts.segment_folder import to_pixels
    from backends.concepts.segmentation import ClassDirections, ConceptSegmentation, mean_iou

    learn = np.concatenate([np.asarray(patches[n], np.float32) for n in training])
    label = np.concatenate([marks[n] for n in training])
    count = int(label.max()) + 1
    directions = ClassDirections.from_labels(learn, label, [str(n) for n in range(count)])
    by_concepts = ConceptSegmentation(made, directions)
    told: dict[str, list[NDArray[Any]]] = {"concepts": [], "dense": []}
    wanted = []
    for number, mask in truth.items():
        values = np.asarray(patches[number], np.float32)
        for name, scores in (
            ("concepts", by_concepts.scores(made.codes(values))),
            ("dense", directions.scores(values)),
        ):
            told[name].append(
                to_pixels(scores.argmax(1).reshape(grids[number]), mask.shape).ravel()
            )
        wanted.append(mask.ravel())
    every = np.concatenate(wanted)
    return {name: mean_iou(every, np.concatenate(v), count)[0] for name, v in told.items()}


def _quality(made: Any) -> dict[str, float]:
    return {"fvu": made.quality.fvu, "l0": made.quality.l0, "dead": made.quality.dead,
            "features": made.sizes.features}  # fmt: skip


def _stability(
    made: Any, patches: Sequence[NDArray[Any]], one: ConceptSet, seed: int
) -> dict[str, float]:
    """Train from another start on the same patches; how well do the concepts that are on match?"""
    from backends.concepts.autoencoder import stability
    from backends.concepts.autoencoder_files import Dictionary
    from backends.concepts.autoencoder_training import begin, train
    from backends.concepts.feature_cache import Stack
    from backends.concepts.selection import random_directions

    training = Stack(patches)
    how = _settings(one, seed + OTHER_START).training
    state = train(begin(training, made.sizes, how), training, how)
    other = Dictionary(state.network.eval().requires_grad_(False), state.scaling, made.encoder)
    some = np.random.default_rng(seed).permutation(len(training))[:20_000]
    values = training[np.sort(some)]
    first, second = (d.directions[d.codes(values).frequency > 0] for d in (made, other))
    drawn = random_directions(len(second), second.shape[1], seed)
    return {
        "stability": stability(first, second), "stability_chance": stability(first, drawn),
    }  # fmt: skip
