"""The images of both sides and their features."""
