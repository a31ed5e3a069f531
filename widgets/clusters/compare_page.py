"""The clusters of this run beside those of another one."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton

from backends.cluster_comparison import ComparedRuns, compare_runs, renumbered
from backends.errors import WrongUse
from backends.jobs import Progress
from backends.overlays import ClusterField
from widgets.background import listen
from widgets.clusters.desk import Desk, escape, run_title
from widgets.clusters.tables import MatchedClusters
from widgets.pages import Page, narrow_box
from widgets.theme import wrapped


class ComparePage(Page):
    """Numbers of clusters differ from training to training; here they are matched."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._files: dict[str, ClusterField] = {}
        self.found: ComparedRuns | None = None
        self.line = wrapped()
        self.column.addWidget(self.line)
        row = QHBoxLayout()
        self.other_box = narrow_box("The run to compare with")
        self.other_box.currentIndexChanged.connect(self._compare)
        self.open_button = QPushButton("File…")
        self.open_button.setToolTip("The clusters.npz of another run on this scene")
        self.open_button.clicked.connect(lambda: self.open_file())
        row.addWidget(self.other_box, 1)
        row.addWidget(self.open_button)
        self.column.addLayout(row)
        self.result_line = wrapped()
        self.column.addWidget(self.result_line)
        self.table = MatchedClusters()
        self.table.chosen.connect(desk.choose)
        self.column.addWidget(self.table)
        self.map_button = QPushButton("Lay the other run over")
        self.map_button.setToolTip("Its clusters, in the numbers and colours of this run")
        self.map_button.clicked.connect(self.lay_over)
        self.column.addWidget(self.map_button)
        for signal in (desk.workspace.overlay_added, desk.workspace.overlay_removed):
            listen(self, signal, self._on_overlays)
        desk.chosen.connect(lambda: self.table.choose(self.desk.cluster))

    @property
    def other(self) -> ClusterField | None:
        """The run that is compared."""
        key = self.other_box.currentData()
        return self._others().get(key) if key is not None else None

    def _others(self) -> dict[str, ClusterField]:
        """Return the runs that lie on the same pixels, by id."""
        field = self.desk.field
        if field is None:
            return {}
        known = {o.id: o for o in (*self._runs(), *self._files.values()) if o.id != field.id}
        return {key: o for key, o in known.items() if o.shape == field.shape}

    def _runs(self) -> list[ClusterField]:
        """Return all runs of the scene."""
        field = self.desk.field
        overlays = [] if field is None else self.desk.workspace.overlays_of(field.scene_id)
        return [o for o in overlays if isinstance(o, ClusterField)]

    def _on_overlays(self, overlay: object) -> None:
        if isinstance(overlay, ClusterField):
            self.refresh()

    def draw(self) -> None:
        chosen, others = self.other_box.currentData(), self._others()
        self.other_box.blockSignals(True)
        self.other_box.clear()
        for key, other in others.items():
            self.other_box.addItem(run_title(other, self._runs()), key)
        self.other_box.setCurrentIndex(max(0, self.other_box.findData(chosen)))
        self.other_box.blockSignals(False)
        self.other_box.setVisible(bool(others))
        self.line.setText(
            "Clusters have other numbers after every training. Those that share most pixels are "
            "matched."
            if others
            else "Train once more, with another seed or variant, or open the clusters of a run "
            "that was saved: then both are matched."
        )
        self._compare()

    def _compare(self, *_: object) -> None:
        other = self.other
        self.found = None
        for part in (self.result_line, self.table, self.map_button):
            part.setVisible(other is not None)
        if other is None:
            return
        number = min(self.desk.number, len(other.blocks))
        block, theirs = self.desk.block, other.blocks[number - 1]

        def run(progress: Progress) -> ComparedRuns:
            return compare_runs(block, theirs)

        def show(found: ComparedRuns) -> None:
            if self.desk.block is not block or self.other is not other:
                return
            self.found = found
            nmi = "" if found.nmi is None else f" Shared information {found.nmi:.2f} of 1."
            self.result_line.setText(
                f"{100 * found.agreement:.0f}\u00a0% of the pixels lie in matching clusters "
                f"(one cluster for all: {100 * found.chance:.0f}\u00a0%).{nmi}"
            )
            self.table.show_pairs(found.pairs, self.desk.colors)
            self.table.choose(self.desk.cluster)

        self.desk.submit("Match clusters", "compare", run, show)

    def open_file(self, path: str | Path | None = None) -> None:
        """Compare with clusters that were saved; without a path, ask for it."""
        if self.desk.field is None:
            return
        if path is None:
            name, _ = QFileDialog.getOpenFileName(
                self, "Clusters of another run", "", "Clusters (*.npz)"
            )
            if not name:
                return
            path = name
        file, field = Path(path), self.desk.field

        def run(progress: Progress) -> ClusterField:
            from backends.io.overlay_files import read_result

            scene, found = read_result(file, progress=progress)
            scene.close()
            if not isinstance(found, ClusterField) or found.shape != field.shape:
                raise WrongUse(
                    f"{file.name} holds no clusters of this scene's size.",
                    way_out="Choose the clusters.npz of another run on this scene.",
                )
            return found

        def show(found: ClusterField) -> None:
            self._files[found.id] = found
            self.draw()
            self.other_box.setCurrentIndex(self.other_box.findData(found.id))

        self.desk.submit(f"Open {escape(file.name)}", "compare file", run, show, quiet=False)

    def lay_over(self, *_: object) -> None:
        """Lay the clusters of the other run over, in the colours of this one."""
        field, other, found, number = self.desk.field, self.other, self.found, self.desk.number
        if field is None or other is None or found is None:
            return
        at = min(number, len(other.blocks))

        def run(progress: Progress) -> object:
            return renumbered(field, at, other, found)

        self.desk.submit("Matched clusters", "compare map", run, self.desk.put_on)
