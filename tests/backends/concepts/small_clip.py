"""The name of the small CLIP of the fixture ``clip``."""

SMALL = "ViT-small-for-tests"
