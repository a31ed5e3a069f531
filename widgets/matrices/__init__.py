"""Pages of the matrices dock."""
