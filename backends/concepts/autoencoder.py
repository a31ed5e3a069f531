"""A nested sparse autoencoder: features as sums of a few directions, coarse ones first.

Source: Insight, arXiv 2601.13798 (Matryoshka BatchTopK). With features x (d), directions
D (F × d, rows of unit length): a = ReLU((x − b) W + c), x̂ = a D + b. In training only the
k·B largest activations of a batch of B stay. The F concepts stand in groups; each run of
groups from the first must rebuild x by itself, so that the first groups become coarse.

Anywhere else a threshold, estimated in training, decides: what a patch shows must not depend
on its neighbours in a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.concepts.codes import Codes, Floats, from_dense, joined
from backends.errors import BadInput, WrongUse

# Shares of the groups as published, for 8,192 concepts of 512 features.
PUBLISHED_FRACTIONS = (0.008, 0.03, 0.06, 0.12, 0.24, 0.542)
# For a few thousand images: four groups.
SMALL_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 9 / 16)
LEVELS = ("coarse", "medium", "fine")
_ROWS = 8192


@dataclass(frozen=True)
class Sizes:
    """How large an autoencoder is.

    Attributes
    ----------
    features : int
        d.
    concepts : int
        F.
    active : int
        k, concepts that are on in a patch, on average.
    fractions : tuple of float
        Shares of the groups, coarse first; they sum to 1.
    """

    features: int
    concepts: int
    active: int = 8
    fractions: tuple[float, ...] = SMALL_FRACTIONS

    def __post_init__(self) -> None:
        if self.features < 1 or self.concepts < len(self.fractions):
            raise WrongUse(
                f"{self.concepts} concepts are too few for {len(self.fractions)} groups.",
                way_out="Ask for more concepts.",
            )
        if not 1 <= self.active <= self.concepts:
            raise WrongUse(f"{self.active} of {self.concepts} concepts cannot be on.")
        if abs(sum(self.fractions) - 1) > 1e-6 or min(self.fractions) <= 0:
            raise WrongUse("The shares of the groups must be above 0 and sum to 1.")

    @property
    def groups(self) -> tuple[int, ...]:
        """Sizes of the groups: shares rounded down, the last takes the rest."""
        sizes = [max(1, int(share * self.concepts)) for share in self.fractions[:-1]]
        return (*sizes, self.concepts - sum(sizes))

    @property
    def prefixes(self) -> tuple[int, ...]:
        """Where the groups end."""
        return tuple(int(n) for n in np.cumsum(self.groups))

    def group_of(self, concept: int) -> int:
        """Return the group of a concept, from 0."""
        return int(np.searchsorted(self.prefixes, concept, side="right"))

    def level_of(self, concept: int) -> str:
        """Return ``"coarse"``, ``"medium"`` or ``"fine"``: the groups in three equal runs."""
        return LEVELS[self.group_of(concept) * 3 // max(3, len(self.groups))]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "features": self.features, "concepts": self.concepts, "active": self.active,
            "fractions": list(self.fractions),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scaling:
    """How features are brought to the autoencoder: (x − mean) / length.

    Attributes
    ----------
    mean : float32 array of shape (d,)
    length : float
        Root of the mean squared length of what is left, so that it becomes 1.
    """

    mean: Floats
    length: float

    @classmethod
    def of(cls, features: NDArray[Any]) -> Scaling:
        """Measure it on features of shape (n, d)."""
        values = np.asarray(features, np.float64)
        if not np.isfinite(values).all():
            raise BadInput("The features hold values that are no numbers.")
        mean = values.mean(0)
        length = float(np.sqrt(np.square(values - mean).sum(1).mean()))
        if length <= 0:
            raise BadInput(
                "All features are equal; there is nothing to find in them.",
                way_out="Give images that differ.",
            )
        return cls(mean.astype(np.float32), length)

    def apply(self, features: NDArray[Any]) -> Floats:
        """Return scaled features."""
        return np.asarray((features - self.mean) / np.float32(self.length), np.float32)

    def undo(self, scaled: NDArray[Any]) -> Floats:
        """Return features in their own units."""
        return np.asarray(scaled * np.float32(self.length) + self.mean, np.float32)


@dataclass
class Quality:
    """How well concepts stand for features.

    Attributes
    ----------
    fvu : float
        Fraction of variance unexplained, mean squared error over variance.
    l0 : float
        Concepts on, a patch.
    dead : float
        Share of the concepts that were never on.
    tokens : int
        Measured on so many patches.
    fvu_of_prefix : tuple of float
        With the groups up to each.
    """

    fvu: float
    l0: float
    dead: float
    tokens: int
    fvu_of_prefix: tuple[float, ...] = field(default=())

    @property
    def sentence(self) -> str:
        """For people."""
        share = f"{100 * (1 - self.fvu):.0f} %" if self.fvu < 1 else "Nothing"
        words = f"{share} of the variance explained by {self.l0:.1f} concepts"
        return words + (": concepts explain little here" if self.fvu > 0.5 else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "fvu": self.fvu, "l0": self.l0, "dead": self.dead, "tokens": self.tokens,
            "fvu_of_prefix": list(self.fvu_of_prefix),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Quality:
        """Rebuild from `to_dict`."""
        return cls(
            float(values["fvu"]), float(values["l0"]), float(values["dead"]),
            int(values["tokens"]), tuple(map(float, values["fvu_of_prefix"])),
        )  # fmt: skip


class NestedAutoencoder(nn.Module):
    """The autoencoder; see the module.

    Parameters
    ----------
    sizes : Sizes
    seed : int
        Of the first directions.

    Attributes
    ----------
    directions : parameter of shape (concepts, d)
        Unit length.
    encode_weight, encode_bias : parameters of shape (d, concepts), (concepts,)
    offset : parameter of shape (d,)
        b.
    threshold : buffer, one number
        What an activation must exceed outside training.
    """

    threshold: Tensor

    def __init__(self, sizes: Sizes, seed: int = 0) -> None:
        super().__init__()
        self.sizes = sizes
        generator = torch.Generator().manual_seed(seed)
        first = torch.randn(sizes.concepts, sizes.features, generator=generator)
        first /= first.norm(dim=1, keepdim=True)
        self.directions = nn.Parameter(first)
        self.encode_weight = nn.Parameter(first.t().contiguous().clone())
        self.encode_bias = nn.Parameter(torch.zeros(sizes.concepts))
        self.offset = nn.Parameter(torch.zeros(sizes.features))
        self.register_buffer("threshold", torch.zeros(()))

    def activations(self, x: Tensor) -> Tensor:
        """Return activations before anything is switched off, (n, concepts), ≥ 0."""
        return torch.relu((x - self.offset) @ self.encode_weight + self.encode_bias)

    def batch_top(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the k·B largest of a batch; return them and the smallest that stayed."""
        count = min(self.sizes.active * len(activations), activations.numel())
        flat = activations.flatten()
        values, places = flat.topk(count, sorted=False)
        kept = torch.zeros_like(flat).scatter(0, places, values).view_as(activations)
        positive = values.detach()[values.detach() > 0]
        least = positive.min() if positive.numel() else values.new_zeros(())
        return kept, least

    def prefix_decodings(self, activations: Tensor) -> Iterator[Tensor]:
        """Yield x̂ with the groups up to each, (n, d)."""
        total, low = self.offset, 0
        for high in self.sizes.prefixes:
            total = total + activations[:, low:high] @ self.directions[low:high]
            low = high
            yield total

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of scaled features, (n, concepts): independent of the batch."""
        found = self.activations(x)
        return found * (found > self.threshold)

    def decode(self, codes: Tensor) -> Tensor:
        """Return scaled features."""
        return codes @ self.directions + self.offset

    def keep_unit_rows(self) -> None:
        """Bring the directions back to unit length."""
        with torch.no_grad():
            self.directions /= self.directions.norm(dim=1, keepdim=True).clamp_min(1e-8)

    def drop_radial_gradient(self) -> None:
        """Take from the directions' gradient what would only change their length."""
        gradient = self.directions.grad
        if gradient is not None:
            with torch.no_grad():
                along = (gradient * self.directions).sum(1, keepdim=True)
                gradient -= along * self.directions


