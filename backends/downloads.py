"""Files from the network, only when asked for: checked, whole or not at all, with progress.

pooch fetches; what comes is compared with its checksum before it is kept. Of some files none
was known to us: theirs is written down at the first download and has to be that from then on.
"""

from __future__ import annotations

import re
from pathlib import Path

from backends.errors import BadInput, MissingCapability
from backends.jobs import Progress

PATIENCE_S = 15


def download(url: str, path: Path, sha256: str, size: int, title: str, progress: Progress) -> None:
    """Download a file unless the right one is here.

    Parameters
    ----------
    sha256 : str
        All of it, or its first digits (as torchvision has them in file names); empty where
        none is known.
    size : int
        Bytes, about.
    title : str
        For people.

    Raises
    ------
    MissingCapability
        The network or the server cannot be reached.
    BadInput
        What came is not what the checksum says.
    Cancelled
        Nothing is kept.
    """
    import pooch
    import requests

    from backends.io.writers.atomic import write_text

    pinned = path.with_name(f"{path.name}.sha256")
    expected = sha256 or (pinned.read_text("ascii").strip() if pinned.is_file() else "")
    if path.is_file() and not expected:  # the user put it there
        write_text(pinned, pooch.file_hash(str(path)) + "\n")
        return
    if path.is_file() and pooch.file_hash(str(path)).startswith(expected):
        return
    progress.start(size, "bytes", f"Downloading {title}")
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=_Bar(progress, size), timeout=PATIENCE_S)
    whole = expected if re.fullmatch("[0-9a-f]{64}", expected) else None
    # Beside its place until its first digits were looked at.
    name = path.name if whole or not expected else f"{path.name}.part"
    try:
        pooch.retrieve(url, whole, fname=name, path=path.parent, downloader=downloader)
        if name != path.name:
            found = path.with_name(name)
            digest = pooch.file_hash(str(found))
            if not digest.startswith(expected):
                found.unlink()
                raise ValueError(f"checksum {digest}")
            found.replace(path)
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
        raise unreachable(title, error) from error
    if not expected:
        write_text(pinned, pooch.file_hash(str(path)) + "\n")


def unreachable(title: str, error: Exception) -> MissingCapability:
    """Return the sentence for a file that could not be fetched."""
    return MissingCapability(
        f"{title} could not be downloaded: the network or its server is out of reach.",
        way_out="Go online and try again, or use what is on this machine already.",
        details=repr(error),
    )


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
