"""What a study is made of, and what it found: images, networks, records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.explain.consistency import Consistency, MaskingDrop
from backends.explain.localisation import Localisation
from backends.explain.perturbation import MEAN, ZERO, Ledger, Substrate

if TYPE_CHECKING:
    from torch import Tensor

# Maps are compared between networks, whose grids differ, on this one.
GRID = (56, 56)


@dataclass(frozen=True, eq=False)
class StudyImage:
    """An image with its class.

    Attributes
    ----------
    name : str
    label : int
        Class number from 0.
    load : callable
        Returns the pixels, shape (rows, cols) or (rows, cols, bands).
    mask : callable, optional
        Returns where the thing is, shape (rows, cols).
    group : str
        Patient, slide; for the report.
    """

    name: str
    label: int
    load: Callable[[], NDArray[Any]]
    mask: Callable[[], NDArray[Any]] | None = None
    group: str = ""


@dataclass(frozen=True, eq=False)
class StudyModel:
    """A network with what the protocol needs of it, as plain functions.

    Attributes
    ----------
    name, architecture : str
        Models of one architecture are taken as the same network trained with other seeds.
    prepare : callable
        Image array -> float tensor of shape (bands, rows, cols).
    predict : callable
        Tensor (n, bands, rows, cols) -> probabilities (n, classes).
    explain : callable
        Tensor (bands, rows, cols), class number -> raw map (rows, cols).
    to_input : callable, optional
        Mask of the image -> mask at the network's input; default plain scaling.
    deletion, insertion, masking : Substrate
        ``masking`` is the study's 0 by default.
    note : str
        ``"random weights"``, where it was trained.
    """

    name: str
    architecture: str
    prepare: Callable[[NDArray[Any]], Tensor]
    predict: Callable[[Tensor], Tensor]
    explain: Callable[[Tensor, int], NDArray[Any]]
    to_input: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    deletion: Substrate = MEAN
    insertion: Substrate = MEAN
    masking: Substrate = ZERO
    note: str = ""


@dataclass(frozen=True)
class StudySettings:
    """How a study is made.

    Attributes
    ----------
    maps_per_class : int
        Images of each class that are explained; the same for every network.
    explained : str
        ``"label"``: the true class, as in the study. ``"answer"``: the network's own.
    steps, random_maps, random_steps : int
        Of the curves; see `curves.faithfulness`.
    batch, seed : int
    """

    maps_per_class: int = 8
    explained: str = "label"
    steps: int = 8
    random_maps: int = 20
    random_steps: int = 4
    batch: int = 8
    seed: int = 0


@dataclass(frozen=True, eq=False)
class MapRecord:
    """What was measured of one map.

    Attributes
    ----------
    image : int
        Number in the study's images.
    target : int
        The class explained.
    probability : float
        The network's, of that class.
    right : bool
        Whether the network's answer is the label.
    drop : MaskingDrop
        The study's faithfulness, and its place among random maps.
    faithfulness, insertion_auc, deletion_auc : float
        Ours; nan for a map without contrast.
    localisation : Localisation or None
    values : float32 array of shape `GRID`
    """

    image: int
    target: int
    probability: float
    right: bool
    drop: MaskingDrop
    faithfulness: float
    insertion_auc: float
    deletion_auc: float
    localisation: Localisation | None
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What one network did.

    Attributes
    ----------
    model, architecture, note : str
    answers : int64 array of shape (images,)
        Class given; -1 where the image could not be read.
    records : tuple of MapRecord
    seconds : float
    cost : Ledger
    """

    model: str
    architecture: str
    note: str
    answers: NDArray[np.int64]
    records: tuple[MapRecord, ...]
    seconds: float
    cost: Ledger


@dataclass(frozen=True, eq=False)
class Study:
    """All results; `study_tables` makes tables and the report of it.

    Attributes
    ----------
    class_names : tuple of str
    images : tuple of StudyImage
    labels : int64 array of shape (images,)
    models : tuple of ModelResult
    over_seeds : mapping of architecture to Consistency
        Where an architecture has more than one network.
    across : Consistency or None
        The first network of each architecture.
    unread : tuple of (name, sentence)
    settings : StudySettings
    seconds : float
    notes : tuple of str
        Of the images and networks: what they share, how they were made.
    """

    class_names: tuple[str, ...]
    images: tuple[StudyImage, ...]
    labels: NDArray[np.int64]
    models: tuple[ModelResult, ...]
    over_seeds: dict[str, Consistency]
    across: Consistency | None
    unread: tuple[tuple[str, str], ...]
    settings: StudySettings = field(default_factory=StudySettings)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
