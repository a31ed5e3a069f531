"""Cycles made by workers go on the window's thread."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from app.collector import Collector


class Cycle:
    """Says on which thread it was freed."""

    freed: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        Cycle.freed.append(threading.current_thread().name)


def make_cycles(count: int) -> None:
    def work() -> None:
        for _ in range(count):
            Cycle()

    thread = threading.Thread(target=work, name="maker")
    thread.start()
    thread.join()


@pytest.fixture
def python_collects() -> Iterator[None]:
    """Let Python collect by itself, as it does outside of tests."""
    was = gc.isenabled()
    gc.enable()
    Cycle.freed.clear()
    yield
    if not was:
        gc.disable()


def test_cycles_of_workers_go_on_the_windows_thread(python_collects: None, qtbot: Any) -> None:
    make_cycles(20_000)
    assert "maker" in Cycle.freed  # what Python does by itself
    collector = Collector()
    try:
        Cycle.freed.clear()
        make_cycles(20_000)
        qtbot.waitUntil(lambda: len(Cycle.freed) >= 20_000, timeout=5000)
        assert set(Cycle.freed) == {"MainThread"}
    finally:
        collector.stop()
    assert gc.isenabled()


def test_a_window_takes_the_work_and_gives_it_back(python_collects: None, window: Any) -> None:
    assert not gc.isenabled()
    window.close()
    assert gc.isenabled()
