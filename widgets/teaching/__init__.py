"""The pieces of the Train dock: what is chosen, the curves, what came out."""
