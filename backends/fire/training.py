"""Teaching the two networks, by the paper's recipe and by a corrected one.

Paper (repository of arXiv 2601.14475): classifier with Adam 7.5e-4, batch 100, up to 500
epochs, stop after 20 without 5e-3 less validation loss; segmenter on tiles with fire only, Adam
3e-4, batch 4, weights 1 and 50 over 51, stop after 10 without 5e-3 more mean IoU; no
augmentation. Corrected, ours: whole lines held out, turned and mirrored crops, tiles without
fire for both networks, faster running means, and thresholds from the held-out lines.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.errors import BadInput, WrongUse
from backends.fire.checkpoints import FireNetworks
from backends.fire.measures import best_threshold, count_pixels, pooled
from backends.fire.networks import FireClassifier, FireSegmenter
from backends.fire.samples import FireSample
from backends.jobs import Progress

FIRE_WEIGHT = 50.0


@dataclass(frozen=True)
class Recipe:
    """How the networks are taught.

    Attributes
    ----------
    id : str
    classifier_rate, segmenter_rate : float
        Adam's learning rates.
    classifier_batch, segmenter_batch : int
    classifier_epochs, segmenter_epochs : int
        At most.
    classifier_patience, segmenter_patience : int
        Epochs without improvement before it ends.
    least_gain : float
        What counts as improvement, of loss and of mean IoU.
    augment : bool
    crop, classifier_crop : int
        Side of the squares that the segmenter and the classifier see while they learn; 256 is
        the whole tile.
    crops : int
        Squares a tile and epoch.
    quiet : float
        Part of the segmenter's squares that may lie anywhere, fire or not; 0 is the paper's way.
    momentum : float
        Of the running means.
    """

    id: str
    classifier_rate: float = 7.5e-4
    segmenter_rate: float = 3e-4
    classifier_batch: int = 100
    segmenter_batch: int = 4
    classifier_epochs: int = 500
    segmenter_epochs: int = 500
    classifier_patience: int = 20
    segmenter_patience: int = 10
    least_gain: float = 5e-3
    augment: bool = False
    crop: int = 256
    classifier_crop: int = 256
    crops: int = 1
    quiet: float = 0.0
    momentum: float = 0.01


RECIPES = {
    "paper": Recipe("paper"),
    "corrected": Recipe(
        "corrected", classifier_rate=5e-3, segmenter_rate=1e-3, classifier_batch=16,
        classifier_epochs=60, segmenter_epochs=30, segmenter_patience=8, least_gain=1e-3,
        augment=True, crop=128, classifier_crop=128, crops=2, quiet=0.4, momentum=0.1,
    ),
}  # fmt: skip


def recipe_of(name: str, **changes: Any) -> Recipe:
    """Return a recipe by name, with some of its numbers changed.

    Raises
    ------
    WrongUse
        No such recipe or number.
    """
    if name not in RECIPES:
        raise WrongUse(f"There is no recipe called {name}.", way_out="Use paper or corrected.")
    known = set(asdict(RECIPES[name])) - {"id"}
    if unknown := set(changes) - known:
        raise WrongUse(
            f"The recipe has no setting {', '.join(sorted(unknown))}.",
            way_out=f"It has {', '.join(sorted(known))}.",
        )
    return replace(RECIPES[name], **changes)


def train(
    taught: Sequence[FireSample],
    held: Sequence[FireSample],
    channels: Sequence[int],
    *,
    recipe: Recipe,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> FireNetworks:
    """Teach both networks and choose their best states on the lines held out.

    Parameters
    ----------
    taught, held : sequences of FireSample
        Of different flight lines; without ``held`` the state of the lowest loss is kept.

    Raises
    ------
    BadInput
        No tile with fire, or one line on both sides.
    """
    if shared := {s.line for s in taught} & {s.line for s in held}:
        raise BadInput(
            f"{', '.join(sorted(shared))} would teach and check the networks at once.",
            way_out="Keep whole flight lines apart.",
        )
    if not any(s.burns for s in taught):
        raise BadInput(
            "No tile to learn from holds fire.", way_out="Add a flight line with fire and its mask."
        )
    progress = progress or Progress()
    began = time.perf_counter()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classifier, segmenter = FireClassifier(len(channels)), FireSegmenter(len(channels))
    for module in (*classifier.norms, *segmenter.norms):
        module.momentum = recipe.momentum
    total = recipe.classifier_epochs + recipe.segmenter_epochs
    progress.start(total, "epochs", "Teaching the classifier")
    curve_c = _teach_classifier(classifier.to(device), taught, held, recipe, rng, device, progress)
    progress.note("Teaching the segmenter")
    curve_s = _teach_segmenter(segmenter.to(device), taught, held, recipe, rng, device, progress)
    classifier.cpu().eval()
    segmenter.cpu().eval()
    judged = list(held) or list(taught)
    facts = {
        "recipe": asdict(recipe),
        "seed": seed,
        "lines_taught": sorted({s.line for s in taught}),
        "lines_held": sorted({s.line for s in held}),
        "tiles": {"taught": len(taught), "with_fire": sum(s.burns for s in taught)},
        "pixel_threshold": _threshold(segmenter, judged),
        "classifier_curve": curve_c,
        "segmenter_curve": curve_s,
        "seconds": round(time.perf_counter() - began, 1),
    }
    return FireNetworks(classifier, segmenter, tuple(channels), facts)


def _teach_classifier(
    network: FireClassifier, taught: Sequence[FireSample], held: Sequence[FireSample],
    recipe: Recipe, rng: np.random.Generator, device: str, progress: Progress,
) -> list[float]:  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.classifier_rate)
    keeper = _Keeper(recipe.least_gain, recipe.classifier_patience)
    for epoch in range(recipe.classifier_epochs):
        network.train()
        losses = []
        wide = replace(recipe, crop=recipe.classifier_crop)
        batches = _batches(taught, wide, rng, recipe.classifier_batch, fire_only=False)
        for x, y, valid in batches:
            burns = ((y * valid).sum(dim=(1, 2)) > 3).float().to(device)
            share = float(burns.mean())
            # Few tiles burn: both kinds weigh alike, but in the paper's recipe.
            even = recipe.augment and 0 < share < 1
            weight = torch.tensor((1 - share) / share if even else 1.0, device=device)
            loss = functional.binary_cross_entropy_with_logits(
                network(x.to(device)), burns, pos_weight=weight
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
            progress.check()
        value = _classifier_loss(network, held, device) if held else float(np.mean(losses))
        if keeper.ends(network, -value):
            progress.advance(recipe.classifier_epochs - epoch)
            break
        progress.advance()
    keeper.restore(network)
    return [round(-v, 4) for v in keeper.curve]


def _classifier_loss(network: FireClassifier, held: Sequence[FireSample], device: str) -> float:
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([network(_whole(s)[None].to(device)).cpu() for s in held])
    wanted = torch.tensor([float(s.burns) for s in held])
    return float(functional.binary_cross_entropy_with_logits(logits, wanted))


def _teach_segmenter(
    network: FireSegmenter, taught: Sequence[FireSample], held: Sequence[FireSample],
    recipe: Recipe, rng: np.random.Generator, device: str, progress: Progress,
) -> list[float]:  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.segmenter_rate)
    keeper = _Keeper(recipe.least_gain, recipe.segmenter_patience)
    for epoch in range(recipe.segmenter_epochs):
        network.train()
        losses = []
        batches = _batches(taught, recipe, rng, recipe.segmenter_batch, fire_only=True)
        for x, y, valid in batches:
            y, valid = y.to(device), valid.to(device)
            each = functional.binary_cross_entropy_with_logits(
                network(x.to(device)), y, reduction="none"
            )
            weight = torch.where(y > 0, FIRE_WEIGHT, 1.0) / (FIRE_WEIGHT + 1) * valid
            loss = (each * weight).sum() / valid.sum().clamp(min=1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
            progress.check()
        judged = [s for s in held if s.burns or recipe.quiet]
        value = _mean_iou(network, judged, device, progress) if judged else -float(np.mean(losses))
        if keeper.ends(network, value):
            progress.advance(recipe.segmenter_epochs - epoch)
            break
        progress.advance()
    keeper.restore(network)
    return [round(v, 4) for v in keeper.curve]


def _mean_iou(
    network: FireSegmenter, samples: Sequence[FireSample], device: str, progress: Progress
) -> float:
    network.eval()
    counts = []
    with torch.inference_mode():
        for sample in samples:
            progress.check()
            drawn = torch.sigmoid(network(_whole(sample)[None].to(device)))[0].cpu().numpy()
            counts.append(count_pixels(drawn >= 0.5, sample.truth, sample.valid))
    return pooled(counts).mean_iou


def _threshold(network: FireSegmenter, samples: Sequence[FireSample]) -> float:
    """Return the pixel threshold of highest fire IoU on some tiles."""
    drawn, truth = [], []
    with torch.inference_mode():
        for sample in samples:
            probability = torch.sigmoid(network(_whole(sample)[None]))[0].numpy()
            drawn.append(probability[sample.valid])
            truth.append(sample.truth[sample.valid])
    return best_threshold(np.concatenate(drawn), np.concatenate(truth))


class _Keeper:
    """Keeps the best state and says when nothing gets better; higher is better."""

    def __init__(self, least_gain: float, patience: int) -> None:
        self._gain, self._patience = least_gain, patience
        self._best, self._stopper, self._waited = -np.inf, -np.inf, 0
        self._state: dict[str, Tensor] = {}
        self.curve: list[float] = []

    def ends(self, network: nn.Module, value: float) -> bool:
        """Take note of an epoch."""
        self.curve.append(value)
        value = -np.inf if np.isnan(value) else value
        if value > self._best or not self._state:
            self._best = value
            self._state = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
        if value > self._stopper + self._gain:
            self._stopper, self._waited = value, 0
        else:
            self._waited += 1
        return self._waited >= self._patience

    def restore(self, network: nn.Module) -> None:
        """Go back to the best state."""
        if self._state:
            network.load_state_dict(self._state)


def _whole(sample: FireSample) -> Tensor:
    return torch.from_numpy(sample.planes)


def _batches(
    samples: Sequence[FireSample], recipe: Recipe, rng: np.random.Generator, size: int, *,
    fire_only: bool,
) -> Any:  # fmt: skip
    """Yield (planes, truth, valid) in random order, cut and turned as the recipe says."""
    chosen = [s for s in samples if s.burns] if fire_only and not recipe.quiet else list(samples)
    order = [i for i in rng.permutation(len(chosen)) for _ in range(recipe.crops)]
    for low in range(0, len(order), size):
        parts = [_piece(chosen[i], recipe, rng) for i in order[low : low + size]]
        if len(parts) == 1 and len(order) > 1:
            continue  # a normalisation learns nothing from one tile
        planes, truth, valid = (np.stack(p) for p in zip(*parts, strict=True))
        yield (
            torch.from_numpy(np.ascontiguousarray(planes, np.float32)),
            torch.from_numpy(np.ascontiguousarray(truth, np.float32)),
            torch.from_numpy(np.ascontiguousarray(valid, np.float32)),
        )


def _piece(sample: FireSample, recipe: Recipe, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    side, most = recipe.crop, sample.truth.shape[0] - recipe.crop
    row, col = (int(v) for v in rng.integers(0, most + 1, 2)) if most > 0 else (0, 0)
    if most > 0 and sample.truth.any() and rng.random() >= recipe.quiet:
        rows, cols = np.nonzero(sample.truth)
        at = int(rng.integers(rows.size))
        row = int(np.clip(rows[at] - rng.integers(side), 0, most))
        col = int(np.clip(cols[at] - rng.integers(side), 0, most))
    cut = (slice(row, row + side), slice(col, col + side))
    parts = (sample.planes[:, cut[0], cut[1]], sample.truth[cut], sample.valid[cut])
    if not recipe.augment:
        return parts
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    turned = [np.rot90(p, turns, axes=(-2, -1)) for p in parts]
    if flip:
        turned = [p[..., ::-1] for p in turned]
    return turned[0], turned[1], turned[2]
