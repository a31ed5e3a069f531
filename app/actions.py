"""One table of everything the user can do: menus, keys and palette are made from it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMainWindow, QMenu, QMenuBar

MENUS = ("File", "Edit", "View", "Measure", "Workbench", "Help")


@dataclass(frozen=True)
class Action:
    """Something the user can do.

    Attributes
    ----------
    id : str
        ``"file.open"``.
    title : str
        What it does, as a menu says it.
    run : callable
    menu : str
        Path: ``"File"``, ``"View/Docks"``; empty for the palette only.
    shortcut : str
        As Qt writes it; empty for none.
    also : tuple of str
        Further keys for the same, beside that one.
    group : int
        Groups of a menu are parted by lines, lowest first.
    label : callable, optional
        Returns the title as it is now ("Undo paint Meadow").
    checked : callable, optional
        Tells whether it is on.
    enabled : callable, optional
        Tells whether it can be done now.
    help : str
        One sentence more, for "What is this".
    """

    id: str
    title: str
    run: Callable[[], Any]
    menu: str = ""
    shortcut: str = ""
    group: int = 0
    label: Callable[[], str] | None = None
    checked: Callable[[], bool] | None = None
    enabled: Callable[[], bool] | None = None
    help: str = ""
    also: tuple[str, ...] = ()


class Actions(QObject):
    """The table, and the menus made from it.

    Parameters
    ----------
    window : QMainWindow
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.table: dict[str, Action] = {}
        self.menus: dict[str, QMenu] = {}
        self._qt: dict[str, QAction] = {}
        self._palette_dispose: dict[str, Callable[[], None]] = {}
        for name in MENUS:
            self._menu(name)

    def add(self, *actions: Action) -> None:
        """Add actions; one with an id that is there already takes its place."""
        for action in actions:
            if action.id in self.table:
                self.remove(action.id)
            self.table[action.id] = action
            qt = QAction(action.title, self._window)
            qt.setObjectName(f"clearband.{action.id}")
            if action.shortcut:
                keys = [QKeySequence(key) for key in (action.shortcut, *action.also)]
                qt.setShortcuts(keys)  # menus show the first
                qt.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            qt.setCheckable(action.checked is not None)
            qt.setStatusTip(action.help)
            qt.triggered.connect(lambda _=False, name=action.id: self.run(name))
            self._qt[action.id] = qt
            self._window.addAction(qt)
            if action.menu:
                self._fill(action.menu)
            self._to_palette(action)

    def remove(self, action_id: str) -> None:
        """Take an action out of the table, its menu and the palette."""
        action = self.table.pop(action_id, None)
        if action is None:
            return
        qt = self._qt.pop(action_id)
        self._window.removeAction(qt)
        qt.deleteLater()
        dispose = self._palette_dispose.pop(action_id, None)
        if dispose is not None:
            dispose()
        if action.menu:
            self._fill(action.menu)

    def run(self, action_id: str) -> None:
        """Do it."""
        self.table[action_id].run()
        self.refresh()

    def qt(self, action_id: str) -> QAction:
        """Return the Qt action of an entry, for buttons that do the same."""
        return self._qt[action_id]

    def refresh(self) -> None:
        """Bring titles and ticks up to date."""
        for action_id, action in self.table.items():
            qt = self._qt[action_id]
            if action.label is not None:
                qt.setText(action.label())
            if action.checked is not None:
                qt.setChecked(action.checked())

    def close(self) -> None:
        """Take everything out of napari's palette, which outlives the window."""
        for dispose in self._palette_dispose.values():
            dispose()
        self._palette_dispose.clear()

    def menu(self, path: str) -> QMenu:
        """Return the menu of a path such as ``"View/Docks"``."""
        return self._menu(path)

    def embed(self, path: str, menu: QMenu) -> None:
        """Hang a menu that others made under a path; keys that are ours are taken from it."""
        self._menu(path.rpartition("/")[0])
        self.menus[path] = menu
        menu.aboutToShow.connect(lambda: self._take_keys(menu))
        self._fill(path.rpartition("/")[0])

    def _take_keys(self, menu: QMenu) -> None:
        mine = {
            QKeySequence(key).toString()
            for action in self.table.values()
            if action.shortcut
            for key in (action.shortcut, *action.also)
        }
        for action in menu.actions():
            sub = action.menu()
            if sub is not None:
                self._take_keys(sub)
            elif action.shortcut().toString() in mine:
                action.setShortcut(QKeySequence())

    def take_keys(self) -> None:
        """Take our keys from every menu that others made."""
        own = {f"clearband.menu.{path}" for path in self.menus}
        for menu in self.menus.values():
            if menu.objectName() not in own:
                self._take_keys(menu)

    # -- menus ---------------------------------------------------------------------------

    def _menu(self, path: str) -> QMenu:
        if path in self.menus:
            return self.menus[path]
        parent_path, _, title = path.rpartition("/")
        parent: QMenu | QMenuBar | None
        parent = self._menu(parent_path) if parent_path else self._window.menuBar()
        menu = QMenu(title if parent_path else f"&{title}", self._window)
        menu.setObjectName(f"clearband.menu.{path}")
        menu.aboutToShow.connect(lambda path=path: self._about_to_show(path))
        menu.aboutToHide.connect(lambda path=path: self._about_to_hide(path))
        assert parent is not None
        parent.addMenu(menu)
        self.menus[path] = menu
        return menu

    def _fill(self, path: str) -> None:
        """Put the actions of a menu in order, lines between groups, submenus where they were."""
        menu = self._menu(path)
        subs = [
            (self._sub_group(name), sub)
            for name, sub in self.menus.items()
            if name.rpartition("/")[0] == path
        ]
        entries: list[tuple[int, Any]] = [
            (action.group, self._qt[action.id])
            for action in self.table.values()
            if action.menu == path
        ]
        entries += subs
        menu.clear()
        group = None
        for number, entry in sorted(entries, key=lambda pair: pair[0]):
            if group is not None and number != group:
                menu.addSeparator()
            group = number
            if isinstance(entry, QMenu):
                menu.addMenu(entry)
            else:
                menu.addAction(entry)

    def _sub_group(self, path: str) -> int:
        """A submenu stands with the group of its first entry, by tens."""
        groups = [a.group for a in self.table.values() if a.menu == path]
        return min(groups, default=90) // 10 * 10

    def _about_to_show(self, path: str) -> None:
        self.refresh()
        for action_id, action in self.table.items():
            if action.menu == path and action.enabled is not None:
                self._qt[action_id].setEnabled(action.enabled())

    def _about_to_hide(self, path: str) -> None:
        # A disabled action would swallow its key; those who cannot act say why instead.
        for action_id, action in self.table.items():
            if action.menu == path:
                self._qt[action_id].setEnabled(True)

    # -- palette -------------------------------------------------------------------------

    def _to_palette(self, action: Action) -> None:
        from app_model.types import Action as PaletteAction
        from napari._app_model import get_app_model

        menu = action.menu.replace("/", " > ")
        title = f"{menu}: {action.title}" if menu else action.title
        if action.shortcut:
            shown = QKeySequence(action.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
            title += f"   ({shown})"
        name = action.id
        # The palette's registry outlives the window and must not keep it alive.
        mine = weakref.ref(self)

        def run() -> None:
            table = mine()
            if table is not None:
                table.run(name)

        entry = PaletteAction(
            id="clearband:" + name.replace(".", ":"),  # dots would be shown as a path
            title=title,
            callback=run,
            tooltip=action.help or None,
        )
        self._palette_dispose[name] = get_app_model().register_action(entry)
