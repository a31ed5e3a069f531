"""The metadata of DLR's products (EnMAP, DESIS): bands, scale and background from the XML.

EnMAP: ``specific/bandCharacterisation/bandID`` with wavelengthCenterOfBand, FWHMOfBand, GainOfBand,
OffsetOfBand; DESIS: ``band`` with wavelengthCenterOfBand, wavelengthWidthOfBand, gainOfBand,
offsetOfBand. Source: EnMAP HSI product specification EN-PCV-ICD-2009-2, DESIS product
specification PAV-DLR-ICD-003.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput

_LARGEST_BYTES = 32 << 20
_MOST_BANDS = 4096
_ANEW = "Download the product's metadata anew."


@dataclass(frozen=True)
class Metadata:
    """What the XML says.

    Attributes
    ----------
    nm, fwhm : arrays of shape (bands,)
        In nm; ``nan`` where missing.
    gains, offsets : arrays of shape (bands,)
        Physical value = file value * gain + offset; ``nan`` where missing.
    channels : dict of str to tuple of int
        Band numbers from 1 that a detector (``"vnir"``, ``"swir"``) is expected to fill;
        empty for products that do not say.
    background : float or None
        File value of pixels without a measurement.
    acquired : str
    """

    nm: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    gains: NDArray[np.float64]
    offsets: NDArray[np.float64]
    channels: dict[str, tuple[int, ...]]
    background: float | None
    acquired: str


def read_metadata(path: Path) -> Metadata:
    """Read a product's METADATA.XML.

    Raises
    ------
    BadInput
        It is too large, is no XML, uses entities, or characterises no bands.
    """
    root = _parse(path)
    table = _first(root, "bandCharacterisation")
    rows = [] if table is None else [n for n in table if _tag(n) in ("bandid", "band")]
    if not rows:
        raise BadInput(
            f"{path.name} characterises no bands.",
            subject=path,
            way_out=f"{_ANEW} The image alone opens without wavelengths.",
        )
    if len(rows) > _MOST_BANDS:
        raise BadInput(f"{path.name} lists {len(rows):,} bands.", subject=path, way_out=_ANEW)
    rows = _in_order(rows)
    values = [{_tag(child): _number(child.text) for child in row} for row in rows]
    columns = {
        name: np.array([next((v[k] for k in keys if k in v), math.nan) for v in values])
        for name, keys in (
            ("nm", ("wavelengthcenterofband",)),
            ("fwhm", ("fwhmofband", "wavelengthwidthofband")),
            ("gains", ("gainofband",)),
            ("offsets", ("offsetofband",)),
        )
    }
    if not np.isfinite(columns["nm"]).any():
        raise BadInput(f"{path.name} gives no wavelengths.", subject=path, way_out=_ANEW)
    background = _number(_text(root, "backgroundValue"))
    return Metadata(
        **columns,
        channels=_channels(root, len(rows)),
        background=background if math.isfinite(background) else None,
        acquired=(_text(root, "datatakeStart") or _text(root, "startTime")).strip()[:80],
    )


def _parse(path: Path) -> Any:
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        size = path.stat().st_size
        if size > _LARGEST_BYTES:
            raise BadInput(
                f"{path.name} is {size >> 20:,} MB long, too much for metadata.",
                subject=path,
                way_out=_ANEW,
            )
        return ElementTree.fromstring(path.read_bytes(), forbid_dtd=True)
    except DefusedXmlException as error:
        raise BadInput(
            f"{path.name} defines entities or a document type, which metadata never do, "
            "and was not read.",
            subject=path,
            way_out=_ANEW,
            details=repr(error),
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise BadInput(
            f"{path.name} is no complete XML file.",
            subject=path,
            way_out=_ANEW,
            details=repr(error),
        ) from error
    except OSError as error:
        raise BadInput(
            f"{path.name} cannot be read.", subject=path, way_out=_ANEW, details=repr(error)
        ) from error


def _tag(node: Any) -> str:
    return str(node.tag).rsplit("}", 1)[-1].lower()


def _first(root: Any, name: str) -> Any:
    return next((node for node in root.iter() if _tag(node) == name.lower()), None)


def _text(root: Any, name: str) -> str:
    node = _first(root, name)
    return "" if node is None or node.text is None else str(node.text)


def _number(text: str | None) -> float:
    try:
        return float((text or "").strip())
    except ValueError:
        return math.nan


def _in_order(rows: list[Any]) -> list[Any]:
    """Return the bands by their numbers, where each has a number of its own."""

    def number(row: Any) -> float:
        inner = next((c.text for c in row if _tag(c) == "bandnumber"), None)
        return _number(row.get("number") or inner)

    keys = [number(row) for row in rows]
    if any(math.isnan(k) for k in keys) or len(set(keys)) != len(keys):
        return rows
    return [row for _, row in sorted(zip(keys, rows, strict=True), key=lambda pair: pair[0])]


def _channels(root: Any, count: int) -> dict[str, tuple[int, ...]]:
    found = {}
    for detector in ("vnir", "swir"):
        node = _first(root, f"{detector}ProductQuality")
        text = "" if node is None else _text(node, "expectedChannelsList")
        numbers = [_number(part) for part in text.split(",")]
        if numbers and all(n.is_integer() and 1 <= n <= count for n in numbers):
            found[detector] = tuple(int(n) for n in numbers)
    return found
