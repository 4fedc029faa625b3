"""Utility of a set for training a classifier of real images."""
