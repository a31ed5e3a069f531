"""The core of Clearband: images, spectra, models, explanations. No Qt, no napari.

``import backends`` must work where no window system exists; heavy libraries
(torch, scikit-learn, rasterio) are imported where they are used.
"""

from __future__ import annotations

__version__ = "0.1.0"
