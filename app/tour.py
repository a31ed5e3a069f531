"""The guided tour: the real window, driven step by step, a picture of each.

It needs no file and no network; with a folder of real data it shows those, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication

from app.followed import wait_until_sharp
from backends.errors import ClearbandError
from backends.jobs import JobState
from backends.overlays import MatrixField

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow

PATIENCE_S = 240.0


@dataclass(frozen=True)
class Step:
    """One picture.

    Attributes
    ----------
    name : str
        Of the file, without number and suffix.
    text : str
        What is seen.
    do : callable
        Brings the window there.
    tidy : bool
        Whether messages are put away afterwards.
    """

    name: str
    text: str
    do: Callable[[ClearbandWindow], None]
    tidy: bool = True


def play(folder: Path, data: Path | None = None) -> list[tuple[Path, str]]:
    """Play the tour and return the pictures with what they show.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    data : Path, optional
        A folder of real data, for some pictures more.

    Raises
    ------
    ClearbandError
        A step did not come to its end in time.
    """
    from app import tour_explaining

    seen = [step.name for step in STEPS].index("matrices") + 1
    steps = [*STEPS[:seen], *tour_explaining.steps(), *STEPS[seen:], *_real_steps(data)]
    if data is not None:
        steps += tour_explaining.real_steps(data)
    return play_steps(steps, folder)


def play_steps(
    steps: Sequence[Step], folder: Path, first: int = 1, rest_s: float = 1.0
) -> list[tuple[Path, str]]:
    """Play steps in a window of their own, a picture of each.

    Parameters
    ----------
    first : int
        Number of the first picture.
    rest_s : float
        How long the window comes to rest before each.
    """
    from app.window import build

    folder.mkdir(parents=True, exist_ok=True)
    window = build(show=True)
    window.qt_window.resize(1600, 1000)
    taken = []
    try:
        for number, step in enumerate(steps, first):
            # A step answers for its own failures only.
            window.workspace.jobs[:] = window.workspace.running_jobs()
            step.do(window)
            settle(window, rest_s)
            path = folder / f"{number:02d}-{step.name}.png"
            window.qt_window.grab().save(str(path))
            taken.append((path, step.text))
            for toast in window.toaster.toasts():
                if step.tidy:
                    toast.close()
    finally:
        for handle in window.workspace.running_jobs():
            handle.cancel()
        window.close()
    return taken


def settle(window: ClearbandWindow, seconds: float = 1.0) -> None:
    """Let the window come to rest."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.01)
    wait_until_sharp(window.viewer.layers)


def wait_for(window: ClearbandWindow, true: Callable[[], bool], what: str) -> None:
    """Let the window live until something is so."""
    until = time.monotonic() + PATIENCE_S
    while not true():
        failed = [h for h in window.workspace.jobs if h.state is JobState.FAILED]
        if failed and failed[-1].error is not None:
            raise failed[-1].error
        if time.monotonic() > until:
            raise ClearbandError(f"The tour waited in vain for {what}.")
        QApplication.processEvents()
        time.sleep(0.01)


def _idle(window: ClearbandWindow) -> None:
    until = time.monotonic() + PATIENCE_S
    while window.workspace.running_jobs() and time.monotonic() < until:
        settle(window, 0.05)


def _welcome(window: ClearbandWindow) -> None:
    settle(window, 0.5)


def _sample(sample_id: str, workbench: str) -> Callable[[ClearbandWindow], None]:
    def do(window: ClearbandWindow) -> None:
        before = len(window.workspace.scenes)
        window.show_workbench(workbench)
        window.opener.open_sample(sample_id)
        wait_for(window, lambda: len(window.workspace.scenes) > before, "the sample")
        _idle(window)
        settle(window, 1.0)

    return do


def _spectra(window: ClearbandWindow) -> None:
    scene = window.workspace.active_scene
    assert scene is not None
    rows, cols, _ = scene.shape
    dock = window.docks["spectrum"].inner
    for row, col in ((0.30, 0.55), (0.15, 0.30), (0.66, 0.40), (0.90, 0.15)):
        window.workspace.cursor_moved.emit(scene.id, int(rows * row), int(cols * col))
        settle(window, 0.2)
        dock.pin_here()


