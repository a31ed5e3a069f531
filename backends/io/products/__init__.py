"""Satellite hyperspectral products as their ground segments deliver them: EMIT, PRISMA, DLR's.

Each reader knows where one product keeps its pixels, wavelengths, scale and place;
`view` puts the bands of one or two detectors into one scene, in order of wavelength.
"""

from __future__ import annotations
