"""Encoders of pixels: the spectra themselves, and what a spectral network knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.concepts.encoders.base import Features, digest_of
from backends.errors import BadInput
from backends.explain.classifier import ImageClassifier
from backends.explain.scene_images import look_at, read_prepared
from backends.jobs import Progress
from backends.overlays import Placement
from backends.scene import Scene, Window

MOST_BYTES = 4 << 30
_PIXEL_MARGIN = 12


class SpectraEncoder:
    """The spectra of a cube themselves: a concept is a direction in its bands.

    Parameters
    ----------
    bands : int64 array
        Bands of the scene it was made for.
    low, high : float32 arrays
        Values that become 0 and 1, a band.
    wavelength_nm : float64 array, or None
    """

    def __init__(
        self,
        bands: NDArray[np.int64],
        low: NDArray[np.float32],
        high: NDArray[np.float32],
        wavelength_nm: NDArray[np.float64] | None,
    ) -> None:
        from backends.hyperspectral.normalise import BandStretch

        self.stretch = BandStretch(bands, low, high, wavelength_nm)
        self.title = f"Spectra of {len(bands)} bands"
        self.about: Mapping[str, Any] = {
            "kind": "spectra", "bands": bands.tolist(), "low": low.tolist(),
            "high": high.tolist(),
            "wavelength_nm": None if wavelength_nm is None else wavelength_nm.tolist(),
        }  # fmt: skip
        self.digest = digest_of("spectra", self.about)

    @classmethod
    def of(cls, scene: Scene, progress: Progress | None = None) -> SpectraEncoder:
        """Measure the scaling on a scene."""
        from backends.hyperspectral.normalise import fit_stretch

        found = fit_stretch(scene, progress=progress)
        return cls(found.bands, found.low, found.high, found.wavelength_nm)

    def encode(self, scene: Scene, progress: Progress | None = None) -> Features:
        """Return the stretched spectrum of every pixel."""
        from backends.hyperspectral.features import read_window
        from backends.hyperspectral.normalise import match_bands

        progress = progress or Progress()
        bands = match_bands(scene, self.stretch.bands, self.stretch.wavelength_nm)
        rows, cols = scene.shape[:2]
        if rows * cols * len(bands) * 4 > MOST_BYTES:
            raise BadInput(
                f"{scene.title} holds too many spectra to be read for concepts at once.",
                way_out="Cut it to the part that matters.",
            )
        out = np.empty((rows * cols, len(bands)), np.float32)
        for window in scene.windows():
            progress.check()
            part = read_window(scene, self.stretch, bands, window, 1)
            low = window.row * cols + window.col
            out[low : low + len(part.spectra)] = part.spectra
        return Features(out, (rows, cols), Placement())


class PixelNetworkEncoder:
    """What a spectral network trained here knows of a pixel just before it decides.

    Parameters
    ----------
    classifier : ImageClassifier
        Of `backends.explain.spectral.open_spectral`.
    """

    def __init__(self, classifier: ImageClassifier, about: Mapping[str, Any] | None = None) -> None:
        count = len(classifier.class_names)
        heads = [
            (name, part)
            for name, part in classifier.network.named_modules()
            if isinstance(part, (nn.Linear, nn.Conv1d, nn.Conv2d))
            and (getattr(part, "out_features", 0) or getattr(part, "out_channels", 0)) == count
        ]
        if not heads:
            raise BadInput(f"{classifier.card.title} has no layer that decides by features.")
        self.classifier, self._head = classifier, heads[-1][0]
        self.title = f"{classifier.card.title}, before {self._head.rpartition('.')[2]}"
        self.about: Mapping[str, Any] = {"kind": "network", "layer": self._head, **(about or {})}
        self.digest = digest_of("pixels", classifier.card.weights_digest, self._head)

    def encode(self, scene: Scene, progress: Progress | None = None) -> Features:
        """Return the features of every pixel, in overlapping strips."""
        progress = progress or Progress()
        look = look_at(self.classifier, scene)
        rows, cols = scene.shape[:2]
        step = max(16, (64 << 10) // cols)
        parts = []
        for top in range(0, rows, step):
            progress.check()
            low = max(0, top - _PIXEL_MARGIN)
            high = min(rows, top + step + _PIXEL_MARGIN)
            prepared = read_prepared(
                self.classifier, scene, look, Window(low, 0, high - low, cols), 0
            )
            found = self._features(prepared.tensor, (high - low) * cols)
            keep = slice((top - low) * cols, (min(top + step, rows) - low) * cols)
            parts.append(found[keep])
        return Features(np.concatenate(parts), (rows, cols), Placement(), look.notes)

    def _features(self, x: Tensor, pixels: int) -> NDArray[np.float32]:
        found: list[Tensor] = []

        def take(part: nn.Module, given: Any) -> None:
            value = given[0]
            if value.ndim == 4:  # (1, d, rows, cols)
                value = value.flatten(2)[0].t()
            elif value.ndim == 3:
                value = value.flatten(0, 1) if value.shape[0] == 1 else value.mean(1)
            found.append(value.detach())

        with self.classifier.running() as network, torch.no_grad():
            handle = network.get_submodule(self._head).register_forward_pre_hook(take)
            try:
                network(x)
            finally:
                handle.remove()
        values = torch.cat(found) if found else torch.zeros(0, 1)
        if len(values) != pixels:
            raise BadInput(
                f"{self.classifier.card.title} hands out no features a pixel.",
                way_out="Use the spectra themselves.",
            )
        return np.asarray(values.float().cpu().numpy())
