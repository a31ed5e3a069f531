"""What a concept looks like: its strongest patches, how often and how strongly it is on, and
on cubes its mean spectrum with deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.concepts.codes import Codes
from backends.concepts.feature_cache import Stack
from backends.errors import BadInput, WrongUse

SHOWN = 9
STRONGEST = 30
BINS = 24
# Patches whose features point this much the same way are one and the same to the eye.
TWIN = 0.98
_LOOKED_AT = 60


@dataclass(frozen=True)
class Exemplar:
    """One patch that shows a concept.

    Attributes
    ----------
    image : int
        Number of the image it was trained on.
    cell : int
        Patch of that image, in row order.
    activation : float
    """

    image: int
    cell: int
    activation: float


@dataclass(frozen=True, eq=False)
class Exemplars:
    """Of every concept.

    Attributes
    ----------
    image, cell : int32 arrays of shape (concepts, 9)
        -1 where there are fewer.
    activation : float32 array of the same shape
    histogram : int64 array of shape (concepts, 24)
        Of activations between 0 and ``top``; the last bin holds all above.
    top : float32 array of shape (concepts,)
        99th percentile where it is on: one contrast for all images.
    frequency : float64 array of shape (concepts,)
        Share of the patches.
    """

    image: NDArray[np.int32]
    cell: NDArray[np.int32]
    activation: NDArray[np.float32]
    histogram: NDArray[np.int64]
    top: NDArray[np.float32]
    frequency: NDArray[np.float64]

    def of(self, concept: int) -> tuple[Exemplar, ...]:
        """Return a concept's patches, strongest first."""
        if not 0 <= concept < len(self.image):
            raise WrongUse(f"There is no concept {concept}.")
        return tuple(
            Exemplar(int(i), int(c), float(a))
            for i, c, a in zip(
                self.image[concept], self.cell[concept], self.activation[concept], strict=True
            )
            if i >= 0
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return arrays to store, by name."""
        return {f"exemplars.{name}": getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Exemplars:
        """Rebuild from `to_arrays`.

        Raises
        ------
        BadInput
        """
        try:
            return cls(**{name: arrays[f"exemplars.{name}"] for name in cls.__dataclass_fields__})
        except KeyError as error:
            raise BadInput("These concepts hold no exemplars.") from error


def strongest(codes: Codes, concept_entries: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Return the entries with the largest activation among some, strongest first."""
    value = codes.value[concept_entries].astype(np.float32)
    if len(value) > most:
        some = np.argpartition(-value, most - 1)[:most]
        concept_entries, value = concept_entries[some], value[some]
    return np.asarray(concept_entries[np.argsort(-value, kind="stable")], np.int64)


def find_exemplars(codes: Codes, patches: Stack) -> tuple[Exemplars, Any]:
    """Find the exemplars of all concepts in one look at the codes of all patches.

    Returns
    -------
    Exemplars
    sparse matrix of shape (concepts, concepts)
        Mean code of each concept's 30 strongest patches, for naming with relatives.
    """
    from scipy.sparse import csr_matrix

    count = codes.concepts
    order = np.argsort(codes.index, kind="stable")
    ends = np.searchsorted(codes.index[order], np.arange(count + 1))
    token = codes.token_of_entry
    image = np.full((count, SHOWN), -1, np.int32)
    cell = np.full((count, SHOWN), -1, np.int32)
    activation = np.zeros((count, SHOWN), np.float32)
    histogram = np.zeros((count, BINS), np.int64)
    top = np.zeros(count, np.float32)
    rows: list[NDArray[Any]] = []
    cols: list[NDArray[Any]] = []
    for concept in range(count):
        mine = order[ends[concept] : ends[concept + 1]]
        if not mine.size:
            continue
        value = codes.value[mine].astype(np.float32)
        top[concept] = np.percentile(value, 99)
        bins = np.minimum((value / max(top[concept], 1e-12) * (BINS - 1)).astype(int), BINS - 1)
        histogram[concept] = np.bincount(bins, minlength=BINS)
        best = strongest(codes, mine, _LOOKED_AT)
        tokens = token[best]
        rows.append(np.full(min(STRONGEST, len(tokens)), concept))
        cols.append(tokens[:STRONGEST])
        chosen = _apart(tokens, patches)
        for place, number in enumerate(chosen):
            image[concept, place], cell[concept, place] = patches.place_of(int(tokens[number]))
            activation[concept, place] = codes.value[best[number]]
    found = Exemplars(image, cell, activation, histogram, top, codes.frequency)
    if not rows:
        return found, csr_matrix((count, count), dtype=np.float32)
    r, c = np.concatenate(rows), np.concatenate(cols)
    share = (1.0 / np.bincount(r, minlength=count).clip(1))[r]
    picks = csr_matrix((share, (r, c)), (count, codes.tokens))
    return found, picks @ codes.matrix()


def _apart(tokens: NDArray[Any], patches: Stack) -> list[int]:
    """Choose up to nine that differ: no twins by features, no two of one image while others
    are left."""
    sorted_rows = np.argsort(tokens)
    values = np.empty((len(tokens), patches.parts[0].shape[1]), np.float32)
    values[sorted_rows] = patches[tokens[sorted_rows]]
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    images = [patches.place_of(int(t))[0] for t in tokens]
    chosen: list[int] = []
    for one_each in (True, False):
        for number in range(len(tokens)):
            if len(chosen) == SHOWN:
                return chosen
            if number in chosen or (one_each and images[number] in {images[n] for n in chosen}):
                continue
            if not chosen or (values[chosen] @ values[number]).max() <= TWIN:
                chosen.append(number)
    return sorted(chosen)


@dataclass(frozen=True, eq=False)
class ConceptSpectra:
    """The mean spectrum of each concept on a cube.

    Attributes
    ----------
    mean, deviation : float32 arrays of shape (concepts, bands)
        Weighted by activation; ``nan`` where a concept is nowhere.
    wavelength_nm : tuple of float
        Empty where unknown.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    wavelength_nm: tuple[float, ...] = ()


def concept_spectra(
    codes: Codes, spectra: NDArray[Any], wavelength_nm: Sequence[float] = ()
) -> ConceptSpectra:
    """Return mean and deviation of the spectra on which each concept is strongest, 30 pixels.

    Over all pixels a concept that is on nearly everywhere would look like the whole scene.

    Parameters
    ----------
    spectra : float array of shape (tokens, bands)
    """
    from scipy.sparse import csr_matrix

    if len(spectra) != codes.tokens:
        raise BadInput("Codes and spectra are not of the same pixels.")
    order = np.argsort(codes.index, kind="stable")
    ends = np.searchsorted(codes.index[order], np.arange(codes.concepts + 1))
    runs = [order[low:high] for low, high in pairwise(ends)]
    kept = np.concatenate([strongest(codes, run, STRONGEST) for run in runs])
    places = codes.index[kept].astype(np.int64), codes.token_of_entry[kept]
    value = codes.value[kept].astype(np.float64)
    weights = csr_matrix((value, places), (codes.concepts, codes.tokens))
    mass = np.asarray(weights.sum(1)).ravel()
    mass[mass == 0] = np.nan
    values = np.nan_to_num(np.asarray(spectra, np.float64))
    centre = values.mean(0)
    values = values - centre  # two large squares would take each other's digits
    mean = (weights @ values) / mass[:, None]
    square = (weights @ np.square(values)) / mass[:, None]
    deviation = np.sqrt(np.maximum(square - np.square(mean), 0))
    return ConceptSpectra(
        (mean + centre).astype(np.float32), deviation.astype(np.float32), tuple(wavelength_nm)
    )
