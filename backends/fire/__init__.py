"""Seeing fire: sensors, radiometry, the rules of the trade, the networks, the live feed.

Sources: arXiv 2601.14475 (AMS wildfire classifier and segmenter) for the networks, the public
codes named in each rule for the rest.
"""
