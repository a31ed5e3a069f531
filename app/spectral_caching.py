"""Quick spectra of large band-by-band files: a copy is made behind the user's work, and said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QObject, QTimer

from app.settings import Settings
from backends.errors import BadInput, Cancelled
from backends.io import spectral_cache
from backends.jobs import Job, JobHandle, Progress
from backends.scene import Scene
from backends.workspace import Workspace

# The first picture and its statistics have the disk to themselves.
WAIT_MS = 4000
DEFAULT_GB = 20.0


class SpectralCaching(QObject):
    """Makes one copy at a time for the open scenes that gain from it.

    Parameters
    ----------
    workspace : Workspace
    settings : Settings
        Whether copies are kept, and how much room they have.
    tell : callable
        ``tell(text)`` shows a message.
    """

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        tell: Callable[..., Any],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._settings, self._tell = workspace, settings, tell
        self._waiting: list[str] = []
        self._running: JobHandle[Any] | None = None
        self.least_bytes = spectral_cache.LEAST_BYTES
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._next)
        workspace.scene_added.connect(self._on_scene)
        workspace.job_finished.connect(self._on_finished)

    @property
    def keeps_copies(self) -> bool:
        """Whether copies are made at all."""
        return self._settings.spectral_copies_gb > 0

    def toggle(self) -> None:
        """Make copies from now on, or make none."""
        self._settings.spectral_copies_gb = 0.0 if self.keeps_copies else DEFAULT_GB
        for scene in self._workspace.scenes.values():
            self._on_scene(scene)

    def clear(self) -> None:
        """Delete the copies and say how much room that made."""

        def told(won: int) -> None:
            self._tell(
                f"{won / 1e9:.1f} GB of copies deleted."
                if won
                else "There are no copies to delete."
            )

        job = Job("Delete copies for quick spectra", lambda _: spectral_cache.clear(), quiet=True)
        self._workspace.submit(job, on_result=told)

    def stop(self) -> None:
        """Begin no more."""
        self._timer.stop()
        self._waiting.clear()

    def _on_scene(self, scene: Scene) -> None:
        wanted = self.keeps_copies and spectral_cache.is_worthwhile(scene, self.least_bytes)
        if wanted and scene.id not in self._waiting:
            self._waiting.append(scene.id)
            self._timer.start()

    def _on_finished(self, handle: JobHandle[Any]) -> None:
        if handle is self._running:
            self._running = None
        if self._waiting and self._running is None and not self._timer.isActive():
            self._timer.start()

    def _next(self) -> None:
        if self._running is not None or not self._waiting:
            return
        if any(not job.state.is_final and not job.job.quiet for job in self._workspace.jobs):
            self._timer.start()  # what the user asked for comes first
            return
        scene = self._workspace.scenes.get(self._waiting.pop(0))
        if scene is None or not self.keeps_copies:
            return
        limit = int(self._settings.spectral_copies_gb * 1e9)

        def run(progress: Progress) -> str:
            try:
                spectral_cache.make_copy(scene, progress, limit_bytes=limit)
            except Cancelled:
                raise
            except BadInput as error:
                return str(error)  # not asked for by the user: noted, not an alarm
            return "" if spectral_cache.attach(scene) else "The copy does not fit its file."

        job = Job(f"Quick spectra of {scene.title}", run, scene_id=scene.id, topic="spectra copy")
        handle = self._workspace.submit(job, on_result=self._say)
        self._running = None if handle.state.is_final else handle

    def _say(self, why_not: str) -> None:
        if why_not:
            self._tell(why_not, "info")
