"""Two scenes of one place: how they lie on each other, and moving one of them."""
