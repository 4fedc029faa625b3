"""Metrics that compare a generated set with real images."""
