"""Where a training begins: a file, or published weights that somebody asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.jobs import Progress
from backends.learning.trained_networks import read_card

if TYPE_CHECKING:
    from backends.learning.architectures import Architecture

PUBLISHED = "published"


def find_start(kind: Architecture, wanted: str, progress: Progress | None = None) -> Path:
    """Return the file of weights to start from.

    Parameters
    ----------
    kind : Architecture
    wanted : str
        A file, or ``"published"``: those that the owner of the architecture gives out,
        downloaded on first use and checked; see `backends.explain.published`.

    Raises
    ------
    BadInput
        No such file.
    MissingCapability
        There are no published ones, or the network cannot be reached.
    """
    if wanted == PUBLISHED:
        from backends.explain import published, shelf
        from backends.explain.building import Blueprint

        entry = next((e for e in shelf.entries() if e.id == kind.id), None)
        plan = entry.blueprint if entry else Blueprint(kind.library, kind.name)
        return published.fetch(plan, kind.title, progress)
    path = Path(wanted).expanduser()
    if not path.is_file():
        raise BadInput(f"The weights {path.name} do not exist.", subject=path)
    return path


def start_normal(
    kind: Architecture, path: Path, bands: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of a band, 0..1, that weights want their input to have.

    By the card of a network taught here, by what is known of the file, else as the
    architecture's published weights have it; another number of bands gets their mean.
    """
    from backends.explain.shelf import known_files

    card = read_card(path) if path.suffix == ".safetensors" else None
    known = known_files().get(file_digest(path))
    if card is not None:
        mean, std = card["mean"], card["std"]
    elif known is not None:
        mean, std = known.mean, known.std
    else:
        mean, std = kind.normal
    if len(mean) != bands:
        mean, std = [float(np.mean(mean))] * bands, [float(np.mean(std))] * bands
    return np.asarray(mean, np.float32), np.asarray(std, np.float32)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
