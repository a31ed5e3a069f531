"""Networks of the literature that others are compared with, by id; loaded when asked for.

Own implementations from published descriptions; what of each is our reading is said in its
model card.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from backends.hyperspectral.networks import PixelNetwork

# Id: module here, class of the settings, class of the network.
NETWORKS: Mapping[str, tuple[str, str, str]] = {
    "cnn_1d": ("cnn_1d", "Cnn1dSettings", "Cnn1d"),
    "cnn_3d": ("cnn_3d", "Cnn3dSettings", "Cnn3d"),
    "hybrid_sn": ("hybrid_sn", "HybridSettings", "HybridSn"),
    "ssftt": ("ssftt", "SsfttSettings", "Ssftt"),
    "spectral_former": ("spectral_former", "SpectralFormerSettings", "SpectralFormer"),
    "mamba_hsi": ("mamba_hsi", "MambaHsiSettings", "MambaHsi"),
}


def settings_of(model_id: str) -> Any:
    """Return the class of a network's settings."""
    module, name, _ = NETWORKS[model_id]
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def build(model_id: str, bands: int, classes: int, settings: Any) -> PixelNetwork:
    """Make a network with fresh weights.

    Raises
    ------
    WrongUse
        A setting is outside of what makes sense.
    """
    module, _, name = NETWORKS[model_id]
    settings.check()
    made: PixelNetwork = getattr(importlib.import_module(f"{__name__}.{module}"), name)(
        bands, classes, settings
    )
    return made


def rebuilt(
    model_id: str, settings: Any, arrays: Mapping[str, NDArray[Any]], bands: int, classes: int
) -> PixelNetwork:
    """Build the network of a checkpoint, without weights yet.

    It is built without memory first, and every size compared with the arrays that are there.

    Raises
    ------
    ValueError
        They do not fit each other.
    """
    import torch

    with torch.device("meta"):
        network = build(model_id, bands, classes, settings)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if wanted != {name: tuple(value.shape) for name, value in arrays.items()}:
        raise ValueError("sizes")
    network.to_empty(device="cpu")
    return network
