"""Concepts: what a network sees, in parts a person can name, weigh and take away.

Two papers: Insight (arXiv 2601.13798: nested sparse autoencoder over an encoder's patches,
relations by co-occurrence, names, additive heads) and PCBM-ReD (arXiv 2601.12303: a bottleneck
of linearly independent concepts over pooled embeddings). Room by room:

- `encoders`, `opening`: images to features (patches, d) with their place on the image;
  `feature_cache` keeps them on disk.
- `autoencoder`, `autoencoder_training`, `autoencoder_files`, `published`: the dictionary.
- `codes`: the concepts of a whole image, stored sparsely; by click, by layer.
- `relations`, `exemplars`, `naming`: how concepts hang together, look, and are called.
- `probe`, `segmentation`: decisions that are exact sums over concepts; taking one away.
- `selection`, `decomposition`, `candidates`, `bottleneck`, `bottleneck_folder`: PCBM-ReD.
- `learning_concepts`: from a folder or a scene to a dictionary, one job.
- `describing`: `ImageConcepts`, all that a panel asks about one image; `files` writes it.

A window needs three calls: `autoencoder_files.load_dictionary`, `opening.open_encoder` and,
as a job, `describing.describe`. What it returns answers every click without reading a file.
"""
