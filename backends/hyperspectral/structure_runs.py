"""When structure comes in the matrices, for trainings that differ: streams, start, seed.

What the source claims, that structure comes earlier with a larger expansion (Zhu et al., arXiv
2601.15757), as a figure anybody can make again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import BadInput
from backends.jobs import Progress
from backends.matrix_history import StructureCurve, structure_curve

if TYPE_CHECKING:
    from backends.io.labels import Labels
    from backends.scene import Scene

MODEL = "es_mhc"
_LARGEST = 64 << 20


@dataclass(frozen=True, eq=False)
class StructureRun:
    """One training and how structure came in it.

    Attributes
    ----------
    title : str
    streams : int
    curve : StructureCurve
    finished : bool
        False while it still goes on.
    """

    title: str
    streams: int
    curve: StructureCurve
    finished: bool = True

    @property
    def sentence(self) -> str:
        """What it shows, in words."""
        spread, moran = self.curve.mean("spread"), self.curve.mean("moran")
        half = f"half of its structure came by step {self.curve.half_step:.0f} of "
        if not self.finished:
            half = "at step "
        left = f"{100 * self.curve.retention[-1]:.2g} % of the streams left"
        return (
            f"{self.title}: {half}{self.curve.steps[-1]}; spread {spread[-1]:.4f}, "
            f"Moran's I {moran[-1]:.2f}, {left}."
        )


def train_rates(
    scene: Scene,
    labels: Labels,
    rates: Sequence[int],
    *,
    settings: Mapping[str, Any] | None = None,
    protocol: str = "P30",
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[StructureRun, ...]:
    """Train the network anew for each expansion rate, all else equal.

    Parameters
    ----------
    rates : sequence of int
        Streams a group; the finished trainings are handed over as they come.
    settings : mapping, optional
        Of network and training, the same for all.

    Raises
    ------
    BadInput
        Labels or bands do not do.
    """
    from backends.hyperspectral.fitting import fit_classifier
    from backends.hyperspectral.splits import make_split

    progress = progress or Progress()
    split = make_split(labels.values, protocol, seed)
    found: list[StructureRun] = []
    for rate in rates:
        own = {"snapshots": 20, **(settings or {}), "expansion": rate}
        if int(own["snapshots"]) < 1:
            own["snapshots"] = 20
        fitted = fit_classifier(
            scene, labels, MODEL, split, device=device, settings=own, progress=progress
        )
        assert fitted.history is not None
        streams = len(fitted.checkpoint.settings["groups"]["names"])
        title = f"{streams} streams, seed {seed}"
        found.append(StructureRun(title, streams, structure_curve(fitted.history, progress)))
        progress.partial(tuple(found), force=True)
    return tuple(found)


def read_run(path: str | Path) -> StructureRun:
    """Read the structure of a training from what it left.

    Parameters
    ----------
    path : str or Path
        A checkpoint, a ``metrics.json``, or the folder that holds one of them.

    Raises
    ------
    BadInput
        Nothing of that is there.
    """
    path = Path(path)
    if path.is_dir():
        inside = [path / name for name in ("checkpoint.safetensors", "metrics.json")]
        path = next((p for p in inside if p.is_file()), inside[0])
    if not path.is_file():
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Choose what a training wrote."
        )
    if path.suffix == ".safetensors":
        from backends.hyperspectral.checkpoints import load_checkpoint

        checkpoint, _ = load_checkpoint(path)
        values: Any = checkpoint.facts
        names = checkpoint.settings.get("groups", {}).get("names", ())
    else:
        try:
            text = path.read_text(encoding="utf-8") if path.stat().st_size < _LARGEST else ""
            values = json.loads(text)
        except (OSError, ValueError, RecursionError):
            values = None
        names = ()
    if not isinstance(values, dict) or not isinstance(values.get("structure"), dict):
        raise BadInput(
            f"{path.name} holds no structure over a training.",
            subject=path,
            way_out="Choose a checkpoint of es_mhc that was trained with snapshots.",
        )
    curve = StructureCurve.from_dict(values["structure"])
    streams = len(names) or int(values["structure"].get("streams", 0))
    said = f"{streams} streams" if streams else path.stem
    seed = values.get("seed")
    where = path.parent.name
    return StructureRun(
        f"{said}{'' if seed is None else f', seed {seed}'} ({where})", streams, curve
    )
