"""Concepts: what a network sees, in parts a person can name, weigh and take away.

Two papers: Insight (arXiv 2601.13798: nested sparse autoencoder over an encoder's patches,
relations by co-occurrence, names, additive heads) and PCBM-ReD (arXiv 2601.12303: a bottleneck
of linearly independent concepts over pooled embeddings). Room by room:

- `autoencoder`, `autoencoder_training`, `autoencoder_files`: the dictionary of concepts.
- `codes`: the concepts of a whole image, stored sparsely; by click, by layer.
- `relations`: how concepts hang together.
- `probe`, `segmentation`: decisions that are exact sums over concepts; taking one away.
- `selection`, `decomposition`, `candidates`, `bottleneck`: PCBM-ReD.
"""
