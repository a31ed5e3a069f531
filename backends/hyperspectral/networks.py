"""The networks that read spectra: what they share, how they are built and rebuilt.

A network classifies a set of pixels together; trainer, tiles and checkpoints know no more
of it than `PixelNetwork` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.errors import WrongUse
from backends.hyperspectral import literature
from backends.hyperspectral.features import PixelFeatures
from backends.hyperspectral.normalise import BandStretch

Arrays = Mapping[str, NDArray[Any]]

# Sizes that no network of ours has; checked before anything is allocated.
LARGEST_WIDTH = 65_536
LARGEST_STATES = 256
MOST_LAYERS = 64


def go_on() -> None:
    """Ask for nothing: who has no cancel button."""


class Known(NamedTuple):
    """What a network may look at before its training begins.

    Attributes
    ----------
    taught : PixelFeatures
        Training pixels.
    target : int64 array of shape (taught,)
        Their classes, from 0.
    anywhere : PixelFeatures
        Pixels of the scene, without labels.
    local : float64 array of shape (bands, bands)
        Covariance between neighbouring pixels, see `whitening.local_covariance`.
    """

    taught: PixelFeatures
    target: NDArray[np.int64]
    anywhere: PixelFeatures
    local: NDArray[np.float64]


class PixelNetwork(nn.Module):
    """What trainer and map ask of a network.

    Attributes
    ----------
    context : int
        Side of the square whose mean spectrum it wants beside the pixel's own; 1 = none.
    patch : int
        Odd side of the square of spectra it wants around each pixel; 1 = none.
    whole_image : bool
        Whether it reads rectangles of the scene, in which all pixels depend on each other.
    company : bool
        Whether the pixels of a step are read together; without, each stands for itself.
    batch : int
        Pixels it maps at a time where each stands for itself: well under a second.
    dense : bool
        Whether it maps rectangles with a margin faster than one patch after the other.
    position : bool
        Whether it wants row and column.
    extra_loss : tensor
        To be added to the loss of the last pass.
    """

    context: int = 1
    position: bool = False
    patch: int = 1
    whole_image: bool = False
    company: bool = True
    batch: int = 4096
    dense: bool = False

    def __init__(self) -> None:
        super().__init__()
        self.extra_loss: Tensor = torch.zeros(())
        self.head_out: nn.Linear

    @property
    def class_count(self) -> int:
        """Number of classes."""
        return int(self.head_out.out_features)

    def prepare(self, known: Known) -> None:
        """Take what needs no gradient from training pixels and scene; called once, before."""

    def after_step(self) -> None:
        """Do what has to be done after each step of the optimiser."""

    def diagnostics(self) -> dict[str, float]:
        """Return figures of the last pass that are worth following, under names that stay."""
        return {}

    def forward(
        self,
        spectra: Tensor,
        *,
        around: Tensor | None = None,
        places: Tensor | None = None,
        valid: Tensor | None = None,
        record: bool = False,
        poll: Callable[[], None] = go_on,
    ) -> tuple[Tensor, list[Any]]:
        """Classify a set of pixels together; `SceneNetwork` says what some are given more.

        Parameters
        ----------
        spectra : tensor of shape (pixels, bands)
            Stretched to 0..1.
        around : tensor like ``spectra``, optional
            Mean spectra of the squares around the pixels; needed when ``context > 1``.
        places : tensor of shape (pixels, 2), optional
            Row and column, 0 to 1 over the scene; needed when ``position``.
        valid : bool tensor of shape (pixels,), optional
            Pixels with data; others teach and order nothing.
        record : bool
            Also return what every part did.
        poll : callable
            Called several times a second; may raise to stop.

        Returns
        -------
        logits : tensor of shape (pixels, classes)
        records : list
            For the viewer; empty unless asked for.
        """
        raise TypeError(f"{type(self).__name__} does not say how it reads pixels")


class Built(NamedTuple):
    """A new network, and what is needed to build it again."""

    network: PixelNetwork
    plan: Mapping[str, Any]
    settings: Mapping[str, Any]
    note: str


def settings_of(model_id: str) -> Any:
    """Return the class of a network's settings.

    Raises
    ------
    WrongUse
        There is no such network.
    """
    if model_id in literature.NETWORKS:
        return literature.settings_of(model_id)
    if model_id == "es_mhc":
        from backends.hyperspectral.es_mhc import NetworkSettings

        return NetworkSettings
    if model_id == "css_mamba":
        from backends.hyperspectral.css_mamba import CssSettings

        return CssSettings
    raise WrongUse(f"There is no network called {model_id}.")


def training_of(model_id: str, pixels: int, scene_pixels: int) -> Mapping[str, Any]:
    """Return the training settings in which a network differs from the others.

    Parameters
    ----------
    pixels : int
        Training pixels; recipes that count passes over them are turned into steps.
    scene_pixels : int
    """
    if model_id in literature.NETWORKS:
        recipe: Mapping[str, Any] = literature.settings_of(model_id).recipe(pixels, scene_pixels)
        return recipe
    return {}


def build(model_id: str, stretch: BandStretch, classes: int, settings: Any) -> Built:
    """Make a network with fresh weights.

    Parameters
    ----------
    settings : record of the class that `settings_of` names
    """
    plan: dict[str, Any] = {"network": settings.to_dict()}
    count = len(stretch.bands)
    if model_id in literature.NETWORKS:
        made = literature.build(model_id, count, classes, settings)
        return Built(made, plan, settings.to_dict(), "")
    if model_id == "es_mhc":
        from backends.hyperspectral.es_mhc import EsMhc
        from backends.hyperspectral.groups import groups_for

        groups = groups_for(
            stretch, settings.groups, full=settings.full, expansion=settings.expansion
        )
        plan["groups"] = {
            "names": list(groups.names),
            "members": [m.tolist() for m in groups.members],
            "note": groups.note,
        }
        return Built(EsMhc(groups, classes, settings), plan, settings.to_dict(), groups.note)
    from backends.hyperspectral.css_mamba import CssMamba

    return Built(CssMamba(count, classes, settings), plan, settings.to_dict(), "")


def rebuild(
    model_id: str, plan: Mapping[str, Any], arrays: Arrays, bands: int, classes: int
) -> PixelNetwork:
    """Build the network of a checkpoint and give it its weights.

    Raises
    ------
    ValueError, KeyError, TypeError, RuntimeError
        Arrays or settings do not fit each other.
    """
    kind = settings_of(model_id)
    known = {f.name for f in fields(kind)}
    settings = kind(**{k: v for k, v in plan["network"].items() if k in known})
    network: PixelNetwork
    if model_id in literature.NETWORKS:
        network = literature.rebuilt(model_id, settings, arrays, bands, classes)
    elif model_id == "es_mhc":
        from backends.hyperspectral.es_mhc import rebuilt

        network = rebuilt(settings, plan["groups"], arrays, bands, classes)
    else:
        from backends.hyperspectral.css_mamba import rebuilt as rebuilt_css

        network = rebuilt_css(settings, arrays, bands, classes)
    network.load_state_dict({n: torch.from_numpy(np.array(v)) for n, v in arrays.items()})
    network.eval()
    return network
