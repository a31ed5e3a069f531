"""Parts of the regions dock."""
