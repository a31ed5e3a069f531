"""An analyst's night in the real window, killed in the middle: the story of the tour."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shapely

from app.main import run
from app.stories import play_story
from backends.errors import WrongUse
from backends.perimeters.acreage import acreage
from backends.perimeters.coordinates import moved
from backends.perimeters.deliverables.geopdf import page_reference
from backends.perimeters.importing import read_perimeters
from backends.perimeters.journal import load
from backends.perimeters.review import ReviewState
from backends.simulate.night import INCIDENT, IRWIN, TAKEN_UTC, night_of


def test_there_are_only_the_stories_there_are(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no story called dawn"):
        play_story("dawn", tmp_path)


@pytest.mark.skipif(sys.platform == "darwin", reason="a child's window needs a session there")
@pytest.mark.timeout(900)
def test_a_night_killed_and_recovered(tmp_path: Path) -> None:
    """Pictures of every step; what the crash could cost is compared word for word."""
    # In a process of its own: a window that was built by the program stays until the program ends.
    words = ["tour", "--story", "fire-night", "--out", str(tmp_path), "--json"]
    played = subprocess.run(
        [sys.executable, "-m", "app", *words], capture_output=True, text=True, check=False
    )
    assert played.returncode == 0, played.stderr
    taken = [Path(step["picture"]) for step in json.loads(played.stdout)]
    assert len(taken) == 18
    assert all(path.stat().st_size > 20_000 for path in taken)
    before, after = (
        json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("before", "after")
    )
    assert after == before
    actions = [entry["action"] for entry in before["trail"]]
    for action in ("Move vertices", "Brush onto the fire", "Cut an island", "Split", "Merge",
                   "Undo: Merge", "Waived: The fire does not shrink"):  # fmt: skip
        assert action in actions, actions
    assert before["waivers"][0]["who"] == "A. Analyst"
    (kept,) = (tmp_path / "home" / "perimeters").glob("*.perimeter")
    document, recovered = load(kept)
    assert recovered == 0
    assert document.state is ReviewState.VERIFIED
    assert document.trail.entries[-1].who == "A. Analyst"
    # What was handed over is the line that was signed, and says so; the earlier set says DRAFT.
    signed, draft = tmp_path / "delivered", tmp_path / "draft"
    assert len(list(signed.iterdir())) == len(list(draft.iterdir())) == 9
    assert all("DRAFT" in path.name for path in draft.iterdir())
    assert not any("DRAFT" in path.name for path in signed.iterdir())
    (geojson,) = signed.glob("*.geojson")
    shape, _ = read_perimeters(geojson).of_one_fire()
    there = moved(shape, "EPSG:4326", document.crs)
    assert shapely.hausdorff_distance(there, document.perimeter) < 0.2
    sizes = [acreage(g, document.crs, document.crs).gross_ac for g in (there, document.perimeter)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-5)
    # The imagery that was looked at lies below the lines of both maps.
    for path in signed.glob("*.pdf"):
        place = page_reference(path)
        frame = shapely.box(*place.extent)
        assert place.crs == document.crs
        assert frame.contains(document.perimeter)
        assert path.stat().st_size > 100_000
    by_command(tmp_path, document)


def by_command(folder: Path, signed: Any) -> None:
    """Do the same night by the commands of the README; the line handed over is the same."""
    image, yesterday = night_of(folder / "files").image, night_of(folder / "files").yesterday
    out, who = folder / "commands", ("--who", "A. Analyst")
    line = out / "perimeter" / "draft.perimeter"

    def clearband(*words: object) -> None:
        assert run([str(w) for w in words]) == 0, words

    clearband(
        "fire", image, "--rules", "B", "--perimeter", "--incident", INCIDENT, "--time", TAKEN_UTC,
        "--out", out,
    )  # fmt: skip
    clearband("perimeter", "describe", line, "--irwin", IRWIN, *who)
    strokes = sorted((folder / "strokes").iterdir())
    kinds = [path.stem.split("-")[1] for path in strokes]
    assert kinds == ["move", "add", "island", "split", "merge"]
    for path, what in zip(strokes, kinds, strict=True):
        stroke = () if what == "merge" else (path,)
        clearband("perimeter", "edit", line, what, *stroke, "--brush", 60, *who)
    clearband("perimeter", "beside", line, "--previous", yesterday)
    reason = "looked at on the image"
    clearband("perimeter", "waive", line, "reduction", "--reason", reason, *who)
    clearband("perimeter", "verify", line, "--image", image, *who)
    clearband("perimeter", "export", line, "--backdrop", image, "--out", out / "products")
    (geojson,) = (out / "products").glob("*.geojson")
    made = read_perimeters(geojson).of_one_fire()[0]
    made = moved(made, "EPSG:4326", signed.crs)
    # Millimetres: strokes were written in degrees.
    assert shapely.hausdorff_distance(made, signed.perimeter) < 0.2
    assert made.symmetric_difference(signed.perimeter).area < 1e-4 * signed.perimeter.area
    with pytest.raises(AssertionError):
        clearband("perimeter", "edit", line, "cut", strokes[1], *who)  # signed
