"""How much of each endmember a pixel holds: linear unmixing under constraints.

Everything happens in the small space of endmembers: one matrix product a strip, then
K × K systems: every set of endmembers tried where there are few, an active set where
there are many. Both are exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Scene
from backends.spectra.pixels import Floats, strips

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
_ENUMERATED = 7  # endmembers; 127 sets
_TOGETHER = 8192  # pixels


class FullyConstrained:
    """Least squares with abundances ≥ 0 that sum to 1 (Heinz and Chang 2001), exactly.

    Parameters
    ----------
    endmembers : float array of shape (endmembers, bands)

    Raises
    ------
    BadInput
        Fewer than two endmembers, more than bands + 1, or some that repeat others.
    """

    def __init__(self, endmembers: NDArray[np.floating]) -> None:
        ends = np.asarray(endmembers, np.float64)
        if len(ends) < 2:
            raise BadInput("Unmixing needs two or more endmembers.")
        if not np.isfinite(ends).all():
            raise BadInput(
                "An endmember has no value in some bands.",
                way_out="Choose bands that all of them have.",
            )
        # The constraint takes one direction away: only differences count.
        spread = np.linalg.svd(ends - ends.mean(axis=0), compute_uv=False)
        if len(ends) > ends.shape[1] + 1 or spread[len(ends) - 2] < 1e-9 * max(spread[0], 1e-300):
            raise BadInput(
                "Some endmembers are mixtures of the others, so shares cannot be told apart.",
                way_out="Take fewer endmembers, or ones that differ more.",
            )
        self.endmembers = ends
        # Measured from one endmember: small numbers, and float32 keeps their digits.
        self._origin = ends.mean(axis=0)
        self._shifted = ends - self._origin
        self._gram = self._shifted @ self._shifted.T

    def __call__(self, values: Floats) -> tuple[Floats, Floats]:
        """Return abundances (pixels, endmembers) and RMS residuals (pixels,), float32."""
        centred = (values - self._origin.astype(np.float32)).astype(np.float32)
        # In float64: shares of endmembers that are nearly alike hang on the last digits.
        along = centred.astype(np.float64) @ self._shifted.T
        own = np.einsum("ij,ij->i", centred, centred).astype(np.float64)
        few = len(self.endmembers) <= _ENUMERATED
        shares = self._enumerated(along) if few else self._stepped(along)
        error = own - 2 * np.einsum("ij,ij->i", shares, along)
        error += np.einsum("ij,jk,ik->i", shares, self._gram, shares)
        residual = np.sqrt(np.maximum(error, 0) / values.shape[1])
        return shares.astype(np.float32), residual.astype(np.float32)

    def _enumerated(self, along: Doubles) -> Doubles:
        count = along.shape[1]
        out = np.zeros_like(along)
        rows = np.arange(len(along))
        best = np.full(len(along), np.inf)
        for size in range(count, 0, -1):
            sets = list(itertools.combinations(range(count), size))
            for chosen in sets:
                shares = self._equality(along[rows][:, chosen], chosen)
                error = np.einsum("ij,jk,ik->i", shares, self._gram[np.ix_(chosen, chosen)], shares)
                error -= 2 * np.einsum("ij,ij->i", shares, along[rows][:, chosen])
                better = (shares >= 0).all(axis=1) & (error < best[rows] - 1e-15)
                at = rows[better]
                best[at] = error[better]
                out[at] = 0
                out[np.ix_(at, chosen)] = shares[better]
            if size == count:
                # A solution inside the simplex is the solution: convex.
                rows = rows[~np.isfinite(best[rows])]
                if not rows.size:
                    break
        return out

    def _equality(self, along: Doubles, chosen: Sequence[int]) -> Doubles:
        """Solve for a set of endmembers with the sum alone as constraint."""
        first, rest = chosen[0], list(chosen[1:])
        if not rest:
            return np.ones((len(along), 1))
        gram = self._gram
        # Shares of the first are what the others leave: x = e₀ + Σ sᵢ (eᵢ - e₀).
        inner = (
            gram[np.ix_(rest, rest)] - gram[rest, first][:, None] - gram[first, rest][None]
            + gram[first, first]
        )  # fmt: skip
        right = along[:, 1:] - along[:, :1] - (gram[rest, first] - gram[first, first])[None]
        others = np.linalg.solve(inner, right.T).T
        return np.concatenate([1 - others.sum(axis=1, keepdims=True), others], axis=1)

    def _stepped(self, along: Doubles) -> Doubles:
        """Walk from corner to optimum (Lawson and Hanson 1974), many pixels at once."""
        out = np.empty_like(along)
        for low in range(0, len(along), _TOGETHER):
            out[low : low + _TOGETHER] = self._walked(along[low : low + _TOGETHER])
        return out

    def _walked(self, along: Doubles) -> Doubles:
        count = along.shape[1]
        scale = max(float(np.diag(self._gram).max()), 1e-300)
        gram, along = self._gram / scale, along / scale
        first = (np.diag(gram)[None] - 2 * along).argmin(axis=1)
        shares = np.zeros_like(along)
        shares[np.arange(len(along)), first] = 1
        present = shares > 0
        todo = np.arange(len(along))
        for _ in range(12 * count):
            wanted, level = _with_equality(gram, along[todo], present[todo])
            low = np.where(present[todo], wanted, np.inf).min(axis=1) < 0
            back = todo[low]
            if back.size:
                now, goal, here = shares[back], wanted[low], present[back]
                with np.errstate(divide="ignore", invalid="ignore"):
                    part = np.where(here & (goal < 0), now / (now - goal), np.inf)
                step = part.min(axis=1, keepdims=True)
                here &= part > step
                shares[back] = np.where(here, np.maximum(now + step * (goal - now), 0), 0)
                present[back] = here
            fine = todo[~low]
            shares[fine] = np.where(present[fine], wanted[~low], 0)
            gain = along[fine] - shares[fine] @ gram - level[~low][:, None]
            gain[present[fine]] = -np.inf
            best = gain.argmax(axis=1)
            more = gain[np.arange(fine.size), best] > 1e-12
            present[fine[more], best[more]] = True
            todo = np.concatenate([back, fine[more]])
            if not todo.size:
                break
        return shares


def _with_equality(
    gram: Doubles, along: Doubles, present: NDArray[np.bool_]
) -> tuple[Doubles, Doubles]:
    """Solve each pixel for the endmembers present; return shares and the sum's multiplier."""
    pixels, count = along.shape
    system = np.zeros((pixels, count + 1, count + 1))
    both = present[:, :, None] & present[:, None, :]
    system[:, :count, :count] = np.where(both, gram[None], 0)
    corner = np.arange(count)
    system[:, corner, corner] += ~present
    system[:, :count, count] = system[:, count, :count] = present
    right = np.concatenate([np.where(present, along, 0), np.ones((pixels, 1))], axis=1)
    found = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    return found[:, :count], found[:, count]


def abundance_maps(
    scene: Scene,
    bands: tuple[int, ...],
    endmembers: NDArray[np.floating],
    *,
    progress: Progress | None = None,
) -> tuple[Floats, Floats]:
    """Return abundances (endmembers, rows, cols) and the RMS residual (rows, cols), holes ``nan``.

    Parameters
    ----------
    endmembers : float array of shape (endmembers, bands)
        In the scene's unit, on ``bands``.
    """
    solve = FullyConstrained(endmembers)
    rows, cols, _ = scene.shape
    count = len(solve.endmembers)
    shares = np.empty((count, rows * cols), np.float32)
    residual = np.empty(rows * cols, np.float32)
    for strip in strips(scene, bands, progress=progress, note="Unmixing"):
        low = strip.window.row * cols
        part, error = solve(strip.values)
        part[~strip.valid] = np.nan
        error[~strip.valid] = np.nan
        shares[:, low : low + len(part)] = part.T
        residual[low : low + len(part)] = error
    return shares.reshape(count, rows, cols), residual.reshape(rows, cols)
