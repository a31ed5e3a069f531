"""One-command set-up with nothing but Python's standard library."""
