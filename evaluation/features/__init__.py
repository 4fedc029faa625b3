"""Images of both sides of a comparison, and their features."""
