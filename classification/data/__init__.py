"""Labelled images: collections, splits, groups and the pixel cache."""
