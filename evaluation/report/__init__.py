"""The results of an evaluation and its report."""
