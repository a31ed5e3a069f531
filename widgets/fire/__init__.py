"""The pages of the fire dock."""
