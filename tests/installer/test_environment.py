"""The installer's decisions, without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from installer import environment
from installer.environment import LOCKS, NOT_FOR_CPU, Trouble, without
from installer.locking import PLATFORMS


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.txt")), ids=lambda p: p.stem)
def test_every_requirement_is_pinned_and_hashed_and_no_address_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    blocks = [b for b in re.split(r"\n(?=\S)", text) if b.strip()]
    for block in blocks:
        assert re.match(r"[a-z0-9][a-z0-9._-]*==[^\s\\]+", block), block[:60]
        assert "--hash=sha256:" in block, block[:60]


def test_every_platform_has_both_locks() -> None:
    for name in PLATFORMS:
        plain = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
        test = (LOCKS / f"{name}-test.txt").read_text(encoding="utf-8")
        assert "pytest==" in test
        assert "pytest==" not in plain
        for line in re.findall(r"^\S+==\S+", plain, re.MULTILINE):
            assert line in test, f"{name}: {line} differs between the two locks"


def test_cpu_leaves_out_what_needs_cuda() -> None:
    text = (LOCKS / "linux-x86_64.txt").read_text(encoding="utf-8")
    left = without(text, NOT_FOR_CPU)
    assert "nvidia" not in left
    assert not re.search(r"^(torch|timm|triton)", left, re.MULTILINE)
    assert re.search(r"^numpy==", left, re.MULTILINE)
    assert left.count("--hash") > 500


def test_unknown_platform_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "platform_name", lambda: "plan9-mips")
    with pytest.raises(Trouble, match="plan9-mips"):
        environment.lock_file(test=False)


def test_old_python_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_version_of", lambda python: (3, 9))
    with pytest.raises(Trouble, match=r"3\.9 is not supported"):
        environment.prepare(test=False, cpu=False, python="x", offline=True)


def test_second_start_installs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = tmp_path / "venv"
    python = environment.venv_python(venv)
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(environment, "VENV", venv)
    monkeypatch.setattr(environment, "platform_name", lambda: "linux-x86_64")
    monkeypatch.setattr(environment, "call", lambda *a, **k: pytest.fail("something was run"))
    monkeypatch.setattr(environment, "venv_python", lambda venv=venv: python)
    lock = environment.lock_file(test=True)
    (venv / "clearband-stamp.json").write_text(json.dumps(environment.stamp_of(lock, cpu=False)))
    import sys

    for test in (True, False):  # the test environment serves the application, too
        found = environment.prepare(test=test, cpu=False, python=sys.executable, offline=True)
        assert found == python
    assert not environment.stamp_fits(lock, cpu=True)
