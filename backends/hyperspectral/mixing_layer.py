"""One layer of the white-box network: a site that reads pixels and spectrum, and a plain one.

After ES-mHC (Zhu et al., arXiv 2601.15757); see `es_mhc` for what of it is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from backends.hyperspectral.css_settings import BlockRecord
from backends.hyperspectral.hyper_connection import (
    HyperConnection,
    Mixing,
    RMSNorm,
    mix_streams,
    read_streams,
    write_streams,
)
from backends.hyperspectral.pixel_clusters import LearnableClusters, cluster_loss
from backends.hyperspectral.selective_scan import Mamba
from backends.hyperspectral.token_lists import (
    Partition,
    TokenLists,
    partition_lists,
    rank_lists,
)

if TYPE_CHECKING:
    from backends.hyperspectral.es_mhc import NetworkSettings

LISTS_AT_ONCE = 16


@dataclass
class HyperRecord:
    """What one site did, for the viewer.

    Attributes
    ----------
    layer : int
        From 1.
    site : str
        ``"mixer"`` or ``"ffn"``.
    static : Mixing
        Without looking at a pixel; shapes (n,), (n, n), (n,).
    mixing : Mixing
    lists : BlockRecord, optional
        The lists of a mixer site, where they are a partition.
    """

    layer: int
    site: str
    static: Mixing
    mixing: Mixing
    lists: BlockRecord | None = None


class Layer(nn.Module):
    """Mixer site (spectral and spatial scan) and feed-forward site.

    Parameters
    ----------
    number : int
        From 1.
    streams, width : int
        n and d.
    lists : int
        Kinds of token lists: n * n entries, or clusters.
    settings : NetworkSettings

    Attributes
    ----------
    list_loss : tensor or None
        How little the clusters of the last pass hold together, where lists are clusters.
    """

    def __init__(
        self, number: int, streams: int, width: int, lists: int, settings: NetworkSettings
    ) -> None:
        super().__init__()
        n, s = streams, settings
        self.number, self.streams, self.settings = number, n, settings
        self.mixer_site = HyperConnection(n, width, gain=s.res_gain, dynamic=s.dynamic)
        self.mixer_norm = RMSNorm(width)
        self.spectral = Mamba(width // n, s.d_state)
        self.spatial: nn.Module
        if s.list_scans == "own":
            self.spatial = nn.ModuleList(Mamba(width, s.d_state) for _ in range(lists))
        else:
            self.spatial = Mamba(width, s.d_state)
        self.list_code = nn.Parameter(torch.zeros(lists, width))
        nn.init.trunc_normal_(self.list_code, std=0.02)
        self.ffn_site = HyperConnection(n, width, gain=s.res_gain, dynamic=s.dynamic)
        self.ffn_norm = RMSNorm(width)
        self.ffn = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        # Last, so that the others begin with the same weights whatever the lists are.
        self.clusters = LearnableClusters(width, lists) if s.cluster_source == "lcm" else None
        self.list_loss: Tensor | None = None
        self._seen: tuple[Tensor, Tensor] | None = None

    def forward(
        self, streams: Tensor, valid: Tensor | None, poll: Callable[[], None]
    ) -> tuple[Tensor, list[HyperRecord]]:
        """Return the next streams, and what both sites did."""
        drop = self.settings.dropout if self.training else 0.0
        first = self.mixer_site.weights(streams)
        poll()
        seen = self.mixer_norm(read_streams(streams, first))
        tokens = seen.view(seen.shape[0], self.streams, -1)
        spectral = self.spectral(tokens).reshape(seen.shape)
        poll()
        spatial, record = self._along_lists(spectral, first, valid, poll)
        answer = spectral + spatial
        streams = write_streams(mix_streams(streams, first), first, answer, drop)
        poll()
        second = self.ffn_site.weights(streams)
        answer = self.ffn(self.ffn_norm(read_streams(streams, second)))
        streams = write_streams(mix_streams(streams, second), second, answer, drop)
        return streams, [
            HyperRecord(self.number, "mixer", self.mixer_site.static_weights(), first, record),
            HyperRecord(self.number, "ffn", self.ffn_site.static_weights(), second),
        ]

    def revive(self) -> None:
        """Begin clusters anew that hold almost no pixels; called after a step."""
        if self.clusters is not None and self._seen is not None:
            self.clusters.revive(*self._seen)
            self._seen = None

    def _along_lists(
        self, values: Tensor, mixing: Mixing, valid: Tensor | None, poll: Callable[[], None]
    ) -> tuple[Tensor, BlockRecord | None]:
        """Scan the pixels along their lists; mean over the lists of a pixel, 0 in none."""
        s = self.settings
        if self.clusters is None:
            order = mixing.mix if mixing.order is None else mixing.order
            lists = rank_lists(order, s.list_share, s.list_length, valid=valid)
            return lists.spread(self._scan(values, lists, poll), len(values)), None
        membership = self.clusters(values)
        if self.training:
            self._seen = values.detach(), membership.detach()
        self.list_loss = cluster_loss(values, membership)
        found = partition_lists(membership, s.list_length, valid=valid)
        steps: list[Tensor] = []
        answer = found.lists.spread(self._scan(values, found.lists, poll, steps), len(values))
        return answer * found.gate(), self._record(found, membership, steps, valid)

    def _scan(
        self,
        values: Tensor,
        lists: TokenLists,
        poll: Callable[[], None],
        steps: list[Tensor] | None = None,
    ) -> Tensor:
        """Return what the scans say, shape (lists, length, d); step sizes are added to a list."""
        tokens = values[lists.members] + self.list_code[lists.codes][:, None, :]
        # Without a gradient a few lists at a time: bounded memory, and a chance to stop.
        most = len(tokens) if torch.is_grad_enabled() else LISTS_AT_ONCE
        if isinstance(self.spatial, Mamba):
            parts = []
            for part in tokens.split(most):
                poll()
                parts.append(self.spatial(part, steps))
            return torch.cat(parts) if len(parts) > 1 else parts[0]
        assert isinstance(self.spatial, nn.ModuleList)
        # Lists come sorted by what they belong to, and each of these has a scan of its own.
        held = torch.bincount(lists.codes, minlength=len(self.spatial)).tolist()
        parts = []
        for scan, mine in zip(self.spatial, tokens.split(held), strict=True):
            for part in mine.split(most):
                poll()
                if len(part):
                    parts.append(scan(part, steps))
        return torch.cat(parts)

    def _record(
        self, found: Partition, membership: Tensor, steps: list[Tensor], valid: Tensor | None
    ) -> BlockRecord:
        assert self.clusters is not None
        assert found.lists.mask is not None
        step = membership.new_zeros(len(membership))
        step[found.lists.members[found.lists.mask]] = torch.cat(steps)[found.lists.mask]
        return BlockRecord(
            membership=membership.detach(),
            hard=found.hard,
            score=found.score.detach(),
            attention=torch.zeros_like(step),  # lists here are ordered by membership alone
            typical=found.score.detach(),
            share=0.0,
            rank=found.rank,
            step=step,
            fusion=torch.tensor([0.5, 0.5]),  # both are added as they are
            temperature=float(self.clusters.temperature.detach()),
            sequence=found.sequence,
            valid=valid,
        )
