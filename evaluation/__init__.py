"""Quality, copies and usefulness of a generated set against real images: ``python -m evaluation JOB.json``."""
