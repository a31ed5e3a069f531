"""Scenes of the literature: listed with licence and size, downloaded only when asked for.

pooch fetches each from where its authors put it, checks it against the checksum that
is written down here, and keeps it in the user's cache. Of some files no checksum was known
to us: theirs is written down at the first download, and from then on it has to be that one.
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
        Size of the download; about, where no checksum is known. 0 = has to be fetched by hand.
    sha256, label_sha256 : str
        Empty = not known to us, see above.
    options, label_options : mapping
        How the file opens as a scene, and as labels where there are some.
    label_url : str
        Of the labels, where they are a file of their own.
    page : str
        Where a person gets it, when no program may.
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
    label_url: str = ""
    label_sha256: str = ""
    page: str = ""

    @property
    def path(self) -> Path:
        """Where it lies once it was downloaded."""
        return _folder() / f"{self.id}{Path(self.url).suffix or '.mat'}"

    @property
    def label_path(self) -> Path:
        """Where its labels lie; the same file where they are in it."""
        has_own = bool(self.label_url) or not self.url
        return self.path.with_name(f"{self.id}_labels.mat") if has_own else self.path

    @property
    def terms(self) -> str:
        """What a person should know before asking for it."""
        if not self.url:
            return f"to be fetched by hand, {self.licence}"
        size = f"{self.bytes / 1e6:.1f} MB" if self.sha256 else f"about {self.bytes / 1e6:.0f} MB"
        unchecked = "" if self.sha256 else "; checksum not known to us before the first download"
        return f"downloads {size}, {self.licence}{unchecked}"

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
    progress = progress or Progress()
    if not scene.url:
        if scene.is_here and scene.label_path.is_file():
            return scene.path
        raise MissingCapability(
            f"{scene.title} is given out only to people who register: {scene.page}",
            way_out=f"Put its image as {scene.path.name} and its labels as "
            f"{scene.label_path.name} into {scene.path.parent}.",
        )
    if scene.label_url:
        labels = scene.label_path
        title = f"Labels of {scene.title}"
        _fetch(scene.label_url, labels, scene.label_sha256, 1 << 20, title, progress)
    _fetch(scene.url, scene.path, scene.sha256, scene.bytes, scene.title, progress)
    return scene.path


def _fetch(url: str, path: Path, sha256: str, size: int, title: str, progress: Progress) -> None:
    """Download a file unless the right one is here."""
    import pooch
    import requests

    from backends.io.writers.atomic import write_text

    pinned = path.with_name(f"{path.name}.sha256")
    expected = sha256 or (pinned.read_text("ascii").strip() if pinned.is_file() else "")
    if path.is_file() and not expected:  # the user put it there
        write_text(pinned, pooch.file_hash(str(path)) + "\n")
        return
    if path.is_file() and pooch.file_hash(str(path)) == expected:
        return
    progress.start(size, "bytes", f"Downloading {title}")
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=_Bar(progress, size), timeout=PATIENCE_S)
    try:
        pooch.retrieve(
            url, expected or None, fname=path.name, path=path.parent, downloader=downloader
        )
    except ValueError as error:  # pooch: the hash does not fit
        raise BadInput(
            f"What was downloaded as {title} is not the file that was "
            + ("published." if sha256 else "downloaded here before."),
            subject=path,
            way_out="Try again later; nothing of it was kept."
            if sha256
            else f"Delete {pinned} if the new one is to be trusted; nothing of it was kept.",
            details=str(error),
        ) from error
    except (requests.RequestException, OSError) as error:
        raise MissingCapability(
            f"{title} could not be downloaded: the network or its server is out of reach.",
            way_out="Go online and try again, or open a sample that needs no network.",
            details=repr(error),
        ) from error
    if not expected:
        write_text(pinned, pooch.file_hash(str(path)) + "\n")


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
