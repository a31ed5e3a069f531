"""napari's own panels: hidden until asked for, and idle as long as they are hidden."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import napari

# Name of napari's dock, and what the View menu calls it.
PANELS: dict[str, str] = {
    "dockLayerList": "Layer list",
    "dockLayerControls": "Layer controls",
    "dockConsole": "Console",
}


class NapariPanels:
    """Shows and hides them.

    napari makes controls for each layer as it comes, seen or not: 25 ms of the window's
    thread a layer. Here they are made when the panel is first shown.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._docks = {name: getattr(viewer.window._qt_viewer, name) for name in PANELS}
        for dock in self._docks.values():
            dock.hide()
            # Workbenches keep their own layouts; napari would write its settings file each time.
            dock.dockLocationChanged.disconnect(dock._update_default_dock_area)
        self._controls: Any = viewer.window._qt_viewer.controls
        self._asleep = not viewer.layers
        if self._asleep:
            viewer.layers.events.inserted.disconnect(self._controls._add)
            viewer.layers.events.removed.disconnect(self._controls._remove)
            viewer.layers.selection.events.changed.disconnect(self._controls._populate)

    def toggle(self, name: str) -> None:
        """Show or hide a panel."""
        dock = self._docks[name]
        if name == "dockLayerControls" and dock.isHidden():
            self.wake()
        dock.setVisible(dock.isHidden())

    def is_shown(self, name: str) -> bool:
        """Tell whether a panel is shown."""
        return not self._docks[name].isHidden()

    def wake(self) -> None:
        """Make the controls of the layers that are there, and of each that comes."""
        if not self._asleep:
            return
        self._asleep = False
        layers, controls = self._viewer.layers, self._controls
        for layer in layers:
            controls._add(SimpleNamespace(value=layer))
        layers.events.inserted.connect(controls._add)
        layers.events.removed.connect(controls._remove)
        layers.selection.events.changed.connect(controls._populate)
        controls._populate()
