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
from backends.downloads import download
from backends.errors import MissingCapability
from backends.jobs import Progress

if TYPE_CHECKING:
    from backends.scene import Scene


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
    def cost(self) -> str:
        """What asking for it takes, in two words."""
        return f"{self.bytes / 1e6:.2g} MB download" if self.url else "to be fetched by hand"

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
        download(scene.label_url, labels, scene.label_sha256, 1 << 20, title, progress)
    download(scene.url, scene.path, scene.sha256, scene.bytes, scene.title, progress)
    return scene.path


def open_literature(scene: LiteratureScene, progress: Progress | None = None) -> Scene:
    """Open a scene of the literature, downloaded on first use."""
    from backends.io import open_scene

    found = open_scene(fetch(scene, progress), dict(scene.options))
    facts = {**found.info.facts, "Source": scene.source, "Licence": scene.licence}
    found.with_info(title=scene.title, facts=facts)
    return found


def _folder() -> Path:
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "literature"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "literature"
