"""A place of the image: its concepts in three columns, and places alike."""

from __future__ import annotations

from typing import Any

from PyQt6.QtWidgets import QHBoxLayout, QPushButton

from backends.concepts.describing import ConceptHere
from widgets.concepts.columns import ROWS, ConceptColumns, Line
from widgets.concepts.desk import Desk
from widgets.explaining.words import escape
from widgets.pages import Page
from widgets.theme import GRID, wrapped

HINT = (
    "Point at the image: what is there, in concepts. Click keeps the place; double-click a "
    "concept to see where else it is."
)


class HerePage(Page):
    """The place under the mouse, else the one that was clicked."""

    desk: Desk

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.place_line = wrapped(HINT)
        self.columns = ConceptColumns()
        self.about_line = wrapped()
        self.about_line.setMinimumHeight(4 * self.about_line.fontMetrics().height())
        self.column.addWidget(self.place_line)
        self.column.addWidget(self.columns)
        self.column.addWidget(self.about_line)
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        self.layer_button = QPushButton("Show as layer")
        self.layer_button.setToolTip("Where the concept in hand is present")
        self.layer_button.clicked.connect(self._show_layer)
        self.alike_button = QPushButton("Find places alike")
        self.alike_button.setToolTip(
            "Places whose concepts are those of the clicked one, in every open image that was "
            "read with the same concepts"
        )
        self.alike_button.clicked.connect(self.find_alike)
        row.addWidget(self.layer_button, 1)
        row.addWidget(self.alike_button, 1)
        self.column.addLayout(row)
        self.alike_line = wrapped()
        self.column.addWidget(self.alike_line)
        self._hovered: int | None = None
        self.columns.chosen.connect(lambda n: desk.take_concept(n))
        self.columns.opened.connect(desk.show_layer)
        self.columns.hovered.connect(self._on_hovered)
        desk.pointed.connect(self.refresh)
        desk.concept_changed.connect(self.refresh)

    def draw(self) -> None:
        reading, place = self.desk.field, self.desk.place
        assert reading is not None
        self.columns.setVisible(place is not None)
        self.alike_button.setEnabled(place is not None)
        self.layer_button.setEnabled(self.desk.concept is not None)
        if place is None:
            self.place_line.setText(HINT)
            self.about_line.setText("")
            return
        found = reading.at(*place, ROWS)
        on = len(reading.codes.at(reading.image.cell_at(*place))[0])
        kept = "" if place != self.desk.clicked else ", kept"
        self.place_line.setText(
            f"<b>Row {place[0]}, column {place[1]}</b>{kept}: "
            + (f"{on} concepts are on." if on != 1 else "one concept is on.")
        )
        columns = {level: [self._line(one) for one in some] for level, some in found.items()}
        self.columns.show_columns(columns, self.desk.concept)
        self._say_about()

    def _line(self, one: ConceptHere) -> Line:
        reading = self.desk.field
        assert reading is not None
        crumbs = reading.crumbs(one.concept)
        spectrum = reading.spectrum(one.concept)
        return Line(
            one.concept,
            reading.short(one.concept),
            one.share,
            " › ".join(reading.marked(n) for n in crumbs) + " ›" if crumbs else "",
            self._words(one.concept),
            self.desk.pixmap(one.concept),
            None if spectrum is None else spectrum[0],
            bool(reading.mark(one.concept)),
        )

    def _words(self, concept: int) -> str:
        reading, place = self.desk.field, self.desk.place
        assert reading is not None
        name = reading.dictionary.name(concept)
        lines = [f"<b>{escape(name[:1].upper() + name[1:])}</b>"]
        mark = reading.mark(concept)
        if mark:
            lines[0] += f" ({mark})"
        if place is not None:
            code = dict(zip(*(v.tolist() for v in _on(reading, place)), strict=True))
            strength = code.get(concept, 0.0)
            top = max(reading.top(concept), 1e-9)
            lines.append(
                f"Strength {strength:.2f}, {100 * strength / top:.0f}\u00a0% of its usual highest."
                if strength
                else "Not on at this place."
            )
        told = reading.dictionary.names.get(concept, {})
        others = [str(n) for n in told.get("runners_up", ())][:4]
        if others:
            seen = str(told.get("how", "")) == "exemplars"  # classes of images, not other names
            words = "Strongest in images of " if seen else "Also near: "
            lines.append(words + escape(", ".join(others)) + ".")
        crumbs = reading.crumbs(concept)
        if crumbs:
            way = " › ".join(reading.marked(n) for n in [*crumbs, concept])
            lines.append("Part of: " + escape(way))
        return "<br>".join(lines)

    def _on_hovered(self, concept: int | None) -> None:
        self._hovered = concept
        self._say_about()

    def _say_about(self) -> None:
        shown = self._hovered if self._hovered is not None else self.desk.concept
        if shown is None or self.desk.field is None:
            self.about_line.setText("Click a concept to take it in hand.")
        else:
            self.about_line.setText(self._words(shown))

    def _show_layer(self) -> None:
        if self.desk.concept is not None:
            self.desk.show_layer(self.desk.concept)

    # -- places alike --------------------------------------------------------------------

    def find_alike(self) -> None:
        """Look for places alike to the clicked one."""
        self.desk.find_alike(self._on_alike)

    def _on_alike(self, found: list[Any]) -> None:
        said = []
        for reading, overlay in found:
            self.desk.lay(overlay)
            scene = self.desk.scene_of(reading)
            share = 100 * float((overlay.values > 0.5).mean())
            title = "" if scene is None else scene.title
            said.append(f"{share:.1f}\u00a0% of the places of {escape(title)}")
        self.alike_line.setText("Alike (cosine above 0.5): " + ", ".join(said) + ".")


def _on(reading: Any, place: tuple[int, int]) -> Any:
    return reading.codes.at(reading.image.cell_at(*place))
