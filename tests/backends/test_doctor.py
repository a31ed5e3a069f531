"""The doctor names what is missing and how to get it."""

from __future__ import annotations

import json

import pytest

from backends import doctor


def test_this_machine_is_examined() -> None:
    report = doctor.examine()
    names = {f.name for f in report.findings}
    assert {"Clearband", "Python", "Memory", "Processor", "rasterio", "torch"} <= names
    assert json.loads(json.dumps(report.to_dict()))["healthy"] == report.is_healthy
    assert "Readers" in report.text()


def test_a_missing_package_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda n: None if n in ("h5py", "pyhdf") else real(n))
    report = doctor.examine()
    found = {f.name: f for f in report.findings}
    assert found["h5py"].state == "missing"
    assert found["h5py"].way_out == "python3 -m installer run"
    assert found["pyhdf"].state == "optional"
    assert not report.is_healthy
    assert "✗ h5py" in report.text()
