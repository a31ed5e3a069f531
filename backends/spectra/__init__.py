"""Spectra apart from any image: libraries of reference spectra, brought to a scene's bands."""

from __future__ import annotations
