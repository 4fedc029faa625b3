"""Benchmarks: alternatives are timed in one run, with the spread. Run ``python -m benchmarks.generation --help``."""
