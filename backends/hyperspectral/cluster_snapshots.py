"""The clusters of CSSMamba while it trains, on a coarse grid of the scene: shown, not kept."""

from __future__ import annotations

import numpy as np
import torch

from backends.hyperspectral.batches import network_arguments
from backends.hyperspectral.cluster_records import ClusterRecords
from backends.hyperspectral.css_mamba import CssMamba
from backends.hyperspectral.normalise import BandStretch
from backends.hyperspectral.snapshots import GridPixels, grid_pixels, grid_step
from backends.jobs import Progress
from backends.overlays import ClusterBlock, ClusterField, Placement, Provenance
from backends.scene import Scene, Window

SNAPSHOTS = 6
MOST_BYTES = 64 << 20


class ClusterWatcher:
    """Called after each step; hands the clusters over every now and then.

    Parameters
    ----------
    steps : int
        Of the training.
    progress : Progress
        Gets a `ClusterField` as partial result.
    """

    def __init__(
        self,
        network: CssMamba,
        scene: Scene,
        pixels: GridPixels,
        steps: int,
        device: str,
        progress: Progress,
    ) -> None:
        self._network, self._scene, self._pixels = network, scene, pixels
        self._steps, self._device, self._progress = steps, device, progress
        wanted = np.linspace(0, steps, SNAPSHOTS + 1).round().astype(int)
        # The last comes with the map itself.
        self._wanted = {max(1, int(step)) for step in wanted[:-1]}

    def after_step(self, step: int) -> None:
        """Hand the clusters over if it is time; network and random streams stay as they are."""
        if step not in self._wanted:
            return
        network = self._network
        kept = network.training, network.extra_loss, network.losses
        network.eval()
        arguments = network_arguments(network, self._pixels.features, self._device)
        with torch.no_grad():
            _, records = network(**arguments, record=True, poll=self._progress.check)
        network.train(kept[0])
        network.extra_loss, network.losses = kept[1], kept[2]
        rows, cols = self._pixels.shape
        gathered = ClusterRecords((rows, cols), network.cluster_counts)
        gathered.add(Window(0, 0, rows, cols), records, np.ones((rows, cols), np.float32))
        made = self._field(step, gathered.blocks())
        self._progress.partial(made, force=True)

    def _field(self, step: int, blocks: tuple[ClusterBlock, ...]) -> ClusterField:
        parameters = self._network.settings.to_dict() | {"step": step}
        apart = float(self._pixels.step)
        return ClusterField(
            f"Clusters while training, step {step} of {self._steps}",
            self._scene.id,
            Provenance("css_mamba", parameters=parameters),
            placement=Placement(row_step=apart, col_step=apart),
            partial=True,
            id=f"{self._scene.id}-clusters-in-training",
            blocks=blocks,
        )

    def history(self) -> None:
        """Return nothing: only matrices have a history that stays."""


def cluster_watcher(
    network: CssMamba,
    scene: Scene,
    stretch: BandStretch,
    steps: int,
    device: str,
    progress: Progress | None,
) -> ClusterWatcher | None:
    """Return a watcher, or None where nobody looks on."""
    if progress is None or not progress.is_watched:
        return None
    step = grid_step(scene.shape[:2], MOST_BYTES, 2 * sum(network.cluster_counts))
    pixels = grid_pixels(scene, stretch, network.context, step, progress)
    return ClusterWatcher(network, scene, pixels, steps, device, progress)
