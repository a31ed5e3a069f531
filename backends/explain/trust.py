"""Measuring how far a heatmap can be trusted: all parts of its card, in one stoppable pass."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from backends.errors import WrongUse
from backends.explain import curves as curves_
from backends.explain import randomisation as randomisation_
from backends.explain import stability as stability_
from backends.explain.curves import map_for
from backends.explain.localisation import localise
from backends.explain.map_states import Explained, gini, peakedness, states
from backends.explain.perturbation import Ledger, Score, batch_for
from backends.explain.randomisation import ExplainWith
from backends.explain.road import road
from backends.explain.similarity import at_size
from backends.explain.stability import Explain
from backends.explain.trust_card import TrustCard, TrustSettings
from backends.jobs import Progress

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def assess(
    image: Tensor,
    values: NDArray[Any],
    score: Score,
    *,
    explain: Explain | None = None,
    network: Module | None = None,
    explain_with: ExplainWith | None = None,
    mask: NDArray[Any] | None = None,
    target: Explained | None = None,
    settings: TrustSettings | None = None,
    progress: Progress | None = None,
) -> TrustCard:
    """Measure how far a heatmap can be trusted.

    Parameters
    ----------
    image : float tensor of shape (bands, rows, cols)
        As the network takes it.
    values : float array of shape (rows, cols)
        The raw signed map, at its own or the image's size.
    score : callable
        Takes a batch of images, returns the target's probability, shape (n,).
    explain : callable, optional
        Takes an image, returns its map; for the stability.
    network, explain_with : torch module and callable, optional
        ``explain_with(network)`` returns the image's map; for the randomisation check.
    mask : array of shape (rows, cols) of the image, optional
    target : Explained, optional
    settings : TrustSettings, optional
    progress : Progress, optional
        Counted in forwards and maps; given partial cards as parts are done.

    Returns
    -------
    TrustCard

    Raises
    ------
    WrongUse
        Only one of ``network`` and ``explain_with`` is given.
    BadInput
        The mask does not fit, or the network's answers are no numbers.
    Cancelled
        Within one batch.
    """
    if (network is None) != (explain_with is None):
        raise WrongUse("The randomisation check needs the network and how to explain with it.")
    how, target, progress = (
        settings or TrustSettings(),
        target or Explained(),
        progress or Progress(),
    )
    how = replace(how, batch=how.batch or batch_for(image.device))
    started = time.perf_counter()
    ledger = Ledger()
    wrong = states(values, target)
    parts: dict[str, Any] = {"target": target, "settings": how, "states": wrong, "cost": ledger}

    def card() -> TrustCard:
        return TrustCard(**parts, seconds=time.perf_counter() - started)

    if any(state.id == "not_finite" for state in wrong):
        return card()
    parts |= {"peakedness": peakedness(values), "gini": gini(values)}
    if mask is not None:
        full = at_size(values, (int(image.shape[1]), int(image.shape[2])))
        parts["localisation"] = localise(full, mask)
    if any(state.fails for state in wrong):
        return card()
    progress.start(_total(how, explain, network), "looks")
    shared: dict[str, Any] = {"seed": how.seed, "progress": progress, "ledger": ledger}
    if how.curves:
        with _timed(ledger, "curves", progress, "Taking parts of the image away"):
            parts["faithfulness"] = curves_.faithfulness(
                image,
                values,
                score,
                deletion=how.deletion,
                insertion=how.insertion,
                steps=how.steps,
                maps=how.random_maps,
                random_steps=how.random_steps,
                batch=how.batch,
                **shared,
            )
        progress.partial(card(), force=True)
    if explain is not None and how.changes:
        with _timed(ledger, "stability", progress, "Changing the image a little"):
            parts["stability"] = stability_.stability(
                image,
                values,
                explain,
                kinds=how.changes,
                shift=how.shift,
                noise=how.noise,
                noises=how.noises,
                brightness=how.brightness,
                **shared,
            )
        progress.partial(card(), force=True)
    if network is not None and explain_with is not None and how.random_networks:
        with _timed(ledger, "randomisation", progress, "Drawing the weights anew"):
            parts["randomisation"] = randomisation_.randomisation(
                network,
                map_for(values, image),
                explain_with,
                shares=how.cascade,
                seeds=how.random_networks,
                **shared,
            )
        progress.partial(card(), force=True)
    if how.road:
        with _timed(ledger, "road", progress, "Filling in what is taken away"):
            parts["road"] = road(
                image, values, score, percentiles=how.percentiles, batch=how.batch, **shared
            )
    return card()


def _total(how: TrustSettings, explain: Any, network: Any) -> int:
    total = 0
    if how.curves:
        same = how.deletion == how.insertion
        total += curves_.forwards(how.steps, how.random_maps, how.random_steps, same_substrate=same)
    if explain is not None:
        total += stability_.explanations(how.changes, how.noises)
    if network is not None:
        total += how.random_networks * len(how.cascade)
    return total + (2 * len(how.percentiles) if how.road else 0)


@contextmanager
def _timed(ledger: Ledger, part: str, progress: Progress, note: str) -> Iterator[None]:
    progress.note(note)
    started = time.perf_counter()
    yield
    ledger.parts_s[part] = time.perf_counter() - started
