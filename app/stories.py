"""Stories: a whole piece of work in the real window, a picture of each step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.fire_night import FireNight
from app.tour import Step, play_steps, settle
from backends.errors import ClearbandError, WrongUse
from backends.io.writers.atomic import write_text
from backends.simulate.night import make_night, night_of

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

STORIES = ("fire-night", "working-day")
# What the first half may take at most; a slow machine draws without a graphics card.
PATIENCE_S = 600.0
_REST_S = 0.4
_READY = "evening.json"
_REAL = Path("hsi") / "envi"


def play_story(story: str, folder: Path, data: Path | None = None) -> list[tuple[Path, str]]:
    """Play a story and return its pictures with what they show.

    It keeps settings, lines and sessions in a home of its own inside the folder. In the middle
    of the night the program is killed as a crash would; another goes on.

    Parameters
    ----------
    data : Path, optional
        A folder of real data; without it a day is spent on the demo scene.

    Raises
    ------
    WrongUse
        There is no such story.
    ClearbandError
        A step did not come to its end, or the crash has cost something.
    """
    if story not in STORIES:
        raise WrongUse(f"There is no story called {story}.", way_out=f"Use: {', '.join(STORIES)}.")
    folder = folder.resolve()
    with _home(folder / "home"):
        if story == "working-day":
            return _day(folder, data)
        make_night(folder / "files")
        killed = _evening_killed(story, folder)
        steps = FireNight(night_of(folder / "files"), folder).morning()
        return [*killed, *play_steps(steps, folder, len(killed) + 1, _REST_S)]


def _day(folder: Path, data: Path | None) -> list[tuple[Path, str]]:
    """Play a day on a real scene, or the demo scene, and do it again from its log."""
    from app.working_day import WorkingDay

    library = None
    if data is not None and (data / _REAL / "enmap_potsdam_a.hdr").is_file():
        scene = data / _REAL / "enmap_potsdam_a.hdr"
        labels = scene.with_name("enmap_potsdam_a_labels.hdr")
        library = data / "hsi" / "speclib" / "library_berlin.hdr"
    else:
        from backends.simulate import demo_scene

        scene, labels = demo_scene("valley")
    day = WorkingDay(scene, labels, library, folder)
    taken = play_steps(day.steps(), folder, 1, _REST_S)
    day.again()
    return taken


def play_evening(story: str, folder: Path) -> None:
    """Play what comes before the crash, say so in a file, and wait for it."""
    steps = FireNight(night_of(folder / "files"), folder).evening()

    def until_killed(window: ClearbandWindow) -> None:
        write_text(folder / _READY, json.dumps([[s.name, s.text] for s in steps]))
        settle(window, PATIENCE_S)

    last = Step("end", "", until_killed)
    play_steps([*steps, last], folder, 1, _REST_S)


def _evening_killed(story: str, folder: Path) -> list[tuple[Path, str]]:
    """Play the first half in a program of its own and kill it at its end."""
    ready, log = folder / _READY, folder / "evening.log"
    ready.unlink(missing_ok=True)
    words = ["tour", "--story", story, "--chapter", "evening", "--out", str(folder)]
    start = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    with log.open("wb") as stream:
        child = subprocess.Popen(
            [*start, *words], env={**os.environ, "PYTHONPATH": path}, stdout=stream,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            until = time.monotonic() + PATIENCE_S
            while not ready.is_file() and child.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
        finally:
            child.kill()  # as a crash: nothing is put away
            child.wait()
    if not ready.is_file():
        said = log.read_text(encoding="utf-8", errors="replace")
        raise ClearbandError("The story did not come to its middle.", details=said[-4000:])
    names = json.loads(ready.read_text(encoding="utf-8"))
    return [(folder / f"{n:02d}-{name}.png", text) for n, (name, text) in enumerate(names, 1)]


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """Keep everything the program keeps in a folder of its own."""
    before = os.environ.get("CLEARBAND_HOME")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["CLEARBAND_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["CLEARBAND_HOME"]
        else:
            os.environ["CLEARBAND_HOME"] = before
