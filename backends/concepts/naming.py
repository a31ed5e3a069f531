"""What to call a concept: by words where the encoder has a text tower, else by what it shows.

With words, source: Insight, arXiv 2601.13798. A fine concept of a nested dictionary is what is
left beside its parents; its bare direction means nothing to the words. So its relatives are
added before it is named: m_i is the mean code of its strongest patches, kept where a relation
(or itself) is, scaled, decoded, and the nearest words are found.

Without words nothing is made up: a concept is called by its number and said to be seen in
such images, or to be like such a spectrum of a library.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.autoencoder_files import Dictionary
from backends.concepts.candidates import TextTower
from backends.concepts.exemplars import ConceptSpectra, Exemplars
from backends.concepts.relations import Relation
from backends.concepts.towers import OpenClipTower
from backends.errors import BadInput
from backends.io.writers.atomic import replacing

__all__ = ["OpenClipTower", "embed_vocabulary", "name_by_exemplars", "name_by_spectra",
           "name_with_words", "vectors_with_relatives"]  # fmt: skip

RUNNERS_UP = 6
# As published: lengths of the mixed codes are brought to their mean times this.
STRETCH = 1.33
# Word by word kinds of sentence; the kind that fits a concept best counts.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "thing": ("a photo of a {}.", "a picture of the {}.", "an image with a {} in it.",
              "the {} seen from near.", "the {} seen from above.", "a detail of a {}."),
    "property": ("a photo of something {}.", "a {} surface.", "a {} texture.",
                 "an image that looks {}.", "something that is {}.", "a {} place."),
    "happening": ("a photo of someone {}.", "a picture of {}.", "an image that shows {}.",
                  "something {}.", "a scene of {}.", "people {}."),
}  # fmt: skip


def embed_vocabulary(
    words: Sequence[str], tower: TextTower, folder: Path | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return unit embeddings of words, a kind of sentence, shape (words, d) each; kept on disk.

    The file's name holds the tower, the words and the sentences.
    """
    words = list(words)
    if not words:
        raise BadInput("The vocabulary is empty.")
    told = "\n".join([tower.digest, *words, *map(repr, FAMILIES.items())])
    folder = folder or _folder()
    out = {}
    for family, sentences in FAMILIES.items():
        key = hashlib.sha256(f"{family}\n{told}".encode()).hexdigest()
        path = folder / f"{key}.npy"
        try:
            found = np.load(path, allow_pickle=False)
            if found.shape[0] == len(words):
                out[family] = found
                continue
        except (OSError, ValueError):
            pass
        total = np.mean([tower.embed([s.format(w) for w in words]) for s in sentences], axis=0)
        out[family] = np.asarray(_unit(total), np.float32)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as inner, inner.open("wb") as stream:
            np.save(stream, out[family], allow_pickle=False)
    return out


def vectors_with_relatives(
    dictionary: Dictionary, mean_codes: Any, relations: Sequence[Relation]
) -> NDArray[np.float32]:
    """Return what to compare with words, a concept: unit vectors of shape (concepts, d).

    Parameters
    ----------
    mean_codes : sparse matrix of shape (concepts, concepts)
        Of `exemplars.find_exemplars`.
    """
    from scipy.sparse import csr_matrix, identity

    count = dictionary.sizes.concepts
    child = [r.child for r in relations]
    parent = [r.parent for r in relations]
    strength = [r.strength for r in relations]
    related = csr_matrix((strength, (child, parent)), (count, count)) + identity(count)
    mixed = csr_matrix(mean_codes.multiply(related))
    length = np.sqrt(np.asarray(mixed.multiply(mixed).sum(1)).ravel())
    own = np.sqrt(np.asarray(mean_codes.multiply(mean_codes).sum(1)).ravel())
    live = own > 0
    wanted = STRETCH * float(own[live].mean()) if live.any() else 0.0
    scale = np.where(length > 0, wanted / np.maximum(length, 1e-12), 0)
    scaled = csr_matrix(mixed.multiply(scale[:, None]))
    made = np.asarray(scaled @ dictionary.directions) + dictionary.offset
    return np.asarray(_unit(dictionary.scaling.undo(made)), np.float32)


