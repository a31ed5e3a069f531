"""The pages of the clusters dock."""
