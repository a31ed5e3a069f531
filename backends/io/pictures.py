"""PNG, JPEG, BMP, GIF and plain TIFF pictures of any depth."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.bands import BandTable
from backends.errors import BadInput
from backends.scene import ArraySource, Scene, SceneInfo

ID = "picture"
TITLE = "PNG, JPEG, BMP, TIFF"

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# A picture is decoded whole: more would not fit beside everything else.
LARGEST_PIXELS = 400_000_000
_decoding = threading.Lock()


def sniff(path: Path, head: bytes) -> float:
    """By the first bytes; WebP too."""
    if head.startswith(_MAGIC):
        return 0.9 if not head.startswith(b"BM") or path.suffix.lower() == ".bmp" else 0.4
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return 0.9
    # Anything may stand before a DICOM image, a TIFF's magic too.
    return 0.5 if head[:4] in _TIFF and head[128:132] != b"DICM" else 0.0


def open(path: Path, options: Mapping[str, Any]) -> Scene:
    """Open a picture.

    Raises
    ------
    BadInput
        Damaged, or so large that it is not meant as a picture.
    """
    notes: list[str] = []
    with path.open("rb") as stream:
        is_tiff = stream.read(4) in _TIFF
    array = _read_tiff(path, notes) if is_tiff else _read_pillow(path, notes)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] in (2, 4):
        alpha = array[:, :, -1]
        full = np.iinfo(array.dtype).max if np.issubdtype(array.dtype, np.integer) else 1
        if (alpha != full).any():
            notes.append("Transparency is left out.")
        array = array[:, :, :-1]
    count = array.shape[2]
    is_rgb = count == 3 and array.dtype == np.uint8
    names = ("Red", "Green", "Blue") if count == 3 else None
    info = SceneInfo(
        path=path,
        files=(path,),
        kind="picture",
        reader=ID,
        options=dict(options),
        bands=BandTable.build(count, names=names),
        is_rgb=is_rgb,
        notes=tuple(notes),
    )
    return Scene(ArraySource(np.ascontiguousarray(array)), info)


def _read_pillow(path: Path, notes: list[str]) -> NDArray[Any]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    with _decoding:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(path) as image:
                _check_size(path, image.width, image.height)
                frames = int(getattr(image, "n_frames", 1))
                if frames > 1:
                    notes.append(f"The first of {frames} pictures is shown.")
                turned = ImageOps.exif_transpose(image)
                if turned.size != image.size or image.getexif().get(0x0112, 1) != 1:
                    notes.append("Turned upright as the camera noted.")
                if turned.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
                    turned = turned.convert("RGBA" if "transparency" in turned.info else "RGB")
                return np.array(turned)
        except UnidentifiedImageError as error:
            raise BadInput(f"{path.name} is not a picture.", subject=path) from error
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise BadInput(
                f"{path.name} is damaged or incomplete.",
                subject=path,
                way_out="Copy or download it anew.",
                details=repr(error),
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _read_tiff(path: Path, notes: list[str]) -> NDArray[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            page = tif.pages[0]
            _check_size(path, page.imagewidth, page.imagelength)
            if len(tif.pages) > 1:
                notes.append(f"The first of {len(tif.pages)} pages is shown.")
            array: NDArray[Any] = page.asarray()
            if page.planarconfig == 2 and array.ndim == 3:
                array = np.moveaxis(array, 0, -1)
            return array
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(
            f"{path.name} is damaged or incomplete.",
            subject=path,
            way_out="Copy or download it anew.",
            details=repr(error),
        ) from error


def _check_size(path: Path, width: int, height: int) -> None:
    if width <= 0 or height <= 0 or width * height > LARGEST_PIXELS:
        raise BadInput(
            f"{path.name} claims to be {width:,} × {height:,} pixels, too large for a picture.",
            subject=path,
            way_out="Convert it to a tiled GeoTIFF or a slide format.",
        )
