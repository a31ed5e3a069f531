"""CSSMamba: clusters of pixels read by a spatial scan, parts of the spectrum by a spectral one.

Our own build after the description of CSSMamba (Dewis et al., "Clustering-Guided
Spatial-Spectral Mamba", arXiv 2601.16098, 2026) and of its predecessor MambaHSI (Li et al.,
TGRS 2024); the paper's full text was not available, so widths, the shared scan over clusters
and everything under "reconstruction" in the model card are ours. No code was taken from its
authors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from backends.errors import WrongUse
from backends.hyperspectral.css_settings import BlockRecord, CssSettings
from backends.hyperspectral.features import PixelFeatures
from backends.hyperspectral.networks import (
    LARGEST_STATES,
    LARGEST_WIDTH,
    MOST_LAYERS,
    Arrays,
    Known,
    PixelNetwork,
    go_on,
)
from backends.hyperspectral.pixel_clusters import LearnableClusters
from backends.hyperspectral.seeded_clusters import PriorSpace, class_seeds, fit_prior
from backends.hyperspectral.spatial_branch import BRANCHES
from backends.hyperspectral.spectral_branch import SpectralBranch
from backends.hyperspectral.spectral_front import SpectralFront, disagreement, whitening_of

__all__ = ["BlockRecord", "CssMamba", "CssSettings", "rebuilt"]

# Pixels without labels among which clusters may begin.
SAMPLE = 2048


class Block(nn.Module):
    """Both branches, weighed by two learned numbers, and the way past them."""

    def __init__(self, settings: CssSettings, clusters: int, prior_components: int) -> None:
        super().__init__()
        self.spatial = BRANCHES[settings.variant](settings, clusters, prior_components)
        self.spectral = SpectralBranch(settings)
        self.fusion = nn.Parameter(torch.zeros(2))
        self.drop = settings.dropout

    def forward(
        self,
        x: Tensor,
        valid: Tensor | None,
        places: Tensor | None,
        prior_places: Tensor | None,
        poll: Callable[[], None],
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the next features, the cluster loss, and what the viewer needs."""
        weight = torch.softmax(self.fusion, dim=0)
        spatial, loss, record = self.spatial(x, valid, places, prior_places, poll)
        answer = weight[0] * spatial + weight[1] * self.spectral(x, valid)
        record["fusion"] = weight
        return x + functional.dropout(answer, self.drop, self.training), loss, record


