"""Files that change or vanish while they are open: said once, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QObject, QTimer

from backends.jobs import Job, Progress
from backends.workspace import Workspace

INTERVAL_MS = 3000


class Watch(QObject):
    """Looks at the files of open scenes every few seconds, off the window's thread.

    Parameters
    ----------
    workspace : Workspace
    tell : callable
        ``tell(text, kind, actions=…)`` shows a message.
    reopen : callable
        Takes the path of a file that changed.
    """

    def __init__(
        self,
        workspace: Workspace,
        tell: Callable[..., Any],
        reopen: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._tell, self._reopen = workspace, tell, reopen
        self._said: dict[str, str] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.look)
        workspace.scene_added.connect(self._on_scenes)
        workspace.scene_removed.connect(self._on_scenes)

    def _on_scenes(self, _: Any) -> None:
        if any(scene.info.files for scene in self._workspace.scenes.values()):
            self._timer.start()
        else:
            self._timer.stop()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def look(self) -> None:
        """Compare the files with what they were when they were opened."""
        scenes = [s for s in self._workspace.scenes.values() if s.info.files]

        def run(progress: Progress) -> dict[str, str]:
            found = {scene.id: scene.changed_on_disk() for scene in scenes}
            return {scene_id: what for scene_id, what in found.items() if what}

        job = Job("Look at open files", run, topic="watch", quiet=True)
        self._workspace.submit(job, on_result=self._say)

    def _say(self, found: dict[str, str]) -> None:
        for scene_id, what in found.items():
            scene = self._workspace.scenes.get(scene_id)
            if scene is None or self._said.get(scene_id) == what:
                continue
            self._said[scene_id] = what
            path = scene.info.path
            actions = []
            if path is not None and "changed" in what:
                name = str(path)
                actions = [("Open it again", lambda name=name: self._reopen(name))]
            self._tell(
                f"{what} What is on the screen stays; open it again to see the new state."
                if actions
                else f"{what} What is on the screen stays; other bands can no longer be read.",
                "warning",
                actions=actions,
            )
