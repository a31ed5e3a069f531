"""Pages of the concepts dock."""
