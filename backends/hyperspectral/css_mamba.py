"""CSSMamba: clusters of pixels read by a spatial scan, parts of the spectrum by a spectral one.

Our own build after the description of CSSMamba (Dewis et al., "Clustering-Guided
Spatial-Spectral Mamba", arXiv 2601.16098, 2026) and of its predecessor MambaHSI (Li et al.,
TGRS 2024); the paper's full text was not available, so widths, the shared scan over clusters
and everything under "reconstruction" in the model card are ours. No code was taken from its
authors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.errors import WrongUse
from backends.hyperspectral.hyper_connection import RMSNorm
from backends.hyperspectral.networks import (
    LARGEST_STATES,
    LARGEST_WIDTH,
    MOST_LAYERS,
    Arrays,
    Known,
    PixelNetwork,
    go_on,
)
from backends.hyperspectral.pixel_clusters import (
    LearnableClusters,
    Sequences,
    capped_partition,
    cluster_loss,
    make_sequences,
)
from backends.hyperspectral.selective_scan import Mamba
from backends.hyperspectral.spectral_front import SpectralFront, disagreement, whitening_of

SEQUENCES_AT_ONCE = 16


@dataclass(frozen=True)
class CssSettings:
    """Size and choices of the network.

    Attributes
    ----------
    width : int
        Divisible by ``tokens`` and 4.
    blocks, tokens, d_state : int
        Blocks; tokens a pixel of the spectral scan; states of the scans.
    clusters : int
        0 takes twice the classes, 8 to 64.
    kept : float
        Part of the pixels that the spatial scan reads; 1 is a partition of all.
    selection : str
        ``"hybrid"`` (membership and attention), ``"cluster"`` or ``"attention"``.
    longest : int
        Longest sequence; longer clusters are dealt out.
    cluster_weight : float
        Of the cluster loss.
    context : int
        Side of the square whose mean spectrum joins the pixel's own; odd, 1 = none, 0 = what
        suits the training pixels, see `whitening.choose_context`.
    components : int
        Of the whitened spectra that it reads, see `SpectralFront`; 0 reads stretched bands and
        lets the network stand alone.
    agreement : float
        Weight of the loss that keeps the network near what the spectrum alone says.
    """

    width: int = 32
    blocks: int = 2
    tokens: int = 4
    d_state: int = 8
    clusters: int = 0
    kept: float = 1.0
    selection: str = "hybrid"
    longest: int = 512
    cluster_weight: float = 0.1
    context: int = 0
    dropout: float = 0.1
    components: int = 50
    agreement: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass
class BlockRecord:
    """What one block did, for the viewer.

    Attributes
    ----------
    membership : tensor of shape (pixels, clusters)
    hard : int64 tensor of shape (pixels,)
        The cluster a pixel was read in.
    score : tensor of shape (pixels,)
        By which pixels were ordered.
    rank : tensor of shape (pixels,)
        Place in its sequence, 0 to 1; -1 where not read.
    sequence : int64 tensor of shape (pixels,)
        Number of its sequence, from 0; -1 where not read.
    step : tensor of shape (pixels,)
        Mean step size of the spatial scan: how much it took in.
    fusion : tensor of shape (2,)
        Weights of the spatial and the spectral branch.
    kept : float
        Part of the pixels that the block was set to read.
    valid : bool tensor of shape (pixels,), optional
        Pixels with data.
    """

    membership: Tensor
    hard: Tensor
    score: Tensor
    rank: Tensor
    step: Tensor
    fusion: Tensor
    temperature: float
    sequence: Tensor
    kept: float = 1.0
    valid: Tensor | None = None


class SpectralBranch(nn.Module):
    """A scan along the parts of each pixel's features."""

    def __init__(self, settings: CssSettings) -> None:
        super().__init__()
        self.tokens = settings.tokens
        self.scan = Mamba(settings.width // settings.tokens, settings.d_state)
        self.norm = RMSNorm(settings.width)

    def forward(self, x: Tensor) -> Tensor:
        """Return an array of the same shape (pixels, width)."""
        tokens = x.view(x.shape[0], self.tokens, -1)
        return functional.silu(self.norm(self.scan(tokens).reshape(x.shape)))


class SpatialBranch(nn.Module):
    """Clusters of pixels, each read in order by one shared scan."""

    def __init__(self, settings: CssSettings, clusters: int) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.norm = RMSNorm(width)
        self.project = nn.Linear(width, 2 * width)
        self.clusters = LearnableClusters(2 * width, clusters)
        rank = max(1, width // 2)
        self.query = nn.Linear(2 * width, rank, bias=False)
        self.key = nn.Linear(2 * width, rank, bias=False)
        self.balance = nn.Parameter(torch.tensor(0.5))
        self.scan = Mamba(width, settings.d_state)
        self.code = nn.Parameter(torch.zeros(clusters, width))
        nn.init.trunc_normal_(self.code, std=0.02)
        self.seen: tuple[Tensor, Tensor] | None = None

    def forward(
        self, x: Tensor, valid: Tensor | None, poll: Callable[[], None]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the answer (pixels, width), the cluster loss, and what the viewer needs."""
        features = self.project(self.norm(x))
        membership = self.clusters(features)
        if self.training:
            self.seen = features.detach(), membership.detach()
        attention = (self.query(features) * self.key(features)).sum(1) / math.sqrt(
            self.query.out_features
        )
        poll()
        pixels, count = membership.shape
        cap = math.ceil(1.5 * pixels / count)
        hard = capped_partition(membership, cap)
        own = membership.gather(1, hard[:, None]).squeeze(1)
        share = torch.sigmoid(self.balance)
        parts = {
            "hybrid": share * attention + (1 - share) * torch.log(own + 1e-6),
            "cluster": torch.log(own + 1e-6),
            "attention": attention,
        }
        score = parts[self.settings.selection].float()
        sequences = self._sequences(hard, score, valid)
        answer, step = self._scan(x, sequences, poll)
        # Which pixels are read, and when, has no gradient; this gate has.
        spread = score.std(unbiased=False) + 1e-6
        answer = answer * (1 + torch.tanh((score - score.mean()) / spread))[:, None]
        record = {
            "membership": membership,
            "hard": hard,
            "score": score,
            "rank": sequences.rank,
            "sequence": sequences.sequence,
            "step": step,
        }
        return answer, cluster_loss(features, membership), record

    def _sequences(self, hard: Tensor, score: Tensor, valid: Tensor | None) -> Sequences:
        kept = valid
        if self.settings.kept < 1:
            usable = score.detach().clone()
            if valid is not None:
                usable[~valid] = -torch.inf
            top = max(1, int(self.settings.kept * len(score)))
            kept = torch.zeros_like(score, dtype=torch.bool)
            kept[usable.topk(top).indices] = True
            kept &= usable > -torch.inf
        if kept is not None and not bool(kept.any()):
            kept = None
        return make_sequences(hard, score, self.settings.longest, kept=kept)

    def _scan(
        self, x: Tensor, sequences: Sequences, poll: Callable[[], None]
    ) -> tuple[Tensor, Tensor]:
        """Return what the scan says of each pixel, and its mean step size there."""
        out, step = torch.zeros_like(x), x.new_zeros(len(x))
        # Without a gradient a few at a time: bounded memory and a chance to stop.
        at_once = len(sequences.members) if torch.is_grad_enabled() else SEQUENCES_AT_ONCE
        for low in range(0, len(sequences.members), at_once):
            part = slice(low, low + at_once)
            members, mask = sequences.members[part], sequences.mask[part]
            tokens = x[members] + self.code[sequences.cluster[part]][:, None, :]
            steps: list[Tensor] = []
            read = self.scan(tokens, steps)
            out = out.index_add(0, members[mask], read[mask].to(out.dtype))
            step[members[mask]] = steps[0][mask].to(step.dtype)
            poll()
        return out, step


class Block(nn.Module):
    """Both branches, weighed by two learned numbers, and the way past them."""

    def __init__(self, settings: CssSettings, clusters: int) -> None:
        super().__init__()
        self.spatial = SpatialBranch(settings, clusters)
        self.spectral = SpectralBranch(settings)
        self.fusion = nn.Parameter(torch.zeros(2))
        self.drop = settings.dropout

    def forward(
        self, x: Tensor, valid: Tensor | None, poll: Callable[[], None]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the next features, the cluster loss, and what the viewer needs."""
        weight = torch.softmax(self.fusion, dim=0)
        spatial, loss, record = self.spatial(x, valid, poll)
        answer = weight[0] * spatial + weight[1] * self.spectral(x)
        record["fusion"] = weight
        return x + functional.dropout(answer, self.drop, self.training), loss, record


class CssMamba(PixelNetwork):
    """The network.

    Parameters
    ----------
    bands, classes : int
    settings : CssSettings
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
        count = settings.clusters or min(64, max(8, 2 * classes))
        self.blocks = nn.ModuleList(Block(settings, count) for _ in range(settings.blocks))
        self.head_in = nn.Linear(settings.width, 2 * settings.width)
        self.head_norm = nn.GroupNorm(4, 2 * settings.width)
        self.head_out = nn.Linear(2 * settings.width, classes)
        self._losses: list[Tensor] = []

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
        if self.settings.context > 1 and around is None:
            raise ValueError("context > 1 needs the spectra around")
        read = [spectra] if around is None else [spectra, around]
        if self.front is not None:
            read = [self.front(part) for part in read]
        else:
            read = [2 * part - 1 for part in read]
        x = functional.silu(self.embed_norm(self.embed(torch.cat(read, dim=1))))
        losses, records = [], []
        for block in self.blocks:
            x, loss, seen = block(x, valid, poll)
            losses.append(loss)
            poll()
            if record:
                heat = float(block.spatial.clusters.temperature.detach())
                kept = self.settings.kept
                records.append(BlockRecord(**seen, temperature=heat, kept=kept, valid=valid))
        self._losses = [loss.detach() for loss in losses]
        self.extra_loss = self.settings.cluster_weight * torch.stack(losses).mean()
        logits = self.head_out(functional.silu(self.head_norm(self.head_in(x))))
        if self.front is not None:
            spectral = self.front.logits(read[-1])
            logits = logits + spectral
            loss = disagreement(logits, spectral)
            self.extra_loss = self.extra_loss + self.settings.agreement * loss
        return logits, records

    def prepare(self, known: Known) -> None:
        """Fit the front; from then on the network begins with what the spectrum alone says."""
        if self.front is None:
            return
        self.front.take(whitening_of(known, self.front))
        nn.init.zeros_(self.head_out.weight)
        nn.init.zeros_(self.head_out.bias)

    def after_step(self) -> None:
        """Revive dead clusters; called after each step of the optimiser."""
        for block in self.blocks:
            seen = block.spatial.seen
            if seen is not None:
                block.spatial.clusters.revive(*seen)
                block.spatial.seen = None

    def diagnostics(self) -> dict[str, float]:
        """Return cluster loss, temperature and weight of the spatial scan of every block."""
        found: dict[str, float] = {}
        for number, (block, loss) in enumerate(zip(self.blocks, self._losses, strict=False), 1):
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
    clusters = arrays["blocks.0.spatial.code"].shape[0]
    blocks, states = settings.blocks, settings.d_state
    if not (0 < blocks <= MOST_LAYERS and 0 < states <= LARGEST_STATES and width <= LARGEST_WIDTH):
        raise ValueError("settings")
    # Checkpoints from before there was a front have none.
    read = arrays["front.weight"].shape[1] if "front.weight" in arrays else 0
    per_band = 2 if settings.context > 1 else 1
    wanted = per_band * (read or bands)
    if settings.width != width or inputs != wanted or settings.tokens > width:
        raise ValueError("width")
    return CssMamba(bands, classes, replace(settings, clusters=clusters, components=read))
