"""What goes wrong in a night: the window and the command line say the same one sentence."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from app.main import run
from backends.errors import NeedsChoice
from backends.io import open_scene
from backends.perimeters.deliverables import deliver as delivering
from backends.perimeters.journal import load
from backends.scene import Scene
from backends.simulate.ams import simulate_ams
from backends.simulate.night import INCIDENT, IRWIN, write_published
from backends.workspace import Workspace
from widgets.fire_dock import FireDock
from widgets.perimeter.board import LineBoard
from widgets.perimeter_dock import PerimeterDock

IMAGE_UTC = "2025-08-29T08:50Z"
Say = Callable[..., str]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("night") / "line.tif"
    write_published(simulate_ams(192, seed=2, variant="night"), path)
    return path


@pytest.fixture
def docks(qtbot: Any) -> Iterator[tuple[Workspace, FireDock, PerimeterDock]]:
    """Return docks whose jobs run at once."""
    workspace, lines = Workspace(), LineBoard()
    fire, line = FireDock(workspace, None, lines), PerimeterDock(workspace, None, lines)
    for dock in (fire, line):
        qtbot.addWidget(dock)
        dock.resize(320, 900)
        dock.show()
    yield workspace, fire, line
    line.desk.close()
    workspace.close()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Return what runs a command line that fails and gives what it says."""

    def command(*words: object, code: int = 3) -> str:
        assert run([str(w) for w in words]) == code
        return capsys.readouterr().err.strip().removeprefix("clearband: ")

    return command


def bands_only(image: Path, folder: Path, keep: int, crs: bool = True) -> Path:
    """Write the first bands of an image alone, or without its place."""
    with rasterio.open(image) as source:
        profile = dict(source.profile, count=keep)
        names = source.descriptions[:keep]
        values = source.read(list(range(1, keep + 1)))
    if not crs:
        profile.pop("crs")
        profile.pop("transform")
    path = folder / "part.tif"
    with rasterio.open(path, "w", **profile) as out:
        out.write(values)
        out.descriptions = names
    return path


