"""Scenes written anew from their own components: without noise, or with bands that differ more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.georeference import GeoReference
from backends.io.writers.cubes import Cube, write_cube
from backends.scene import Scene
from backends.spectra.background import NEGLIGIBLE, background_of
from backends.spectra.cubes import BUDGET, cube_summary, made_by, taken_bands
from backends.spectra.transforms import METHODS, transform_of

if TYPE_CHECKING:
    from backends.jobs import Progress

MOST_LISTED = 300


def denoise(
    scene: Scene,
    path: Path,
    method: str = "mnf",
    keep: Sequence[int] | None = None,
    *,
    components: int = 10,
    dark: NDArray[np.bool_] | None = None,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a scene made of some of its components only (Green et al. 1988 for MNF).

    Bands that the transform leaves out (bad, empty) and pixels with holes stay as they are.

    Parameters
    ----------
    method : str
        ``"mnf"``, ``"pca"`` or ``"ica"``.
    keep : sequence of int, optional
        Components from 0; default the first ``components``.
    dark : bool array of shape (rows, cols), optional
        See `backends.spectra.transforms.transform_of`.

    Raises
    ------
    WrongUse
        There are not so many components, or none is kept.
    """
    chosen = list(range(components)) if keep is None else sorted(set(keep))
    if not chosen:
        raise WrongUse("No component is kept.", way_out="Keep at least one.")
    found = transform_of(scene, method, max(chosen) + 1, dark=dark, seed=seed, progress=progress)
    if max(chosen) >= found.count:
        raise WrongUse(
            f"There are {found.count} components, not {max(chosen) + 1}.",
            way_out=f"Keep some of 1 to {found.count}.",
        )
    # Both ways in one product: as many multiplications as bands, whatever is kept.
    there_and_back = (found.forward[:, chosen] @ found.backward[chosen]).astype(np.float32)
    mean, used = found.mean.astype(np.float32), np.asarray(found.bands)
    cube = _cube(scene, list(range(scene.shape[2])), "denoise", command)
    removed = [0.0, 0]

    def strips() -> Iterator[NDArray[Any]]:
        for window, values in scene.blocks(budget_bytes=BUDGET, progress=progress):
            flat = np.array(values.reshape(-1, scene.shape[2]), np.float32)
            part = flat[:, used]
            valid = np.isfinite(part).all(axis=1)
            centred = part[valid] - mean
            restored = centred @ there_and_back
            removed[0] += float(np.square(centred - restored, dtype=np.float64).sum())
            removed[1] += restored.size
            flat[np.ix_(np.flatnonzero(valid), used)] = restored + mean
            yield flat.reshape(window.height, window.width, scene.shape[2])

    written = write_cube(cube, strips(), path, progress=progress)
    rms = float(np.sqrt(removed[0] / removed[1])) if removed[1] else 0.0
    left = scene.shape[2] - len(used)
    notes = [f"{left} bands are as they were: bad, or empty."] if left else []
    return cube_summary(
        cube, written, method=METHODS[method], kept=len(chosen), components_kept=_words(chosen),
        removed_rms=rms, eigenvalues=[float(v) for v in found.every[:MOST_LISTED]], notes=notes,
    )  # fmt: skip


def decorrelate(
    scene: Scene,
    path: Path,
    bands: Sequence[int],
    *,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write bands whose correlation is taken away (decorrelation stretch, Gillespie et al. 1986).

    Along their principal components the bands are brought to one spread, and turned back: means
    and deviations of the bands stay, colours lie as far apart as they can.

    Parameters
    ----------
    bands : sequence of int
        Two or more; three make a picture.

    Raises
    ------
    WrongUse
        There are fewer than two.
    BadInput
        One is the same everywhere, or follows from the others.
    """
    chosen = list(dict.fromkeys(bands))
    if len(chosen) < 2:
        raise WrongUse(
            "Correlation is between bands: name two or more.", way_out="Three make a picture."
        )
    found = background_of(scene, chosen, progress=progress)
    spread = np.sqrt(np.diag(found.covariance))
    if not (spread > 0).all():
        name = scene.bands.names[chosen[int(np.argmin(spread))]]
        raise BadInput(f"{name} is the same everywhere.", way_out="Take another band.")
    values, vectors = np.linalg.eigh(found.covariance / np.outer(spread, spread))
    if values[0] <= NEGLIGIBLE * values[-1]:
        raise BadInput(
            "One of the bands follows from the others, so nothing tells them apart.",
            way_out="Take bands that differ.",
        )
    turn = (vectors / np.sqrt(values)) @ vectors.T
    matrix = (turn / spread[:, None] * spread[None]).astype(np.float32)
    mean = found.mean.astype(np.float32)
    cube = _cube(scene, chosen, "decorrelation stretch", command)

    def strips() -> Iterator[NDArray[Any]]:
        for window, part in scene.blocks(chosen, budget_bytes=BUDGET, progress=progress):
            flat = part.reshape(-1, len(chosen))
            yield ((flat - mean) @ matrix + mean).reshape(window.height, window.width, len(chosen))

    written = write_cube(cube, strips(), path, progress=progress)
    likeness = found.covariance / np.outer(spread, spread)
    before = float(np.abs(likeness[np.triu_indices(len(chosen), 1)]).mean())
    return cube_summary(
        cube, written, of=[scene.bands.label(b) for b in chosen], correlation_before=before
    )


def _cube(scene: Scene, bands: Sequence[int], what: str, command: str) -> Cube:
    place = scene.place if isinstance(scene.place, GeoReference) else None
    return Cube(
        (*scene.shape[:2], len(bands)), np.dtype(np.float32), taken_bands(scene.bands, bands),
        place, float("nan"), 1.0, scene.info.unit, scene.title, made_by(what, scene, command),
    )  # fmt: skip


def _words(chosen: Sequence[int]) -> str:
    """Return component numbers from 1 as ``1-8,10``."""
    parts: list[list[int]] = []
    for number in chosen:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{p[0] + 1}" if len(p) == 1 else f"{p[0] + 1}-{p[-1] + 1}" for p in parts)
