"""The reader registry: who opens a file, decided by its content.

Each reader is a module in this folder with three things: ``ID`` (str), ``TITLE``
(str, for people), ``sniff(path, head) -> float`` (0 = not mine, 1 = surely mine;
cheap, must not raise) and ``open(path, options) -> Scene``.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from backends.errors import BadInput, ClearbandError, MissingCapability
from backends.pairs.shifting import OPTION, move_to, parse_offset
from backends.scene import Scene

HEAD_BYTES = 4096

# Order breaks ties: the more particular first.
READERS: tuple[str, ...] = (
    "backends.io.envi",
    "backends.io.erdas",
    "backends.io.matlab",
    "backends.io.dicom",
    "backends.io.nifti",
    "backends.io.products.emit",
    "backends.io.products.prisma",
    "backends.io.products.dlr",
    "backends.io.products.ams_l1b",
    "backends.io.zarr_store",
    "backends.io.slides",
    "backends.io.raster",
    "backends.io.pictures",
    "backends.io.numpy_file",
    "backends.io.hdf",
)

OpenOptions = Mapping[str, Any]


class Reader(Protocol):
    """What a reader module offers."""

    ID: str
    TITLE: str

    def sniff(self, path: Path, head: bytes) -> float:
        """Return how sure it is that the file is its own."""
        ...

    def open(self, path: Path, options: OpenOptions) -> Scene:
        """Open it lazily."""
        ...


@dataclass(frozen=True)
class Guess:
    """A reader that claims a file.

    Attributes
    ----------
    confidence : float
        0 to 1.
    """

    module: str
    confidence: float
    reader: Reader = field(compare=False)


# What it complains of is said by us, in a sentence.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

# Files of bare numbers: ENVI keeps what they mean in a header of its own.
_BARE = (".dat", ".img", ".bil", ".bsq", ".bip", ".raw", ".bin", ".cube", ".sli")


def sniff(path: Path) -> list[Guess]:
    """Return the readers that claim a file or folder, surest first.

    Raises
    ------
    BadInput
        It does not exist, is empty or may not be read.
    """
    head = _head(path)
    guesses = []
    for module in READERS:
        reader = cast(Reader, importlib.import_module(module))
        confidence = reader.sniff(path, head)
        if confidence > 0:
            guesses.append(Guess(module, confidence, reader))
    return sorted(guesses, key=lambda g: -g.confidence)


def open_scene(
    path: str | Path, options: OpenOptions | None = None, *, reader: str | None = None
) -> Scene:
    """Open an image of any format, lazily.

    Parameters
    ----------
    path : str or Path
        A file, or a folder (DICOM series, Zarr store).
    options : mapping, optional
        What the reader offers to choose: ``key`` (MATLAB, HDF5, NumPy), ``series`` (DICOM) …
        Every scene with map coordinates takes ``shift``: X,Y in map units that it is moved by.
    reader : str, optional
        Id of the reader to use, instead of asking the content.

    Raises
    ------
    ClearbandError
        Nothing can read it, or it is damaged: one sentence with the way out.
    """
    path = Path(path).expanduser()
    wanted = dict(options or {})
    offset = wanted.pop(OPTION, None)
    guesses = sniff(path)
    if reader is not None:
        guesses = [g for g in guesses if g.reader.ID == reader]
    if not guesses and path.is_dir():
        raise BadInput(
            f"The folder {path.name} is no DICOM series and no Zarr store.",
            subject=path,
            way_out="Open the files in it.",
        )
    if not guesses and path.suffix.lower() in _BARE:
        raise BadInput(
            f"{path.name} has no header beside it that says what its numbers are.",
            subject=path,
            way_out=f"Put {path.stem}.hdr into the same folder.",
        )
    if not guesses:
        raise BadInput(
            f"{path.name} is in no format that Clearband knows.",
            subject=path,
            way_out="It opens ENVI, rasters, MATLAB, HDF5, NumPy, Zarr, slides, DICOM, NIfTI and "
            "pictures.",
        )
    first: ClearbandError | None = None
    for guess in guesses:
        try:
            scene = _noted(guess.reader.open(path, dict(wanted)))
        except MissingCapability as error:
            first = first or error
        except ClearbandError as error:
            # The surest reader's word stands, unless a nearly as sure one can open it.
            first = first or error
            if guess.confidence >= 0.9:
                break
        except MemoryError as error:
            raise BadInput(
                f"{path.name} claims to be larger than this machine can hold.",
                subject=path,
                way_out="The file is probably damaged; copy it anew.",
                details=repr(error),
            ) from error
        except Exception as error:  # libraries fail on hostile files in many ways
            first = first or BadInput(
                f"{path.name} is damaged or incomplete.",
                subject=path,
                way_out="Copy it anew, or open it in the program that wrote it.",
                details=f"{guess.reader.ID}: {type(error).__name__}: {error}",
            )
            if guess.confidence >= 0.9:
                break
        else:
            return scene if offset is None else _moved(scene, str(offset))
    assert first is not None
    raise first


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            if not any(path.iterdir()):
                raise BadInput(f"The folder {path.name} is empty.", subject=path)
            return b""
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Check the name and the folder."
        ) from error
    except PermissionError as error:
        raise BadInput(
            f"{path.name} may not be read by you.",
            subject=path,
            way_out="Ask its owner for the right to read it.",
        ) from error
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read.", subject=path, details=repr(error)) from error
    if not head:
        raise BadInput(f"{path.name} is empty.", subject=path, way_out="Copy or download it anew.")
    return head


def _moved(scene: Scene, offset: str) -> Scene:
    """Move a scene that was just opened on the map; it is closed where that cannot be."""
    try:
        move_to(scene, parse_offset(offset))
    except ClearbandError:
        scene.close()
        raise
    return scene


def _noted(scene: Scene) -> Scene:
    """Say of a scene what no reader needs to know and every user does."""
    if scene.bands.has_wavelengths:
        nm = scene.bands.wavelengths()
        steps = np.diff(nm[np.isfinite(nm)])
        if (steps < 0).any() and (steps > 0).any():
            note = (
                "The wavelengths do not rise from band to band; spectra are drawn in their order."
            )
            scene.with_info(notes=(*scene.info.notes, note))
    if some := scene.bands.repeated:
        named = ", ".join(some[:3]) + (", …" if len(some) > 3 else "")
        note = f"Several bands are called the same ({named}); the later ones are numbered."
        scene.with_info(notes=(*scene.info.notes, note))
    return scene
