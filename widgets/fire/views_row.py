"""The six views of the AMS, one click away from whatever the fire dock asks."""

from __future__ import annotations

from PyQt6.QtGui import QStandardItemModel
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QWidget

from backends.fire.views import View, fire_views
from widgets.boards import PictureBoard
from widgets.fire.desk import FireDesk
from widgets.pages import narrow_box
from widgets.theme import GRID


class ViewsRow(QWidget):
    """A list of views; choosing one changes the picture. Hidden for scenes of other sensors."""

    def __init__(self, desk: FireDesk, pictures: PictureBoard) -> None:
        super().__init__()
        self._desk, self._pictures = desk, pictures
        self.views: list[View] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        self.box = narrow_box("Views in which fire is drawn by hand")
        row.addWidget(QLabel("View"))
        row.addWidget(self.box, 1)
        self.box.activated.connect(self._show)
        desk.looked.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Offer what the scene's channels allow."""
        look = self._desk.look
        image = None if look is None else look.image
        self.views = [] if image is None else fire_views(image.bands)
        self.setVisible(bool(self.views))
        self.box.clear()
        self.box.addItem("Choose a view", None)
        model = self.box.model()
        for number, view in enumerate(self.views, 1):
            self.box.addItem(view.title, number - 1)
            item = model.item(number) if isinstance(model, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(view.recipe is not None)
                item.setToolTip(view.reason or view.purpose)

    def _show(self, _: int) -> None:
        number, scene = self.box.currentData(), self._desk.scene
        if number is None or scene is None:
            return
        recipe = self.views[number].recipe
        if recipe is not None:
            self._pictures.ask(scene.id, recipe)