def name_with_words(
    vectors: NDArray[Any],
    words: Sequence[str],
    embeddings: Mapping[str, NDArray[Any]],
    *,
    verified: bool = True,
    live: NDArray[np.bool_] | None = None,
) -> dict[int, dict[str, Any]]:
    """Return, a concept, its name and six runners-up with their cosines.

    Parameters
    ----------
    verified : bool
        False where the image is none the tower has seen the like of (no RGB): said beside it.
    """
    cosines = {family: vectors @ values.T for family, values in embeddings.items()}
    best = np.stack([c.max(1) for c in cosines.values()])
    families = list(cosines)
    out: dict[int, dict[str, Any]] = {}
    for concept in range(len(vectors)):
        if live is not None and not live[concept]:
            continue
        family = families[int(best[:, concept].argmax())]
        row = cosines[family][concept]
        order = np.argsort(-row, kind="stable")[: RUNNERS_UP + 1]
        out[concept] = {
            "name": words[int(order[0])],
            "cosine": float(row[order[0]]),
            "runners_up": [words[int(n)] for n in order[1:]],
            "how": f"words, as a {family}, with relatives",
            "verified": verified,
        }
    return out


def name_by_exemplars(
    found: Exemplars, labels: Sequence[str] = (), prefix: str = "concept"
) -> dict[int, dict[str, Any]]:
    """Return, a concept, its number and in which images it is strongest: no claim what it is.

    Parameters
    ----------
    labels : sequence of str
        Class of each image; empty where there are none.
    """
    out: dict[int, dict[str, Any]] = {}
    for concept in range(len(found.image)):
        patches = found.of(concept)
        if not patches:
            continue
        said = f"{prefix} {concept}"
        seen: list[str] = []
        if labels:
            counted = Counter(labels[p.image] for p in patches).most_common()
            seen = [f"{name}: {number}" for name, number in counted]
            if 2 * counted[0][1] > len(patches) and len(patches) >= 3:
                said += f", mostly in {counted[0][0]}"
        out[concept] = {
            "name": said, "runners_up": seen, "how": "exemplars", "verified": False,
        }  # fmt: skip
    return out


def name_by_spectra(
    spectra: ConceptSpectra,
    library: tuple[Sequence[str], NDArray[Any]] | None = None,
    *,
    close: float = 0.15,
) -> dict[int, dict[str, Any]]:
    """Return, a concept, the library signature nearest to its mean spectrum, or where it peaks.

    Parameters
    ----------
    library : (names, spectra of shape (references, bands)), optional
        On the same bands.
    close : float
        Largest spectral angle (rad) at which the name is given as "like"; runners-up always are.
    """
    from backends.spectra.similarity import spectral_angle

    out: dict[int, dict[str, Any]] = {}
    nm = np.asarray(spectra.wavelength_nm)
    for concept in np.flatnonzero(np.isfinite(spectra.mean).all(1)):
        mean = spectra.mean[concept]
        said, others = f"concept {concept}", []
        if library is not None:
            names, values = library
            angle = spectral_angle(mean[None], np.asarray(values, np.float32))[0]
            order = np.argsort(angle, kind="stable")[: RUNNERS_UP + 1]
            others = [f"{names[int(n)]} ({angle[n]:.3f} rad)" for n in order]
            if angle[order[0]] <= close:
                said += f", like {names[int(order[0])]}"
        elif nm.size:
            said += f", highest at {nm[int(mean.argmax())]:.0f} nm"
        out[int(concept)] = {
            "name": said, "runners_up": others, "how": "mean spectrum", "verified": False,
        }  # fmt: skip
    return out


def _unit(values: NDArray[Any]) -> NDArray[Any]:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(length, 1e-12))


def _folder() -> Path:
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "vocabularies"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "vocabularies"
