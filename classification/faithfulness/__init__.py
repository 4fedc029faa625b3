"""Faithfulness of explanations, measured by removing pixels."""
