"""A bottleneck from encoded images: pooled embeddings, candidates from words or concepts."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.bottleneck import (
    BOTTLENECK_FILE,
    Bottleneck,
    BottleneckSettings,
    Embeddings,
    build,
    save_bottleneck,
)
from backends.concepts.candidates import (
    Candidates,
    TextTower,
    fit_to_choose,
    from_directions,
    from_phrases,
)
from backends.concepts.encoders import Encoder
from backends.concepts.learning_concepts import EncodedImages
from backends.errors import BadInput
from backends.io.writers.atomic import write_text
from backends.jobs import Progress

TABLE_FILE = "bottleneck.csv"


def embeddings_of(images: EncodedImages) -> Embeddings:
    """Return one embedding an image: the mean of its patches.

    Raises
    ------
    BadInput
        The images have no classes.
    """
    if not images.classes:
        raise BadInput(
            "A bottleneck decides between classes; these images have none.",
            way_out="Give a folder with one folder a class.",
        )
    values = np.stack([np.asarray(p, np.float32).mean(0) for p in images.patches])
    return Embeddings(values, images.label, images.part, images.classes)


def candidates_of(
    dictionary: Dictionary | None, words: Path | None, tower: TextTower | None
) -> Candidates:
    """Return candidates: of words where a text tower is given, of a dictionary, or both."""
    found: Candidates | None = None
    if words is not None:
        if tower is None:
            raise BadInput(
                "Words mean nothing without the encoder's text tower.",
                way_out="Name it (--tower), or take the concepts of an autoencoder.",
            )
        found = from_phrases(read_words(words), tower)
    if dictionary is not None:
        count = dictionary.sizes.concepts
        alive = dictionary.extra.get("exemplars.frequency")
        names = [dictionary.name(n) for n in range(count)]
        more = from_directions(dictionary.directions, names, None if alive is None else alive > 0)
        found = more if found is None else found.and_also(more)
    if found is None:
        raise BadInput("There are no concepts to choose from.")
    return found


def read_words(path: Path) -> list[str]:
    """Return the phrases of a file, one a line.

    Raises
    ------
    BadInput
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The words {path.name} cannot be read.", subject=path) from error
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise BadInput(f"{path.name} holds no words.", subject=path)
    return found


def bottleneck_of(
    images: EncodedImages,
    encoder: Encoder,
    candidates: Candidates,
    out: Path,
    settings: BottleneckSettings | None = None,
    progress: Progress | None = None,
) -> Bottleneck:
    """Filter, build, and write ``bottleneck.safetensors`` and a table of the concepts."""
    data = embeddings_of(images)
    train, _ = data.of(0)
    kept = fit_to_choose(candidates, train - train.mean(0), data.classes)
    about: dict[str, Any] = {**encoder.about, "digest": encoder.digest, "title": encoder.title}
    made = build(data, kept, settings, encoder=about, progress=progress)
    made.figures["candidates"] = len(candidates)
    made.figures["dropped"] = [list(pair) for pair in kept.dropped[:200]]
    out.mkdir(parents=True, exist_ok=True)
    save_bottleneck(made, out / BOTTLENECK_FILE)
    write_text(out / TABLE_FILE, table_of(made, data.classes))
    return made


def table_of(made: Bottleneck, classes: Sequence[str]) -> str:
    """Return the concepts as CSV: order, energy gained, weight for each class."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["order", "concept", "source", "energy_explained", *classes])
    for number, name in enumerate(made.names):
        weights = [f"{w:.6g}" for w in made.head.weight[:, number]]
        explained = f"{made.selection.explained[number]:.6f}"
        writer.writerow([number + 1, name, made.sources[number], explained, *weights])
    return stream.getvalue()
