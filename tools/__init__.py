"""Scripts of the project for its maintenance; the program does not use them."""
