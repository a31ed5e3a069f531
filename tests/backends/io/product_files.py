"""Small files in the layouts of EMIT, PRISMA, EnMAP and DESIS, for the tests of their readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

EMIT_NM = np.array([381.0, 450.0, 550.0, 650.0, 860.0, 1380.0, 1400.0, 1650.0, 1900.0, 2100.0,
                    2200.0, 2490.0])  # fmt: skip
VNIR_NM = np.array([0.0, 980.0, 950.0, 860.0, 650.0, 550.0, 450.0])
SWIR_NM = np.array([2490.0, 2200.0, 1650.0, 1200.0, 965.0, 940.0, 0.0])
ENMAP_NM = np.array([420.0, 550.0, 650.0, 860.0, 905.0, 911.0, 930.0, 940.0, 1200.0, 1650.0, 2200.0,
                     2440.0])  # fmt: skip


def write_emit(path: Path, name: str = "reflectance", **changes: Any) -> np.ndarray:
    """Write an EMIT file; ``changes`` replace data sets (None leaves them out). Return its cube."""
    import h5py

    rows, cols, count = 9, 7, EMIT_NM.size
    cube = np.random.default_rng(1).random((rows, cols, count)).astype(np.float32)
    cube[0, 0] = -9999
    lat = 45.0 - 0.0005 * np.arange(rows)[:, None] + np.zeros((1, cols))
    lon = 11.0 + 0.0007 * np.arange(cols)[None] + np.zeros((rows, 1))
    sets = {
        name: cube,
        "sensor_band_parameters/wavelengths": EMIT_NM.astype(np.float32),
        "sensor_band_parameters/fwhm": np.full(count, 8.5, np.float32),
        "sensor_band_parameters/good_wavelengths": ~((EMIT_NM > 1350) & (EMIT_NM < 1450)),
        "location/lon": lon,
        "location/lat": lat,
        "location/glt_x": np.ones((11, 12), np.int32),
        "location/glt_y": np.ones((11, 12), np.int32),
    } | {key.replace("__", "/"): value for key, value in changes.items()}
    with h5py.File(path, "w") as file:
        for key, value in sets.items():
            if value is not None:
                value = value.astype(np.uint8) if value.dtype == bool else value
                chunks = (4, 4, 5) if key == name and value.ndim == 3 else None
                file.create_dataset(key, data=value, chunks=chunks)
        if name in file:
            file[name].attrs["_FillValue"] = np.float32(-9999)
            file[name].attrs["units"] = "unitless" if name == "reflectance" else "uW/cm^2/SR/nm"
        file.attrs["title"] = "EMIT L2A Estimated Surface Reflectance 60 m V001"
        file.attrs["time_coverage_start"] = "2023-03-16T04:51:33+0000"
    return cube


def write_prisma(path: Path, level: str = "L2D", **attributes: Any) -> tuple[Any, Any]:
    """Write a PRISMA file; return the cubes (rows, bands, columns). None leaves things out."""
    import h5py

    rng = np.random.default_rng(2)
    vnir = rng.integers(1, 60000, (8, VNIR_NM.size, 6)).astype(np.uint16)
    swir = rng.integers(1, 60000, (8, SWIR_NM.size, 6)).astype(np.uint16)
    vnir[0, :, 0] = swir[0, :, 0] = 0
    facts: dict[str, Any] = {
        "List_Cw_Vnir": VNIR_NM.astype(np.float32),
        "List_Cw_Swir": SWIR_NM.astype(np.float32),
        "List_Fwhm_Vnir": np.where(VNIR_NM > 0, 11, 0).astype(np.float32),
        "List_Fwhm_Swir": np.where(SWIR_NM > 0, 10, 0).astype(np.float32),
        "List_Cw_Vnir_Flags": (VNIR_NM > 0).astype(np.uint8),
        "List_Cw_Swir_Flags": ((SWIR_NM > 0) & (SWIR_NM != 1200)).astype(np.uint8),
        "Product_StartTime": np.bytes_("2021-06-01T10:00:00.000"),
    }
    if level == "L1":
        facts |= {f"ScaleFactor_{k}": np.float32(100) for k in ("Vnir", "Swir")}
        facts |= {f"Offset_{k}": np.float32(2) for k in ("Vnir", "Swir")}
    else:
        facts |= {"L2ScaleVnirMin": np.float32(0), "L2ScaleVnirMax": np.float32(0.5)}
        facts |= {"L2ScaleSwirMin": np.float32(0.1), "L2ScaleSwirMax": np.float32(0.6)}
    if level == "L2D":
        facts["Epsg_Code"] = np.uint32(32632)
        for corner in ("UL", "UR", "LL", "LR"):
            east = 600015.0 + (30 * 5 if corner[1] == "R" else 0)
            north = 5000015.0 - (30 * 7 if corner[0] == "L" else 0)
            facts[f"Product_{corner}corner_easting"] = np.float32(east)
            facts[f"Product_{corner}corner_northing"] = np.float64(north)
    lon, lat = prisma_lonlat()
    group = f"HDFEOS/SWATHS/PRS_{level}_HCO"
    suffix = "_VNIR" if level == "L1" else ""
    sets = {
        "vnir": (f"{group}/Data Fields/VNIR_Cube", vnir),
        "swir": (f"{group}/Data Fields/SWIR_Cube", swir),
        "lon": (f"{group}/Geolocation Fields/Longitude{suffix}", lon),
        "lat": (f"{group}/Geolocation Fields/Latitude{suffix}", lat),
    }
    with h5py.File(path, "w") as file:
        for key, (name, value) in sets.items():
            value = attributes.pop(key, value)
            if value is not None:
                file.create_dataset(name, data=value, chunks=(3, *value.shape[1:]))
        file.require_group(f"{group}/Data Fields")
        for key, value in (facts | attributes).items():
            if value is not None:
                file.attrs[key] = value
    return vnir, swir


def prisma_lonlat() -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude of the grid of `write_prisma`, each shape (8, 6)."""
    from pyproj import Transformer

    east, north = np.meshgrid(600015.0 + 30 * np.arange(6), 5000015.0 - 30 * np.arange(8))
    lon, lat = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(
        east, north
    )
    return lon.astype(np.float32), lat.astype(np.float32)


