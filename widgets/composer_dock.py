"""Which picture of the scene: presets by wavelength, any bands, how stretched."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QBrush, QColor
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from backends.colormaps import NAMES as COLORMAPS
from backends.composite import (
    NO_VALUES,
    Recipe,
    available_presets,
    default_recipe,
    preset_recipe,
    single_band,
    window_words,
)
from backends.errors import ClearbandError
from backends.scene import Scene
from backends.workspace import Workspace
from widgets.background import listen
from widgets.band_slider import BandSlider
from widgets.boards import PictureBoard
from widgets.eliding import ElidedBox
from widgets.theme import wrapped
from widgets.two_lines import TwoLines

SLIDE_MS = 30
_STRETCHES = {
    "percentile": "Percentiles",
    "minmax": "Smallest to largest",
    "decorrelation": "Decorrelation",
    "none": "Colours as stored",
}
_CHANNELS = ("Red", "Green", "Blue")


class ComposerDock(QWidget):
    """Chooses bands and stretch of the active scene."""

    ID = "composer"
    TITLE = "Composer"
    HELP = "Chooses which bands are shown as red, green and blue, or one band alone."

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget | None = None,
        *,
        pictures: PictureBoard | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._pictures = pictures or PictureBoard()
        self._filling = False
        self._slide = QTimer(self)
        self._slide.setSingleShot(True)
        self._slide.setInterval(SLIDE_MS)
        self._slide.timeout.connect(self._ask_single)
        self._build()
        listen(self, workspace.active_scene_changed, self._on_scene)
        listen(self, workspace.scene_info_changed, self._on_info)
        listen(self, self._pictures.asked, self._on_asked)
        listen(self, self._pictures.shown_changed, self._on_shown)
        self._on_scene(workspace.active_scene)

    # -- layout --------------------------------------------------------------------------

    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(8, 8, 8, 8)
        self._pages = QStackedWidget()
        outer.addWidget(self._pages)
        empty = QLabel("Open a scene to choose which of its bands you see.")
        empty.setWordWrap(True)
        empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._pages.addWidget(empty)
        page = QWidget()
        self._pages.addWidget(page)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        modes = QHBoxLayout()
        modes.setSpacing(4)
        self._modes = QButtonGroup(self)
        self.three_button, self.one_button = QPushButton("Three bands"), QPushButton("One band")
        for index, button in enumerate((self.three_button, self.one_button)):
            button.setCheckable(True)
            self._modes.addButton(button, index)
            modes.addWidget(button)
        self._modes.idClicked.connect(self._on_mode)
        column.addLayout(modes)
        self._bands = QStackedWidget()
        self._bands.addWidget(self._three_page())
        self._bands.addWidget(self._one_page())
        column.addWidget(self._bands)
        column.addWidget(self._stretch_box())
        column.addStretch(1)

    def _three_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.presets = QListWidget()
        self.presets.setAccessibleName("Pictures by wavelength")
        self.presets.setItemDelegate(TwoLines(self.presets))
        self.presets.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.presets.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.presets.itemClicked.connect(self._on_preset)
        self.presets.itemActivated.connect(self._on_preset)
        column.addWidget(self.presets, 1)
        self.no_presets = wrapped("No wavelengths are known here: choose the bands by hand.")
        self.no_presets.setEnabled(False)
        column.addWidget(self.no_presets)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.channels = [_band_box() for _ in _CHANNELS]
        for name, box in zip(_CHANNELS, self.channels, strict=True):
            box.setAccessibleName(f"{name} band")
            box.activated.connect(self._ask_three)
            form.addRow(name, box)
        column.addLayout(form)
        return page

    def _one_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.slider = BandSlider()
        self.slider.band_changed.connect(lambda _: self._slide.start())
        column.addWidget(self.slider)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.band_box = _band_box()
        self.band_box.setAccessibleName("Band by name")
        self.band_box.activated.connect(self._on_band_box)
        self.colormap = QComboBox()
        self.colormap.setAccessibleName("Colours")
        self.colormap.addItems([name.capitalize() for name in COLORMAPS])
        self.colormap.activated.connect(self._ask_single)
        form.addRow("Band", self.band_box)
        form.addRow("Colours", self.colormap)
        column.addLayout(form)
        column.addStretch(1)
        return page

    def _stretch_box(self) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.stretch = ElidedBox()
        self.stretch.setAccessibleName("Stretch")
        self.stretch.activated.connect(self._on_stretch)
        form.addRow("Stretch", self.stretch)
        column.addLayout(form)
        row = QHBoxLayout()
        row.setSpacing(4)
        self.low, self.high = _percent(0, 49.9, 2), _percent(50.1, 100, 98)
        self.low.setAccessibleName("Lower percentile")
        self.high.setAccessibleName("Upper percentile")
        for spin in (self.low, self.high):
            spin.editingFinished.connect(self._on_percent)
        row.addWidget(self.low)
        row.addWidget(QLabel("to"))
        row.addWidget(self.high)
        row.addStretch(1)
        self._percents = QWidget()
        self._percents.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._percents)
        self.limits = QLabel("")
        self.limits.setWordWrap(True)
        self.limits.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.limits.setAccessibleName("Values at the ends of the stretch")
        column.addWidget(self.limits)
        self.honesty = QLabel("")
        self.honesty.setWordWrap(True)
        self.honesty.setEnabled(False)
        self.honesty.setAccessibleName("Where the limits come from")
        column.addWidget(self.honesty)
        return box

    # -- following -----------------------------------------------------------------------

    def _on_info(self, scene_id: str) -> None:
        scene = self._workspace.active_scene
        if scene is not None and scene.id == scene_id:
            self._on_scene(scene)

    def _on_scene(self, scene: Scene | None) -> None:
        self._pages.setCurrentIndex(0 if scene is None else 1)
        if scene is None:
            return
        self._filling = True
        bands = scene.bands
        for box in (*self.channels, self.band_box):
            _fill_bands(box, scene)
        self.slider.set_bands(bands)
        self.presets.clear()
        self.presets.setVisible(bands.has_wavelengths)
        self.no_presets.setVisible(not bands.has_wavelengths and not scene.info.is_rgb)
        for preset, reason in available_presets(bands):
            self._add_preset(preset.id, preset.title, preset.purpose, reason)
        rows = sum(self.presets.sizeHintForRow(i) for i in range(self.presets.count()))
        self.presets.setFixedHeight(rows + 2 * self.presets.frameWidth() + 2)
        enough = len(bands) >= 3
        self.three_button.setEnabled(enough)
        self.three_button.setToolTip("" if enough else "This scene has fewer than three bands.")
        self._filling = False
        recipe = self._pictures.wanted(scene.id) or default_recipe(scene)
        self._follow(scene, recipe)
        self._on_shown(scene.id)

    def _add_preset(self, preset_id: str, title: str, purpose: str, reason: str) -> None:
        item = QListWidgetItem(title)
        item.setData(Qt.ItemDataRole.UserRole, preset_id)
        item.setData(Qt.ItemDataRole.UserRole + 1, reason or purpose)
        item.setToolTip(f"{title}: {reason or purpose}")
        if reason:
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
        self.presets.addItem(item)

    def _on_asked(self, scene_id: str, recipe: Recipe) -> None:
        scene = self._workspace.active_scene
        if scene is not None and scene.id == scene_id:
            self._follow(scene, recipe)

    def _follow(self, scene: Scene, recipe: Recipe) -> None:
        """Show what is asked for, whoever asked."""
        self._filling = True
        one = len(recipe.bands) == 1
        (self.one_button if one else self.three_button).setChecked(True)
        self._bands.setCurrentIndex(1 if one else 0)
        if one:
            self.slider.set_band(recipe.bands[0])
            self.band_box.setCurrentIndex(recipe.bands[0])
            if recipe.colormap in COLORMAPS:
                self.colormap.setCurrentIndex(COLORMAPS.index(recipe.colormap))
        else:
            for box, band in zip(self.channels, recipe.bands, strict=True):
                box.setCurrentIndex(band)
        self._fill_stretch(scene, recipe)
        self.low.setValue(recipe.low)
        self.high.setValue(recipe.high)
        self._percents.setVisible(recipe.stretch == "percentile" and recipe.limits is None)
        for index in range(self.presets.count()):
            item = self.presets.item(index)
            if item is not None:
                item.setSelected(item.data(Qt.ItemDataRole.UserRole) == recipe.id)
        self._filling = False

    def _fill_stretch(self, scene: Scene, recipe: Recipe) -> None:
        self.stretch.clear()
        for stretch, title in _STRETCHES.items():
            if stretch == "decorrelation" and len(recipe.bands) != 3:
                continue
            if stretch == "none" and not (scene.info.is_rgb and len(recipe.bands) == 3):
                continue
            self.stretch.addItem(title, stretch)
        for name, limits in scene.info.windows.items():
            self.stretch.addItem(window_words(name, limits), ("window", limits))
        chosen: object = recipe.stretch
        if recipe.limits is not None:
            chosen = ("window", recipe.limits[0])
        for index in range(self.stretch.count()):
            if self.stretch.itemData(index) == chosen:
                self.stretch.setCurrentIndex(index)
                return
        if recipe.limits is not None:
            self.stretch.addItem("Set by hand", None)
            self.stretch.setCurrentIndex(self.stretch.count() - 1)

    def _on_shown(self, scene_id: str) -> None:
        scene = self._workspace.active_scene
        shown = self._pictures.shown(scene_id)
        if scene is None or scene.id != scene_id or shown is None:
            self.limits.setText("")
            self.honesty.setText("")
            return
        unit = f" {scene.info.unit}" if scene.info.unit else ""
        names = _CHANNELS if len(shown.limits) == 3 else ("Values",)
        self.limits.setText(
            "\n".join(
                f"{name}: no valid value"
                if pair == NO_VALUES
                else f"{name}: {pair[0]:.4g} to {pair[1]:.4g}{unit}"
                for name, pair in zip(names, shown.limits, strict=True)
            )
        )
        if shown.coarse:
            words = "A coarse picture; the full one is being read."
        elif shown.recipe.limits is not None:
            words = "Limits set by hand or by the file."
        elif shown.recipe.stretch == "none":
            words = "No stretch: colours as stored."
        elif shown.sampled is not None:
            words = f"Limits from a sample of {shown.sampled:,} pixels.".replace(",", "\u202f")
        else:
            words = "Limits from all pixels."
        self.honesty.setText(words)

    # -- asking --------------------------------------------------------------------------

    def _current(self) -> tuple[Scene, Recipe] | None:
        scene = self._workspace.active_scene
        if scene is None or self._filling:
            return None
        return scene, self._pictures.wanted(scene.id) or default_recipe(scene)

    def _on_preset(self, item: QListWidgetItem) -> None:
        now = self._current()
        if now is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        scene, recipe = now
        try:
            new = preset_recipe(scene, item.data(Qt.ItemDataRole.UserRole))
        except ClearbandError as error:
            self.honesty.setText(str(error))
            return
        if recipe.id == new.id:
            return
        self._pictures.ask(scene.id, self._stretched(new, recipe))

    def _on_mode(self, mode: int) -> None:
        now = self._current()
        if now is None:
            return
        scene, recipe = now
        if mode == 1 and len(recipe.bands) == 3:
            self._pictures.ask(scene.id, single_band(scene, recipe.bands[0]))
        elif mode == 0 and len(recipe.bands) == 1:
            first = default_recipe(scene)
            if len(first.bands) != 3:
                count = scene.shape[2]
                bands = (count - 1, count // 2, 0)
                first = Recipe("own", "Three bands", bands)
            self._pictures.ask(scene.id, first)

    def _ask_three(self) -> None:
        now = self._current()
        if now is None:
            return
        scene, recipe = now
        bands = tuple(box.currentIndex() for box in self.channels)
        title = " / ".join(scene.bands.label(band) for band in bands)
        new = Recipe("own", title, bands)
        self._pictures.ask(scene.id, self._stretched(new, recipe))

    def _on_band_box(self, band: int) -> None:
        self.slider.set_band(band)
        self._ask_single()

    def _ask_single(self) -> None:
        now = self._current()
        if now is None:
            return
        scene, recipe = now
        colormap = COLORMAPS[self.colormap.currentIndex()]
        # A window of physical values (HU) holds for every slice; band limits do not.
        keep = recipe.limits if scene.bands.axis == "slice" else None
        new = single_band(scene, self.slider.band, colormap=colormap, limits=keep)
        self._pictures.ask(scene.id, self._stretched(new, recipe))

    def _on_stretch(self, index: int) -> None:
        now = self._current()
        chosen = self.stretch.itemData(index)
        if now is None or chosen is None:
            return
        scene, recipe = now
        if isinstance(chosen, tuple):
            new = replace(recipe, limits=(chosen[1],) * len(recipe.bands))
        else:
            new = replace(recipe, stretch=chosen, limits=None)
        self._pictures.ask(scene.id, new)

    def _on_percent(self) -> None:
        now = self._current()
        if now is None:
            return
        scene, recipe = now
        low, high = self.low.value(), self.high.value()
        if (low, high) != (recipe.low, recipe.high):
            self._pictures.ask(scene.id, replace(recipe, low=low, high=high, limits=None))

    @staticmethod
    def _stretched(new: Recipe, before: Recipe) -> Recipe:
        """Keep the stretch the user chose while other bands are looked at."""
        stretch = before.stretch
        if stretch == "none" or (stretch == "decorrelation" and len(new.bands) != 3):
            stretch = "percentile"
        return replace(new, stretch=stretch, low=before.low, high=before.high)


def _band_box() -> ElidedBox:
    box = ElidedBox()
    box.setMaxVisibleItems(24)
    return box


def _fill_bands(box: QComboBox, scene: Scene) -> None:
    box.blockSignals(True)
    box.clear()
    box.addItems([scene.bands.label(band) for band in range(len(scene.bands))])
    grey = QBrush(QColor(128, 128, 128))
    for band, good in enumerate(scene.bands.good):
        if not good:
            box.setItemText(band, f"{scene.bands.label(band)}, bad")
            box.setItemData(band, grey, Qt.ItemDataRole.ForegroundRole)
    box.blockSignals(False)


def _percent(low: float, high: float, value: float) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(low, high)
    spin.setDecimals(1)
    spin.setSingleStep(0.5)
    spin.setValue(value)
    spin.setSuffix(" %")
    spin.setMinimumWidth(88)
    return spin
