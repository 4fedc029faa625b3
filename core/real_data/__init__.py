"""Real images: lists, tables, diagnoses and the held-out lesions."""
