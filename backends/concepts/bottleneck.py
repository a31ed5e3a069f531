"""PCBM-ReD: decisions through a few independent concepts, with what that costs said beside.

Source: arXiv 2601.12303. Pooled embeddings are centred and brought to unit length; m concepts
are chosen (`selection`); each image is a few of them (`decomposition`); a linear head decides
on these weights alone. Always beside it: the same with m directions drawn at random, and a
linear probe on the whole embeddings. Near m = d any set of directions does as well as any
other, and that is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.candidates import Candidates
from backends.concepts.decomposition import decompose, left_over
from backends.concepts.probe import Part, Probe, fit_probe
from backends.concepts.selection import Selection, random_directions, select
from backends.errors import BadInput, WrongUse
from backends.io.writers.atomic import replacing
from backends.jobs import Progress

FORMAT = "clearband bottleneck 1"
BOTTLENECK_FILE = "bottleneck.safetensors"
CONTROLS = 3


@dataclass(frozen=True)
class BottleneckSettings:
    """How the bottleneck is built.

    Attributes
    ----------
    concepts : int
        m; at most 128 unless asked for.
    active : int
        Concepts an image.
    how : str
        ``"nonnegative"`` or ``"omp"``.
    seed : int
        Of the random controls.
    """

    concepts: int = 64
    active: int = 12
    how: str = "nonnegative"
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Pooled embeddings of images with their classes, in three parts.

    Attributes
    ----------
    values : float32 array of shape (n, d)
    label : int64 array of shape (n,)
    part : int array of shape (n,)
        0 training, 1 validation, 2 test, below 0 left out.
    classes : tuple of str
    """

    values: NDArray[np.float32]
    label: NDArray[np.int64]
    part: NDArray[Any]
    classes: tuple[str, ...]

    def of(self, part: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return embeddings and labels of a part."""
        mine = self.part == part
        return self.values[mine], self.label[mine]


@dataclass(eq=False)
class Bottleneck:
    """A trained bottleneck.

    Attributes
    ----------
    directions : float64 array of shape (m, d)
    names, sources : tuples of str
    centre : float32 array of shape (d,)
        Mean of the training embeddings.
    head : Probe
        On the weights of the concepts.
    selection : Selection
    settings : BottleneckSettings
    encoder : mapping
    figures : mapping
        ``accuracy``, ``probe_accuracy``, ``random_accuracy`` (mean and deviation), ``explained``,
        ``test_explained``: all on test images.
    """

    directions: NDArray[np.float64]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    centre: NDArray[np.float32]
    head: Probe
    selection: Selection
    settings: BottleneckSettings
    encoder: Mapping[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def weights(self, embeddings: NDArray[Any]) -> NDArray[np.float64]:
        """Return how much of each concept is in each image, shape (n, m)."""
        return decompose(
            centred(embeddings, self.centre), self.directions, self.settings.active,
            how=self.settings.how,
        )  # fmt: skip

    def explain(
        self, embedding: NDArray[Any], target: int, most: int = 10
    ) -> tuple[tuple[Part, ...], float]:
        """Return what each concept adds to a class, and the share of the embedding left over.

        The parts (all others are -2, the bias -1) sum to the logit; what is left over adds
        nothing, by construction.
        """
        w = self.weights(embedding[None])[0]
        rest = left_over(centred(embedding[None], self.centre), self.directions, w[None])
        return self.head.parts(w, target, most), float(rest[0])


def centred(embeddings: NDArray[Any], centre: NDArray[Any]) -> NDArray[np.float64]:
    """Return embeddings less their mean, of unit length."""
    moved = np.asarray(embeddings, np.float64) - centre
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12))


def build(
    data: Embeddings,
    candidates: Candidates,
    settings: BottleneckSettings | None = None,
    *,
    encoder: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Bottleneck:
    """Choose concepts, decompose, fit the head, and measure it beside its controls.

    Validation images choose the head's regularisation; nothing of the test is looked at
    before the end.

    Raises
    ------
    BadInput
        Too few images, or embeddings and candidates do not fit.
    """
    settings, progress = settings or BottleneckSettings(), progress or Progress()
    train, label = data.of(0)
    test, truth = data.of(2)
    if len(train) < 2 or not len(test):
        raise BadInput(
            "A bottleneck needs images to learn from and images to be tested on; there are "
            f"{len(train)} and {len(test)}.",
            way_out="Give more images of each class.",
        )
    progress.start(3 + CONTROLS, "steps", "Choosing concepts")
    centre = train.mean(0)
    values = centred(train, centre)
    chosen = select(candidates.directions, values, settings.concepts, progress=progress)
    progress.advance()
    kept = candidates.take(chosen.chosen)
    made = Bottleneck(
        _unit(kept.directions), kept.names, kept.sources, centre,
        Probe(np.zeros((1, 1)), np.zeros(1), ()), chosen, settings, dict(encoder or {}),
    )  # fmt: skip
    made.head, accuracy, rest = _head(made.directions, data, centre, settings, progress)
    progress.advance()
    probe = fit_probe((values, label), _validation(data, centre), data.classes, progress=progress)
    progress.advance()
    random = []
    for number in range(CONTROLS):
        drawn = random_directions(len(chosen.chosen), values.shape[1], settings.seed + number)
        random.append(_head(drawn, data, centre, settings, progress)[1])
        progress.advance()
    made.figures = {
        "accuracy": accuracy,
        "probe_accuracy": probe.accuracy(centred(test, centre), truth),
        "random_accuracy": float(np.mean(random)),
        "random_deviation": float(np.std(random)),
        "explained": chosen.explained.tolist(),
        "test_explained": 1 - rest,
        "test_images": len(test),
        "warning": chosen.warning,
    }
    return made


def _validation(
    data: Embeddings, centre: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    values, label = data.of(1)
    return (centred(values, centre), label) if len(values) else None


def _head(
    directions: NDArray[np.float64],
    data: Embeddings,
    centre: NDArray[Any],
    settings: BottleneckSettings,
    progress: Progress,
) -> tuple[Probe, float, float]:
    """Return the head, its test accuracy, and the share of the test's energy left over."""
    found = []
    rest = 0.0
    for part in range(3):
        values, label = data.of(part)
        moved = centred(values, centre)
        w = decompose(moved, directions, settings.active, how=settings.how, progress=progress)
        found.append((w, label))
        if part == 2:
            rest = float(left_over(moved, directions, w).mean())
    validation = found[1] if len(found[1][0]) else None
    head = fit_probe(found[0], validation, data.classes, progress=progress)
    return head, head.accuracy(*found[2]), rest


def save_bottleneck(made: Bottleneck, path: Path) -> None:
    """Write it as safetensors; the card stands in the header."""
    from safetensors.numpy import save_file

    arrays = {
        "directions": made.directions, "centre": made.centre, "weight": made.head.weight,
        "bias": made.head.bias, "chosen": made.selection.chosen,
        "explained": made.selection.explained,
    }  # fmt: skip
    about = {
        "format": FORMAT, "names": made.names, "sources": made.sources,
        "classes": made.head.classes, "settings": vars(made.settings),
        "encoder": dict(made.encoder), "figures": made.figures,
    }  # fmt: skip
    with replacing(path, folders=True) as inner:
        plain = {n: np.ascontiguousarray(v) for n, v in arrays.items()}
        save_file(plain, inner, metadata={"clearband": json.dumps(about, ensure_ascii=False)})


def load_bottleneck(path: Path, encoder_digest: str | None = None) -> Bottleneck:
    """Read it.

    Raises
    ------
    BadInput
        No such file, damaged, or made for another encoder.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BadInput(f"{path.name} does not exist.", subject=path, way_out="Check the name.")
    try:
        with safe_open(path, "np") as file:
            about = json.loads((file.metadata() or {})["clearband"])
            arrays = {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118
        if about["format"] != FORMAT:
            raise ValueError(about["format"])
        directions = arrays["directions"]
        made = Bottleneck(
            directions, tuple(about["names"]), tuple(about["sources"]), arrays["centre"],
            Probe(arrays["weight"], arrays["bias"], tuple(about["classes"])),
            Selection(arrays["chosen"], arrays["explained"], directions.shape[1]),
            BottleneckSettings(**about["settings"]), about["encoder"], about["figures"],
        )  # fmt: skip
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise BadInput(
            f"{path.name} is no bottleneck that Clearband built, or is damaged.",
            subject=path,
            details=repr(error),
        ) from error
    if encoder_digest is not None and made.encoder.get("digest") != encoder_digest:
        raise BadInput(
            f"This bottleneck was built on {made.encoder.get('title', 'another encoder')}.",
            way_out="Use that encoder.",
        )
    return made


def lines(made: Bottleneck) -> Sequence[tuple[str, str]]:
    """Return the figures in words, always with the controls."""
    f = made.figures
    if not f:
        raise WrongUse("This bottleneck was not measured.")
    told = [
        ("Concepts", f"{len(made.names)} of {made.selection.features} dimensions, "
         f"at most {made.settings.active} an image"),
        ("Accuracy", f"{100 * f['accuracy']:.1f} % of {f['test_images']} test images"),
        ("Opaque linear probe", f"{100 * f['probe_accuracy']:.1f} %"),
        ("Random concepts", f"{100 * f['random_accuracy']:.1f} ± "
         f"{100 * f['random_deviation']:.1f} %, {CONTROLS} draws of equal size"),
        ("Energy kept", f"{100 * f['test_explained']:.0f} % of test embeddings"),
    ]  # fmt: skip
    if f["warning"]:
        told.append(("Warning", f["warning"]))
    if f["accuracy"] <= f["random_accuracy"] + f["random_deviation"]:
        told.append(
            ("Note", "Random concepts do as well: the accuracy says nothing for these concepts.")
        )
    return told


def _unit(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float64)
