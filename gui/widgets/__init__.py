"""The parts of the window, one a file. None of them starts work: they show, and say what the user wants."""
