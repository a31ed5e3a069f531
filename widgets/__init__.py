"""The docks: each one a view on one thing the core knows."""
