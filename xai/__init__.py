"""Explanations: where a classifier looks, and how far that can be trusted. Importing this package loads nothing."""
