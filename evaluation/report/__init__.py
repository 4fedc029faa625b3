"""Results and reports of an evaluation."""
