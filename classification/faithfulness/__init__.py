"""Faithfulness of explanations, measured against lesion masks."""
