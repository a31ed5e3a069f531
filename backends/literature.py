"""Scenes of the literature: listed with licence and size, downloaded only when asked for.

pooch fetches each from where its authors put it, checks it against the checksum that
is written down here, and keeps it in the user's cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import resources
from backends.errors import BadInput, MissingCapability
from backends.jobs import Progress

if TYPE_CHECKING:
    from backends.scene import Scene

PATIENCE_S = 15


@dataclass(frozen=True)
class LiteratureScene:
    """A scene that others published.

    Attributes
    ----------
    source, licence : str
        Whose it is, and under which terms.
    bytes : int
        Size of the download.
    sha256 : str
    options, label_options : mapping
        How the file opens as a scene, and as labels where it holds some.
    """

    id: str
    title: str
    about: str
    workbench: str
    source: str
    licence: str
    bytes: int
    url: str
    sha256: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label_options: Mapping[str, Any] | None = None

    @property
    def path(self) -> Path:
        """Where it lies once it was downloaded."""
        return _folder() / f"{self.id}{Path(self.url).suffix}"

    @property
    def is_here(self) -> bool:
        """Whether it was downloaded before."""
        return self.path.is_file()


def literature() -> tuple[LiteratureScene, ...]:
    """Return everything that can be downloaded."""
    text = resources.path("literature.json").read_text(encoding="utf-8")
    return tuple(LiteratureScene(**values) for values in json.loads(text))


def fetch(scene: LiteratureScene, progress: Progress | None = None) -> Path:
    """Return the file of a scene, downloaded on first use.

    Raises
    ------
    MissingCapability
        The network or the server cannot be reached.
    BadInput
        What came is not what the checksum says.
    """
    import pooch
    import requests

    progress = progress or Progress()
    if scene.is_here and pooch.file_hash(str(scene.path)) == scene.sha256:
        return scene.path
    progress.start(scene.bytes, "bytes", f"Downloading {scene.title}")
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=_Bar(progress, scene.bytes), timeout=PATIENCE_S)
    try:
        pooch.retrieve(
            scene.url,
            scene.sha256,
            fname=scene.path.name,
            path=scene.path.parent,
            downloader=downloader,
        )
    except ValueError as error:  # pooch: the hash does not fit
        raise BadInput(
            f"What was downloaded as {scene.title} is not the file that was published.",
            subject=scene.path,
            way_out="Try again later; nothing of it was kept.",
            details=str(error),
        ) from error
    except (requests.RequestException, OSError) as error:
        raise MissingCapability(
            f"{scene.title} could not be downloaded: the network or its server is out of reach.",
            way_out="Go online and try again, or open a sample that needs no network.",
            details=repr(error),
        ) from error
    return scene.path


def open_literature(scene: LiteratureScene, progress: Progress | None = None) -> Scene:
    """Open a scene of the literature, downloaded on first use."""
    from backends.io import open_scene

    found = open_scene(fetch(scene, progress), dict(scene.options))
    facts = {**found.info.facts, "Source": scene.source, "Licence": scene.licence}
    found.with_info(title=scene.title, facts=facts)
    return found


class _Bar:
    """What pooch takes for a progress bar."""

    def __init__(self, progress: Progress, expected: int) -> None:
        self._progress, self._left = progress, 2 * expected + (1 << 20)
        self.total = 0

    def update(self, count: int) -> None:
        """Count bytes; raises `Cancelled` when the user, ValueError when the disk had enough."""
        self._progress.check()
        self._left -= count
        if self._left < 0:
            raise ValueError("more comes than was published")
        self._progress.advance(count)

    def reset(self) -> None:
        """Begin anew: pooch calls it once at the end."""

    def close(self) -> None:
        """End."""


def _folder() -> Path:
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "literature"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "literature"
