"""What all tests share: the real data, a home of their own, and gates against leaks."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gl_guard import agree_on_window_system

agree_on_window_system()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what ran before the process of the tests died (see `installer.checks`)."""
    done = set(_tests_done().read_text("utf-8").splitlines()) if _tests_done().is_file() else set()
    ran = [item for item in items if _line(item) in done]
    if ran:
        items[:] = [item for item in items if _line(item) not in done]
        config.hook.pytest_deselected(items=ran)


def _tests_done() -> Path:
    return Path(os.environ.get("CLEARBAND_TESTS_DONE", os.devnull))


def _line(item: pytest.Item) -> str:
    return ascii(item.nodeid)[1:-1]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Free what earlier tests left, on this thread, and keep the rest out of the collector's sight.

    napari collects garbage with each layer that goes; with all modules of all tests in sight
    that is a second each time. Once there are widgets, no worker's thread may free them.
    """
    with _tests_done().open("a", encoding="utf-8") as file:
        file.write(f"{_line(item)}\n")
    gc.collect()
    gc.freeze()
    if "PyQt6.QtWidgets" in sys.modules:
        gc.disable()


@pytest.fixture(scope="session")
def clearband_data() -> Path:
    """Return the folder of real data, or skip where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CLEARBAND_DATA", default))
    if not folder.is_dir():
        pytest.skip("the real data are not here; set CLEARBAND_DATA to their folder")
    return folder


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test settings, caches and sessions of its own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CLEARBAND_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a top-level widget or a working thread behind."""
    threads = set(threading.enumerate())
    yield
    if request.node.get_closest_marker("allow_leaks"):
        return
    _check_threads(threads)
    _check_widgets()


def _check_threads(before: set[threading.Thread]) -> None:
    deadline = time.monotonic() + 5
    left: list[threading.Thread] = []
    while time.monotonic() < deadline:
        left = [
            t
            for t in set(threading.enumerate()) - before
            if t.name.startswith("clearband") and t.is_alive()
        ]
        if not left:
            return
        time.sleep(0.02)
    pytest.fail(f"threads left running: {[t.name for t in left]}")


def _check_widgets() -> None:
    if "PyQt6.QtWidgets" not in sys.modules:
        return
    from PyQt6.QtCore import QEvent
    from PyQt6.QtWidgets import QApplication

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        return
    for _ in range(3):
        application.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        application.processEvents()
        left = [w for w in application.topLevelWidgets() if w.isVisible()]
        if not left:
            return
        gc.collect()
    names = [f"{type(w).__name__} {w.windowTitle()!r}" for w in left]
    for widget in left:
        widget.close()
        widget.deleteLater()
    pytest.fail(f"widgets left open (a strong reference through a lambda or partial?): {names}")
