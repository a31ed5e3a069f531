"""A perimeter while it is worked on: undo, review, trail, journal, tampering."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import shapely
from shapely.affinity import translate

from backends.errors import BadInput, WrongUse
from backends.perimeters import clock
from backends.perimeters import document as documents
from backends.perimeters.audit import AuditTrail
from backends.perimeters.checks import run_checks
from backends.perimeters.document import PerimeterDocument
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.journal import Journal, journal_of, load, save
from backends.perimeters.review import ReviewState
from backends.perimeters.stretch import take_stretch, vertex_moved


def _drag(document: PerimeterDocument, dx: float = 3.0, where: float = 503_000) -> None:
    stretch = take_stretch(document.perimeter, where, 4_000_000)
    x, y = stretch.points[150]
    points = vertex_moved(stretch.points, 150, x + dx, y)
    document.edit_stretch(document.features[0].id, stretch, points, "Ann Lee")


def test_edits_are_undone_and_redone_exactly(document: PerimeterDocument) -> None:
    first = shapely.to_wkb(document.perimeter)
    _drag(document)
    second = shapely.to_wkb(document.perimeter)
    document.remove(document.features[1].id, "Ann Lee")
    document.describe({"Comments": "smoke"}, "Ann Lee")
    for _ in range(3):
        document.history.undo()
    assert shapely.to_wkb(document.perimeter) == first != second
    assert len(document.features) == 2
    assert "Comments" not in document.attributes
    for _ in range(3):
        document.history.redo()
    assert shapely.to_wkb(document.perimeter) == second
    assert len(document.features) == 1
    assert document.attributes["Comments"] == "smoke"
    actions = [e.action for e in document.trail.entries]
    assert actions.count("Undo: Move line") == 1
    assert actions.count("Move line") == 2
    document.check_content()


def test_review_goes_its_way(document: PerimeterDocument) -> None:
    assert document.state is ReviewState.DRAFT
    assert document.state.status == "Proposed"
    _drag(document)
    assert document.state is ReviewState.IN_REVIEW
    with pytest.raises(WrongUse, match="cannot become superseded"):
        document.supersede("Ann Lee", "b")
    document.verify("Ann Lee", run_checks(document))
    assert document.state.status == "Approved"
    assert document.signature is not None
    assert document.signature.image_digest == "ab" * 32
    with pytest.raises(WrongUse, match="is verified by Ann Lee and cannot be edited"):
        _drag(document)
    with pytest.raises(BadInput, match="only reopened with a reason"):
        document.to_review("Bob")
    document.to_review("Bob", "spot outside")
    assert document.signature is None
    document.verify("Bob", run_checks(document))
    document.supersede("Bob", "next night")
    assert document.state.status == "Archive"


def test_open_checks_hold_up_the_signature(document: PerimeterDocument) -> None:
    document.describe({"IRWINID": ""}, "Ann Lee")
    found = run_checks(document)
    with pytest.raises(BadInput, match="1 check is open: The incident has its IRWIN ID"):
        document.verify("Ann Lee", found)
    bad = next(c for c in found if not c.passed)
    with pytest.raises(BadInput, match="only be waived with a reason"):
        document.waive(bad, "Ann Lee", " ")
    document.waive(bad, "Ann Lee", "not assigned yet")
    document.verify("Ann Lee", found)
    assert document.trail.entries[-2].details["reason"] == "not assigned yet"


def test_checks_find_what_is_wrong(document: PerimeterDocument) -> None:
    line = document.perimeter
    document.previous = translate(line, 30.0)
    document.describe({"IncidentName": "Goat  Peak "}, "Ann Lee")
    document.add(replace(document.features[1], id="twin"), "Ann Lee")
    off = shapely.LineString([(500_000, 3_990_000), (500_000, 3_991_000)])
    hot = shapely.MultiPoint([(500_000, 4_000_100), (520_000, 4_000_000)])
    found = {
        c.id: c
        for c in run_checks(document, known_names=["Goat Peak"], contained=off, hot_points=hot)
    }
    open_ = {name for name, c in found.items() if not c.passed}
    assert open_ == {
        "spaces", "spelling", "duplicates", "reduction", "shift", "contained line", "detections",
    }  # fmt: skip
    assert "30 m off (-30.0 east, +0.0 north)" in found["shift"].text.replace("-0.0 n", "+0.0 n")
    assert "1 of 2 detections" in found["detections"].text
    assert found["reduction"].where.area > 0


def test_a_clock_that_is_behind_cannot_sign(
    document: PerimeterDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.to_review("Ann Lee")
    monkeypatch.setattr(documents, "now", lambda: clock.now() - dt.timedelta(days=3))
    with pytest.raises(BadInput, match="This computer says it is"):
        document.verify("Ann Lee", [])


def test_a_killed_program_loses_nothing(document: PerimeterDocument, tmp_path: Path) -> None:
    path = tmp_path / "goat.perimeter"
    journal = Journal(document, path)
    _drag(document)
    document.add(Feature(HeatClass.POSSIBLE, shapely.Point(5e5, 4e6)), "Ann Lee")
    _drag(document, 4.0, 497_000)
    document.history.undo()
    document.describe({"Comments": "µ, smoke"}, "Ann Lee")
    # Nothing was saved since; the half-written line is the one being written when it died.
    with journal_of(path).open("ab") as stream:
        stream.write(b'{"change": {"set"')
    again, count = load(path)
    assert count == 6  # and the step into review
    assert shapely.to_wkb(again.perimeter) == shapely.to_wkb(document.perimeter)
    assert again.trail.head == document.trail.head
    assert again.to_dict() == document.to_dict()
    journal.close()
    assert load(path)[1] == 0
    assert not journal_of(path).exists()


def test_a_journal_of_an_older_version_is_left_alone(
    document: PerimeterDocument, tmp_path: Path
) -> None:
    path = tmp_path / "goat.perimeter"
    journal = Journal(document, path)
    _drag(document)
    save(document, path)  # killed between the document and its new journal
    again, count = load(path)
    assert count == 0
    assert again.trail.head == document.trail.head
    journal.close()


Tamper = Callable[[dict], None]


def _forge_time(values: dict) -> None:
    values["trail"][1]["utc"] = "2020-01-01T00:00:00Z"


def _drop_entry(values: dict) -> None:
    del values["trail"][-2]


def _drop_last(values: dict) -> None:
    del values["trail"][-1]


def _move_line(values: dict) -> None:
    shape = shapely.from_wkb(values["features"][0]["wkb"])
    moved = translate(shape, 1.0)
    values["features"][0]["wkb"] = shapely.to_wkb(moved, hex=True)


def _sign(values: dict) -> None:
    values["state"] = "VERIFIED"


@pytest.mark.parametrize("tamper", [_forge_time, _drop_entry, _drop_last, _move_line, _sign])
def test_tampering_shows(document: PerimeterDocument, tmp_path: Path, tamper: Tamper) -> None:
    path = tmp_path / "goat.perimeter"
    _drag(document)
    save(document, path)
    values = json.loads(path.read_text(encoding="utf-8"))
    tamper(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(BadInput, match="audit trail"):
        load(path)


def test_the_trail_only_takes_what_follows() -> None:
    trail, other = AuditTrail(), AuditTrail()
    first = trail.add("Ann", "made")
    trail.add("Ann", "edit")
    other.take(first)
    with pytest.raises(BadInput, match="at line 2"):
        other.take(replace(trail.entries[1], who="Bob"))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "clearband perimeter 1"}'])
def test_what_is_no_perimeter(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.perimeter"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="perimeter"):
        load(path)
