"""Evaluation of a classifier: predictions, metrics with intervals, and the report."""