def _class_map(window: ClearbandWindow) -> None:
    window.show_dock("classify")
    settle(window, 0.3)
    dock = window.docks["classify"].inner
    dock.model_box.setCurrentIndex(dock.model_box.findData("es_mhc"))
    dock.use_button.click()
    _idle(window)
    wait_for(window, lambda: bool(window.workspace.overlays), "the class map")


def _matrices(window: ClearbandWindow) -> None:
    scene = window.workspace.active_scene
    assert scene is not None
    window.show_dock("matrices")
    fields = [o for o in window.workspace.overlays.values() if isinstance(o, MatrixField)]
    assert fields
    window.workspace.select_pixel(scene.id, scene.shape[0] // 3, scene.shape[1] // 2)
    settle(window, 0.5)
    dock = window.docks["matrices"].inner
    dock.grid.chosen.emit(2, 1)


def _training(window: ClearbandWindow) -> None:
    window.show_dock("classify")
    dock = window.docks["classify"].inner
    scene = window.workspace.active_scene
    assert scene is not None
    if not dock.go_button.isEnabled():
        from backends.io.labels import open_labels
        from backends.simulate import demo_scene

        labels = open_labels(demo_scene("valley")[1])
        window.workspace.set_labels(scene.id, labels.values, labels.class_names)
    dock.go_button.click()
    settle(window, 12.0)


def _jobs(window: ClearbandWindow) -> None:
    window.show_dock("jobs")
    settle(window, 2.0)


def _error(window: ClearbandWindow) -> None:
    for handle in window.workspace.running_jobs():
        handle.cancel()
    _idle(window)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.hdr"
        path.write_text("ENVI\nsamples = 400\nlines = 300\nbands = 9\ndata type = 2\n")
        (Path(folder) / "field.dat").write_bytes(b"too short")
        window.open_paths([path])
        _idle(window)
        settle(window, 0.5)


STEPS: tuple[Step, ...] = (
    Step("welcome", "Where to begin: recent files, samples that need no network", _welcome),
    Step("demo-scene", "A scene of 200 bands in natural colour", _sample("demo", "remote_sensing")),
    Step("spectra", "Spectra under the mouse and pinned, one colour key", _spectra),
    Step("class-map", "A class map made a moment ago, with legend and areas", _class_map),
    Step("matrices", "The network's own matrices, and a clicked pixel's", _matrices),
    Step("training", "A training while it runs: live accuracy, rate, time left", _training),
    Step("jobs", "Every job with progress, rate and time left", _jobs),
    Step("error", "What goes wrong is said in one sentence", _error),
    Step("pathology", "Stained tissue at the Pathology workbench", _sample("ihc", "pathology")),
    Step("fire", "A simulated fire at the Fire workbench", _sample("thermal", "fire")),
)


def _real_steps(data: Path | None) -> list[Step]:
    """Return pictures of real files, where there are any."""
    if data is None:
        return []
    files = (
        ("real-scene", "An EnMAP scene", "hsi/envi/enmap_potsdam_a.bil", "remote_sensing"),
        ("slide", "A whole-slide image", "pathology/CMU-1-Small-Region.svs", "pathology"),
        ("dicom", "A CT slice in Hounsfield units", "dicom/CT_small.dcm", "pathology"),
    )

    def opening(path: Path, workbench: str) -> Callable[[ClearbandWindow], None]:
        def do(window: ClearbandWindow) -> None:
            before = len(window.workspace.scenes)
            window.show_workbench(workbench)
            window.open_paths([path])
            wait_for(window, lambda: len(window.workspace.scenes) > before, path.name)
            _idle(window)

        return do

    return [
        Step(name, text, opening(data / path, workbench))
        for name, text, path, workbench in files
        if (data / path).exists()
    ]
