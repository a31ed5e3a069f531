"""Maps beside the yes or no of rules: indices of burnt and burning ground, codes of GOES.

Rules G and I over whole scenes, read in strips. dNBR and the fall of the vegetation index
compare with a flight before the fire, which must lie on the same grid.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, ClearbandError, WrongUse
from backends.fire.fields import FireImage
from backends.fire.question import FireQuestion, reader_words
from backends.fire.roles import ROLES
from backends.fire.rules import goes, indices
from backends.fire.several_passes import why_not_one_grid
from backends.jobs import Progress
from backends.overlays import ClassMap, Overlay, Provenance, ScoreMap
from backends.scene import Scene, Window

_STRIP = 512
Array = NDArray[Any]


@dataclass(frozen=True)
class FireMap:
    """A map that can be asked for.

    Attributes
    ----------
    id, title, source, purpose : str
    needs : tuple of str
        Roles of bands.
    wants_before : bool
        It compares with a flight before the fire.
    limit : float or None
        From where on (below, for the burn ratio) a pixel counts.
    """

    id: str
    title: str
    source: str
    purpose: str
    needs: tuple[str, ...] = ()
    wants_before: bool = False
    limit: float | None = None


MAPS: dict[str, FireMap] = {
    made.id: made
    for made in (
        FireMap("nbr", "G Burn ratio (NBR)", "Key, Benson 2006",
                "Low where burnt or burning", ("nir", "swir2"), limit=-0.2),
        FireMap("dnbr", "G Fall of the burn ratio (dNBR)", "Key, Benson 2006",
                "High where it burnt since", ("nir", "swir2"), True, 0.27),
        FireMap("ndvi", "G Vegetation index (NDVI)", "Rouse 1974",
                "High where plants are green", ("red", "nir")),
        FireMap("ndvi-drop", "G Fall of the vegetation index", "MASTER FireSense",
                "Confirms a burn from 0.15 on", ("red", "nir"), True, 0.15),
        FireMap("hfdi", "G Flames by 2.43 and 2.06 µm (HFDI)", "doi 10.1016/j.rse.2009.03.010",
                "High where flames shine; radiance of a hyperspectral scene", limit=None),
        FireMap("goes", "I GOES fire codes", "NOAA GOES FDC",
                "What each code of the product says; strict fires are 10, 11, 30, 31"),
    )
}  # fmt: skip


def fire_map(map_id: str) -> FireMap:
    """Return a map by id.

    Raises
    ------
    WrongUse
        None has that id.
    """
    if map_id not in MAPS:
        raise WrongUse(f"There is no fire map {map_id}.", way_out=f"Use: {', '.join(MAPS)}.")
    return MAPS[map_id]


def why_not(
    map_id: str, scene: Scene, image: FireImage | ClearbandError
) -> tuple[str, dict[str, str]]:
    """Return why a scene cannot have a map (empty where it can) and the bands it takes."""
    made = fire_map(map_id)
    if map_id == "goes":
        one = scene.shape[2] == 1 and np.issubdtype(np.dtype(scene.dtype), np.integer)
        reason = "" if one else "It wants one band of whole numbers, the Mask of the product."
        return reason, {"codes": scene.bands.label(0)} if one else {}
    if map_id == "hfdi":
        try:
            far, near = indices.hfdi_bands(scene.bands, subject=scene.title)
        except ClearbandError as error:
            return str(error), {}
        if scene.info.unit.lower().startswith(("reflectance", "%")):
            return f"{scene.title} is reflectance; this index wants radiance.", {}
        return "", {"2430 nm": scene.bands.label(far), "2060 nm": scene.bands.label(near)}
    if isinstance(image, ClearbandError):
        return str(image), {}
    roles = image.bands.roles
    missing = [ROLES[r].title for r in made.needs if r not in roles]
    if missing:
        return f"The scene has no {' and no '.join(missing)} band.", {}
    return "", {ROLES[r].title: scene.bands.label(roles[r]) for r in made.needs}


def make_map(
    map_id: str,
    scene: Scene,
    image: FireImage | None = None,
    *,
    before: FireImage | None = None,
    limit: float | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> tuple[Overlay, ...]:
    """Make a map of a scene, and what lies beyond its limit where it has one.

    Parameters
    ----------
    image, before : FireImage, optional
        The scene with its bands understood (not for HFDI and GOES), and the flight before the
        fire for what compares.
    limit : float, optional
        Another than the usual one.

    Raises
    ------
    BadInput
        The scene lacks what it needs, or the two lie on different grids.
    WrongUse
        There is no such map, or nothing to compare with.
    """
    made = fire_map(map_id)
    progress = progress or Progress()
    if map_id not in ("hfdi", "goes"):
        if image is None:
            image = FireImage(scene)
        image.bands.need(*made.needs, subject=scene.title)
    reason, taken = why_not(map_id, scene, image or BadInput("The bands are not known."))
    if reason:
        raise BadInput(
            reason, subject=scene.info.path,
            way_out="clearband fire rules SCENE lists what this scene can answer.",
        )  # fmt: skip
    if made.wants_before:
        _check_before(made, scene, before)
    limit = made.limit if limit is None else limit
    began = time.perf_counter()
    rows, cols, _ = scene.shape
    progress.start(rows, "rows", made.title)
    values = np.full((rows, cols), np.nan, np.float32)
    for row in range(0, rows, _STRIP):
        progress.check()
        window = Window(row, 0, min(_STRIP, rows - row), cols)
        values[window.slices] = _strip(map_id, scene, image, before, window)
        progress.advance(window.height)
    by = Provenance(
        f"fire map {map_id}", "1",
        parameters={"bands": taken, "limit": limit}
        | ({} if before is None else {"before": before.scene.title}),
        scene_digest=scene.digest, scene_path=str(scene.info.path or ""),
        seconds=time.perf_counter() - began, command=command,
        notes=() if image is None else image.notes,
    )  # fmt: skip
    return _layers(made, scene, values, limit, by)


def map_command(
    map_id: str, scene: Scene, question: FireQuestion, before: Scene | None = None
) -> tuple[str, ...]:
    """Return the command line that does the same; empty where a scene is in no file."""
    paths = [s.info.path for s in (scene, before) if s is not None]
    if any(path is None for path in paths):
        return ()
    out = f"{Path(str(paths[0])).stem}_{map_id}"
    words = ["fire", "map", map_id, str(paths[0]), "--out", out]
    if before is not None:
        words += ["--before", str(paths[1])]
    without = (
        "sun-zenith", "night", "rules", "model", "segmenter", "gate", "threshold", "min-size",
        "set", "device",
    )  # fmt: skip
    return (*words, *question.words(but=without), *reader_words(scene))


def _check_before(made: FireMap, scene: Scene, before: FireImage | None) -> None:
    if before is None:
        raise WrongUse(
            f"{made.title} compares with a flight before the fire.",
            way_out="Give that scene with --before.",
        )
    before.bands.need(*made.needs, subject=before.scene.title)
    reason = why_not_one_grid(scene, before.scene)
    if not reason and before.scene.shape[:2] != scene.shape[:2]:
        reason = f"{before.scene.title} has another size than {scene.title}."
    one, two = scene.place, before.scene.place
    if not reason and not np.allclose(one.affine, two.affine):  # type: ignore[union-attr]
        reason = f"{before.scene.title} lies beside {scene.title}."
    if reason:
        raise BadInput(
            f"Before and after must lie on one grid: {reason}",
            subject=before.scene.info.path,
            way_out="Grid both to the same cells first.",
        )


def _strip(
    map_id: str, scene: Scene, image: FireImage | None, before: FireImage | None, window: Window
) -> NDArray[np.float32]:
    if map_id == "hfdi":
        return indices.hfdi(scene, window)
    if map_id == "goes":
        return np.asarray(scene.read(window, (0,))[:, :, 0], np.float32)
    assert image is not None
    fields = image.fields(window)
    index = indices.ndvi if map_id.startswith("ndvi") else indices.nbr
    values = index(fields)
    good = fields.valid
    if before is not None and fire_map(map_id).wants_before:
        earlier = before.fields(window)
        values = index(earlier) - values
        good = good & earlier.valid
    return np.where(good, values, np.nan).astype(np.float32)


def _layers(
    made: FireMap, scene: Scene, values: NDArray[np.float32], limit: float | None, by: Provenance
) -> tuple[Overlay, ...]:
    def id_of(title: str) -> str:
        return uuid.uuid5(uuid.NAMESPACE_OID, f"fire map {scene.id} {title}").hex

    def classes(title: str, labels: NDArray[np.uint8], names: dict[int, str]) -> ClassMap:
        return ClassMap(
            title, scene.id, by, labels=labels, class_names=names, id=id_of(title)
        )  # fmt: skip

    if made.id == "goes":
        codes = np.nan_to_num(values).astype(np.int64)
        known = [c for c in goes.CODES if (codes == c).any()]
        labels = np.where(np.isin(codes, known), codes, 0).astype(np.uint8)
        names = {c: f"{c} {goes.meaning(c)}" for c in known} or {10: "10 fire, processed"}
        strict = goes.fire_codes(codes).astype(np.uint8)
        return (
            classes(made.title, labels, names),
            classes("I GOES fire, strict", strict, {1: "Fire"}),
        )
    score = ScoreMap(
        made.title, scene.id, by, values=values, centre=0.0, shown=limit is None,
        id=id_of(made.title),
    )  # fmt: skip
    if limit is None:
        return (score,)
    with np.errstate(invalid="ignore"):
        beyond = values < limit if made.id == "nbr" else values >= limit
    sign = "below" if made.id == "nbr" else "from"
    said = {1: "Burnt or burning" if made.id == "nbr" else "Burnt since"}
    return score, classes(f"{made.title}, {sign} {limit:g}", beyond.astype(np.uint8), said)
