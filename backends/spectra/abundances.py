"""How much of each endmember a pixel holds: linear unmixing under constraints.

Everything happens in the small space of endmembers: one matrix product a strip, then
K × K systems: every set of endmembers tried where there are few, an active set where
there are many. Both are exact.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.scene import Scene
from backends.spectra import on_gpu
from backends.spectra.pixels import Floats, cached, strips

if TYPE_CHECKING:
    from backends.jobs import Progress

Doubles = NDArray[np.float64]
_ENUMERATED = 7  # endmembers; 127 sets
_TOGETHER = 8192  # pixels
_OF_ALL_SETS = 1 << 18  # shares that are tried at once


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
        few = len(ends) <= _ENUMERATED
        self._sets = _Sets(self._gram) if few else None

    def __call__(self, values: Floats) -> tuple[Floats, Floats]:
        """Return abundances (pixels, endmembers) and RMS residuals (pixels,), float32."""
        shares = np.empty((len(values), len(self.endmembers)), np.float32)
        residual = np.empty(len(values), np.float32)
        for at in cached(values):
            centred = values[at] - self._origin.astype(np.float32)
            own = np.einsum("ij,ij->i", centred, centred).astype(np.float64)
            # In float64: shares of endmembers that are nearly alike hang on the last digits.
            along = centred.astype(np.float64) @ self._shifted.T
            found = self._stepped(along) if self._sets is None else self._sets.best(along)
            error = own - ((2 * along - found @ self._gram) * found).sum(axis=1)
            shares[at] = found
            residual[at] = np.sqrt(np.maximum(error, 0) / values.shape[1])
        return shares, residual

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


class _Sets:
    """Every set of endmembers, solved for all pixels by one product.

    With the sum alone as constraint the shares of a set are ``along @ A + b``, and so is the
    multiplier of the sum, which gives the error without another product.

    Parameters
    ----------
    gram : float64 array of shape (endmembers, endmembers)
    """

    def __init__(self, gram: Doubles) -> None:
        count = len(gram)
        self.scale = max(float(np.diag(gram).max()), 1e-300)
        sets = [s for n in range(count, 0, -1) for s in itertools.combinations(range(count), n)]
        lengths = [len(s) for s in sets]
        self.members = np.concatenate([np.asarray(s) for s in sets])
        starts = np.cumsum([0, *lengths[:-1]])
        self.sizes = [(n, lengths.count(n)) for n in range(count, 0, -1)]
        width = len(self.members)
        # Shares of every set, then the sets' multipliers, then a row of zeros.
        self.weights = np.zeros((width + len(sets) + 1, count))
        self.offset = np.zeros((len(self.weights), 1))
        self.row_of = np.full((len(sets), count), -1)
        for i, (chosen, first) in enumerate(zip(sets, starts, strict=True)):
            n = len(chosen)
            at = slice(first, first + n)
            system = np.ones((n + 1, n + 1))
            system[:n, :n], system[n, n] = gram[np.ix_(chosen, chosen)] / self.scale, 0
            inverse = np.linalg.inv(system)
            self.weights[at, list(chosen)] = inverse[:n, :n]
            self.weights[width + i, list(chosen)] = inverse[n, :n]
            self.row_of[i, list(chosen)] = np.arange(at.start, at.stop)
            self.offset[at, 0], self.offset[width + i, 0] = inverse[:n, n], inverse[n, n]

    def best(self, along: Doubles) -> Doubles:
        """Return the shares of least error that are all ≥ 0, float64 (pixels, endmembers)."""
        turned, whole = along.T / self.scale, slice(0, along.shape[1])
        out = self.weights[whole] @ turned + self.offset[whole]
        # A solution inside the simplex is the solution: convex.
        rest = np.flatnonzero(out.min(axis=0) < 0)
        step = max(64, _OF_ALL_SETS // len(self.offset))
        for low in range(0, rest.size, step):
            at = rest[low : low + step]
            out[:, at] = self._tried(turned[:, at])
        return out.T

    def _tried(self, along: Doubles) -> Doubles:
        width = len(self.members)
        found = self.weights @ along
        found += self.offset
        shares, level = found[:width], found[width:-1]
        # x'Gx - 2x'a, with Gx = a - level and the shares adding up to 1; its opposite.
        gain, products = level.copy(), shares * along[self.members]
        done = rows = 0
        for size, sets in self.sizes:  # sets of one size lie together
            at, of = slice(rows, rows + sets * size), slice(done, done + sets)
            part = (sets, size, -1)
            gain[of] += products[at].reshape(part).sum(axis=1)
            gain[of][shares[at].reshape(part).min(axis=1) < 0] = -np.inf
            done, rows = of.stop, at.stop
        chosen = self.row_of[gain.argmax(axis=0)].T
        return np.asarray(found[chosen, np.arange(along.shape[1])])


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
        shares[:, low : low + len(part)] = strip.empty(part.T)
        residual[low : low + len(part)] = strip.empty(error)
    return shares.reshape(count, rows, cols), residual.reshape(rows, cols)


def free_share_maps(
    scene: Scene,
    bands: tuple[int, ...],
    endmembers: NDArray[np.floating],
    *,
    progress: Progress | None = None,
) -> Floats:
    """Return least squares shares without constraints (endmembers, rows, cols), holes ``nan``."""
    inverse = np.linalg.pinv(np.asarray(endmembers, np.float64)).T.astype(np.float32)
    device = on_gpu.device_for(scene, bands)
    if device is not None:
        score = on_gpu.projection(inverse, np.zeros(len(bands)), device)
        return on_gpu.mapped(
            scene, bands, device, len(inverse), score, progress=progress, note="Unmixing"
        )
    rows, cols, _ = scene.shape
    out = np.empty((len(inverse), rows * cols), np.float32)
    for strip in strips(scene, bands, progress=progress, note="Unmixing", check=False):
        low = strip.window.row * cols
        with np.errstate(over="ignore", invalid="ignore"):
            for at in cached(strip.values):
                np.matmul(inverse, strip.values[at].T, out=out[:, low + at.start : low + at.stop])
        strip.empty(out[:, low : low + len(strip.values)])
    return out.reshape(len(inverse), rows, cols)
