"""What is measured on the image: the board the canvas follows, the sheet over it, the pages."""
