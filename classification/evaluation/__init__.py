"""Evaluation of a classifier: predictions, metrics with intervals, the report."""
