"""What is measured, side by side in one run, with the spread. Run ``python -m benchmarks.generation --help``."""
