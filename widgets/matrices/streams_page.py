"""Which parts of the spectrum feed a site, and who receives its answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.jobs import Progress
from backends.matrix_maps import StreamPicture, stream_map, stream_picture
from widgets.matrices.desk import Desk
from widgets.matrices.stream_strip import StreamStrip
from widgets.pages import Page, narrow_box
from widgets.theme import wrapped

_TITLES = {"read": "What feeds the site", "write": "Who receives its answer"}
_ABOUT = {
    "read": "How much of each stream the site sees (0 none, 1 all of it).",
    "write": "How much of the site's answer each stream takes (0 none, 2 twice).",
}


class StreamsPage(Page):
    """One map a stream."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.what_box = narrow_box("Which weights (H_pre or H_post)")
        for key, title in _TITLES.items():
            self.what_box.addItem(title, key)
        self.column.addWidget(self.what_box)
        self.about_line = wrapped()
        self.column.addWidget(self.about_line)
        self.strip = StreamStrip()
        self.column.addWidget(self.strip)
        self.range_line, self.subject_line = wrapped(), wrapped()
        self.column.addWidget(self.range_line)
        self.column.addWidget(self.subject_line)
        self.what_box.currentIndexChanged.connect(self.refresh)
        self.strip.chosen.connect(self.lay_over)
        desk.subject_changed.connect(self.refresh)

    @property
    def what(self) -> str:
        """``"read"`` or ``"write"``."""
        return str(self.what_box.currentData())

    def draw(self) -> None:
        field, entry = self.desk.field, self.desk.entry
        assert field is not None
        assert entry is not None
        what, scale, names = self.what, self.desk.scale, field.group_names
        weights = entry.weights().get(what)
        self.about_line.setText(_ABOUT[what])
        for part in (self.strip, self.range_line, self.subject_line):
            part.setVisible(weights is not None)
        if weights is None:
            self.about_line.setText(
                "These matrices come from an older result that did not keep this: classify the "
                "scene again."
            )
            return
        subject = self.desk.subject()

        def run(progress: Progress) -> Any:
            rows = weights.deviation
            if subject.pixel is not None:
                mean = rows[subject.pixel].astype(np.float64)
            else:
                chosen = rows if subject.mask is None else rows[subject.mask]
                mean = chosen.reshape(-1, len(names)).mean(axis=0, dtype=np.float64)
            return stream_picture(weights, what, scale=scale), weights.static + mean

        def show(found: tuple[StreamPicture, Any]) -> None:
            picture, mean = found
            self.strip.show_picture(names, picture, _ABOUT[what])
            low, high = float(picture.low.min()), float(picture.high.max())
            self.range_line.setText(
                f"True range {low:.4f} to {high:.4f}; below each map its own. "
                + _scale_words(scale, what)
            )
            if subject.is_empty:
                self.subject_line.setText(subject.words)
                return
            values = ", ".join(f"{n} {v:.3f}" for n, v in zip(names, mean, strict=True))
            self.subject_line.setText(f"{subject.words} {values}.")

        self.desk.submit("Draw streams", "streams", run, show)

    def lay_over(self, stream: int) -> None:
        """Lay one stream's weights over the image."""
        field = self.desk.field
        if field is not None:
            made = stream_map(field, *self.desk.site, self.what, stream)
            self.strip.selected = stream
            self.strip.update()
            self.desk.workspace.add_overlay(made)


def _scale_words(scale: str, what: str) -> str:
    if scale == "fixed":
        return f"All maps share one scale from 0 to {1 if what == 'read' else 2}."
    if scale == "deviation":
        return "Blue: less than without looking at the pixel. Red: more."
    return "Each map is stretched on its own: small differences look large."
