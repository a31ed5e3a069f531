"""A perimeter on an open scene: the draft around what was found there, and pixels to metres."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from backends.errors import BadInput, ClearbandError
from backends.georeference import GeoReference
from backends.identity import digest_of
from backends.overlays import Provenance
from backends.perimeters.clock import now
from backends.perimeters.coordinates import moved, needed
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.journal import SUFFIX, load, was_left
from backends.perimeters.making import Proposal, make_proposal
from backends.perimeters.probability import from_array
from backends.perimeters.settings import PerimeterSettings
from backends.progress import Progress
from backends.scene import Scene

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """Between the pixels of a scene and the metres of a document.

    Attributes
    ----------
    place : GeoReference
        Of the scene.
    crs : str
        Of the document.
    """

    place: GeoReference
    crs: str

    def to_map(self, pixels: Points) -> Points:
        """Return x, y in metres of places in rows and columns, shape (n, 2)."""
        a, b, c, d, e, f = self.place.affine
        rows, cols = np.asarray(pixels, np.float64).reshape(-1, 2).T + 0.5
        points = np.column_stack((a * cols + b * rows + c, d * cols + e * rows + f))
        return self._moved(points, str(self.place.crs), self.crs)

    def to_pixels(self, points: Points) -> Points:
        """Return rows and columns of places in metres, shape (n, 2)."""
        a, b, c, d, e, f = self.place.affine
        own = self._moved(np.asarray(points, np.float64).reshape(-1, 2), self.crs, self._crs)
        x, y = own[:, 0] - c, own[:, 1] - f
        det = a * e - b * d
        cols, rows = (e * x - b * y) / det, (a * y - d * x) / det
        return np.column_stack((rows, cols)) - 0.5

    @property
    def _crs(self) -> str:
        return str(self.place.crs)

    @staticmethod
    def _moved(points: Points, source: str, target: str) -> Points:
        if source == target or not len(points):
            return points
        return np.asarray(
            shapely.get_coordinates(moved(shapely.multipoints(points), source, target))
        )


def has_place(scene: Scene) -> bool:
    """Tell at once, looking nothing up, whether a line can be drawn on a scene."""
    return isinstance(scene.place, GeoReference) and bool(scene.place.crs)


def placed(scene: Scene) -> GeoReference:
    """Return where a scene lies.

    Raises
    ------
    BadInput
        It does not say so, or not by an affine.
    """
    place = scene.place
    if not isinstance(place, GeoReference):
        raise BadInput(
            f"{scene.title} has no georeference, so no line can be drawn on it.",
            subject=scene.info.path,
            way_out="Open a georeferenced image; a swath is gridded first.",
        )
    needed(place.crs, scene.info.path or scene.title)
    return place


def draft_on_scene(
    scene: Scene,
    probability: NDArray[Any],
    *,
    kelvin: NDArray[Any] | None = None,
    settings: PerimeterSettings | None = None,
    made_by: Provenance | None = None,
    image_utc: str = "",
    attributes: Mapping[str, Any] | None = None,
    who: str = "",
    progress: Progress | None = None,
) -> tuple[PerimeterDocument, Proposal]:
    """Draw a draft around what was found in an open scene.

    Parameters
    ----------
    probability : float array of shape (rows, cols)
        0 to 1, ``nan`` where nothing was measured; of rules 0 or 1.
    kelvin : float array of shape (rows, cols), optional
        Brightness temperature near 4 µm, for intense heat.
    made_by : Provenance, optional
        Of the probability.

    Raises
    ------
    BadInput
        The scene lies nowhere on Earth, or nothing burns in it.
    """
    progress = progress or Progress()
    place = placed(scene)
    source = from_array(np.asarray(probability, np.float32), place, scene.title)
    warm = None if kelvin is None else from_array(kelvin, place, scene.title)
    proposal = make_proposal(source, settings, temperature=warm, progress=progress)
    if proposal.perimeter.is_empty:
        raise BadInput(
            f"No piece of fire of {proposal.settings.smallest_ac:g} ac or more was found in "
            f"{scene.title}.",
            way_out="Lower the threshold, or draw with another rule.",
        )
    notes = [*proposal.notes, *(made_by.notes if made_by else ())]
    provenance = Provenance(
        "perimeter", parameters=dict(proposal.features[0].rule), scene_digest=scene.digest,
        scene_path=str(scene.info.path or ""), command=made_by.command if made_by else "",
        notes=tuple(notes), figures=dict(proposal.figures),
    )  # fmt: skip
    document = PerimeterDocument(
        proposal.crs,
        proposal.features,
        attributes={"MapMethod": "Remote Sensing Derived", **(attributes or {})},
        image=Path(scene.info.path).name if scene.info.path else scene.title,
        image_digest=scene.digest,
        image_utc=image_utc,
        pixel_m=proposal.pixel_m,
        origin={
            "interval_ac": list(proposal.interval_ac),
            "band": proposal.band_wkb(),
            "notes": notes,
            "provenance": provenance.to_dict(),
            "image_path": str(scene.info.path or ""),
        },
        who=who,
    )
    return document, proposal


def desk_folder() -> Path:
    """Return where lines are kept while they are worked on: ``CLEARBAND_HOME`` or user data."""
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "perimeters"
    from platformdirs import user_data_path

    return user_data_path("clearband") / "perimeters"


def working_file(scene: Scene, folder: Path | None = None) -> Path:
    """Return a new name for the line of a scene."""
    stem = Path(scene.info.path).stem if scene.info.path else scene.title
    plain = "".join(c if c.isalnum() else "_" for c in stem)[:60] or "line"
    when = now().strftime("%Y%m%d_%H%M%S")
    folder = folder or desk_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        path = folder / f"{plain}_{when}{'' if number == 1 else f'_{number}'}{SUFFIX}"
        if not path.exists():
            return path
    raise BadInput("No free name for the line was found.", way_out="Tidy up the folder.")


def is_of_image(document: PerimeterDocument, path: Path) -> bool:
    """Tell whether a line was drawn on an image: the file, or the scene it opens as."""
    if document.image_digest == digest_of([path]):
        return True
    from backends.io import open_scene

    try:
        with open_scene(path) as scene:
            return document.image_digest == scene.digest
    except ClearbandError:
        return False


@dataclass(frozen=True)
class LeftLine:
    """A line that was being drawn when the program died.

    Attributes
    ----------
    path : Path
    incident : str
    image : Path or None
        What it was drawn on, where that is still there.
    """

    path: Path
    incident: str
    image: Path | None


def left_line(folder: Path | None = None) -> LeftLine | None:
    """Return the newest line that a program left when it died; None where there is none."""
    folder = folder or desk_folder()
    if not folder.is_dir():
        return None
    files = sorted(folder.glob(f"*{SUFFIX}"), key=lambda p: p.stat().st_mtime, reverse=True)
    path = next((p for p in files[:50] if was_left(p)), None)
    if path is None:
        return None
    document, _ = load(path)
    image = Path(str(document.origin.get("image_path") or ""))
    name = str(document.attributes.get("IncidentName") or "")
    return LeftLine(path, name, image if image.is_file() else None)


def kept_lines(scene: Scene, folder: Path | None = None) -> list[Path]:
    """Return the lines kept for a scene's image, newest first; others are not read whole."""
    folder = folder or desk_folder()
    if not folder.is_dir():
        return []
    files = sorted(folder.glob(f"*{SUFFIX}"), key=lambda p: p.stat().st_mtime, reverse=True)
    wanted = f'"image_digest": "{scene.digest}"'.encode()
    found = []
    for path in files[:50]:
        with path.open("rb") as stream:
            if wanted in stream.read(4096):
                found.append(path)
    return found
