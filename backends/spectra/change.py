"""What changed between two scenes of the same place, and whether they lie on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.overlays import ClassMap, Overlay
from backends.same_grid import check_same_grid
from backends.scene import Scene, Window
from backends.spectra.cutting import Cut
from backends.spectra.pixels import Floats, marked, usable_bands
from backends.spectra.products import Maker, Product

if TYPE_CHECKING:
    from backends.jobs import Progress

METHODS = {
    "vector": "Change vector analysis", "difference": "Difference", "ratio": "Ratio",
}  # fmt: skip
MATCH_NM = 10.0
MOST_MAPS = 12
_TILE, _TILES = 256, 3
_BUDGET = 32 << 20
UNTOLD = "Whether the scenes lie on each other could not be told"


@dataclass(frozen=True)
class Shift:
    """How far the second scene lies beside the first, in pixels.

    Attributes
    ----------
    rows, cols : float or None
        Downwards and to the right; None where the parts looked at disagree.
    scatter : float
        Median distance of the parts' shifts from their median.
    parts : int
    note : str
        A sentence for people.
    """

    rows: float | None
    cols: float | None
    scatter: float
    parts: int
    note: str


def compare(
    one: Scene,
    other: Scene,
    method: str = "vector",
    *,
    wavelengths: Sequence[float] = (),
    normalise: bool = False,
    threshold: float | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Product:
    """Compare two scenes on the same grid, the second (later) minus or over the first.

    ``vector``: length of the change vector, and its direction as the angle to a change that is the
    same in every band (Bovolo, Marchesi and Bruzzone 2012), 0 brighter to pi darker; changed pixels
    above Otsu's threshold. ``difference`` and ``ratio``: a map for each band.

    Parameters
    ----------
    wavelengths : sequence of float
        In nm; only these bands.
    normalise : bool
        First bring mean and deviation of each band of the second to those of the first.
    threshold : float, optional
        For ``vector``, how large a change must be; default Otsu's.

    Raises
    ------
    BadInput
        The scenes have other sizes, places or bands.
    """
    if method not in METHODS:
        raise WrongUse(f"There is no method {method}.", way_out=f"Use {', '.join(METHODS)}.")
    check_same_grid(one, other)
    bands, others = common_bands(one, other, wavelengths)
    if method != "vector" and len(bands) > MOST_MAPS:
        raise WrongUse(
            f"{METHODS[method]} of {len(bands)} bands would be as many maps.",
            way_out="Name the bands with --nm.",
        )
    make = Maker(
        one, f"change_{method}", command, other=str(other.info.path or other.title),
        normalise=normalise,
    )  # fmt: skip
    shift = co_registration(one, other, bands, others, progress=progress)
    make.notes.append(shift.note)
    gain, offset = _normalising(one, other, bands, others) if normalise else (None, None)
    rows, cols, _ = one.shape
    count = len(bands)
    planes = np.full((2 if method == "vector" else count, rows, cols), np.nan, np.float32)
    height = max(1, _BUDGET // (cols * count * 8))
    if progress is not None:
        progress.start(rows, "rows", METHODS[method])
    for window in one.windows(height):
        if progress is not None:
            progress.check()
        a = one.read(window, bands, physical=True)
        b = other.read(window, others, physical=True)
        if gain is not None and offset is not None:
            b = b * gain + offset
        with np.errstate(divide="ignore", invalid="ignore"):
            if method == "vector":
                found = _vector((b - a).reshape(-1, count))
                planes[:, window.row : window.row + window.height] = found.T.reshape(
                    2, window.height, cols
                )
            else:
                value = b - a if method == "difference" else b / a
                value[~np.isfinite(value)] = np.nan
                planes[:, window.row : window.row + window.height] = np.moveaxis(value, 2, 0)
        if progress is not None:
            progress.advance(window.height)
    summary: dict[str, Any] = {
        "bands": count, "shift_rows": shift.rows, "shift_columns": shift.cols
    }  # fmt: skip
    if method == "vector":
        return _of_vectors(make, planes, summary, threshold)
    labels = [one.bands.label(band) for band in bands]
    centre = 0.0 if method == "difference" else 1.0
    overlays = tuple(
        make.score(f"{METHODS[method]}, {label}", plane, centre=centre)
        for label, plane in zip(labels, planes, strict=True)
    )
    table = [
        {"band": label, "p2": _percentile(plane, 2), "median": _percentile(plane, 50),
         "p98": _percentile(plane, 98)}
        for label, plane in zip(labels, planes, strict=True)
    ]  # fmt: skip
    return Product(overlays, make.summary(**summary, classes=table), {"changes": table})


def _of_vectors(
    make: Maker, planes: Floats, summary: dict[str, Any], threshold: float | None
) -> Product:
    from skimage.filters import threshold_otsu

    known = planes[0][np.isfinite(planes[0])]
    if not known.size:
        raise BadInput("No pixel has values in both scenes.", way_out="Choose other scenes.")
    if threshold is None:
        threshold = float(threshold_otsu(known)) if np.ptp(known) > 0 else float(known[0])
    cut = Cut(np.ones(planes[0].shape, np.uint8), planes[0], "large")
    changed = cut.at(threshold)
    share = float(changed.sum() / known.size)
    make.figures |= {"threshold": threshold, "share_changed": share}
    flagged = ClassMap(
        "Changed", make.scene.id, make.provenance(), labels=changed, class_names={1: "changed"}
    )
    overlays: tuple[Overlay, ...] = (
        make.score("Size of change", planes[0], unit=make.scene.info.unit),
        flagged,
        make.score("Direction of change", planes[1], unit="rad", centre=float(np.pi / 2)),
    )
    return Product(
        overlays, make.summary(**summary, threshold=threshold, share_changed=share), cut=cut
    )


def common_bands(
    one: Scene, other: Scene, wavelengths: Sequence[float] = ()
) -> tuple[list[int], list[int]]:
    """Return which band of the second stands beside which of the first.

    By wavelength, within 10 nm, where both know theirs, else by number.

    Raises
    ------
    BadInput
        They have none in common.
    """
    known = one.bands.has_wavelengths and other.bands.has_wavelengths
    if not known:
        if wavelengths:
            raise BadInput(
                "One of the scenes does not know its wavelengths.", way_out="Leave --nm out."
            )
        if one.shape[2] != other.shape[2]:
            raise BadInput(
                f"{one.title} has {one.shape[2]} bands, {other.title} {other.shape[2]}, and one "
                "does not know its wavelengths.",
                way_out="Give both their wavelengths.",
            )
        every = list(usable_bands(one))
        return every, every
    nm = one.bands.wavelengths()
    if wavelengths:
        wanted = []
        for value in wavelengths:
            band = one.bands.nearest(value, within_nm=50.0)
            if band is None:
                raise BadInput(f"{one.title} has no good band within 50 nm of {value:g} nm.")
            wanted.append(band)
    else:
        wanted = list(usable_bands(one))
    mine, theirs = [], []
    for band in dict.fromkeys(wanted):
        found = other.bands.nearest(float(nm[band]), within_nm=MATCH_NM)
        if found is not None and np.isfinite(nm[band]):
            mine.append(band)
            theirs.append(found)
    if not mine:
        raise BadInput(
            f"{one.title} and {other.title} have no band in common.",
            way_out="Bring one to the bands of the other: clearband spectra resample.",
        )
    return mine, theirs


def co_registration(
    one: Scene,
    other: Scene,
    bands: Sequence[int],
    others: Sequence[int],
    *,
    progress: Progress | None = None,
) -> Shift:
    """Find by phase correlation how far the second scene lies beside the first.

    Up to nine parts of 256 pixels are compared (Guizar-Sicairos et al. 2008, to 1/20 pixel); their
    median counts where at least half of them agree within a pixel.
    """
    from skimage.registration import phase_cross_correlation

    rows, cols, _ = one.shape
    middle = len(bands) // 2
    side = min(_TILE, rows, cols)
    found: list[NDArray[Any]] = []
    if side >= 16:
        taper = np.hanning(side)[:, None] * np.hanning(side)[None]
        starts = [
            np.unique(np.linspace(0, length - side, min(_TILES, -(-length // side))).astype(int))
            for length in (rows, cols)
        ]
        for row in starts[0]:
            for col in starts[1]:
                if progress is not None:
                    progress.check()
                window = Window(int(row), int(col), side, side)
                mine, theirs = (
                    _filled(scene.read(window, [band], physical=True)[:, :, 0])
                    for scene, band in ((one, bands[middle]), (other, others[middle]))
                )
                if mine is None or theirs is None:
                    continue
                pair = (mine * taper, theirs * taper)
                shift = np.asarray(phase_cross_correlation(*pair, upsample_factor=20)[0])
                # Phase alone finds the place whatever the light; parts of a pixel it draws
                # towards whole ones where the ground is smooth, plain correlation does not.
                fine = np.asarray(
                    phase_cross_correlation(*pair, upsample_factor=20, normalization=None)[0]
                )
                shift = fine if np.abs(fine - shift).max() <= 1.5 else shift
                # skimage says how to move the second onto the first; we say where it lies.
                found.append(-shift.astype(np.float64))
    if not found:
        return Shift(None, None, float("nan"), 0, f"{UNTOLD}: no part has values in both.")
    every = np.stack(found)
    centre = np.median(every, axis=0)
    apart = np.hypot(*(every - centre).T)
    scatter = float(np.median(apart))
    if (apart <= 1.0).mean() < 0.5:
        said = f"{UNTOLD}: {len(found)} parts disagree by {scatter:.1f} pixels."
        return Shift(None, None, scatter, len(found), said)
    down, right = (round(float(v), 2) + 0.0 for v in centre)
    far = float(np.hypot(down, right))
    note = f"The scenes lie on each other within {max(far, 0.05):.2g} pixels."
    if far > 0.5:
        note = (
            f"{other.title} lies {abs(down):.2f} pixels {'below' if down > 0 else 'above'} and "
            f"{abs(right):.2f} {'right' if right > 0 else 'left'} of {one.title}: borders will "
            "look changed."
        )
    return Shift(down, right, scatter, len(found), note)


def _vector(change: Floats) -> Floats:
    """Return length and direction of change vectors, shape (pixels, 2)."""
    values, valid = marked(np.ascontiguousarray(change))
    wide = values.astype(np.float64)
    length = np.sqrt((wide * wide).sum(axis=1))
    total = wide.sum(axis=1) / np.sqrt(change.shape[1])
    cosine = np.divide(total, length, out=np.zeros_like(length), where=length > 0)
    out = np.stack([length, np.arccos(np.clip(cosine, -1, 1))], axis=1).astype(np.float32)
    out[~valid] = np.nan
    out[length == 0, 1] = np.nan  # what does not change has no direction
    return out


def _normalising(
    one: Scene, other: Scene, bands: list[int], others: list[int]
) -> tuple[Floats, Floats]:
    from backends.statistics import sample_pixels

    a = sample_pixels(one, bands, size=50_000).astype(np.float64)
    b = sample_pixels(other, others, size=50_000).astype(np.float64)
    spread = np.nanstd(b, axis=0)
    gain = np.divide(np.nanstd(a, axis=0), spread, out=np.ones_like(spread), where=spread > 0)
    offset = np.nanmean(a, axis=0) - gain * np.nanmean(b, axis=0)
    return gain.astype(np.float32), offset.astype(np.float32)


def _filled(plane: Floats) -> NDArray[np.float64] | None:
    """Return a part with its holes at the mean and the mean taken off; None if mostly empty."""
    known = np.isfinite(plane)
    if known.mean() < 0.5:
        return None
    wide = plane.astype(np.float64)
    centred = np.where(known, wide - wide[known].mean(), 0.0)
    spread = centred.std()
    return centred / spread if spread > 0 else None


def _percentile(plane: Floats, q: float) -> float | None:
    known = plane[np.isfinite(plane)]
    return float(np.percentile(known, q)) if known.size else None