def codes_of(
    network: NestedAutoencoder,
    scaled: NDArray[Any],
    *,
    grid: tuple[int, int] | None = None,
    most: int = 0,
) -> Codes:
    """Return the sparse codes of scaled features of shape (n, d).

    Parameters
    ----------
    most : int
        Keep no more than so many a token, the strongest; 0 keeps all. It bounds memory and
        looks at the token alone.
    """
    device = network.directions.device
    parts: list[Codes] = []
    # Rows in blocks of one size: a product of matrices may round otherwise by its size.
    for low in range(0, max(1, len(scaled)), _ROWS):
        rows = torch.from_numpy(np.ascontiguousarray(scaled[low : low + _ROWS], np.float32))
        with torch.no_grad():
            found = network.encode(rows.to(device))
        if most and most < found.shape[1]:
            values, places = found.topk(most, dim=1)
            found = torch.zeros_like(found).scatter(1, places, values)
        parts.append(from_dense(found.cpu().numpy()))
    made = parts[0] if len(parts) == 1 else joined(parts)
    return made if grid is None else made.with_grid(*grid)


def measure(network: NestedAutoencoder, scaled: NDArray[Any]) -> Quality:
    """Measure quality on scaled features of shape (n, d), as codes are used: by threshold."""
    device = network.directions.device
    mean = scaled.mean(0, dtype=np.float64)
    error = np.zeros(len(network.sizes.groups))
    variance = active = 0.0
    alive = torch.zeros(network.sizes.concepts, dtype=torch.bool, device=device)
    for low in range(0, len(scaled), _ROWS):
        rows = np.ascontiguousarray(scaled[low : low + _ROWS], np.float32)
        variance += float(np.square(rows - mean).sum())
        x = torch.from_numpy(rows).to(device)
        with torch.no_grad():
            codes = network.encode(x)
            active += float((codes > 0).sum())
            alive |= (codes > 0).any(0)
            for number, made in enumerate(network.prefix_decodings(codes)):
                error[number] += float((x - made).square().sum())
    count = max(1, len(scaled))
    fvu = error / max(variance, 1e-12)
    return Quality(
        float(fvu[-1]), active / count, float(1 - alive.float().mean()), count, tuple(fvu.tolist())
    )


def stability(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return how alike two dictionaries are: mean cosine of each direction's best match.

    Two seeds give different dictionaries; this says how different.
    """
    best: Sequence[float] = (first @ second.T).max(1).tolist()
    return float(np.mean(best))