class CssMamba(PixelNetwork):
    """The network.

    Parameters
    ----------
    bands, classes : int
    settings : CssSettings

    Attributes
    ----------
    losses : list of tensors
        Of the clusters of each block in the last pass.
    """

    def __init__(self, bands: int, classes: int, settings: CssSettings) -> None:
        super().__init__()
        if settings.width % settings.tokens or settings.width % 4:
            raise WrongUse(
                f"The width {settings.width} is not divisible by {settings.tokens} and by 4.",
                way_out="Choose another width or number of tokens.",
            )
        self.settings, self.context = settings, settings.context
        read = min(settings.components, bands) or bands
        self.front = SpectralFront(bands, read, classes) if settings.components else None
        inputs = read * (2 if settings.context > 1 else 1)
        self.embed = nn.Linear(inputs, settings.width)
        self.embed_norm = nn.GroupNorm(4, settings.width)
        # Lines are read in the order of the scene, whichever pixels a step is given.
        self.position = settings.variant != "ours"
        self.prior = PriorSpace(bands) if settings.variant == "b" else None
        components = 0 if self.prior is None else self.prior.components
        self.blocks = nn.ModuleList(
            Block(settings, settings.cluster_count(number, classes), components)
            for number in range(settings.blocks)
        )
        self.head_in = nn.Linear(settings.width, 2 * settings.width)
        self.head_norm = nn.GroupNorm(4, 2 * settings.width)
        self.head_out = nn.Linear(2 * settings.width, classes)
        self.losses: list[Tensor] = []

    @property
    def cluster_counts(self) -> tuple[int, ...]:
        """Clusters of each block."""
        return tuple(len(block.spatial.clusters.centres) for block in self.blocks)

    def forward(
        self,
        spectra: Tensor,
        *,
        around: Tensor | None = None,
        places: Tensor | None = None,
        valid: Tensor | None = None,
        record: bool = False,
        poll: Callable[[], None] = go_on,
    ) -> tuple[Tensor, list[BlockRecord]]:
        """Classify pixels together, see `PixelNetwork`; the records are `BlockRecord`."""
        if spectra.ndim != 2:
            # Pixels of two scenes must not be clustered as one.
            raise ValueError("spectra must be (pixels, bands) of one scene")
        if self.settings.context > 1 and around is None:
            raise ValueError("context > 1 needs the spectra around")
        read = [spectra] if around is None else [spectra, around]
        if self.front is not None:
            read = [self.front(part) for part in read]
        else:
            read = [2 * part - 1 for part in read]
        x = functional.silu(self.embed_norm(self.embed(torch.cat(read, dim=1))))
        prior_places = None if self.prior is None else self.prior(spectra)
        losses, records = [], []
        for block in self.blocks:
            x, loss, seen = block(x, valid, places, prior_places, poll)
            losses.append(loss)
            poll()
            if record:
                heat = float(block.spatial.clusters.temperature.detach())
                facts = {"share": float(seen.pop("share").detach()), "kept": self.settings.kept}
                records.append(BlockRecord(**seen, **facts, temperature=heat, valid=valid))
        self.losses = [loss.detach() for loss in losses]
        together = torch.stack(losses)
        # Variant a adds up its blocks, as in its source.
        total = together.sum() if self.settings.variant == "a" else together.mean()
        self.extra_loss = self.settings.cluster_weight * total
        logits = self.head_out(functional.silu(self.head_norm(self.head_in(x))))
        if self.front is not None:
            spectral = self.front.logits(read[-1])
            logits = logits + spectral
            loss = disagreement(logits, spectral)
            self.extra_loss = self.extra_loss + self.settings.agreement * loss
        return logits, records

    def prepare(self, known: Known) -> None:
        """Fit prior and front; the network then begins with what the spectrum alone says."""
        if self.prior is not None:
            self._fit_prior(known)
        if self.front is not None:
            self.front.take(whitening_of(known, self.front))
            nn.init.zeros_(self.head_out.weight)
            nn.init.zeros_(self.head_out.bias)
        if self.settings.class_clusters:
            self._seed_clusters(known)

    def _seed_clusters(self, known: Known) -> None:
        """Begin each block's clusters at parts of the classes, as far as they tell them apart.

        Only training pixels say where; what the clusters become is learned.
        """
        rng = np.random.default_rng(int(torch.randint(1 << 31, ())))
        some = rng.permutation(len(known.anywhere.spectra))[:SAMPLE]
        company = known.anywhere.take(np.sort(some))
        was_training = self.training
        self.eval()
        for block in self.blocks:  # a block sees what those before it make of their clusters
            clusters = block.spatial.clusters
            taught, anywhere = (self._cluster_features(block, p) for p in (known.taught, company))
            count = len(clusters.centres)
            found = class_seeds(taught, known.target, anywhere, count, rng)
            clusters.begin_at(torch.from_numpy(found))
        self.train(was_training)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _cluster_features(self, block: nn.Module, pixels: PixelFeatures) -> NDArray[np.float64]:
        """Return the directions by which a block groups pixels, shape (pixels, features)."""
        seen: list[Tensor] = []
        hook = block.spatial.project.register_forward_hook(lambda _m, _i, out: seen.append(out))
        around = None if pixels.around is None else torch.from_numpy(pixels.around)
        places = torch.from_numpy(pixels.places)
        try:
            self(torch.from_numpy(pixels.spectra), around=around, places=places)
        finally:
            hook.remove()
        unit: NDArray[np.float64] = functional.normalize(seen[0].double(), dim=1).numpy()
        return unit

    def _fit_prior(self, known: Known) -> None:
        """Make the prior of variant b from the training pixels, anew for each training."""
        assert self.prior is not None
        made = fit_prior(
            known.taught.spectra,
            known.target,
            known.anywhere.spectra,
            [len(block.spatial.clusters.seeds) for block in self.blocks],
            int(torch.randint(1 << 31, ())),
        )
        self.prior.take(made)
        for block, seeds in zip(self.blocks, made.seeds, strict=True):
            block.spatial.clusters.seeds.copy_(torch.from_numpy(seeds))

    def after_step(self) -> None:
        """Revive dead clusters; called after each step of the optimiser."""
        for block in self.blocks:
            seen = block.spatial.seen
            if seen is not None and isinstance(block.spatial.clusters, LearnableClusters):
                block.spatial.clusters.revive(*seen)
                block.spatial.seen = None

    def diagnostics(self) -> dict[str, float]:
        """Return cluster loss, temperature and weight of the spatial scan of every block."""
        found: dict[str, float] = {}
        for number, (block, loss) in enumerate(zip(self.blocks, self.losses, strict=False), 1):
            found[f"cluster loss, block {number}"] = float(loss)
            found[f"temperature, block {number}"] = float(
                block.spatial.clusters.temperature.detach()
            )
            weight = torch.softmax(block.fusion.detach(), dim=0)
            found[f"spatial weight, block {number}"] = float(weight[0])
        return found


def rebuilt(settings: CssSettings, arrays: Arrays, bands: int, classes: int) -> CssMamba:
    """Build the network of a checkpoint; its sizes are checked against the arrays first.

    Raises
    ------
    ValueError, KeyError, TypeError
        They do not fit each other.
    """
    width, inputs = arrays["embed.weight"].shape
    count = arrays["blocks.0.spatial.clusters.centres"].shape[0]
    blocks, states = settings.blocks, settings.d_state
    if not (0 < blocks <= MOST_LAYERS and 0 < states <= LARGEST_STATES and width <= LARGEST_WIDTH):
        raise ValueError("settings")
    # Checkpoints from before there was a front have none.
    read = arrays["front.weight"].shape[1] if "front.weight" in arrays else 0
    per_band = 2 if settings.context > 1 else 1
    wanted = per_band * (read or bands)
    if settings.width != width or inputs != wanted or settings.tokens > width:
        raise ValueError("width")
    if settings.variant != "b":
        settings = replace(settings, clusters=count)
    elif settings.cluster_count(0, classes) != count:
        raise ValueError("clusters")
    return CssMamba(bands, classes, replace(settings, components=read))
