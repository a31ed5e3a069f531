"""Size and choices of CSSMamba, and what each of its blocks tells the viewer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from backends.errors import WrongUse

if TYPE_CHECKING:
    from torch import Tensor

VARIANTS = ("ours", "a", "b")
SPECTRAL_ATTENTION = ("none", "channel", "self", "hybrid", "light")
SELECTIONS = ("hybrid", "cluster", "attention")
# Variant b: clusters of the first, the second and every later block.
PRIOR_CLUSTERS = (50, 30, 20)


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
        0 takes twice the classes, 8 to 64; in variant b 50, 30 and 20.
    kept : float
        Part of the pixels that the spatial scan reads; 1 is a partition of all.
    selection : str
        ``"hybrid"`` (membership and attention), ``"cluster"`` or ``"attention"``; empty takes
        ``"cluster"`` in variant b, else ``"hybrid"``.
    longest : int
        Longest sequence; longer clusters are dealt out. Variant a reads one sequence only.
    cluster_weight : float
        Of the cluster loss.
    class_clusters : bool
        Our own build: clusters begin at parts of the classes and are held even and decided.
    context : int
        Side of the square whose mean spectrum joins the pixel's own; odd, 1 = none, 0 = what
        suits the training pixels, see `whitening.choose_context`.
    components : int
        Of the whitened spectra that it reads, see `SpectralFront`; 0 reads stretched bands and
        lets the network stand alone.
    agreement : float
        Weight of the loss that keeps the network near what the spectrum alone says.
    variant : str
        How pixels are grouped and read, see `spatial_branch`: ``"ours"``, ``"a"`` (learned
        centres, one sequence of the chosen pixels) or ``"b"`` (clusters held to a prior made
        from the training pixels, a scan for each).
    raster : bool
        Variant b: read all pixels line by line after the clusters.
    spectral_attention : str
        What is added to the scan along each pixel's own features, see `SpectralBranch`.

    Raises
    ------
    WrongUse
        A variant or selection that there is not, or a part of pixels outside 0 to 1.
    """

    width: int = 32
    blocks: int = 2
    tokens: int = 4
    d_state: int = 8
    clusters: int = 0
    kept: float = 1.0
    selection: str = ""
    longest: int = 512
    cluster_weight: float = 0.1
    class_clusters: bool = False
    context: int = 0
    dropout: float = 0.1
    components: int = 50
    agreement: float = 1.0
    variant: str = "ours"
    raster: bool = True
    spectral_attention: str = "none"

    def __post_init__(self) -> None:
        if not self.selection:
            chosen = "cluster" if self.variant == "b" else "hybrid"
            object.__setattr__(self, "selection", chosen)
        for name, there in (
            ("variant", VARIANTS),
            ("selection", SELECTIONS),
            ("spectral_attention", SPECTRAL_ATTENTION),
        ):
            if getattr(self, name) not in there:
                raise WrongUse(
                    f"There is no {name} called {getattr(self, name)}.",
                    way_out=f"Use one of: {', '.join(there)}.",
                )
        if self.class_clusters and self.variant != "ours":
            raise WrongUse("class_clusters goes with variant ours only.")
        if not 0 < self.kept <= 1:
            raise WrongUse(
                f"The part of the pixels that is read must lie between 0 and 1, not {self.kept}.",
                way_out="Set kept to 0.5, for instance.",
            )
        if self.clusters < 0 or self.clusters == 1:
            raise WrongUse("Clusters must be 0 (as many as suit the classes), or 2 and more.")

    def cluster_count(self, block: int, classes: int) -> int:
        """Return the clusters of a block, from 0."""
        if self.clusters:
            return self.clusters
        if self.variant == "b":
            return PRIOR_CLUSTERS[min(block, len(PRIOR_CLUSTERS) - 1)]
        return min(64, max(8, 2 * classes))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass
class BlockRecord:
    """What one block did, for the viewer.

    Attributes
    ----------
    membership : tensor of shape (pixels, clusters)
        Rows sum to one.
    hard : int64 tensor of shape (pixels,)
        The cluster a pixel was read in.
    score : tensor of shape (pixels,)
        By which pixels were ordered or chosen.
    attention, typical : tensors of shape (pixels,)
        The two parts of the score: what attention says, and membership.
    share : float
        Weight of the attention in the score, 0 to 1.
    rank : tensor of shape (pixels,)
        Place in its sequence, 0 to 1; -1 where not read.
    sequence : int64 tensor of shape (pixels,)
        Number of its sequence, from 0; -1 where not read.
    step : tensor of shape (pixels,)
        Mean step size of the spatial scan: how much it took in.
    fusion : tensor of shape (2,)
        Weights of the spatial and the spectral branch.
    temperature : float
        Of the memberships: small is decided, large is undecided.
    kept : float
        Part of the pixels that the block was set to read.
    valid : bool tensor of shape (pixels,), optional
        Pixels with data.
    """

    membership: Tensor
    hard: Tensor
    score: Tensor
    attention: Tensor
    typical: Tensor
    share: float
    rank: Tensor
    step: Tensor
    fusion: Tensor
    temperature: float
    sequence: Tensor
    kept: float = 1.0
    valid: Tensor | None = None
