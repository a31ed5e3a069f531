"""A gridded flight line as a GeoTIFF that every other command opens: radiance, wavelengths, sun.

The file's own correction of brightness temperatures is worked into the radiance of the infrared
channels, so that what is read from the GeoTIFF is as warm as what was read from the swath.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backends.errors import BadInput
from backends.fire.radiometry import brightness_temperature, planck
from backends.georeference import GeoReference
from backends.io.writers.atomic import replacing
from backends.jobs import Progress
from backends.scene import Scene, Window

_STRIP = 256
SUN_TAG = "SUN_ZENITH"


def write_gridded(scene: Scene, path: Path, *, progress: Progress | None = None) -> Path:
    """Write all bands of a scene on a grid, float32, ``nan`` where nothing was measured.

    Raises
    ------
    BadInput
        The scene lies on no grid, or the file cannot be written.
    """
    import rasterio

    if not isinstance(scene.place, GeoReference):
        raise BadInput(
            f"{scene.title} lies on no grid.",
            subject=scene.info.path,
            way_out="Grid it to UTM first.",
        )
    progress = progress or Progress()
    rows, cols, count = scene.shape
    nm = scene.bands.wavelengths()
    corrections = getattr(scene.source, "corrections", {})
    profile = {
        "driver": "GTiff", "height": rows, "width": cols, "count": count, "dtype": "float32",
        "nodata": np.nan, "compress": "deflate", "predictor": 3, "interleave": "band",
        "BIGTIFF": "IF_SAFER", "crs": scene.place.crs,
        "transform": rasterio.Affine(*scene.place.affine),
    }  # fmt: skip
    progress.start(rows, "rows", f"Writing {path.name}")
    with replacing(path) as inner, rasterio.open(inner, "w", **profile) as file:
        file.update_tags(TIFFTAG_IMAGEDESCRIPTION=scene.title)
        zenith = str(scene.info.facts.get("Sun zenith", "")).split()
        if zenith:
            file.update_tags(**{SUN_TAG: zenith[0]})
        file.units = (scene.info.unit,) * count
        for band in range(count):
            file.set_band_description(band + 1, scene.bands.names[band])
            if np.isfinite(nm[band]):
                file.update_tags(band + 1, wavelength=f"{nm[band]:g}", wavelength_units="nm")
        for row in range(0, rows, _STRIP):
            progress.check()
            window = Window(row, 0, min(_STRIP, rows - row), cols)
            values = scene.read(window, physical=True).astype(np.float32)
            for band, (slope, shift) in corrections.items():
                um = float(nm[band]) / 1e3
                kelvin = brightness_temperature(um, values[:, :, band], slope, shift)
                values[:, :, band] = planck(um, kelvin)
            place = rasterio.windows.Window(0, row, cols, window.height)
            file.write(np.moveaxis(values, 2, 0), window=place)
            progress.advance(window.height)
    return path
