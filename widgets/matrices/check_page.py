"""Does it matter? Matrices taken away, accuracy measured again on held-out pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import QFileDialog, QPushButton

from backends.jobs import Progress
from backends.overlays import MatrixField
from widgets.matrices.desk import Desk, Page, narrow_box
from widgets.matrices.figure_pages import NO_LABELS, claim
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
        desk.workspace.labels_changed.connect(self._on_labels)

    def _on_labels(self, *_: object) -> None:
        self.refresh()

    def draw(self) -> None:
        field = self.desk.field
        assert field is not None
        need = ""
        if self.desk.labels is None:
            need = NO_LABELS
        elif field.checkpoint is None:
            need = "The network that made these matrices is not at hand: choose its checkpoint."
        self.file_button.setVisible(field.checkpoint is None)
        self.need_line.setText(need)
        self.need_line.setVisible(bool(need))
        self.button.setEnabled(not need)
        self.result_line.setText(claim(self.desk))

    def check(self) -> None:
        """Start the check."""
        field, scene, sheet = self.desk.field, self.desk.scene, self.desk.labels
        test = self.desk.held_out()
        if field is None or scene is None or sheet is None or test is None:
            return
        network, labels = field.checkpoint, sheet.values.copy()
        sites = None if self.sites_box.currentData() == "all" else [self.desk.site]
        what = str(self.what_box.currentData())

        def run(progress: Progress) -> Any:
            from backends.hyperspectral.mapping import polite_threads
            from backends.hyperspectral.occlusion import occlusion_check

            assert network is not None
            with polite_threads():
                return occlusion_check(
                    network, scene, labels, test, sites=sites, what=what, progress=progress
                )

        self.result_line.setText("Mapping the scene twice…")
        self.desk.submit(
            "Does it matter?", "check", run,
            lambda found: self.desk.set_finding(found[0].sentence), quiet=False,
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
