"""Mean spectra of the clusters with their spread."""

from __future__ import annotations

import numpy as np

from backends.cluster_analysis import ClusterSpectra, cluster_spectra
from backends.jobs import Progress
from backends.overlays import ClusterField
from widgets.clusters.desk import Desk
from widgets.pages import Page
from widgets.spectrum_plot import Curve, SpectrumPlot
from widgets.theme import wrapped

_MOST_CURVES = 8


class SpectraPage(Page):
    """The largest clusters and the chosen one; the scene is read once a field."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.plot = SpectrumPlot()
        self.plot.setFixedHeight(220)
        self.plot.legend.hide()
        self.column.addWidget(self.plot)
        self.line = wrapped()
        self.column.addWidget(self.line)
        self._of: ClusterField | None = None
        self._spectra: tuple[ClusterSpectra, ...] | None = None
        desk.chosen.connect(self.refresh)

    def draw(self) -> None:
        field, scene = self.desk.field, self.desk.scene
        assert field is not None
        if scene is None:
            return
        if field.partial:
            self.plot.show_kept({})
            self.plot.hide()
            self.line.setText("Mean spectra come with the finished map.")
            return
        self.plot.show()
        if field is self._of:
            self._show()
            return
        self._of, self._spectra = field, None
        self.plot.set_bands(scene.info.bands, scene.info.unit)
        self.plot.show_kept({})
        self.line.setText("Reading the scene once …")

        def run(progress: Progress) -> tuple[ClusterSpectra, ...]:
            return cluster_spectra(
                scene, field.blocks, placement=field.placement, progress=progress
            )

        def show(spectra: tuple[ClusterSpectra, ...]) -> None:
            self._spectra = spectra
            self._show()

        self.desk.submit("Mean spectra of the clusters", "spectra", run, show, quiet=False)

    def _show(self) -> None:
        if self._spectra is None:
            return
        desk, cluster = self.desk, self.desk.cluster
        spectra = self._spectra[min(desk.number, len(self._spectra)) - 1]
        held = spectra.count.max(axis=1)
        largest = [k for k in (np.argsort(-held, kind="stable") + 1).tolist() if held[k - 1]]
        shown = largest[:_MOST_CURVES]
        if cluster is not None and cluster not in shown and held[cluster - 1]:
            shown.append(cluster)
        colors, curves = desk.colors, {}
        for k in sorted(shown, key=lambda k: k == cluster):  # the chosen one on top
            spread = spectra.spread[k - 1] if k == cluster else None
            curves[str(k)] = Curve(f"Cluster {k}", colors[k], spectra.mean[k - 1], spread)
        self.plot.show_kept(curves)
        self.plot.legend.hide()
        words = f"The {len(shown)} largest of {len(largest)} clusters."
        if len(shown) == len(largest):
            words = f"All {len(largest)} clusters."
        if cluster is not None:
            words += f" Cluster {cluster} with its spread (± one standard deviation)."
        self.line.setText(words)
