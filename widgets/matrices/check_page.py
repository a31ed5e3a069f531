"""Does it matter? Matrices taken away, accuracy measured again on held-out pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import QFileDialog, QPushButton

from backends.jobs import Progress
from backends.matrix_lists import lists_are_clusters
from backends.overlays import MatrixField
from widgets.background import listen
from widgets.matrices.desk import NO_LABELS, Desk, site_title
from widgets.pages import Page, narrow_box
from widgets.theme import wrapped

_WHAT = {"mix": "Mixing", "order": "Order of the lists", "both": "Mixing and order"}


class CheckPage(Page):
    """Runs the occlusion check."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.column.addWidget(
            wrapped(
                "A map can look structured and matter nothing. This replaces the matrices by "
                "their scene mean and maps the scene again."
            )
        )
        self.sites_box = narrow_box("Which matrices are replaced")
        self.sites_box.addItem("All sites together", "all")
        self.sites_box.addItem("The site chosen above", "one")
        self.sites_box.addItem("Each site in turn", "each")
        self.what_box = narrow_box("What is taken away")
        for key, title in _WHAT.items():
            self.what_box.addItem(title, key)
        self.button = QPushButton("Does it matter?")
        self.file_button = QPushButton("Choose checkpoint…")
        self.file_button.clicked.connect(self._choose)
        for part in (self.sites_box, self.what_box, self.button, self.file_button):
            self.column.addWidget(part)
        self.need_line, self.result_line = wrapped(), wrapped()
        self.column.addWidget(self.need_line)
        self.column.addWidget(self.result_line)
        self.button.clicked.connect(self.check)
        desk.checked.connect(self.refresh)
        listen(self, desk.workspace.labels_changed, self.refresh)

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        need = ""
        clusters = lists_are_clusters(field)
        self.what_box.setVisible(not clusters)  # their order is not the matrices'
        if clusters:
            self.what_box.setCurrentIndex(0)
        if self.desk.labels is None:
            need = NO_LABELS
        elif field.partial:
            need = "The network is still learning: the check can be made when it has learnt."
        elif field.checkpoint is None:
            need = "The network that made these matrices is not at hand: choose its checkpoint."
        self.file_button.setVisible(field.checkpoint is None and not field.partial)
        self.need_line.setText(need)
        self.need_line.setVisible(bool(need))
        self.button.setEnabled(not need)
        self.result_line.setText(self.desk.claim())

    def check(self) -> None:
        """Start the check."""
        field, scene, sheet = self.desk.field, self.desk.scene, self.desk.labels
        test = self.desk.held_out()
        if field is None or scene is None or sheet is None or test is None:
            return
        network, labels = field.checkpoint, sheet.values.copy()
        chosen = str(self.sites_box.currentData())
        sites = [self.desk.site] if chosen == "one" else None
        what, each = str(self.what_box.currentData()), chosen == "each"

        def run(progress: Progress) -> Any:
            from backends.hyperspectral.mapping import polite_threads
            from backends.hyperspectral.occlusion import occlusion_check

            assert network is not None
            with polite_threads():
                return occlusion_check(
                    network, scene, labels, test, sites=sites, what=what, each=each,
                    progress=progress,
                )  # fmt: skip

        self.result_line.setText("Mapping the scene again…" if each else "Mapping it twice…")
        self.desk.submit(
            "Does it matter?", "check", run,
            lambda found: self.desk.set_finding(_words(found)), quiet=False,
        )  # fmt: skip

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Checkpoint", "", "Clearband classifier (*.safetensors)"
        )
        if path:
            self.take_checkpoint(Path(path))

    def take_checkpoint(self, path: Path) -> None:
        """Use a checkpoint for the field; it has to be the one that made it."""
        from dataclasses import replace

        field = self.desk.field
        assert field is not None

        def run(progress: Progress) -> MatrixField:
            from backends.errors import BadInput
            from backends.hyperspectral.checkpoints import load_checkpoint

            found, digest = load_checkpoint(path)
            if field.provenance.weights_digest not in ("", digest):
                raise BadInput(
                    f"{path.name} did not make these matrices.",
                    subject=path,
                    way_out="Choose the checkpoint of the same training.",
                )
            return replace(field, checkpoint=found)

        self.desk.submit(
            f"Read {path.name}", "checkpoint", run, self.desk.workspace.add_overlay, quiet=False
        )


def _words(found: Sequence[Any]) -> str:
    """Return what checks found, a line a check where there are several."""
    if len(found) == 1:
        return str(found[0].sentence)
    lines = ["Change of the overall accuracy with one site replaced at a time:"]
    for one in found:
        if one.changed == 0:
            lines.append(f"{site_title(*one.sites[0])}: nothing changes")
            continue
        chance = "no more than chance" if one.chance > 0.05 else f"chance {one.chance:.2g}"
        lines.append(
            f"{site_title(*one.sites[0])}: {100 * one.delta:+.2f} points, "
            f"{100 * one.changed:.2f} % get another class ({chance})"
        )
    return "\n".join(lines)
