"""The live feed of a folder that fills up: files are read as they become complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import ClearbandError
from backends.fire.feed import FeedCounts
from backends.jobs import Progress


@dataclass
class FolderWatch:
    """Notices files that are complete: their size stayed the same from one look to the next.

    Attributes
    ----------
    folder : Path
    suffixes : tuple of str
    """

    folder: Path
    suffixes: tuple[str, ...] = (".tif", ".tiff", ".hdf", ".dat", ".img")

    def __post_init__(self) -> None:
        self._seen: dict[Path, tuple[int, int]] = {}
        self._given: set[Path] = set()
        self.counts = FeedCounts()

    def look(self) -> list[Path]:
        """Return the files that became complete since the last look, oldest first.

        Raises
        ------
        ClearbandError
            The folder is gone.
        """
        try:
            files = [p for p in self.folder.iterdir() if p.suffix.lower() in self.suffixes]
            facts = {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.is_file()}
        except OSError as error:
            raise ClearbandError(
                f"The folder {self.folder.name} cannot be watched any more.",
                subject=self.folder,
                way_out="Connect it again and start the feed anew.",
                details=repr(error),
            ) from error
        ready = [
            p
            for p, fact in facts.items()
            if p not in self._given and fact[0] > 0 and self._seen.get(p) == fact
        ]
        ready.sort(key=lambda p: facts[p][1])
        self._seen = facts
        self._given.update(ready)
        return ready

    def follow(
        self,
        read: Callable[[Path], Any],
        *,
        every_s: float = 1.0,
        progress: Progress | None = None,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> Iterator[tuple[Path, Any]]:
        """Yield each file with what ``read`` made of it, or with the error it met.

        A file that cannot be read counts as dropped, the feed goes on. It ends when told to.
        """
        progress = progress or Progress()
        progress.keeps = True
        progress.start(None, "files", f"Watching {self.folder.name}")
        first = True
        while not progress.enough:
            ready = self.look()
            if ready and not first:  # what lay there at the start is late for nobody
                self.counts.late += len(ready) - 1
            first = first and not ready
            for path in ready:
                progress.check()
                try:
                    made = read(path)
                    self.counts.frames += 1
                except ClearbandError as error:
                    made = error
                    self.counts.dropped += 1
                progress.advance()
                yield path, made
            waited = 0.0
            while waited < every_s and not progress.enough:
                progress.check()
                sleep(min(0.1, every_s))
                waited += 0.1
