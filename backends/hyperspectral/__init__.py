"""Hyperspectral classification: splits, metrics, the white-box network and its baselines.

Importing this package costs nothing: torch and scikit-learn are imported by the
modules that compute (`es_mhc`, `training`, `baselines`) when they are first used.
"""

from __future__ import annotations
