"""Bad input in the spectral tools dock: a sentence in the dock, nothing laid, nothing logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.georeference import GeoReference
from backends.regions import Region
from backends.scene import ArraySource, Scene
from backends.workspace import Pin, Workspace
from tests.widgets.test_spectral_tools_dock import BANDS, NM, box, by_title, field, logged
from widgets.spectral_tools_dock import SpectralToolsDock

Desk = tuple[Workspace, SpectralToolsDock]


@pytest.fixture
def desk(qtbot: Any) -> Iterator[Desk]:
    workspace = Workspace()
    dock = SpectralToolsDock(workspace)
    qtbot.addWidget(dock)
    dock.resize(300, 1200)
    dock.show()
    yield workspace, dock
    workspace.close()


def put(
    workspace: Workspace, cube: np.ndarray, title: str = "Field", zone: int | None = None
) -> Scene:
    given = field(Path(f"{title}.dat"), title)
    if zone is not None:
        place = GeoReference((30.0, 0.0, 0.0, 0.0, -30.0, 0.0), f"EPSG:326{zone}")
        given.with_info(place=place)
    scene = Scene(ArraySource(cube.astype(np.float32)), given.info)
    workspace.add_scene(scene)
    return scene


def table(path: Path, first: list[str], spectra: np.ndarray) -> Path:
    lines = [first, *([f"s{i}", *map(str, row)] for i, row in enumerate(spectra))]
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    return path


def refused(desk: Desk, tool: str, sentence: str) -> None:
    """Press the button of a tool; the sentence stands in the dock and nothing else happened."""
    workspace, dock = desk
    dock.show_tool(tool)
    dock.run()
    said = " ".join(
        (dock.problem_line.text(), dock.result.facts_line.text(), dock.formula.error_line.text())
    )
    assert sentence in said
    assert "Traceback" not in said
    assert by_title(workspace) == {}
    assert logged(workspace) == []


def test_a_library_without_wavelengths(desk: Desk, tmp_path: Path) -> None:
    workspace, dock = desk
    cube = field().read()
    put(workspace, cube)
    header = tmp_path / "bare.hdr"
    header.write_text(
        f"ENVI\nsamples = {BANDS}\nlines = 2\nbands = 1\nheader offset = 0\n"
        "file type = ENVI Spectral Library\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
    )
    cube[3, [4, 40]].astype("<f4").tofile(tmp_path / "bare.sli")
    dock.references.open_library(tmp_path / "bare.sli")
    for tool in ("Match", "Target"):
        refused(desk, tool, "bare does not say at which wavelengths it was measured")


def test_a_library_of_mixed_units_is_not_opened(desk: Desk, tmp_path: Path) -> None:
    workspace, dock = desk
    cube = field().read()
    put(workspace, cube)
    mixed = np.where(NM < 1000, NM, NM / 1000)
    path = table(tmp_path / "mixed.csv", ["name", *(f"{v:g}" for v in mixed)], cube[:2, 3])
    handle = dock.references.open_library(path)
    assert "partly in nm, partly in µm" in str(handle.error)
    assert not workspace.libraries


def test_regions_that_hold_no_pixel(desk: Desk) -> None:
    workspace, _ = desk
    scene = put(workspace, field().read())
    workspace.add_region(Region("Speck", scene.id, box(5, 5, 0.2)))
    for tool in ("Match", "Target"):
        refused(desk, tool, "No region holds a pixel. Draw regions on the scene")
    workspace.remove_region(next(iter(workspace.regions)))
    workspace.add_region(Region("Far", scene.id, box(500, 500)))
    for tool in ("Match", "Target"):
        refused(desk, tool, "No region holds a pixel. Draw regions on the scene")


def test_a_region_that_is_left_out_is_named(desk: Desk) -> None:
    workspace, dock = desk
    scene = put(workspace, field().read())
    workspace.add_region(Region("Left", scene.id, box(10, 0)))
    workspace.add_region(Region("Speck", scene.id, box(5, 5, 0.2)))
    dock.show_tool("Match")
    dock.run()
    assert "left out: Speck" in dock.result.notes_line.text()


def test_scenes_of_two_coordinate_systems(desk: Desk) -> None:
    workspace, dock = desk
    cube = field().read()
    here = put(workspace, cube, "Here", 33)
    put(workspace, cube * 1.1, "There", 32)
    workspace.activate(here.id)
    refused(desk, "Change", "different coordinate systems")
    dock.show_tool("Formula")
    assert "There" not in dock.formula.others_line.text()
    dock.formula.edit.setText("b[860] - there[860]")
    assert "different coordinate systems" in dock.formula.error_line.text()
    assert not dock.go_button.isEnabled()
    # Beside it, a formula of this scene alone is one.
    dock.formula.edit.setText("b[860] - b[660]")
    assert dock.formula.error_line.text() == ""
    assert dock.go_button.isEnabled()


def test_more_bands_than_pixels(desk: Desk) -> None:
    workspace, _ = desk
    scene = put(workspace, field().read()[:4, :5])
    workspace.add_pin(Pin(scene.id, 1, 1, "Here"))
    refused(desk, "Anomalies", "20 pixels are too few to describe 23 bands")
    refused(desk, "Target", "20 pixels are too few to describe 23 bands")


def test_a_pin_where_nothing_was_measured(desk: Desk) -> None:
    workspace, _ = desk
    cube = field().read().copy()
    cube[4:8, 4:8] = np.nan
    scene = put(workspace, cube)
    workspace.add_pin(Pin(scene.id, 5, 5, "Hole"))
    refused(desk, "Match", "Nothing was measured at row 5, column 5")


def test_division_by_zero_is_said_with_the_map(desk: Desk) -> None:
    workspace, dock = desk
    put(workspace, field().read())
    dock.show_tool("Formula")
    dock.formula.edit.setText("b[860] / (b[660] - b[660])")
    dock.run()
    assert "2000 pixels have no value" in dock.result.notes_line.text()
