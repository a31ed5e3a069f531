"""The fire rules to ask, ticked; what a scene cannot answer is grey with the reason."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QListWidget, QListWidgetItem

from backends.fire.detect import DEFAULT_RULES
from backends.fire.rules import RULES

_ROWS = 5


class RulesList(QListWidget):
    """A row a rule."""

    ticked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Fire rules")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        for rule in RULES.values():
            item = QListWidgetItem(rule.title)
            item.setData(Qt.ItemDataRole.UserRole, rule.id)
            on = rule.id in DEFAULT_RULES
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.addItem(item)
        height = max(18, self.sizeHintForRow(0))
        self.setFixedHeight(_ROWS * height + 4)
        self.itemChanged.connect(lambda _: self.ticked.emit())

    def offer(self, reasons: dict[str, str]) -> None:
        """Grey out what cannot be asked."""
        self.blockSignals(True)
        for item in self._items():
            rule = RULES[item.data(Qt.ItemDataRole.UserRole)]
            reason = reasons.get(rule.id, "")
            flags = Qt.ItemFlag.ItemIsUserCheckable
            item.setFlags(flags if reason else flags | Qt.ItemFlag.ItemIsEnabled)
            item.setToolTip(reason or f"{rule.title}, after {rule.source}")
        self.blockSignals(False)
        self.ticked.emit()

    def chosen(self) -> tuple[str, ...]:
        """Return the ids of the rules that are ticked and can be asked."""
        return tuple(
            str(item.data(Qt.ItemDataRole.UserRole))
            for item in self._items()
            if item.checkState() is Qt.CheckState.Checked
            and item.flags() & Qt.ItemFlag.ItemIsEnabled
        )

    def tick(self, rule_id: str, on: bool = True) -> None:
        """Tick a rule, or not."""
        for item in self._items():
            if item.data(Qt.ItemDataRole.UserRole) == rule_id:
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def _items(self) -> list[QListWidgetItem]:
        return [item for n in range(self.count()) if (item := self.item(n)) is not None]
