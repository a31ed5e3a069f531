"""The white-box network: parts of the spectrum as streams, mixed by matrices one can read.

Our own build after the description of ES-mHC (Zhu et al., "White-Box mHC", arXiv
2601.15757, 2026); the paper's full text was not available, so widths, the shared
spatial block and everything under "reconstruction" in the model card are ours.
No code was taken from its authors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.errors import WrongUse
from backends.hyperspectral.groups import BandGroups
from backends.hyperspectral.hyper_connection import HyperConnection, RMSNorm
from backends.hyperspectral.mixing_layer import HyperRecord, Layer
from backends.hyperspectral.networks import (
    LARGEST_STATES,
    LARGEST_WIDTH,
    MOST_LAYERS,
    Arrays,
    Known,
    PixelNetwork,
    go_on,
)
from backends.hyperspectral.spectral_front import SpectralFront, disagreement, whitening_of
from backends.hyperspectral.token_lists import SCANS, SOURCES

# d = 320 and 6 layers, as in the source (width 64 a stream for 5 streams): a GPU's work. With
# ``list_scans="own"`` as there, too, it has 110 million weights instead of 11.
FULL_WIDTH: Mapping[str, Any] = {"width_per_stream": 64, "layers": 6, "d_state": 16}
MOST_LISTS = 1024


@dataclass(frozen=True)
class NetworkSettings:
    """Size and choices of the network.

    Attributes
    ----------
    width_per_stream : int
        Width d = this times the number of streams, rounded up to a multiple of 4.
    layers : int
        Each has a mixer site and a feed-forward site.
    d_state : int
        States of the selective scan.
    dropout : float
    res_gain : float
        See `HyperConnection`.
    dynamic : float
        First scale of the pixel-dependent part; 0.1 as the source declares it (its code then
        overwrites it with 0.01).
    list_share : float
        Part of the pixels in each of the n * n lists.
    list_length : int
        Longer lists are dealt out, by rank in turn, to several of at most this length: one
        scan never grows with the scene, and sees what it saw in training.
    context : int
        Side of the square whose mean spectrum joins the pixel's own (1 = none, as in the
        source; odd; 0 = what suits the training pixels).
    groups : str
        Own groups, e.g. ``"VNIR:400-1000;SWIR:1000-2500"``; see `groups.parse_groups`.
    full : bool
        Begin with a stream of all bands.
    expansion : int
        Streams a group, each with an embedding of its own (the expansion rate).
    snapshots : int
        How often a training keeps what the matrices are; 0 = never.
    position : bool
        Add a code of row and column to the first stream, as in the source. It lets the
        network learn places by heart, so it is off here unless asked for.
    components : int
        At most this many of the whitened spectra feed each stream, see `SpectralFront`; 0
        feeds stretched bands as in the source and lets the network stand alone.
    agreement : float
        Weight of the loss that keeps the network near what the spectrum alone says.
    cluster_source : str
        Where the token lists come from: ``"hres"``, one for each entry of the matrix, as in
        the source; ``"lcm"``, a learned partition of the pixels as in CSSMamba.
    clusters : int
        Of that partition; 0 takes twice the classes, 8 to 64.
    cluster_weight : float
        Of its loss.
    list_scans : str
        ``"shared"``: one spatial scan for all lists, told apart by a learned code; ``"own"``:
        one for each, as in the source.
    """

    width_per_stream: int = 8
    layers: int = 2
    d_state: int = 8
    dropout: float = 0.1
    res_gain: float = 1.0
    dynamic: float = 0.1
    list_share: float = 0.1
    list_length: int = 512
    context: int = 0
    groups: str = ""
    full: bool = True
    expansion: int = 1
    snapshots: int = 10
    position: bool = False
    components: int = 50
    agreement: float = 1.0
    cluster_source: str = "hres"
    clusters: int = 0
    cluster_weight: float = 0.1
    list_scans: str = "shared"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class EsMhc(PixelNetwork):
    """The network.

    Parameters
    ----------
    groups : BandGroups
        Streams.
    classes : int
    settings : NetworkSettings
    """

    def __init__(self, groups: BandGroups, classes: int, settings: NetworkSettings) -> None:
        super().__init__()
        n = len(groups)
        lists = _lists(settings, n, classes)
        self.settings = settings
        self.group_names = groups.names
        self.context, self.position = settings.context, settings.position
        self.width = network_width(n, settings.width_per_stream)
        self.group_index = [torch.from_numpy(m) for m in groups.members]
        per_band = 2 if settings.context > 1 else 1
        most = settings.components
        read = [min(most, len(m)) if most else len(m) for m in groups.members]
        self.fronts: nn.ModuleList | None = None
        self.front: SpectralFront | None = None
        if most:
            self.fronts = nn.ModuleList(
                SpectralFront(len(m), count, classes)
                for m, count in zip(groups.members, read, strict=True)
            )
            bands = len(np.unique(np.concatenate(groups.members)))
            self.front = SpectralFront(bands, min(most, bands), classes)
        self.embed = nn.ModuleList(nn.Linear(per_band * count, self.width) for count in read)
        self.layers = nn.ModuleList(
            Layer(number, n, self.width, lists, settings)
            for number in range(1, settings.layers + 1)
        )
        # With a plain mean over streams, as in the source, the last mixing matrix has no
        # effect: its rows sum to one. Learned weights give it one.
        self.collapse = nn.Parameter(torch.full((n, self.width), 1.0 / n))
        self.norm = RMSNorm(self.width)
        self.head_in = nn.Linear(self.width, 2 * self.width)
        # A pixel at a time: over the image, as in the source, a tile's answer would depend
        # on what else lies in the tile.
        self.head_norm = nn.GroupNorm(n, 2 * self.width)
        self.head_out = nn.Linear(2 * self.width, classes)

    def sites(self) -> dict[tuple[int, str], HyperConnection]:
        """Return every hyper-connection by layer (from 1) and site, in order."""
        found: dict[tuple[int, str], HyperConnection] = {}
        for number, layer in enumerate(self.layers, start=1):
            assert isinstance(layer, Layer)
            found[number, "mixer"] = layer.mixer_site
            found[number, "ffn"] = layer.ffn_site
        return found

    def forward(
        self,
        spectra: Tensor,
        *,
        around: Tensor | None = None,
        places: Tensor | None = None,
        valid: Tensor | None = None,
        record: bool = False,
        poll: Callable[[], None] = go_on,
    ) -> tuple[Tensor, list[HyperRecord]]:
        """Classify a set of pixels together.

        Parameters
        ----------
        spectra : tensor of shape (pixels, bands)
            Stretched to 0..1.
        around : tensor like ``spectra``, optional
            Mean spectra of the squares around the pixels; needed when ``context > 1``.
        places : tensor of shape (pixels, 2), optional
            Row and column, 0 to 1 over the scene; needed when ``position``.
        valid : bool tensor of shape (pixels,), optional
            Pixels with data; others are in no list.
        record : bool
            Also return what every site did.
        poll : callable
            Called several times a second; may raise to stop.

        Returns
        -------
        logits : tensor of shape (pixels, classes)
        records : list of HyperRecord
            Two a layer, empty unless asked for.
        """
        streams = self._streams(spectra, around, places)
        records: list[HyperRecord] = []
        losses: list[Tensor] = []
        for layer in self.layers:
            streams, sites = layer(streams, valid, poll)
            poll()
            if record:
                records += sites
            if layer.list_loss is not None:
                losses.append(layer.list_loss)
        hidden = self.head_in(self.norm((streams * self.collapse).sum(1)))
        logits = self.head_out(functional.silu(self.head_norm(hidden)))
        if self.front is not None:
            spectral = self.front.logits(self.front(spectra if around is None else around))
            logits = logits + spectral
            self.extra_loss = self.settings.agreement * disagreement(logits, spectral)
        if losses:
            spare = logits.new_zeros(()) if self.front is None else self.extra_loss
            self.extra_loss = spare + self.settings.cluster_weight * torch.stack(losses).mean()
        return logits, records

    def after_step(self) -> None:
        """Revive dead clusters, where there are any."""
        for layer in self.layers:
            assert isinstance(layer, Layer)
            layer.revive()

    def prepare(self, known: Known) -> None:
        """Fit the fronts; from then on the network begins with what the spectrum alone says."""
        if self.front is None or self.fronts is None:
            return
        self.front.take(whitening_of(known, self.front))
        for index, front in zip(self.group_index, self.fronts, strict=True):
            assert isinstance(front, SpectralFront)
            front.take(whitening_of(known, front, index.numpy()))
        nn.init.zeros_(self.head_out.weight)
        nn.init.zeros_(self.head_out.bias)

    def _streams(self, spectra: Tensor, around: Tensor | None, places: Tensor | None) -> Tensor:
        """Return the first streams, shape (pixels, n, d)."""
        if self.settings.context > 1 and around is None:
            raise ValueError("context > 1 needs the spectra around")
        read = [spectra] if around is None else [spectra, around]
        made = []
        for number, (index, embed) in enumerate(zip(self.group_index, self.embed, strict=True)):
            parts = [part[:, index.to(part.device)] for part in read]
            if self.fronts is None:
                parts = [2 * part - 1 for part in parts]
            else:
                parts = [self.fronts[number](part) for part in parts]
            made.append(embed(torch.cat(parts, dim=1)))
        if self.settings.position:
            if places is None:
                raise ValueError("position needs the places")
            made[0] = made[0] + position_code(places, self.width)
        streams = torch.stack(made, dim=1)
        drop = self.settings.dropout
        return functional.dropout(streams, drop, training=self.training)


def rebuilt(
    settings: NetworkSettings,
    about: Mapping[str, Any],
    arrays: Arrays,
    bands: int,
    classes: int,
) -> EsMhc:
    """Build the network of a checkpoint; its sizes are checked against the arrays first.

    Raises
    ------
    ValueError, KeyError, TypeError
        They do not fit each other.
    """
    members = tuple(np.asarray(m, np.int64) for m in about["members"])
    if len(members) < 2 or any(m.min() < 0 or m.max() >= bands for m in members):
        raise ValueError("groups")
    rows, _ = arrays["head_in.weight"].shape
    layers, states = settings.layers, settings.d_state
    if not (0 < layers <= MOST_LAYERS and 0 < states <= LARGEST_STATES and rows <= LARGEST_WIDTH):
        raise ValueError("settings")
    if settings.width_per_stream * len(members) > rows:
        raise ValueError("width")
    lists = arrays["layers.0.list_code"].shape[0]
    if lists > MOST_LISTS:
        raise ValueError("lists")
    groups = BandGroups(tuple(map(str, about["names"])), members, str(about["note"]))
    # Checkpoints from before there was a front have none.
    read = arrays["front.weight"].shape[1] if "front.weight" in arrays else 0
    kept = replace(settings, components=read)
    if settings.cluster_source == "lcm":
        kept = replace(kept, clusters=lists)
    return EsMhc(groups, classes, kept)


def _lists(settings: NetworkSettings, streams: int, classes: int) -> int:
    """Return how many kinds of token lists there are."""
    for name, known in (("cluster_source", SOURCES), ("list_scans", SCANS)):
        if getattr(settings, name) not in known:
            raise WrongUse(
                f"The setting {name} cannot be {getattr(settings, name)}.",
                way_out=f"Use one of: {', '.join(known)}.",
            )
    if settings.cluster_source == "hres":
        return streams * streams
    if not 0 <= settings.clusters <= MOST_LISTS:
        raise WrongUse(f"The setting clusters must be 0 to {MOST_LISTS}.")
    return settings.clusters or min(64, max(8, 2 * classes))


def network_width(streams: int, per_stream: int) -> int:
    """Return the width: a multiple of the streams (tokens) and of 4 (position code)."""
    step = math.lcm(streams, 4)
    return max(1, math.ceil(streams * per_stream / step)) * step


def position_code(places: Tensor, width: int) -> Tensor:
    """Return the sinusoidal code of rows and columns, shape (pixels, width)."""
    quarter = width // 4
    steps = torch.arange(quarter, device=places.device, dtype=places.dtype)
    speed = 100.0 * torch.exp(-steps * (math.log(1000.0) / max(1, quarter)))
    angle = places[:, :, None] * speed  # (pixels, 2, quarter)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(1)