def write_tiff(path: Path, cube: np.ndarray, **profile: Any) -> None:
    """Write a GeoTIFF of shape (rows, columns, bands)."""
    import rasterio
    from rasterio.transform import from_origin

    profile = {"crs": "EPSG:32632", "transform": from_origin(6e5, 5e6, 30, 30)} | profile
    rows, cols, count = cube.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=cols, count=count, dtype=cube.dtype, **profile
    ) as out:
        out.write(np.moveaxis(cube, -1, 0))


def enmap_xml(nm: np.ndarray = ENMAP_NM, gains: Any = 1e-4, offsets: Any = 0.0) -> str:
    """Return the text of an EnMAP METADATA.XML."""
    gains, offsets = np.broadcast_to(gains, nm.size), np.broadcast_to(offsets, nm.size)
    bands = "".join(
        f'<bandID number="{i}"><wavelengthCenterOfBand>{v}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{6 + i / 10}</FWHMOfBand><GainOfBand>{g}</GainOfBand>"
        f"<OffsetOfBand>{o}</OffsetOfBand></bandID>"
        for i, (v, g, o) in enumerate(zip(nm, gains, offsets, strict=True), 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><level_X><base><level>L2A</level></base><specific>'
        "<datatakeStart>2022-07-24T10:45:26Z</datatakeStart>"
        "<backgroundValue>-32768</backgroundValue>"
        "<vnirProductQuality><expectedChannelsList>1,2,3,4,5,7</expectedChannelsList>"
        "</vnirProductQuality><swirProductQuality><expectedChannelsList>6,8,9,11,12"
        f"</expectedChannelsList></swirProductQuality><bandCharacterisation>{bands}"
        "</bandCharacterisation></specific></level_X>"
    )


def desis_xml(nm: np.ndarray, gains: np.ndarray, offsets: np.ndarray) -> str:
    """Return the text of a DESIS METADATA.xml; another table of bands comes first."""
    bands = "".join(
        f"<band><bandNumber>{i}</bandNumber><wavelengthCenterOfBand>{v}</wavelengthCenterOfBand>"
        f"<wavelengthWidthOfBand>3.5</wavelengthWidthOfBand><response>0.1,0.9</response>"
        f"<gainOfBand>{g}</gainOfBand><offsetOfBand>{o}</offsetOfBand></band>"
        for i, (v, g, o) in enumerate(zip(nm, gains, offsets, strict=True), 1)
    )
    return (
        '<hsi xmlns="http://example.org/desis"><interiorOrientation><band><bandNumber>1'
        "</bandNumber></band></interiorOrientation><base><startTime>2020-06-28T15:38:03Z"
        f"</startTime></base><specific><bandCharacterisation>{bands}</bandCharacterisation>"
        "</specific></hsi>"
    )


ENMAP_STEM = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
DESIS_STEM = "DESIS-HSI-L1C-DT0468853252_002-20200628T153803-V0210"


def write_enmap(folder: Path, xml: str | None = None, count: int = ENMAP_NM.size) -> np.ndarray:
    """Write an EnMAP L2A product into a folder; return its cube."""
    cube = np.random.default_rng(3).integers(0, 9000, (10, 8, count)).astype(np.int16)
    cube[0, 0] = -32768
    write_tiff(folder / f"{ENMAP_STEM}-SPECTRAL_IMAGE.TIF", cube)
    (folder / f"{ENMAP_STEM}-METADATA.XML").write_text(enmap_xml() if xml is None else xml)
    return cube


def write_desis(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write a DESIS L1C product; return its cube, gains and offsets."""
    count = 12
    cube = np.random.default_rng(4).integers(0, 9000, (10, 8, count)).astype(np.int16)
    cube[0, 0] = -32768
    gains, offsets = 1e-3 * np.arange(1, count + 1), 0.5 * np.arange(count)
    write_tiff(folder / f"{DESIS_STEM}-SPECTRAL_IMAGE.tif", cube, nodata=-32768)
    text = desis_xml(401.0 + 2.55 * np.arange(count), gains, offsets)
    (folder / f"{DESIS_STEM}-METADATA.xml").write_text(text)
    return cube, gains, offsets
