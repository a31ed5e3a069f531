"""The tiles of a scene as a grid: how sure the classifier is of each, and where the gate opened."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from backends.fire.combined import TileAnswer
from backends.palette import class_colors
from widgets.theme import text_color

HIGHEST = 180
_WORDS_FROM = 28
_FIRE = class_colors({1: "Fire"})[1]
_CALM = "#56B4E9"


class VerdictGrid(QWidget):
    """Cells as the tiles lie; a click asks to go there."""

    asked = pyqtSignal(float, float)  # row and column of the middle of a tile

    def __init__(self) -> None:
        super().__init__()
        self._tiles: Sequence[TileAnswer] = ()
        self._rows: list[int] = []
        self._cols: list[int] = []
        self._gate, self._over = 0.2, False
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Verdicts of the tiles")
        self.setMouseTracking(False)

    def show_tiles(
        self, tiles: Sequence[TileAnswer], gate: float, places: Sequence[tuple[int, int]] = (),
        *, over: bool = False,
    ) -> None:  # fmt: skip
        """Show tiles.

        Parameters
        ----------
        places : sequence of (row, column), optional
            Corners of all tiles there will be; default those that are there.
        over : bool
            No more will come: places without a tile are hatched.
        """
        corners = list(places) or [(t.window.row, t.window.col) for t in tiles]
        self._tiles, self._gate, self._over = tuple(tiles), gate, over
        self._rows = sorted({row for row, _ in corners})
        self._cols = sorted({col for _, col in corners})
        self.setVisible(bool(corners))
        self.updateGeometry()
        self.setFixedHeight(self._height())
        self.update()

    @property
    def opened(self) -> int:
        """How many tiles the gate lets in."""
        return sum(t.chance >= self._gate for t in self._tiles)

    @property
    def tiles(self) -> Sequence[TileAnswer]:
        """The tiles shown."""
        return self._tiles

    def sizeHint(self) -> QSize:
        """Return the size the grid wants."""
        return QSize(240, self._height())

    def _height(self) -> int:
        if not self._rows:
            return 8
        return min(HIGHEST, max(32, round(len(self._rows) * self._side()) + 2))

    def _side(self) -> float:
        width = max(64, self.width() - 2)
        side = min(width / max(1, len(self._cols)), HIGHEST / max(1, len(self._rows)), 44)
        return max(2.0, side)

    def resizeEvent(self, event: object) -> None:
        """Keep the cells square."""
        self.setFixedHeight(self._height())

    def _cell(self, tile: TileAnswer) -> QRectF:
        side = self._side()
        row, col = self._rows.index(tile.window.row), self._cols.index(tile.window.col)
        return QRectF(1 + col * side, 1 + row * side, side - 1, side - 1)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the cells."""
        painter = QPainter(self)
        side, ink = self._side(), text_color(self)
        faint = QColor(ink)
        faint.setAlpha(60)
        painter.setPen(QPen(faint, 1))
        for r in range(len(self._rows)):
            for c in range(len(self._cols)):
                cell = QRectF(1 + c * side, 1 + r * side, side - 1, side - 1)
                painter.drawRect(cell)
                if self._over:  # tiles that came are drawn over it
                    painter.fillRect(cell, QBrush(faint, Qt.BrushStyle.BDiagPattern))
        for tile in self._tiles:
            cell = self._cell(tile)
            fire = tile.chance >= self._gate
            painter.fillRect(cell, self.palette().color(self.backgroundRole()))
            color = QColor(_FIRE if fire else _CALM)
            color.setAlphaF(0.35 + 0.6 * tile.chance if fire else 0.1 + 0.5 * (1 - tile.chance))
            painter.fillRect(cell, color)
            if side >= _WORDS_FROM:
                painter.setPen(ink)
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, f"{tile.chance:.2f}")
        painter.end()

    def tile_at(self, place: QPointF) -> TileAnswer | None:
        """Return the tile under a place of the grid."""
        return next((t for t in self._tiles if self._cell(t).contains(place)), None)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Ask to go to the tile."""
        tile = None if event is None else self.tile_at(event.position())
        if tile is not None:
            w = tile.window
            self.asked.emit(w.row + w.height / 2, w.col + w.width / 2)

    def event(self, event: QEvent | None) -> bool:
        """Say what the tile under the mouse is."""
        if isinstance(event, QHelpEvent):
            tile = self.tile_at(QPointF(event.pos()))
            if tile is not None:
                QToolTip.showText(event.globalPos(), self.words(tile), self)
                return True
        return super().event(event)

    def words(self, tile: TileAnswer) -> str:
        """Return what is known of a tile."""
        w = tile.window
        verdict = "fire" if tile.chance >= self._gate else "below the gate"
        return (
            f"Rows {w.row} to {w.row + w.height - 1}, columns {w.col} to {w.col + w.width - 1}: "
            f"p {tile.chance:.3f}, {verdict}"
        )
