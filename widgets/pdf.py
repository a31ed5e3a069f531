"""A report as PDF: the same HTML, laid out by Qt on one page."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QMarginsF, QSizeF
from PyQt6.QtGui import QPageSize, QPainter, QPdfWriter, QTextDocument

from backends.io.writers.atomic import replacing
from backends.jobs import Progress

DOTS_PER_INCH = 150
MARGIN_MM = 15.0


def write_pdf(html: str, path: str | Path, progress: Progress | None = None) -> Path:
    """Lay out an HTML report on one A4 page; what is too tall for it is made smaller.

    Works on any thread: neither widgets nor pixmaps of the screen are used.

    Raises
    ------
    BadInput
        The file cannot be written.
    """
    if progress is not None:
        progress.start(2, "steps", f"Writing {Path(path).name}")
    document = QTextDocument()
    document.setDocumentMargin(0)
    document.setHtml(html)
    with replacing(path) as inner:
        writer = QPdfWriter(str(inner))
        writer.setResolution(DOTS_PER_INCH)
        writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
        writer.setPageMargins(QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM))
        writer.setTitle(document.metaInformation(QTextDocument.MetaInformation.DocumentTitle))
        writer.setCreator("Clearband")
        if progress is not None:
            progress.advance()
        room = QSizeF(float(writer.width()), float(writer.height()))
        # Text is laid out at the screen's 96 dots an inch and enlarged to the page.
        scale = DOTS_PER_INCH / 96
        for _ in range(6):
            document.setTextWidth(room.width() / scale)
            height = document.size().height() * scale
            if height <= room.height():
                break
            # A smaller scale makes the lines longer as well, so the square root is enough.
            scale *= max(0.5, (room.height() / height) ** 0.5 * 0.99)
        painter = QPainter()
        if not painter.begin(writer):
            raise OSError(f"{Path(path).name} could not be opened")
        painter.scale(scale, scale)
        document.drawContents(painter)
        painter.end()
        del writer  # it is written to its end now
    if progress is not None:
        progress.advance()
    return Path(path)
