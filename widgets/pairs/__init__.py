"""Two open scenes on the canvas: what is shown, how they lie, a tie between them."""