def outline(folder: Path, *shapes: Any, names: tuple[str, ...] = (), **facts: Any) -> Path:
    """Write outlines near the image as GeoJSON."""
    features = [
        {
            "type": "Feature",
            "properties": {"IncidentName": names[n] if names else INCIDENT, **facts},
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for n, shape in enumerate(shapes)
    ]
    path = folder / "outline.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def failed(handle: Any) -> str:
    assert handle is not None
    assert handle.error is not None, handle.state
    return str(handle.error)


def opened(docks: Any, path: Path) -> Scene:
    scene = open_scene(path)
    docks[0].add_scene(scene)
    return scene


SQUARE = shapely.box(-120.33, 38.50, -120.30, 38.52)
FAR = shapely.box(-112.33, 41.50, -112.30, 41.52)


def test_wrong_units(docks: Any, image: Path, tmp_path: Path, say: Say) -> None:
    opened(docks, image)
    fire = docks[1]
    fire.desk.say_bands(units="kelvin")
    shown = fire.bands.line.text()
    said = say("fire", image, "--units", "kelvin", "--out", tmp_path / "out")
    assert said in shown
    assert "cannot be in kelvin: AMS 11 (3.745 µm) has" in said
    assert not fire.detect.go_button.isEnabled()
    assert not (tmp_path / "out").exists()


def test_a_missing_heat_band(docks: Any, image: Path, tmp_path: Path, say: Say) -> None:
    path = bands_only(image, tmp_path, 8)
    opened(docks, path)
    reasons = docks[1].desk.look.reasons
    said = say("fire", path, "--rules", "B", "--out", tmp_path / "out")
    assert reasons["B"] == "The scene has no mid-wave infrared and no thermal infrared band."
    assert "no mid-wave infrared (3.4 to 4.2 µm) and thermal infrared" in said
    assert not (tmp_path / "out").exists()


def test_no_georeference(docks: Any, image: Path, tmp_path: Path, say: Say) -> None:
    path = bands_only(image, tmp_path, 12, crs=False)
    opened(docks, path)
    docks[1].detect.find()
    line = docks[2].line
    words = "has no georeference, so no line can be drawn on it"
    assert words in line.begin_line.text()
    for button in (line.draft_button, line.open_button, line.import_button):
        assert not button.isEnabled()
    said = say("fire", path, "--perimeter", "--out", tmp_path / "out")
    assert words in said
    assert not (tmp_path / "out").exists()  # said before anything is looked for or written


def test_an_outline_without_its_system(docks: Any, image: Path, tmp_path: Path, say: Say) -> None:
    opened(docks, image)
    path = tmp_path / "line.shp"
    shapes = shapely.to_wkb([shapely.box(4e5, 4e6, 4.01e5, 4.001e6)])
    pyogrio.raw.write(path, shapes, [], [], geometry_type="Polygon", crs="EPSG:32610")
    path.with_suffix(".prj").unlink(missing_ok=True)
    shown = failed(docks[2].desk.import_outline(path, IMAGE_UTC))
    said = say("perimeter", "import", path, "--out", tmp_path / "a.perimeter")
    assert said == shown
    assert "coordinate system" in said
    assert docks[2].desk.document is None


def test_self_crossings_are_mended_and_said(
    docks: Any, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(docks, image)
    eight = shapely.Polygon([(-120.33, 38.5), (-120.3, 38.52), (-120.3, 38.5), (-120.33, 38.52)])
    path = outline(tmp_path, eight, PolygonDateTime="2025-08-29T08:50:00Z")
    docks[2].desk.import_outline(path, IMAGE_UTC)
    document = docks[2].desk.document
    assert document.perimeter.is_valid
    assert run(["perimeter", "import", str(path), "--out", str(tmp_path / "a.perimeter")]) == 0
    said = capsys.readouterr().out
    (note, *_) = document.origin["notes"]
    assert "cross" in note
    assert note in " ".join(said.split())
    other, _ = load(tmp_path / "a.perimeter")
    assert other.perimeter.equals(document.perimeter)


def test_a_clock_in_the_future(docks: Any, image: Path, tmp_path: Path, say: Say) -> None:
    opened(docks, image)
    path = outline(tmp_path, SQUARE)
    shown = failed(docks[2].desk.import_outline(path, "2199-01-01T00:00Z"))
    said = say(
        "perimeter", "import", path, "--out", tmp_path / "a.perimeter", "--time",
        "2199-01-01T00:00Z",
    )  # fmt: skip
    for words in (shown, said):
        assert "lies in the future (2199-01-01T00:00:00Z; now it is" in words
    assert not (tmp_path / "a.perimeter").exists()


def test_two_fires_of_one_name(docks: Any, image: Path, tmp_path: Path, say: Say) -> None:
    opened(docks, image)
    path = outline(tmp_path, SQUARE, FAR)
    desk = docks[2].desk
    asked: list[NeedsChoice] = []

    def nobody(error: NeedsChoice) -> None:
        asked.append(error)

    desk.choose = nobody
    desk.import_outline(path, IMAGE_UTC)
    assert desk.document is None
    said = say("perimeter", "import", path, "--out", tmp_path / "a.perimeter")
    assert asked[0].sentence in said
    assert asked[0].sentence in docks[2].said_line.text()
    desk.choose = lambda error: error.choices[0]
    desk.import_outline(path, IMAGE_UTC)
    assert desk.document.perimeter.area > 0
    # The same question for yesterday's line; a fire of the name far away is none of it.
    desk.choose = nobody
    docks[2].check.compare_with(path)
    assert len(asked) == 2
    far = outline(tmp_path, FAR)
    docks[2].check.compare_with(far)
    assert "km apart" in docks[2].said_line.text()
    assert desk.document.previous is None


def test_a_full_disk(
    docks: Any, image: Path, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(docks, image)
    path = outline(tmp_path, SQUARE, IRWINID=IRWIN)
    dock = docks[2]
    dock.desk.import_outline(path, IMAGE_UTC)
    document = dock.desk.document
    head = document.trail.head
    kept = tmp_path / "a.perimeter"
    assert run(["perimeter", "import", str(path), "--out", str(kept), "--time", IMAGE_UTC]) == 0

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(delivering, "write_kmz", full)
    shown = failed(dock.check.deliver(tmp_path / "out"))
    assert "The disk is full" in shown
    said = say("perimeter", "export", kept, "--out", tmp_path / "out")
    assert said.splitlines()[-1] == shown
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    assert document.trail.head == head
    assert dock.desk.held.journal.path.is_file()
    assert np.isfinite(document.perimeter.area)
