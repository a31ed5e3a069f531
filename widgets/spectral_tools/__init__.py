"""The pages of the spectral tools dock."""
