"""How a block of CSSMamba groups pixels, chooses and orders them, and reads them: three ways.

One pass always goes the same way: memberships, a cluster a pixel, scores, sequences, the scan,
a gate. `SpatialBranch` is our own build; `LearnedCentres` (variant a) and `SeededPrior` (b)
change single steps of it, after the description of CSSMamba (Dewis et al., arXiv 2601.16098)
and what our notes say of its authors' development code. What differs from them on purpose is
said in the model card: chosen pixels are weighed by their score, so that the choice receives a
gradient; no pixel is read twice; distances are matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.hyperspectral.css_settings import CssSettings
from backends.hyperspectral.hyper_connection import RMSNorm
from backends.hyperspectral.pixel_clusters import (
    LearnableClusters,
    Sequences,
    capped_partition,
    cluster_loss,
    line_by_line,
    make_sequences,
    one_sequence,
    uneven_loss,
)
from backends.hyperspectral.recurrence import Kept
from backends.hyperspectral.seeded_clusters import SeededClusters
from backends.hyperspectral.selective_scan import Mamba
from backends.hyperspectral.token_groups import Chosen, read_chosen

# Clusters may be this much larger than an even share, or than their prior.
ROOM = 1.5


class SpatialBranch(nn.Module):
    """Clusters of pixels, each read in order by one shared scan; our own build."""

    clusters: LearnableClusters | SeededClusters

    def __init__(self, settings: CssSettings, clusters: int, prior_components: int = 0) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.norm = RMSNorm(width)
        self.project = nn.Linear(width, 2 * width)
        self.clusters = self._clusters(2 * width, clusters, prior_components)
        rank = max(1, width // 2)
        self.query = nn.Linear(2 * width, rank, bias=False)
        self.key = nn.Linear(2 * width, rank, bias=False)
        self.balance = nn.Parameter(torch.tensor(0.5))
        self._readers(clusters)
        self.seen: tuple[Tensor, Tensor] | None = None

    def _clusters(
        self, width: int, clusters: int, components: int
    ) -> LearnableClusters | SeededClusters:
        return LearnableClusters(width, clusters)

    def _readers(self, clusters: int) -> None:
        """Make what reads the sequences."""
        width = self.settings.width
        self.scan = Mamba(width, self.settings.d_state)
        self.code = nn.Parameter(torch.zeros(clusters, width))
        nn.init.trunc_normal_(self.code, std=0.02)

    def forward(
        self,
        x: Tensor,
        valid: Tensor | None,
        places: Tensor | None,
        prior_places: Tensor | None,
        poll: Callable[[], None],
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Read pixels.

        Parameters
        ----------
        x : tensor of shape (pixels, width)
        valid : bool tensor of shape (pixels,), optional
            Pixels with data.
        places : tensor of shape (pixels, 2), optional
            Row and column.
        prior_places : tensor of shape (pixels, components), optional
            Variant b: places in the space of the prior.

        Returns
        -------
        answer : tensor of shape (pixels, width)
        loss : tensor
            Of the clusters.
        record : mapping
            What the viewer needs, see `BlockRecord`.
        """
        features = self.project(self.norm(x))
        membership, held = self._group(features, prior_places, valid)
        attention = (self.query(features) * self.key(features)).sum(1) / math.sqrt(
            self.query.out_features
        )
        poll()
        hard = self._partition(membership, held)
        share = torch.sigmoid(self.balance)
        attention, typical = self._parts(attention, membership, hard, valid)
        score = {
            "hybrid": lambda: share * attention + (1 - share) * typical,
            "cluster": lambda: typical,
            "attention": lambda: attention,
        }[self.settings.selection]()
        score = score.float()
        sequences = self._sequences(hard, score, valid, places)
        answer, step = self._read(x, features, score, sequences, poll)
        answer = self._after(x, answer, valid, places)
        record = {
            "membership": membership,
            "hard": hard,
            "score": score,
            "attention": attention,
            "typical": typical,
            "share": share,
            "rank": sequences.rank,
            "sequence": sequences.sequence,
            "step": step,
        }
        return answer, self._loss(features, membership, held, valid), record

    # -- the steps -----------------------------------------------------------------------

    def _group(
        self, features: Tensor, prior_places: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return memberships, and what later steps need of them."""
        membership: Tensor = self.clusters(features)
        if self.training:
            self.seen = features.detach(), membership.detach()
        return membership, ()

    def _partition(self, membership: Tensor, held: tuple[Tensor, ...]) -> Tensor:
        """Return the cluster each pixel is read in."""
        pixels, count = membership.shape
        return capped_partition(membership, math.ceil(ROOM * pixels / count))

    def _parts(
        self, attention: Tensor, membership: Tensor, hard: Tensor, valid: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the two parts of the score: what attention says, and membership."""
        own = membership.gather(1, hard[:, None]).squeeze(1)
        return attention, torch.log(own + 1e-6)

    def _sequences(
        self, hard: Tensor, score: Tensor, valid: Tensor | None, places: Tensor | None
    ) -> Sequences:
        kept = valid
        if self.settings.kept < 1:
            usable = _usable(score, valid)
            kept = torch.zeros_like(score, dtype=torch.bool)
            kept[usable.topk(self._room(len(score))).indices] = True
            kept &= usable > -torch.inf
        if kept is not None and not bool(kept.any()):
            kept = None
        return make_sequences(hard, score, self.settings.longest, kept=kept)

    def _room(self, pixels: int) -> int:
        """Return how many pixels may be read."""
        return max(1, int(self.settings.kept * pixels))

    def _read(
        self,
        x: Tensor,
        features: Tensor,
        score: Tensor,
        sequences: Sequences,
        poll: Callable[[], None],
    ) -> tuple[Tensor, Tensor]:
        """Return what the scan says of each pixel, and its mean step size there."""

        def read(
            tokens: Tensor, group: Chosen, steps: list[Tensor] | None, kept: Kept | None
        ) -> Tensor:
            poll()
            return self.scan.read(tokens + self.code[group.cluster][:, None], steps, kept)

        weights = [self.code, *self.scan.parameters()]
        out, step = read_chosen(read, sequences, x, weights)
        return out * _gate(score), step

    def _after(
        self, x: Tensor, answer: Tensor, valid: Tensor | None, places: Tensor | None
    ) -> Tensor:
        """Return the answer with what is read after the clusters."""
        return answer

    def _loss(
        self,
        features: Tensor,
        membership: Tensor,
        held: tuple[Tensor, ...],
        valid: Tensor | None,
    ) -> Tensor:
        """Return how far the clusters are from good ones."""
        loss = cluster_loss(features, membership)
        return loss + uneven_loss(membership) if self.settings.class_clusters else loss


class LearnedCentres(SpatialBranch):
    """Variant a: learned centres, and one sequence of the pixels with the highest scores.

    All pixels (``kept`` = 1) are read line by line and weighed beforehand; fewer in falling
    order of ``a p + (1 - a) c``. Both parts are probabilities over the pixels times their
    number: one on average, whatever the size of the scene (without, a weight of some 1e-5
    would silence the branch).
    """

    def _clusters(
        self, width: int, clusters: int, components: int
    ) -> LearnableClusters | SeededClusters:
        return LearnableClusters(width, clusters, distances=True)

    def _readers(self, clusters: int) -> None:
        width = 2 * self.settings.width
        self.taps = nn.Conv1d(width, width, 4, groups=width, padding=3)
        self.scan = Mamba(width, self.settings.d_state)
        self.back = nn.Linear(width, self.settings.width)
        self.importance = nn.Parameter(torch.zeros(clusters))
        # Were all equally important, centres would get no gradient.
        nn.init.trunc_normal_(self.importance, std=0.1)

    def _partition(self, membership: Tensor, held: tuple[Tensor, ...]) -> Tensor:
        return membership.argmax(1)

    def _parts(
        self, attention: Tensor, membership: Tensor, hard: Tensor, valid: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.settings.kept < 1:
            return _over_pixels(attention, valid), _over_pixels(membership.amax(1), valid)
        # Nothing is left out: what counts is how important a pixel's clusters are.
        weight = torch.softmax(self.importance, dim=0) * len(self.importance)
        return _over_pixels(attention, valid), membership @ weight

    def _sequences(
        self, hard: Tensor, score: Tensor, valid: Tensor | None, places: Tensor | None
    ) -> Sequences:
        pixels = torch.arange(len(score), device=score.device)
        if valid is not None and bool(valid.any()):
            pixels = pixels[valid]
        if self.settings.kept == 1:
            return one_sequence(line_by_line(places, pixels), len(score))
        best = pixels[score.detach()[pixels].argsort(descending=True, stable=True)]
        room = min(self._room(len(score)), len(best))
        if self.settings.selection != "cluster":
            return one_sequence(best[:room], len(score))
        # As many of each cluster, one cluster after the other; what small clusters leave free
        # goes to the best of the others.
        place = _place_within(hard[best])
        mine = place < max(1, room // int(self.importance.numel()))
        chosen = torch.cat([best[mine], best[~mine]])[:room]
        kept = torch.zeros(len(score), dtype=torch.bool, device=score.device)
        kept[chosen] = True
        order = best[kept[best]]
        return one_sequence(order[hard[order].argsort(stable=True)], len(score))

    def _read(
        self,
        x: Tensor,
        features: Tensor,
        score: Tensor,
        sequences: Sequences,
        poll: Callable[[], None],
    ) -> tuple[Tensor, Tensor]:
        order = sequences.members[0]
        whole = self.settings.kept == 1
        # A weight may become as large as the scene has pixels, and the scan then runs away.
        weight = 2 * score / (1 + score)
        tokens = features[order] * weight[order, None] if whole else features[order]
        steps: list[Tensor] = []
        through = self.taps(tokens.t()[None])[:, :, : len(order)].transpose(1, 2)
        read = self.back(self.scan(functional.silu(through), steps))[0]
        if not whole:
            # Which pixels are read, and when, has no gradient; this gate has.
            read = read * _gate(score)[order]
        out = torch.zeros_like(x).index_add(0, order, read.to(x.dtype))
        step = x.new_zeros(len(x))
        step[order] = steps[0][0].to(step.dtype)
        poll()
        return out, step


class ClusterReader(nn.Module):
    """Variant b: what reads one cluster; a convolution, a scan, a projection of its own."""

    def __init__(self, settings: CssSettings) -> None:
        super().__init__()
        width = settings.width
        self.taps = nn.Conv1d(width, width, 4, groups=width, padding=3)
        self.scan = Mamba(width, settings.d_state)
        self.back = nn.Linear(width, width)

    def forward(self, tokens: Tensor, steps: list[Tensor]) -> Tensor:
        """Return an array of the same shape (sequences, length, width)."""
        through = self.taps(tokens.transpose(1, 2))[:, :, : tokens.shape[1]].transpose(1, 2)
        out: Tensor = self.back(self.scan(functional.silu(through), steps))
        return out


class SeededPrior(SpatialBranch):
    """Variant b: clusters held to a prior, each with a reader of its own, least typical first.

    Then all pixels are read once more, line by line (``raster``).
    """

    clusters: SeededClusters

    def _clusters(
        self, width: int, clusters: int, components: int
    ) -> LearnableClusters | SeededClusters:
        return SeededClusters(width, clusters, components)

    def _readers(self, clusters: int) -> None:
        self.readers = nn.ModuleList(ClusterReader(self.settings) for _ in range(clusters))
        if self.settings.raster:
            self.lines = Mamba(self.settings.width, self.settings.d_state)

    def _group(
        self, features: Tensor, prior_places: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        if prior_places is None:
            raise ValueError("variant b needs the places in the space of its prior")
        prior = self.clusters.prior(prior_places)
        logits = self.clusters(features, prior, valid)
        return torch.softmax(logits.float(), dim=1), (prior, logits)

    def _partition(self, membership: Tensor, held: tuple[Tensor, ...]) -> Tensor:
        # No cluster outgrows its prior by much.
        sizes = torch.bincount(held[0], minlength=membership.shape[1])
        return capped_partition(membership, torch.ceil(ROOM * sizes).long().clamp(min=1))

    def _read(
        self,
        x: Tensor,
        features: Tensor,
        score: Tensor,
        sequences: Sequences,
        poll: Callable[[], None],
    ) -> tuple[Tensor, Tensor]:
        out, step = torch.zeros_like(x), x.new_zeros(len(x))
        for k in sequences.cluster.unique().tolist():
            mine = sequences.cluster == k
            length = int(sequences.mask[mine].sum(1).max())
            members = sequences.members[mine][:, :length]
            mask = sequences.mask[mine][:, :length]
            steps: list[Tensor] = []
            read = self.readers[k](x[members], steps)
            out = out.index_add(0, members[mask], read[mask].to(out.dtype))
            step[members[mask]] = steps[0][mask].to(step.dtype)
            poll()
        return out * _gate(score), step

    def _after(
        self, x: Tensor, answer: Tensor, valid: Tensor | None, places: Tensor | None
    ) -> Tensor:
        if not self.settings.raster:
            return answer
        pixels = torch.arange(len(x), device=x.device)
        if valid is not None and bool(valid.any()):
            pixels = pixels[valid]
        order = line_by_line(places, pixels)
        read = self.lines((x + answer)[order][None])[0]
        return answer.index_add(0, order, read.to(answer.dtype))

    def _loss(
        self,
        features: Tensor,
        membership: Tensor,
        held: tuple[Tensor, ...],
        valid: Tensor | None,
    ) -> Tensor:
        return self.clusters.loss(held[1], held[0], valid)


BRANCHES = {"ours": SpatialBranch, "a": LearnedCentres, "b": SeededPrior}


def _gate(score: Tensor) -> Tensor:
    """Return a factor about 1 a pixel, shape (pixels, 1).

    Which pixels are read, and when, has no gradient; this has.
    """
    spread = score.std(unbiased=False) + 1e-6
    return (1 + torch.tanh((score - score.mean()) / spread))[:, None]


def _usable(score: Tensor, valid: Tensor | None) -> Tensor:
    out = score.detach().clone()
    if valid is not None:
        out[~valid] = -torch.inf
    return out


def _over_pixels(values: Tensor, valid: Tensor | None) -> Tensor:
    """Return a softmax over pixels with data, times their number: 1 on average."""
    if valid is None or not bool(valid.any()):
        return torch.softmax(values.float(), dim=0) * len(values)
    masked = values.float().masked_fill(~valid, -torch.inf)
    return torch.softmax(masked, dim=0) * valid.sum()


def _place_within(groups: Tensor) -> Tensor:
    """Return how many of the same group stand before each element."""
    order = groups.argsort(stable=True)
    count = torch.bincount(groups)
    start = count.cumsum(0) - count
    place = torch.empty_like(groups)
    place[order] = torch.arange(len(groups), device=groups.device) - start[groups[order]]
    return place
