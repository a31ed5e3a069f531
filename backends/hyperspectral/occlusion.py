"""Does it matter? The class map with a site's matrices taken away, against the map as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.hyperspectral.checkpoints import Checkpoint
from backends.jobs import Progress
from backends.scene import Scene

if TYPE_CHECKING:
    from backends.hyperspectral.es_mhc import EsMhc

Site = tuple[int, str]
# "mix": every pixel is mixed by the scene's mean matrix, lists stay. "order": lists are
# those of other pixels' matrices, mixing stays. "both": nothing of the matrices is left.
WHAT = ("mix", "order", "both")


@dataclass(frozen=True)
class Occlusion:
    """What taking the matrices of some sites away did on test pixels.

    Attributes
    ----------
    sites : tuple of (layer, site)
    what : str
        One of `WHAT`.
    pixels : int
        Test pixels.
    before, after : float
        Overall accuracy, 0 to 1.
    changed : float
        Part of the test pixels that got another class.
    lost, won : int
        Pixels right only before, and only after.
    """

    sites: tuple[Site, ...]
    what: str
    pixels: int
    before: float
    after: float
    changed: float
    lost: int
    won: int

    @property
    def delta(self) -> float:
        """Accuracy after minus before."""
        return self.after - self.before

    @property
    def chance(self) -> float:
        """Probability of so uneven a change if losses and gains were equally likely.

        Exact two-sided sign test on the pixels whose answer turned right or wrong (McNemar).
        """
        from scipy.stats import binomtest

        turned = self.lost + self.won
        return float(binomtest(self.lost, turned).pvalue) if turned else 1.0

    @property
    def sentence(self) -> str:
        """The finding in words."""
        done = {
            "mix": "by their scene mean",
            "order": "in the token lists by those of other pixels",
            "both": "by their scene mean, with lists of other pixels,",
        }[self.what]
        sites = "at all sites" if len(self.sites) > 1 else _named(self.sites[0])
        said = (
            f"Replacing the matrices {sites} {done} changes the overall accuracy by "
            f"{100 * self.delta:+.2f} points ({100 * self.before:.2f} to "
            f"{100 * self.after:.2f} % on {self.pixels:,} test pixels)"
        )
        moved = f"{100 * self.changed:.2f} % of them get another class"
        if self.changed == 0:
            verdict = "the maps do not matter for this result"
        elif self.chance > 0.05:
            verdict = "no more than chance: do not read relevance into these maps"
        elif self.delta > 0:
            verdict = "the network does better without them"
        elif self.delta > -0.005:
            verdict = "they matter, but for few pixels"
        else:
            verdict = "they matter for this result"
        return f"{said}; {moved}: {verdict}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "sites": [list(site) for site in self.sites],
            "what": self.what,
            "test_pixels": self.pixels,
            "overall_accuracy_before": self.before,
            "overall_accuracy_after": self.after,
            "delta_overall_accuracy": self.delta,
            "changed_share": self.changed,
            "lost": self.lost,
            "won": self.won,
            "sign_test_p": self.chance,
        }


def held_out_mask(checkpoint: Checkpoint, scene: Scene, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the labelled pixels that neither taught nor chose the weights."""
    mask = np.asarray(labels > 0)
    if checkpoint.knows(scene):
        mask = mask.copy()
        mask.ravel()[checkpoint.seen] = False
    return mask


def occlusion_check(
    checkpoint: Checkpoint,
    scene: Scene,
    labels: NDArray[Any],
    test: NDArray[np.bool_],
    *,
    sites: Sequence[Site] | None = None,
    what: str = "mix",
    each: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[Occlusion, ...]:
    """Replace the matrices of sites by their scene mean and measure the accuracy again.

    Parameters
    ----------
    labels : integer array of shape (rows, cols)
        0 is unlabelled.
    test : bool array of shape (rows, cols)
        Pixels to measure on; see `held_out_mask`.
    sites : sequence of (layer, site), optional
        Default all.
    what : str
        One of `WHAT`.
    each : bool
        One check for each of the sites instead of one for all together.

    Raises
    ------
    WrongUse
        The checkpoint is not of this network, or there is no such site.
    BadInput
        No test pixel.
    """
    from backends.hyperspectral.es_mhc import EsMhc
    from backends.hyperspectral.mapping import network_of
    from backends.hyperspectral.normalise import match_bands
    from backends.hyperspectral.prediction import predict_scene
    from backends.hyperspectral.records import MatrixRecords

    progress = progress or Progress()
    if what not in WHAT:
        raise WrongUse(f"There is no check called {what}.", way_out=f"Use: {', '.join(WHAT)}.")
    network = network_of(checkpoint)
    if not isinstance(network, EsMhc):
        raise WrongUse(
            f"{checkpoint.model_id} has no matrices.", way_out="Use a checkpoint of es_mhc."
        )
    if what != "mix" and network.settings.cluster_source != "hres":
        raise WrongUse(
            "The lists of this network come from clusters: its matrices order nothing.",
            way_out="Check what they mix instead.",
        )
    known = network.sites()
    chosen = tuple(known) if sites is None else tuple(sites)
    missing = [site for site in chosen if site not in known]
    if missing or not chosen:
        raise WrongUse(f"The network has no site {missing[0] if missing else ''}.")
    where = np.flatnonzero((labels > 0) & test)
    if where.size == 0:
        raise BadInput(
            "There are no held-out labelled pixels to measure on.",
            way_out="Load labels that the network did not learn from.",
        )
    values = np.asarray([*checkpoint.class_names, 0])
    truth = labels.ravel()[where]
    bands = match_bands(scene, checkpoint.stretch.bands, checkpoint.stretch.wavelength_nm)

    def predicted() -> tuple[NDArray[Any], MatrixRecords]:
        found = predict_scene(
            network, scene, checkpoint.stretch, bands, device=device, progress=progress
        )
        assert isinstance(found.inside, MatrixRecords)
        return values[found.classes.ravel()[where]], found.inside

    first, inside = predicted()
    means = {(e.layer, e.site): e.mean() for e in inside.entries()}
    found = []
    for group in [(site,) for site in chosen] if each else [chosen]:
        with occluded(network, {site: means[site] for site in group}, what):
            second, _ = predicted()
        right, still = first == truth, second == truth
        found.append(
            Occlusion(
                group,
                what,
                int(where.size),
                float(right.mean()),
                float(still.mean()),
                float((first != second).mean()),
                int((right & ~still).sum()),
                int((~right & still).sum()),
            )
        )
    return tuple(found)


@contextmanager
def occluded(network: EsMhc, means: dict[Site, NDArray[Any]], what: str = "mix") -> Iterator[None]:
    """Take the matrices of sites away for a while; ``means`` stand in for them."""
    import torch

    known = network.sites()
    try:
        for site, mean in means.items():
            if what in ("mix", "both"):
                known[site].fixed = torch.from_numpy(np.array(mean, np.float32))
            known[site].shuffled = what in ("order", "both")
        yield
    finally:
        for site in means:
            known[site].fixed, known[site].shuffled = None, False


def _named(site: Site) -> str:
    return f"of layer {site[0]}, {'mixer' if site[1] == 'mixer' else 'feed-forward'} site,"
