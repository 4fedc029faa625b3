"""Background work of the window: threads over the generators of the core, and headless processes."""
