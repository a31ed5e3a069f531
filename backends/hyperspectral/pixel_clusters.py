"""Learned clusters of pixels, and their order: what CSSMamba reads together, and when.

After the description of CSSMamba (Dewis et al., arXiv 2601.16098): a learnable clustering
module and attention-driven token selection. The partition with a cap, the gate that gives
the selection a gradient, and the dealing-out of long clusters are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# Clusters that hold less than this part of the pixels are begun anew.
DEAD_PART = 1e-3


@dataclass
class Sequences:
    """A partition of pixels into sequences.

    Attributes
    ----------
    members : int64 tensor of shape (sequences, longest)
        Pixel numbers in the order in which they are read; padding, at the end, is 0.
    mask : bool tensor of the same shape
        False for padding.
    cluster : int64 tensor of shape (sequences,)
    rank : float tensor of shape (pixels,)
        Place in its sequence, 0 to 1; -1 for pixels in none.
    sequence : int64 tensor of shape (pixels,)
        Its sequence, a row of ``members``; -1 for pixels in none.
    """

    members: Tensor
    mask: Tensor
    cluster: Tensor
    rank: Tensor
    sequence: Tensor


class LearnableClusters(nn.Module):
    """Memberships of pixels in clusters whose centres are learned.

    Features and centres are normalised, or distances divided by the root of their width:
    squared distances in many dimensions would saturate the softmax and leave centres dead.

    Parameters
    ----------
    width : int
        Of the features.
    clusters : int
    distances : bool
        Measure by squared distances (temperature from 1, 0.1 to 10) instead of by cosines
        (temperature from 0.1, 0.02 to 1).
    """

    def __init__(self, width: int, clusters: int, *, distances: bool = False) -> None:
        super().__init__()
        self.distances = distances
        self.centres = nn.Parameter(torch.empty(clusters, width))
        nn.init.xavier_uniform_(self.centres)
        self.confidence = nn.Parameter(torch.zeros(clusters))
        self.log_temperature = nn.Parameter(torch.tensor(0.0 if distances else math.log(0.1)))
        self._limits = (math.log(0.1), math.log(10)) if distances else (math.log(0.02), 0.0)

    @property
    def temperature(self) -> Tensor:
        """The learned temperature, within its limits."""
        return self.log_temperature.clamp(*self._limits).exp()

    def forward(self, features: Tensor) -> Tensor:
        """Return memberships, shape (pixels, clusters); rows sum to one."""
        if self.distances:
            # ||u||^2 - 2 u.m + ||m||^2, without the (pixels, clusters, width) array.
            apart = features.square().sum(1, keepdim=True) - 2 * features @ self.centres.t()
            close = -(apart + self.centres.square().sum(1)) / math.sqrt(features.shape[1])
        else:
            unit = functional.normalize(features, dim=1)
            close = unit @ functional.normalize(self.centres, dim=1).t()
        # q * softmax(close / t), normalised, is one softmax of the sum of their logarithms.
        logits = close / self.temperature + functional.log_softmax(self.confidence, dim=0)
        return torch.softmax(logits.float(), dim=1)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def begin_at(self, directions: Tensor) -> None:
        """Put the centres where pixels lie, shape (clusters, width); their length stays."""
        scale = self.centres.norm(dim=1).mean()
        self.centres.copy_(functional.normalize(directions.float(), dim=1) * scale)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def revive(self, features: Tensor, membership: Tensor) -> int:
        """Put centres that hold almost no pixels on pixels far from their own; return how many."""
        held = torch.bincount(membership.argmax(1), minlength=len(self.centres))
        dead = (held < DEAD_PART * len(features)).nonzero().flatten()
        if dead.numel() == 0 or len(features) < len(self.centres):
            return 0
        lost = membership.amax(1).topk(int(dead.numel()), largest=False).indices
        if self.distances:
            self.centres[dead] = features[lost].to(self.centres.dtype)
            return int(dead.numel())
        scale = self.centres.norm(dim=1).mean()
        self.centres[dead] = functional.normalize(features[lost].float(), dim=1) * scale
        return int(dead.numel())


def cluster_loss(features: Tensor, membership: Tensor) -> Tensor:
    """Return how little the clusters hold together and how much they resemble each other.

    ``mean_l sum_k A[l,k] ||u_l - mu_k||^2 + mean_{k != j} cos(mu_k, mu_j)`` with ``u``
    normalised and ``mu_k`` the mean of ``u`` weighted by ``A[:, k]``.
    """
    unit = functional.normalize(features.float(), dim=1)
    weight = membership.sum(0).clamp(min=1e-6)
    mean = membership.t() @ unit / weight[:, None]
    # ||u||^2 - 2 u.mu + ||mu||^2, without the (pixels, clusters, width) array.
    apart = unit.square().sum(1, keepdim=True) - 2 * unit @ mean.t() + mean.square().sum(1)
    compact = (membership * apart).sum(1).mean()
    count = membership.shape[1]
    if count < 2:
        return compact
    direction = functional.normalize(mean, dim=1)
    alike = direction @ direction.t()
    return compact + (alike.sum() - alike.diagonal().sum()) / (count * (count - 1))


def uneven_loss(membership: Tensor) -> Tensor:
    """Return how uneven the clusters are and how undecided the pixels.

    ``KL(mean_l A[l] || uniform) + mean_l H(A[l])``, which is ``log K`` less the mutual
    information of pixel and cluster (Krause, Perona and Gomes, "Discriminative Clustering by
    Regularized Information Maximization", NIPS 2010). Without it a few clusters take nearly
    all pixels, and what is over their cap is read elsewhere.
    """
    values = membership.float()
    share = values.mean(0)
    apart = (share * (share + 1e-9).log()).sum() + math.log(values.shape[1])
    undecided = -(values * (values + 1e-9).log()).sum(1).mean()
    return apart + undecided


def capped_partition(membership: Tensor, cap: int | Tensor) -> Tensor:
    """Return one cluster a pixel, none with more than its ``cap``; shape (pixels,).

    Pixels of an overfull cluster that belong to it least go to their next best that has room.

    Parameters
    ----------
    membership : tensor of shape (pixels, clusters)
    cap : int, or int64 tensor of shape (clusters,)
    """
    pixels, clusters = membership.shape
    if isinstance(cap, int):
        cap = torch.full((clusters,), cap, device=membership.device)
    if int(cap.sum()) < pixels:
        raise ValueError("the cap leaves no room for every pixel")
    wish = membership.detach().clone()
    hard = wish.argmax(1)
    for _ in range(clusters):
        held = torch.bincount(hard, minlength=clusters)
        over = (held > cap).nonzero().flatten()
        if over.numel() == 0:
            break
        for k in over.tolist():
            mine = (hard == k).nonzero().flatten()
            order = membership[mine, k].detach().argsort(descending=True, stable=True)
            wish[mine[order[cap[k] :]], k] = -1.0
        hard = wish.argmax(1)
    held = torch.bincount(hard, minlength=clusters)
    if bool((held > cap).any()):  # wishes went round in a circle: fill what has room
        for k in (held > cap).nonzero().flatten().tolist():
            spare = (hard == k).nonzero().flatten()[cap[k] :]
            for other in (held < cap).nonzero().flatten().tolist():
                take = spare[: int(cap[other]) - int(held[other])]
                hard[take] = other
                held[other] += take.numel()
                spare = spare[take.numel() :]
    return hard


def one_sequence(order: Tensor, pixels: int) -> Sequences:
    """Return one sequence of pixels in a given order.

    Parameters
    ----------
    order : int64 tensor of shape (read,)
        Numbers of the pixels, first read first.
    pixels : int
        How many there are, read or not.
    """
    rank = torch.full((pixels,), -1.0, device=order.device)
    rank[order] = torch.arange(len(order), device=order.device) / max(1, len(order) - 1)
    sequence = torch.full((pixels,), -1, dtype=torch.int64, device=order.device)
    sequence[order] = 0
    mask = torch.ones(1, len(order), dtype=torch.bool, device=order.device)
    return Sequences(order[None], mask, order.new_zeros(1), rank, sequence)


def line_by_line(places: Tensor | None, pixels: Tensor) -> Tensor:
    """Return pixels in the order of the lines of the scene, left to right.

    Parameters
    ----------
    places : tensor of shape (all, 2), optional
        Row and column; without, pixels keep the order they have.
    pixels : int64 tensor of shape (some,)
    """
    if places is None:
        return pixels
    across = pixels[places[pixels, 1].argsort(stable=True)]
    return across[places[across, 0].argsort(stable=True)]


def make_sequences(
    hard: Tensor, score: Tensor, longest: int, *, kept: Tensor | None = None
) -> Sequences:
    """Sort the pixels of each cluster by rising score: the most typical is read last.

    Parameters
    ----------
    hard : int64 tensor of shape (pixels,)
    score : tensor of shape (pixels,)
    longest : int
        Longer clusters are dealt out, by rank in turn, to several sequences.
    kept : bool tensor of shape (pixels,), optional
        Only these are read.
    """
    pixels = torch.arange(len(hard), device=hard.device)
    if kept is not None:
        pixels = pixels[kept]
    by_score = pixels[score.detach()[pixels].argsort(stable=True)]
    order = by_score[hard[by_score].argsort(stable=True)]
    of = hard[order]
    clusters = int(hard.max()) + 1
    count = torch.bincount(of, minlength=clusters)
    start = count.cumsum(0) - count
    parts = torch.div(count + longest - 1, longest, rounding_mode="floor")
    first = parts.cumsum(0) - parts
    place = torch.arange(len(order), device=hard.device) - start[of]
    row = first[of] + place % parts[of]
    column = torch.div(place, parts[of], rounding_mode="floor")
    rows, width = int(parts.sum()), int(column.max()) + 1
    members = torch.zeros(rows, width, dtype=torch.int64, device=hard.device)
    mask = torch.zeros(rows, width, dtype=torch.bool, device=hard.device)
    members[row, column], mask[row, column] = order, True
    cluster = torch.repeat_interleave(torch.arange(clusters, device=hard.device), parts)
    rank = torch.full((len(hard),), -1.0, device=hard.device)
    rank[order] = column.float() / mask.sum(1).clamp(min=2).sub(1)[row].float()
    sequence = torch.full_like(hard, -1)
    sequence[order] = row
    return Sequences(members, mask, cluster, rank, sequence)
