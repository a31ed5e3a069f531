"""What the matrices of the white-box network are while it trains, on a coarse grid of the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from backends.hyperspectral.batches import network_arguments
from backends.hyperspectral.css_mamba import CssMamba
from backends.hyperspectral.es_mhc import EsMhc
from backends.hyperspectral.features import PixelFeatures, read_pixels
from backends.hyperspectral.normalise import BandStretch
from backends.hyperspectral.records import deviations
from backends.jobs import Progress
from backends.matrix_history import MatrixHistory, MatrixSnapshot
from backends.overlays import MatrixEntry, MatrixField, Placement, Provenance, StreamWeights
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.cluster_snapshots import ClusterWatcher

GRID = 64
MOST_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class GridPixels:
    """Every few rows and columns of a scene.

    Attributes
    ----------
    features : PixelFeatures
        Pixels in row order.
    shape : (rows, cols)
    step : int
        Of rows and columns.
    """

    features: PixelFeatures
    shape: tuple[int, int]
    step: int


def grid_step(shape: tuple[int, int], most_bytes: int, pixel_bytes: int) -> int:
    """Return the smallest step with at most `GRID` pixels a side that stays in the budget."""
    step = max(1, -(-max(shape) // GRID))
    while -(-shape[0] // step) * -(-shape[1] // step) * pixel_bytes > most_bytes:
        step += 1
    return step


def grid_pixels(
    scene: Scene,
    stretch: BandStretch,
    context: int,
    step: int,
    progress: Progress | None = None,
) -> GridPixels:
    """Read the features of every ``step``-th row and column."""
    rows, cols, _ = scene.shape
    down, across = np.arange(0, rows, step), np.arange(0, cols, step)
    index = (down[:, None] * cols + across).ravel().astype(np.int64)
    found = read_pixels(scene, stretch, stretch.bands, index, context, progress)
    return GridPixels(found, (len(down), len(across)), step)


class Watcher:
    """Called after each step; keeps the matrices every now and then.

    Parameters
    ----------
    steps : int
        Of the training.
    count : int
        Snapshots besides the first, which comes after step 1.
    tell : callable, optional
        Given what was kept so far after each, e.g. to show it.
    """

    def __init__(
        self,
        network: EsMhc,
        pixels: GridPixels,
        steps: int,
        count: int,
        device: str = "cpu",
        tell: Callable[[MatrixHistory], None] | None = None,
    ) -> None:
        self._network, self._pixels, self._device = network, pixels, device
        self._tell = tell
        wanted = np.linspace(0, steps, count + 1).round().astype(int)
        self._wanted = {max(1, int(step)) for step in wanted}
        self._kept: list[MatrixSnapshot] = []

    def after_step(self, step: int) -> None:
        """Keep the matrices if it is time; the random streams are left as they are."""
        if step not in self._wanted:
            return
        was_training = self._network.training
        extra = self._network.extra_loss
        self._network.eval()
        arguments = network_arguments(self._network, self._pixels.features, self._device)
        with torch.no_grad():
            _, records = self._network(**arguments, record=True)
        self._network.train(was_training)
        self._network.extra_loss = extra
        self._kept.append(MatrixSnapshot(step, tuple(self._entry(record) for record in records)))
        history = self.history()
        if self._tell is not None and history is not None:
            self._tell(history)

    def _entry(self, record: Any) -> MatrixEntry:
        kept = {}
        for name in ("read", "mix", "write"):
            static, values = deviations(record, name)
            shaped = values.reshape(*self._pixels.shape, *static.shape).astype(np.float16)
            kept[name] = static, shaped
        read, write = (StreamWeights(*kept[name]) for name in ("read", "write"))
        return MatrixEntry(record.layer, record.site, *kept["mix"], read, write)

    def history(self) -> MatrixHistory | None:
        """Return what was kept; None where nothing was."""
        if not self._kept:
            return None
        step = float(self._pixels.step)
        return MatrixHistory(tuple(self._kept), Placement(row_step=step, col_step=step))


def watcher_for(
    network: Any,
    scene: Scene,
    stretch: BandStretch,
    steps: int,
    device: str,
    progress: Progress | None = None,
) -> Watcher | ClusterWatcher | None:
    """Return the watcher that the settings of a network ask for, or None."""
    if isinstance(network, CssMamba):
        from backends.hyperspectral.cluster_snapshots import cluster_watcher

        return cluster_watcher(network, scene, stretch, steps, device, progress)
    if not isinstance(network, EsMhc) or network.settings.snapshots < 1:
        return None
    n, sites = len(network.group_index), 2 * len(network.layers)
    count = min(network.settings.snapshots, steps)
    step = grid_step(scene.shape[:2], MOST_BYTES, 2 * (n * n + 2 * n) * sites * (count + 1))
    pixels = grid_pixels(scene, stretch, network.context, step, progress)
    tell = None if progress is None else partial(_tell, network, scene, steps, progress)
    return Watcher(network, pixels, steps, count, device, tell)


def _tell(
    network: EsMhc, scene: Scene, steps: int, progress: Progress, history: MatrixHistory
) -> None:
    """Hand the newest matrices over, for who watches the training."""
    now = history.snapshots[-1]
    field = MatrixField(
        f"Matrices while training, step {now.step} of {steps}",
        scene.id,
        Provenance("es_mhc", parameters=network.settings.to_dict() | {"step": now.step}),
        group_names=network.group_names,
        entries=now.entries,
        history=history,
        placement=history.placement,
        partial=True,
        id=f"{scene.id}-matrices-in-training",
    )
    progress.partial(field, force=True)
