"""The pages of the perimeter dock."""
