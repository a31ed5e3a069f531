"""Encoders: what turns an image into features a concept can be found in.

All are `Encoder`: features (patches, d) in grid order, where the grid lies on the full-size
image, and a digest that changes with weights, layer, scaling and input. By module:

- `base`, `tiles`: what they share; large images tile by tile.
- `network`, `patches`: a layer of any network for pictures or bands (of timm, torchvision, or
  taught here), or a CLIP transformer read densely (MaskCLIP), with `pooling` (CLIP-DINOiser).
- `clip_open`, `hub`, `dino_txt`: transformers of open_clip, transformers and dino.txt.
- `pixels`: a spectral network trained here, and the spectra themselves.

Networks are shared between threads: hooks are set, used and taken off under the network's
lock, nothing of it is overwritten. Positions are resized as it runs, by its library or by
`positions`, into a table of their own.
"""

from backends.concepts.encoders.base import Encoder, Features, cell_of
from backends.concepts.encoders.network import ONE_LOOK, NetworkEncoder
from backends.concepts.encoders.pixels import PixelNetworkEncoder, SpectraEncoder
from backends.concepts.encoders.positions import resized_positions

__all__ = [
    "ONE_LOOK",
    "Encoder",
    "Features",
    "NetworkEncoder",
    "PixelNetworkEncoder",
    "SpectraEncoder",
    "cell_of",
    "resized_positions",
]
