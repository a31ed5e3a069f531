"""Reference spectra on the bands of a scene: of a library, of labelled areas, of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Scene
from backends.spectra.library import SpectralLibrary, read_library, resampled
from backends.spectra.pixels import Floats, usable_bands

if TYPE_CHECKING:
    from backends.io.labels import Labels
    from backends.jobs import Progress
    from backends.regions import Region

Doubles = NDArray[np.float64]
_MOST_PIXELS = 50_000  # of one class
# A larger ratio of typical values means another unit: reflectance beside ten thousandths.
_OTHER_UNIT = 20.0


@dataclass(frozen=True, eq=False)
class References:
    """Named spectra in the scene's bands.

    Attributes
    ----------
    names : tuple of str
    values : float32 array of shape (references, bands)
        In the unit of their source.
    bands : tuple of int
        Bands of the scene, by rising wavelength where there are wavelengths.
    wavelength_nm : float64 array of shape (bands,)
        ``nan`` where unknown.
    notes : tuple of str
    """

    names: tuple[str, ...]
    values: Floats
    bands: tuple[int, ...]
    wavelength_nm: Doubles
    notes: tuple[str, ...] = ()


def references_for(
    scene: Scene,
    *,
    library: Path | SpectralLibrary | None = None,
    names: Sequence[str] = (),
    areas: Path | None = None,
    areas_options: Mapping[str, Any] | None = None,
    regions: Sequence[Region] = (),
    pixels: Sequence[tuple[int, int]] = (),
    bands: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> References:
    """Return the references asked for, all on the same bands.

    Parameters
    ----------
    library : Path or SpectralLibrary, optional
        See `backends.spectra.library.read_library`.
    names : sequence of str
        Only spectra of the library whose name holds one of these words.
    areas : Path, optional
        Labels or areas with classes; the mean of each class is a reference.
    areas_options : mapping, optional
        See `backends.label_files.labels_for`.
    regions : sequence of Region
        Drawn on the scene; as ``areas``, each class, or name without one, is a reference.
    pixels : sequence of (row, col)

    Raises
    ------
    BadInput
        Nothing is named, a library has no wavelengths or shares no band with the scene.
    """
    chosen = np.asarray(usable_bands(scene, bands))
    nm = scene.bands.wavelengths()[chosen]
    if np.isfinite(nm).all():
        chosen = chosen[np.argsort(nm, kind="stable")]
    found_names: list[str] = []
    parts: list[Floats] = []
    notes: list[str] = []
    if library is not None:
        read_names, values = _of_library(scene, library, names, chosen)
        found_names += read_names
        parts.append(values)
    if areas is not None:
        read_names, values = _of_areas(scene, areas, areas_options, chosen, progress)
        found_names += read_names
        parts.append(values)
    if regions:
        read_names, values = _of_regions(scene, regions, chosen, progress)
        lost = sorted({region.label for region in regions} - set(read_names))
        if lost:
            notes.append(f"Without a pixel that holds values, so left out: {', '.join(lost)}.")
        found_names += read_names
        parts.append(values)
    for row, col in pixels:
        found_names.append(f"row {row}, column {col}")
        parts.append(scene.spectrum(row, col)[chosen][None].astype(np.float32))
        if not np.isfinite(parts[-1]).any():
            raise BadInput(
                f"Nothing was measured at row {row}, column {col} of {scene.title}.",
                way_out="Choose a pixel with values.",
            )
    if not parts:
        raise BadInput(
            "There is nothing to compare with.",
            way_out="Give --library FILE, --areas FILE or --at ROW,COL.",
        )
    values = np.concatenate(parts)
    shared = np.isfinite(values).all(axis=0)
    if shared.sum() < 3:
        raise BadInput(
            f"The references share {int(shared.sum())} bands with {scene.title}.",
            way_out="Choose references measured over the scene's wavelengths.",
        )
    if not shared.all():
        notes.append(
            f"{int((~shared).sum())} of {len(chosen)} bands are left out: some reference has no "
            "value there."
        )
    chosen = chosen[shared]
    return References(
        tuple(found_names), np.ascontiguousarray(values[:, shared]), tuple(chosen.tolist()),
        scene.bands.wavelengths()[chosen], tuple(notes),
    )  # fmt: skip


def check_units(references: References, mean: Doubles, scene: Scene) -> None:
    """Refuse references in another unit than the scene, where the level counts.

    Parameters
    ----------
    mean : float64 array of shape (bands,)
        The scene's mean spectrum on the references' bands.

    Raises
    ------
    BadInput
        Typical values differ by more than a factor of twenty.
    """
    one = float(np.median(np.abs(references.values)))
    other = float(np.median(np.abs(mean)))
    if min(one, other) <= 0 or max(one / other, other / one) > _OTHER_UNIT:
        raise BadInput(
            f"The references lie near {one:.3g} and {scene.title} near {other:.3g}: their units "
            "differ.",
            way_out="Give the scene its scale factor, or compare shapes by spectral_angle.",
        )


def _of_library(
    scene: Scene,
    library: Path | SpectralLibrary,
    names: Sequence[str],
    chosen: NDArray[np.intp],
) -> tuple[list[str], Floats]:
    if not scene.bands.has_wavelengths:
        raise BadInput(
            f"{scene.title} does not know its wavelengths, so no library fits it.",
            way_out="Open it with --option wavelengths=FILE, or compare with areas or pixels.",
        )
    library = read_library(library) if isinstance(library, Path) else library
    nm = scene.bands.wavelengths()[chosen]
    widths = scene.bands.fwhm_nm
    fwhm = None if widths is None else [widths[b] for b in chosen]
    on_bands = resampled(library, nm, fwhm)
    words = [w.casefold() for w in names]
    keep = [
        i for i, name in enumerate(on_bands.names)
        if not words or any(w in name.casefold() for w in words)
    ]  # fmt: skip
    if not keep:
        raise BadInput(
            f"No spectrum of {library.title} is called {' or '.join(names)}.",
            subject=library.path,
            way_out="clearband info lists the names.",
        )
    held = np.isfinite(on_bands.values[keep]).sum(axis=1)
    if not held.any() and library.wavelength_nm is not None and library.wavelength_nm.size:
        known = nm[np.isfinite(nm)]
        raise BadInput(
            f"{library.title} runs from {_ends(library.wavelength_nm)} nm, {scene.title} from "
            f"{_ends(known)} nm: they share no band.",
            subject=library.path,
            way_out="Check the unit of the wavelengths in both, or choose another library.",
        )
    keep = [i for i, n in zip(keep, held, strict=True) if n >= 0.5 * held.max()]
    return [on_bands.names[i] for i in keep], on_bands.values[keep].astype(np.float32)


def _ends(nm: NDArray[np.float64]) -> str:
    return f"{nm.min():g} to {nm.max():g}" if nm.size else "nothing to nothing"


def _of_areas(
    scene: Scene,
    path: Path,
    options: Mapping[str, Any] | None,
    chosen: NDArray[np.intp],
    progress: Progress | None,
) -> tuple[list[str], Floats]:
    from backends.label_files import labels_for

    labels = labels_for(scene, path, options, progress)
    if labels.values.shape != scene.shape[:2]:
        raise BadInput(
            f"{path.name} has {labels.values.shape[0]} × {labels.values.shape[1]} pixels, "
            f"{scene.title} {scene.shape[0]} × {scene.shape[1]}.",
            subject=path,
        )
    found = _class_means(scene, labels, chosen)
    if not found[0]:
        raise BadInput(f"{path.name} holds no area with values.", subject=path)
    return found


def _of_regions(
    scene: Scene,
    regions: Sequence[Region],
    chosen: NDArray[np.intp],
    progress: Progress | None,
) -> tuple[list[str], Floats]:
    from backends.label_regions import labels_from_regions

    labels = labels_from_regions(regions, scene.shape[:2], progress=progress)
    found = _class_means(scene, labels, chosen)
    if not found[0]:
        raise BadInput(
            f"Nothing was measured in these regions of {scene.title}.",
            way_out="Draw one where the scene holds values.",
        )
    return found


def _class_means(
    scene: Scene, labels: Labels, chosen: NDArray[np.intp]
) -> tuple[list[str], Floats]:
    names, means = [], []
    for value in sorted(set(np.unique(labels.values).tolist()) - {0}):
        spectra = scene.spectra(labels.values == value, limit=_MOST_PIXELS)[:, chosen]
        spectra = spectra[np.isfinite(spectra).all(axis=1)]
        if len(spectra):
            names.append(labels.class_names.get(value, f"class {value}"))
            means.append(spectra.mean(axis=0, dtype=np.float64))
    return names, np.asarray(means, np.float32)
