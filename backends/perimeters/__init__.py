"""From a mask to a line that can be drawn on, verified, compared and handed over.

Geometry lives in shapely, in the metres of a projected coordinate system; nothing here knows a
window. `making` turns a probability into a proposal, `document` keeps it while it is worked on,
`deliver` hands it over.
"""
