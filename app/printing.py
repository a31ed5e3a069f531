"""A page (HTML) as PDF from the command line.

In a process of its own, without a screen: Qt's fonts need an application, and one that was made
for them could neither be taken down nor become the window's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backends.errors import MissingCapability


def print_page(page: Path, out: Path) -> Path:
    """Write a page that `backends.report` made as PDF.

    Raises
    ------
    MissingCapability
        Qt cannot be used here.
    """
    said = subprocess.run(
        [sys.executable, "-m", "app.printing", str(page), str(out)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if said.returncode:
        raise MissingCapability(
            f"{out.name} could not be printed.",
            way_out=f"The page itself is there: {page.name}.",
            details=said.stderr[-2000:],
        )
    return out


def _main(page: str, out: str) -> None:
    from PyQt6.QtGui import QGuiApplication

    from widgets.pdf import write_pdf

    held = QGuiApplication([])
    write_pdf(Path(page).read_text(encoding="utf-8"), out)
    held.quit()
    os._exit(0)  # Qt does not like to be taken apart in any order


if __name__ == "__main__":
    _main(*sys.argv[1:])
