"""Which spectra of the libraries stand beside those of the scene: a list to search and tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from widgets.theme import GRID, wrapped

SCALES = (("As in the file", 1.0), ("Times 10 000", 1e4), ("Divided by 10 000", 1e-4))
MOST = 12  # more curves than colours could not be told apart


class LibraryDialog(QDialog):
    """Stays open beside the plot; each tick shows or hides a spectrum at once."""

    changed = pyqtSignal(list)
    scaled = pyqtSignal(float)
    another = pyqtSignal()
    turned = pyqtSignal(int)

    def __init__(
        self,
        titles: Sequence[str],
        place: int,
        names: Sequence[str],
        shown: Sequence[int],
        scale: float = 1.0,
        facts: Sequence[Mapping[str, str]] = (),
        about: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._facts = facts
        self.setWindowTitle(f"Spectra of {titles[place]}")
        self.resize(44 * GRID, 56 * GRID)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        self.libraries = QComboBox()
        self.libraries.addItems(titles)
        self.libraries.setCurrentIndex(place)
        self.libraries.setAccessibleName("Open libraries")
        self.libraries.activated.connect(self.turned)
        self.libraries.setVisible(len(titles) > 1)
        column.addWidget(self.libraries)
        self.about = wrapped(about)
        self.about.setVisible(bool(about))
        column.addWidget(self.about)
        self.search = QLineEdit()
        self.search.setPlaceholderText(f"Search {len(names)} spectra")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_search)
        column.addWidget(self.search)
        self.list = QListWidget()
        for number, name in enumerate(names):
            item = QListWidgetItem(name or f"Spectrum {number + 1}")
            item.setFlags(
                Qt.ItemFlag.ItemIsUserCheckable
                | Qt.ItemFlag.ItemIsEnabled
                | Qt.ItemFlag.ItemIsSelectable
            )
            on = number in shown
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.itemChanged.connect(self._on_ticked)
        column.addWidget(self.list, 2)
        self.told = QPlainTextEdit()
        self.told.setReadOnly(True)
        self.told.setPlaceholderText("Click a spectrum to read what its file tells of it")
        self.told.setAccessibleName("What is known of the spectrum")
        self.told.setVisible(any(facts))
        self.list.currentRowChanged.connect(self._tell)
        column.addWidget(self.told, 1)
        self.line = wrapped("")
        self.explain("")
        column.addWidget(self.line)
        row = QHBoxLayout()
        row.addWidget(QLabel("Values"))
        self.scale = QComboBox()
        for text, factor in SCALES:
            self.scale.addItem(text, factor)
        self.scale.setCurrentIndex([factor for _, factor in SCALES].index(scale))
        self.scale.setToolTip("Scenes often store reflectance times 10 000, libraries do not")
        self.scale.currentIndexChanged.connect(lambda _: self.scaled.emit(self.scale.currentData()))
        row.addWidget(self.scale, 1)
        column.addLayout(row)
        buttons = QDialogButtonBox()
        other = buttons.addButton("Open another…", QDialogButtonBox.ButtonRole.ActionRole)
        if other is not None:
            other.clicked.connect(self.another.emit)
        buttons.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def explain(self, why_not: str) -> None:
        """Say why nothing can be drawn, or, where ``why_not`` is empty, what to do."""
        usual = f"Tick up to {MOST} to draw them dashed beside the scene's spectra."
        self.line.setText(why_not or usual)
        self.list.setEnabled(not why_not)

    def ticked(self) -> list[int]:
        """Return the numbers of the spectra that are ticked."""
        count = self.list.count()
        states = [self.list.item(n).checkState() for n in range(count)]  # type: ignore[union-attr]
        return [n for n, state in enumerate(states) if state is Qt.CheckState.Checked]

    def _on_search(self, text: str) -> None:
        words = text.lower().split()
        for number in range(self.list.count()):
            item = self.list.item(number)
            if item is not None:
                told = " ".join((item.text(), *self._facts_of(number).values())).lower()
                item.setHidden(not all(word in told for word in words))

    def _facts_of(self, number: int) -> Mapping[str, str]:
        return self._facts[number] if 0 <= number < len(self._facts) else {}

    def _tell(self, number: int) -> None:
        """Write what the file says of a spectrum."""
        rows = self._facts_of(number).items()
        self.told.setPlainText("\n".join(f"{key}: {value}" for key, value in rows))

    def _on_ticked(self, item: QListWidgetItem) -> None:
        numbers = self.ticked()
        if len(numbers) > MOST:
            item.setCheckState(Qt.CheckState.Unchecked)  # comes back here with one fewer
            return
        self.changed.emit(numbers)
